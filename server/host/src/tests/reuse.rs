//! When an instance is kept, and that it does not matter.

use syncline_protocol::abi::STATUS_NOT_FOUND;
use syncline_protocol::{ChangeSet, Type};

use super::fixture::{
    ACCOUNT, ARGS, FREE, NOTE, OK, ReducerText, World, account, note, reducer, returning_i64,
};
use crate::{CallError, RunLimits};

/// A reducer, its arguments, and whether an error is the one that is due.
type Failure<'a> = (&'a str, &'a [u32], fn(&CallError) -> bool);

const GLOBAL: &str = "(global $n (mut i64) (i64.const 0))";

/// `next` counts in a global; `allocs` says how often `syncline_alloc` ran.
fn counting(mut more: Vec<ReducerText>) -> World {
    let next = "(global.set $n (i64.add (global.get $n) (i64.const 1)))";
    more.push(reducer(
        "next",
        Some(Type::I64),
        &format!("{next} {}", returning_i64("(global.get $n)")),
    ));
    let limits = RunLimits {
        call_ms_max: 20,
        memory_bytes_max: 4 << 20,
    };
    World::with_limits(more, GLOBAL, limits)
}

#[test]
fn an_instance_is_kept_while_calls_succeed() {
    let mut world = counting(vec![]);
    for expected in 1..=3 {
        assert_eq!(world.raw("next", &[], &[]), Ok(expected));
        assert_eq!(world.call("ok", &[]), Ok(vec![]));
    }
}

#[test]
fn an_instance_is_replaced_after_any_failure() {
    let grow = "(drop (memory.grow (i32.const 64)))";
    let mut world = counting(vec![
        reducer("trap", None, "unreachable"),
        reducer("grow", None, &format!("{grow} {OK}")),
        reducer("wrong", Some(Type::I64), OK),
    ]);
    let failures: [Failure; 7] = [
        ("nope", &[], |error| matches!(error, CallError::Reducer(_))),
        ("panic", &[0, 0], |error| {
            matches!(error, CallError::Panic(_))
        }),
        ("trap", &[], |error| matches!(error, CallError::Trap(_))),
        ("grow", &[], |error| {
            matches!(error, CallError::Memory { limit: 0x40_0000 })
        }),
        ("wrong", &[], |error| matches!(error, CallError::Trap(_))),
        ("log", &[9, 0, 0], |error| {
            matches!(error, CallError::Trap(_))
        }),
        ("find", &[0, 0, u32::MAX, 8, 0, 0], |error| {
            matches!(error, CallError::Trap(_))
        }),
    ];
    for (name, args, is_expected) in failures {
        assert_eq!(world.raw("next", &[], &[]), Ok(1));
        assert_eq!(world.raw("next", &[], &[]), Ok(2));
        let error = world.raw(name, args, &[]).unwrap_err();
        assert!(is_expected(&error), "{name}: {error:?}");
    }
    assert_eq!(world.raw("next", &[], &[]), Ok(1));
}

#[test]
fn a_bloated_instance_is_replaced() {
    // From 1 MiB to 2 MiB, half of the limit: not yet; one page more: now.
    let grow = |pages| format!("(drop (memory.grow (i32.const {pages}))) {OK}");
    let mut world = counting(vec![
        reducer("half", None, &grow(16)),
        reducer("more", None, &grow(1)),
    ]);
    assert_eq!(world.raw("next", &[], &[]), Ok(1));
    assert_eq!(world.call("half", &[]), Ok(vec![]));
    assert_eq!(world.raw("next", &[], &[]), Ok(2));
    assert_eq!(world.call("more", &[]), Ok(vec![]));
    assert_eq!(world.raw("next", &[], &[]), Ok(1));
}

#[test]
fn the_block_is_asked_for_only_when_it_must_grow() {
    let count = "(global.set $n (i64.add (global.get $n) (i64.const 1)))";
    let text = super::fixture::wasm_text(
        vec![reducer(
            "allocs",
            Some(Type::I64),
            &returning_i64("(global.get $n)"),
        )],
        GLOBAL,
    );
    let alloc = r#"(func (export "syncline_alloc") (param i32) (result i32)"#;
    let wasm = wat::parse_str(text.replace(alloc, &format!("{alloc} {count}"))).unwrap();
    let mut world = World::of(&wasm, RunLimits::default());
    assert_eq!(world.raw("allocs", &[], &[]), Ok(1));
    assert_eq!(world.raw("allocs", &[], &[7; 900]), Ok(1));
    assert_eq!(world.raw("allocs", &[], &[7; 1000]), Ok(2));
    assert_eq!(world.raw("allocs", &[], &[7; 1900]), Ok(2));
    assert_eq!(world.raw("allocs", &[], &[]), Ok(2));
}

/// A little history: what it changed, step by step.
fn history(is_fresh: bool) -> Vec<(Result<i64, CallError>, ChangeSet)> {
    let mut world = World::new(vec![]);
    let mut seen = Vec::new();
    for step in 0..60_u64 {
        if is_fresh {
            world.runner.renew();
        }
        let key = (step * 7 % 11).to_le_bytes();
        let result = match step % 6 {
            0 | 1 => world.insert(ACCOUNT, &account(step * 7 % 11, step as i64)),
            2 => world.insert(NOTE, &note(0, &format!("note {}", step % 9), step as f64)),
            3 => world.raw("update", &[ACCOUNT, ARGS + 12, 16], &account(step % 11, -1)),
            4 => world.raw("delete", &[ACCOUNT, ARGS + 12, 8], &key),
            _ if step % 4 == 1 => world.raw("nope", &[], &[]),
            _ => world.raw("find", &[ACCOUNT, 0, ARGS + 24, 8, FREE, 16], &key),
        };
        let changes = if result.is_ok() {
            world.changes.clone()
        } else {
            ChangeSet::new()
        };
        seen.push((result, changes));
    }
    seen
}

#[test]
fn fresh_instances_change_the_same() {
    let reused = history(false);
    assert_eq!(reused, history(true));
    assert_eq!(reused, history(false));
    assert!(
        reused
            .iter()
            .any(|(result, _)| *result == Ok(STATUS_NOT_FOUND))
    );
    assert!(
        reused
            .iter()
            .filter(|(_, changes)| !changes.is_empty())
            .count()
            > 20
    );
    assert!(reused.contains(&(Err(CallError::Reducer("nope".into())), ChangeSet::new())));
}
