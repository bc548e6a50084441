//! SQLite beside the store: it gets the same changes and is asked the same questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use rusqlite::types::{Value as Lite, ValueRef};
use syncline_protocol::message::ResultDescription;
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{ChangeSet, TableDef, TableId, Type, Value};

use crate::failure::{Played, failure};
use crate::schema::{Domain, domain};

/// A value as both sides can have it: booleans are numbers, and equal numbers are equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Number(f64),
    Text(String),
    Bytes(Vec<u8>),
}

pub(crate) type Row = Vec<Cell>;

impl Eq for Cell {}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Cell {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Number(_) => 1,
            Self::Text(_) => 2,
            Self::Bytes(_) => 3,
        }
    }

    /// Numbers here are small: f64 holds all of them, and -0 is 0.
    fn number(value: f64) -> Self {
        Self::Number(value + 0.0)
    }
}

pub(crate) struct Mirror {
    lite: Connection,
    /// Thousands of SQLite's steps that the query has taken.
    work: Arc<AtomicU64>,
}

/// Why there are no rows of SQLite.
pub(crate) enum NoRows {
    /// It took too long.
    Work,
    Error(String),
}

/// Thousands of steps of one query.
const WORK_MAX: u64 = 300;

impl Mirror {
    pub(crate) fn new(tables: &[TableDef]) -> rusqlite::Result<Self> {
        let mut lite = Connection::open_in_memory()?;
        let work = Arc::new(AtomicU64::new(0));
        let taken = Arc::clone(&work);
        let is_over = move || taken.fetch_add(1, Ordering::Relaxed) > WORK_MAX;
        lite.progress_handler(1000, Some(is_over))?;
        lite.set_prepared_statement_cache_capacity(256);
        lite.execute_batch("PRAGMA case_sensitive_like = ON")?;
        for def in tables {
            let columns: Vec<String> = def
                .columns
                .iter()
                .map(|column| {
                    let ty = match domain(&column.ty) {
                        Domain::Int | Domain::Bool => "INTEGER",
                        Domain::Float | Domain::Decimal => "REAL",
                        Domain::Text => "TEXT",
                        Domain::Id | Domain::Bytes => "BLOB",
                    };
                    format!("{} {ty}", column.name)
                })
                .collect();
            let name = &def.name;
            let key = def.primary_key.iter();
            let key: Vec<&str> = key
                .map(|column| def.columns[usize::from(*column)].name.as_str())
                .collect();
            let (columns, key) = (columns.join(", "), key.join(", "));
            lite.execute_batch(&format!("CREATE TABLE {name} ({columns}, UNIQUE ({key}))"))?;
        }
        Ok(Self { lite, work })
    }

    /// Makes the changes of a transaction here too. Fails if the rows were not the same before.
    pub(crate) fn apply(&self, tables: &[TableDef], changes: &ChangeSet) -> Result<(), String> {
        self.work.store(0, Ordering::Relaxed);
        let failed = |error: rusqlite::Error| error.to_string();
        let def = |id: TableId| &tables[(id.0 - TableId::FIRST_USER.0) as usize];
        for change in changes.iter() {
            let def = def(change.table);
            let Some(old) = change.old else { continue };
            let names = def.columns.iter().map(|column| &column.name);
            let conditions: Vec<String> = names.map(|name| format!("{name} IS ?")).collect();
            let conditions = conditions.join(" AND ");
            let sql = format!("DELETE FROM {} WHERE {conditions}", def.name);
            let mut statement = self.lite.prepare_cached(&sql).map_err(failed)?;
            let values = rusqlite::params_from_iter(lite_row(def, old));
            if statement.execute(values).map_err(failed)? != 1 {
                return Err(format!("SQLite has no such row of {}", def.name));
            }
        }
        for change in changes.iter() {
            let def = def(change.table);
            let Some(new) = change.new else { continue };
            let marks = vec!["?"; def.columns.len()].join(", ");
            let sql = format!("INSERT INTO {} VALUES ({marks})", def.name);
            let mut statement = self.lite.prepare_cached(&sql).map_err(failed)?;
            let values = rusqlite::params_from_iter(lite_row(def, new));
            statement.execute(values).map_err(failed)?;
        }
        Ok(())
    }

