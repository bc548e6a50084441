//! The schema that the macros declare, and reducers called by number, as a host does.

use std::sync::Arc;

use syncline_protocol::packed::Reader;
use syncline_protocol::{
    ColumnDef, Field, IndexDef, IndexKind, ReducerDef, ReducerKind, Schema, StructType, TableDef,
    Type, abi, schema_codec,
};

use super::super::call;
use super::schema;
use crate::Packed;
use crate::prelude::*;

#[derive(Type, Clone, Debug, PartialEq)]
struct Price {
    cents: i64,
    currency: String,
}

/// A doc comment is no trouble, nor is another attribute.
#[table(
    public,
    name = "orders",
    primary_key(number, shop),
    index(ordered, columns(shop, placed_at)),
    index(hash, unique, name = by_place, columns(row, shop))
)]
#[derive(Clone, Debug, PartialEq)]
struct PurchaseOrder {
    shop: u32,
    #[unique]
    #[auto_increment]
    number: u64,
    #[unique]
    code: Option<String>,
    #[index(ordered)]
    #[unique]
    row: i16,
    #[index(hash)]
    price: Price,
    placed_at: Timestamp,
}

const OWN: &str = "shop = 1 OR EXISTS (SELECT 1 FROM http_log)";

/// A table with a policy, in either order of the attributes' arguments.
#[table(public, name = secret)]
#[policy(OWN)]
struct Secret {
    #[primary_key]
    shop: u32,
}

#[view(shop: u32, since: Option<Timestamp>)]
const CHEAP_ORDERS: &str = "SELECT number FROM orders WHERE shop = :shop AND placed_at > :since";

#[table]
struct HTTPLog {
    #[index(ordered)]
    #[primary_key]
    r#type: Vec<u8>,
}

#[reducer(init)]
fn first(_ctx: &Context) {}

#[reducer(connected)]
fn joined(ctx: &Context) -> Result<(), String> {
    ctx.connection()
        .map(|_connection| ())
        .ok_or_else(|| "connected without one".to_owned())
}

#[reducer]
fn order(_ctx: &Context, shop: u32, prices: Vec<Price>) -> Result<Option<Price>, String> {
    match shop {
        0 => Err("there is no shop 0".to_owned()),
        _ => Ok(prices.into_iter().next()),
    }
}

#[reducer]
fn r#move(ctx: &Context) -> Identity {
    ctx.caller()
}

#[reducer]
fn draw(ctx: &Context, mut low: u32) -> u32 {
    low += 1;
    ctx.random().range(low..low + 1000)
}

fn table(name: &str) -> TableDef {
    let schema = schema();
    schema.table(name).expect("it is declared").1.clone()
}

fn index(name: &str, columns: &[u16], kind: IndexKind, unique: bool) -> IndexDef {
    IndexDef {
        name: name.to_owned(),
        columns: columns.to_vec(),
        kind,
        unique,
    }
}

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.to_owned(),
        ty,
    }
}

fn price() -> Type {
    let fields = vec![field("cents", Type::I64), field("currency", Type::String)];
    Type::Struct(Arc::new(StructType {
        name: "Price".to_owned(),
        fields,
    }))
}

#[test]
fn tables_are_what_was_written() {
    let columns = [
        ("shop", Type::U32),
        ("number", Type::U64),
        ("code", Type::option(Type::String)),
        ("row", Type::I16),
        ("price", price()),
        ("placed_at", Type::Timestamp),
    ];
    let expected = TableDef {
        name: "orders".to_owned(),
        columns: columns
            .map(|(name, ty)| ColumnDef {
                name: name.to_owned(),
                ty,
            })
            .to_vec(),
        primary_key: vec![1, 0],
        indexes: vec![
            index("by_number", &[1], IndexKind::Hash, true),
            index("by_code", &[2], IndexKind::Hash, true),
            index("by_row", &[3], IndexKind::Ordered, true),
            index("by_price", &[4], IndexKind::Hash, false),
            index("by_shop_placed_at", &[0, 5], IndexKind::Ordered, false),
            index("by_place", &[3, 0], IndexKind::Hash, true),
        ],
        auto_increment: Some(1),
        public: true,
    };
    assert_eq!(table("orders"), expected);
    let expected = TableDef {
        name: "http_log".to_owned(),
        columns: vec![ColumnDef {
            name: "type".to_owned(),
            ty: Type::Bytes,
        }],
        primary_key: vec![0],
        indexes: vec![index("by_type", &[0], IndexKind::Ordered, false)],
        auto_increment: None,
        public: false,
    };
    assert_eq!(table("http_log"), expected);
}

