//! What is done to the data of a server that does not run: databases are checked, compacted and salvaged, and
//! backups are checked wherever they lie.
//!
//! Each function locks what it works on, and refuses what a server has open.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use syncline_engine::{
    BackupDisk, BackupError, Catalog, CatalogError, Disk, DiskFile, FolderError, FoundError,
    Options, RealDisk, check, compact, salvage,
};

pub use syncline_engine::{CheckReport, CheckpointReport, Salvaged};

use crate::auth::random;
use crate::opening::watched;

/// Is told now and then how many bytes were read, and about how many there are to read; on another thread.
pub type Say<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// Between two times.
const SAY_EVERY: Duration = Duration::from_millis(100);

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// A server runs on the data folder.
    #[error("a server runs on {}", .0.display())]
    Running(PathBuf),
    /// The data folder has no such database.
    #[error("no database named {name} in {}", .data.display())]
    NoDatabase {
        /// The data folder.
        data: PathBuf,
        /// The name.
        name: String,
    },
    /// The catalog does not open.
    #[error("{0}")]
    Catalog(String),
    /// The folder of a database cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A new database cannot be made.
    #[error(transparent)]
    Found(#[from] FoundError),
    /// The backup cannot be used.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// The databases in a data folder, which is locked as long as this lives.
#[derive(Debug)]
pub struct Databases {
    catalog: Catalog,
    data: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Databases {
    /// Opens a data folder that there is.
    pub fn open(data: &Path) -> Result<Self, OfflineError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        if !data.is_dir() {
            let message = format!("{}: there is no such folder", data.display());
            return Err(OfflineError::Catalog(message));
        }
        let catalog = Catalog::open(disk.clone(), data).map_err(|error| match error {
            CatalogError::Locked { folder } => OfflineError::Running(folder),
            error => OfflineError::Catalog(error.to_string()),
        })?;
        Ok(Self {
            catalog,
            data: data.to_owned(),
            disk,
        })
    }

    /// Names of all of them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.catalog.databases().map(|entry| entry.name.as_str())
    }

    fn folder(&self, name: &str) -> Result<PathBuf, OfflineError> {
        if self.catalog.database(name).is_some() {
            return Ok(self.catalog.folder(name));
        }
        Err(OfflineError::NoDatabase {
            data: self.data.clone(),
            name: name.to_owned(),
        })
    }

    /// Reads and verifies everything that there is of a database. What is wrong is in the report.
    pub fn check(&self, name: &str, say: Say<'_>) -> Result<CheckReport, OfflineError> {
        check_on(&self.disk, &self.folder(name)?, say)
    }

    /// Takes a checkpoint of a database and drops all that it makes superfluous: its past is gone.
    pub fn compact(&self, name: &str) -> Result<CheckpointReport, OfflineError> {
        let (folder, now) = (self.folder(name)?, crate::now_us());
        let options = Options::default();
        Ok(compact(self.disk.clone(), &folder, now, seed(), options)?)
    }

    /// Makes a new database of what is provably good of another, which stays as it is.
    pub fn salvage(
        &mut self,
        name: &str,
        new: &str,
        say: Say<'_>,
    ) -> Result<Salvaged, OfflineError> {
        let source = self.folder(name)?;
        let now = crate::now_us();
        let folder = self.catalog.folder(new);
        // A name that is none is refused before anything is written under it.
        if crate::state::check_name(new).is_err() {
            let message = format!("{new:?} is no name for a database");
            return Err(OfflineError::Catalog(message));
        }
        let say = |read, all, _| say(read, all);
        let salvaged = watched(&self.disk, &source, SAY_EVERY, say, |disk| {
            salvage(&disk, &source, &folder, now, seed())
        })?;
        let created = self.catalog.create(new, now);
        created.map_err(|error| OfflineError::Catalog(error.to_string()))?;
        Ok(salvaged)
    }
}

/// Reads and verifies a backup, down to the rows. What is wrong with the database in it is in the report.
pub fn check_backup(file: &Path, say: Say<'_>) -> Result<CheckReport, OfflineError> {
    let source = File::open(file).map_err(BackupError::from)?;
    let backup: Arc<dyn Disk> = Arc::new(BackupDisk::open(Box::new(ReadOnly(source)))?);
    check_on(&backup, Path::new(BackupDisk::FOLDER), say)
}

fn check_on(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    say: Say<'_>,
) -> Result<CheckReport, OfflineError> {
    let say = |read, all, _| say(read, all);
    let checked = watched(disk, folder, SAY_EVERY, say, |disk| check(&*disk, folder));
    Ok(checked?)
}

/// A file that nobody may write to, as backups often are.
#[derive(Debug)]
struct ReadOnly(File);

impl DiskFile for ReadOnly {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn set_len(&mut self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn seed() -> u64 {
    u64::from_le_bytes(random())
}
