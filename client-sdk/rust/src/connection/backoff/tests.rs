use super::*;

#[test]
fn delays_double_up_to_the_limit() {
    let backoff = Backoff {
        first: Duration::from_millis(100),
        max: Duration::from_secs(5),
    };
    let millis = |attempt, random| backoff.delay_of(attempt, random).as_millis();
    assert_eq!([millis(0, 0), millis(0, u64::MAX)], [50, 100]);
    assert_eq!([millis(3, 0), millis(3, u64::MAX)], [400, 800]);
    assert_eq!([millis(6, 0), millis(6, u64::MAX)], [2500, 5000]);
    assert_eq!(
        [millis(u32::MAX, 0), millis(u32::MAX, u64::MAX)],
        [2500, 5000]
    );
    let delay = backoff.delay(1);
    assert!((Duration::from_millis(100)..=Duration::from_millis(200)).contains(&delay));
}
