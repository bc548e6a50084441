//! A hash of a table's rows that does not depend on their order.

use super::Table;

impl Table {
    /// The wrapping sum of [`row_hash`] over all rows: equal for equal sets of rows, wherever they
    /// lie. It reads every row.
    pub fn row_hash_sum(&self) -> u64 {
        self.rows().map(row_hash).fold(0, u64::wrapping_add)
    }
}

/// Hash of a packed row. Part of the formats that hold such sums, so it never changes: the state begins
/// with the length in bytes; each 8 bytes as a little-endian word, the last ones padded with zeros, are
/// xored into it, and it is mixed with the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, 2014).
#[must_use]
pub fn row_hash(row: &[u8]) -> u64 {
    let mut state = mix(row.len() as u64);
    let mut words = row.chunks_exact(8);
    for word in &mut words {
        state = mix(state ^ u64::from_le_bytes(word.try_into().expect("a chunk has 8 bytes")));
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        state = mix(state ^ u64::from_le_bytes(word));
    }
    state
}

fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ state >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ state >> 31
}

#[cfg(test)]
mod tests;
