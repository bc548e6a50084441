//! What a commit costs when many live queries listen to other rows, and what a subscription costs.
//!
//! `cargo run --release -p syncline-query --example router_speed`
//!
//! One-row commits against `SELECT * FROM tasks WHERE owner = :o` with as many distinct owners as there
//! are subscriptions. Beside it, in the same run, the best loop that looks at every subscription: one
//! comparison of integers each.

#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::hint::black_box;
use std::time::Instant;

use syncline_protocol::param::Param;
use syncline_protocol::{
    ChangeSet, ColumnDef, Identity, IndexDef, IndexKind, Schema, TableDef, TableId, Type,
};
use syncline_query::{Caller, Deltas, LiveQueries};
use syncline_store::Database;

const COMMITS: u64 = 200_000;

fn column(name: &str, ty: Type) -> ColumnDef {
    ColumnDef {
        name: name.into(),
        ty,
    }
}

fn database() -> Database {
    let table = TableDef {
        name: "tasks".into(),
        columns: vec![
            column("id", Type::U64),
            column("owner", Type::U64),
            column("rank", Type::I64),
            column("text", Type::String),
        ],
        primary_key: vec![0],
        indexes: vec![IndexDef {
            name: "by_rank".into(),
            columns: vec![1, 2],
            kind: IndexKind::Ordered,
            unique: false,
        }],
        auto_increment: None,
        public: true,
    };
    let mut db = Database::new(1);
    let schema = Schema {
        tables: vec![table],
        reducers: Vec::new(),
        ..Schema::default()
    };
    db.install(
        db.schema()
            .evolve(schema, [0; 32], false)
            .expect("it is the first"),
    )
    .expect("empty");
    db
}

fn row(id: u64, owner: u64, rank: i64) -> Vec<u8> {
    let mut row = Vec::new();
    row.extend_from_slice(&id.to_le_bytes());
    row.extend_from_slice(&owner.to_le_bytes());
    row.extend_from_slice(&rank.to_le_bytes());
    row.extend_from_slice(&16u32.to_le_bytes());
    row.extend_from_slice(b"sixteen letters.");
    row
}

/// Spreads numbers, so that the caches are as cold as with real traffic.
fn scatter(number: u64, end: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)) % end.max(1)
}

/// Bytes of memory that the process has.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .unwrap_or(0)
        * 4096
}

/// Nanoseconds of one step, over updates that keep the owner.
fn step_ns(live: &mut LiveQueries, db: &Database, owner: impl Fn(u64) -> u64) -> (f64, f64) {
    let changes: Vec<ChangeSet> = (0..1024)
        .map(|number| {
            let mut changes = ChangeSet::new();
            let owner = owner(number);
            let (old, new) = (row(number, owner, 1), row(number, owner, 2));
            changes.push(TableId::FIRST_USER, Some(&old), Some(&new));
            changes
        })
        .collect();
    let mut out = Deltas::new();
    let before = live.stats().counters.affected;
    let start = Instant::now();
    for number in 0..COMMITS {
        live.step(db, &changes[(number % 1024) as usize], &mut out);
        black_box(out.byte_len());
    }
    let ns = start.elapsed().as_nanos() as f64 / COMMITS as f64;
    let affected = live.stats().counters.affected - before;
    (ns, affected as f64 / COMMITS as f64)
}

/// The loop that compares every subscription's owner.
fn compare_all_ns(count: u64) -> f64 {
    let owners: Vec<u64> = (0..count).collect();
    let commits = 2_000;
    let start = Instant::now();
    let mut found = 0;
    for number in 0..commits {
        let owner = black_box(count + number);
        found += owners.iter().filter(|other| **other == owner).count();
    }
    black_box(found);
    start.elapsed().as_nanos() as f64 / commits as f64
}

fn main() {
    println!(
        "{:>13} {:>12} {:>12} {:>10} {:>13} {:>12} {:>12}",
        "subscriptions",
        "unaffected",
        "one affected",
        "affected",
        "compare all",
        "subscribe",
        "memory"
    );
    let caller = Caller {
        identity: Identity([0; 32]),
        admin: false,
        claims: syncline_protocol::Claims::NONE,
    };
    for count in [0u64, 1_000, 10_000, 100_000] {
        let mut db = database();
        let mut live = LiveQueries::new();
        let memory = resident_bytes();
        let start = Instant::now();
        for owner in 0..count {
            let params = [("o".to_owned(), Param::Int(owner.into()))];
            let sql = "SELECT * FROM tasks WHERE owner = :o";
            live.subscribe(&mut db, sql, &params, &caller)
                .expect("the query is live");
        }
        let per_subscription = |total: f64| total / count.max(1) as f64;
        let subscribe = per_subscription(start.elapsed().as_nanos() as f64);
        let memory = per_subscription(resident_bytes().saturating_sub(memory) as f64);
        let (unaffected, _) = step_ns(&mut live, &db, |n| count + scatter(n, 1 << 40));
        let (one, affected) = step_ns(&mut live, &db, |n| scatter(n, count));
        println!(
            "{count:>13} {unaffected:>9.0} ns {one:>9.0} ns {affected:>10.2} {:>10.0} ns {subscribe:>9.0} ns {memory:>10.0} B",
            compare_all_ns(count)
        );
    }
    windows(&caller);
}

/// 100 k top-10 windows: changes behind the bound, and changes inside.
fn windows(caller: &Caller) {
    const OWNERS: u64 = 10_000;
    const ROWS: u64 = 30;
    let mut transaction = database().begin();
    for owner in 0..OWNERS {
        for number in 0..ROWS {
            let mut row = row(owner * ROWS + number, owner, number as i64);
            transaction
                .insert(TableId::FIRST_USER, &mut row)
                .expect("the key is free");
        }
    }
    let mut changes = ChangeSet::new();
    let mut db = transaction.commit(&mut changes);
    let mut live = LiveQueries::new();
    for owner in 0..OWNERS {
        let params = [("o".to_owned(), Param::Int(owner.into()))];
        let sql = "SELECT * FROM tasks WHERE owner = :o ORDER BY rank DESC LIMIT 10";
        live.subscribe(&mut db, sql, &params, caller)
            .expect("the query is live");
    }
    let mut out = Deltas::new();
    for (name, number, rank) in [
        ("behind the bound", 3, -1),
        ("inside", ROWS - 1, 1000),
        ("in and out", 15, 500),
    ] {
        let mut elapsed = 0;
        let mut affected = 0;
        for commit in 0..20_000u64 {
            let owner = scatter(commit, OWNERS);
            // There and back again, so that the windows stay as they are.
            for rank in [rank, number as i64] {
                let mut transaction = db.begin();
                let mut row = row(owner * ROWS + number, owner, rank);
                transaction
                    .update(TableId::FIRST_USER, &mut row)
                    .expect("the row is there");
                db = transaction.commit(&mut changes);
                let start = Instant::now();
                live.step(&db, &changes, &mut out);
                elapsed += start.elapsed().as_nanos();
                affected += out.len();
            }
        }
        let per_commit = elapsed as f64 / 40_000.0;
        println!(
            "{OWNERS} windows of 10, update {name}: {per_commit:.0} ns, {affected} deltas in 40000 commits"
        );
    }
}
