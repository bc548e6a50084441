//! The disk of a run: the one in memory that forgets, with a gate before every call that changes something,
//! and with the lies of a [`Mutant`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_store::disk::{Disk, DiskFile, DiskLock, MemoryDisk};

mod mend;

pub(crate) use mend::{Group, groups};

use crate::actor;
use crate::mutant::Mutant;

/// A [`MemoryDisk`] whose calls wait until the scheduler lets them pass, if an actor makes them.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk {
    pub(crate) memory: MemoryDisk,
    mutant: Option<Mutant>,
    /// A bit of it was flipped.
    is_rotten: bool,
}

#[derive(Debug)]
struct SimFile {
    file: Box<dyn DiskFile>,
    /// What becomes of the bytes of a segment on their way from the disk.
    lie: Option<fn(&mut [u8])>,
    is_late: bool,
    /// A sync was promised and not done yet.
    owes_sync: bool,
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

fn is_log_folder(path: &Path) -> bool {
    path.ends_with("log")
}

fn is_checkpoint(path: &Path) -> bool {
    path.to_string_lossy().contains(".checkpoint")
}

fn is_module(path: &Path) -> bool {
    path.to_string_lossy().contains(".wasm")
}

fn is_folder_of_checkpoints(path: &Path) -> bool {
    path.ends_with("checkpoints")
}

impl SimDisk {
    pub(crate) fn new(mutant: Option<Mutant>) -> Self {
        let memory = MemoryDisk::new();
        match mutant {
            Some(Mutant::SkipSync) => memory.skip_syncs(is_segment),
            Some(Mutant::SkipFolderSync) => memory.skip_syncs(is_log_folder),
            Some(Mutant::SkipCheckpointSync) => memory.skip_syncs(is_checkpoint),
            Some(Mutant::SkipCheckpointFolderSync) => memory.skip_syncs(is_folder_of_checkpoints),
            Some(Mutant::SkipModuleSync) => memory.skip_syncs(is_module),
            _ => {}
        }
        Self {
            memory,
            mutant,
            is_rotten: false,
        }
    }

    /// A copy in which a bit was flipped.
    pub(crate) fn rotten(memory: MemoryDisk, mutant: Option<Mutant>) -> Self {
        Self {
            memory,
            mutant,
            is_rotten: true,
        }
    }

    pub(crate) fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let mutant = self.mutant.filter(|_| is_segment(path));
        let lie: Option<fn(&mut [u8])> = match mutant {
            Some(Mutant::AcceptHalf) => Some(mend::mend_groups),
            Some(Mutant::AcceptFlip) if self.is_rotten => Some(mend::mend_groups),
            Some(Mutant::CutAtDamage) if self.is_rotten => Some(mend::cut_groups),
            _ => None,
        };
        Box::new(SimFile {
            file,
            lie,
            is_late: mutant == Some(Mutant::AcknowledgeBeforeSync),
            owes_sync: false,
        })
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        actor::gate();
        Ok(self.file(path, self.memory.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(path, self.memory.open(path)?))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.memory.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        actor::gate();
        self.memory.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        actor::gate();
        self.memory.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.memory.list(folder)
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        actor::gate();
        self.memory.create_dir(folder)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        actor::gate();
        self.memory.sync_dir(folder)
    }

    fn lock(&self, folder: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.memory.lock(folder)
    }

    fn free_bytes(&self, folder: &Path) -> Option<u64> {
        self.memory.free_bytes(folder)
    }
}

impl SimFile {
    /// Does the sync that was promised before.
    fn settle(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.owes_sync) {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn byte_len(&self) -> io::Result<u64> {
        self.file.byte_len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if let Some(lie) = self.lie {
            let mut all = vec![0; self.file.byte_len()? as usize];
            self.file.read_at(0, &mut all)?;
            lie(&mut all);
            let from = all.get(offset as usize..);
            let bytes = from.and_then(|bytes| bytes.get(..out.len()));
            out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
            return Ok(());
        }
        self.file.read_at(offset, out)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        actor::gate();
        self.settle()?;
        self.file.write_at(offset, bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        actor::gate();
        self.settle()?;
        self.file.set_len(len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        actor::gate();
        if self.is_late {
            self.owes_sync = true;
            return Ok(());
        }
        self.file.sync_data()
    }
}

/// What kind of file or folder a path is, for the table of crash points.
pub(crate) fn place_of(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_new = path.extension().is_some_and(|extension| extension == "new");
    match () {
        () if name.contains(".checkpoint") && is_new => "checkpoint.new",
        () if name.contains(".checkpoint") => "checkpoint",
        () if name.contains(".wasm") => "module",
        () if name.contains(".log") && is_new => "segment.new",
        () if name.contains(".log") => "segment",
        () => "folder",
    }
}

/// Where the database lies.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from("/data/databases/sim")
}
