#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

/// However often somebody comes back and leaves, before the time of the first one is over.
#[test]
fn who_comes_and_goes_takes_no_memory() {
    let mut idle = Idle::new(FixedState::with_seed(0));
    idle.add(1, 1000);
    for _ in 0..10_000 {
        idle.add(2, 1000);
        idle.forget(2);
    }
    idle.add(2, 1000);
    assert!(idle.order.len() <= STALE_MAX + 4, "{}", idle.order.len());
    assert_eq!(idle.iter().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(
        (
            idle.next(false),
            idle.next(true),
            idle.next(true),
            idle.next(true)
        ),
        (None, Some(1), Some(2), None)
    );
}
