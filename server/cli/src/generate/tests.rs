#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use syncline_protocol::{
    ColumnDef, Field, ReducerDef, ReducerKind, Schema, StructType, TableDef, Type,
};

use super::names::{Names, member};
use super::{rust, typescript};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!(
            "../../../../client-sdk/typescript/test/fixtures/",
            $name
        ))
    };
}

fn check(schema: &str, expected: &str) {
    let schema: Schema = serde_json::from_str(schema).unwrap();
    assert_eq!(typescript(&schema), expected);
}

#[test]
fn writes_what_the_specification_shows() {
    check(
        fixture!("board.schema.json"),
        fixture!("board.generated.ts"),
    );
    check(
        fixture!("types.schema.json"),
        fixture!("types.generated.ts"),
    );
}

/// The test of the Rust client compiles these files and asks with them.
#[test]
fn writes_rust_that_the_client_takes() {
    for (schema, expected) in [
        (
            fixture!("board.schema.json"),
            include_str!("../../../../client-sdk/rust/tests/it/generated/board.rs"),
        ),
        (
            fixture!("types.schema.json"),
            include_str!("../../../../client-sdk/rust/tests/it/generated/types.rs"),
        ),
    ] {
        let schema: Schema = serde_json::from_str(schema).unwrap();
        assert_eq!(rust(&schema), expected);
    }
}

#[test]
fn nothing_public_is_an_empty_file_of_the_same_form() {
    let text = typescript(&Schema::default());
    assert!(text.contains("export const tables = {};\n"), "{text}");
    assert!(text.contains("export interface Reducers {}\n"), "{text}");
    assert!(text.ends_with("}\n") && !text.ends_with("\n\n"));
}

fn point(fields: &[&str]) -> Type {
    let fields = fields.iter().map(|&name| Field {
        name: name.to_owned(),
        ty: Type::F64,
    });
    Type::Struct(Arc::new(StructType {
        name: "Point".to_owned(),
        fields: fields.collect(),
    }))
}

#[test]
fn types_of_one_name_are_told_apart() {
    let mut names = Names::of_tables(&Schema::default(), &["Date"]);
    let (first, second, third) = (point(&["x"]), point(&["x", "y"]), point(&["x", "y", "z"]));
    assert_eq!(names.declare(&first, "Point"), "Point");
    assert_eq!(names.declare(&second, "Point"), "PointType");
    assert_eq!(names.declare(&third, "Point"), "PointType2");
    assert_eq!(names.get(&second), Some("PointType"));
    assert_eq!(names.declare(&Type::Bool, "Date"), "DateType");
}

#[test]
fn private_tables_and_lifecycle_reducers_are_left_out() {
    let column = ColumnDef {
        name: "at".to_owned(),
        ty: point(&["secret"]),
    };
    let table = TableDef {
        name: "hidden".to_owned(),
        columns: vec![column],
        primary_key: vec![0],
        indexes: Vec::new(),
        auto_increment: None,
        public: false,
    };
    let reducer = ReducerDef {
        name: "init".to_owned(),
        params: Vec::new(),
        returns: None,
        kind: ReducerKind::Init,
    };
    let schema = Schema {
        tables: vec![table],
        reducers: vec![reducer],
        ..Schema::default()
    };
    assert_eq!(typescript(&schema), typescript(&Schema::default()));
}

#[test]
fn members_are_quoted_where_they_must_be() {
    for (name, expected) in [
        ("x", "x"),
        ("_a$1", "_a$1"),
        ("class", "class"),
        ("a-b", "\"a-b\""),
        ("1a", "\"1a\""),
        ("é", "\"é\""),
    ] {
        assert_eq!(member(name), expected);
    }
}
