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
    /// `fixed[i]`: offset of column i, for all columns up to the first variable one, inclusive; where there is none,
    /// also the length of the row.
    fixed: Vec<u32>,
    has_float: bool,
}

impl RowLayout {
    /// A layout of columns in packed order.
    #[must_use]
    pub fn new(types: Vec<Type>) -> Self {
        let mut fixed = Vec::new();
        let mut offset = 0;
        fixed.push(0);
        for ty in &types {
            let Some(len) = ty.fixed_len() else { break };
            offset += len;
            fixed.push(offset as u32);
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
    #[inline]
    pub fn column<'r>(&self, row: &'r [u8], column: usize) -> &'r [u8] {
        if let Some(&[start, end]) = self.fixed.get(column..column + 2) {
            return &row[start as usize..end as usize];
        }
        self.variable_column(row, column)
    }

    fn variable_column<'r>(&self, row: &'r [u8], column: usize) -> &'r [u8] {
        let known = column.min(self.fixed.len() - 1);
        let mut reader = Reader::new(&row[self.fixed[known] as usize..]);
        for ty in &self.types[known..column] {
            step(ty, &mut reader);
        }
        let start = reader.rest();
        step(&self.types[column], &mut reader);
        &start[..start.len() - reader.rest().len()]
    }

    /// Packed bytes of columns that follow each other.
    ///
    /// # Panics
    /// As [`Self::column`].
    #[inline]
    #[must_use]
    pub fn columns<'r>(&self, row: &'r [u8], columns: std::ops::Range<usize>) -> &'r [u8] {
        let [start, end] = [columns.start, columns.end].map(|column| self.offset(row, column));
        &row[start..end]
    }

    /// Where a column begins, and the one before it ends.
    #[inline]
    fn offset(&self, row: &[u8], column: usize) -> usize {
        match self.fixed.get(column) {
            Some(offset) => *offset as usize,
            None => self.variable_offset(row, column),
        }
    }

    fn variable_offset(&self, row: &[u8], column: usize) -> usize {
        let known = self.fixed.len() - 1;
        let mut reader = Reader::new(&row[self.fixed[known] as usize..]);
        for ty in &self.types[known..column] {
            step(ty, &mut reader);
        }
        row.len() - reader.rest().len()
    }

    /// Packed bytes of each column of a valid row.
    pub fn values<'r>(&self, row: &'r [u8]) -> impl Iterator<Item = &'r [u8]> {
        let known = self.fixed.len() - 1;
        let fixed = self.fixed.windows(2);
        let fixed = fixed.map(|ends| &row[ends[0] as usize..ends[1] as usize]);
        let mut reader = Reader::new(&row[self.fixed[known] as usize..]);
        fixed.chain(self.types[known..].iter().map(move |ty| {
            let start = reader.rest();
            step(ty, &mut reader);
            &start[..start.len() - reader.rest().len()]
        }))
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
        Type::Option(inner) => {
            if reader.take(1).expect(VALID) != [1] {
                step(inner, reader);
            }
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
