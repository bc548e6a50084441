//! How the tree changes: entries come and go, nodes split, share and become one.

use super::{CountedTree, Entry, FEW, FULL, Inner, Leaf, NONE, Path, position};
use crate::index::key::OrderedKey;
use crate::pages::RowRef;

/// What a node is filled to when the tree is built at once: room for some more.
const BUILT: usize = FULL * 3 / 4;

/// A node that came out of one that was full, and what is above all keys of that one.
struct Split {
    key: OrderedKey,
    node: u32,
    /// Entries below it.
    count: u32,
}

impl CountedTree {
    /// The tree of entries in ascending order, no two with equal keys.
    pub(crate) fn build(entries: Vec<Entry>) -> Self {
        let mut tree = Self {
            len: entries.len(),
            ..Self::default()
        };
        if entries.is_empty() {
            return tree;
        }
        tree.leaves.clear();
        // Each node with the least key below it and the count of entries.
        let mut level: Vec<(OrderedKey, u32, u32)> = Vec::new();
        let mut entries = entries.into_iter().peekable();
        while let Some((least, _)) = entries.peek() {
            let least = least.clone();
            let id = tree.leaves.len() as u32;
            let entries: Vec<_> = entries.by_ref().take(BUILT).collect();
            level.push((least, id, entries.len() as u32));
            tree.leaves.push(Leaf {
                entries,
                before: id.checked_sub(1).unwrap_or(NONE),
                after: id + 1,
            });
        }
        tree.leaves.last_mut().expect("there is an entry").after = NONE;
        while level.len() > 1 {
            let nodes: Vec<_> = level.chunks(BUILT).map(|nodes| tree.above(nodes)).collect();
            level = nodes;
            tree.height += 1;
        }
        tree.root = level[0].1;
        tree
    }

    /// An inner node above these.
    fn above(&mut self, nodes: &[(OrderedKey, u32, u32)]) -> (OrderedKey, u32, u32) {
        let inner = Inner {
            children: nodes.iter().map(|(_, node, _)| *node).collect(),
            counts: nodes.iter().map(|(_, _, count)| *count).collect(),
            keys: nodes[1..].iter().map(|(key, ..)| key.clone()).collect(),
        };
        let count = inner.count();
        (nodes[0].0.clone(), self.add_inner(inner), count)
    }

    /// Adds an entry; what had the key before is returned.
    pub(crate) fn insert(&mut self, key: OrderedKey, row: RowRef) -> Option<RowRef> {
        let (path, leaf) = self.descend(key.as_slice());
        let entries = &mut self.leaves[leaf as usize].entries;
        let at = match position(entries, key.as_slice()) {
            Ok(at) => return Some(std::mem::replace(&mut entries[at].1, row)),
            Err(at) => at,
        };
        entries.insert(at, (key, row));
        let is_over = entries.len() > FULL;
        self.len += 1;
        for &(inner, child) in &path[..self.height] {
            self.inners[inner as usize].counts[child] += 1;
        }
        if is_over {
            // Keys that only grow leave full leaves behind them.
            let is_last = at + 1 == FULL + 1;
            let kept = if is_last { FULL - FEW } else { FULL / 2 };
            let split = self.split_leaf(leaf, kept);
            self.add_split(&path, split);
        }
        None
    }

    fn split_leaf(&mut self, id: u32, kept: usize) -> Split {
        let leaf = &mut self.leaves[id as usize];
        let entries = leaf.entries.split_off(kept);
        let after = leaf.after;
        let split = Split {
            key: entries[0].0.clone(),
            count: entries.len() as u32,
            node: self.add_leaf(Leaf {
                entries,
                before: id,
                after,
            }),
        };
        self.leaves[id as usize].after = split.node;
        if let Some(after) = self.leaves.get_mut(after as usize) {
            after.before = split.node;
        }
        split
    }

    /// Hangs a node into the tree, beside the last one of the path; splits what gets full by that.
    fn add_split(&mut self, path: &Path, mut split: Split) {
        for &(id, child) in path[..self.height].iter().rev() {
            let inner = &mut self.inners[id as usize];
            inner.counts[child] -= split.count;
            inner.counts.insert(child + 1, split.count);
            inner.children.insert(child + 1, split.node);
            inner.keys.insert(child, split.key);
            if inner.children.len() <= FULL {
                return;
            }
            split = self.split_inner(id);
        }
        let total = self.len as u32;
        let root = Inner {
            children: vec![self.root, split.node],
            counts: vec![total - split.count, split.count],
            keys: vec![split.key],
        };
        self.root = self.add_inner(root);
        self.height += 1;
    }

