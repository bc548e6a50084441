//! What the store costs: `cargo run --release -p syncline-store --example costs`.
//!
//! Prints nanoseconds of CPU per operation, on a table of 100 k rows `{id u64, balance i64}` and on one of a
//! million rows of 40 bytes, and the memory of such a row.

use std::hint::black_box;
use std::ops::Bound;

use syncline_protocol::{
    ChangeSet, ColumnDef, IndexDef, IndexKind, Schema, TableDef, TableId, Type,
};
use syncline_store::{Database, DatabaseSchema, IndexId};

const TABLE: TableId = TableId::FIRST_USER;

fn main() {
    // Memory first: afterwards the allocator has some to give again.
    rows_of_40_bytes(1_000_000);
    transfers(100_000);
    transfers(1_000_000);
    for (name, kind) in [
        ("hash", IndexKind::Hash),
        ("ordered", IndexKind::Ordered),
        ("counted", IndexKind::Counted),
    ] {
        indexed(name, kind);
    }
    hidden();
}

/// How long commits wait while a hidden index is made, for each row of the table.
fn hidden() {
    let rows = 200_000;
    let types = [Type::U64, Type::U64, Type::U64, Type::String, Type::Bool];
    let mut database = filled(&types, None, rows, |id| {
        let text = format!("the text of row {id}");
        let mut row = [id, id * 2_654_435_761 % 1000, id * 7]
            .map(u64::to_le_bytes)
            .concat();
        row.extend_from_slice(&(text.len() as u32).to_le_bytes());
        row.extend_from_slice(text.as_bytes());
        row.push(u8::from(id % 3 == 0));
        row
    });
    for (name, columns, kind) in [
        ("hash, 200 rows a key", &[1][..], IndexKind::Hash),
        ("hash, a row a key", &[2], IndexKind::Hash),
        ("hash, a text a row", &[3], IndexKind::Hash),
        ("hash, two keys", &[4], IndexKind::Hash),
        ("hash, two columns", &[3, 1], IndexKind::Hash),
        ("ordered, 200 rows a key", &[1], IndexKind::Ordered),
        ("ordered, a row a key", &[2], IndexKind::Ordered),
        ("ordered, two columns", &[1, 2], IndexKind::Ordered),
    ] {
        let started = cpu_ns();
        let made = database.add_hidden_index(TABLE, columns, kind);
        let ns = per(started, rows);
        let index = made.expect("the columns are there");
        let table = database.table(TABLE).expect("it was installed");
        let bytes = table.hidden_index_bytes(index) as f64 / rows as f64;
        println!(
            "{:44} {ns:8.1}   {bytes:.0} B",
            format!("hidden index made, {name}")
        );
        database.drop_hidden_index(TABLE, index);
    }
}

/// Two finds, two updates and a commit: what a bank transfer asks of the store.
fn transfers(accounts: u64) {
    let database = filled(&[Type::U64, Type::I64], None, accounts, |id| {
        [id.to_le_bytes(), 1_000_000_i64.to_le_bytes()].concat()
    });
    let mut database = Some(database);
    let mut changes = ChangeSet::new();
    let mut random = Random(7);
    measure(
        &format!("transfer between {accounts} accounts"),
        2_000_000,
        || {
            let mut tx = database.take().expect("it comes back").begin();
            let (from, to) = (random.below(accounts), random.below(accounts));
            for (id, amount) in [(from, -1_i64), (to, 1)] {
                let key = id.to_le_bytes();
                let table = tx.table(TABLE).expect("it was installed");
                let found = table
                    .find(IndexId::PRIMARY, &key)
                    .expect("every id is there");
                let mut row: [u8; 16] = found.try_into().expect("a row has 16 bytes");
                let (_, balance) = row.split_at_mut(8);
                let old = i64::from_le_bytes(black_box(&*balance).try_into().expect("8 bytes"));
                balance.copy_from_slice(&(old + amount).to_le_bytes());
                tx.update(TABLE, &mut row).expect("the row is there");
            }
            database = Some(tx.commit(&mut changes));
            black_box(changes.len());
        },
    );
}

