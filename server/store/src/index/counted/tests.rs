use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

impl CountedTree {
    /// Checks every invariant of the structure.
    fn check(&self) {
        let mut leaves = Vec::new();
        let len = self.check_node(self.root, self.height, None, None, &mut leaves);
        assert_eq!(len, self.len);
        for (position, &leaf) in leaves.iter().enumerate() {
            let before = position.checked_sub(1).map_or(NONE, |at| leaves[at]);
            assert_eq!(self.leaf(leaf).before, before);
            let after = leaves.get(position + 1).copied().unwrap_or(NONE);
            assert_eq!(self.leaf(leaf).after, after);
        }
        assert_eq!(leaves.len() + self.free_leaves.len(), self.leaves.len());
    }

    fn check_node(
        &self,
        node: u32,
        height: usize,
        least: Option<&OrderedKey>,
        end: Option<&OrderedKey>,
        leaves: &mut Vec<u32>,
    ) -> usize {
        if height == 0 {
            leaves.push(node);
            let entries = &self.leaf(node).entries;
            assert!(entries.len() <= FULL && (!entries.is_empty() || self.height == 0));
            assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(least.is_none_or(|least| entries.iter().all(|(key, _)| key >= least)));
            assert!(end.is_none_or(|end| entries.iter().all(|(key, _)| key < end)));
            return entries.len();
        }
        let inner = self.inner(node);
        let count = inner.children.len();
        assert!((2..=FULL).contains(&count), "an inner node of {count}");
        assert_eq!((inner.counts.len(), inner.keys.len()), (count, count - 1));
        let mut sum = 0;
        for (at, &child) in inner.children.iter().enumerate() {
            let least = at.checked_sub(1).map_or(least, |at| Some(&inner.keys[at]));
            let end = inner.keys.get(at).or(end);
            let own = self.check_node(child, height - 1, least, end, leaves);
            assert_eq!(own, inner.counts[at] as usize);
            sum += own;
        }
        sum
    }
}

fn key(number: u32) -> Vec<u8> {
    // Some are longer than what a key holds without an allocation.
    let mut key = number.to_be_bytes().to_vec();
    key.resize(if number.is_multiple_of(5) { 40 } else { 8 }, 7);
    key
}

fn at(number: u32) -> RowRef {
    RowRef::numbered(number)
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u32),
    Remove(u32),
    /// That many keys from this one on, up or down.
    InsertRun(u32, u32, bool),
    RemoveRun(u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = 0..3000_u32;
    let step = prop_oneof![
        4 => number.clone().prop_map(Step::Insert),
        3 => number.clone().prop_map(Step::Remove),
        2 => (number.clone(), 1..900_u32, any::<bool>()).prop_map(|(n, len, up)| Step::InsertRun(n, len, up)),
        2 => (number, 1..900_u32).prop_map(|(n, len)| Step::RemoveRun(n, len)),
    ];
    vec(step, 1..40)
}

fn bound(kind: u8, key: &[u8]) -> Bound<&[u8]> {
    match kind {
        0 => Bound::Unbounded,
        1 => Bound::Included(key),
        _ => Bound::Excluded(key),
    }
}

type Model = BTreeMap<Vec<u8>, RowRef>;

fn apply(step: &Step, tree: &mut CountedTree, model: &mut Model) {
    let mut insert = |number: u32| {
        let key = key(number);
        let old = tree.insert(key[..].into(), at(number));
        assert_eq!(old, model.insert(key, at(number)));
    };
    match *step {
        Step::Insert(number) => insert(number),
        Step::InsertRun(from, len, true) => (from..from + len).for_each(insert),
        Step::InsertRun(from, len, false) => (from..from + len).rev().for_each(insert),
        Step::Remove(number) => {
            assert_eq!(tree.remove(&key(number)), model.remove(&key(number)));
        }
        Step::RemoveRun(from, len) => {
            for number in from..from + len {
                assert_eq!(tree.remove(&key(number)), model.remove(&key(number)));
            }
        }
    }
}

