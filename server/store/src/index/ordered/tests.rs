#![allow(clippy::unwrap_used)]

use std::ops::Bound::{Excluded, Included, Unbounded};

use super::{OrderedIndex, advance};
use crate::index::{KeyBuffer, OrderedKey};
use crate::pages::{Pages, RowRef};

fn index(keys: &[&[u8]]) -> OrderedIndex {
    let mut index = OrderedIndex::new(false);
    for key in keys {
        index.insert(key, RowRef::FIRST);
    }
    index
}

#[test]
fn the_end_of_a_prefix() {
    let cases: &[(&[u8], Option<&[u8]>)] = &[
        (b"a", Some(b"b")),
        (b"a\xff", Some(b"b")),
        (b"a\xfe\xff\xff", Some(b"a\xff")),
        (b"\xff\xff", None),
        (b"", None),
    ];
    for (prefix, end) in cases {
        let mut key = KeyBuffer::from_slice(prefix);
        assert_eq!(advance(&mut key).then_some(&key[..]), *end);
        assert_eq!(syncline_protocol::key::prefix_end(prefix).as_deref(), *end);
    }
}

#[test]
fn ranges_and_prefixes() {
    let keys: &[&[u8]] = &[
        b"",
        b"a",
        b"ab",
        b"ac",
        b"b",
        b"\xff",
        b"\xff\xff",
        b"\xff\xffz",
    ];
    let index = index(keys);
    let bounds: Vec<&[u8]> = keys.iter().copied().chain([&b"aa"[..], b"zz"]).collect();
    let sides = |key| [Included(key), Excluded(key), Unbounded];
    for lower in bounds.iter().flat_map(|key| sides(*key)) {
        for upper in bounds.iter().flat_map(|key| sides(*key)) {
            let is_in =
                |key: &&&[u8]| std::ops::RangeBounds::<[u8]>::contains(&(lower, upper), **key);
            let expected: Vec<_> = keys.iter().filter(is_in).copied().collect();
            let found: Vec<_> = index
                .range(lower, upper)
                .map(|(key, _)| key.as_slice())
                .collect();
            assert_eq!(found, expected, "{lower:?} {upper:?}");
            let mut reversed: Vec<_> = index
                .range(lower, upper)
                .rev()
                .map(|(key, _)| key.as_slice())
                .collect();
            reversed.reverse();
            assert_eq!(reversed, expected);
        }
    }
    for prefix in bounds {
        let expected: Vec<_> = keys
            .iter()
            .filter(|key| key.starts_with(prefix))
            .copied()
            .collect();
        let mut buffer = KeyBuffer::from_slice(prefix);
        let found: Vec<_> = index
            .prefixed(&mut buffer)
            .map(|(key, _)| key.as_slice().to_vec())
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_row_moves_and_goes() {
    let mut pages = Pages::new(None);
    pages.insert(&[1]).unwrap();
    let second = pages.insert(&[2]).unwrap();
    let mut index = index(&[b"one", b"two"]);
    index.relocate(b"two", second);
    index.remove(b"one");
    let all: Vec<_> = index
        .range(Unbounded, Unbounded)
        .map(|(_, at)| at)
        .collect();
    assert_eq!(all, [second]);
}

#[test]
fn long_keys_and_short_ones_sort_alike() {
    let mut keys: Vec<Vec<u8>> = (0..70).map(|len| vec![3; len]).collect();
    keys.extend((0..70).map(|len| [vec![3; len], vec![2]].concat()));
    let mut ordered: Vec<OrderedKey> = keys.iter().map(|key| key[..].into()).collect();
    ordered.sort();
    keys.sort();
    assert!(
        ordered
            .iter()
            .map(OrderedKey::as_slice)
            .eq(keys.iter().map(Vec::as_slice))
    );
}
