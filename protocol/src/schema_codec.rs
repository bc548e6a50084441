//! Binary form of a schema: what a module's description holds, and what the schema hash is taken of.
//!
//! Counts, lengths and positions are varints: seven bits a byte, least significant first, the top bit
//! says that another byte follows, no longer than needed. `text` is a length and UTF-8 bytes; `[x]`
//! is a count and that many `x`; a flag is a byte, 0 or 1.
//!
//! | item | bytes |
//! |---|---|
//! | schema | `[table]`, `[reducer]`; then, if there is a policy or a view, `[policy]`, `[view]` |
//! | table | text name; `[column]`; `[position]` of the primary key; `[index]`; 0, or 1 + position of the auto-increment column; flag public |
//! | column, field, parameter | text name; type |
//! | index | text name; `[position]`; u8 kind: 0 hash, 1 ordered, 2 counted; flag unique |
//! | reducer | text name; `[parameter]`; flag, then the type it returns if 1; u8 kind: 0 call, 1 init, 2 connected, 3 disconnected |
//! | policy | position of the table; text condition |
//! | view | text name; `[parameter]`; text query |
//! | type | u8 tag: position in [`Type`], bool 0 to uuid 19; 20 option and 21 list, then a type; 22 struct, then text name and `[field]`; 23 enum, then text name and `[variant]`; 24 decimal, 25 json |
//! | variant | text name; flag, then the type it carries if 1 |
//!
//! A schema has exactly one encoding, so equal schemas have equal hashes. [`decode`] checks the form
//! and bounds what it allocates by the input; whether the schema makes sense, and stays within
//! [`crate::limits`], is for [`Schema::validate`] to say, which can name the culprit.

use std::sync::Arc;

use crate::error::CodecError;
use crate::packed::{DEPTH_MAX, Reader};
use crate::schema::{
    ColumnDef, IndexDef, IndexKind, PolicyDef, ReducerDef, ReducerKind, Schema, TableDef, ViewDef,
};
use crate::types::{EnumType, Field, StructType, Type, Variant};

#[cfg(test)]
mod tests;

/// Types without an inner part whose position is the tag.
const SCALARS: [Type; 20] = [
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
];
const TAG_OPTION: u8 = 20;
const TAG_LIST: u8 = 21;
const TAG_STRUCT: u8 = 22;
const TAG_ENUM: u8 = 23;
const TAG_DECIMAL: u8 = 24;
const TAG_JSON: u8 = 25;

const INDEX_KINDS: [IndexKind; 3] = [IndexKind::Hash, IndexKind::Ordered, IndexKind::Counted];
const REDUCER_KINDS: [ReducerKind; 4] = [
    ReducerKind::Call,
    ReducerKind::Init,
    ReducerKind::Connected,
    ReducerKind::Disconnected,
];

/// The canonical bytes.
#[must_use]
pub fn encode(schema: &Schema) -> Vec<u8> {
    let mut out = Vec::new();
    put_list(&schema.tables, &mut out, put_table);
    put_list(&schema.reducers, &mut out, put_reducer);
    if !(schema.policies.is_empty() && schema.views.is_empty()) {
        put_list(&schema.policies, &mut out, put_policy);
        put_list(&schema.views, &mut out, put_view);
    }
    out
}

impl Schema {
    /// SHA-256 of [`encode`]: equal schemas, equal hashes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        use sha2::Digest;
        sha2::Sha256::digest(encode(self)).into()
    }
}

/// Reads what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<Schema, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut schema = Schema {
        tables: list(&mut reader, table)?,
        reducers: list(&mut reader, reducer)?,
        ..Schema::default()
    };
    if !reader.rest().is_empty() {
        schema.policies = list(&mut reader, policy)?;
        schema.views = list(&mut reader, view)?;
        if schema.policies.is_empty() && schema.views.is_empty() {
            return Err(CodecError::BadTag);
        }
    }
    reader.finish()?;
    Ok(schema)
}

/// The canonical bytes of a list of fields: their count, then name and type of each.
pub fn put_fields(fields: &[Field], out: &mut Vec<u8>) {
    put_list(fields, out, put_field);
}