fn check_range(tree: &CountedTree, model: &Model, lower: Bound<&[u8]>, upper: Bound<&[u8]>) {
    let is_within = |key: &&Vec<u8>| {
        let is_above = match lower {
            Bound::Unbounded => true,
            Bound::Included(lower) => &key[..] >= lower,
            Bound::Excluded(lower) => &key[..] > lower,
        };
        let is_below = match upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => &key[..] <= upper,
            Bound::Excluded(upper) => &key[..] < upper,
        };
        is_above && is_below
    };
    let expected: Vec<_> = model.iter().filter(|(key, _)| is_within(key)).collect();
    let (start, end) = tree.ranks(lower, upper);
    assert_eq!(end - start, expected.len());
    let as_pair = |(key, at): (&OrderedKey, RowRef)| (key.as_slice().to_vec(), at);
    let found: Vec<_> = tree.range(lower, upper).map(as_pair).collect();
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(k, at)| (k.clone(), *at))
        .collect();
    assert_eq!(found, expected);
    let mut backwards: Vec<_> = tree.range(lower, upper).rev().map(as_pair).collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
    // From both ends at once, until they meet.
    let mut both = tree.range(lower, upper);
    let mut count = 0;
    while both.next().is_some() {
        count += 1 + usize::from(both.next_back().is_some());
        assert_eq!(both.len(), expected.len() - count);
    }
    assert_eq!(count, expected.len());
    for (position, pair) in expected.iter().enumerate().step_by(1 + expected.len() / 7) {
        assert_eq!(tree.nth(start + position).map(as_pair).as_ref(), Some(pair));
        let before = tree.ranks(Bound::Unbounded, Bound::Excluded(&pair.0)).1;
        assert_eq!(before, start + position);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn it_is_a_map_that_counts(
        built in vec(0..3000_u32, 0..600),
        steps in steps(),
        ranges in vec((0..3_u8, 0..3100_u32, 0..3_u8, 0..3100_u32), 1..8),
    ) {
        let mut model: Model = built.iter().map(|&number| (key(number), at(number))).collect();
        let entries = model.iter().map(|(key, at)| (OrderedKey::from(&key[..]), *at));
        let mut tree = CountedTree::build(entries.collect());
        tree.check();
        for step in &steps {
            apply(step, &mut tree, &mut model);
            tree.check();
            assert_eq!(tree.len, model.len());
        }
        for (lower_kind, low, upper_kind, high) in ranges {
            let (low, high) = (key(low), key(high));
            check_range(&tree, &model, bound(lower_kind, &low), bound(upper_kind, &high));
        }
        check_range(&tree, &model, Bound::Unbounded, Bound::Unbounded);
        prop_assert!(tree.nth(model.len()).is_none());
        if let Some((key, at)) = model.iter().next() {
            prop_assert_eq!(tree.get_mut(key).copied(), Some(*at));
        }
    }
}

#[test]
fn it_grows_four_levels_and_goes_back_to_one() {
    let mut tree = CountedTree::default();
    let numbers = (0..300_000_u32).map(|number| number.wrapping_mul(2_654_435_761) >> 10);
    let mut model = Model::new();
    for number in numbers {
        model.insert(key(number), at(number));
        tree.insert(key(number)[..].into(), at(number));
    }
    assert!(tree.height >= 3, "{}", tree.height);
    tree.check();
    let keys: Vec<_> = model.keys().cloned().collect();
    for key in keys.iter().step_by(2).chain(keys.iter().skip(1).step_by(2)) {
        assert!(tree.remove(key).is_some());
    }
    tree.check();
    assert_eq!((tree.len, tree.height), (0, 0));
    assert_eq!(tree.range(Bound::Unbounded, Bound::Unbounded).count(), 0);
}
