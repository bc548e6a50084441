//! Rows and arguments in packed form, written by hand: the model shares no code with what it judges.

/// A packed row that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Packed(pub(crate) Vec<u8>);

impl Packed {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn u16(self, value: u16) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn i64(self, value: i64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn f64(self, value: f64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn text(self, value: &str) -> Self {
        let len = u32::try_from(value.len()).expect("texts are short here");
        self.u32(len).raw(value.as_bytes())
    }

    /// Tag 0 and the value, or tag 1.
    pub(crate) fn option<T>(self, value: Option<T>, put: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => put(self.raw(&[0]), value),
            None => self.raw(&[1]),
        }
    }
}
