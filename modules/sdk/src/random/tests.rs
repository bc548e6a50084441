use std::collections::BTreeSet;

use super::Random;

/// The vector of "Test Vectors for the Stream Cipher ChaCha" (draft-strombergson-chacha-test-vectors, TC1,
/// 256-bit key, 8 rounds).
#[test]
fn the_stream_is_chacha_with_8_rounds() {
    let random = Random::new(&[0; 32]);
    let mut stream = [0; 32];
    random.fill(&mut stream);
    assert_eq!(
        stream,
        [
            0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 0x09,
            0xa5, 0xa1, 0x2c, 0x84, 0x0e, 0xc3, 0xce, 0x9a, 0x7f, 0x3b, 0x18, 0x1b, 0xe1, 0x88,
            0xef, 0x71, 0x1a, 0x1e
        ]
    );
}

#[test]
fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
    let numbers = |seed: u8| {
        let random = Random::new(&[seed; 32]);
        (0..40).map(|_| random.next_u64()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    assert_eq!(
        numbers(1).into_iter().collect::<BTreeSet<_>>().len(),
        40,
        "blocks do not repeat"
    );
}

#[test]
fn ranges_are_met_and_not_left() {
    let random = Random::new(&[3; 32]);
    let drawn = (0..1000)
        .map(|_| random.range(-2_i8..=3))
        .collect::<BTreeSet<_>>();
    assert_eq!(drawn, (-2..=3).collect());
    let drawn = (0..1000)
        .map(|_| random.range(250_u8..))
        .collect::<BTreeSet<_>>();
    assert_eq!(drawn, (250..=255).collect());
    assert_eq!(random.range(7..8), 7);
    let _any: u64 = random.range(..);
    assert!(
        (0..1000)
            .map(|_| random.next_f64())
            .all(|f| (0.0..1.0).contains(&f))
    );
}

#[test]
fn a_shuffle_keeps_the_items() {
    let random = Random::new(&[4; 32]);
    let mut cards: Vec<u32> = (0..52).collect();
    random.shuffle(&mut cards);
    assert_ne!(cards, (0..52).collect::<Vec<_>>());
    assert_eq!(
        cards.iter().copied().collect::<BTreeSet<_>>(),
        (0..52).collect()
    );
    assert!(random.choose(&cards).is_some());
    assert_eq!(random.choose::<u32>(&[]), None);
}

#[test]
#[should_panic(expected = "the range is empty")]
fn an_empty_range_is_a_mistake() {
    Random::new(&[0; 32]).range(5..5);
}

#[test]
fn uuids_say_that_they_are_of_version_4() {
    let uuid = Random::new(&[9; 32]).uuid().to_string();
    assert_eq!(&uuid[14..15], "4");
    assert!("89ab".contains(&uuid[19..20]));
}