#[test]
fn reducers_are_what_was_written() {
    let reducer = |name: &str, params: Vec<Field>, returns, kind| ReducerDef {
        name: name.to_owned(),
        params,
        returns,
        kind,
    };
    let params = vec![
        field("shop", Type::U32),
        field("prices", Type::list(price())),
    ];
    let expected = vec![
        reducer(
            "draw",
            vec![field("low", Type::U32)],
            Some(Type::U32),
            ReducerKind::Call,
        ),
        reducer("first", Vec::new(), None, ReducerKind::Init),
        reducer("joined", Vec::new(), None, ReducerKind::Connected),
        reducer("move", Vec::new(), Some(Type::Identity), ReducerKind::Call),
        reducer(
            "order",
            params,
            Some(Type::option(price())),
            ReducerKind::Call,
        ),
    ];
    assert_eq!(schema().reducers, expected, "sorted by name");
}

#[test]
fn the_schema_is_valid_and_survives_its_codec() {
    let schema = schema();
    assert!(schema.tables.is_sorted_by_key(|table| table.name.clone()));
    assert_eq!(
        schema_codec::decode(&schema_codec::encode(&schema)).as_ref(),
        Ok(&schema)
    );
    assert_eq!(schema.validate(), Ok(()));
}

/// Runs a reducer with a call block and splits the outcome into its tag and what follows.
fn call(name: &str, seed: u8, args: &[u8]) -> (u8, Vec<u8>) {
    let (number, _) = schema().reducer(name).expect("it is declared");
    let mut block = vec![1; 32];
    block.extend([2; 16]);
    block.extend(3_i64.to_le_bytes());
    block.extend([seed; 32]);
    assert_eq!(block.len(), abi::CALL_HEADER_BYTES);
    block.extend_from_slice(args);
    let mut out = Vec::new();
    call::run(number as u32, &block, &mut out);
    (out[0], out[1..].to_vec())
}

#[test]
fn a_host_calls_by_number() {
    let price = Price {
        cents: 5,
        currency: "EUR".to_owned(),
    };
    let mut args = 7_u32.to_le_bytes().to_vec();
    vec![price.clone()].put(&mut args);
    let (tag, value) = call("order", 0, &args);
    assert_eq!(tag, abi::OUTCOME_OK);
    assert_eq!(Packed::take(&mut Reader::new(&value)), Ok(Some(price)));

    let refused = call("order", 0, &[0; 8]);
    assert_eq!(
        refused,
        (abi::OUTCOME_ERROR, b"there is no shop 0".to_vec())
    );
    assert_eq!(call("move", 0, &[]), (abi::OUTCOME_OK, vec![1; 32]));
    assert_eq!(call("first", 0, &[]), (abi::OUTCOME_OK, Vec::new()));
    assert_eq!(call("joined", 0, &[]), (abi::OUTCOME_OK, Vec::new()));
    assert_eq!(
        call("draw", 1, &[0; 4]),
        call("draw", 1, &[0; 4]),
        "the same seed"
    );
    assert_ne!(
        call("draw", 1, &[0; 4]),
        call("draw", 2, &[0; 4]),
        "another seed"
    );
}

#[test]
fn arguments_that_do_not_fit_are_an_error() {
    for args in [
        &[][..],
        &[1, 2],
        &[1, 0, 0, 0, 1, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0, 9],
    ] {
        let (tag, text) = call("order", 0, args);
        let text = String::from_utf8(text).expect("an error is a text");
        assert_eq!(tag, abi::OUTCOME_ERROR);
        assert!(
            text.starts_with("the arguments of `order` do not decode: "),
            "{text}"
        );
    }
}

#[test]
fn policies_and_views_are_declared() {
    let schema = schema();
    let (secret, _) = schema.table("secret").expect("it is declared");
    let policy = schema.policy(secret).expect("it has one");
    assert_eq!(policy.condition, OWN);
    assert_eq!(schema.policies.len(), 1);
    let view = schema.view("cheap_orders").expect("it is declared");
    assert_eq!(view.sql, CHEAP_ORDERS);
    let params: Vec<_> = view.params.iter().map(|p| (&*p.name, &p.ty)).collect();
    let since = Type::option(Type::Timestamp);
    assert_eq!(params, [("shop", &Type::U32), ("since", &since)]);
    schema.validate().expect("it is sound");
}

#[test]
fn the_whole_schema_is_declared_by_this_crate_alone() {
    let Schema { tables, .. } = schema();
    let names: Vec<_> = tables.iter().map(|table| &*table.name).collect();
    assert_eq!(
        names,
        ["http_log", "note", "orders", "secret"],
        "`note` is of the tests of `testing`"
    );
}
