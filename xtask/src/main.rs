//! One tool for every chore.

fn main() {}
