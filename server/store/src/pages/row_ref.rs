//! Where a row lies.

use crate::page::SLOTS_MAX;

/// 22 bits of page, 10 bits of slot. Its order is page order. It stays the same until the row is
/// deleted or grows out of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowRef(u32);

const SLOT_BITS: u32 = SLOTS_MAX.trailing_zeros();
/// Page numbers are below it. The last one is left out, so that no row has the place `u32::MAX`.
pub(crate) const PAGES_MAX: u32 = (1 << (u32::BITS - SLOT_BITS)) - 1;

const _: () = assert!(SLOTS_MAX.is_power_of_two(), "a slot number has whole bits");

impl RowRef {
    /// The first place.
    pub(crate) const FIRST: Self = Self(0);

    /// Any place, for tests of what holds places.
    #[cfg(test)]
    pub(crate) fn numbered(number: u32) -> Self {
        Self(number)
    }

    pub(super) fn new(page: u32, slot: u16) -> Self {
        debug_assert!(page < PAGES_MAX && slot < SLOTS_MAX, "both have their bits");
        Self(page << SLOT_BITS | u32::from(slot))
    }

    pub(super) fn page(self) -> u32 {
        self.0 >> SLOT_BITS
    }

    pub(super) fn slot(self) -> u16 {
        (self.0 & (u32::from(SLOTS_MAX) - 1)) as u16
    }

    /// The place after this one in page order; `None` after the last that can be.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// As a number below `u32::MAX`.
    #[inline]
    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    /// The place that [`Self::to_bits`] gave the number of.
    #[inline]
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}