/// Reads what [`put_fields`] wrote, and nothing after it.
pub fn read_fields(bytes: &[u8]) -> Result<Vec<Field>, CodecError> {
    let mut reader = Reader::new(bytes);
    let fields = list(&mut reader, field)?;
    reader.finish()?;
    Ok(fields)
}

fn put_table(table: &TableDef, out: &mut Vec<u8>) {
    put_text(&table.name, out);
    put_list(&table.columns, out, |column, out| {
        put_named(&column.name, &column.ty, out);
    });
    put_positions(&table.primary_key, out);
    put_list(&table.indexes, out, put_index);
    put_varint(
        table
            .auto_increment
            .map_or(0, |column| 1 + usize::from(column)),
        out,
    );
    out.push(u8::from(table.public));
}

fn put_index(index: &IndexDef, out: &mut Vec<u8>) {
    put_text(&index.name, out);
    put_positions(&index.columns, out);
    out.push(match index.kind {
        IndexKind::Hash => 0,
        IndexKind::Ordered => 1,
        IndexKind::Counted => 2,
    });
    out.push(u8::from(index.unique));
}

fn put_reducer(reducer: &ReducerDef, out: &mut Vec<u8>) {
    put_text(&reducer.name, out);
    put_list(&reducer.params, out, put_field);
    put_optional(reducer.returns.as_ref(), out);
    out.push(match reducer.kind {
        ReducerKind::Call => 0,
        ReducerKind::Init => 1,
        ReducerKind::Connected => 2,
        ReducerKind::Disconnected => 3,
    });
}

fn put_policy(policy: &PolicyDef, out: &mut Vec<u8>) {
    put_varint(usize::from(policy.table), out);
    put_text(&policy.condition, out);
}

fn put_view(view: &ViewDef, out: &mut Vec<u8>) {
    put_text(&view.name, out);
    put_list(&view.params, out, put_field);
    put_text(&view.sql, out);
}

fn put_field(field: &Field, out: &mut Vec<u8>) {
    put_named(&field.name, &field.ty, out);
}

fn put_named(name: &str, ty: &Type, out: &mut Vec<u8>) {
    put_text(name, out);
    put_type(ty, out);
}

fn put_optional(ty: Option<&Type>, out: &mut Vec<u8>) {
    out.push(u8::from(ty.is_some()));
    if let Some(ty) = ty {
        put_type(ty, out);
    }
}

fn put_type(ty: &Type, out: &mut Vec<u8>) {
    match ty {
        Type::Option(inner) => {
            out.push(TAG_OPTION);
            put_type(inner, out);
        }
        Type::List(inner) => {
            out.push(TAG_LIST);
            put_type(inner, out);
        }
        Type::Struct(inner) => {
            out.push(TAG_STRUCT);
            put_text(&inner.name, out);
            put_list(&inner.fields, out, put_field);
        }
        Type::Enum(inner) => {
            out.push(TAG_ENUM);
            put_text(&inner.name, out);
            put_list(&inner.variants, out, |variant, out| {
                put_text(&variant.name, out);
                put_optional(variant.payload.as_ref(), out);
            });
        }
        Type::Decimal => out.push(TAG_DECIMAL),
        Type::Json => out.push(TAG_JSON),
        scalar => {
            let tag = SCALARS.iter().position(|other| other == scalar);
            out.push(tag.expect("every other type is in the list") as u8);
        }
    }
}

