//! Chunks and cursors.

use syncline_protocol::abi::{
    BOUND_EXCLUDED, BOUND_INCLUDED, BOUND_NONE, SCAN_REVERSE, STATUS_ROW_TOO_LARGE,
};
use syncline_protocol::limits::CALL_CURSORS_MAX;
use syncline_protocol::{Type, packed};

use super::fixture::{ACCOUNT, ARGS, FREE, NOTE, OK, World, account, note, reducer, returning_i64};
use crate::{CallError, CallLimit};

const IN: u8 = BOUND_INCLUDED;
const OUT: u8 = BOUND_EXCLUDED;
const ALL: u8 = BOUND_NONE;

/// `scan(table, index, flags, bounds ptr, bounds len, cap)`: all chunks, one behind the other, and in
/// front of them how many there were.
fn scanning() -> World {
    let arg = |position: u32| format!("(i32.load offset={} (local.get $args))", 4 * position);
    let open = format!(
        "(local.set $chunk (call $scan_open {} {} {} {} {} (i32.const 0x90000) {}))",
        arg(0),
        arg(1),
        arg(2),
        arg(3),
        arg(4),
        arg(5)
    );
    let next = format!(
        "(local.set $chunk (call $scan_next
            (i32.wrap_i64 (i64.shr_u (local.get $chunk) (i64.const 32)))
            (i32.add (i32.const 0x90000) (local.get $i)) {}))",
        arg(5)
    );
    let scan = format!(
        "(i32.store8 (i32.const 0x8fff7) (i32.const 0))
        (i32.store (i32.const 0x8fffc) (i32.const 1))
        {open}
        (block $done (loop $more
            (if (i64.lt_s (local.get $chunk) (i64.const 0)) (then unreachable))
            (local.set $i (i32.add (local.get $i) (i32.wrap_i64 (local.get $chunk))))
            (br_if $done (i64.eqz (i64.shr_u (local.get $chunk) (i64.const 32))))
            {next}
            (i32.store (i32.const 0x8fffc)
                (i32.add (i32.const 1) (i32.load (i32.const 0x8fffc))))
            (br $more)))
        (i32.store (i32.const 0x8fff8) (i32.add (local.get $i) (i32.const 4)))
        (i64.or (i64.const 0x8fff700000000)
            (i64.extend_i32_u (i32.add (local.get $i) (i32.const 9))))"
    );
    let mut world = World::new(vec![reducer("scan", Some(Type::Bytes), &scan)]);
    for (id, text, weight) in [
        (1, "a", 2.0),
        (2, "b", 1.0),
        (3, "c", 3.0),
        (4, "d", 2.0),
        (5, "e", -1.0),
    ] {
        world.insert(NOTE, &note(id, text, weight)).unwrap();
    }
    world
}

impl World {
    /// Ids of the rows of a scan of `note`, and the number of chunks.
    fn scan(&mut self, index: u32, flags: u32, bounds: &[u8], cap: u32) -> (Vec<u64>, u32) {
        let args = [NOTE, index, flags, ARGS + 24, bounds.len() as u32, cap];
        let mut packed: Vec<u8> = args.iter().flat_map(|arg| arg.to_le_bytes()).collect();
        packed.extend(bounds);
        let value = self.call("scan", &packed).unwrap();
        let mut reader = packed::Reader::new(&value[4..]);
        let chunk_count = reader.u32().unwrap();
        let mut ids = Vec::new();
        while !reader.rest().is_empty() {
            let row = reader.sized().unwrap();
            ids.push(u64::from_le_bytes(*row.first_chunk().unwrap()));
        }
        (ids, chunk_count)
    }
}

fn bound(kind: u8, key: &[u8]) -> Vec<u8> {
    let mut bound = vec![kind];
    if kind != BOUND_NONE {
        packed::put_sized(key, &mut bound);
    }
    bound
}

fn bounds(lower: (u8, f64), upper: (u8, f64)) -> Vec<u8> {
    let [lower, upper] = [lower, upper].map(|(kind, weight)| bound(kind, &weight.to_le_bytes()));
    [lower, upper].concat()
}

#[test]
fn scans_read_what_the_bounds_take_in() {
    let mut world = scanning();
    let by_weight = 2;
    for (flags, bounds, expected) in [
        (0, vec![], &[5, 2, 1, 4, 3][..]),
        (SCAN_REVERSE, vec![], &[3, 4, 1, 2, 5]),
        (0, bounds((IN, 1.0), (IN, 2.0)), &[2, 1, 4]),
        (0, bounds((OUT, 1.0), (OUT, 3.0)), &[1, 4]),
        (0, bounds((ALL, 0.0), (OUT, 2.0)), &[5, 2]),
        (SCAN_REVERSE, bounds((IN, 2.0), (ALL, 0.0)), &[3, 4, 1]),
        (0, bounds((IN, 4.0), (ALL, 0.0)), &[]),
    ] {
        assert_eq!(
            world.scan(by_weight, flags, &bounds, 1000),
            (expected.to_vec(), 1),
            "{bounds:?}"
        );
    }
    let key = bound(IN, b"\x01\0\0\0c");
    assert_eq!(world.scan(1, 0, &key.repeat(2), 1000), (vec![3], 1));
    let key = bound(IN, &4_u64.to_le_bytes());
    assert_eq!(world.scan(0, 0, &key.repeat(2), 1000), (vec![4], 1));
    let (mut ids, _) = world.scan(0, 0, &[], 1000);
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
}

