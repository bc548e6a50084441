//! A hash of a table's rows that does not depend on their order.

use super::Table;

impl Table {
    /// The wrapping sum of [`row_hash`] over all rows: equal for equal sets of rows, wherever they
    /// lie. It is kept up to date with every write.
    pub fn row_sum(&self) -> u64 {
        self.row_sum
    }

    /// [`Self::row_sum`] of the rows that are there. It reads every row.
    pub fn row_hash_sum(&self) -> u64 {
        self.rows().map(row_hash).fold(0, u64::wrapping_add)
    }
}

/// Odd numbers without a pattern: the fractional parts of the square roots of 2, 3 and 5.
const LEN: u64 = 0x6a09_e667_f3bc_c909;
const LOW: u64 = 0xbb67_ae85_84ca_a73b;
const HIGH: u64 = 0x3c6e_f372_fe94_f82b;

/// Hash of a packed row. Part of the formats that hold such sums, so it never changes: the state begins
/// with the length in bytes folded with a constant; each 16 bytes as two little-endian words, the last
/// ones padded with zeros, are mixed into it by a folded multiplication (the two halves of a product of
/// 128 bits, xored), one more ends it. It finds accidents; whoever chooses rows can make two of one hash.
#[must_use]
#[inline]
pub fn row_hash(row: &[u8]) -> u64 {
    let mut state = fold(row.len() as u64 ^ LEN, HIGH);
    let (chunks, rest) = row.as_chunks::<16>();
    for chunk in chunks {
        state = mix(state, chunk);
    }
    if !rest.is_empty() {
        let mut chunk = [0; 16];
        chunk[..rest.len()].copy_from_slice(rest);
        state = mix(state, &chunk);
    }
    fold(state ^ LOW, LEN)
}

#[inline]
fn mix(state: u64, chunk: &[u8; 16]) -> u64 {
    let both = u128::from_le_bytes(*chunk);
    let (low, high) = (both as u64, (both >> 64) as u64);
    fold(low ^ state ^ LOW, high ^ state.rotate_left(32) ^ HIGH)
}

#[inline]
fn fold(one: u64, two: u64) -> u64 {
    let product = u128::from(one) * u128::from(two);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests;
