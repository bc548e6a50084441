//! Backups: all that is kept of a database in one stream of bytes, whose reader finds every flipped bit.
//!
//! A backup has the files that matter in the database's folder: modules, checkpoints and the log up to an
//! Lsn. [`Backup`] writes one of a database that may be running; [`BackupDisk`] is the [`crate::Disk`] that shows
//! the files in one again, so that a database is read from a backup as from its folder.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `SYNBKUP` and a line feed |
//! | 8 | 4 | version, 1 |
//! | 12 | 4 | crc32c of bytes 0 to 12 and 16 to 64 |
//! | 16 | 8 | last Lsn in it |
//! | 24 | 8 | when it was begun, microseconds since the Unix epoch |
//! | 32 | 32 | reserved, 0 |
//! | 64 | | frames |
//!
//! | offset in a frame | bytes | field |
//! |---|---|---|
//! | 0 | 4 | crc32c of bytes 4 to 16 and the body |
//! | 4 | 4 | length of the body |
//! | 8 | 4 | kind |
//! | 12 | 4 | number of the frame, from 0 |
//! | 16 | | body |
//!
//! | kind | body |
//! |---|---|
//! | 1 file | u64 length of the file; its path in the folder, UTF-8 |
//! | 2 bytes | u64 offset in the file of the last such frame; bytes. What no frame has is zeros |
//! | 3 end | u64 number of files; SHA-256 of all bytes before this frame. Nothing comes after it |
//!
//! Numbers are little-endian.

use syncline_protocol::Lsn;

mod disk;
mod source;

pub use disk::{BackupDisk, BackupError};
pub use source::{Backup, begin_backup};

/// Bytes of the header.
const HEADER_BYTES: usize = 64;
/// Bytes of the header of a frame.
const FRAME_HEADER_BYTES: usize = 16;
/// Bytes of a file in one frame.
const PIECE_BYTES: usize = 256 << 10;
/// Bytes that a body has at most: a piece and its offset, or a path.
const BODY_BYTES_MAX: usize = PIECE_BYTES + 8;

const MAGIC: [u8; 8] = *b"SYNBKUP\n";
const VERSION: u32 = 1;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File = 1,
    Bytes = 2,
    End = 3,
}

/// The header of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    last: Lsn,
    time: i64,
}

impl Header {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.last.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.time.to_le_bytes());
        let crc = crc_of_header(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, BackupError> {
        if bytes[..8] != MAGIC || u32_at(bytes, 12) != crc_of_header(bytes) {
            return Err(BackupError::NoBackup);
        }
        match u32_at(bytes, 8) {
            VERSION => Ok(Self {
                last: Lsn(u64_at(bytes, 16)),
                time: u64_at(bytes, 24).cast_signed(),
            }),
            found => Err(BackupError::Version { found }),
        }
    }
}

fn crc_of_header(bytes: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// The crc of a frame, which begins with its header.
fn crc_of_frame(frame: &[u8]) -> u32 {
    crc32c::crc32c(&frame[4..])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u64::from_le_bytes(*field))
}
