//! Instances: a template with its parameters, shared by all who subscribe to it.

use std::ops::Deref;

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
    pub(super) params: PackedParams,
    /// The last change that the router brought it, so that none is looked at twice.
    pub(super) seen: u64,
    /// The last change that concerned it, to see whether `last_hit` is of this step.
    pub(super) hit: u64,
    /// The last hit of it in this step.
    pub(super) last_hit: u32,
    /// Bytes of rows that moves have added to the result since it was evaluated.
    pub(super) grown: u32,
    pub(super) memory: Memory,
}

/// Packed parameters. Those of most queries are short, and are read at each change that may concern one: they
/// lie with the rest of it, so that no other memory is waited for.
#[derive(Debug)]
pub(super) enum PackedParams {
    Short(u8, [u8; PARAMS_INLINE]),
    Long(Box<[u8]>),
}

/// Enough for the four bounds of a box.
const PARAMS_INLINE: usize = 38;

impl From<&[u8]> for PackedParams {
    fn from(packed: &[u8]) -> Self {
        let mut short = [0; PARAMS_INLINE];
        match short.get_mut(..packed.len()) {
            None => Self::Long(packed.into()),
            Some(place) => {
                place.copy_from_slice(packed);
                Self::Short(packed.len() as u8, short)
            }
        }
    }
}

impl Deref for PackedParams {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Short(len, short) => &short[..usize::from(*len)],
            Self::Long(packed) => packed,
        }
    }
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
    size_of::<Instance>() <= 96,
    "a hundred thousand of them fit in a cache"
);
