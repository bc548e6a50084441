//! Expressions against SQLite: random ones over decimals, JSON, texts and numbers, asked once and live over rows that
//! change. `EXPRESSION_SEED=17 cargo test -p syncline-query --test expressions` repeats a seed, `EXPRESSION_SEEDS=5000`
//! runs as many.
//!
//! Where SQLite means something else the generator says the same in its words ([`generate`]), or stays away: its
//! decimals are floats, so those here are quarters, which both hold exactly, and are only divided by 2 and 4; its
//! casts of text take what looks like a number at the beginning; its letters are ASCII.

#![allow(clippy::unwrap_used, reason = "tests")]

mod generate;

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::{Value as Lite, ValueRef};
use syncline_protocol::message::{DeltaOp, DeltaReader, ResultDescription};
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{
    ChangeSet, ColumnDef, Identity, IndexDef, IndexKind, Schema, TableDef, TableId, Type, Value,
};
use syncline_query::{Caller, Deltas, LiveQueries, Subscribed, query_once};
use syncline_store::Database;

use generate::{Domain, Random, Text, random_value};

const SEEDS: u64 = 150;
const EXPRESSIONS_PER_SEED: usize = 60;
const LIVE_PER_SEED: usize = 12;
const TRANSACTIONS_PER_SEED: usize = 8;
const ROWS: u32 = 14;

const CALLER: Caller = Caller {
    identity: Identity([1; 32]),
    admin: false,
    claims: syncline_protocol::Claims::NONE,
};

/// Columns: name, domain, whether they can be NULL.
const COLUMNS: [(&str, Domain, bool); 11] = [
    ("i", Domain::Int, false),
    ("k", Domain::Int, true),
    ("f", Domain::Float, false),
    ("g", Domain::Float, true),
    ("d", Domain::Decimal, false),
    ("e", Domain::Decimal, true),
    ("s", Domain::Text, false),
    ("t", Domain::Text, true),
    ("b", Domain::Bool, true),
    ("j", Domain::Json, false),
    ("h", Domain::Json, true),
];

fn definition() -> TableDef {
    let mut columns = vec![ColumnDef {
        name: "id".into(),
        ty: Type::U32,
    }];
    columns.extend(COLUMNS.iter().map(|(name, domain, nullable)| {
        let ty = domain.ty();
        ColumnDef {
            name: (*name).into(),
            ty: if *nullable { Type::option(ty) } else { ty },
        }
    }));
    let index = |column: u16, kind| IndexDef {
        name: format!("x{column}"),
        columns: vec![column],
        kind,
        unique: false,
    };
    TableDef {
        name: "v".into(),
        columns,
        primary_key: vec![0],
        indexes: vec![
            index(5, IndexKind::Ordered),
            index(6, IndexKind::Hash),
            index(7, IndexKind::Ordered),
        ],
        auto_increment: None,
        public: true,
    }
}

/// As both sides can say it: booleans are numbers, equal numbers are equal, JSON is its text.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Number(f64),
    Text(String),
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Option(None) => Cell::Null,
        Value::Option(Some(inner)) => cell(inner),
        Value::Bool(value) => Cell::Number(f64::from(u8::from(*value))),
        Value::U32(value) => Cell::Number((*value).into()),
        Value::I32(value) => Cell::Number((*value).into()),
        Value::I64(value) => Cell::Number(*value as f64),
        Value::F64(value) => Cell::Number(*value + 0.0),
        Value::Decimal(value) => Cell::Number(value.to_f64()),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Json(json) => Cell::Text(json.text().to_owned()),
        other => panic!("no {other:?} in this generator"),
    }
}

fn lite_of(value: &Value) -> Lite {
    match (value, cell(value)) {
        (_, Cell::Null) => Lite::Null,
        (_, Cell::Text(text)) => Lite::Text(text),
        (Value::Option(Some(inner)), _) => lite_of(inner),
        (Value::F64(_) | Value::Decimal(_), Cell::Number(number)) => Lite::Real(number),
        (_, Cell::Number(number)) => Lite::Integer(number as i64),
    }
}

