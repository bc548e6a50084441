//! The oracle itself, in short: `cargo xtask test` runs the long form.

use crate::case::Case;
use crate::play::play;
use crate::tally::Tally;

#[test]
fn a_few_cases_pass() {
    let mut total = Tally::default();
    for seed in 4..16 {
        let mut tally = Tally::default();
        let played = play(&Case::random(seed), &mut tally);
        assert!(played.is_ok(), "seed {seed}: {played:?}");
        total.add(&tally);
    }
    assert!(total.compared > 1_000, "results are compared");
    assert!(total.changed > 200, "results change");
}

/// Cases that are played in the other way too, some from the beginning and some from late on.
#[test]
fn other_ways_lead_to_the_same() {
    let mut total = Tally::default();
    // None of them has a large table.
    for seed in [30, 31, 32, 33, 34, 35, 37, 38, 39, 40] {
        let mut case = Case::random(seed);
        case.shadow_from = Some(if seed % 2 == 0 { 1 } else { 30 });
        let mut tally = Tally::default();
        let played = play(&case, &mut tally);
        assert!(played.is_ok(), "seed {seed}: {played:?}");
        total.add(&tally);
    }
    let count = |form: &str| total.forms.get(form).copied().unwrap_or_default();
    assert!(count("twin") > 50, "queries are asked in other words");
    assert!(count("twin, in parts") > 5, "and in parts");
    assert!(count("transaction, in pieces") > 100);
}

/// Some of those whose policies change meanwhile.
#[test]
fn cases_with_a_publish_pass() {
    let mut total = Tally::default();
    let seeds = (1_000..).filter(|seed| Case::random(*seed).has_publish());
    for seed in seeds.take(5) {
        let mut tally = Tally::default();
        let played = play(&Case::random(seed), &mut tally);
        assert!(played.is_ok(), "seed {seed}: {played:?}");
        total.add(&tally);
    }
    for form in ["publish, same", "publish, other"] {
        assert!(
            total.forms.get(form).is_some_and(|count| *count > 3),
            "{form}"
        );
    }
}

fn is_case(path: &std::path::Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "json")
}

/// Every case that failed once.
#[test]
fn kept_cases_pass() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let cases = std::fs::read_dir(folder).expect("there is a folder of cases");
    let mut count = 0;
    for entry in cases.filter(|entry| entry.as_ref().is_ok_and(|entry| is_case(&entry.path()))) {
        let path = entry.expect("it can be read").path();
        let text = std::fs::read_to_string(&path).expect("a case is a text");
        let case: Case = serde_json::from_str(&text).expect("a case is JSON");
        let mut tally = Tally::default();
        let played = play(&case, &mut tally);
        assert!(played.is_ok(), "{}: {played:?}", path.display());
        assert!(tally.compared > 0, "{}: nothing asked", path.display());
        count += 1;
    }
    assert!(count > 0, "no case in {folder}");
}

/// What is kept is what was played.
#[test]
fn a_case_is_the_same_when_it_is_read_again() {
    for seed in 4..8 {
        let case = Case::random(seed);
        let text = serde_json::to_string(&case).expect("a case is plain data");
        let again: Case = serde_json::from_str(&text).expect("a case is JSON");
        let count = |case: &Case| {
            let mut tally = Tally::default();
            let played = play(case, &mut tally);
            assert!(played.is_ok(), "seed {seed}: {played:?}");
            (tally.compared, tally.changed)
        };
        assert_eq!(count(&case), count(&again), "seed {seed}");
        assert_eq!(serde_json::to_string(&again).ok(), Some(text));
    }
}