fn put_positions(positions: &[u16], out: &mut Vec<u8>) {
    put_list(positions, out, |&position, out| {
        put_varint(usize::from(position), out);
    });
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put_varint(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn put_list<T>(items: &[T], out: &mut Vec<u8>, put: impl Fn(&T, &mut Vec<u8>)) {
    put_varint(items.len(), out);
    for item in items {
        put(item, out);
    }
}

fn put_varint(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn table(reader: &mut Reader<'_>) -> Result<TableDef, CodecError> {
    Ok(TableDef {
        name: text(reader)?,
        columns: list(reader, |reader| {
            let Field { name, ty } = field(reader)?;
            Ok(ColumnDef { name, ty })
        })?,
        primary_key: list(reader, position)?,
        indexes: list(reader, index)?,
        auto_increment: match varint(reader)?.checked_sub(1) {
            None => None,
            Some(column) => Some(u16::try_from(column).map_err(|_| CodecError::TooLong)?),
        },
        public: flag(reader)?,
    })
}

fn index(reader: &mut Reader<'_>) -> Result<IndexDef, CodecError> {
    Ok(IndexDef {
        name: text(reader)?,
        columns: list(reader, position)?,
        kind: *INDEX_KINDS.get(byte(reader)?).ok_or(CodecError::BadTag)?,
        unique: flag(reader)?,
    })
}

fn reducer(reader: &mut Reader<'_>) -> Result<ReducerDef, CodecError> {
    Ok(ReducerDef {
        name: text(reader)?,
        params: list(reader, field)?,
        returns: optional(reader, 0)?,
        kind: *REDUCER_KINDS.get(byte(reader)?).ok_or(CodecError::BadTag)?,
    })
}

fn policy(reader: &mut Reader<'_>) -> Result<PolicyDef, CodecError> {
    Ok(PolicyDef {
        table: position(reader)?,
        condition: text(reader)?,
    })
}

fn view(reader: &mut Reader<'_>) -> Result<ViewDef, CodecError> {
    Ok(ViewDef {
        name: text(reader)?,
        params: list(reader, field)?,
        sql: text(reader)?,
    })
}

fn field(reader: &mut Reader<'_>) -> Result<Field, CodecError> {
    field_at(reader, 0)
}

fn field_at(reader: &mut Reader<'_>, depth: usize) -> Result<Field, CodecError> {
    Ok(Field {
        name: text(reader)?,
        ty: type_at(reader, depth)?,
    })
}

fn optional(reader: &mut Reader<'_>, depth: usize) -> Result<Option<Type>, CodecError> {
    if flag(reader)? {
        type_at(reader, depth).map(Some)
    } else {
        Ok(None)
    }
}

fn type_at(reader: &mut Reader<'_>, depth: usize) -> Result<Type, CodecError> {
    if depth > DEPTH_MAX {
        return Err(CodecError::TooDeep);
    }
    let tag = byte(reader)?;
    if let Some(scalar) = SCALARS.get(tag) {
        return Ok(scalar.clone());
    }
    Ok(match tag as u8 {
        TAG_OPTION => Type::option(type_at(reader, depth + 1)?),
        TAG_LIST => Type::list(type_at(reader, depth + 1)?),
        TAG_STRUCT => Type::Struct(Arc::new(StructType {
            name: text(reader)?,
            fields: list(reader, |reader| field_at(reader, depth + 1))?,
        })),
        TAG_ENUM => Type::Enum(Arc::new(EnumType {
            name: text(reader)?,
            variants: list(reader, |reader| {
                Ok(Variant {
                    name: text(reader)?,
                    payload: optional(reader, depth + 1)?,
                })
            })?,
        })),
        TAG_DECIMAL => Type::Decimal,
        TAG_JSON => Type::Json,
        _ => return Err(CodecError::BadTag),
    })
}

fn position(reader: &mut Reader<'_>) -> Result<u16, CodecError> {
    u16::try_from(varint(reader)?).map_err(|_| CodecError::TooLong)
}

fn byte(reader: &mut Reader<'_>) -> Result<usize, CodecError> {
    let [byte] = reader.array()?;
    Ok(usize::from(byte))
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, CodecError> {
    match byte(reader)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(CodecError::BadTag),
    }
}

fn text(reader: &mut Reader<'_>) -> Result<String, CodecError> {
    let len = varint(reader)?;
    let text = core::str::from_utf8(reader.take(len)?).map_err(|_| CodecError::NotUtf8)?;
    Ok(text.to_owned())
}

/// Reads a count and the items. Each item has at least one byte, so a count over the bytes that are
/// left is a lie; memory grows with the items that really come.
fn list<T>(
    reader: &mut Reader<'_>,
    item: impl Fn(&mut Reader<'_>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let count = varint(reader)?;
    if count > reader.rest().len() {
        return Err(CodecError::TooLong);
    }
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(reader)?);
    }
    Ok(items)
}

/// Reads at most 28 bits: no count of a schema needs more.
fn varint(reader: &mut Reader<'_>) -> Result<usize, CodecError> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = byte(reader)?;
        value |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            let is_minimal = byte != 0 || shift == 0;
            return if is_minimal {
                Ok(value)
            } else {
                Err(CodecError::BadTag)
            };
        }
    }
    Err(CodecError::TooLong)
}
