//! Rows out of a database and into another, over HTTP.

use std::path::Path;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value as Json, json};
use syncline_protocol::{
    Decimal, EnumType, Field, IndexDef, IndexKind, StructType, TableDef, Type, Value, Variant,
    json as wire_json,
};
use syncline_store::{Options, RealDisk};

use crate::made_module::{table, wasm};
use crate::server::{Answer, TestServer};

/// Every kind of type, with an option around some.
fn types() -> Vec<Type> {
    let scalars = [
        Type::Bool,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::I128,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::U128,
        Type::F32,
        Type::F64,
        Type::String,
        Type::Bytes,
        Type::Identity,
        Type::ConnectionId,
        Type::Timestamp,
        Type::Duration,
        Type::Uuid,
        Type::Decimal,
        Type::Json,
    ];
    let mut types = scalars.to_vec();
    types.extend(scalars.map(Type::option));
    let colour = Type::Enum(Arc::new(EnumType {
        name: "Colour".into(),
        variants: [("Red", None), ("Grey", Some(Type::option(Type::F32)))]
            .map(|(name, payload)| Variant {
                name: name.into(),
                payload,
            })
            .into(),
    }));
    let shape = Type::Struct(Arc::new(StructType {
        name: "Shape".into(),
        fields: [
            ("colour", colour.clone()),
            ("name", Type::option(Type::String)),
        ]
        .map(|(name, ty)| Field {
            name: name.into(),
            ty,
        })
        .into(),
    }));
    types.extend([
        colour.clone(),
        shape.clone(),
        Type::option(colour),
        Type::option(shape.clone()),
        Type::list(shape),
        Type::option(Type::list(Type::option(Type::U128))),
    ]);
    types
}

/// A table of all types, a private one, and one whose rows may be a single empty cell.
fn tables() -> Vec<TableDef> {
    let types = types();
    let names: Vec<_> = (0..types.len())
        .map(|number| format!("c{number}"))
        .collect();
    let mut columns = vec![("id", Type::U32)];
    columns.extend(names.iter().map(String::as_str).zip(types));
    let mut private = table(
        "private",
        &[("name", Type::String), ("note", Type::option(Type::String))],
    );
    private.public = false;
    vec![
        table("every", &columns),
        private,
        table("single", &[("text", Type::String)]),
    ]
}

fn text() -> BoxedStrategy<String> {
    let chars = vec![
        '\0', 'a', ',', '"', '\\', '\n', '\r', 'é', '😀', ' ', '\u{feff}', '#',
    ];
    vec(proptest::sample::select(chars), 0..5)
        .prop_map(String::from_iter)
        .boxed()
}

fn null() -> Value {
    Value::Json("null".parse().unwrap())
}

fn json_value() -> impl Strategy<Value = Value> {
    let float = any::<u64>().prop_map(f64::from_bits).prop_map(Json::from);
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<i32>().prop_map(Json::from),
        float,
        text().prop_map(Json::from),
    ];
    let nested = leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::from),
            (text(), inner).prop_map(|(name, value)| json!({ name: value })),
        ]
    });
    nested.prop_map(|json| Value::Json(json.to_string().parse().unwrap()))
}