/// Rows by id; each has a cell beside.
type Answer = BTreeMap<u32, Cell>;

struct Watched {
    text: Text,
    subscribed: Subscribed,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

struct Run {
    random: Random,
    db: Option<Database>,
    live: LiveQueries,
    lite: Connection,
    watched: Vec<Watched>,
    compared: usize,
    not_null: usize,
    changed: usize,
}

fn answer(description: &ResultDescription, rows: impl Iterator<Item = Vec<u8>>) -> Answer {
    rows.map(|row| {
        let mut reader = Reader::new(&row);
        let mut cells = description
            .columns
            .iter()
            .map(|column| cell(&packed::decode_from(&column.ty, &mut reader).unwrap()));
        let Some(Cell::Number(id)) = cells.next() else {
            panic!("the first column is the id")
        };
        (id as u32, cells.next().unwrap())
    })
    .collect()
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut db = Database::new(seed);
        let schema = Schema {
            tables: vec![definition()],
            ..Schema::default()
        };
        let schema = db.schema().evolve(schema, [0; 32], false).unwrap();
        db.install(schema).unwrap();
        let lite = Connection::open_in_memory().unwrap();
        let columns = COLUMNS.map(|(name, domain, _)| format!("{name} {}", domain.lite_type()));
        lite.execute_batch(&format!(
            "PRAGMA case_sensitive_like = ON; CREATE TABLE v (id INTEGER PRIMARY KEY, {})",
            columns.join(", ")
        ))
        .unwrap();
        Self {
            random: Random::new(seed),
            db: Some(db),
            live: LiveQueries::new(),
            lite,
            watched: Vec::new(),
            compared: 0,
            not_null: 0,
            changed: 0,
        }
    }

    fn db(&self) -> &Database {
        self.db.as_ref().unwrap()
    }

    /// Puts a random row in the place of an id, on both sides, or takes it away.
    fn write(&mut self, count: usize) {
        let mut transaction = self.db.take().unwrap().begin();
        let table = TableId::FIRST_USER;
        for _ in 0..count {
            let id = self.random.below(ROWS as usize) as u32;
            let key = id.to_le_bytes();
            let was = transaction.delete(table, &key).unwrap();
            self.lite
                .execute("DELETE FROM v WHERE id = ?", [id])
                .unwrap();
            if was && self.random.chance(15) {
                continue;
            }
            let mut row = key.to_vec();
            let mut values = vec![Lite::Integer(id.into())];
            for (_, domain, nullable) in COLUMNS {
                let mut value = random_value(&mut self.random, domain);
                let mut ty = domain.ty();
                if nullable {
                    let is_null = self.random.chance(20);
                    value = Value::Option((!is_null).then(|| Box::new(value)));
                    ty = Type::option(ty);
                }
                packed::encode(&ty, &value, &mut row).unwrap();
                values.push(lite_of(&value));
            }
            transaction.insert(table, &mut row).unwrap();
            let marks = vec!["?"; values.len()].join(", ");
            let sql = format!("INSERT INTO v VALUES ({marks})");
            self.lite
                .execute(&sql, rusqlite::params_from_iter(values))
                .unwrap();
        }
        let mut changes = ChangeSet::new();
        let db = transaction.commit(&mut changes);
        let mut deltas = Deltas::new();
        self.live.step(&db, &changes, &mut deltas);
        self.db = Some(db);
        for (handle, ops) in deltas.iter() {
            let watched = self.watched.iter_mut();
            for one in watched.filter(|one| one.subscribed.handle == handle) {
                fold(one, ops);
                self.changed += 1;
            }
        }
    }

    fn once(&self, sql: &str) -> Answer {
        let mut rows = Vec::new();
        let mut sink = |row: &[u8]| rows.push(row.to_vec());
        let description = query_once(self.db(), sql, &[], &CALLER, &mut sink);
        let description = description.unwrap_or_else(|error| panic!("{error}: {sql}"));
        answer(&description, rows.into_iter())
    }

