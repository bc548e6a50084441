#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::like::is_like;
use super::text;
use crate::scalar::Scalar;

/// LIKE by its definition: every way to spread the `%`.
fn is_like_slow(text: &[char], pattern: &[char], escape: Option<char>) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return text.is_empty();
    };
    if Some(*first) == escape
        && let Some((second, rest)) = rest.split_first()
    {
        return text.first() == Some(second) && is_like_slow(&text[1..], rest, escape);
    }
    match first {
        '%' => (0..=text.len()).any(|skipped| is_like_slow(&text[skipped..], rest, escape)),
        '_' => !text.is_empty() && is_like_slow(&text[1..], rest, escape),
        _ => text.first() == Some(first) && is_like_slow(&text[1..], rest, escape),
    }
}

fn bytes(value: Option<Scalar<'_>>) -> String {
    match value {
        Some(Scalar::Bytes(bytes)) => String::from_utf8(bytes.into_owned()).unwrap(),
        other => panic!("no text: {other:?}"),
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn like_is_what_it_is_defined_as(
        text in "[abü]{0,10}",
        long in "[ab]{60,90}",
        pattern in "[abü%_!]{0,7}",
        has_escape in any::<bool>(),
    ) {
        let escape = has_escape.then_some('!');
        for text in [text, long] {
            let slow = is_like_slow(&chars(&text), &chars(&pattern), escape);
            let quick = is_like(text.as_bytes(), pattern.as_bytes(), has_escape.then_some(b'!'));
            prop_assert_eq!(quick, slow, "{} LIKE {}", text, pattern);
        }
    }

    #[test]
    fn what_is_sought_is_found(text in "[abü]{0,60}", wanted in "[abü]{0,12}") {
        let (all, part) = (chars(&text), chars(&wanted));
        let starts = 0..=all.len();
        let slow = starts.clone().find(|at| all[*at..].starts_with(&part));
        let quick = text::position(text.as_bytes(), wanted.as_bytes());
        prop_assert_eq!(quick, slow.map_or(0, |at| at + 1));
        let replaced = bytes(text::replace(text.as_bytes(), wanted.as_bytes(), b"-x"));
        let wanted_replaced = if wanted.is_empty() { text.clone() } else { text.replace(&wanted, "-x") };
        prop_assert_eq!(replaced, wanted_replaced);
    }
}

/// Each of these would take minutes if it compared at every place anew.
#[test]
fn long_texts_take_no_longer_than_they_are_long() {
    let text = "a".repeat(1 << 18);
    let half = "a".repeat(1 << 17);
    let wanted = format!("{half}b{half}");
    assert_eq!(text::position(text.as_bytes(), wanted.as_bytes()), 0);
    let kept = bytes(text::replace(text.as_bytes(), wanted.as_bytes(), b""));
    assert_eq!(kept.len(), text.len());
    let set: String = ('\u{4e00}'..).take(20_000).chain(['a']).collect();
    let trimmed = text::trim(text.as_bytes().into(), set.as_bytes(), true, true);
    assert_eq!(bytes(Some(trimmed)), "");
    let like = |pattern: String| is_like(text.as_bytes(), pattern.as_bytes(), Some(b'!'));
    assert!(!like(format!("%{half}b%")));
    assert!(!like(format!("%{half}!b{half}%")));
    assert!(!like("%a".repeat(1 << 17) + "b%"));
    assert!(like("%a".repeat(1 << 17) + "%"));
    assert!(like(format!("%{half}%{half}")));
    assert!(!like(format!("%{half}a%{half}%")));
    let before = crate::failures::count();
    assert!(!like(format!("%{half}_b%")), "given up");
    assert_eq!(crate::failures::count(), before + 1);
    assert!(!like(format!("%{}_b%", "a".repeat(60))), "as it is");
    assert!(like(format!("%{half}_a%")), "it is at the first place");
    assert_eq!(crate::failures::count(), before + 1);
}

/// The part before the last takes nearly all comparisons, all of them, or more.
#[test]
fn what_is_given_up_is_counted_whichever_part_it_is() {
    let last = "a".repeat(50);
    let pattern = format!("%{}_b%{last}", "a".repeat(100));
    let mut found_count = 0;
    for len in 600..630 {
        let text = format!("{}b{last}", "a".repeat(len));
        let before = crate::failures::count();
        let is_found = is_like(text.as_bytes(), pattern.as_bytes(), None);
        let given_up = crate::failures::count() - before;
        assert_eq!(given_up, u64::from(!is_found), "{len}");
        found_count += u64::from(is_found);
    }
    assert!((1..30).contains(&found_count), "{found_count}");
}
