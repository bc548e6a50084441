use super::{Duration, Timestamp};

#[test]
fn timestamps_print_as_rfc_3339() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (1_795_597_296_123_456, "2026-11-25T09:01:36.123456Z"),
        (-2_203_891_200_000_000, "1900-03-01T00:00:00.000000Z"),
    ] {
        assert_eq!(Timestamp::from_micros(micros).to_string(), text);
    }
}

#[test]
fn arithmetic_saturates() {
    let end = Timestamp::from_micros(i64::MAX);
    assert_eq!(end + Duration::from_days(1), end);
    assert_eq!(
        Duration::from_days(i64::MAX),
        Duration::from_micros(i64::MAX)
    );
    assert_eq!(
        -Duration::from_micros(i64::MIN),
        Duration::from_micros(i64::MAX)
    );
    let later = Timestamp::UNIX_EPOCH + Duration::from_millis(1500);
    assert_eq!(
        later - Timestamp::UNIX_EPOCH,
        Duration::from_micros(1_500_000)
    );
    assert_eq!((later - Timestamp::UNIX_EPOCH).secs(), 1);
    assert_eq!(Duration::from_millis(-1500).to_string(), "-1.500000s");
}
