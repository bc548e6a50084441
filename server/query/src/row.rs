//! Steps through packed rows, and the order of their keys.

use std::cmp::Ordering;

use syncline_protocol::packed::Reader;
use syncline_protocol::{RowLayout, Type};

use crate::plan::expr::ColumnSet;
use crate::scalar::{Kind, Scalar, is_nullable};

const VALID: &str = "rows are validated where they enter";

/// Takes a column off the front of a valid row.
pub(crate) fn next_column<'a>(ty: &Type, row: &mut &'a [u8]) -> &'a [u8] {
    let len = match ty {
        Type::String | Type::Bytes => {
            4 + u32::from_le_bytes(*row.first_chunk().expect(VALID)) as usize
        }
        Type::Option(_) if row.first() == Some(&1) => 1,
        Type::Option(inner) => match inner.fixed_len() {
            Some(len) => 1 + len,
            None => 1 + next_column(inner, &mut &row[1..]).len(),
        },
        other => match other.fixed_len() {
            Some(len) => len,
            None => Reader::new(row).value(other).expect(VALID).len(),
        },
    };
    let (column, rest) = row.split_at(len);
    *row = rest;
    column
}

/// The columns in which two rows differ.
pub(crate) fn changed_columns(layout: &RowLayout, old: &[u8], new: &[u8]) -> ColumnSet {
    let mut changed = ColumnSet::default();
    for (column, (before, after)) in layout.values(old).zip(layout.values(new)).enumerate() {
        if before != after {
            changed.insert(column as u16);
        }
    }
    changed
}

/// Appends what an update of a result row carries: the mask of the columns that differ, then their
/// new values. `false`, and nothing is appended, if none differs.
pub(crate) fn write_difference(
    layout: &RowLayout,
    old: &[u8],
    new: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let start = out.len();
    out.resize(start + layout.types().len().div_ceil(8), 0);
    let mut is_changed = false;
    for (column, (before, after)) in layout.values(old).zip(layout.values(new)).enumerate() {
        if before != after {
            out[start + column / 8] |= 1 << (column % 8);
            out.extend_from_slice(after);
            is_changed = true;
        }
    }
    if !is_changed {
        out.truncate(start);
    }
    is_changed
}

/// Order of two rows by some columns, as values. Composed values are ordered by their bytes.
pub(crate) fn compare_columns(
    layout: &RowLayout,
    columns: &[u16],
    one: &[u8],
    other: &[u8],
) -> Ordering {
    for &column in columns {
        let ty = &layout.types()[usize::from(column)];
        let read = |row| {
            Scalar::read(
                Kind::of(ty),
                is_nullable(ty),
                layout.column(row, usize::from(column)),
            )
        };
        let (one, other) = (read(one), read(other));
        let order = one
            .compare(&other)
            .unwrap_or_else(|| (one != Scalar::Null).cmp(&(other != Scalar::Null)));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}
