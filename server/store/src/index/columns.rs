//! The columns of a key, and how to take them out of a row.

use smallvec::SmallVec;
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{CodecError, RowLayout, Type, key};

/// A key under construction; up to 64 bytes without the allocator.
pub(crate) type KeyBuffer = SmallVec<[u8; 64]>;

/// The columns of a key in key order.
#[derive(Clone, Debug)]
pub(crate) struct KeyColumns {
    columns: SmallVec<[u16; 4]>,
    shape: Shape,
    /// Those of an option type.
    nullable: SmallVec<[u16; 4]>,
    has_float: bool,
    /// Bytes of every packed key, if they are all of one length.
    fixed_len: Option<usize>,
}

/// How the packed key lies in the row.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// At these bytes of every row.
    Fixed { start: usize, end: usize },
    /// In one column.
    Column(usize),
    /// In several places.
    Scattered,
}

impl KeyColumns {
    /// The key made of these columns of a table with this layout. The columns exist.
    pub(crate) fn new(columns: &[u16], layout: &RowLayout) -> Self {
        let types = layout.types();
        let ty = |column: u16| &types[usize::from(column)];
        let fixed_len = columns.iter().map(|&column| ty(column).fixed_len()).sum();
        let first = usize::from(columns[0]);
        let is_run = columns.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        let start = types[..first]
            .iter()
            .map(Type::fixed_len)
            .sum::<Option<usize>>();
        let shape = match (start, fixed_len) {
            (Some(start), Some(len)) if is_run => Shape::Fixed {
                start,
                end: start + len,
            },
            _ if columns.len() == 1 => Shape::Column(first),
            _ => Shape::Scattered,
        };
        let is_nullable = |&column: &u16| matches!(ty(column), Type::Option(_));
        Self {
            columns: columns.into(),
            shape,
            nullable: columns.iter().copied().filter(is_nullable).collect(),
            has_float: columns.iter().any(|&column| ty(column).has_float()),
            fixed_len,
        }
    }

    /// Positions of the columns.
    pub(crate) fn columns(&self) -> &[u16] {
        &self.columns
    }

    /// Whether a key can have a NULL in it.
    pub(crate) fn is_nullable(&self) -> bool {
        !self.nullable.is_empty()
    }

    /// Bytes of every packed key, if they are all of one length.
    pub(crate) fn fixed_len(&self) -> Option<usize> {
        self.fixed_len
    }

    /// The packed key of a row: a part of the row, or else built in `buffer`.
    #[inline]
    pub(crate) fn packed<'a>(
        &self,
        layout: &RowLayout,
        row: &'a [u8],
        buffer: &'a mut KeyBuffer,
    ) -> &'a [u8] {
        match self.shape {
            Shape::Fixed { start, end } => &row[start..end],
            Shape::Column(column) => layout.column(row, column),
            Shape::Scattered => {
                buffer.clear();
                for &column in &self.columns {
                    buffer.extend_from_slice(layout.column(row, usize::from(column)));
                }
                buffer
            }
        }
    }

    /// Whether the row has this packed key.
    #[inline]
    pub(crate) fn is_key_of(&self, layout: &RowLayout, row: &[u8], packed_key: &[u8]) -> bool {
        match self.shape {
            Shape::Fixed { start, end } => equal(&row[start..end], packed_key),
            Shape::Column(column) => layout.column(row, column) == packed_key,
            Shape::Scattered => {
                let mut rest = Some(packed_key);
                for &column in &self.columns {
                    let column = layout.column(row, usize::from(column));
                    rest = rest.and_then(|rest| rest.strip_prefix(column));
                }
                rest.is_some_and(<[u8]>::is_empty)
            }
        }
    }

    /// Whether two rows of one table have the same key.
    #[inline]
    pub(crate) fn same(&self, layout: &RowLayout, one: &[u8], two: &[u8]) -> bool {
        match self.shape {
            Shape::Fixed { start, end } => equal(&one[start..end], &two[start..end]),
            Shape::Column(column) => layout.column(one, column) == layout.column(two, column),
            Shape::Scattered => self.columns.iter().all(|&column| {
                let column = usize::from(column);
                layout.column(one, column) == layout.column(two, column)
            }),
        }
    }

    /// Whether the row has a NULL in a column of the key.
    pub(crate) fn has_null(&self, layout: &RowLayout, row: &[u8]) -> bool {
        self.nullable
            .iter()
            .any(|&column| layout.column(row, usize::from(column))[0] == 1)
    }

    /// Appends the memcomparable key of a row.
    pub(crate) fn put_memcomparable(&self, layout: &RowLayout, row: &[u8], out: &mut KeyBuffer) {
        for &column in &self.columns {
            let column = usize::from(column);
            let mut value = Reader::new(layout.column(row, column));
            key::encode(&layout.types()[column], &mut value, out)
                .expect("rows are validated where they enter");
        }
    }

    /// Checks packed values of the first columns of the key and appends their memcomparable form,
    /// floats made canonical; returns how many columns have a value.
    pub(crate) fn put_memcomparable_prefix(
        &self,
        layout: &RowLayout,
        packed_key: &[u8],
        out: &mut KeyBuffer,
    ) -> Result<usize, CodecError> {
        let mut canonical = KeyBuffer::new();
        let mut reader = Reader::new(self.canonical(layout, packed_key, &mut canonical));
        let mut count = 0;
        for &column in &self.columns {
            if reader.rest().is_empty() {
                break;
            }
            let ty = &layout.types()[usize::from(column)];
            key::encode(ty, &mut Reader::new(reader.value(ty)?), out)?;
            count += 1;
        }
        reader.finish()?;
        Ok(count)
    }

    /// Whether a packed key has a NULL in it; a malformed one has not.
    pub(crate) fn is_null_key(&self, layout: &RowLayout, packed_key: &[u8]) -> bool {
        let mut reader = Reader::new(packed_key);
        for &column in &self.columns {
            match reader.value(&layout.types()[usize::from(column)]) {
                Ok(value) if value == [1] && self.nullable.contains(&column) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        false
    }

    /// The packed key as rows have it: with canonical floats. A malformed key stays as it is, and no
    /// row has it.
    pub(crate) fn canonical<'a>(
        &self,
        layout: &RowLayout,
        packed_key: &'a [u8],
        buffer: &'a mut KeyBuffer,
    ) -> &'a [u8] {
        if !self.has_float {
            return packed_key;
        }
        buffer.clear();
        buffer.extend_from_slice(packed_key);
        let mut rest = &mut buffer[..];
        for &column in &self.columns {
            let ty = &layout.types()[usize::from(column)];
            let Ok(value) = Reader::new(rest).value(ty) else {
                break;
            };
            let (value, after) = rest.split_at_mut(value.len());
            if packed::canonicalize([ty], value).is_err() {
                break;
            }
            rest = after;
        }
        buffer
    }
}

/// Compares byte strings, the usual short ones without a call of memcmp.
#[inline]
fn equal(one: &[u8], two: &[u8]) -> bool {
    match (<[u8; 8]>::try_from(one), <[u8; 8]>::try_from(two)) {
        (Ok(one), Ok(two)) => one == two,
        _ => one == two,
    }
}
