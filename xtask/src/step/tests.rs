use std::process::Command;

use super::{Steps, clock, note};

#[test]
fn times_are_read_at_a_glance() {
    assert_eq!(clock(0.04), "0.0 s");
    assert_eq!(clock(59.94), "59.9 s");
    assert_eq!(clock(61.2), "1 min 01 s");
    assert_eq!(clock(3599.8), "60 min 00 s");
}

#[test]
fn notes_are_what_test_runners_sum_up() {
    let nextest = "x\n     Summary [   0.060s] 5 tests run: 5 passed, 0 skipped\n";
    assert_eq!(note(nextest).unwrap(), "5 tests run: 5 passed, 0 skipped");
    assert_eq!(
        note(" Tests  12 passed (12)\n").unwrap(),
        "Tests 12 passed (12)"
    );
    assert_eq!(note("nothing"), None);
}

#[test]
fn a_failed_step_stops_those_that_run_and_those_that_follow() {
    let steps = Steps::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let slow = steps.run("slow", |step| step.run(Command::new("sleep").arg("600")));
            assert!(slow.is_err());
        });
        let good = steps.run("good", |step| step.run(Command::new("echo").arg("hello")));
        good.unwrap();
        let bad = steps.run("bad", |step| {
            step.run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]))
        });
        let error = format!("{:#}", bad.unwrap_err());
        assert!(error.contains("bad failed: `sh -c"), "{error}");
    });
    assert!(steps.is_cancelled());
    assert!(steps.run("late", |_| Ok(())).is_err());
    let mut ended = steps.finish();
    ended.sort_by_key(|step| step.name);
    let ended: Vec<_> = ended.iter().map(|step| (step.name, step.passed)).collect();
    assert_eq!(ended, [("bad", false), ("good", true), ("slow", false)]);
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let steps = Steps::new();
    let outcome = steps.run("x", |step| step.run(&mut Command::new("no-such-program-7")));
    let error = format!("{:#}", outcome.unwrap_err());
    assert!(
        error.contains("cannot start `no-such-program-7`"),
        "{error}"
    );
}
