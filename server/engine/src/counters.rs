//! What the metrics page shows of a database.

/// Totals since the database was opened, and sizes at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions that changed something.
    pub transactions: u64,
    /// Calls that returned an error, trapped or met a limit.
    pub calls_failed: u64,
    /// Rows that transactions changed.
    pub rows_changed: u64,
    /// Deltas of live queries.
    pub deltas: u64,
    /// Commit messages to connections.
    pub commits_sent: u64,
    /// First answers of live queries.
    pub snapshots: u64,
    /// Of those, how many were evaluated: the others are told what was kept.
    pub evaluations: u64,
    /// Times that rows of an instance were told anew in place of a delta.
    pub resets: u64,
    /// One-off queries.
    pub queries: u64,
    /// Expressions in queries that had no value, which was NULL then: an overflow, a division by zero, a failed cast.
    pub failed_expressions: u64,
    /// Last transaction.
    pub lsn: u64,
    /// Last durable transaction.
    pub durable: u64,
    /// Connections that have said Hello.
    pub connections: u64,
    /// Live subscriptions of all connections.
    pub subscriptions: u64,
    /// Bytes that live queries take.
    pub live_bytes: u64,
    /// Indexes that live queries made for want of declared ones.
    pub live_indexes: u64,
}
