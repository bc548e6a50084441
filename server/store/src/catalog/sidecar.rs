//! The files that count.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::DatabaseEntry;
use crate::disk::{Disk, create_dir_all, read_file, replace_file};
use crate::log::LOG_FOLDER;
use crate::past::UNFINISHED;

/// File of a database's entry, in its folder.
const ENTRY: &str = "database.json";

/// Writes the entry of a database; creates its folder.
pub(super) fn write_entry(disk: &dyn Disk, folder: &Path, entry: &DatabaseEntry) -> io::Result<()> {
    create_dir_all(disk, folder)?;
    replace_file(
        disk,
        &folder.join(ENTRY),
        &serde_json::to_vec_pretty(entry)?,
    )
}

/// The entry of the database in a folder. If its file is gone or damaged and there is a log, then an
/// entry that has nothing but the name; `None` if there is neither, or the folder is not whole yet.
pub(super) fn read_entry(
    disk: &dyn Disk,
    folder: &Path,
    name: &str,
) -> io::Result<Option<DatabaseEntry>> {
    // A folder that was being filled when the server went: whoever fills it begins anew.
    if disk.exists(&folder.join(UNFINISHED))? {
        return Ok(None);
    }
    match read_file(disk, &folder.join(ENTRY)) {
        Ok(bytes) => {
            let read = serde_json::from_slice::<DatabaseEntry>(&bytes).ok();
            // The folder may be a copy of another's, for its owner to open.
            let name = name.to_owned();
            Ok(Some(DatabaseEntry {
                name,
                ..read.unwrap_or_default()
            }))
        }
        Err(error) if is_nothing(&error) => {
            let has_log = disk.exists(&folder.join(LOG_FOLDER))?;
            let name = name.to_owned();
            Ok(has_log.then(|| DatabaseEntry {
                name,
                ..DatabaseEntry::default()
            }))
        }
        Err(error) => Err(error),
    }
}

/// Not a file at all: also what lies in the folder of databases and is no folder.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

pub(super) fn write_revoked(
    disk: &dyn Disk,
    path: &Path,
    revoked: &BTreeMap<String, i64>,
) -> io::Result<()> {
    replace_file(disk, path, &serde_json::to_vec_pretty(revoked)?)
}

/// The revoked tokens; `None` if the file is gone or damaged.
pub(super) fn read_revoked(
    disk: &dyn Disk,
    path: &Path,
) -> io::Result<Option<BTreeMap<String, i64>>> {
    match read_file(disk, path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if is_nothing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
