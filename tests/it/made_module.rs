//! Modules made by hand: any schema, and reducers that do nothing or fail.

use std::fmt::Write as _;

use syncline_protocol::{
    ColumnDef, IndexDef, IndexKind, ReducerDef, ReducerKind, Schema, TableDef, Type, abi,
    schema_codec,
};

/// A table whose columns are `("id", Type::U64)` and so on; the first is its key.
pub(crate) fn table(name: &str, columns: &[(&str, Type)]) -> TableDef {
    let columns = columns.iter().map(|(name, ty)| ColumnDef {
        name: (*name).into(),
        ty: ty.clone(),
    });
    TableDef {
        name: name.into(),
        columns: columns.collect(),
        primary_key: vec![0],
        indexes: Vec::new(),
        auto_increment: None,
        public: true,
    }
}

/// An ordered index on one column.
pub(crate) fn index(name: &str, column: u16) -> IndexDef {
    IndexDef {
        name: name.into(),
        columns: vec![column],
        kind: IndexKind::Ordered,
        unique: false,
    }
}

/// A reducer without parameters.
pub(crate) fn reducer(name: &str, kind: ReducerKind) -> ReducerDef {
    ReducerDef {
        name: name.into(),
        params: Vec::new(),
        returns: None,
        kind,
    }
}

/// A module with this schema. Its reducers do nothing; those in `failing` return the error `nope`.
pub(crate) fn wasm(tables: &[TableDef], reducers: &[ReducerDef], failing: &[&str]) -> Vec<u8> {
    wasm_of(
        &Schema {
            tables: tables.to_vec(),
            reducers: reducers.to_vec(),
            ..Schema::default()
        },
        failing,
    )
}

/// As [`wasm`], with all that a schema may have.
pub(crate) fn wasm_of(schema: &Schema, failing: &[&str]) -> Vec<u8> {
    let reducers = &schema.reducers;
    let mut description = abi::VERSION.to_le_bytes().to_vec();
    description.extend(schema_codec::encode(schema));
    with_description(&description, reducers, failing)
}

/// A module that describes itself with any bytes.
pub(crate) fn with_description(
    description: &[u8],
    reducers: &[ReducerDef],
    failing: &[&str],
) -> Vec<u8> {
    let data = description.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:02x}").unwrap();
        text
    });
    let mut fails = String::new();
    for (position, reducer) in reducers.iter().enumerate() {
        if failing.contains(&&*reducer.name) {
            write!(
                fails,
                "(if (i32.eq (local.get 0) (i32.const {position}))
                    (then (return (i64.const 0x1000000005))))"
            )
            .unwrap();
        }
    }
    let text = format!(
        r#"(module
        (memory (export "memory") 4)
        (data (i32.const 16) "\01nope")
        (data (i32.const 0x1000) "{data}")
        (func (export "syncline_describe") (result i64) (i64.const {described}))
        (func (export "syncline_alloc") (param i32) (result i32) (i32.const 0x20000))
        (func (export "syncline_call") (param i32 i32 i32) (result i64)
            {fails}
            (i64.const 1)))"#,
        described = (0x1000_u64 << 32) | description.len() as u64,
    );
    wat::parse_str(text).unwrap()
}
