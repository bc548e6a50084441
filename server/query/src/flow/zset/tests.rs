use super::*;

#[test]
fn what_cancels_is_nothing() {
    let mut set = ZSet::default();
    for (cell, weight, row) in [
        (1, 1, b"a"),
        (0, 1, b"b"),
        (1, -1, b"a"),
        (0, 1, b"a"),
        (0, 1, b"b"),
        (2, 0, b"z"),
    ] {
        set.push(cell, weight, row);
    }
    set.consolidate();
    let left: Vec<_> = set.iter().collect();
    assert_eq!(left, [(0, 1, &b"a"[..]), (0, 2, &b"b"[..])]);
}
