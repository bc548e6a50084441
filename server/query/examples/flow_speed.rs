//! What a commit costs when live queries are joins and groups.
//!
//! `cargo run --release -p syncline-query --example flow_speed [join | group]`
//!
//! Messages of one's rooms, 100 000 people, each in three of 10 000 rooms, all of them listening: one message
//! a commit. Then COUNT and SUM by group over 1 000 000 rows: one changed row a commit. Beside each, in the
//! same run, what asking the query again costs.

#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::hint::black_box;
use std::time::Instant;

use syncline_protocol::param::Param;
use syncline_protocol::{
    ChangeSet, ColumnDef, Identity, IndexDef, IndexKind, Schema, TableDef, TableId, Type,
};
use syncline_query::{Caller, Deltas, LiveQueries};
use syncline_store::Database;

const PEOPLE: u64 = 100_000;
const ROOMS: u64 = 10_000;
const ROWS: u64 = 1_000_000;
const MEMBER: TableId = TableId::FIRST_USER;
const MESSAGE: TableId = TableId(TableId::FIRST_USER.0 + 1);

fn table(name: &str, columns: &[&str], indexes: &[u16]) -> TableDef {
    TableDef {
        name: name.into(),
        columns: columns
            .iter()
            .map(|name| ColumnDef {
                name: (*name).into(),
                ty: Type::U64,
            })
            .collect(),
        primary_key: vec![0],
        indexes: indexes
            .iter()
            .map(|column| IndexDef {
                name: format!("by_{column}"),
                columns: vec![*column],
                kind: IndexKind::Hash,
                unique: false,
            })
            .collect(),
        auto_increment: None,
        public: true,
    }
}

fn database() -> Database {
    let mut db = Database::new(1);
    let schema = Schema {
        tables: vec![
            table("member", &["id", "room", "person"], &[1, 2]),
            table("message", &["id", "room", "size"], &[1]),
        ],
        ..Schema::default()
    };
    let schema = db.schema().evolve(schema, [0; 32], false);
    db.install(schema.expect("it is the first")).expect("empty");
    db
}

fn row(values: [u64; 3]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

/// Spreads numbers, so that the caches are as cold as with real traffic.
fn scatter(number: u64, end: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)) % end
}

fn fill(table: TableId, count: u64, row_of: impl Fn(u64) -> [u64; 3]) -> Database {
    let mut transaction = database().begin();
    for number in 0..count {
        let inserted = transaction.insert(table, &mut row(row_of(number)));
        inserted.expect("the key is free");
    }
    transaction.commit(&mut ChangeSet::new())
}

/// Nanoseconds and affected queries of one step, over commits that `write` makes.
fn measure(
    name: &str,
    mut db: Database,
    live: &mut LiveQueries,
    handle: u64,
    mut write: impl FnMut(u64) -> (TableId, Vec<u8>, bool),
) {
    const COMMITS: u64 = 100_000;
    let (mut changes, mut out) = (ChangeSet::new(), Deltas::new());
    let mut times = Vec::with_capacity(COMMITS as usize);
    let mut affected = 0;
    for commit in 0..COMMITS {
        let mut transaction = db.begin();
        let (table, mut row, is_new) = write(commit);
        if is_new {
            transaction
                .insert(table, &mut row)
                .expect("the key is free");
        } else {
            transaction
                .update(table, &mut row)
                .expect("the row is there");
        }
        db = transaction.commit(&mut changes);
        let start = Instant::now();
        live.step(&db, &changes, &mut out);
        times.push(start.elapsed().as_nanos());
        affected += out.len() as u128;
        black_box(out.byte_len());
    }
    let start = Instant::now();
    live.rows(&db, handle, &mut |row| {
        black_box(row);
    })
    .expect("it is small");
    let again = start.elapsed().as_nanos();
    // The middle of all: other processes take time from some.
    times.sort_unstable();
    let each = times[times.len() / 2];
    let affected = affected as f64 / COMMITS as f64;
    println!(
        "{name}: {each} ns a commit, {affected:.1} affected, {:.0} ns each; asking one again {again} ns",
        each as f64 / affected.max(1.0),
    );
}

fn main() {
    let caller = Caller {
        identity: Identity([0; 32]),
        admin: false,
    };
    let wanted = std::env::args().nth(1);
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    if is_wanted("join") {
        join(&caller);
    }
    if is_wanted("group") {
        group(&caller);
    }
}

fn join(caller: &Caller) {
    let db = fill(MEMBER, PEOPLE * 3, |n| [n, scatter(n, ROOMS), n / 3]);
    let mut live = LiveQueries::new();
    let sql =
        "SELECT m.* FROM member AS b JOIN message AS m ON m.room = b.room WHERE b.person = :p";
    let start = Instant::now();
    let mut handle = 0;
    for person in 0..PEOPLE {
        let params = [("p".to_owned(), Param::Int(person.into()))];
        let subscribed = live.subscribe(&db, sql, &params, caller);
        handle = subscribed.expect("the query is live").handle;
    }
    let each = start.elapsed().as_nanos() / u128::from(PEOPLE);
    println!("{PEOPLE} joins: {each} ns to subscribe");
    measure("a message to a room", db, &mut live, handle, |n| {
        (MESSAGE, row([n, scatter(n + 7, ROOMS), n]), true)
    });
}

fn group(caller: &Caller) {
    let db = fill(MESSAGE, ROWS, |n| [n, n % ROOMS, n]);
    let mut live = LiveQueries::new();
    let sql = "SELECT room, COUNT(*) AS n, SUM(size) AS size FROM message GROUP BY room";
    let handle = live
        .subscribe(&db, sql, &[], caller)
        .expect("the query is live")
        .handle;
    measure("a row of a group", db, &mut live, handle, |n| {
        let id = scatter(n, ROWS);
        (MESSAGE, row([id, id % ROOMS, n + ROWS]), false)
    });
}