    fn ask_lite(&self, sql: &str) -> Answer {
        let mut statement = self
            .lite
            .prepare(sql)
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        let mut rows = statement.query([]).unwrap();
        let mut found = Answer::new();
        while let Some(row) = rows.next().unwrap() {
            let value = match row.get_ref(1).unwrap() {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::Number(value as f64),
                ValueRef::Real(value) => Cell::Number(value + 0.0),
                ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).unwrap()),
                ValueRef::Blob(_) => panic!("no bytes in this generator: {sql}"),
            };
            found.insert(row.get(0).unwrap(), value);
        }
        found
    }

    fn compare(&mut self, ours: &Answer, text: &Text, seed: u64) {
        let lite = self.ask_lite(&text.lite);
        assert_eq!(
            *ours, lite,
            "seed {seed}: on the left {}\non the right {}",
            text.ours, text.lite
        );
        self.compared += lite.len();
        self.not_null += lite.values().filter(|cell| **cell != Cell::Null).count();
    }

    fn watch(&mut self, text: Text) {
        let (db, live) = (self.db.as_mut().unwrap(), &mut self.live);
        let subscribed = live
            .subscribe(db, text.ours.as_str(), &[], &CALLER)
            .unwrap_or_else(|error| panic!("{error}: {}", text.ours));
        let mut rows = BTreeMap::new();
        let mut sink = |row: &[u8]| {
            rows.insert(row[..4].to_vec(), row.to_vec());
        };
        live.rows(db, subscribed.handle, &mut sink).unwrap();
        self.watched.push(Watched {
            text,
            subscribed,
            rows,
        });
    }

    fn run(&mut self, seed: u64) {
        self.write(ROWS as usize * 2);
        for _ in 0..EXPRESSIONS_PER_SEED {
            let text = self.random.select(false);
            let ours = self.once(&text.ours);
            self.compare(&ours, &text, seed);
        }
        for _ in 0..LIVE_PER_SEED {
            let text = self.random.select(true);
            self.watch(text);
        }
        for _ in 0..TRANSACTIONS_PER_SEED {
            let count = self.random.below(4) + 1;
            self.write(count);
            for position in 0..self.watched.len() {
                let one = &self.watched[position];
                let rows = one.rows.values().cloned();
                let ours = answer(&one.subscribed.description, rows);
                let text = one.text.clone();
                self.compare(&ours, &text, seed);
            }
        }
    }
}

/// The key of every query here is the id, its first column.
fn fold(one: &mut Watched, ops: &[u8]) {
    let description = &one.subscribed.description;
    let mut reader = DeltaReader::new(description, ops);
    while let Some(op) = reader.next_op().unwrap() {
        match op {
            DeltaOp::Insert { row } => {
                let old = one.rows.insert(row[..4].to_vec(), row.to_vec());
                assert!(old.is_none(), "an insert of a row that is there");
            }
            DeltaOp::Delete { key } => assert!(one.rows.remove(key).is_some(), "a delete of none"),
            DeltaOp::Update { key, mask, values } => {
                let row = one.rows.get_mut(key).expect("an update of a row");
                let (mut old, mut new) = (Reader::new(row), Reader::new(values));
                let mut folded = Vec::new();
                for (position, ty) in description.types().enumerate() {
                    let before = old.value(ty).unwrap();
                    let is_new = mask[position / 8] >> (position % 8) & 1 == 1;
                    let value = if is_new {
                        new.value(ty).unwrap()
                    } else {
                        before
                    };
                    folded.extend_from_slice(value);
                }
                *row = folded;
            }
        }
    }
}

#[test]
fn expressions_are_what_sqlite_says() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("EXPRESSION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("EXPRESSION_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let (mut compared, mut not_null, mut changed) = (0, 0, 0);
    for seed in seeds {
        let mut run = Run::new(seed);
        run.run(seed);
        compared += run.compared;
        not_null += run.not_null;
        changed += run.changed;
    }
    println!("{compared} values compared, {not_null} of them not NULL; {changed} deltas");
    if count >= SEEDS {
        assert!(not_null * 2 > compared, "most values mean something");
        assert!(changed as u64 > count * 10, "live results change");
    }
}
