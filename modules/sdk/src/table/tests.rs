use syncline_protocol::abi;

use super::key::{Key, KeyRange, Prefix, put_equal};

type Two = (u16, String);
type Three = (u16, u8, Option<String>);

fn key<C>(key: impl Key<C>) -> Vec<u8> {
    let mut out = Vec::new();
    key.put_key(&mut out);
    out
}

fn prefix<C, M>(prefix: impl Prefix<C, M>) -> Vec<u8> {
    let mut out = Vec::new();
    put_equal(|out| prefix.put_prefix(out), &mut out);
    let (lower, upper) = out.split_at(out.len() / 2);
    assert_eq!(lower, upper);
    let (head, key) = lower.split_at(5);
    assert_eq!(
        head,
        [
            &[abi::BOUND_INCLUDED][..],
            &(key.len() as u32).to_le_bytes()
        ]
        .concat()
    );
    key.to_vec()
}

/// The two bounds, written as kind and key.
fn bounds<C>(range: impl KeyRange<C>) -> [(u8, Vec<u8>); 2] {
    let mut out = Vec::new();
    range.put_bounds(&mut out);
    let mut reader = syncline_protocol::packed::Reader::new(&out);
    let bounds = [(); 2].map(|()| match reader.array().expect("a kind") {
        [abi::BOUND_NONE] => (abi::BOUND_NONE, Vec::new()),
        [kind] => (kind, reader.sized().expect("a key").to_vec()),
    });
    reader.finish().expect("there are two bounds");
    bounds
}

#[test]
fn keys_are_the_packed_columns() {
    assert_eq!(key::<(u16,)>(7), [7, 0]);
    assert_eq!(key::<(u16,)>(&7), [7, 0]);
    assert_eq!(key::<(String,)>("x"), [1, 0, 0, 0, b'x']);
    assert_eq!(key::<(String,)>("x".to_owned()), [1, 0, 0, 0, b'x']);
    assert_eq!(key::<(Vec<u8>,)>(&[9][..]), [1, 0, 0, 0, 9]);
    assert_eq!(key::<(Option<u8>,)>(None), [1]);
    assert_eq!(key::<(Option<u8>,)>(5), [0, 5]);
    assert_eq!(key::<(Option<String>,)>("x"), [0, 1, 0, 0, 0, b'x']);
    assert_eq!(key::<Two>((7, "x")), [7, 0, 1, 0, 0, 0, b'x']);
    assert_eq!(key::<Three>((7, 8, None)), [7, 0, 8, 1]);
    assert_eq!(key::<(u8, u8, u8, u8)>((1, 2, 3, 4)), [1, 2, 3, 4]);
}

#[test]
fn prefixes_are_one_value_or_a_tuple() {
    assert_eq!(prefix::<(u16,), _>(7), [7, 0]);
    assert_eq!(prefix::<Two, _>(7), [7, 0]);
    assert_eq!(prefix::<Two, _>((7,)), [7, 0]);
    assert_eq!(prefix::<Two, _>((7, "x")), [7, 0, 1, 0, 0, 0, b'x']);
    assert_eq!(prefix::<Three, _>(7), [7, 0]);
    assert_eq!(prefix::<Three, _>((7, 8)), [7, 0, 8]);
    assert_eq!(prefix::<Three, _>((7, 8, "")), [7, 0, 8, 0, 0, 0, 0, 0]);
    assert_eq!(prefix::<(u8, u8, u8, u8), _>((1, 2, 3)), [1, 2, 3]);
}

#[test]
fn ranges_are_rusts() {
    use core::ops::Bound::{Excluded, Included, Unbounded};
    const NONE: u8 = abi::BOUND_NONE;
    const IN: u8 = abi::BOUND_INCLUDED;
    const OUT: u8 = abi::BOUND_EXCLUDED;
    let none = || (NONE, Vec::new());

    assert_eq!(bounds::<(u8,)>(5..), [(IN, vec![5]), none()]);
    assert_eq!(bounds::<(u8,)>(..5), [none(), (OUT, vec![5])]);
    assert_eq!(bounds::<(u8,)>(..=5), [none(), (IN, vec![5])]);
    assert_eq!(bounds::<(u8,)>(1..5), [(IN, vec![1]), (OUT, vec![5])]);
    assert_eq!(bounds::<(u8,)>(1..=5), [(IN, vec![1]), (IN, vec![5])]);
    assert_eq!(bounds::<(u8,)>(..), [none(), none()]);
    assert_eq!(
        bounds::<(u8,)>((Excluded(1), Included(5))),
        [(OUT, vec![1]), (IN, vec![5])]
    );

    assert_eq!(bounds::<(u8, u8)>(1..5), [(IN, vec![1]), (OUT, vec![5])]);
    assert_eq!(
        bounds::<(u8, u8)>((9, 1..5)),
        [(IN, vec![9, 1]), (OUT, vec![9, 5])]
    );
    assert_eq!(
        bounds::<(u8, u8)>((9, 1..)),
        [(IN, vec![9, 1]), (IN, vec![9])]
    );
    assert_eq!(bounds::<(u8, u8)>((9, ..)), [(IN, vec![9]), (IN, vec![9])]);
    assert_eq!(
        bounds::<(u8, u8)>((9, (Excluded(1), Unbounded::<u8>))),
        [(OUT, vec![9, 1]), (IN, vec![9])]
    );
    assert_eq!(
        bounds::<(u8, u8, u8)>((9, 1..5)),
        [(IN, vec![9, 1]), (OUT, vec![9, 5])]
    );
    assert_eq!(
        bounds::<(u8, u8, u8)>((9, 8, ..=5)),
        [(IN, vec![9, 8]), (IN, vec![9, 8, 5])]
    );
    assert_eq!(
        bounds::<(u8, u8, u8, u8)>((9, 8, 7, 5..)),
        [(IN, vec![9, 8, 7, 5]), (IN, vec![9, 8, 7])]
    );
    let text = |text: &str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    assert_eq!(
        bounds::<(String,)>("a".."b"),
        [(IN, text("a")), (OUT, text("b"))]
    );
}