fn rows_of_40_bytes(rows: u64) {
    let before = resident_bytes();
    let started = cpu_ns();
    let types = [Type::U64, Type::U64, Type::I64, Type::U64, Type::U64];
    let database = filled(&types, None, rows, |id| {
        [id, id % 1000, 5, id * 7, 1].map(u64::to_le_bytes).concat()
    });
    println!(
        "{:44} {:8.1}",
        "insert, 40 B, new table",
        per(started, rows)
    );
    println!(
        "{:44} {:8.1} B",
        "memory of a row",
        (resident_bytes() - before) as f64 / rows as f64
    );
    let mut random = Random(3);
    measure("find", 2_000_000, || {
        let key = random.below(rows).to_le_bytes();
        black_box(
            database
                .table(TABLE)
                .expect("it was installed")
                .find(IndexId::PRIMARY, &key),
        );
    });
    let started = cpu_ns();
    for _ in 0..20 {
        let table = database.table(TABLE).expect("it was installed");
        black_box(table.rows().map(|row| u64::from(row[39])).sum::<u64>());
    }
    println!("{:44} {:8.1}", "scan, a row", per(started, 20 * rows));
    let mut changes = ChangeSet::new();
    measure("read view, taken and dropped", 10_000, || {
        black_box(database.read_view());
    });
    let view = database.read_view();
    let mut database = Some(database);
    measure("update beside a read view", 200_000, || {
        let mut tx = database.take().expect("it comes back").begin();
        let id = random.below(rows);
        let mut row = [id, id % 1000, 6, id * 7, 1].map(u64::to_le_bytes).concat();
        tx.update(TABLE, &mut row).expect("the row is there");
        database = Some(tx.commit(&mut changes));
    });
    drop(view);
}

/// A million rows with an index over a column of 1000 values.
fn indexed(name: &str, kind: IndexKind) {
    let rows = 1_000_000;
    let index = IndexDef {
        name: "by_group".to_owned(),
        columns: vec![1],
        kind,
        unique: false,
    };
    let before = resident_bytes();
    let started = cpu_ns();
    let database = filled(
        &[Type::U64, Type::U64, Type::I64],
        Some(index),
        rows,
        |id| {
            [id, id * 2_654_435_761 % 1000, 5]
                .map(u64::to_le_bytes)
                .concat()
        },
    );
    println!(
        "{:44} {:8.1}",
        format!("insert, 24 B, {name} index"),
        per(started, rows)
    );
    println!(
        "{:44} {:8.1} B",
        "memory of a row",
        (resident_bytes() - before) as f64 / rows as f64
    );
    let mut random = Random(3);
    let mut changes = ChangeSet::new();
    let mut database = Some(database);
    measure("update that moves the row in the index", 500_000, || {
        let mut tx = database.take().expect("it comes back").begin();
        let mut row = [random.below(rows), random.below(1000), 6]
            .map(u64::to_le_bytes)
            .concat();
        tx.update(TABLE, &mut row).expect("the row is there");
        database = Some(tx.commit(&mut changes));
    });
    let index = IndexId::secondary(0);
    let database = database.expect("it came back");
    measure("first ten rows of a key", 500_000, || {
        let key = random.below(1000).to_le_bytes();
        let table = database.table(TABLE).expect("it was installed");
        black_box(table.matching(index, &key).take(10).count());
    });
    let table = database.table(TABLE).expect("it was installed");
    if table.is_counted(index) {
        measure("rank of a key", 1_000_000, || {
            let key = random.below(1000).to_be_bytes();
            black_box(table.rank(index, &key));
        });
        measure("rank of a row", 1_000_000, || {
            let id = random.below(rows).to_le_bytes();
            let row = table
                .find(IndexId::PRIMARY, &id)
                .expect("every id is there");
            black_box(table.rank_of_row(index, row));
        });
        measure("n-th row", 1_000_000, || {
            let n = random.below(rows) as usize;
            black_box(table.nth(index, Bound::Unbounded, Bound::Unbounded, false, n));
        });
    }
}

fn filled(
    types: &[Type],
    index: Option<IndexDef>,
    rows: u64,
    row: impl Fn(u64) -> Vec<u8>,
) -> Database {
    let column = |(at, ty): (usize, &Type)| ColumnDef {
        name: format!("c{at}"),
        ty: ty.clone(),
    };
    let table = TableDef {
        name: "rows".to_owned(),
        columns: types.iter().enumerate().map(column).collect(),
        primary_key: vec![0],
        indexes: index.into_iter().collect(),
        auto_increment: None,
        public: true,
    };
    let module = Schema {
        tables: vec![table],
        reducers: Vec::new(),
        ..Schema::default()
    };
    let schema = DatabaseSchema::empty().evolve(module, [0; 32], false);
    let mut database = Database::new(1);
    database
        .install(schema.expect("the table is sound"))
        .expect("nothing is in the way");
    let mut changes = ChangeSet::new();
    for start in (0..rows).step_by(1000) {
        let mut tx = database.begin();
        for id in start..(start + 1000).min(rows) {
            tx.insert(TABLE, &mut row(id)).expect("ids are distinct");
        }
        database = tx.commit(&mut changes);
    }
    database
}

fn measure(what: &str, times: u64, mut act: impl FnMut()) {
    (0..times / 10).for_each(|_| act());
    let started = cpu_ns();
    (0..times).for_each(|_| act());
    println!("{what:44} {:8.1}", per(started, times));
}

fn per(started: u64, times: u64) -> f64 {
    (cpu_ns() - started) as f64 / times as f64
}

/// Time that this thread was on a processor: the figure that a busy machine leaves alone.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ')
        .next()
        .and_then(|ns| ns.parse().ok())
        .unwrap_or(0)
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_u64) * 4096
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
