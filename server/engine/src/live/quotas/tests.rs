#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn load(handle: u64, byte_len: usize) -> Load {
    Load {
        handle,
        byte_len,
        is_scanned: false,
    }
}

/// Whatever it is that takes memory, and however who asked came to it.
#[test]
fn bytes_are_charged_by_subscribing_and_by_moving() {
    let (one, other) = (Identity([1; 32]), Identity([2; 32]));
    let mut quotas = Quotas::default();
    let most = IDENTITY_STATE_BYTES_MAX;
    let large = quotas.charge(one, false, &load(1, most - 1000)).unwrap();
    let mut small = quotas.charge(one, false, &load(2, 600)).unwrap();
    let error = quotas.charge(one, false, &load(3, 600)).unwrap_err();
    assert_eq!(error.code, ErrorCode::LiveLimit);
    assert!(quotas.charge(other, false, &load(3, 600)).is_ok());
    assert!(quotas.charge(one, true, &load(3, 600)).is_ok(), "the admin");
    // Of a move only what it adds counts.
    assert!(quotas.check_move(one, small, 2, &load(4, 1001)).is_err());
    quotas.check_move(one, small, 2, &load(4, 1000)).unwrap();
    quotas.move_to(one, &mut small, 2, &load(4, 1000));
    assert!(quotas.charge(one, false, &load(5, 1)).is_err());
    let asked = Asked {
        form: std::sync::Arc::new("".into()),
        params: Box::new([]),
    };
    quotas.release(one, large, (1, &asked));
    quotas.charge(one, false, &load(5, most - 1000)).unwrap();
    assert!(quotas.charge(one, false, &load(6, 1)).is_err());
}
