//! What a reducer is handed.

use core::cell::OnceCell;

use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, ConnectionId, Identity};

use super::db::Db;
use crate::random::Random;
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

impl Context {
    pub(crate) fn new(
        caller: Identity,
        connection: ConnectionId,
        timestamp: Timestamp,
        seed: [u8; 32],
    ) -> Self {
        let connection = (connection != ConnectionId::default()).then_some(connection);
        Self {
            db: Db::new(),
            caller,
            connection,
            timestamp,
            seed,
            random: OnceCell::new(),
        }
    }

    /// Reads the header of a call block.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
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
