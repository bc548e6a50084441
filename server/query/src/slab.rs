//! Things by a small number.

/// Things by a small number, which is used again after a removal. They lie in chunks: one more never moves those
/// that are there.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

/// Things of a chunk.
const CHUNK: usize = 4096;

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Numbers that were given out, those that are free among them.
    fn end(&self) -> usize {
        let last = self.chunks.last().map_or(0, Vec::len);
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    pub(crate) fn len(&self) -> usize {
        self.end() - self.free.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            *self.entry(index) = Some(value);
            return index;
        }
        let index = self.end();
        if index.is_multiple_of(CHUNK) {
            // The first ones of a slab that stays small take no more than they need.
            let capacity = if index == 0 { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(capacity));
        }
        self.chunks[index / CHUNK].push(Some(value));
        u32::try_from(index).expect("memory ends before four billion instances")
    }

    pub(crate) fn remove(&mut self, index: u32) -> T {
        let value = self.entry(index).take().expect(HELD);
        self.free.push(index);
        value
    }

    pub(crate) fn get(&self, index: u32) -> &T {
        let index = index as usize;
        self.chunks[index / CHUNK][index % CHUNK]
            .as_ref()
            .expect(HELD)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> &mut T {
        self.entry(index).as_mut().expect(HELD)
    }

    fn entry(&mut self, index: u32) -> &mut Option<T> {
        let index = index as usize;
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let entries = self.chunks.iter().flatten().enumerate();
        entries.filter_map(|(index, entry)| Some((index as u32, entry.as_ref()?)))
    }
}

const HELD: &str = "numbers are held only of what is there";
