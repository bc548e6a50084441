//! Calls of modules that err, on purpose or not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use syncline_protocol::limits::{
    CALL_LOG_LINES_MAX, CALL_MEMORY_BYTES_MAX, KEY_BYTES_MAX, ROW_BYTES_MAX,
};
use syncline_protocol::{ErrorCode, Type};

use super::fixture::{
    ACCOUNT, ARGS, FREE, MEMORY, NOTE, OK, World, account, note, reducer, wasm_text,
};
use crate::{CallError, CallLimit, Host, RunLimits};

#[test]
fn no_pointer_leads_out_of_memory() {
    let mut world = World::new(vec![]);
    world.insert(ACCOUNT, &account(0, 0)).unwrap();
    world.insert(NOTE, &note(0, "x", 0.0)).unwrap();
    let end = MEMORY;
    // For each host function its arguments up to a pointer and a length, and those behind them.
    let cases: [(&str, &[u32], &[u32]); 12] = [
        ("find", &[ACCOUNT, 0], &[FREE, 16]),
        ("find", &[ACCOUNT, 0, FREE, 8], &[]),
        ("insert", &[ACCOUNT], &[FREE]),
        ("insert", &[NOTE], &[FREE]),
        ("update", &[ACCOUNT], &[]),
        ("update", &[NOTE], &[]),
        ("delete", &[ACCOUNT], &[]),
        ("scan_open", &[ACCOUNT, 0, 0], &[FREE, 100]),
        ("scan_open", &[ACCOUNT, 0, 0, 0, 0], &[]),
        ("log", &[0], &[]),
        ("panic", &[], &[]),
        ("peek", &[], &[]),
    ];
    for (name, before, after) in cases {
        for (ptr, len) in [
            (end, 1),
            (end - 1, 2),
            (0, end + 1),
            (0, u32::MAX),
            (u32::MAX, 1),
            (u32::MAX, u32::MAX),
            (0x8000_0000, 0x8000_0000),
        ] {
            let args = [before, &[ptr, len], after].concat();
            let text = world.trap(name, &args, &[]);
            let of_host = format!("{len} bytes at {ptr} are outside of the module's memory");
            let is_named = text.ends_with(&of_host) || text == "out of bounds memory access";
            assert!(is_named, "{name} {args:?}: {text}");
        }
    }
    // Pointers whose length is not the guest's to say.
    let mut row = note(0, "y", 0.0);
    let text = world.trap(
        "insert",
        &[NOTE, ARGS + 16, row.len() as u32, end - 15],
        &row,
    );
    assert_eq!(
        text,
        "insert: 16 bytes at 1048561 are outside of the module's memory"
    );
    row = account(7, 7);
    assert_eq!(
        world.raw("insert", &[ACCOUNT, ARGS + 16, 16, u32::MAX], &row),
        Ok(0)
    );
    assert_eq!(world.rows(NOTE).len(), 1);
}

#[test]
fn no_number_leads_astray() {
    let mut world = World::new(vec![]);
    let max = u32::MAX;
    let cases: [(&str, &[u32], &str); 17] = [
        (
            "find",
            &[2, 0, 0, 8, FREE, 16],
            "find: the module has no table 2",
        ),
        (
            "find",
            &[ACCOUNT, 1, 0, 8, FREE, 16],
            "find: table `account` has no index 1",
        ),
        (
            "find",
            &[ACCOUNT, 65536, 0, 8, FREE, 16],
            "find: table `account` has no index 65536",
        ),
        (
            "find",
            &[NOTE, 2, 0, 8, FREE, 16],
            "find: index `by_weight` of table `note` is not unique",
        ),
        (
            "insert",
            &[max, 0, 0, 0],
            "insert: the module has no table 4294967295",
        ),
        ("update", &[2, 0, 0], "update: the module has no table 2"),
        ("delete", &[2, 0, 0], "delete: the module has no table 2"),
        ("count", &[2], "count: the module has no table 2"),
        (
            "scan_open",
            &[2, 0, 0, 0, 0, 0, 0],
            "scan_open: the module has no table 2",
        ),
        (
            "scan_open",
            &[NOTE, 3, 0, 0, 0, 0, 0],
            "scan_open: table `note` has no index 3",
        ),
        (
            "scan_open",
            &[NOTE, 2, 2, 0, 0, 0, 0],
            "scan_open: `by_weight` of table `note`: unknown flags",
        ),
        ("scan_next", &[0, 0, 0], "scan_next: there is no cursor 0"),
        ("scan_next", &[1, 0, 0], "scan_next: there is no cursor 1"),
        (
            "scan_next",
            &[max, 0, 0],
            "scan_next: there is no cursor 4294967295",
        ),
        ("scan_close", &[0], "scan_close: there is no cursor 0"),
        ("scan_close", &[65], "scan_close: there is no cursor 65"),
        ("log", &[5, 0, 0], "log: there is no level 5"),
    ];
    for (name, args, expected) in cases {
        assert_eq!(world.trap(name, args, &[]), expected);
    }
}

