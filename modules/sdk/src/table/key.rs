//! Keys, prefixes and ranges: what finds rows, written the way Rust writes tuples and ranges.

use core::ops::{
    Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive,
};

use syncline_protocol::abi;

use crate::packed::Packed;

/// A value that stands for a column of type `T` in a key: a `T`, a `&T`, text for a `String`, bytes for a
/// `Vec<u8>`, and any of them for an `Option`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand for a column of type `{T}`",
    label = "expected a value of type `{T}`"
)]
pub trait AsColumn<T> {
    /// Appends the packed value.
    fn put_column(&self, out: &mut Vec<u8>);
}

impl<T: Packed> AsColumn<T> for T {
    #[inline]
    fn put_column(&self, out: &mut Vec<u8>) {
        self.put(out);
    }
}

impl<T: Packed> AsColumn<T> for &T {
    #[inline]
    fn put_column(&self, out: &mut Vec<u8>) {
        self.put(out);
    }
}

impl AsColumn<String> for &str {
    #[inline]
    fn put_column(&self, out: &mut Vec<u8>) {
        u8::put_list(self.as_bytes(), out);
    }
}

impl AsColumn<Vec<u8>> for &[u8] {
    #[inline]
    fn put_column(&self, out: &mut Vec<u8>) {
        u8::put_list(self, out);
    }
}

impl<T: Packed> AsColumn<Option<T>> for T {
    #[inline]
    fn put_column(&self, out: &mut Vec<u8>) {
        out.push(0);
        self.put(out);
    }
}

impl AsColumn<Option<String>> for &str {
    #[inline]
    fn put_column(&self, out: &mut Vec<u8>) {
        out.push(0);
        u8::put_list(self.as_bytes(), out);
    }
}

/// All columns of a key whose types are the tuple `C`: the value itself for one column, a tuple for more.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no key of columns `{C}`",
    label = "expected one value, or a tuple of values, of the types `{C}`"
)]
pub trait Key<C> {
    /// Appends the packed key.
    fn put_key(self, out: &mut Vec<u8>);
}

/// The first columns of a key whose types are the tuple `C`: one value, or a tuple of values. `M` tells
/// these two apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no prefix of a key of columns `{C}`",
    label = "expected the first value, or a tuple of the first values, of the types `{C}`"
)]
pub trait Prefix<C, M> {
    /// Appends the packed prefix.
    fn put_prefix(self, out: &mut Vec<u8>);
}

/// A range of one column of type `T`: any of Rust's range expressions, or a pair of [`Bound`]s.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no range of a column of type `{T}`",
    label = "expected a range like `low..high` with values of type `{T}`"
)]
pub trait ColumnRange<T> {
    /// Appends a lower and an upper bound, each behind what `put_prefix` writes.
    fn put_range(&self, put_prefix: &dyn Fn(&mut Vec<u8>), out: &mut Vec<u8>);
}

/// A range of a key whose types are the tuple `C`: of the first column, or, as the last part of a tuple,
/// of the column behind those that are given.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no range of a key of columns `{C}`",
    label = "expected a range, or a tuple of first values and a range, of the types `{C}`"
)]
pub trait KeyRange<C> {
    /// Appends a lower and an upper bound.
    fn put_bounds(self, out: &mut Vec<u8>);
}

/// Appends two equal bounds: the keys that start with what `put_key` writes.
pub(super) fn put_equal(put_key: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    let start = out.len();
    put_bound(abi::BOUND_INCLUDED, put_key, out);
    out.extend_from_within(start..);
}

/// Appends one bound as `abi` describes it; none if the key has no column.
fn put_bound(kind: u8, put_key: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[kind, 0, 0, 0, 0]);
    put_key(out);
    let len = (out.len() - start - 5) as u32;
    if len == 0 {
        out.truncate(start);
        out.push(abi::BOUND_NONE);
        return;
    }
    out[start + 1..start + 5].copy_from_slice(&len.to_le_bytes());
}

