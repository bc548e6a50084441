//! Calls that a well-behaved module makes.

use syncline_protocol::abi::{STATUS_NOT_FOUND, STATUS_UNIQUE};
use syncline_protocol::limits::{ARGS_BYTES_MAX, LOG_LINE_BYTES_MAX, RESULT_BYTES_MAX};
use syncline_protocol::{CodecError, ErrorCode, Field, ReducerDef, ReducerKind, Type};

use super::fixture::{
    ACCOUNT, ARGS, BLOCK, FREE, NOPE, NOTE, OK, World, account, note, reducer, returning_i64,
};
use crate::{CallError, CallLimit, validate_args};

#[test]
fn the_block_begins_with_the_context() {
    let mut world = World::new(vec![]);
    let header = world.peek(BLOCK, 88);
    let mut expected = vec![1; 32];
    expected.extend([2; 16]);
    expected.extend(3_i64.to_le_bytes());
    expected.extend([4; 32]);
    assert_eq!(header, expected);
}

#[test]
fn point_operations_work_on_packed_bytes() {
    let mut world = World::new(vec![]);
    assert_eq!(world.insert(ACCOUNT, &account(1, 50)), Ok(0));
    assert_eq!(world.insert(ACCOUNT, &account(2, -7)), Ok(0));
    assert_eq!(world.insert(ACCOUNT, &account(1, 9)), Ok(STATUS_UNIQUE));
    assert_eq!(world.raw("count", &[ACCOUNT], &[]), Ok(2));

    let key = 2_u64.to_le_bytes();
    let find = [ACCOUNT, 0, ARGS + 24, 8, FREE, 16];
    assert_eq!(world.raw("find", &find, &key), Ok(16));
    assert_eq!(world.peek(FREE, 16), account(2, -7));
    assert_eq!(
        world.raw("find", &find, &3_u64.to_le_bytes()),
        Ok(STATUS_NOT_FOUND)
    );

    let row = account(2, 8);
    assert_eq!(world.raw("update", &[ACCOUNT, ARGS + 12, 16], &row), Ok(0));
    assert_eq!(
        world.raw("update", &[ACCOUNT, ARGS + 12, 16], &account(3, 8)),
        Ok(STATUS_NOT_FOUND)
    );
    assert_eq!(world.rows(ACCOUNT).len(), 2);
    assert!(world.rows(ACCOUNT).contains(&row));

    assert_eq!(world.raw("delete", &[ACCOUNT, ARGS + 12, 8], &key), Ok(1));
    assert_eq!(world.raw("delete", &[ACCOUNT, ARGS + 12, 8], &key), Ok(0));
    assert_eq!(world.rows(ACCOUNT), [account(1, 50)]);
}

#[test]
fn a_row_that_does_not_fit_is_measured_and_not_written() {
    let mut world = World::new(vec![]);
    world.insert(ACCOUNT, &account(1, 50)).unwrap();
    let key = 1_u64.to_le_bytes();
    assert_eq!(
        world.raw("find", &[ACCOUNT, 0, ARGS + 24, 8, FREE, 15], &key),
        Ok(16)
    );
    assert_eq!(world.peek(FREE, 16), [0; 16]);
}

#[test]
fn the_assigned_value_is_written_out() {
    let mut world = World::new(vec![]);
    assert_eq!(world.insert(NOTE, &note(0, "a", 1.0)), Ok(8));
    assert_eq!(world.peek(FREE, 8), 1_u64.to_le_bytes());
    assert_eq!(world.insert(NOTE, &note(41, "b", 1.0)), Ok(0));
    assert_eq!(world.insert(NOTE, &note(0, "c", 1.0)), Ok(8));
    assert_eq!(world.peek(FREE, 8), 42_u64.to_le_bytes());
    assert_eq!(world.insert(NOTE, &note(0, "c", 1.0)), Ok(STATUS_UNIQUE));
}

