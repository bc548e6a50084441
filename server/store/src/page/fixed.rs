//! A page of rows that all have the same length.

use super::{PAGED_ROW_BYTES_MAX, SLOTS_MAX};

/// Bytes of a page for rows.
const DATA_BYTES: usize = 16 * 1024 - 48 - BITS * 8;
/// Words that hold a bit for each slot.
const BITS: usize = SLOTS_MAX as usize / 64;

/// Slot `i` is at `i * row_bytes`, so a row is found without a look into a list of slots. The lowest
/// free slot is used first.
#[derive(Clone, Debug)]
pub(crate) struct FixedPage {
    row_bytes: u16,
    /// Slots that a page of such rows has.
    slot_count: u16,
    /// Slots in use.
    live: u16,
    /// Which slots are in use.
    bits: [u64; BITS],
    data: [u8; DATA_BYTES],
}

impl FixedPage {
    /// A page without rows, for rows of a length from 1 to [`PAGED_ROW_BYTES_MAX`].
    pub(crate) fn new(row_bytes: usize) -> Self {
        debug_assert!(
            (1..=PAGED_ROW_BYTES_MAX).contains(&row_bytes),
            "other rows have other pages"
        );
        let slot_count = (DATA_BYTES / row_bytes).min(usize::from(SLOTS_MAX));
        Self {
            row_bytes: row_bytes as u16,
            slot_count: slot_count as u16,
            live: 0,
            bits: [0; BITS],
            data: [0; DATA_BYTES],
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> u16 {
        self.live
    }

    /// Whether there is a free slot.
    pub(crate) fn has_room(&self) -> bool {
        self.live < self.slot_count
    }

    /// Whether so much is free that new rows should come here.
    pub(crate) fn is_spacious(&self) -> bool {
        self.slot_count - self.live > self.slot_count / 4
    }

    /// The row in a slot; `None` if the slot is free.
    #[inline]
    pub(crate) fn row(&self, slot: u16) -> Option<&[u8]> {
        let word = self.bits.get(usize::from(slot) / 64)?;
        if word >> (slot % 64) & 1 == 0 {
            return None;
        }
        let start = usize::from(slot) * usize::from(self.row_bytes);
        Some(&self.data[start..start + usize::from(self.row_bytes)])
    }

    /// The first slot at or after `from` that is in use.
    pub(crate) fn next_live(&self, from: u16) -> Option<u16> {
        let first = usize::from(from) / 64;
        let mut mask = u64::MAX << (from % 64);
        for (number, word) in self.bits.iter().enumerate().skip(first) {
            let live = word & mask;
            if live != 0 {
                return Some(number as u16 * 64 + live.trailing_zeros() as u16);
            }
            mask = u64::MAX;
        }
        None
    }

    /// Adds a row of the page's length and returns its slot; the page has room.
    pub(crate) fn insert(&mut self, row: &[u8]) -> u16 {
        let word = self.bits.iter().position(|word| *word != u64::MAX);
        let word = word.expect("a page with room has a bit that is not set");
        let slot = word as u16 * 64 + self.bits[word].trailing_ones() as u16;
        debug_assert!(slot < self.slot_count, "the caller has asked");
        self.bits[word] |= 1 << (slot % 64);
        self.live += 1;
        self.update(slot, row);
        slot
    }

    /// Replaces the row in a slot that is in use.
    pub(crate) fn update(&mut self, slot: u16, row: &[u8]) {
        let start = usize::from(slot) * usize::from(self.row_bytes);
        self.data[start..start + usize::from(self.row_bytes)].copy_from_slice(row);
    }

    /// Frees a slot that is in use.
    pub(crate) fn remove(&mut self, slot: u16) {
        debug_assert!(self.row(slot).is_some(), "the slot is in use");
        self.bits[usize::from(slot) / 64] &= !(1 << (slot % 64));
        self.live -= 1;
    }
}

#[cfg(test)]
mod tests;
