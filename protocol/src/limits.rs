//! Every limit with its default, its unit last in the name. Operators lower or raise what is in the
//! server's configuration; the others are part of the formats.

/// A WebSocket message, either way, and an HTTP body except a module.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// The wasm of a module.
pub const MODULE_BYTES_MAX: usize = 32 << 20;
/// Bytes of compiled modules that a server keeps on disk beside those that it runs.
pub const COMPILED_BYTES_MAX: u64 = 256 << 20;
/// A packed row.
pub const ROW_BYTES_MAX: usize = 1 << 20;
/// A packed or memcomparable key.
pub const KEY_BYTES_MAX: usize = 4 << 10;
/// Canonical text of a JSON value.
pub const JSON_BYTES_MAX: usize = 256 << 10;
/// Nesting of arrays and objects in a JSON value.
pub const JSON_DEPTH_MAX: usize = 64;
/// Packed arguments of a call.
pub const ARGS_BYTES_MAX: usize = 1 << 20;
/// Packed value that a reducer returns, and its error text.
pub const RESULT_BYTES_MAX: usize = 1 << 20;

/// Tables of a schema.
pub const TABLES_MAX: usize = 512;
/// Columns of a table.
pub const COLUMNS_MAX: usize = 256;
/// Indexes of a table.
pub const INDEXES_MAX: usize = 32;
/// Reducers of a schema.
pub const REDUCERS_MAX: usize = 1024;
/// Views of a schema.
pub const VIEWS_MAX: usize = 256;
/// Parameters of a reducer or view.
pub const PARAMS_MAX: usize = 64;
/// A name of anything.
pub const NAME_BYTES_MAX: usize = 128;

/// Wall time of a call.
pub const CALL_MS_MAX: u64 = 1000;
/// Linear memory of a module instance.
pub const CALL_MEMORY_BYTES_MAX: usize = 64 << 20;
/// Rows that a transaction may change.
pub const CALL_ROWS_MAX: usize = 1_000_000;
/// Bytes of rows that a transaction may write.
pub const CALL_WRITE_BYTES_MAX: usize = 64 << 20;
/// Bytes of the answer of a query that a reducer asks.
pub const CALL_QUERY_BYTES_MAX: usize = 16 << 20;
/// Open cursors of a call.
pub const CALL_CURSORS_MAX: usize = 64;
/// Lines that a call may log.
pub const CALL_LOG_LINES_MAX: usize = 100;
/// A line in the module's log.
pub const LOG_LINE_BYTES_MAX: usize = 4 << 10;
/// Module log lines that the server keeps per database.
pub const LOG_LINES_KEPT: usize = 10_000;
/// What a guest hands over for the rows of a scan.
pub const SCAN_CHUNK_BYTES: usize = 64 << 10;

