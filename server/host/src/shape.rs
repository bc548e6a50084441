//! What the host functions need to know of a table, worked out once when a module is loaded.

use syncline_protocol::{CodecError, Schema, TableDef, Type, packed};

/// A table, by the number that the module knows it by.
#[derive(Debug)]
pub(crate) struct TableShape {
    pub(crate) name: String,
    /// 0 is the primary key, `i + 1` is the declared index `i`.
    pub(crate) indexes: Vec<IndexShape>,
    /// Length of a value of the auto-increment column.
    pub(crate) auto_increment_len: Option<usize>,
    /// No column holds a float, so the store leaves the bytes of a valid row as they are.
    pub(crate) is_canonical: bool,
}

/// An index of a table.
#[derive(Debug)]
pub(crate) struct IndexShape {
    pub(crate) name: String,
    /// At most one row per key.
    pub(crate) is_unique: bool,
    check: KeyCheck,
}

/// How much there is to check in a key that a guest hands over.
#[derive(Debug)]
enum KeyCheck {
    /// Any bytes of this length are a key.
    Length(usize),
    /// The structure.
    Types(Vec<Type>),
}

/// What messages call index 0.
const PRIMARY: &str = "primary key";

/// Shapes of all tables, in declared order.
pub(crate) fn shapes(schema: &Schema) -> Vec<TableShape> {
    schema.tables.iter().map(TableShape::new).collect()
}

impl TableShape {
    fn new(table: &TableDef) -> Self {
        let types = |columns: &[u16]| -> Vec<Type> {
            columns
                .iter()
                .map(|&column| table.columns[usize::from(column)].ty.clone())
                .collect()
        };
        let mut indexes = vec![IndexShape::new(PRIMARY, types(&table.primary_key), true)];
        indexes.extend(
            table
                .indexes
                .iter()
                .map(|index| IndexShape::new(&index.name, types(&index.columns), index.unique)),
        );
        Self {
            name: table.name.clone(),
            indexes,
            auto_increment_len: table
                .auto_increment
                .and_then(|column| table.columns[usize::from(column)].ty.fixed_len()),
            is_canonical: !table.columns.iter().any(|column| column.ty.has_float()),
        }
    }
}

impl IndexShape {
    fn new(name: &str, types: Vec<Type>, is_unique: bool) -> Self {
        let check = match types.iter().map(plain_len).sum::<Option<usize>>() {
            Some(len) => KeyCheck::Length(len),
            None => KeyCheck::Types(types),
        };
        Self {
            name: name.to_owned(),
            is_unique,
            check,
        }
    }

    /// Checks the form of a packed key; the store makes its floats canonical.
    pub(crate) fn check(&self, key: &[u8]) -> Result<(), CodecError> {
        match &self.check {
            KeyCheck::Length(len) if key.len() == *len => Ok(()),
            KeyCheck::Length(len) if key.len() < *len => Err(CodecError::Truncated),
            KeyCheck::Length(_) => Err(CodecError::TrailingBytes),
            KeyCheck::Types(types) => packed::validate(types, key),
        }
    }
}

/// Length of the values of a type, if any bytes of that length are a value.
fn plain_len(ty: &Type) -> Option<usize> {
    match ty {
        Type::Bool | Type::Decimal | Type::Struct(_) | Type::Enum(_) => None,
        other => other.fixed_len(),
    }
}
