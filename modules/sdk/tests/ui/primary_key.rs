use syncline::prelude::*;

#[table]
struct Missing {
    id: u64,
}

#[table]
struct Two {
    #[primary_key]
    a: u64,
    #[primary_key]
    b: u64,
}

#[table(primary_key(a, b))]
struct Both {
    #[primary_key]
    a: u64,
    b: u64,
}

#[table(primary_key(a, c))]
struct NoSuchColumn {
    a: u64,
    b: u64,
}

#[table]
struct Nullable {
    #[primary_key]
    id: Option<u64>,
}

#[table]
struct Redundant {
    #[primary_key]
    #[unique]
    id: u64,
}

#[table]
struct Text {
    #[primary_key]
    #[auto_increment]
    id: String,
}

#[table]
struct NotUnique {
    #[primary_key]
    id: u64,
    #[auto_increment]
    number: u64,
}

fn main() {}
