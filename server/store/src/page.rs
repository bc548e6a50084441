//! Pages: packed rows in one buffer of about 16 KiB, copied as a whole when a read view shares it.

mod fixed;
mod slotted;

pub(crate) use fixed::FixedPage;
pub(crate) use slotted::SlottedPage;

/// Slots of a page; a [`crate::pages::RowRef`] has ten bits for them.
pub(crate) const SLOTS_MAX: u16 = 1024;
/// Longer rows get a page of their own, so that at most an eighth of a page is lost at its end.
pub(crate) const PAGED_ROW_BYTES_MAX: usize = 2048;
