//! The pages of a table: where rows lie, and what a read view shares.
//!
//! Pages hang in chunks of 64 from a directory; pages and chunks are copy-on-write. A read view clones
//! the directory alone (one `Arc` per 64 pages), and the writer copies a chunk's list and a page the
//! first time it touches them while a view holds them.

mod place;
mod row_ref;
mod view;

use std::collections::BTreeSet;

use syncline_protocol::limits::CALL_WRITE_BYTES_MAX;

pub(crate) use row_ref::RowRef;
pub(crate) use view::{PageRows, PagesView};

use crate::page::PAGED_ROW_BYTES_MAX;
use place::Place;
use row_ref::PAGES_MAX;

/// Pages that only a rollback may use. A transaction writes 64 MiB at most, so the rows that come back
/// need no more, however the free places have shifted.
const ROLLBACK_PAGES: u32 = 1 << 16;

const _: () = assert!(
    CALL_WRITE_BYTES_MAX / PAGED_ROW_BYTES_MAX + CALL_WRITE_BYTES_MAX / 4096
        <= ROLLBACK_PAGES as usize,
    "the long rows of a transaction, and pages a quarter full of its other rows"
);

/// The pages of a table, for its one writer. Where a new row goes is a function of the history: into
/// the page of the last insert, else into the first page with a quarter of it free, else a new one.
#[derive(Debug)]
pub(crate) struct Pages {
    view: PagesView,
    /// Length of every row, if it is the same and fits in pages.
    row_bytes: Option<usize>,
    /// Pages that exist have numbers below it.
    page_count: u32,
    /// Where the last insert went.
    current: Option<u32>,
    /// Pages that were spacious when a row left them, `current` not among them.
    spacious: BTreeSet<u32>,
    /// Pages without rows, below `page_count`.
    vacant: BTreeSet<u32>,
}

impl Pages {
    /// No rows; all will have this length if it is given.
    pub(crate) fn new(row_bytes: Option<usize>) -> Self {
        Self {
            view: PagesView::default(),
            row_bytes: row_bytes.filter(|&len| len <= PAGED_ROW_BYTES_MAX),
            page_count: 0,
            current: None,
            spacious: BTreeSet::new(),
            vacant: BTreeSet::new(),
        }
    }

    /// What is there now, for reading.
    #[inline]
    pub(crate) fn view(&self) -> &PagesView {
        &self.view
    }

    /// Whether a transaction may add no row and lengthen none.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.page_count >= PAGES_MAX - ROLLBACK_PAGES
            && self.page_count - self.vacant.len() as u32 >= PAGES_MAX - ROLLBACK_PAGES
    }

    /// Adds a row; `None` if there are as many pages as a table may have.
    pub(crate) fn insert(&mut self, row: &[u8]) -> Option<RowRef> {
        let at = if row.len() > PAGED_ROW_BYTES_MAX {
            let page = self.vacant_page()?;
            *self.view.place_mut(page) = Place::Alone(row.into());
            RowRef::new(page, 0)
        } else {
            let page = self.page_for(row.len())?;
            RowRef::new(page, self.view.place_mut(page).insert(row))
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
        if self.view.place_mut(at.page()).update(at.slot(), row) {
            if self.row_bytes.is_none() {
                self.note_room(at.page());
            }
            return Some(at);
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
        let page = at.page();
        let place = self.view.place_mut(page);
        place.remove(at.slot());
        if place.is_empty() && self.current != Some(page) {
            *place = Place::Vacant;
            self.spacious.remove(&page);
            self.vacant.insert(page);
        } else {
            self.note_room(page);
        }
        self.view.len -= 1;
    }

    fn note_room(&mut self, page: u32) {
        let is_spacious = self.view.place(page).is_some_and(Place::is_spacious);
        if is_spacious && self.current != Some(page) {
            self.spacious.insert(page);
        }
    }

    /// The page that takes a row of this length.
    fn page_for(&mut self, len: usize) -> Option<u32> {
        let fits = |view: &PagesView, page| view.place(page).is_some_and(|place| place.fits(len));
        if let Some(current) = self.current {
            if fits(&self.view, current) {
                return Some(current);
            }
            self.current = None;
            self.note_room(current);
        }
        while let Some(page) = self.spacious.pop_first() {
            // Its rows may have grown since it was spacious.
            if fits(&self.view, page) {
                self.current = Some(page);
                return Some(page);
            }
        }
        let page = self.vacant_page()?;
        *self.view.place_mut(page) = Place::shared(self.row_bytes);
        self.current = Some(page);
        Some(page)
    }

    fn vacant_page(&mut self) -> Option<u32> {
        if let Some(page) = self.vacant.pop_first() {
            return Some(page);
        }
        let page = self.page_count;
        if page == PAGES_MAX {
            return None;
        }
        self.view.grow(page);
        self.page_count += 1;
        Some(page)
    }
}

#[cfg(test)]
mod tests;