fn value_of(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::I8 => any::<i8>().prop_map(Value::I8).boxed(),
        Type::I16 => any::<i16>().prop_map(Value::I16).boxed(),
        Type::I32 => any::<i32>().prop_map(Value::I32).boxed(),
        Type::I64 => any::<i64>().prop_map(Value::I64).boxed(),
        Type::I128 => any::<i128>().prop_map(Value::I128).boxed(),
        Type::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        Type::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        Type::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        Type::U64 => any::<u64>().prop_map(Value::U64).boxed(),
        Type::U128 => any::<u128>().prop_map(Value::U128).boxed(),
        // Of bits: NaN, infinities and the smallest numbers among them.
        Type::F32 => any::<u32>()
            .prop_map(|bits| Value::F32(f32::from_bits(bits)))
            .boxed(),
        Type::F64 => any::<u64>()
            .prop_map(|bits| Value::F64(f64::from_bits(bits)))
            .boxed(),
        Type::String => text().prop_map(Value::String).boxed(),
        Type::Bytes => vec(any::<u8>(), 0..5).prop_map(Value::Bytes).boxed(),
        Type::Identity => any::<[u8; 32]>()
            .prop_map(|bytes| Value::Identity(syncline_protocol::Identity(bytes)))
            .boxed(),
        Type::ConnectionId => any::<[u8; 16]>()
            .prop_map(|bytes| Value::ConnectionId(syncline_protocol::ConnectionId(bytes)))
            .boxed(),
        Type::Timestamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
        Type::Duration => any::<i64>().prop_map(Value::Duration).boxed(),
        Type::Uuid => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
        Type::Json => json_value().boxed(),
        Type::Decimal => (-10_i128.pow(37)..10_i128.pow(37), 0..=38_u8)
            .prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).expect("of 37 digits"))
            .prop_map(Value::Decimal)
            .boxed(),
        // As JSON, NULL and the JSON value null of an option are written alike.
        Type::Option(inner) => proptest::option::of(value_of(inner))
            .prop_map(|value| value.filter(|value| *value != null()))
            .prop_map(|value| Value::Option(value.map(Box::new)))
            .boxed(),
        Type::List(inner) => vec(value_of(inner), 0..3).prop_map(Value::List).boxed(),
        Type::Struct(inner) => {
            let fields: Vec<_> = inner.fields.iter().map(|f| value_of(&f.ty)).collect();
            fields.prop_map(Value::Struct).boxed()
        }
        Type::Enum(inner) => variant_of(inner),
    }
}

fn variant_of(inner: &EnumType) -> BoxedStrategy<Value> {
    let of_variant = |(tag, variant): (usize, &Variant)| {
        let payload = variant.payload.as_ref().map(value_of);
        match payload {
            None => Just(Value::Enum(tag as u8, None)).boxed(),
            Some(payload) => payload
                .prop_map(move |value| Value::Enum(tag as u8, Some(Box::new(value))))
                .boxed(),
        }
    };
    let variants: Vec<_> = inner.variants.iter().enumerate().map(of_variant).collect();
    proptest::strategy::Union::new(variants).boxed()
}

/// Lines for rows of these tables, no two of a table with the same key.
fn lines() -> impl Strategy<Value = String> {
    let of_table = |def: TableDef| {
        let columns: Vec<_> = def
            .columns
            .iter()
            .map(|column| value_of(&column.ty))
            .collect();
        vec(columns, 0..12).prop_map(move |rows| {
            let mut keys = Vec::new();
            let mut lines = String::new();
            for row in rows {
                if keys.contains(&row[0]) {
                    continue;
                }
                let members = def.columns.iter().zip(&row);
                let members = members.map(|(column, value)| {
                    (column.name.clone(), wire_json::encode(&column.ty, value))
                });
                let row_json = Json::Object(members.collect());
                lines += &json!({"table": def.name, "row": row_json}).to_string();
                lines.push('\n');
                keys.push(row[0].clone());
            }
            lines
        })
    };
    let tables: Vec<_> = tables().into_iter().map(of_table).collect();
    tables.prop_map(|lines| lines.concat())
}

impl TestServer {
    fn import(&self, database: &str, query: &str, text: &str) -> Answer {
        let path = format!("/v1/databases/{database}/import?{query}");
        self.post(&path, text, Some(self.server().admin_token()))
    }

    fn export(&self, database: &str, query: &str) -> Answer {
        let authorization = format!("Bearer {}", self.server().admin_token());
        let path = format!("/v1/databases/{database}/export?{query}");
        self.get_with(&path, &[("authorization", &authorization)])
    }
}

