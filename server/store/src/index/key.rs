//! A memcomparable key that an ordered index holds.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// Bytes of a key that needs no allocation of its own.
const INLINE_BYTES: usize = 30;

/// A byte string of 32 bytes in all, or on the heap if it is longer than 30. Ordered as bytes.
#[derive(Clone)]
pub(crate) struct OrderedKey(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_BYTES] },
    Heap(Box<[u8]>),
}

const _: () = assert!(
    size_of::<OrderedKey>() == 32,
    "a key takes four words of a B-tree node"
);

impl OrderedKey {
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Heap(bytes) => bytes,
        }
    }
}

impl OrderedKey {
    /// Bytes beside its own.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Heap(bytes) => bytes.len(),
        }
    }
}

impl From<&[u8]> for OrderedKey {
    fn from(key: &[u8]) -> Self {
        Self(if key.len() <= INLINE_BYTES {
            let mut bytes = [0; INLINE_BYTES];
            bytes[..key.len()].copy_from_slice(key);
            Repr::Inline {
                len: key.len() as u8,
                bytes,
            }
        } else {
            Repr::Heap(key.into())
        })
    }
}

impl Borrow<[u8]> for OrderedKey {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for OrderedKey {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for OrderedKey {}

impl PartialOrd for OrderedKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OrderedKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl std::fmt::Debug for OrderedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice().fmt(f)
    }
}
