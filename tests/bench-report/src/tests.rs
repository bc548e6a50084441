use super::*;

#[test]
fn one_bar_that_is_missed_is_enough() {
    let mut report = Report::new(true);
    report.at_most("time", 1.3, 1.3);
    report.at_least("rows", 3.0, 3.0);
    assert!(report.verdict());
    report.at_most("time, ns", 1234.56, 1000.0);
    report.at_least("rows", f64::NAN, 3.0);
    report.failed("join", "no table");
    assert!(!report.verdict());
    let words = |(is_met, words): &(bool, String)| format!("{is_met} {words}");
    let said: Vec<_> = report.bars.iter().map(words).collect();
    assert_eq!(
        said,
        [
            "true time: 1.300 (at most 1.3)",
            "true rows: 3.000 (at least 3)",
            "false time, ns: 1235 (at most 1000)",
            "false rows: NaN (at least 3)",
            "false join: no table",
        ]
    );
}

#[test]
fn digits_behind_the_point_are_cut() {
    assert_eq!(
        [rounded(1.25, 1), rounded(0.12345, 3), rounded(7.9, 0)].map(|value| value.to_string()),
        ["1.3", "0.123", "8"]
    );
}
