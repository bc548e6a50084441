//! A page of rows of any length.

use super::{PAGED_ROW_BYTES_MAX, SLOTS_MAX};

/// Bytes of a page for rows and their slots. With its header and the counts of its `Arc` it takes
/// just under 16 KiB of the allocator.
const DATA_BYTES: usize = 16 * 1024 - 48;
/// Bytes of a slot: u16 offset, u16 length.
const SLOT_BYTES: usize = 4;
/// A page with so much room takes any row that goes into pages.
const SPACIOUS_BYTES: usize = DATA_BYTES / 4;

/// Offset of a slot that holds no row; its length is then the next free slot.
const FREE: u16 = u16::MAX;
/// End of the list of free slots.
const NONE: u16 = u16::MAX;

const _: () = assert!(DATA_BYTES < FREE as usize, "an offset is never FREE");
const _: () = assert!(
    SPACIOUS_BYTES >= PAGED_ROW_BYTES_MAX + SLOT_BYTES,
    "spacious fits any row"
);

/// Slots grow from the front of `data`, rows from its back. A row keeps its slot for life; free slots
/// are reused, last freed first. Bytes of deleted rows are reclaimed when room is needed.
#[derive(Clone, Debug)]
pub(crate) struct SlottedPage {
    /// Slots in use or free.
    slot_count: u16,
    /// Head of the list of free slots.
    first_free: u16,
    /// No row lies below this offset.
    floor: u16,
    /// Bytes of live rows.
    used: u16,
    /// Number of live rows.
    live: u16,
    data: [u8; DATA_BYTES],
}

impl SlottedPage {
    /// A page without rows.
    pub(crate) fn new() -> Self {
        Self {
            slot_count: 0,
            first_free: NONE,
            floor: DATA_BYTES as u16,
            used: 0,
            live: 0,
            data: [0; DATA_BYTES],
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> u16 {
        self.live
    }

    /// Number of slots, free ones among them: rows have slots below it.
    pub(crate) fn slot_count(&self) -> u16 {
        self.slot_count
    }

    /// Whether so much is free that new rows should come here.
    pub(crate) fn is_spacious(&self) -> bool {
        self.free_bytes() >= SPACIOUS_BYTES
    }

    /// Bytes that are not in use by rows and slots, wherever they lie.
    fn free_bytes(&self) -> usize {
        DATA_BYTES - usize::from(self.slot_count) * SLOT_BYTES - usize::from(self.used)
    }

    /// Whether [`Self::insert`] may be called with a row of this length.
    pub(crate) fn fits(&self, len: usize) -> bool {
        if self.first_free == NONE {
            self.slot_count < SLOTS_MAX && self.free_bytes() >= len + SLOT_BYTES
        } else {
            self.free_bytes() >= len
        }
    }

    /// The row in a slot; `None` if the slot is free or was never there.
    #[inline]
    pub(crate) fn row(&self, slot: u16) -> Option<&[u8]> {
        if slot >= self.slot_count {
            return None;
        }
        let (offset, len) = self.slot(slot);
        if offset == FREE {
            return None;
        }
        Some(&self.data[usize::from(offset)..usize::from(offset) + usize::from(len)])
    }

    /// Adds a row that [`Self::fits`] and returns its slot.
    pub(crate) fn insert(&mut self, row: &[u8]) -> u16 {
        debug_assert!(self.fits(row.len()), "the caller has asked");
        let is_new_slot = self.first_free == NONE;
        let needed = if is_new_slot {
            row.len() + SLOT_BYTES
        } else {
            row.len()
        };
        if self.gap() < needed {
            self.compact();
        }
        let slot = if is_new_slot {
            self.slot_count += 1;
            self.slot_count - 1
        } else {
            let slot = self.first_free;
            self.first_free = self.slot(slot).1;
            slot
        };
        self.place(slot, row);
        self.live += 1;
        slot
    }

    /// Replaces the row in a slot that is in use. `false`: it has no room, and nothing changed.
    pub(crate) fn update(&mut self, slot: u16, row: &[u8]) -> bool {
        let (offset, len) = self.slot(slot);
        debug_assert!(offset != FREE, "the slot is in use");
        let old_len = usize::from(len);
        if row.len() <= old_len {
            let offset = usize::from(offset);
            self.data[offset..offset + row.len()].copy_from_slice(row);
            self.set_slot(slot, offset as u16, row.len() as u16);
            self.used -= (old_len - row.len()) as u16;
            return true;
        }
        if self.free_bytes() + old_len < row.len() {
            return false;
        }
        self.used -= len;
        self.set_slot(slot, 0, 0);
        if self.gap() < row.len() {
            self.compact();
        }
        self.place(slot, row);
        true
    }

    /// Frees a slot that is in use.
    pub(crate) fn remove(&mut self, slot: u16) {
        let (offset, len) = self.slot(slot);
        debug_assert!(offset != FREE, "the slot is in use");
        self.used -= len;
        self.live -= 1;
        if self.live == 0 {
            self.slot_count = 0;
            self.first_free = NONE;
            self.floor = DATA_BYTES as u16;
            return;
        }
        if offset == self.floor {
            self.floor += len;
        }
        self.set_slot(slot, FREE, self.first_free);
        self.first_free = slot;
    }

    /// Bytes between the slots and the lowest row.
    fn gap(&self) -> usize {
        usize::from(self.floor) - usize::from(self.slot_count) * SLOT_BYTES
    }

    /// Writes a row below all others.
    fn place(&mut self, slot: u16, row: &[u8]) {
        let end = usize::from(self.floor);
        let start = end - row.len();
        self.data[start..end].copy_from_slice(row);
        self.floor = start as u16;
        self.used += row.len() as u16;
        self.set_slot(slot, start as u16, row.len() as u16);
    }

    /// Moves all rows to the back, so that all free bytes are in the gap. Slots of length 0 hold
    /// nothing yet.
    #[cold]
    fn compact(&mut self) {
        let before = self.data;
        let mut end = DATA_BYTES;
        for slot in 0..self.slot_count {
            let (offset, len) = self.slot(slot);
            if offset == FREE || len == 0 {
                continue;
            }
            let (offset, len) = (usize::from(offset), usize::from(len));
            let start = end - len;
            self.data[start..end].copy_from_slice(&before[offset..offset + len]);
            self.set_slot(slot, start as u16, len as u16);
            end = start;
        }
        self.floor = end as u16;
    }

    #[inline]
    fn slot(&self, slot: u16) -> (u16, u16) {
        let at = usize::from(slot) * SLOT_BYTES;
        let bytes = &self.data[at..at + SLOT_BYTES];
        (
            u16::from_le_bytes([bytes[0], bytes[1]]),
            u16::from_le_bytes([bytes[2], bytes[3]]),
        )
    }

    fn set_slot(&mut self, slot: u16, offset: u16, len: u16) {
        let at = usize::from(slot) * SLOT_BYTES;
        self.data[at..at + 2].copy_from_slice(&offset.to_le_bytes());
        self.data[at + 2..at + SLOT_BYTES].copy_from_slice(&len.to_le_bytes());
    }
}

#[cfg(test)]
mod tests;
