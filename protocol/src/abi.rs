//! The contract between host and module, version 1 (docs/module-abi.md has it in prose).
//!
//! A module imports functions from [`IMPORT_MODULE`] and exports `memory` and the functions named
//! here. Pointers and lengths are u32 offsets into its memory; rows and keys are packed.

pub mod query;

/// Import module of every host function.
pub const IMPORT_MODULE: &str = "syncline_1";

/// Host functions a module may import, with their wasm signatures.
///
/// | function | parameters | result |
/// |---|---|---|
/// | `find` | table, index, key ptr, key len, out ptr, out cap: i32 | i64: [`STATUS_NOT_FOUND`], or the row's length; the row is in `out` if it fits in `out cap` |
/// | `insert` | table, row ptr, row len, out ptr: i32 | i64: 0, or the length (1 to 16) of the auto-increment value that was assigned and written to `out` (16 bytes must be there), or a status |
/// | `update` | table, row ptr, row len: i32 | i64: 0 or a status |
/// | `delete` | table, key ptr, key len: i32 | i64: 1, or 0 if there was no such row |
/// | `scan_open` | table, index, flags, bounds ptr, bounds len, out ptr, out cap: i32 | i64: a chunk (see below) or a status |
/// | `scan_next` | cursor, out ptr, out cap: i32 | i64: a chunk |
/// | `scan_close` | cursor: i32 | |
/// | `count` | table: i32 | i64: rows |
/// | `query` | request ptr, request len, out ptr, out cap: i32 | i64: a chunk whose first item is a [`query`] answer's head |
/// | `log` | level, ptr, len: i32 | |
/// | `panic` | ptr, len: i32 | never returns: the call ends with REDUCER_PANIC and this message |
///
/// `find` works on the primary key (index 0) and on unique indexes; `update` and `delete` on the
/// primary key.
///
/// A **chunk** is `cursor << 32 | bytes`: that many bytes of rows, each a u32 length and the packed
/// row, are in `out`; cursor 0 means that the scan is over, any other goes into `scan_next`. If not
/// even the next row fits, the result is [`STATUS_ROW_TOO_LARGE`] and nothing is lost: call again with
/// a buffer that takes [`crate::limits::ROW_BYTES_MAX`] + 4. A scan reads the rows as they are when
/// its chunk is filled.
///
/// **Bounds** of a scan: empty for all rows; else two bounds, lower and upper, each a u8 kind
/// ([`BOUND_NONE`], [`BOUND_INCLUDED`], [`BOUND_EXCLUDED`]) and, unless none, a u32 length and packed
/// values for a prefix of the index's columns. An included bound takes in every key that starts with
/// the prefix, an excluded one leaves them all out. A scan of a hash index (or of the primary key, unless
/// it is the whole table) has both bounds included and equal, with a value for every column. Index 0
/// is ordered only if the table has an ordered index over the same columns: use that one.
pub const IMPORTS: &[&str] = &[
    "find",
    "insert",
    "update",
    "delete",
    "scan_open",
    "scan_next",
    "scan_close",
    "count",
    "query",
    "log",
    "panic",
];

/// The module's one linear memory, 32-bit.
pub const EXPORT_MEMORY: &str = "memory";
/// `syncline_describe() -> i64`: `ptr << 32 | len` of the description, a u32 [`VERSION`] and then a schema
/// as [`crate::schema_codec`] writes it.
pub const EXPORT_DESCRIBE: &str = "syncline_describe";
/// `syncline_alloc(len: i32) -> i32`: where the host may write `len` bytes. The place belongs to the host
/// until it calls `syncline_alloc` again, so one place serves many calls: the host asks anew only for a
/// call block that does not fit, never while a reducer runs. One growing buffer is all a module needs.
pub const EXPORT_ALLOC: &str = "syncline_alloc";
/// `syncline_call(reducer: i32, ptr: i32, len: i32) -> i64`: runs the reducer of that position with the
/// call block at `ptr`; the result is `ptr << 32 | len` of an outcome: a u8, [`OUTCOME_OK`] and the packed
/// return value, or [`OUTCOME_ERROR`] and the error text in UTF-8.
pub const EXPORT_CALL: &str = "syncline_call";

/// Version of this contract, first in the description.
pub const VERSION: u32 = 1;

/// First bytes of the call block; the packed arguments follow. Caller identity (32 bytes), connection id (16;
/// zero: none), timestamp (8, i64 microseconds), seed (32).
pub const CALL_HEADER_BYTES: usize = 32 + 16 + 8 + 32;

/// The reducer succeeded.
pub const OUTCOME_OK: u8 = 0;
/// The reducer returned an error.
pub const OUTCOME_ERROR: u8 = 1;

/// No row has this key.
pub const STATUS_NOT_FOUND: i64 = -1;
/// Another row has the same primary key or unique key.
pub const STATUS_UNIQUE: i64 = -2;
/// The next row does not fit in the buffer.
pub const STATUS_ROW_TOO_LARGE: i64 = -3;
/// The auto-increment column has no values left.
pub const STATUS_EXHAUSTED: i64 = -4;

/// No bound on this side.
pub const BOUND_NONE: u8 = 0;
/// Keys that start with the bound are in.
pub const BOUND_INCLUDED: u8 = 1;
/// Keys that start with the bound are out.
pub const BOUND_EXCLUDED: u8 = 2;

/// `flags` of `scan_open`: from the upper bound down.
pub const SCAN_REVERSE: u32 = 1;

/// Levels of `log`.
pub const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