/// A SQL text; the condition of a policy and the query of a view, too.
pub const SQL_BYTES_MAX: usize = 16 << 10;
/// A query as structure (module `logical`), in MessagePack.
pub const LOGICAL_BYTES_MAX: usize = 64 << 10;
/// Values that such a query is made of: names, literals, lists and objects.
pub const LOGICAL_VALUES_MAX: usize = 16 << 10;
/// Lists and objects around each other in it; an operator takes two.
pub const LOGICAL_NESTING_MAX: usize = 96;
/// Parameters of a query, and items of a list parameter.
pub const SQL_PARAMS_MAX: usize = 1024;
/// Nesting of a SQL expression.
pub const SQL_DEPTH_MAX: usize = 32;
/// Parts of the expressions of a query once names, views and policies are put in: an operand that an operator
/// repeats counts each time, a literal once more for each KiB of it.
pub const QUERY_PARTS_MAX: usize = 64 << 10;
/// Tables and sub-queries that one FROM joins.
pub const SELECT_SOURCES_MAX: usize = 8;
/// Those of all SELECTs of a query, a WITH counted at each use.
pub const QUERY_SOURCES_MAX: usize = 64;
/// Rows of a live window (`ORDER BY .. LIMIT n`).
pub const WINDOW_ROWS_MAX: u64 = 1000;
/// Rows that are told as a difference when parameters of a live query change. Where no index leads to it, also rows of the
/// old result and of the new one, which are compared. Of more the new rows are told.
pub const MOVED_ROWS_MAX: usize = 10_000;
/// Rows that are looked at between two places of a bound to tell that difference.
pub const MOVED_WALK_ROWS_MAX: usize = 100_000;
/// Bytes of rows that such differences add to a result before it is measured again.
pub const MOVED_UNCHECKED_BYTES_MAX: usize = 1 << 20;
/// Rows that a first answer or one-off query may return.
pub const QUERY_ROWS_MAX: usize = 1_000_000;
/// Bytes that a first answer or one-off query may return.
pub const QUERY_BYTES_MAX: usize = 48 << 20;
/// Rows that a one-off query may look at.
pub const QUERY_SCAN_ROWS_MAX: usize = 2_000_000;
/// Bytes of rows in one Snapshot, Rows or Reset chunk.
pub const SNAPSHOT_CHUNK_BYTES: usize = 256 << 10;
/// Bytes that one live instance may remember: groups, counters, rows in order.
pub const LIVE_STATE_BYTES_MAX: usize = 256 << 20;
/// Bytes that all instances of one template take.
pub const LIVE_TEMPLATE_BYTES_MAX: usize = 512 << 20;
/// Bytes that all live instances of a database take.
pub const LIVE_BYTES_MAX: usize = 1 << 30;
/// Rows that one transaction may make a template look at; beyond it its instances are evaluated anew.
pub const LIVE_STEP_ROWS_MAX: u64 = 4_000_000;
/// Rows that a live query may look at to begin.
pub const LIVE_FIRST_ROWS_MAX: u64 = 4_000_000;
/// Instances that a transaction makes be evaluated anew; of a template that has more all end.
pub const LIVE_RESETS_MAX: usize = 64;
/// Rows that all of those look at together.
pub const LIVE_RESET_ROWS_MAX: u64 = 8_000_000;
/// Bytes of the rows that they tell.
pub const LIVE_RESET_BYTES_MAX: usize = 128 << 20;
/// Time that an instance is kept current after its last subscription has ended.
pub const LIVE_IDLE_MS: u64 = 10_000;
/// Instances that are kept so.
pub const LIVE_IDLE_INSTANCES_MAX: usize = 1024;
/// Bytes that one of them may take.
pub const LIVE_IDLE_BYTES_MAX: usize = 4 << 20;
/// Indexes that live queries of a database make for want of declared ones.
pub const LIVE_INDEXES_MAX: usize = 64;
/// Those of one table: each of them makes every write of a row dearer.
pub const LIVE_INDEXES_PER_TABLE_MAX: usize = 8;
/// Rows of a table that such an index is made of at most: commits wait for it.
pub const LIVE_INDEX_ROWS_MAX: usize = 250_000;
/// Subscriptions of an identity, over all its connections.
pub const IDENTITY_SUBSCRIPTIONS_MAX: usize = 65_536;
/// Live instances of an identity that must look at every change of a table.
pub const IDENTITY_SCANNED_MAX: usize = 64;
/// Bytes that what an identity subscribes to took when it did.
pub const IDENTITY_STATE_BYTES_MAX: usize = 256 << 20;
/// Bytes of the texts and parameters of all subscriptions of a database.
pub const ASKED_BYTES_MAX: usize = 256 << 20;
/// Rows that a publish makes live results look at together, to begin anew and to be told anew. What is behind ends, or its
/// clients connect again.
pub const PUBLISH_ROWS_MAX: u64 = 64_000_000;
/// A first answer that is kept for who asks the same before it changes.
pub const FIRST_ANSWER_BYTES_MAX: usize = 4 << 20;
/// All of those of a database.
pub const FIRST_ANSWERS_BYTES_MAX: usize = 64 << 20;
/// Live instances that no equality, bound or beginning of a column finds, per table.
pub const SCANNED_INSTANCES_MAX: usize = 256;

/// Claims of a token that queries can read.
pub const CLAIMS_MAX: usize = 32;
/// Bytes of one that is text.
pub const CLAIM_BYTES_MAX: usize = 256;