    fn split_inner(&mut self, id: u32) -> Split {
        let inner = &mut self.inners[id as usize];
        let kept = inner.children.len() / 2;
        let (key, right) = inner.split_off(kept);
        let count = right.count();
        let node = self.add_inner(right);
        Split { key, node, count }
    }

    /// Removes the entry of a key.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<RowRef> {
        let (path, leaf) = self.descend(key);
        let entries = &mut self.leaves[leaf as usize].entries;
        let at = position(entries, key).ok()?;
        let (_, row) = entries.remove(at);
        let mut is_small = entries.len() < FEW;
        self.len -= 1;
        for &(inner, child) in &path[..self.height] {
            self.inners[inner as usize].counts[child] -= 1;
        }
        for (depth, &(parent, child)) in path[..self.height].iter().enumerate().rev() {
            if !is_small {
                break;
            }
            self.refill(parent, child, depth + 1 == self.height);
            is_small = self.inner(parent).children.len() < FEW;
        }
        while self.height > 0 && self.inner(self.root).children.len() == 1 {
            let root = std::mem::take(&mut self.inners[self.root as usize]);
            self.free_inners.push(self.root);
            self.root = root.children[0];
            self.height -= 1;
        }
        Some(row)
    }

    /// Makes one node of a small child and its neighbour, or shares what they have.
    fn refill(&mut self, parent: u32, child: usize, is_leaf: bool) {
        let inner = self.inner(parent);
        let last = inner.children.len() - 1;
        if last == 0 {
            return;
        }
        let left = child.min(last - 1);
        let ids = (inner.children[left], inner.children[left + 1]);
        let shared = if is_leaf {
            self.refill_leaves(ids)
        } else {
            let between = inner.keys[left].clone();
            self.refill_inners(ids, between)
        };
        let inner = &mut self.inners[parent as usize];
        let total = inner.counts[left] + inner.counts[left + 1];
        if let Some((key, right)) = shared {
            inner.keys[left] = key;
            inner.counts[left] = total - right;
            inner.counts[left + 1] = right;
        } else {
            inner.keys.remove(left);
            inner.children.remove(left + 1);
            inner.counts.remove(left + 1);
            inner.counts[left] = total;
        }
    }

    /// The new key between the two and the count of the right one; nothing if it is gone.
    fn refill_leaves(&mut self, (left, right): (u32, u32)) -> Option<(OrderedKey, u32)> {
        let moved = std::mem::take(&mut self.leaves[right as usize].entries);
        let after = self.leaf(right).after;
        let leaf = &mut self.leaves[left as usize];
        leaf.entries.extend(moved);
        if leaf.entries.len() > FULL {
            let entries = leaf.entries.split_off(leaf.entries.len() / 2);
            let found = (entries[0].0.clone(), entries.len() as u32);
            self.leaves[right as usize].entries = entries;
            return Some(found);
        }
        leaf.after = after;
        if let Some(after) = self.leaves.get_mut(after as usize) {
            after.before = left;
        }
        self.free_leaves.push(right);
        None
    }

    /// Like [`Self::refill_leaves`], of nodes with this key between them.
    fn refill_inners(
        &mut self,
        (left, right): (u32, u32),
        between: OrderedKey,
    ) -> Option<(OrderedKey, u32)> {
        let moved = std::mem::take(&mut self.inners[right as usize]);
        let inner = &mut self.inners[left as usize];
        inner.keys.push(between);
        inner.keys.extend(moved.keys);
        inner.children.extend(moved.children);
        inner.counts.extend(moved.counts);
        if inner.children.len() > FULL {
            let (key, moved) = inner.split_off(inner.children.len() / 2);
            let count = moved.count();
            self.inners[right as usize] = moved;
            return Some((key, count));
        }
        self.free_inners.push(right);
        None
    }

    fn add_leaf(&mut self, leaf: Leaf) -> u32 {
        if let Some(id) = self.free_leaves.pop() {
            self.leaves[id as usize] = leaf;
            return id;
        }
        self.leaves.push(leaf);
        self.leaves.len() as u32 - 1
    }

    fn add_inner(&mut self, inner: Inner) -> u32 {
        if let Some(id) = self.free_inners.pop() {
            self.inners[id as usize] = inner;
            return id;
        }
        self.inners.push(inner);
        self.inners.len() as u32 - 1
    }
}

impl Inner {
    /// Takes off the children from a position on; the key before them is returned.
    fn split_off(&mut self, kept: usize) -> (OrderedKey, Inner) {
        let right = Inner {
            children: self.children.split_off(kept),
            counts: self.counts.split_off(kept),
            keys: self.keys.split_off(kept),
        };
        let key = self.keys.pop().expect("a key stands between two children");
        (key, right)
    }
}
