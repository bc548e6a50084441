//! The catalog: which databases a server has, their settings, and the tokens it no longer takes.
//!
//! What counts is what lies beside the databases, in small files that are replaced whole and synced:
//!
//! | in the data folder | what |
//! |---|---|
//! | `LOCK` | locked while the server runs |
//! | `databases/<name>/database.json` | name, creation time and settings of a database |
//! | `revoked.json` | tokens that are refused, by id, with the time their own time is over |
//! | `catalog/` | the same once more, in sled: the index |
//!
//! The index is compared with the files at every open and follows them; if it is gone or damaged, it
//! is made anew. sled's own flush is no fdatasync, so nothing rests on it alone.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_protocol::limits::NAME_BYTES_MAX;

use crate::disk::{DiscardDisk, Disk, DiskLock, create_dir_all};

mod index;
mod sidecar;
#[cfg(test)]
mod tests;

use index::Index;

/// The databases of a server. Owns the data folder as long as it lives.
#[derive(Debug)]
pub struct Catalog {
    disk: Arc<dyn Disk>,
    data: PathBuf,
    index: Option<Index>,
    databases: BTreeMap<String, DatabaseEntry>,
    /// Token id to microseconds since the Unix epoch.
    revoked: BTreeMap<String, i64>,
    report: CatalogReport,
    _lock: Box<dyn DiskLock>,
}

/// What the catalog knows of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatabaseEntry {
    /// Its name, and that of its folder.
    pub name: String,
    /// Microseconds since the Unix epoch; 0 if not known any more.
    pub created: i64,
    /// Settings by name.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// What opening the catalog had to put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatalogReport {
    /// The index was not there.
    pub is_index_new: bool,
    /// The index was damaged and has been made anew.
    pub is_index_rebuilt: bool,
    /// Databases whose entry in the index, or whose `database.json`, was missing or wrong.
    pub repaired_count: usize,
}

/// Why the catalog did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// Another server has this data folder.
    #[error("{}: the data folder is in use by another server", .folder.display())]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// The name has other characters than it may have, or too many.
    #[error(
        "`{0}` is not a name for a database: 1 to {NAME_BYTES_MAX} of a-z, 0-9, - and _, the first a letter or digit"
    )]
    BadName(String),
    /// There is one of that name.
    #[error("a database `{0}` exists")]
    Exists(String),
    /// There is none of that name.
    #[error("no database `{0}`")]
    NotFound(String),
    /// The disk failed or is full.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The index failed. Opening the catalog again makes it anew.
    #[error("the index of the catalog: {0}")]
    Index(String),
}

impl CatalogError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

impl Catalog {
    /// Opens the catalog of a data folder of the operating system, or creates both.
    pub fn open(disk: Arc<dyn Disk>, data: &Path) -> Result<Self, CatalogError> {
        let mut catalog = Self::open_without_index(disk, data)?;
        let (index, state) = Index::open(&data.join("catalog"))?;
        catalog.report.is_index_new = state == index::State::New;
        catalog.report.is_index_rebuilt = state == index::State::Rebuilt;
        catalog.follow_files(&index)?;
        catalog.index = Some(index);
        Ok(catalog)
    }

