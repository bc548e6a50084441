//! A database and its live queries, for the tests of all modules.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use syncline_protocol::message::{DeltaOp, DeltaReader, ResultDescription};
use syncline_protocol::packed::Reader;
use syncline_protocol::param::Param;
use syncline_protocol::{
    ChangeSet, ColumnDef, EnumType, Identity, IndexDef, IndexKind, RowLayout, Schema, TableDef,
    TableId, Type, Variant, json as codec,
};
use syncline_store::Database;

use crate::{Caller, Deltas, LiveQueries, QueryError, QueryRef, Subscribed, query_once};

/// A type by its name; `?` at the end is an option.
pub(crate) fn ty(name: &str) -> Type {
    if let Some(inner) = name.strip_suffix('?') {
        return Type::option(ty(inner));
    }
    match name {
        "bool" => Type::Bool,
        "i8" => Type::I8,
        "i32" => Type::I32,
        "i64" => Type::I64,
        "i128" => Type::I128,
        "u8" => Type::U8,
        "u32" => Type::U32,
        "u64" => Type::U64,
        "u128" => Type::U128,
        "f32" => Type::F32,
        "f64" => Type::F64,
        "decimal" => Type::Decimal,
        "json" => Type::Json,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "identity" => Type::Identity,
        "timestamp" => Type::Timestamp,
        "duration" => Type::Duration,
        "list" => Type::list(Type::U8),
        "status" => {
            let variant = |name: &str| Variant {
                name: name.into(),
                payload: None,
            };
            let variants = ["open", "closed", "void"].map(variant).to_vec();
            Type::Enum(
                EnumType {
                    name: "Status".into(),
                    variants,
                }
                .into(),
            )
        }
        other => panic!("no type {other} in this fixture"),
    }
}

/// A public table with the columns of `"id u32, name string?"`; the first `key_count` are its key.
pub(crate) fn table(name: &str, columns: &str, key_count: u16) -> TableDef {
    let column = |text: &str| {
        let (name, type_name) = text.trim().split_once(' ').unwrap();
        ColumnDef {
            name: name.into(),
            ty: ty(type_name),
        }
    };
    TableDef {
        name: name.into(),
        columns: columns.split(',').map(column).collect(),
        primary_key: (0..key_count).collect(),
        indexes: Vec::new(),
        auto_increment: None,
        public: true,
    }
}

/// The same table with an index on the columns of `"room, ts"`.
pub(crate) fn with_index(mut table: TableDef, columns: &str, kind: IndexKind) -> TableDef {
    let columns: Vec<u16> = columns
        .split(", ")
        .map(|name| table.column(name).unwrap() as u16)
        .collect();
    let name = format!("by_{}", table.indexes.len());
    table.indexes.push(IndexDef {
        name,
        columns,
        kind,
        unique: false,
    });
    table
}

pub(crate) fn ordered(table: TableDef, columns: &str) -> TableDef {
    with_index(table, columns, IndexKind::Ordered)
}

pub(crate) fn me() -> Caller {
    Caller {
        identity: Identity([7; 32]),
        admin: false,
        claims: syncline_protocol::Claims::NONE,
    }
}

pub(crate) fn admin() -> Caller {
    Caller {
        admin: true,
        ..me()
    }
}

/// Parameters of JSON values.
pub(crate) fn params(given: Json) -> Vec<(String, Param)> {
    fn param(value: &Json) -> Param {
        match value {
            Json::Null => Param::Null,
            Json::Bool(value) => Param::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Param::Int(value.into()),
                (_, Some(value)) => Param::Int(value.into()),
                _ => Param::Float(number.as_f64().unwrap()),
            },
            Json::String(text) => Param::Text(text.clone()),
            Json::Array(items) => Param::List(items.iter().map(param).collect()),
            Json::Object(_) => panic!("no parameter is an object"),
        }
    }
    let Json::Object(given) = given else {
        panic!("parameters are an object")
    };
    given
        .iter()
        .map(|(name, value)| (name.clone(), param(value)))
        .collect()
}

