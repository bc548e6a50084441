//! The column that the store fills.

use syncline_protocol::packed::Reader;
use syncline_protocol::{RowLayout, TableDef, Type};

use super::error::WriteError;

/// The auto_increment column of a table and its high-water mark: the greatest value that any
/// committed row ever had in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AutoIncrement {
    column: usize,
    len: usize,
    signed: bool,
    pub(crate) high_water: u128,
}

impl AutoIncrement {
    /// The column of a table that has one.
    pub(crate) fn new(def: &TableDef) -> Option<Self> {
        let column = usize::from(def.auto_increment?);
        let ty = &def.columns.get(column)?.ty;
        let signed = matches!(
            ty,
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::I128
        );
        let len = ty.fixed_len().filter(|_| ty.is_integer())?;
        Some(Self {
            column,
            len,
            signed,
            high_water: 0,
        })
    }

    /// The greatest value of the column's type.
    fn max(&self) -> u128 {
        u128::MAX >> (128 - self.len * 8 + usize::from(self.signed))
    }

    /// The value of a valid row; 0 if it is negative.
    fn value(&self, bytes: &[u8]) -> u128 {
        let mut wide = [0; 16];
        wide[..self.len].copy_from_slice(bytes);
        let value = u128::from_le_bytes(wide);
        if value > self.max() { 0 } else { value }
    }

    /// What the mark is once this valid row is written.
    pub(crate) fn mark_with(&self, layout: &RowLayout, row: &[u8]) -> u128 {
        self.high_water
            .max(self.value(layout.column(row, self.column)))
    }

    /// Fills the column of a valid row if it is 0, and returns what it got.
    pub(crate) fn fill(
        &self,
        layout: &RowLayout,
        row: &mut [u8],
    ) -> Result<Option<u128>, WriteError> {
        let bytes = layout.column(row, self.column);
        if bytes.iter().any(|&byte| byte != 0) {
            return Ok(None);
        }
        if self.high_water >= self.max() {
            return Err(WriteError::Exhausted);
        }
        let value = self.high_water + 1;
        let mut reader = Reader::new(row);
        for ty in &layout.types()[..self.column] {
            reader.value(ty)?;
        }
        let start = row.len() - reader.rest().len();
        row[start..start + self.len].copy_from_slice(&value.to_le_bytes()[..self.len]);
        Ok(Some(value))
    }
}
