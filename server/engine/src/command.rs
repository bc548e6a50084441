//! Everything that can happen to a database.

use std::sync::Arc;

use bytes::Bytes;
use syncline_host::Module;
use syncline_protocol::message::{Delivery, Encoding, OwnedQueryForm};
use syncline_protocol::param::Param;
use syncline_protocol::{Claims, ConnectionId, Identity, TableDef, TableId};

/// A connection as gateway and engine name it. Gateway reuses an index with the next generation, so
/// what was held for a connection that is gone never reaches the one that took its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnKey {
    /// Small and dense.
    pub index: u32,
    /// Counts the uses of the index.
    pub generation: u32,
}

/// A request that came without a connection (over HTTP) and waits for an [`crate::Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// Who asks, and where the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A connection that has said Hello; the engine knows its identity.
    Connection {
        /// The connection.
        conn: ConnKey,
        /// Its id of the request.
        id: u32,
    },
    /// A request without a connection.
    Ticket {
        /// Names the answer.
        ticket: Ticket,
        /// Who asks.
        identity: Identity,
        /// Sees private tables.
        admin: bool,
    },
}

/// Arguments of a call, owned.
#[derive(Clone, Debug)]
pub enum CallArgs {
    /// Packed, in the order of the parameters.
    Packed(Bytes),
    /// An array by position, or an object by name.
    Json(serde_json::Value),
}

/// The closed list of what an engine reacts to.
#[derive(Debug)]
pub enum Command {
    /// A connection has said Hello.
    Connect(Box<Connect>),
    /// A connection is gone.
    Disconnect(ConnKey),
    /// Run a reducer.
    Call {
        /// Who calls.
        origin: Origin,
        /// Name of the reducer, UTF-8.
        reducer: Bytes,
        /// Its arguments.
        args: CallArgs,
    },
    /// Start a live query.
    Subscribe {
        /// The connection.
        conn: ConnKey,
        /// Its id of the subscription.
        id: u32,
        /// The query.
        query: Box<QueryText>,
    },
    /// End a live query.
    Unsubscribe {
        /// The connection.
        conn: ConnKey,
        /// Its id of this request.
        id: u32,
        /// Its id of the subscription.
        subscription: u32,
    },
    /// Give a live query other parameters.
    SetParams {
        /// The connection.
        conn: ConnKey,
        /// Its id of this request.
        id: u32,
        /// Its id of the subscription.
        subscription: u32,
        /// Values of all parameters.
        params: Vec<(String, Param)>,
    },
    /// Evaluate a query once.
    Query {
        /// Who asks.
        origin: Origin,
        /// The query.
        query: Box<QueryText>,
    },
    /// Say how far the stream is.
    Ping {
        /// The connection.
        conn: ConnKey,
        /// Its id of the request.
        id: u32,
    },
    /// Answer a request that gateway has dealt with itself, at its place in the stream.
    Reply {
        /// The connection.
        conn: ConnKey,
        /// Its id of the request.
        id: u32,
        /// Nothing, or why not.
        outcome: Result<(), Box<syncline_protocol::WireError>>,
    },
    /// Swap the module.
    Publish(Box<Publish>),
    /// Write rows from outside.
    Import(Box<Import>),
    /// Tell about the database.
    Inspect {
        /// Names the answer.
        ticket: Ticket,
        /// What to tell.
        what: Inspect,
    },
    /// The log's durable Lsn has moved (or the log has failed): release what waited for it.
    DurableAdvanced,
}

/// A connection that has said Hello.
#[derive(Debug)]
pub struct Connect {
    /// The connection.
    pub conn: ConnKey,
    /// Its public id.
    pub connection: ConnectionId,
    /// Who it is.
    pub identity: Identity,
    /// Sees private tables.
    pub admin: bool,
    /// Of its token.
    pub claims: Claims,
    /// How its messages are written.
    pub encoding: Encoding,
    /// When it is told of transactions.
    pub delivery: Delivery,
    /// A token for its Welcome.
    pub token: Option<String>,
    /// Hex hash of the schema that it has.
    pub schema_hash: Option<String>,
}

/// A query as it came.
#[derive(Debug)]
pub struct QueryText {
    /// SELECT statement, or a logical query.
    pub form: OwnedQueryForm,
    /// Values of its parameters.
    pub params: Vec<(String, Param)>,
    /// Of the token of who asks without a connection; a connection has its own.
    pub claims: Claims,
}

/// A new module for the database.
#[derive(Debug)]
pub struct Publish {
    /// Names the answer.
    pub ticket: Ticket,
    /// Who publishes; the caller of `init`.
    pub identity: Identity,
    /// Compiled.
    pub module: Module,
    /// As it came, to be stored.
    pub wasm: Bytes,
    /// Throw the data away, and so take any schema.
    pub clear_data: bool,
}

/// Rows to write, all of them or none. Gateway bounds their number and bytes.
#[derive(Debug)]
pub struct Import {
    /// Names the answer.
    pub ticket: Ticket,
    /// Who imports.
    pub identity: Identity,
    /// Where the rows go.
    pub table: TableId,
    /// The table that they were packed for; if it is another one now, they are refused.
    pub def: Arc<TableDef>,
    /// Packed rows, one after the other.
    pub rows: Vec<u8>,
    /// Where each of them ends in `rows`.
    pub ends: Vec<usize>,
    /// What becomes of a row whose primary key is there already.
    pub mode: ImportMode,
}

/// What an import does with a row whose primary key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// It is an error.
    Insert,
    /// It replaces the one that is there.
    Upsert,
}

/// What can be told about a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspect {
    /// Its schema.
    Schema,
    /// All its rows and its schema, as of now.
    View,
    /// Lines that its module logged after this sequence number, the newest `limit` of them.
    Logs {
        /// Sequence number of the last line that is known.
        after: u64,
        /// At most so many.
        limit: usize,
    },
}
