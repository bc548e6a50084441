//! What a reducer is handed, and how it is run.

use core::cell::OnceCell;
use core::marker::PhantomData;

use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, ConnectionId, Identity, abi};

use super::{outcome, registry};
use crate::random::Random;
use crate::table::{Row, Table};
use crate::time::Timestamp;

/// Who called, over which connection, when, and the way to the tables. One reducer call is one
/// transaction: it sees what it wrote, and nobody else does until it is committed.
#[derive(Debug)]
pub struct Context {
    db: Db,
    caller: Identity,
    connection: Option<ConnectionId>,
    timestamp: Timestamp,
    seed: [u8; 32],
    random: OnceCell<Random>,
}

/// The tables. Every `#[table]` adds a method named like it: `ctx.db().message()`.
///
/// The method comes from a trait beside the struct, for a `Message` the trait `MessageAccess`; in another
/// module of the crate, import it along with the struct.
#[derive(Debug)]
pub struct Db {
    /// Handles borrow from here, so that none outlives its transaction.
    transaction: PhantomData<*const ()>,
}

impl Context {
    pub(crate) fn new(
        caller: Identity,
        connection: ConnectionId,
        timestamp: Timestamp,
        seed: [u8; 32],
    ) -> Self {
        let connection = (connection != ConnectionId::default()).then_some(connection);
        let db = Db {
            transaction: PhantomData,
        };
        Self {
            db,
            caller,
            connection,
            timestamp,
            seed,
            random: OnceCell::new(),
        }
    }

    /// Reads the header of a call block.
    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let caller = Identity(reader.array()?);
        let connection = ConnectionId(reader.array()?);
        let timestamp = Timestamp::from_micros(i64::from_le_bytes(reader.array()?));
        Ok(Self::new(caller, connection, timestamp, reader.array()?))
    }

    /// The tables.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Who called. In `init` it is the one who published; in `connected` and `disconnected` the one who
    /// came or went.
    pub fn caller(&self) -> Identity {
        self.caller
    }

    /// The connection the call came over; none for a call over HTTP and in `init`.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    /// The time of the transaction. It does not pass while the reducer runs.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Random numbers, drawn from a secret seed that is logged with the transaction.
    pub fn random(&self) -> &Random {
        self.random.get_or_init(|| Random::new(&self.seed))
    }
}

impl Db {
    /// The table of this row type; the methods that `#[table]` adds are the convenient way.
    pub fn table<R: Row>(&self) -> Table<'_, R> {
        Table::new()
    }
}

/// Runs the reducer of that number with this call block and writes the outcome.
///
/// # Panics
/// If there is no such reducer or the block has no header: the host does not do that.
#[cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "only a host calls by number")
)]
pub(super) fn run(number: u32, block: &[u8], out: &mut Vec<u8>) {
    let reducer = registry::reducer(number).expect("the host calls reducers of the schema");
    let mut reader = Reader::new(block);
    let context = Context::read(&mut reader).expect("a call block starts with its header");
    debug_assert_eq!(block.len() - reader.rest().len(), abi::CALL_HEADER_BYTES);
    if let Err(error) = (reducer.run)(&context, reader, out) {
        let name = reducer.name;
        outcome::put_error(
            &format_args!("the arguments of `{name}` do not decode: {error}"),
            out,
        );
    }
}
