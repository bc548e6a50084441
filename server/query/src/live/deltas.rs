//! What a transaction changed in the live queries.

/// A buffer that one great transaction made larger than this is given back.
pub(super) const KEPT_BYTES_MAX: usize = 16 << 20;

/// The operations of all affected instances after one step, in one buffer that is used again.
#[derive(Clone, Debug, Default)]
pub struct Deltas {
    bytes: Vec<u8>,
    /// Handles ascending, and where the operations of each end.
    ends: Vec<(u64, usize)>,
}

impl Deltas {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many instances are affected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no instance is affected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all operations.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Each affected handle, ascending, with its operations ([`syncline_protocol::message::DeltaReader`]).
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &[u8])> {
        self.ends
            .iter()
            .enumerate()
            .map(|(position, &(handle, end))| {
                let start = position
                    .checked_sub(1)
                    .map_or(0, |before| self.ends[before].1);
                (handle, &self.bytes[start..end])
            })
    }

    /// The handle and operations at this position of [`Self::iter`].
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn get(&self, position: usize) -> (u64, &[u8]) {
        let (handle, end) = self.ends[position];
        let start = position
            .checked_sub(1)
            .map_or(0, |before| self.ends[before].1);
        (handle, &self.bytes[start..end])
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.ends.clear();
    }

    /// Where the operations of the next instance go.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What was appended since the last call and before `end` belongs to this handle.
    pub(super) fn close_at(&mut self, handle: u64, end: usize) {
        debug_assert!(
            self.ends.last().is_none_or(|last| *last < (handle, end)),
            "handles ascend, and none has nothing"
        );
        self.ends.push((handle, end));
    }

    /// Everything appended since the last call belongs to this handle; nothing is no delta.
    pub(super) fn close(&mut self, handle: u64) {
        let start = self.ends.last().map_or(0, |(_, end)| *end);
        debug_assert!(
            self.ends.last().is_none_or(|(last, _)| *last < handle),
            "handles ascend"
        );
        if self.bytes.len() > start {
            self.ends.push((handle, self.bytes.len()));
        }
    }
}
