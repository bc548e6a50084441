use syncline::prelude::*;

#[table(index(hash, columns(a)), index(ordered, columns(a)))]
struct Same {
    #[primary_key]
    id: u64,
    a: u64,
}

#[table(index(hash, name = find, columns(a)))]
struct Hides {
    #[primary_key]
    id: u64,
    a: u64,
}

#[table(name = __system)]
struct Reserved {
    #[primary_key]
    id: u64,
}

#[table]
struct Umlaut {
    #[primary_key]
    größe: u64,
}

#[reducer]
fn __hidden(_ctx: &Context) {}

fn main() {}
