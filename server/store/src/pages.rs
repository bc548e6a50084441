//! The pages of a table: where rows lie, and what a read view shares.
//!
//! Pages hang in chunks of 64 from a directory; pages and chunks are copy-on-write. A read view clones
//! the directory alone (one `Arc` per 64 pages), and the writer copies a chunk's list and a page the
//! first time it touches them while a view holds them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::page::{PAGED_ROW_BYTES_MAX, Page, SLOTS_MAX, SPACIOUS_BYTES};

/// Where a row lies: 22 bits of page, 10 bits of slot. Its order is page order. It stays the same
/// until the row is deleted or grows out of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RowRef(u32);

const SLOT_BITS: u32 = SLOTS_MAX.trailing_zeros();
/// The last page number is left out, so that no row has the place `u32::MAX`.
const PAGES_MAX: u32 = (1 << (u32::BITS - SLOT_BITS)) - 1;
const CHUNK_PAGES: usize = 64;

const _: () = assert!(SLOTS_MAX.is_power_of_two(), "a slot number has whole bits");

impl RowRef {
    fn new(page: u32, slot: u16) -> Self {
        debug_assert!(page < PAGES_MAX && slot < SLOTS_MAX, "both have their bits");
        Self(page << SLOT_BITS | u32::from(slot))
    }

    fn page(self) -> u32 {
        self.0 >> SLOT_BITS
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

    fn slot(self) -> u16 {
        (self.0 & (u32::from(SLOTS_MAX) - 1)) as u16
    }
}

/// A place in the directory.
#[derive(Clone, Debug, Default)]
enum Place {
    /// No rows, and no memory.
    #[default]
    Vacant,
    /// Rows of up to [`PAGED_ROW_BYTES_MAX`] bytes.
    Shared(Arc<Page>),
    /// One longer row, as slot 0.
    Alone(Arc<[u8]>),
}

#[derive(Clone, Debug)]
struct Chunk {
    places: [Place; CHUNK_PAGES],
}

impl Chunk {
    fn new() -> Self {
        Self {
            places: std::array::from_fn(|_| Place::Vacant),
        }
    }
}

impl Place {
    #[inline]
    fn row(&self, slot: u16) -> Option<&[u8]> {
        match self {
            Self::Shared(page) => page.row(slot),
            Self::Alone(row) if slot == 0 => Some(row),
            Self::Alone(_) | Self::Vacant => None,
        }
    }