#[test]
fn malformed_bytes_are_named() {
    let mut world = World::new(vec![]);
    let at = ARGS + 40;
    let find = |world: &mut World, table: u32, index: u32, key: &[u8]| {
        let mut tail = vec![0; 16];
        tail.extend(key);
        world.trap(
            "find",
            &[table, index, at, key.len() as u32, FREE, 16],
            &tail,
        )
    };
    let key = "find: the key for `primary key` of table `account` is malformed: ";
    assert_eq!(
        find(&mut world, ACCOUNT, 0, &[1; 7]),
        format!("{key}the bytes end inside a value")
    );
    let left_over = "bytes are left over after the last value";
    assert_eq!(
        find(&mut world, ACCOUNT, 0, &[1; 9]),
        format!("{key}{left_over}")
    );
    assert_eq!(
        find(&mut world, NOTE, 1, b"\x01\0\0\0\xff"),
        "find: the key for `by_text` of table `note` is malformed: a string is not UTF-8"
    );
    let delete = world.trap("delete", &[ACCOUNT, ARGS + 12, 3], &[1; 3]);
    assert!(
        delete.starts_with("delete: the key for `primary key`"),
        "{delete}"
    );
    let row = account(1, 1);
    assert_eq!(
        world.trap("insert", &[ACCOUNT, ARGS + 16, 15, 0], &row),
        "insert: table `account`: the row is malformed: the bytes end inside a value"
    );
    assert_eq!(
        world.trap("update", &[NOTE, ARGS + 12, 16], &row),
        "update: table `note`: the row is malformed: the bytes end inside a value"
    );
    let bounds = world.trap("scan_open", &[NOTE, 2, 0, ARGS + 28, 1, 0, 0], &[9]);
    assert!(
        bounds.starts_with("scan_open: `by_weight` of table `note`: the bounds"),
        "{bounds}"
    );
    let bounds = [1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let hash = world.trap("scan_open", &[NOTE, 1, 0, ARGS + 28, 14, 0, 0], &bounds);
    assert!(
        hash.starts_with("scan_open: `by_text` of table `note`: "),
        "{hash}"
    );
}

#[test]
fn writes_are_limited() {
    let grow = "(drop (memory.grow (i32.const 32)))";
    let insert = |len: usize| {
        // One string column of this many bytes.
        format!(
            "{grow} (i32.store (i32.const 0x90008) (i32.const {len}))
            (drop (call $insert (i32.const 1) (i32.const 0x90000) (i32.const {}) (i32.const 0)))
            {OK}",
            8 + 4 + len + 8
        )
    };
    let mut world = World::new(vec![
        reducer("key", None, &insert(KEY_BYTES_MAX)),
        reducer("row", None, &insert(ROW_BYTES_MAX)),
    ]);
    let key = world.call("key", &[]).unwrap_err();
    assert_eq!(key, CallError::Limit(CallLimit::KeyBytes));
    let row = world.call("row", &[]).unwrap_err();
    assert_eq!(row, CallError::Limit(CallLimit::RowBytes));
    assert_eq!(row.code(), ErrorCode::CallLimit);
    assert_eq!(
        row.to_string(),
        "the call wrote a row of more than 1048576 bytes"
    );
}

#[test]
fn log_lines_are_limited() {
    let body = format!(
        "(loop $again (call $log (i32.const 2) (i32.const 17) (i32.const 4))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.load (local.get $args)))))
        {OK}"
    );
    let mut world = World::new(vec![reducer("chat", None, &body)]);
    let max = CALL_LOG_LINES_MAX as u32;
    for _ in 0..2 {
        assert_eq!(world.raw("chat", &[max], &[]), Ok(0));
    }
    let error = world.raw("chat", &[max + 1], &[]).unwrap_err();
    assert_eq!(error, CallError::Limit(CallLimit::LogLines));
    assert_eq!(world.log.len(), 3 * CALL_LOG_LINES_MAX);
}

#[test]
fn traps_are_told_apart() {
    let recurse = "(func $f (param i64 i64 i64 i64) (result i64)
        (i64.add (i64.const 1) (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3))))";
    let zero = "(i64.const 0)".repeat(4);
    let mut world = World::with_limits(
        vec![
            reducer("unreachable", None, "unreachable"),
            reducer(
                "divide",
                Some(Type::I64),
                "(i64.div_u (i64.const 1) (i64.const 0))",
            ),
            reducer("recurse", Some(Type::I64), &format!("(call $f {zero})")),
            reducer("load", Some(Type::I64), "(i64.load (i32.const -8))"),
            reducer(
                "indirect",
                None,
                "(call_indirect (type $reducer) (i32.const 0) (i32.const 0) (i32.const 99))",
            ),
        ],
        recurse,
        RunLimits::default(),
    );
    for (name, expected) in [
        ("unreachable", "wasm `unreachable` instruction executed"),
        ("divide", "integer divide by zero"),
        ("recurse", "call stack exhausted"),
        ("load", "out of bounds memory access"),
        ("indirect", "undefined element: out of bounds table access"),
    ] {
        assert_eq!(world.trap(name, &[], &[]), expected);
        assert_eq!(world.call("ok", &[]), Ok(vec![]));
    }
}