/// A change of a transaction: the table's name and the row, or for a delete the key.
pub(crate) enum Write {
    Insert(&'static str, Json),
    Update(&'static str, Json),
    Delete(&'static str, Json),
}

/// The rows of a live result, folded from its deltas, by packed key.
pub(crate) type Folded = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) struct Fixture {
    db: Option<Database>,
    pub(crate) live: LiveQueries,
    pub(crate) deltas: Deltas,
    pub(crate) changes: ChangeSet,
}

fn pack(types: &[Type], values: &Json) -> Vec<u8> {
    let values = values.as_array().unwrap();
    let mut packed = Vec::new();
    for (ty, value) in types.iter().zip(values) {
        codec::pack(ty, value, &mut packed).unwrap();
    }
    packed
}

/// Packed values as a JSON array.
pub(crate) fn unpack<'t>(types: impl Iterator<Item = &'t Type>, mut packed: &[u8]) -> Json {
    let column = |ty| codec::encode_packed(ty, crate::row::next_column(ty, &mut packed)).unwrap();
    Json::Array(types.map(column).collect())
}

impl Fixture {
    pub(crate) fn new(tables: Vec<TableDef>) -> Self {
        let mut fixture = Self {
            db: Some(Database::new(1)),
            live: LiveQueries::new(),
            deltas: Deltas::new(),
            changes: ChangeSet::new(),
        };
        fixture.publish(tables, false);
        fixture
    }

    pub(crate) fn db(&self) -> &Database {
        self.db.as_ref().unwrap()
    }

    pub(crate) fn parts(&mut self) -> (&mut Database, &mut LiveQueries) {
        (self.db.as_mut().unwrap(), &mut self.live)
    }

    pub(crate) fn publish(&mut self, tables: Vec<TableDef>, clear_data: bool) {
        let schema = Schema {
            tables,
            ..Schema::default()
        };
        self.publish_schema(schema, clear_data);
    }

    pub(crate) fn publish_schema(&mut self, schema: Schema, clear_data: bool) {
        let db = self.db.as_mut().unwrap();
        let schema = db.schema().evolve(schema, [0; 32], clear_data).unwrap();
        if clear_data {
            db.clear_user_tables();
        }
        db.install(schema).unwrap();
    }

    fn id(&self, table: &str) -> (TableId, TableDef) {
        let id = self.db().schema().table_id(table).unwrap();
        (id, self.db().table(id).unwrap().def().clone())
    }

    /// Commits a transaction and steps the live queries.
    pub(crate) fn commit(&mut self, writes: &[Write]) {
        let writes: Vec<_> = writes
            .iter()
            .map(|write| match write {
                Write::Insert(table, row) | Write::Update(table, row) => {
                    let (id, def) = self.id(table);
                    (write, id, pack(def.layout().types(), row))
                }
                Write::Delete(table, key) => {
                    let (id, def) = self.id(table);
                    let types: Vec<Type> = def
                        .primary_key
                        .iter()
                        .map(|column| def.columns[usize::from(*column)].ty.clone())
                        .collect();
                    (write, id, pack(&types, key))
                }
            })
            .collect();
        let mut transaction = self.db.take().unwrap().begin();
        for (write, id, mut packed) in writes {
            match write {
                Write::Insert(..) => {
                    transaction.insert(id, &mut packed).unwrap();
                }
                Write::Update(..) => transaction.update(id, &mut packed).unwrap(),
                Write::Delete(..) => assert!(transaction.delete(id, &packed).unwrap()),
            }
        }
        self.db = Some(transaction.commit(&mut self.changes));
        self.live
            .step(self.db.as_ref().unwrap(), &self.changes, &mut self.deltas);
    }

    pub(crate) fn insert(&mut self, table: &'static str, rows: &[Json]) {
        let inserts: Vec<Write> = rows
            .iter()
            .map(|row| Write::Insert(table, row.clone()))
            .collect();
        self.commit(&inserts);
    }

    pub(crate) fn subscribe(&mut self, sql: &str, given: Json) -> Result<Subscribed, QueryError> {
        self.ask(sql.into(), given)
    }

    pub(crate) fn ask(
        &mut self,
        query: QueryRef<'_>,
        given: Json,
    ) -> Result<Subscribed, QueryError> {
        let db = self.db.as_mut().unwrap();
        self.live.subscribe(db, query, &params(given), &me())
    }