/// Number of rows and sum of their hashes, for each table of the module.
fn sums(folder: &Path, database: &str) -> Vec<(usize, u64)> {
    let folder = folder.join("databases").join(database);
    let opened = syncline_store::open(Arc::new(RealDisk), &folder, 1, 1, Options::default());
    let database = opened.unwrap().database;
    let ids = &database.schema().table_ids;
    let tables = ids.iter().map(|&id| database.table(id).unwrap());
    tables
        .map(|table| (table.len(), table.row_hash_sum()))
        .collect()
}

#[test]
fn what_is_exported_and_imported_is_the_same() {
    let config = ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let code = wasm(&tables(), &[], &[]);
    let run = TestRunner::new(config).run(&lines(), |lines| {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::on(folder.path());
        for database in ["first", "jsonl", "csv"] {
            assert_eq!(server.publish_bytes(database, &code).status, 200);
        }
        let count = lines.lines().count();
        let done = server.import("first", "", &lines).json();
        prop_assert_eq!(&done["inserted"], &json!(count), "{}", done);

        let all = server.export("first", "");
        prop_assert_eq!(all.text.lines().count(), count);
        let done = server.import("jsonl", "", &all.text);
        prop_assert_eq!(done.status, 200, "{}", done.text);
        for def in tables() {
            let query = format!("table={}&format=csv", def.name);
            let rows = server.export("first", &query);
            let done = server.import("csv", &query, &rows.text);
            prop_assert_eq!(done.status, 200, "{}\n{}", done.text, rows.text);
        }
        server.shut_down();
        let first = sums(folder.path(), "first");
        prop_assert_eq!(first.iter().map(|(rows, _)| rows).sum::<usize>(), count);
        prop_assert_eq!(&sums(folder.path(), "jsonl"), &first);
        prop_assert_eq!(&sums(folder.path(), "csv"), &first);
        Ok(())
    });
    run.unwrap();
}

/// `id` counts up; `mail` is unique, or NULL.
fn users() -> Vec<u8> {
    let columns = [
        ("id", Type::U32),
        ("name", Type::String),
        ("mail", Type::option(Type::String)),
    ];
    let mut user = table("user", &columns);
    user.auto_increment = Some(0);
    user.indexes.push(IndexDef {
        name: "mail".into(),
        columns: vec![2],
        kind: IndexKind::Hash,
        unique: true,
    });
    user.public = false;
    wasm(&[user], &[], &[])
}

/// A server with an empty table of users.
fn with_users() -> TestServer {
    let server = TestServer::start();
    assert_eq!(server.publish_bytes("db", &users()).status, 200);
    server
}

/// The texts of these numbers.
fn texts(numbers: std::ops::RangeInclusive<u32>, text: impl Fn(u32) -> String) -> String {
    numbers.map(text).collect::<Vec<_>>().concat()
}