#[test]
fn bounds_need_not_be_canonical() {
    let mut world = scanning();
    world.insert(NOTE, &note(6, "f", 0.0)).unwrap();
    let minus_zero = bounds((IN, -0.0), (IN, -0.0));
    assert_eq!(world.scan(2, 0, &minus_zero, 1000), (vec![6], 1));
    let not_a_number = f64::from_bits(0xfff0_0000_0000_0001);
    world.insert(NOTE, &note(7, "g", not_a_number)).unwrap();
    let above = bounds((OUT, 3.0), (IN, not_a_number));
    assert_eq!(world.scan(2, 0, &above, 1000), (vec![7], 1));
}

#[test]
fn a_scan_goes_on_where_its_chunk_ended() {
    let mut world = scanning();
    // A row has 21 bytes, its length 4 more.
    for (cap, chunk_count) in [(25, 5), (49, 5), (50, 3), (124, 2), (125, 1)] {
        let (ids, chunks) = world.scan(2, 0, &[], cap);
        assert_eq!(ids, [5, 2, 1, 4, 3], "cap {cap}");
        assert!(
            chunks == chunk_count || chunks == chunk_count + 1,
            "cap {cap}: {chunks} chunks"
        );
    }
}

#[test]
fn a_row_that_does_not_fit_is_not_lost() {
    let mut world = scanning();
    let open = [NOTE, 2, 0, 0, 0, FREE, 24];
    assert_eq!(world.raw("scan_open", &open, &[]), Ok(STATUS_ROW_TOO_LARGE));
    // The second chunk has no room, then it has: the status, and the bytes of the chunk after it.
    let retry = "(local.set $chunk (call $scan_open (i32.const 1) (i32.const 2) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0x30000) (i32.const 25)))
        (local.set $i (i32.wrap_i64 (i64.shr_u (local.get $chunk) (i64.const 32))))
        (if (i64.ne (call $scan_next (local.get $i) (i32.const 0x30000) (i32.const 3))
                (i64.const -3)) (then unreachable))
        (local.set $chunk (call $scan_next (local.get $i) (i32.const 0x30000) (i32.const 1000)))";
    let mut world_of_retry = World::new(vec![reducer(
        "retry",
        Some(Type::I64),
        &format!("{retry} {}", returning_i64("(local.get $chunk)")),
    )]);
    for id in 1..=3 {
        world_of_retry
            .insert(NOTE, &note(id, &id.to_string(), 1.0))
            .unwrap();
    }
    assert_eq!(world_of_retry.raw("retry", &[], &[]), Ok(50));
}

/// Opens scans in a loop, closing them or not.
fn opening(close: &str) -> World {
    let body = format!(
        "(loop $again
            (local.set $chunk (call $scan_open (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0x30000) (i32.const 20)))
            {close}
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.load (local.get $args)))))
        {OK}"
    );
    let mut world = World::new(vec![reducer("open", None, &body)]);
    for id in 0..2 {
        world.insert(ACCOUNT, &account(id, 0)).unwrap();
    }
    world
}

#[test]
fn cursors_are_limited_and_closed_with_the_call() {
    let mut world = opening("");
    let max = CALL_CURSORS_MAX as u32;
    for _ in 0..3 {
        assert_eq!(world.raw("open", &[max], &[]), Ok(0));
    }
    let error = world.raw("open", &[max + 1], &[]).unwrap_err();
    assert_eq!(error, CallError::Limit(CallLimit::Cursors));
    assert_eq!(
        error.to_string(),
        "the call opened more than 64 scans at a time"
    );
    // A cursor of an earlier call is not there.
    world.raw("open", &[1], &[]).unwrap();
    let stale = world.trap("scan_next", &[1, FREE, 100], &[]);
    assert_eq!(stale, "scan_next: there is no cursor 1");
}

#[test]
fn a_closed_cursor_makes_room() {
    let close = "(call $scan_close (i32.wrap_i64 (i64.shr_u (local.get $chunk) (i64.const 32))))";
    let mut world = opening(close);
    assert_eq!(world.raw("open", &[1000], &[]), Ok(0));
    let mut world = opening(&close.repeat(2));
    assert_eq!(
        world.trap("open", &[1], &[]),
        "scan_close: there is no cursor 1"
    );
}
