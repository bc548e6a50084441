//! What a query of one instance must remember: only where mathematics demands it.

mod accumulator;
mod arranged;
mod counter;
mod groups;
mod window;

use smallvec::SmallVec;

pub(crate) use arranged::Arranged;
pub(crate) use counter::Counter;
pub(crate) use groups::{GroupPlan, GroupScratch, Groups};
pub(crate) use window::{Ordered, WindowPlan};

/// The states of the queries of one instance. Most flows are one query: its state is not a place of its own.
pub(crate) type NodeStates = SmallVec<[NodeState; 1]>;

/// The state of one query of one instance. What many have lies in it, the rest beside it.
#[derive(Debug, Default)]
pub(crate) struct NodeState {
    pub(crate) groups: Option<Groups>,
    pub(crate) counter: Option<Box<Counter>>,
    pub(crate) window: Option<Box<Ordered>>,
    pub(crate) arranged: Option<Box<Arranged>>,
}

impl NodeState {
    /// Bytes of memory, roughly.
    pub(crate) fn byte_len(&self) -> usize {
        size_of::<Self>()
            + self.groups.as_ref().map_or(0, Groups::byte_len)
            + self
                .counter
                .as_ref()
                .map_or(0, |own| size_of::<Counter>() + own.byte_len())
            + self
                .window
                .as_ref()
                .map_or(0, |own| size_of::<Ordered>() + own.byte_len())
            + self
                .arranged
                .as_ref()
                .map_or(0, |own| size_of::<Arranged>() + own.byte_len())
    }
}
