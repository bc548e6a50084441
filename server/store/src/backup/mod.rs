//! Backups: a database as one stream of bytes, taken while it goes on.
//!
//! - [`BackupSource`] yields the stream, chunk by chunk: the newest checkpoint, the log after it up to what is
//!   durable now, and the modules. It holds the files open, so that retention does not disturb it.
//! - [`BackupSink`] takes the stream in pieces of any size and puts the files into a folder, verified.
//! - [`restore`] makes a new database of that folder, also as it was at an Lsn or a time that is in the backup.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SYNCBAK` and a line feed |
//! | 8 | 4 | version, 1 |
//! | 12 | | frames |
//!
//! A frame is a u32 length, the u32 crc32c of as many bytes, and those: a u8 kind and its body.
//!
//! | kind | name | body |
//! |---|---|---|
//! | 1 | file | u64 length; its path in the database's folder. The file's bytes follow, in data frames |
//! | 2 | data | bytes |
//! | 3 | end | u64 Lsn up to which the backup goes; 32 SHA-256 of the stream before this frame |
//!
//! A stream without its end frame, or with one that does not fit, is no backup.

use std::path::Path;
use std::sync::Arc;

use syncline_protocol::{Epoch, Lsn};

use crate::disk::Disk;
use crate::open::Until;
use crate::past::{FoundError, found, read_past};

mod sink;
mod source;
#[cfg(test)]
mod tests;

pub use sink::{BackupError, BackupSink};
pub use source::BackupSource;

const MAGIC: [u8; 8] = *b"SYNCBAK\n";
const VERSION: u32 = 1;
/// Bytes before the first frame.
const PREFIX_BYTES: usize = 12;
/// Bytes of a frame before its kind.
const FRAME_HEADER_BYTES: usize = 8;
/// Bytes of a file in one frame at most.
const DATA_BYTES: usize = 256 << 10;
/// Bytes of a frame, from its kind on, at most.
const FRAME_BYTES_MAX: usize = DATA_BYTES + 1;

const FILE: u8 = 1;
const DATA: u8 = 2;
const END: u8 = 3;

/// A database that was made of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The last transaction that is in it.
    pub last: Lsn,
    /// Time of that, in microseconds since the Unix epoch.
    pub time: i64,
    /// The epoch that it begins with, which no other copy has.
    pub epoch: Epoch,
    /// Rows of all tables.
    pub rows: u64,
}

/// Makes a new database in `folder` of the files that a [`BackupSink`] has put into `unpacked`, which are verified in
/// full once more: checksums, chain, row sums, unique indexes, module. `now` is microseconds since the Unix epoch,
/// `fresh_seed` random. The unpacked files are removed if all went well.
pub fn restore(
    disk: &Arc<dyn Disk>,
    unpacked: &Path,
    until: Until,
    folder: &Path,
    now: i64,
    fresh_seed: u64,
) -> Result<Restored, FoundError> {
    let past = read_past(&**disk, unpacked, until)?;
    let options = crate::Options::default();
    let epoch = found(disk, folder, &past, now, fresh_seed, &options)?;
    sink::clear(&**disk, unpacked).map_err(crate::OpenError::io(unpacked))?;
    Ok(Restored {
        last: past.lsn,
        time: past.time,
        epoch,
        rows: past.database.tables().map(|table| table.len() as u64).sum(),
    })
}
