//! A database as it was.

use std::path::Path;

use syncline_protocol::{Epoch, Lsn};

use crate::database::Database;
use crate::disk::Disk;
use crate::log::OpenError;
use crate::open::Until;
use crate::open::read::{Read, read, read_module};

/// How often a reading is begun anew that met something which was about to change.
const TRIES: usize = 4;

/// A database at one point of its history, in memory alone: nothing that is done to it lasts.
#[derive(Debug)]
pub struct Past {
    /// With its indexes.
    pub database: Database,
    /// The last transaction that is in.
    pub lsn: Lsn,
    /// Its time, or that of the open after it, in microseconds since the Unix epoch.
    pub time: i64,
    /// Every epoch until then with the Lsn that it started after.
    pub epochs: Vec<(Epoch, Lsn)>,
    /// Wasm of the module, if one was published.
    pub wasm: Option<Vec<u8>>,
}

/// Reads the database in a folder as it was. Takes no lock and changes nothing: a server may have the folder
/// open, as long as `until` does not go beyond what is durable there. [`OpenError::NotKept`] if that time is
/// before all that is kept.
pub fn read_past(disk: &dyn Disk, folder: &Path, until: Until) -> Result<Past, OpenError> {
    // The module with it: retention may take both away, and the next reading says that they are not kept.
    settled(|| {
        let Read {
            database,
            epochs,
            last_time,
            last,
            ..
        } = read(disk, folder, until)?;
        let (Some(database), Some(time)) = (database, last_time) else {
            return Err(OpenError::NotKept);
        };
        Ok(Past {
            wasm: read_module(disk, folder, &database)?,
            database,
            lsn: last,
            time,
            epochs,
        })
    })
}

/// Reads again what met something that was about to change. A server that runs writes groups while they are
/// read, goes on to other segments and drops those that it no longer needs; what is damaged stays damaged.
pub(super) fn settled<T>(mut read: impl FnMut() -> Result<T, OpenError>) -> Result<T, OpenError> {
    for _ in 1..TRIES {
        match read() {
            Err(OpenError::Damaged { .. } | OpenError::Missing { .. } | OpenError::Io { .. }) => {}
            other => return other,
        }
    }
    read()
}
