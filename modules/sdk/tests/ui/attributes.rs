use syncline::prelude::*;

#[table(publik)]
struct Misspelled {
    #[primary_key]
    id: u64,
}

#[table(public, public)]
struct Twice {
    #[primary_key]
    id: u64,
}

#[table]
struct Kinds {
    #[primary_key]
    id: u64,
    #[index(btree)]
    a: u64,
    #[index]
    b: u64,
    #[unique(c)]
    c: u64,
}

#[table(index(columns(a)))]
struct NoKind {
    #[primary_key]
    a: u64,
}

#[table(index(hash, columns(nothing)), index(ordered, columns(a, a)))]
struct Columns {
    #[primary_key]
    a: u64,
}

#[table]
enum NotAStruct {
    A,
}

#[reducer(startup)]
fn start(_ctx: &Context) {}

#[reducer]
struct NotAFunction;

fn main() {}
