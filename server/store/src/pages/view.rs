//! Pages for reading.

use std::sync::Arc;

use super::place::Place;
use super::row_ref::RowRef;

const CHUNK_PAGES: usize = 64;

#[derive(Clone, Debug)]
struct Chunk {
    places: [Place; CHUNK_PAGES],
}

/// The directory as of one moment: immutable, shared with the writer until that changes a page.
#[derive(Clone, Debug, Default)]
pub(crate) struct PagesView {
    chunks: Vec<Arc<Chunk>>,
    pub(super) len: usize,
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
            if let Some((slot, row)) = self.place(page)?.next_row(slot) {
                return Some((RowRef::new(page, slot), row));
            }
            page += 1;
            slot = 0;
        }
    }

    #[inline]
    pub(super) fn place(&self, page: u32) -> Option<&Place> {
        let chunk = self.chunks.get(page as usize / CHUNK_PAGES)?;
        Some(&chunk.places[page as usize % CHUNK_PAGES])
    }

    /// The place of a page that has one, no longer shared with a view.
    #[inline]
    pub(super) fn place_mut(&mut self, page: u32) -> &mut Place {
        let chunk = Arc::make_mut(&mut self.chunks[page as usize / CHUNK_PAGES]);
        &mut chunk.places[page as usize % CHUNK_PAGES]
    }

    /// Makes a place for a page whose number is one above the last.
    pub(super) fn grow(&mut self, page: u32) {
        if page as usize == self.chunks.len() * CHUNK_PAGES {
            let places = std::array::from_fn(|_| Place::Vacant);
            self.chunks.push(Arc::new(Chunk { places }));
        }
    }

    #[cfg(test)]
    pub(super) fn chunk_count(&self) -> usize {
        self.chunks.len()
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