    pub(crate) fn query(&self, sql: &str) -> Result<Vec<Row>, NoRows> {
        self.work.store(0, Ordering::Relaxed);
        let failed = |error: rusqlite::Error| {
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
                NoRows::Work
            } else {
                NoRows::Error(format!("SQLite: {error}: {sql}"))
            }
        };
        let mut statement = self.lite.prepare_cached(sql).map_err(failed)?;
        let width = statement.column_count();
        let mut rows = statement.query([]).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let mut cells = Vec::with_capacity(width);
            for column in 0..width {
                cells.push(match row.get_ref(column).map_err(failed)? {
                    ValueRef::Null => Cell::Null,
                    ValueRef::Integer(value) => Cell::number(value as f64),
                    ValueRef::Real(value) => Cell::number(value),
                    ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
                });
            }
            found.push(cells);
        }
        Ok(found)
    }
}

fn lite_row(def: &TableDef, row: &[u8]) -> Vec<Lite> {
    let mut reader = Reader::new(row);
    let columns = def.columns.iter().map(|column| {
        let value = packed::decode_from(&column.ty, &mut reader).expect("rows are valid");
        match cell(&value) {
            Cell::Null => Lite::Null,
            Cell::Number(value) => match domain(&column.ty) {
                Domain::Float | Domain::Decimal => Lite::Real(value),
                _ => Lite::Integer(value as i64),
            },
            Cell::Text(text) => Lite::Text(text),
            Cell::Bytes(bytes) => Lite::Blob(bytes),
        }
    });
    columns.collect()
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Option(None) => Cell::Null,
        Value::Option(Some(inner)) => cell(inner),
        Value::Bool(value) => Cell::number(f64::from(u8::from(*value))),
        Value::U8(value) => Cell::number((*value).into()),
        Value::I32(value) => Cell::number((*value).into()),
        Value::I64(value) => Cell::number(*value as f64),
        Value::I128(value) => Cell::number(*value as f64),
        Value::U64(value) => Cell::number(*value as f64),
        Value::F32(value) => Cell::number((*value).into()),
        Value::F64(value) => Cell::number(*value),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Bytes(bytes) => Cell::Bytes(bytes.clone()),
        Value::Identity(id) => Cell::Bytes(id.0.to_vec()),
        Value::Decimal(value) => {
            let text = value.to_string();
            Cell::number(text.parse().expect("a decimal number is a number"))
        }
        other => unreachable!("no {other:?} in this generator"),
    }
}

/// The visible columns of packed result rows.
pub(crate) fn read_rows<'r>(
    description: &ResultDescription,
    rows: impl Iterator<Item = &'r [u8]>,
) -> Vec<Row> {
    let read = |row: &[u8]| {
        let mut reader = Reader::new(row);
        let mut cells = Vec::new();
        for column in &description.columns {
            let ty: &Type = &column.ty;
            let value = packed::decode_from(ty, &mut reader).expect("rows are valid");
            if !column.hidden {
                cells.push(cell(&value));
            }
        }
        reader.finish().expect("rows are valid");
        cells
    };
    rows.map(read).collect()
}

/// Whether two answers are the same rows, in the same order if that is said.
pub(crate) fn compare(
    kind: &'static str,
    id: Option<u32>,
    is_ordered: bool,
    mut ours: Vec<Row>,
    mut theirs: Vec<Row>,
) -> Played {
    if !is_ordered {
        ours.sort();
        theirs.sort();
    }
    if ours == theirs {
        return Ok(());
    }
    failure(kind, id, format!("ours {ours:?}\n  SQLite {theirs:?}"))
}
