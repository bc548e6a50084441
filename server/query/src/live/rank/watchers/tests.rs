use super::*;

fn cut(key: u8, is_behind: bool, change: i64) -> Cut {
    Cut {
        key: PlaceKey::from_slice(&[key]),
        is_behind,
        change,
    }
}

#[test]
fn a_sweep_counts_each_watcher_once() {
    let mut watchers = Watchers::default();
    for key in 0..10u8 {
        watchers.insert(&PlaceKey::from_slice(&[key]), u32::from(key), 100);
    }
    let mut seen = Vec::new();
    // One row more for those in [2, 7), one less for those in (4, 6].
    let mut cuts = [
        cut(7, false, -1),
        cut(2, false, 1),
        cut(6, true, 1),
        cut(4, true, -1),
    ];
    watchers.sweep(&mut cuts, |instance, old, new| {
        seen.push((instance, new - old));
    });
    assert_eq!(seen, [(2, 1), (3, 1), (4, 1)]);
    assert_eq!(watchers.remove(&PlaceKey::from_slice(&[3]), 3), Some(101));
    assert_eq!(watchers.remove(&PlaceKey::from_slice(&[5]), 5), Some(100));
    assert_eq!(watchers.remove(&PlaceKey::from_slice(&[5]), 5), None);
    // To the end.
    seen.clear();
    watchers.sweep(&mut [cut(8, true, 5)], |instance, old, new| {
        seen.push((instance, new - old));
    });
    assert_eq!(seen, [(9, 5)]);
}
