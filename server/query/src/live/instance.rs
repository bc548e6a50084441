//! Instances: a template with its parameters, shared by all who subscribe to it.

use super::window::Window;

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
    pub(super) window: Option<Box<Window>>,
}

const _: () = assert!(
    size_of::<Instance>() <= 64,
    "a hundred thousand of them fit in a cache"
);

/// Things by a small number, which is used again after a removal.
#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.entries[index as usize] = Some(value);
            return index;
        }
        self.entries.push(Some(value));
        u32::try_from(self.entries.len() - 1).expect("memory ends before four billion instances")
    }

    pub(super) fn remove(&mut self, index: u32) -> T {
        let value = self.entries[index as usize].take().expect(HELD);
        self.free.push(index);
        value
    }

    pub(super) fn get(&self, index: u32) -> &T {
        self.entries[index as usize].as_ref().expect(HELD)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut T {
        self.entries[index as usize].as_mut().expect(HELD)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(index, entry)| Some((index as u32, entry.as_ref()?)))
    }
}

const HELD: &str = "numbers are held only of what is there";
