//! Schemas and rows for the tests of this crate.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::Arc;

use syncline_protocol::{
    ColumnDef, IndexDef, IndexKind, Schema, TableDef, TableId, Type, Value, packed,
};

use crate::database::Database;
use crate::schema::DatabaseSchema;

/// The first table of a module.
pub(crate) const FIRST: TableId = TableId::FIRST_USER;

pub(crate) fn table(name: &str, columns: &[(&str, Type)], primary_key: &[u16]) -> TableDef {
    let column = |(name, ty): &(&str, Type)| ColumnDef {
        name: (*name).to_owned(),
        ty: ty.clone(),
    };
    TableDef {
        name: name.to_owned(),
        columns: columns.iter().map(column).collect(),
        primary_key: primary_key.to_vec(),
        indexes: Vec::new(),
        auto_increment: None,
        public: true,
    }
}

pub(crate) fn index(name: &str, columns: &[u16], kind: IndexKind, unique: bool) -> IndexDef {
    IndexDef {
        name: name.to_owned(),
        columns: columns.to_vec(),
        kind,
        unique,
    }
}

/// `account(id u64, owner string, balance i64)`: a hash index by owner, an ordered one by balance.
pub(crate) fn account() -> TableDef {
    let columns = [
        ("id", Type::U64),
        ("owner", Type::String),
        ("balance", Type::I64),
    ];
    let mut def = table("account", &columns, &[0]);
    def.indexes = vec![
        index("by_owner", &[1], IndexKind::Hash, false),
        index("by_balance", &[2], IndexKind::Ordered, false),
    ];
    def
}

pub(crate) fn account_row(id: u64, owner: &str, balance: i64) -> Vec<u8> {
    row(
        &account(),
        &[
            Value::U64(id),
            Value::String(owner.to_owned()),
            Value::I64(balance),
        ],
    )
}

pub(crate) fn schema(tables: Vec<TableDef>) -> Arc<DatabaseSchema> {
    let module = Schema {
        tables,
        reducers: Vec::new(),
        ..Schema::default()
    };
    DatabaseSchema::empty()
        .evolve(module, [7; 32], false)
        .unwrap()
}

/// A database with these tables; they have ids from [`FIRST`] on.
pub(crate) fn database(tables: Vec<TableDef>) -> Database {
    let mut database = Database::new(42);
    database.install(schema(tables)).unwrap();
    database
}

pub(crate) fn row(def: &TableDef, values: &[Value]) -> Vec<u8> {
    assert_eq!(def.columns.len(), values.len());
    let mut row = Vec::new();
    for (column, value) in def.columns.iter().zip(values) {
        packed::encode(&column.ty, value, &mut row).unwrap();
    }
    row
}
