use std::collections::HashMap;

use syncline::prelude::*;

#[table]
struct Item {
    #[primary_key]
    id: u64,
    count: usize,
    scores: HashMap<String, u32>,
    name: &'static str,
    letters: Vec<char>,
    place: (u32, u32),
}

#[derive(Clone)]
struct Unknown;

#[table]
struct Other {
    #[primary_key]
    id: u64,
    unknown: Unknown,
}

#[derive(Type)]
struct Generic<T> {
    inner: T,
}

#[derive(Type)]
struct Unnamed(u32, u32);

#[derive(Type)]
enum Shape {
    Circle(f32, f32),
}

fn main() {}
