//! Rows that a look-up or a scan yields.

use crate::index::Matches;
use crate::pages::{PageRows, PagesView};

/// Packed rows, one after the other.
#[derive(Clone, Debug)]
pub struct Rows<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Pages(PageRows<'a>),
    Matches(&'a PagesView, Matches<'a>),
    None,
}

impl<'a> Rows<'a> {
    /// No rows.
    #[must_use]
    pub fn none() -> Self {
        Self(Source::None)
    }

    pub(crate) fn all(pages: &'a PagesView) -> Self {
        Self(Source::Pages(pages.places()))
    }

    pub(crate) fn at(pages: &'a PagesView, places: Matches<'a>) -> Self {
        Self(Source::Matches(pages, places))
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        match &mut self.0 {
            Source::Pages(rows) => rows.next().map(|(_, row)| row),
            Source::Matches(pages, places) => {
                let at = places.next()?;
                Some(pages.get(at).expect("an index points at rows"))
            }
            Source::None => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Source::Pages(rows) => rows.size_hint(),
            Source::Matches(_, places) => places.size_hint(),
            Source::None => (0, Some(0)),
        }
    }
}
