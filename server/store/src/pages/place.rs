//! A place in the directory of pages.

use std::sync::Arc;

use crate::page::{FixedPage, PAGED_ROW_BYTES_MAX, SlottedPage};

/// A page of some kind, or none. Writes copy what a read view shares.
#[derive(Clone, Debug, Default)]
pub(super) enum Place {
    /// No rows, and no memory.
    #[default]
    Vacant,
    /// Rows of a table whose rows all have one length, of up to [`PAGED_ROW_BYTES_MAX`].
    Fixed(Arc<FixedPage>),
    /// Rows of any length up to [`PAGED_ROW_BYTES_MAX`].
    Slotted(Arc<SlottedPage>),
    /// One longer row, as slot 0.
    Alone(Arc<[u8]>),
}

impl Place {
    /// A page without rows that takes many; all of one length if that is given.
    pub(super) fn shared(row_bytes: Option<usize>) -> Self {
        match row_bytes {
            Some(row_bytes) => Self::Fixed(Arc::new(FixedPage::new(row_bytes))),
            None => Self::Slotted(Arc::new(SlottedPage::new())),
        }
    }

    /// The row in a slot, if there is one.
    #[inline]
    pub(super) fn row(&self, slot: u16) -> Option<&[u8]> {
        match self {
            Self::Fixed(page) => page.row(slot),
            Self::Slotted(page) => page.row(slot),
            Self::Alone(row) if slot == 0 => Some(row),
            Self::Alone(_) | Self::Vacant => None,
        }
    }

    /// The first row at or after a slot.
    #[inline]
    pub(super) fn next_row(&self, from: u16) -> Option<(u16, &[u8])> {
        match self {
            Self::Fixed(page) => {
                let slot = page.next_live(from)?;
                Some((slot, page.row(slot)?))
            }
            Self::Slotted(page) => {
                let mut slots = from..page.slot_count();
                slots.find_map(|slot| Some((slot, page.row(slot)?)))
            }
            Self::Alone(row) if from == 0 => Some((0, row)),
            Self::Alone(_) | Self::Vacant => None,
        }
    }

    /// Whether both are the very same page.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Vacant, Self::Vacant) => true,
            (Self::Fixed(one), Self::Fixed(two)) => Arc::ptr_eq(one, two),
            (Self::Slotted(one), Self::Slotted(two)) => Arc::ptr_eq(one, two),
            (Self::Alone(one), Self::Alone(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }

    /// Whether [`Self::insert`] may be called with a row of this length.
    pub(super) fn fits(&self, len: usize) -> bool {
        match self {
            Self::Fixed(page) => page.has_room(),
            Self::Slotted(page) => page.fits(len),
            Self::Alone(_) | Self::Vacant => false,
        }
    }

    /// Whether so much is free that new rows should come here.
    pub(super) fn is_spacious(&self) -> bool {
        match self {
            Self::Fixed(page) => page.is_spacious(),
            Self::Slotted(page) => page.is_spacious(),
            Self::Alone(_) | Self::Vacant => false,
        }
    }

    /// Whether there is no row.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Fixed(page) => page.len() == 0,
            Self::Slotted(page) => page.len() == 0,
            Self::Alone(_) => false,
            Self::Vacant => true,
        }
    }

    /// Adds a row that [`Self::fits`] and returns its slot.
    pub(super) fn insert(&mut self, row: &[u8]) -> u16 {
        match self {
            Self::Fixed(page) => Arc::make_mut(page).insert(row),
            Self::Slotted(page) => Arc::make_mut(page).insert(row),
            Self::Alone(_) | Self::Vacant => panic!("the caller asked whether the row fits"),
        }
    }

    /// Replaces the row in a slot that is in use. `false`: it does not fit, and nothing changed.
    pub(super) fn update(&mut self, slot: u16, row: &[u8]) -> bool {
        let is_long = row.len() > PAGED_ROW_BYTES_MAX;
        match self {
            Self::Fixed(page) => Arc::make_mut(page).update(slot, row),
            Self::Slotted(page) => return !is_long && Arc::make_mut(page).update(slot, row),
            Self::Alone(_) if !is_long => return false,
            Self::Alone(alone) => match Arc::get_mut(alone) {
                Some(bytes) if bytes.len() == row.len() => bytes.copy_from_slice(row),
                _ => *alone = row.into(),
            },
            Self::Vacant => panic!("a row that is replaced lies in a page"),
        }
        true
    }

    /// Frees a slot that is in use.
    pub(super) fn remove(&mut self, slot: u16) {
        match self {
            Self::Fixed(page) => Arc::make_mut(page).remove(slot),
            Self::Slotted(page) => Arc::make_mut(page).remove(slot),
            Self::Alone(_) => *self = Self::Vacant,
            Self::Vacant => panic!("a row that is removed lies in a page"),
        }
    }
}
