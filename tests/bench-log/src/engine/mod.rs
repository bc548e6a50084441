//! The stores that are measured, behind one trait.

use std::path::Path;

use anyhow::{Result, bail};

mod floor;
mod redb;
mod sled;
mod sqlite;
pub(crate) mod syncline;

pub(crate) use floor::Floor;
pub(crate) use sqlite::{Sqlite, checkpointer};
pub(crate) use syncline::Syncline;

/// Something that makes rows durable: an id of 8 bytes, and other bytes.
pub(crate) trait Engine {
    /// Puts these new rows, `row_bytes` long each with the id, and returns when they are durable.
    fn insert(&mut self, ids: std::ops::Range<u64>, row_bytes: usize) -> Result<()>;

    /// Changes these rows, and returns when that is durable.
    fn update(&mut self, ids: &[u64], row_bytes: usize) -> Result<()>;

    /// Reads every row; returns how many there are.
    fn count(&mut self) -> Result<u64>;
}

/// The peers that keep rows, by their names on the command line.
pub(crate) const PEERS: [&str; 3] = ["sled", "redb", "sqlite"];

/// Opens a peer's database in a folder, or creates it.
pub(crate) fn open_peer(name: &str, folder: &Path) -> Result<Box<dyn Engine>> {
    Ok(match name {
        "sled" => Box::new(sled::Sled::open(folder)?),
        "redb" => Box::new(redb::Redb::open(folder)?),
        "sqlite" => Box::new(Sqlite::open(folder)?),
        other => bail!("no engine {other}"),
    })
}

/// Names with versions and with what makes a write durable.
pub(crate) fn title(name: &str) -> &'static str {
    match name {
        "sled" => "sled 0.34 + fdatasync",
        "redb" => "redb 4",
        "sqlite" => "SQLite WAL, FULL",
        _ => "syncline",
    }
}

/// What stands behind an id; not the same twice.
pub(crate) fn payload(id: u64, len: usize, out: &mut Vec<u8>) {
    out.clear();
    let mut mixed = id;
    while out.len() < len {
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        out.extend_from_slice(&mixed.to_le_bytes());
    }
    out.truncate(len);
}
