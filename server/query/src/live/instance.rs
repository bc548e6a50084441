//! Instances: a template with its parameters, shared by all who subscribe to it.

use super::rank::Place;
use super::window::Window;
use crate::flow::{NodeState, NodeStates};

/// One live result.
#[derive(Debug)]
pub(super) struct Instance {
    /// Its name on the wire.
    pub(super) handle: u64,
    pub(super) template: u32,
    pub(super) subscription_count: u32,
    /// Packed.
    pub(super) params: Box<[u8]>,
    /// The last change that the router brought it, so that none is looked at twice.
    pub(super) seen: u64,
    /// The last change that concerned it, to see whether `slot` is of this step.
    pub(super) hit: u64,
    /// Its place among the instances that this step affects.
    pub(super) slot: u32,
    /// Bytes of rows that moves have added to the result since it was evaluated.
    pub(super) grown: u32,
    pub(super) memory: Memory,
}

/// What an instance remembers from step to step.
#[derive(Debug)]
pub(super) enum Memory {
    Nothing,
    Window(Box<Window>),
    /// Of a rank.
    Place(Box<Place>),
    /// Of each node of a flow.
    Nodes(Box<NodeStates>),
}

impl Instance {
    pub(super) fn window(&self) -> Option<&Window> {
        match &self.memory {
            Memory::Window(window) => Some(window),
            _ => None,
        }
    }

    pub(super) fn nodes(&self) -> &[NodeState] {
        match &self.memory {
            Memory::Nodes(nodes) => nodes,
            _ => &[],
        }
    }
}

const _: () = assert!(
    size_of::<Instance>() <= 72,
    "a hundred thousand of them fit in a cache"
);
