//! Where a column lies inside a packed row.

use crate::error::CodecError;
use crate::packed::Reader;
use crate::types::Type;

#[cfg(test)]
mod tests;

/// The columns of a row. Columns before the first one of variable length have a fixed offset and
/// are found without reading the row; the others by stepping from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLayout {
    types: Vec<Type>,
    /// `fixed[i]`: offset of column i, for all columns up to the first variable one, inclusive.
    fixed: Vec<u32>,
    has_float: bool,
}

impl RowLayout {
    /// A layout of columns in packed order.
    #[must_use]
    pub fn new(types: Vec<Type>) -> Self {
        let mut fixed = Vec::new();
        let mut offset = 0;
        for ty in &types {
            fixed.push(offset as u32);
            match ty.fixed_len() {
                Some(len) => offset += len,
                None => break,
            }
        }
        let has_float = types.iter().any(Type::has_float);
        Self {
            types,
            fixed,
            has_float,
        }
    }

    /// Types of the columns.
    #[must_use]
    pub fn types(&self) -> &[Type] {
        &self.types
    }

    /// Packed bytes of one column of a valid row.
    ///
    /// # Panics
    /// If the row is not valid for this layout or the column does not exist: rows are validated
    /// where they enter, so this is a broken invariant and not bad input.
    #[must_use]
    pub fn column<'r>(&self, row: &'r [u8], column: usize) -> &'r [u8] {
        let known = column.min(self.fixed.len() - 1);
        let mut reader = Reader::new(&row[self.fixed[known] as usize..]);
        for ty in &self.types[known..column] {
            step(ty, &mut reader);
        }
        let start = reader.rest();
        step(&self.types[column], &mut reader);
        &start[..start.len() - reader.rest().len()]
    }

    /// Checks a row and makes its floats canonical.
    pub fn canonicalize(&self, row: &mut [u8]) -> Result<(), CodecError> {
        if self.has_float {
            crate::packed::canonicalize(&self.types, row)
        } else {
            crate::packed::validate(&self.types, row)
        }
    }

    /// Checks a row's structure.
    pub fn validate(&self, row: &[u8]) -> Result<(), CodecError> {
        crate::packed::validate(&self.types, row)
    }

    /// Appends the packed bytes of some columns, in the order given: a packed key.
    pub fn project(&self, row: &[u8], columns: &[u16], out: &mut Vec<u8>) {
        for &column in columns {
            out.extend_from_slice(self.column(row, usize::from(column)));
        }
    }
}

/// Steps over a value of a valid row, quicker than [`Reader::value`] for strings and JSON.
fn step(ty: &Type, reader: &mut Reader<'_>) {
    const VALID: &str = "rows are validated where they enter";
    match ty {
        Type::String | Type::Bytes | Type::Json => {
            reader.sized().expect(VALID);
        }
        other => match other.fixed_len() {
            Some(len) => {
                reader.take(len).expect(VALID);
            }
            None => {
                reader.value(other).expect(VALID);
            }
        },
    }
}
