//! Row sums: what the tables hold after a record, in a few bytes a table.
//!
//! | item | bytes |
//! |---|---|
//! | sums | varint count; so many sums |
//! | sum | varint table id; varint number of rows; u64 wrapping sum of [`crate::row_hash`] over them |
//!
//! Tables are in the order of their ids, all of them. Whoever replays the log compares.

use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, TableId};

use crate::database::Database;
use crate::log::varint;

/// What one table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSum {
    /// The table.
    pub table: TableId,
    /// Its number of rows.
    pub rows: u64,
    /// The wrapping sum of their hashes.
    pub sum: u64,
}

/// Sums as they are read; in full before anybody sees one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSums<'a> {
    bytes: &'a [u8],
}

impl RowSum {
    /// Of every table of a database.
    pub(crate) fn of(database: &Database) -> impl ExactSizeIterator<Item = Self> {
        database.tables().map(|table| Self {
            table: table.id(),
            rows: table.len() as u64,
            sum: table.row_sum(),
        })
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            table: TableId(varint::take_u32(reader)?),
            rows: varint::take_u64(reader)?,
            sum: u64::from_le_bytes(reader.array()?),
        })
    }
}

/// Appends sums.
pub(crate) fn put(sums: impl ExactSizeIterator<Item = RowSum>, out: &mut Vec<u8>) {
    varint::put(sums.len() as u128, out);
    for sum in sums {
        varint::put(u128::from(sum.table.0), out);
        varint::put(u128::from(sum.rows), out);
        out.extend_from_slice(&sum.sum.to_le_bytes());
    }
}

/// Takes sums off the front.
pub(crate) fn take<'a>(reader: &mut Reader<'a>) -> Result<RowSums<'a>, CodecError> {
    let count = varint::take_u32(reader)?;
    let bytes = reader.rest();
    let mut after = Reader::new(bytes);
    for _ in 0..count {
        RowSum::take(&mut after)?;
    }
    let len = bytes.len() - after.rest().len();
    Ok(RowSums {
        bytes: reader.take(len)?,
    })
}

impl RowSums<'_> {
    /// The sums, by table.
    pub fn iter(&self) -> impl Iterator<Item = RowSum> {
        let mut reader = Reader::new(self.bytes);
        std::iter::from_fn(move || RowSum::take(&mut reader).ok())
    }

    /// Compares them with what a database holds: the first table that differs.
    pub(crate) fn check(&self, database: &Database) -> Result<(), TableId> {
        let mut expected = self.iter();
        for held in RowSum::of(database) {
            match expected.next() {
                Some(sum) if sum == held => {}
                _ => return Err(held.table),
            }
        }
        expected.next().map_or(Ok(()), |sum| Err(sum.table))
    }
}
