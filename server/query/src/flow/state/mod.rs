//! What a query of one instance must remember: only where mathematics demands it.

mod accumulator;
mod arranged;
mod counter;
mod groups;
mod window;

pub(crate) use arranged::Arranged;
pub(crate) use counter::Counter;
pub(crate) use groups::{GroupPlan, GroupScratch, Groups};
pub(crate) use window::{Ordered, WindowPlan};

/// The state of one query of one instance.
#[derive(Debug, Default)]
pub(crate) struct NodeState {
    pub(crate) groups: Option<Groups>,
    pub(crate) counter: Option<Counter>,
    pub(crate) window: Option<Ordered>,
    pub(crate) arranged: Option<Arranged>,
}

impl NodeState {
    /// Bytes of memory, roughly.
    pub(crate) fn byte_len(&self) -> usize {
        size_of::<Self>()
            + self.groups.as_ref().map_or(0, Groups::byte_len)
            + self.counter.as_ref().map_or(0, Counter::byte_len)
            + self.window.as_ref().map_or(0, Ordered::byte_len)
            + self.arranged.as_ref().map_or(0, Arranged::byte_len)
    }
}