    fn slot_count(&self) -> u16 {
        match self {
            Self::Vacant => 0,
            Self::Shared(page) => page.slot_count(),
            Self::Alone(_) => 1,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Vacant, Self::Vacant) => true,
            (Self::Shared(one), Self::Shared(two)) => Arc::ptr_eq(one, two),
            (Self::Alone(one), Self::Alone(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

/// The directory as of one moment: immutable, shared with the writer until that changes a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct PagesView {
    chunks: Vec<Arc<Chunk>>,
    len: usize,
}

impl PagesView {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The row that lies there, if one does.
    #[inline]
    pub(crate) fn get(&self, at: RowRef) -> Option<&[u8]> {
        self.place(at.page())?.row(at.slot())
    }

    /// All rows in page order, with their places.
    pub(crate) fn places(&self) -> PageRows<'_> {
        PageRows {
            view: self,
            next: Some(RowRef::FIRST),
            left: self.len,
        }
    }

    /// Whether the page of `at` is the very one that `other` has, so that nothing in it has changed.
    pub(crate) fn shares_page(&self, other: &Self, at: RowRef) -> bool {
        match (self.place(at.page()), other.place(at.page())) {
            (Some(one), Some(two)) => one.is_same(two),
            _ => false,
        }
    }

    /// The first row at or after `from` in page order, and where it lies.
    pub(crate) fn next_row(&self, from: RowRef) -> Option<(RowRef, &[u8])> {
        let (mut page, mut slot) = (from.page(), from.slot());
        loop {
            let chunk = self.chunks.get(page as usize / CHUNK_PAGES)?;
            let place = &chunk.places[page as usize % CHUNK_PAGES];
            for slot in slot..place.slot_count() {
                if let Some(row) = place.row(slot) {
                    return Some((RowRef::new(page, slot), row));
                }
            }
            page += 1;
            slot = 0;
        }
    }

    #[inline]
    fn place(&self, page: u32) -> Option<&Place> {
        let chunk = self.chunks.get(page as usize / CHUNK_PAGES)?;
        Some(&chunk.places[page as usize % CHUNK_PAGES])
    }
}

impl RowRef {
    /// The first place.
    pub(crate) const FIRST: Self = Self(0);

    /// The place after this one in page order; `None` after the last that can be.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// All rows in page order, with their places.
#[derive(Clone, Debug)]
pub(crate) struct PageRows<'a> {
    view: &'a PagesView,
    next: Option<RowRef>,
    left: usize,
}

impl<'a> Iterator for PageRows<'a> {
    type Item = (RowRef, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (at, row) = self.view.next_row(self.next?)?;
        self.next = at.next();
        self.left -= 1;
        Some((at, row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// The pages of a table, for its one writer. Where a new row goes is a function of the history: into
/// the page of the last insert, else into the first page with a quarter of it free, else a new one.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    view: PagesView,
    /// Pages that exist have numbers below it.
    page_count: u32,
    /// Where the last insert went.
    current: Option<u32>,
    /// Pages that had [`SPACIOUS_BYTES`] free when a row left them, `current` not among them.
    spacious: BTreeSet<u32>,
    /// Pages without rows, below `page_count`.
    vacant: BTreeSet<u32>,
}

impl Pages {
    /// What is there now, for reading.
    #[inline]
    pub(crate) fn view(&self) -> &PagesView {
        &self.view
    }

    /// Adds a row; `None` if there are as many pages as a table may have.
    pub(crate) fn insert(&mut self, row: &[u8]) -> Option<RowRef> {
        let at = if row.len() > PAGED_ROW_BYTES_MAX {
            let page = self.vacant_page()?;
            *self.place_mut(page) = Place::Alone(row.into());
            RowRef::new(page, 0)
        } else {
            let page = self.page_for(row.len())?;
            match self.place_mut(page) {
                Place::Shared(shared) => RowRef::new(page, Arc::make_mut(shared).insert(row)),
                _ => panic!("rows of ordinary length lie in shared pages"),
            }
        };
        self.view.len += 1;
        Some(at)
    }

    /// Replaces a row that is there and returns where it lies now; `None`, and nothing changed, if
    /// there are as many pages as a table may have.
    ///
    /// # Panics
    /// If no row lies at `at`.
    pub(crate) fn update(&mut self, at: RowRef, row: &[u8]) -> Option<RowRef> {
        let page = at.page();
        let fits = row.len() <= PAGED_ROW_BYTES_MAX;
        match self.place_mut(page) {
            Place::Shared(shared) if fits => {
                let shared = Arc::make_mut(shared);
                let free_bytes = shared.free_bytes();
                if shared.update(at.slot(), row) {
                    if shared.free_bytes() > free_bytes {
                        self.note_room(page);
                    }
                    return Some(at);
                }
            }
            Place::Alone(alone) if !fits => {
                match Arc::get_mut(alone) {
                    Some(bytes) if bytes.len() == row.len() => bytes.copy_from_slice(row),
                    _ => *alone = row.into(),
                }
                return Some(at);
            }
            _ => {}
        }
        let moved = self.insert(row)?;
        self.remove(at);
        Some(moved)
    }

    /// Removes a row.
    ///
    /// # Panics
    /// If no row lies at `at`.
    pub(crate) fn remove(&mut self, at: RowRef) {
        let number = at.page();
        let is_current = self.current == Some(number);
        let place = self.place_mut(number);
        let is_vacant = match place {
            Place::Shared(page) => {
                let page = Arc::make_mut(page);
                page.remove(at.slot());
                page.len() == 0 && !is_current
            }
            Place::Alone(_) => true,
            Place::Vacant => panic!("a row that is removed lies in a page"),
        };
        if is_vacant {
            *place = Place::Vacant;
            self.spacious.remove(&number);
            self.vacant.insert(number);
        } else {
            self.note_room(number);
        }
        self.view.len -= 1;
    }

    fn note_room(&mut self, number: u32) {
        if self.current != Some(number)
            && self
                .page(number)
                .is_some_and(|page| page.free_bytes() >= SPACIOUS_BYTES)
        {
            self.spacious.insert(number);
        }
    }

    /// The page that takes a row of this length.
    fn page_for(&mut self, len: usize) -> Option<u32> {
        if let Some(current) = self.current {
            if self.page(current).is_some_and(|page| page.fits(len)) {
                return Some(current);
            }
            self.current = None;
            self.note_room(current);
        }
        while let Some(number) = self.spacious.pop_first() {
            // Its rows may have grown since it was spacious.
            if self.page(number).is_some_and(|page| page.fits(len)) {
                self.current = Some(number);
                return Some(number);
            }
        }
        let number = self.vacant_page()?;
        *self.place_mut(number) = Place::Shared(Arc::new(Page::new()));
        self.current = Some(number);
        Some(number)
    }

    fn vacant_page(&mut self) -> Option<u32> {
        if let Some(number) = self.vacant.pop_first() {
            return Some(number);
        }
        let number = self.page_count;
        if number == PAGES_MAX {
            return None;
        }
        if number as usize == self.view.chunks.len() * CHUNK_PAGES {
            self.view.chunks.push(Arc::new(Chunk::new()));
        }
        self.page_count += 1;
        Some(number)
    }

    #[inline]
    fn place_mut(&mut self, number: u32) -> &mut Place {
        let chunk = Arc::make_mut(&mut self.view.chunks[number as usize / CHUNK_PAGES]);
        &mut chunk.places[number as usize % CHUNK_PAGES]
    }

    fn page(&self, number: u32) -> Option<&Page> {
        match self.view.place(number)? {
            Place::Shared(page) => Some(page),
            Place::Alone(_) | Place::Vacant => None,
        }
    }
}

#[cfg(test)]
mod tests;