#[test]
fn memory_is_limited() {
    let mut world = World::new(vec![
        reducer(
            "grow",
            None,
            &format!("(drop (memory.grow (i32.const 1024))) {OK}"),
        ),
        reducer(
            "wrap",
            None,
            &format!("(drop (memory.grow (i32.const -1))) {OK}"),
        ),
    ]);
    let error = world.call("grow", &[]).unwrap_err();
    assert_eq!(
        error,
        CallError::Memory {
            limit: CALL_MEMORY_BYTES_MAX
        }
    );
    assert_eq!(error.code(), ErrorCode::CallLimit);
    assert_eq!(
        error.to_string(),
        "the module needs more than 67108864 bytes of memory"
    );
    assert!(matches!(
        world.call("wrap", &[]),
        Err(CallError::Memory { .. }) | Ok(_)
    ));
    assert_eq!(world.call("ok", &[]), Ok(vec![]));
}

/// Runs something while another thread ticks.
pub(super) fn ticking<T>(host: &Host, run: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    #[expect(
        clippy::disallowed_methods,
        reason = "a test plays the gateway, which ticks"
    )]
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                host.tick();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let result = run();
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn a_loop_ends_at_the_deadline() {
    let limits = RunLimits {
        call_ms_max: 50,
        ..RunLimits::default()
    };
    let endless = "(loop $again (br $again)) unreachable";
    let mut world = World::with_limits(vec![reducer("loop", None, endless)], "", limits);
    let host = world.host.clone();
    let error = ticking(&host, || world.call("loop", &[])).unwrap_err();
    assert_eq!(error, CallError::Deadline { ms: 50 });
    assert_eq!(error.code(), ErrorCode::CallDeadline);
    assert_eq!(error.to_string(), "the call ran longer than 50 ms");
    // Time before a call does not count.
    for _ in 0..100 {
        host.tick();
    }
    assert_eq!(world.call("ok", &[]), Ok(vec![]));
}

#[test]
fn a_module_that_allocates_badly_fails_its_calls() {
    let text = wasm_text(vec![], "");
    let alloc = r#"(func (export "syncline_alloc") (param i32) (result i32) "#;
    let body = |body: &str| {
        text.replace(
            &format!("{alloc}(i32.const 131072))"),
            &format!("{alloc}{body})"),
        )
    };
    for (body, expected) in [
        (
            body("(i32.const -1)"),
            "syncline_alloc: 88 bytes at 4294967295 are outside of",
        ),
        (
            body("(i32.const 0xfffb0)"),
            "syncline_alloc: 88 bytes at 1048496 are outside of",
        ),
        (
            body("unreachable"),
            "wasm `unreachable` instruction executed",
        ),
        (
            body("(drop (call $count (i32.const 0))) (i32.const 0)"),
            "count: no reducer is running",
        ),
    ] {
        let mut world = World::of(&wat::parse_str(body).unwrap(), RunLimits::default());
        for _ in 0..2 {
            let text = world.trap("ok", &[], &[]);
            assert!(text.starts_with(expected), "{text}");
        }
    }
}