#[test]
fn a_unique_index_finds_and_refuses() {
    let mut world = World::new(vec![]);
    world.insert(NOTE, &note(5, "a", 1.0)).unwrap();
    world.insert(NOTE, &note(6, "b", 1.0)).unwrap();
    let key = b"\x01\0\0\0b";
    assert_eq!(
        world.raw("find", &[NOTE, 1, ARGS + 24, 5, FREE, 99], key),
        Ok(21)
    );
    assert_eq!(world.peek(FREE, 21), note(6, "b", 1.0));
    let row = note(6, "a", 1.0);
    let update = [NOTE, ARGS + 12, row.len() as u32];
    assert_eq!(world.raw("update", &update, &row), Ok(STATUS_UNIQUE));
}

#[test]
fn floats_become_canonical() {
    let mut world = World::new(vec![reducer(
        "minus_zero",
        Some(Type::F64),
        &returning_i64("(i64.const 0x8000000000000000)"),
    )]);
    world.insert(NOTE, &note(1, "a", -0.0)).unwrap();
    assert_eq!(world.rows(NOTE), [note(1, "a", 0.0)]);
    let row = note(1, "a", f64::from_bits(0xfff8_0000_0000_0001));
    world
        .raw("update", &[NOTE, ARGS + 12, row.len() as u32], &row)
        .unwrap();
    assert_eq!(
        world.rows(NOTE),
        [note(1, "a", f64::from_bits(0x7ff8_0000_0000_0000))]
    );
    assert_eq!(world.peek(ARGS + 12, 0), [0; 0]);
    assert_eq!(world.call("minus_zero", &[]), Ok(vec![0; 8]));
}

#[test]
fn an_error_undoes_what_the_reducer_did() {
    let insert =
        "(drop (call $insert (i32.const 0) (local.get $args) (i32.const 16) (i32.const 0)))";
    let mut world = World::new(vec![
        reducer("insert_ok", None, &format!("{insert} {OK}")),
        reducer("insert_nope", None, &format!("{insert} {NOPE}")),
        reducer("insert_trap", None, &format!("{insert} unreachable")),
    ]);
    let nope = world.call("insert_nope", &account(1, 1)).unwrap_err();
    assert_eq!(nope, CallError::Reducer("nope".into()));
    assert_eq!(nope.code(), ErrorCode::ReducerError);
    assert_eq!(nope.to_wire().message, "nope");
    assert!(world.call("insert_trap", &account(1, 1)).is_err());
    assert_eq!(world.rows(ACCOUNT), Vec::<Vec<u8>>::new());
    assert_eq!(world.call("insert_ok", &account(1, 1)), Ok(vec![]));
    assert_eq!(world.rows(ACCOUNT), [account(1, 1)]);
    assert_eq!(world.changes.len(), 1);
}

#[test]
fn values_are_those_the_reducer_declares() {
    let wrong = |text: &str| {
        Err(CallError::Trap(format!(
            "outcome: the value is not of the type that the reducer returns: {text}"
        )))
    };
    let mut world = World::new(vec![
        reducer("i64", Some(Type::I64), &returning_i64("(i64.const 258)")),
        reducer(
            "string",
            Some(Type::String),
            &returning_i64("(i64.const 258)"),
        ),
        reducer("bool", Some(Type::Bool), &returning_i64("(i64.const 1)")),
        reducer("unit", None, &returning_i64("(i64.const 1)")),
        reducer("nothing", Some(Type::I64), OK),
    ]);
    assert_eq!(world.call("i64", &[]), Ok(258_i64.to_le_bytes().to_vec()));
    assert_eq!(
        world.call("string", &[]),
        wrong("the bytes end inside a value")
    );
    assert_eq!(
        world.call("bool", &[]),
        wrong("bytes are left over after the last value")
    );
    assert_eq!(
        world.call("unit", &[]),
        wrong("bytes are left over after the last value")
    );
    assert_eq!(
        world.call("nothing", &[]),
        wrong("the bytes end inside a value")
    );
}

