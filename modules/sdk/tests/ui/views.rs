use syncline::prelude::*;

#[table]
#[policy("id = 1")]
struct Private {
    #[primary_key]
    id: u64,
}

#[table(public)]
#[policy]
struct NoCondition {
    #[primary_key]
    id: u64,
}

#[view(id: u64, id: u64)]
const TWICE: &str = "SELECT 1";

#[view(me: Identity)]
const MINE: &str = "SELECT 1";

#[view(id: &str)]
const BORROWED: &str = "SELECT 1";

#[view]
fn not_a_text() {}

fn main() {}
