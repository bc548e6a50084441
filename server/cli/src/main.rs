//! The binary `syncline`.

fn main() {}
