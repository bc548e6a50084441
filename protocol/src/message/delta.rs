//! The rows of a live query and how they change.
//!
//! A result row is packed: all columns of the description, the hidden ones too. A delta is a sequence
//! of operations, each a u8 and
//!
//! | operation | bytes that follow |
//! |---|---|
//! | 1 insert | the row |
//! | 2 update | the key; a mask of `ceil(columns / 8)` bytes, bit i % 8 of byte i / 8 for column i; the new values of the masked columns, in order |
//! | 3 delete | the key |
//!
//! The key is the packed values of the key columns, in the order of the description. A key occurs at
//! most once in a delta; an update never changes the key.

use crate::error::CodecError;
use crate::packed::Reader;
use crate::types::Type;
use serde::{Deserialize, Serialize};

/// What the rows of a result are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultDescription {
    /// In packed order.
    pub columns: Vec<ResultColumn>,
    /// Positions of the columns whose values name a row; unique within the result.
    pub key: Vec<u16>,
    /// Order of the rows, total (ties are broken by the key, ascending); empty if there is none.
    pub order: Vec<OrderColumn>,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultColumn {
    /// Alias or name.
    pub name: String,
    /// Type of its values.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Travels only because the key or the order needs it.
    #[serde(default)]
    pub hidden: bool,
}

/// One column of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderColumn {
    /// Position in the description's columns.
    pub column: u16,
    /// Largest first. Values compare as [`crate::key`] orders them, so NULL is the smallest.
    pub descending: bool,
}

impl ResultDescription {
    /// Types of the columns.
    pub fn types(&self) -> impl Iterator<Item = &Type> + Clone {
        self.columns.iter().map(|column| &column.ty)
    }

    /// Types of the key columns. Fails if the description names a column that it does not have.
    pub fn key_types(&self) -> Result<impl Iterator<Item = &Type> + Clone, CodecError> {
        if self
            .key
            .iter()
            .any(|&column| usize::from(column) >= self.columns.len())
        {
            return Err(CodecError::Unknown);
        }
        Ok(self
            .key
            .iter()
            .map(|&column| &self.columns[usize::from(column)].ty))
    }

    /// Bytes of an update's mask.
    #[must_use]
    pub fn mask_len(&self) -> usize {
        self.columns.len().div_ceil(8)
    }
}

/// One operation of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaOp<'a> {
    /// A row that was not there.
    Insert {
        /// The whole row.
        row: &'a [u8],
    },
    /// New values in a row that stays.
    Update {
        /// Names the row.
        key: &'a [u8],
        /// Which columns have new values.
        mask: &'a [u8],
        /// The new values.
        values: &'a [u8],
    },
    /// A row that is gone.
    Delete {
        /// Names the row.
        key: &'a [u8],
    },
}

/// Appends operations to a delta.
#[derive(Debug)]
pub struct DeltaWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> DeltaWriter<'a> {
    /// Appends to what is there.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Appends one operation.
    pub fn push(&mut self, op: DeltaOp<'_>) {
        match op {
            DeltaOp::Insert { row } => {
                self.out.push(1);
                self.out.extend_from_slice(row);
            }
            DeltaOp::Update { key, mask, values } => {
                self.out.push(2);
                self.out.extend_from_slice(key);
                self.out.extend_from_slice(mask);
                self.out.extend_from_slice(values);
            }
            DeltaOp::Delete { key } => {
                self.out.push(3);
                self.out.extend_from_slice(key);
            }
        }
    }
}

/// Reads the operations of a delta one after the other.
#[derive(Debug)]
pub struct DeltaReader<'a> {
    description: &'a ResultDescription,
    reader: Reader<'a>,
}

impl<'a> DeltaReader<'a> {
    /// Reads `ops` of an instance with this description.
    #[must_use]
    pub fn new(description: &'a ResultDescription, ops: &'a [u8]) -> Self {
        Self {
            description,
            reader: Reader::new(ops),
        }
    }

    /// The next operation; `None` at the end.
    pub fn next_op(&mut self) -> Result<Option<DeltaOp<'a>>, CodecError> {
        if self.reader.rest().is_empty() {
            return Ok(None);
        }
        Ok(Some(match self.reader.array()? {
            [1] => DeltaOp::Insert {
                row: self.values(|_| true)?,
            },
            [2] => {
                let key = self.key()?;
                let mask = self.reader.take(self.description.mask_len())?;
                let values = self.values(|column| mask[column / 8] >> (column % 8) & 1 == 1)?;
                DeltaOp::Update { key, mask, values }
            }
            [3] => DeltaOp::Delete { key: self.key()? },
            _ => return Err(CodecError::BadTag),
        }))
    }

    fn key(&mut self) -> Result<&'a [u8], CodecError> {
        let start = self.reader.rest();
        for ty in self.description.key_types()? {
            self.reader.value(ty)?;
        }
        Ok(&start[..start.len() - self.reader.rest().len()])
    }

    fn values(&mut self, is_there: impl Fn(usize) -> bool) -> Result<&'a [u8], CodecError> {
        let start = self.reader.rest();
        for (position, column) in self.description.columns.iter().enumerate() {
            if is_there(position) {
                self.reader.value(&column.ty)?;
            }
        }
        Ok(&start[..start.len() - self.reader.rest().len()])
    }
}