#[test]
fn outcomes_are_checked() {
    let outcome = |ptr: u64, len: u64| format!("(i64.const {})", (ptr << 32) | len);
    let mut world = World::new(vec![
        reducer("empty", None, &outcome(0, 0)),
        reducer(
            "unknown",
            None,
            &format!("(i32.store8 (i32.const 8) (i32.const 2)) {}", outcome(8, 1)),
        ),
        reducer("outside", None, &outcome(0xf_ffff, 2)),
        reducer("far", None, &outcome(0xffff_ffff, 0xffff_ffff)),
        reducer(
            "large",
            Some(Type::Bytes),
            &format!(
                "(drop (memory.grow (i32.const 32))) {}",
                outcome(0, RESULT_BYTES_MAX as u64 + 2)
            ),
        ),
    ]);
    assert_eq!(world.trap("empty", &[], &[]), "outcome: it is empty");
    assert_eq!(
        world.trap("unknown", &[], &[]),
        "outcome: there is no outcome 2"
    );
    let outside = "outcome: 2 bytes at 1048575 are outside of the module's memory";
    assert_eq!(world.trap("outside", &[], &[]), outside);
    assert!(
        world
            .trap("far", &[], &[])
            .ends_with("are outside of the module's memory")
    );
    assert_eq!(
        world.call("large", &[]),
        Err(CallError::Limit(CallLimit::ResultBytes))
    );
}

#[test]
fn lines_are_logged_in_failed_calls_too() {
    let log = "(call $log (i32.const 1) (i32.const 17) (i32.const 4))";
    let mut world = World::new(vec![reducer(
        "log_nope",
        None,
        &format!("{log} {log} {NOPE}"),
    )]);
    world.raw("log", &[2, ARGS + 12, 2], b"hi").unwrap();
    world.call("log_nope", &[]).unwrap_err();
    let lines = world
        .log
        .iter()
        .map(|line| (line.level_name(), line.text.as_str()));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [("info", "hi"), ("warn", "nope"), ("warn", "nope")]
    );
}

#[test]
fn long_lines_are_cut_between_characters() {
    let mut world = World::new(vec![]);
    let line = format!("{}é and more", "x".repeat(LOG_LINE_BYTES_MAX - 1));
    world
        .raw("log", &[0, ARGS + 12, line.len() as u32], line.as_bytes())
        .unwrap();
    assert_eq!(
        world.log[0].text,
        format!("{}…", "x".repeat(LOG_LINE_BYTES_MAX - 1))
    );
    let line = vec![0xff; LOG_LINE_BYTES_MAX];
    world
        .raw("log", &[0, ARGS + 12, line.len() as u32], &line)
        .unwrap();
    let replaced = "\u{fffd}".repeat(LOG_LINE_BYTES_MAX / 3);
    assert_eq!(world.log[1].text, format!("{replaced}…"));
}

#[test]
fn last_words_arrive() {
    let mut world = World::new(vec![]);
    let panic = world
        .raw("panic", &[ARGS + 8, 5], b"a\xffb\xc3\xa9")
        .unwrap_err();
    assert_eq!(panic, CallError::Panic("a\u{fffd}bé".into()));
    assert_eq!(panic.code(), ErrorCode::ReducerPanic);
    assert_eq!(panic.to_string(), "the reducer panicked: a\u{fffd}bé");
    let long = "y".repeat(LOG_LINE_BYTES_MAX + 1);
    match world.raw("panic", &[ARGS + 8, long.len() as u32], long.as_bytes()) {
        Err(CallError::Panic(text)) => assert_eq!(text.chars().count(), LOG_LINE_BYTES_MAX + 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn arguments_are_bounded_and_checkable() {
    let mut world = World::new(vec![]);
    let args = vec![0; ARGS_BYTES_MAX + 1];
    assert_eq!(
        world.call("ok", &args),
        Err(CallError::Limit(CallLimit::ArgsBytes))
    );
    let field = |name: &str, ty| Field {
        name: name.into(),
        ty,
    };
    let def = ReducerDef {
        name: "paint".into(),
        params: vec![field("on", Type::Bool), field("x", Type::U16)],
        returns: None,
        kind: ReducerKind::Call,
    };
    for (args, expected) in [
        (&[1, 2, 3][..], Ok(())),
        (&[1, 2], Err(CodecError::Truncated)),
        (&[2, 2, 3], Err(CodecError::BadTag)),
        (&[1, 2, 3, 4], Err(CodecError::TrailingBytes)),
    ] {
        assert_eq!(validate_args(&def, args), expected);
    }
}