    /// Subscribes and reads the first answer.
    pub(crate) fn watch(&mut self, sql: &str, given: Json) -> (Subscribed, Folded) {
        let subscribed = self.subscribe(sql, given).unwrap();
        let rows = self.rows(&subscribed);
        let folded = rows
            .into_iter()
            .map(|row| (key_of(&subscribed.description, &row), row));
        let folded = folded.collect();
        (subscribed, folded)
    }

    /// A fresh evaluation.
    pub(crate) fn rows(&self, subscribed: &Subscribed) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        let mut sink = |row: &[u8]| rows.push(row.to_vec());
        self.live
            .rows(self.db(), subscribed.handle, &mut sink)
            .unwrap();
        rows
    }

    pub(crate) fn rows_json(&self, subscribed: &Subscribed) -> Json {
        let rows = self.rows(subscribed).into_iter();
        rows.map(|row| unpack(subscribed.description.types(), &row))
            .collect()
    }

    /// The operations of the last step as JSON: `["insert", row]`, `["update", key, {column: value}]`,
    /// `["delete", key]`.
    pub(crate) fn ops_json(&self, subscribed: &Subscribed) -> Json {
        let description = &subscribed.description;
        let Some((_, ops)) = self
            .deltas
            .iter()
            .find(|(handle, _)| *handle == subscribed.handle)
        else {
            return json!([]);
        };
        let key_types = || {
            let key = description.key.iter();
            key.map(|column| &description.columns[usize::from(*column)].ty)
        };
        let mut reader = DeltaReader::new(description, ops);
        let mut shown = Vec::new();
        while let Some(op) = reader.next_op().unwrap() {
            shown.push(match op {
                DeltaOp::Insert { row } => json!(["insert", unpack(description.types(), row)]),
                DeltaOp::Delete { key } => json!(["delete", unpack(key_types(), key)]),
                DeltaOp::Update {
                    key,
                    mask,
                    mut values,
                } => {
                    let mut changed = serde_json::Map::new();
                    for (position, column) in description.columns.iter().enumerate() {
                        if mask[position / 8] >> (position % 8) & 1 == 1 {
                            let value = crate::row::next_column(&column.ty, &mut values);
                            let value = codec::encode_packed(&column.ty, value).unwrap();
                            changed.insert(column.name.clone(), value);
                        }
                    }
                    json!(["update", unpack(key_types(), key), changed])
                }
            });
        }
        Json::Array(shown)
    }

    /// Evaluates once: the rows as JSON arrays.
    pub(crate) fn once(&self, sql: &str, given: Json) -> Result<Json, QueryError> {
        let mut rows = Vec::new();
        let mut sink = |row: &[u8]| rows.push(row.to_vec());
        let description = query_once(self.db(), sql, &params(given), &me(), &mut sink)?;
        Ok(rows
            .iter()
            .map(|row| unpack(description.types(), row))
            .collect())
    }
}

/// The packed key of a result row.
pub(crate) fn key_of(description: &ResultDescription, row: &[u8]) -> Vec<u8> {
    let layout = RowLayout::new(description.types().cloned().collect());
    let mut key = Vec::new();
    layout.project(row, &description.key, &mut key);
    key
}

/// Folds operations into rows by their keys.
pub(crate) fn fold(description: &ResultDescription, ops: &[u8], folded: &mut Folded) {
    let layout = RowLayout::new(description.types().cloned().collect());
    let mut reader = DeltaReader::new(description, ops);
    while let Some(op) = reader.next_op().unwrap() {
        match op {
            DeltaOp::Insert { row } => {
                let key = key_of(description, row);
                assert_eq!(folded.insert(key, row.to_vec()), None);
            }
            DeltaOp::Delete { key } => assert!(folded.remove(key).is_some()),
            DeltaOp::Update { key, mask, values } => {
                let old = folded.get_mut(key).unwrap();
                let mut values = Reader::new(values);
                let mut new = Vec::new();
                for (column, ty) in layout.types().iter().enumerate() {
                    let is_new = mask[column / 8] >> (column % 8) & 1 == 1;
                    new.extend_from_slice(if is_new {
                        values.value(ty).unwrap()
                    } else {
                        layout.column(old, column)
                    });
                }
                assert_ne!(*old, new, "an update changes something");
                *old = new;
            }
        }
    }
}
