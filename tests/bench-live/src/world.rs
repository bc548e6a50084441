//! Tables of numbers, and rows in them.

use syncline_protocol::{
    ChangeSet, ColumnDef, Identity, IndexDef, IndexKind, Schema, TableDef, TableId, Type,
};
use syncline_query::Caller;
use syncline_store::Database;

/// The tables in the order in which they are made.
pub(crate) const fn table_id(number: u16) -> TableId {
    TableId(TableId::FIRST_USER.0 + number as u32)
}

/// Who asks.
pub(crate) const CALLER: Caller = Caller {
    identity: Identity([0; 32]),
    admin: false,
    claims: syncline_protocol::Claims::NONE,
};

/// A table with columns of u64; the first `key` of them are the primary key.
pub(crate) fn table(
    name: &str,
    columns: &[&str],
    key: u16,
    indexes: &[(IndexKind, &[u16])],
) -> TableDef {
    let column = |name: &&str| ColumnDef {
        name: (*name).to_owned(),
        ty: Type::U64,
    };
    let index = |(number, (kind, columns)): (usize, &(IndexKind, &[u16]))| IndexDef {
        name: format!("by_{number}"),
        columns: columns.to_vec(),
        kind: *kind,
        unique: false,
    };
    TableDef {
        name: name.to_owned(),
        columns: columns.iter().map(column).collect(),
        primary_key: (0..key).collect(),
        indexes: indexes.iter().enumerate().map(index).collect(),
        auto_increment: None,
        public: true,
    }
}

/// An empty database with these tables.
pub(crate) fn database(tables: Vec<TableDef>) -> Database {
    let mut db = Database::new(1);
    let schema = Schema {
        tables,
        ..Schema::default()
    };
    let schema = db.schema().evolve(schema, [0; 32], false);
    db.install(schema.expect("it is the first"))
        .expect("there is nothing in it");
    db
}

/// A packed row.
pub(crate) fn row(values: &[u64]) -> Vec<u8> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.collect()
}

/// Puts rows in.
pub(crate) fn fill(
    db: Database,
    table: TableId,
    rows: impl IntoIterator<Item = Vec<u8>>,
) -> Database {
    let mut transaction = db.begin();
    for mut row in rows {
        transaction
            .insert(table, &mut row)
            .expect("the key is free");
    }
    transaction.commit(&mut ChangeSet::new())
}

/// Spreads numbers, so that the caches are as cold as with real traffic.
pub(crate) fn scatter(number: u64, end: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 29)) % end.max(1)
}
