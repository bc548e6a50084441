//! SQLite beside the store: it gets the same changes and is asked the same questions.

use rusqlite::Connection;
use rusqlite::types::{Value as Lite, ValueRef};
use syncline_protocol::message::ResultDescription;
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{ChangeSet, TableId, Type, Value};

use crate::schema::{Domain, Tables, domain};

/// A value as both sides can have it: booleans are numbers, and equal numbers are equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Number(f64),
    Text(String),
}

pub(crate) type Row = Vec<Cell>;

impl Eq for Cell {}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
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
        }
    }

    /// Numbers here are small: f64 holds all of them, and -0 is 0.
    fn number(value: f64) -> Self {
        Self::Number(value + 0.0)
    }
}

pub(crate) struct Mirror {
    lite: Connection,
}

impl Mirror {
    pub(crate) fn new(tables: &Tables) -> Self {
        let lite = Connection::open_in_memory().unwrap();
        lite.execute_batch("PRAGMA case_sensitive_like = ON")
            .unwrap();
        for table in &tables.list {
            let def = &table.def;
            let columns: Vec<String> = def
                .columns
                .iter()
                .map(|column| {
                    let ty = match domain(&column.ty) {
                        Domain::Int | Domain::Bool => "INTEGER",
                        Domain::Float => "REAL",
                        Domain::Text => "TEXT",
                    };
                    format!("{} {ty}", column.name)
                })
                .collect();
            let sql = format!("CREATE TABLE {} ({})", def.name, columns.join(", "));
            lite.execute_batch(&sql).unwrap();
        }
        Self { lite }
    }

    pub(crate) fn apply(&self, tables: &Tables, changes: &ChangeSet) {
        for change in changes.iter() {
            let def = &tables.list[(change.table.0 - TableId::FIRST_USER.0) as usize].def;
            let values = |row: &[u8]| -> Vec<Lite> {
                let mut reader = Reader::new(row);
                let columns = def.columns.iter();
                columns
                    .map(|column| {
                        match cell(&packed::decode_from(&column.ty, &mut reader).unwrap()) {
                            Cell::Null => Lite::Null,
                            Cell::Number(value) if domain(&column.ty) == Domain::Float => {
                                Lite::Real(value)
                            }
                            Cell::Number(value) => Lite::Integer(value as i64),
                            Cell::Text(text) => Lite::Text(text),
                        }
                    })
                    .collect()
            };
            if let Some(old) = change.old {
                let conditions: Vec<String> = def
                    .columns
                    .iter()
                    .map(|column| format!("{} IS ?", column.name))
                    .collect();
                let sql = format!(
                    "DELETE FROM {} WHERE {}",
                    def.name,
                    conditions.join(" AND ")
                );
                let count = self
                    .lite
                    .execute(&sql, rusqlite::params_from_iter(values(old)))
                    .unwrap();
                assert_eq!(count, 1, "the store and SQLite have the same rows");
            }
            if let Some(new) = change.new {
                let marks = vec!["?"; def.columns.len()].join(", ");
                let sql = format!("INSERT INTO {} VALUES ({marks})", def.name);
                self.lite
                    .execute(&sql, rusqlite::params_from_iter(values(new)))
                    .unwrap();
            }
        }
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<Row> {
        let mut statement = self
            .lite
            .prepare_cached(sql)
            .unwrap_or_else(|error| panic!("{error}: {sql}"));
        let width = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut found = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let cells = (0..width).map(|column| match row.get_ref(column).unwrap() {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::number(value as f64),
                ValueRef::Real(value) => Cell::number(value),
                ValueRef::Text(text) => Cell::Text(String::from_utf8(text.to_vec()).unwrap()),
                ValueRef::Blob(_) => panic!("no bytes in this generator"),
            });
            found.push(cells.collect());
        }
        found
    }
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
        other => panic!("no {other:?} in this generator"),
    }
}

/// The visible columns of packed result rows.
pub(crate) fn read_rows(description: &ResultDescription, rows: &[Vec<u8>]) -> Vec<Row> {
    let read = |row: &Vec<u8>| {
        let mut reader = Reader::new(row);
        let mut cells = Vec::new();
        for column in &description.columns {
            let ty: &Type = &column.ty;
            let value = packed::decode_from(ty, &mut reader).unwrap();
            if !column.hidden {
                cells.push(cell(&value));
            }
        }
        reader.finish().unwrap();
        cells
    };
    rows.iter().map(read).collect()
}
