//! The index in sled. It can be thrown away at any time.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::{CatalogError, DatabaseEntry};

/// What sled 0.34 says of a folder that is locked; it has no error of its own for that.
const LOCKED: &str = "could not acquire lock";
/// The file that sled locks.
const LOCK_FILE: &str = "db";
/// How often a locked folder is waited for.
const LOCK_TRIES: u32 = 10;

/// Memory that sled may take for its pages.
const CACHE_BYTES: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct Index {
    db: sled::Db,
    databases: sled::Tree,
    revoked: sled::Tree,
}

/// How the index was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    New,
    Kept,
    Rebuilt,
}

impl Index {
    /// Opens the index, or makes a new one in the place of one that does not open.
    pub(super) fn open(folder: &Path) -> Result<(Self, State), CatalogError> {
        let was_there = folder.exists();
        match Self::try_open_unlocked(folder) {
            Ok(index) => Ok((index, if was_there { State::Kept } else { State::New })),
            Err(_) if was_there => {
                let removed = if folder.is_dir() {
                    std::fs::remove_dir_all(folder)
                } else {
                    std::fs::remove_file(folder)
                };
                removed.map_err(CatalogError::io(folder))?;
                Ok((
                    Self::try_open(folder).map_err(CatalogError::Index)?,
                    State::Rebuilt,
                ))
            }
            Err(error) => Err(CatalogError::Index(error)),
        }
    }

    /// sled's threads hold its lock for a moment after the last handle is gone. Nobody else can hold it, since
    /// the catalog has locked the whole folder, so a lock is waited for and never taken for damage.
    fn try_open_unlocked(folder: &Path) -> Result<Self, String> {
        for _ in 1..LOCK_TRIES {
            match Self::try_open(folder) {
                Err(error) if error.contains(LOCKED) => wait_for_lock(&folder.join(LOCK_FILE)),
                opened => return opened,
            }
        }
        Self::try_open(folder)
    }

    /// sled notices most damage, by an error or by a panic; what it does not notice, the comparison with
    /// the files does.
    fn try_open(folder: &Path) -> Result<Self, String> {
        let open = || -> sled::Result<Self> {
            let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES);
            let db = config.flush_every_ms(None).open()?;
            let (databases, revoked) = (db.open_tree("databases")?, db.open_tree("revoked")?);
            let index = Self {
                db,
                databases,
                revoked,
            };
            index.try_databases()?;
            index.try_revoked()?;
            Ok(index)
        };
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(opened) => opened.map_err(|error| error.to_string()),
            Err(_) => Err("sled panicked".to_owned()),
        }
    }

    /// Entries that do not read are as good as missing.
    fn try_databases(&self) -> sled::Result<BTreeMap<String, DatabaseEntry>> {
        let mut databases = BTreeMap::new();
        for item in &self.databases {
            let (name, entry) = item?;
            let name = String::from_utf8_lossy(&name).into_owned();
            let entry: DatabaseEntry = serde_json::from_slice(&entry).unwrap_or_default();
            databases.insert(name, entry);
        }
        Ok(databases)
    }

    fn try_revoked(&self) -> sled::Result<BTreeMap<String, i64>> {
        let mut revoked = BTreeMap::new();
        for item in &self.revoked {
            let (id, until) = item?;
            // A time that does not read never ends: the token stays refused.
            let until = until
                .first_chunk()
                .map_or(i64::MAX, |bytes| i64::from_be_bytes(*bytes));
            revoked.insert(String::from_utf8_lossy(&id).into_owned(), until);
        }
        Ok(revoked)
    }

    pub(super) fn databases(&self) -> Result<BTreeMap<String, DatabaseEntry>, CatalogError> {
        Ok(self.try_databases()?)
    }

    pub(super) fn revoked(&self) -> Result<BTreeMap<String, i64>, CatalogError> {
        Ok(self.try_revoked()?)
    }

    pub(super) fn put_database(&self, entry: &DatabaseEntry) -> Result<(), CatalogError> {
        let json =
            serde_json::to_vec(entry).map_err(|error| CatalogError::Index(error.to_string()))?;
        self.databases.insert(entry.name.as_bytes(), json)?;
        Ok(())
    }

    pub(super) fn remove_database(&self, name: &str) -> Result<(), CatalogError> {
        self.databases.remove(name.as_bytes())?;
        Ok(())
    }

    pub(super) fn put_revoked(&self, id: &str, until: i64) -> Result<(), CatalogError> {
        self.revoked.insert(id.as_bytes(), &until.to_be_bytes())?;
        Ok(())
    }

    pub(super) fn remove_revoked(&self, id: &str) -> Result<(), CatalogError> {
        self.revoked.remove(id.as_bytes())?;
        Ok(())
    }

    pub(super) fn flush(&self) -> Result<(), CatalogError> {
        self.db.flush()?;
        Ok(())
    }
}

/// Returns when nobody holds the lock; if the file does not open, the next try to open sled says why.
#[expect(
    clippy::disallowed_methods,
    reason = "sled's own file, which no Disk knows, like all that the index touches"
)]
fn wait_for_lock(file: &Path) {
    if let Ok(file) = std::fs::File::open(file) {
        // An error here is met again by the next try.
        let _ = file.lock();
    }
}

impl From<sled::Error> for CatalogError {
    fn from(error: sled::Error) -> Self {
        Self::Index(error.to_string())
    }
}