/// Connections of a server.
pub const CONNECTIONS_MAX: usize = 100_000;
/// Subscriptions of a connection.
pub const SUBSCRIPTIONS_PER_CONNECTION_MAX: usize = 4096;
/// Calls, queries and subscribes of a connection that wait for an answer; more stop its reading.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 4096;
/// Bytes that wait for a client to read; over it the client is slow.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;
/// Bytes of answers that wait for the client that asked for them: first answers, rows, replies. They may be
/// more than news, since a large answer is written faster than it can be read.
pub const ANSWERS_BYTES_MAX: usize = 128 << 20;
/// Time a slow client has to drain before it is closed.
pub const SLOW_CLIENT_MS_MAX: u64 = 10_000;
/// Time between accept and Hello.
pub const HELLO_MS_MAX: u64 = 5_000;
/// Commands that wait for the engine of a database.
pub const INBOX_COMMANDS_MAX: usize = 16_384;
/// Bytes of the messages that wait for it: a thousand calls with arguments of megabytes are too many.
pub const INBOX_BYTES_MAX: usize = 64 << 20;
/// Commands of one connection among them; more stop its reading.
pub const CONNECTION_COMMANDS_MAX: usize = 1024;
/// Bytes of the messages of one connection among them; more stop its reading.
pub const CONNECTION_COMMAND_BYTES_MAX: usize = 8 << 20;
/// Commands that wait for their turn because they, or one before them, call a slow reducer; more calls of
/// such reducers are refused.
pub const DEFERRED_COMMANDS_MAX: usize = 4096;
/// Bytes of the messages of those.
pub const DEFERRED_BYTES_MAX: usize = 16 << 20;
/// Commands of one `Engine::step`.
pub const STEP_COMMANDS_MAX: usize = 1024;
/// Bytes of the commit log that are written but not yet durable; more stop the engine.
pub const LOG_PENDING_BYTES_MAX: usize = 64 << 20;
/// A segment of the commit log.
pub const LOG_SEGMENT_BYTES: usize = 64 << 20;
/// Records of the commit log after which one holds the row sums of all tables.
pub const LOG_SUMS_BYTES: usize = 8 << 20;
/// Records of the commit log after which a checkpoint is due.
pub const CHECKPOINT_LOG_BYTES: u64 = 64 << 20;
/// Checkpoints that are kept at least.
pub const CHECKPOINTS_MIN: usize = 2;
/// Checkpoints and log of the past that are kept.
pub const HISTORY_BYTES_MAX: u64 = 1 << 30;
/// A record of the commit log.
pub const LOG_RECORD_BYTES_MAX: usize = 256 << 20;
/// Rows of an import that are one transaction.
pub const IMPORT_BATCH_ROWS: usize = 1000;
/// Bytes of packed rows after which an import's transaction takes no more.
pub const IMPORT_BATCH_BYTES: usize = 256 << 10;
/// A line of an import: an object of JSON, or a record of CSV.
pub const IMPORT_LINE_BYTES_MAX: usize = 8 << 20;
/// Exports and readings of the past that a server runs at once: each has a database in memory.
pub const EXPORTS_MAX: usize = 4;
/// Events in the history of one row that are told at once.
pub const HISTORY_EVENTS_MAX: usize = 10_000;
/// A piece of an export.
pub const EXPORT_CHUNK_BYTES: usize = 64 << 10;

const _: () = assert!(
    LOGICAL_NESTING_MAX < 120,
    "a query in JSON nests less than what its parser takes, with the message around it"
);
const _: () = assert!(KEY_BYTES_MAX <= ROW_BYTES_MAX, "a key is a part of a row");
const _: () = assert!(JSON_BYTES_MAX < ROW_BYTES_MAX, "and so is a JSON value");
const _: () = assert!(
    ROW_BYTES_MAX <= FRAME_BYTES_MAX,
    "a row travels in one frame"
);
const _: () = assert!(
    ARGS_BYTES_MAX < FRAME_BYTES_MAX,
    "a call travels in one frame"
);
const _: () = assert!(
    SNAPSHOT_CHUNK_BYTES + ROW_BYTES_MAX < FRAME_BYTES_MAX,
    "and so does a chunk"
);
const _: () = assert!(
    FRAME_BYTES_MAX < OUTBOX_BYTES_MAX,
    "an outbox holds a frame"
);
const _: () = assert!(
    IMPORT_BATCH_BYTES + ROW_BYTES_MAX < CALL_WRITE_BYTES_MAX && IMPORT_BATCH_ROWS < CALL_ROWS_MAX,
    "a transaction holds a batch"
);
const _: () = assert!(
    2 * CALL_WRITE_BYTES_MAX < LOG_RECORD_BYTES_MAX,
    "a record holds a transaction"
);
const _: () = assert!(
    LIVE_STATE_BYTES_MAX <= LIVE_TEMPLATE_BYTES_MAX && LIVE_TEMPLATE_BYTES_MAX <= LIVE_BYTES_MAX,
    "an instance is of a template, and that of a database"
);
const _: () = assert!(
    IDENTITY_SCANNED_MAX < SCANNED_INSTANCES_MAX
        && SUBSCRIPTIONS_PER_CONNECTION_MAX <= IDENTITY_SUBSCRIPTIONS_MAX,
    "one identity leaves room for others"
);
const _: () = assert!(
    DEFERRED_COMMANDS_MAX < INBOX_COMMANDS_MAX && DEFERRED_BYTES_MAX < INBOX_BYTES_MAX,
    "slow calls leave room for others"
);