#[test]
fn a_bad_row_stops_an_import_and_what_came_before_is_in() {
    let server = with_users();
    let good = texts(1..=2500, |id| format!("{id},n{id},\n"));
    let csv = format!("id,name,mail\n{good}x,y,\n");
    let stopped = server.import("db", "table=user&format=csv", &csv);
    assert_eq!((stopped.status, stopped.code().as_str()), (422, "BAD_ROW"));
    let stopped = stopped.json();
    assert_eq!(stopped["rows"], 2500, "{stopped}");
    assert_eq!(
        (&stopped["line"], &stopped["column"]),
        (&json!(2502), &json!("id"))
    );
    let message = stopped["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("line 2502, column id: expected u32, found"),
        "{message}"
    );

    // Going on where it stopped.
    let rest = "id,name,mail\n2501,y,\n";
    let done = server
        .import("db", "table=user&format=csv&line=2502", rest)
        .json();
    assert_eq!(
        (&done["inserted"], &done["updated"]),
        (&json!(1), &json!(0))
    );

    // A key that is taken undoes its batch: 1000 rows are in, and the one before it is not.
    let more = texts(3001..=4499, |id| format!("{{\"id\":{id},\"name\":\"\"}}\n"));
    let clash = format!("{more}{{\"id\":7,\"name\":\"again\"}}\n");
    let stopped = server.import("db", "table=user", &clash).json();
    assert_eq!(
        (&stopped["rows"], &stopped["line"]),
        (&json!(1000), &json!(1500)),
        "{stopped}"
    );
    assert!(
        stopped["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("upsert"),
        "{stopped}"
    );
    let rows = server.export("db", "table=user");
    assert_eq!(rows.text.lines().count(), 3501);

    let upsert = server.import("db", "table=user&mode=upsert", &clash).json();
    assert_eq!(
        (&upsert["inserted"], &upsert["updated"]),
        (&json!(499), &json!(1001)),
        "{upsert}"
    );
    let rows = server.export("db", "table=user").text;
    assert!(rows.contains("{\"id\":7,\"name\":\"again\",\"mail\":null}\n"));
}

#[test]
fn numbers_go_on_and_unique_columns_hold() {
    let server = with_users();
    let rows = "{\"name\":\"a\",\"mail\":\"x\"}\n{\"id\":9,\"name\":\"b\"}\n{\"name\":\"c\"}\n";
    assert_eq!(server.import("db", "table=user", rows).status, 200);
    let text = server.export("db", "table=user&format=csv").text;
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1,a,x", "10,c,", "9,b,", "id,name,mail"]);
    // Even with upsert: it is not the primary key that is the same.
    let twin = "{\"name\":\"d\",\"mail\":\"x\"}\n";
    let refused = server.import("db", "table=user&mode=upsert", twin);
    assert_eq!((refused.status, refused.code().as_str()), (422, "BAD_ROW"));
    assert!(
        refused
            .text
            .contains("line 1: another row has the same mail"),
        "{}",
        refused.text
    );
}

#[test]
fn exports_and_imports_that_are_refused() {
    let server = with_users();
    let admin = Some(server.server().admin_token());
    let path = "/v1/databases/db/import?table=user";
    assert_eq!(server.post(path, "", None).code(), "ADMIN_REQUIRED");
    assert_eq!(
        server.get("/v1/databases/db/export").code(),
        "ADMIN_REQUIRED"
    );
    for (query, code) in [
        ("table=usr", "SQL_UNKNOWN_TABLE"),
        ("format=csv", "BAD_REQUEST"),
    ] {
        assert_eq!(server.import("db", query, "").code(), code, "{query}");
        assert_eq!(server.export("db", query).code(), code, "{query}");
    }
    assert_eq!(
        server.import("none", "table=user", "").code(),
        "NO_DATABASE"
    );
    for query in ["table=user&format=xml", "table=user&mode=merge"] {
        assert_eq!(server.import("db", query, "").status, 400, "{query}");
    }
    // Megabytes after the error do not keep the client from the answer.
    let long = format!("nothing\n{}", "x".repeat(9 << 20));
    let refused = server.post(path, long, admin);
    assert_eq!((refused.status, refused.code().as_str()), (422, "BAD_ROW"));
}

#[test]
fn subscribers_are_told_of_rows_that_are_imported() {
    let server = TestServer::of("bank");
    crate::rust_client::block_on(async {
        let url = server.server().url();
        let client = syncline_client::Client::builder(&url, "bank");
        let client = client.connect().await.unwrap();
        let sql = "SELECT id, balance FROM account";
        let mut accounts = client.subscribe(sql, &[]).await.unwrap();
        accounts.ready().await.unwrap();
        accounts.changed().await.unwrap();
        let rows = texts(0..=1499, |id| format!("{{\"id\":{id},\"balance\":{id}}}\n"));
        let done = server.import("bank", "table=account", &rows);
        assert_eq!(done.status, 200, "{}", done.text);
        while accounts.rows().len() < 1500 {
            accounts.changed().await.unwrap();
        }
        client.close().await;
    });
}