    /// The same with nothing but the files: on any disk.
    pub fn open_without_index(disk: Arc<dyn Disk>, data: &Path) -> Result<Self, CatalogError> {
        create_dir_all(&*disk, data).map_err(CatalogError::io(data))?;
        let lock = disk.lock(data).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => CatalogError::Locked {
                folder: data.to_owned(),
            },
            _ => CatalogError::io(data)(error),
        })?;
        let mut catalog = Self {
            disk,
            data: data.to_owned(),
            index: None,
            databases: BTreeMap::new(),
            revoked: BTreeMap::new(),
            report: CatalogReport::default(),
            _lock: lock,
        };
        let folder = catalog.databases_folder();
        create_dir_all(&*catalog.disk, &folder).map_err(CatalogError::io(&folder))?;
        catalog.read_files()?;
        Ok(catalog)
    }

    /// A catalog in memory alone: empty at the beginning, gone at the end.
    pub fn in_memory() -> Result<Self, CatalogError> {
        Self::open_without_index(Arc::new(DiscardDisk), Path::new("/memory"))
    }

    /// What opening it had to put right.
    #[must_use]
    pub fn report(&self) -> CatalogReport {
        self.report
    }

    /// All databases, by name.
    pub fn databases(&self) -> impl ExactSizeIterator<Item = &DatabaseEntry> {
        self.databases.values()
    }

    /// The database of this name.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<&DatabaseEntry> {
        self.databases.get(name)
    }

    /// Where the database of this name lies, or would.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.databases_folder().join(name)
    }

    fn databases_folder(&self) -> PathBuf {
        self.data.join("databases")
    }

    /// Adds a database; durable when this returns. `now` is microseconds since the Unix epoch.
    pub fn create(&mut self, name: &str, now: i64) -> Result<&DatabaseEntry, CatalogError> {
        if !is_name(name) {
            return Err(CatalogError::BadName(name.to_owned()));
        }
        if self.databases.contains_key(name) {
            return Err(CatalogError::Exists(name.to_owned()));
        }
        let entry = DatabaseEntry {
            name: name.to_owned(),
            created: now,
            ..DatabaseEntry::default()
        };
        self.store(entry)
    }

    /// Changes a setting of a database, or removes it; durable when this returns.
    pub fn set(
        &mut self,
        name: &str,
        setting: &str,
        value: Option<&str>,
    ) -> Result<(), CatalogError> {
        let not_found = || CatalogError::NotFound(name.to_owned());
        let mut entry = self.databases.get(name).ok_or_else(not_found)?.clone();
        match value {
            Some(value) => entry.settings.insert(setting.to_owned(), value.to_owned()),
            None => entry.settings.remove(setting),
        };
        self.store(entry).map(drop)
    }

    /// File first: the index follows it at the next open if this ends in between.
    fn store(&mut self, entry: DatabaseEntry) -> Result<&DatabaseEntry, CatalogError> {
        let folder = self.folder(&entry.name);
        sidecar::write_entry(&*self.disk, &folder, &entry).map_err(CatalogError::io(&folder))?;
        if let Some(index) = &self.index {
            index.put_database(&entry)?;
            index.flush()?;
        }
        let slot = self.databases.entry(entry.name.clone()).insert_entry(entry);
        Ok(slot.into_mut())
    }

    /// Refuses a token from now on; durable when this returns. `until` is when its own time is over, in
    /// microseconds since the Unix epoch: [`Self::forget_revoked`] drops it after that.
    pub fn revoke(&mut self, token_id: &str, until: i64) -> Result<(), CatalogError> {
        let old = self.revoked.insert(token_id.to_owned(), until);
        if old == Some(until) {
            return Ok(());
        }
        self.store_revoked()?;
        if let Some(index) = &self.index {
            index.put_revoked(token_id, until)?;
            index.flush()?;
        }
        Ok(())
    }

    /// Whether a token is refused.
    #[must_use]
    pub fn is_revoked(&self, token_id: &str) -> bool {
        self.revoked.contains_key(token_id)
    }

    /// Drops the revoked tokens whose own time is over.
    pub fn forget_revoked(&mut self, now: i64) -> Result<(), CatalogError> {
        let over: Vec<_> = self
            .revoked
            .iter()
            .filter(|(_, until)| **until < now)
            .map(|(id, _)| id.clone())
            .collect();
        if over.is_empty() {
            return Ok(());
        }
        for id in &over {
            self.revoked.remove(id);
            if let Some(index) = &self.index {
                index.remove_revoked(id)?;
            }
        }
        // The file last: the index may only ever know more than it does.
        if let Some(index) = &self.index {
            index.flush()?;
        }
        self.store_revoked()
    }

    fn store_revoked(&self) -> Result<(), CatalogError> {
        let path = self.revoked_path();
        sidecar::write_revoked(&*self.disk, &path, &self.revoked).map_err(CatalogError::io(&path))
    }

    fn revoked_path(&self) -> PathBuf {
        self.data.join("revoked.json")
    }

    fn read_files(&mut self) -> Result<(), CatalogError> {
        let databases = self.databases_folder();
        let names = self
            .disk
            .list(&databases)
            .map_err(CatalogError::io(&databases))?;
        for name in names.into_iter().filter(|name| is_name(name)) {
            let folder = databases.join(&name);
            let found = sidecar::read_entry(&*self.disk, &folder, &name);
            if let Some(entry) = found.map_err(CatalogError::io(&folder))? {
                self.databases.insert(name, entry);
            }
        }
        let path = self.revoked_path();
        let revoked = sidecar::read_revoked(&*self.disk, &path).map_err(CatalogError::io(&path))?;
        self.revoked = revoked.unwrap_or_default();
        Ok(())
    }

    /// Takes from the index what the files have lost, and makes it say what they say.
    fn follow_files(&mut self, index: &Index) -> Result<(), CatalogError> {
        let mut indexed = index.databases()?;
        for entry in self.databases.values_mut() {
            let known = indexed.remove(&entry.name);
            if known.as_ref() == Some(entry) {
                continue;
            }
            // A folder with data in it and no readable file: the creation time says so.
            let folder = self.data.join("databases").join(&entry.name);
            if entry.created == 0 {
                if let Some(known) = known {
                    *entry = known;
                }
                sidecar::write_entry(&*self.disk, &folder, entry)
                    .map_err(CatalogError::io(&folder))?;
            }
            index.put_database(entry)?;
            self.report.repaired_count += 1;
        }
        for gone in indexed.keys() {
            index.remove_database(gone)?;
            self.report.repaired_count += 1;
        }
        let mut is_file_behind = false;
        for (id, until) in index.revoked()? {
            is_file_behind |= self.revoked.insert(id, until).is_none();
        }
        if is_file_behind {
            self.store_revoked()?;
        }
        for (id, until) in &self.revoked {
            index.put_revoked(id, *until)?;
        }
        index.flush()
    }
}

/// Names are those of folders on every file system: lower case, no dots.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_allowed = |byte: &u8| is_plain(byte) || matches!(byte, b'-' | b'_');
    name.len() <= NAME_BYTES_MAX
        && name.as_bytes().first().is_some_and(is_plain)
        && name.as_bytes().iter().all(is_allowed)
}