/// Appends the bounds of a range of the column behind a prefix. Where the range has no bound, all keys
/// with the prefix are in.
fn put_range<T, X: AsColumn<T>>(
    range: &impl RangeBounds<X>,
    put_prefix: &dyn Fn(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    for bound in [range.start_bound(), range.end_bound()] {
        let (kind, value) = match bound {
            Bound::Included(value) => (abi::BOUND_INCLUDED, Some(value)),
            Bound::Excluded(value) => (abi::BOUND_EXCLUDED, Some(value)),
            Bound::Unbounded => (abi::BOUND_INCLUDED, None),
        };
        put_bound(
            kind,
            |out| {
                put_prefix(out);
                if let Some(value) = value {
                    value.put_column(out);
                }
            },
            out,
        );
    }
}

macro_rules! column_ranges {
    ($($range:ty),*) => {$(
        impl<T, X: AsColumn<T>> ColumnRange<T> for $range {
            fn put_range(&self, put_prefix: &dyn Fn(&mut Vec<u8>), out: &mut Vec<u8>) {
                put_range(self, put_prefix, out);
            }
        }
    )*};
}

column_ranges!(
    Range<X>,
    RangeInclusive<X>,
    RangeFrom<X>,
    RangeTo<X>,
    RangeToInclusive<X>,
    (Bound<X>, Bound<X>)
);

impl<T: Packed> ColumnRange<T> for RangeFull {
    fn put_range(&self, put_prefix: &dyn Fn(&mut Vec<u8>), out: &mut Vec<u8>) {
        put_range::<T, T>(self, put_prefix, out);
    }
}

/// Marks a prefix of one value that stands alone.
#[doc(hidden)]
#[derive(Debug)]
pub struct Alone;

/// Marks a prefix that is a tuple of `N` values.
#[doc(hidden)]
#[derive(Debug)]
pub struct Together<const N: usize>;

impl<A, X: AsColumn<A>> Key<(A,)> for X {
    #[inline]
    fn put_key(self, out: &mut Vec<u8>) {
        self.put_column(out);
    }
}

impl<A, X: AsColumn<A>> Prefix<(A,), Alone> for X {
    fn put_prefix(self, out: &mut Vec<u8>) {
        self.put_column(out);
    }
}

impl<A, X: ColumnRange<A>> KeyRange<(A,)> for X {
    fn put_bounds(self, out: &mut Vec<u8>) {
        self.put_range(&|_nothing| {}, out);
    }
}

/// A tuple of all columns is a key.
macro_rules! keys {
    ($($column:ident $value:ident $at:tt),*) => {
        impl<$($column, $value: AsColumn<$column>),*> Key<($($column,)*)> for ($($value,)*) {
            #[inline]
            fn put_key(self, out: &mut Vec<u8>) {
                $(self.$at.put_column(out);)*
            }
        }
    };
}

/// A value of the first column, a tuple of the first columns, and a range of the first column.
macro_rules! first_columns {
    ($($rest:ident),*) => {
        impl<A, $($rest,)* X: AsColumn<A>> Prefix<(A, $($rest,)*), Alone> for X {
            fn put_prefix(self, out: &mut Vec<u8>) {
                self.put_column(out);
            }
        }

        first_columns!(range [$($rest),*] Range RangeInclusive RangeFrom RangeTo RangeToInclusive);
    };
    (range $rest:tt $($range:ident)*) => {
        $(first_columns!(one $rest $range);)*
    };
    (one [$($rest:ident),*] $range:ident) => {
        impl<A, $($rest,)* X: AsColumn<A>> KeyRange<(A, $($rest,)*)> for $range<X> {
            fn put_bounds(self, out: &mut Vec<u8>) {
                ColumnRange::<A>::put_range(&self, &|_nothing| {}, out);
            }
        }
    };
}

/// A tuple of the first `$n` columns, and a tuple of these and a range of the next.
macro_rules! prefixes {
    ($n:literal: $($column:ident $value:ident $at:tt),* | $($rest:ident),*) => {
        impl<$($column, $value: AsColumn<$column>,)* $($rest,)*>
            Prefix<($($column,)* $($rest,)*), Together<$n>> for ($($value,)*)
        {
            fn put_prefix(self, out: &mut Vec<u8>) {
                $(self.$at.put_column(out);)*
            }
        }
    };
    (range $last:tt: $($column:ident $value:ident $at:tt),* | $next:ident $($rest:ident)*) => {
        impl<$($column, $value: AsColumn<$column>,)* $next, $($rest,)* Z: ColumnRange<$next>>
            KeyRange<($($column,)* $next, $($rest,)*)> for ($($value,)* Z,)
        {
            fn put_bounds(self, out: &mut Vec<u8>) {
                self.$last.put_range(&|out| { $(self.$at.put_column(out);)* }, out);
            }
        }
    };
}

keys!(A P 0, B Q 1);
keys!(A P 0, B Q 1, C R 2);
keys!(A P 0, B Q 1, C R 2, D S 3);
first_columns!(B);
first_columns!(B, C);
first_columns!(B, C, D);
prefixes!(1: A P 0 | B);
prefixes!(1: A P 0 | B, C);
prefixes!(1: A P 0 | B, C, D);
prefixes!(2: A P 0, B Q 1 |);
prefixes!(2: A P 0, B Q 1 | C);
prefixes!(2: A P 0, B Q 1 | C, D);
prefixes!(3: A P 0, B Q 1, C R 2 |);
prefixes!(3: A P 0, B Q 1, C R 2 | D);
prefixes!(4: A P 0, B Q 1, C R 2, D S 3 |);
prefixes!(range 1: A P 0 | B);
prefixes!(range 1: A P 0 | B C);
prefixes!(range 1: A P 0 | B C D);
prefixes!(range 2: A P 0, B Q 1 | C);
prefixes!(range 2: A P 0, B Q 1 | C D);
prefixes!(range 3: A P 0, B Q 1, C R 2 | D);
