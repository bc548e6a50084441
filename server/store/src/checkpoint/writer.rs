//! Writing a checkpoint while the database goes on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_protocol::{Epoch, Lsn, TableId};

use super::format::{self, CHUNK_HEADER_BYTES, ChunkHeader, Header, Kind};
use super::retention::{self, Retention, Retired};
use super::{CHECKPOINTS_FOLDER, checkpoint_path};
use crate::database::Database;
use crate::disk::{Disk, DiskFile, NEW, create_dir_all, is_full, remove_if_there};
use crate::log::handover::Handover;
use crate::log::record::RowSum;
use crate::log::{LogAppender, varint};
use crate::pages::RowRef;
use crate::table::row_hash;
use crate::view::ReadView;

/// Rows of a chunk, about: what one step reads and writes.
const CHUNK_BYTES: usize = 32 << 10;
/// Bytes after which the file is synced, so that the disk's queue stays short for the log: a commit that meets such a sync
/// waits for it. Measured beside 2000 commits a second, their p99 became 9 times what it was with 4 MiB, 2.3 times with
/// 128 KiB, and 1.6 to 1.8 times with this; a checkpoint beside nothing takes three times as long as with 128 KiB.
const SYNC_BYTES: u64 = 32 << 10;

/// Writes one checkpoint, bit by bit: whoever owns it calls [`Self::run_once`] until it is done, on any
/// thread, as fast or slow as it likes. Dropping it before leaves nothing but a file that the next open removes.
#[derive(Debug)]
pub struct CheckpointWriter {
    disk: Arc<dyn Disk>,
    /// Of the database.
    folder: PathBuf,
    view: ReadView,
    header: Header,
    epochs: Arc<[(Epoch, Lsn)]>,
    /// `None` if there is no log that must be durable first.
    handover: Option<Arc<Handover>>,
    pub(super) retention: Option<Retention>,
    file: Option<Box<dyn DiskFile>>,
    written: u64,
    unsynced: u64,
    chunk: Vec<u8>,
    chunk_number: u32,
    /// Tables in order, those before `position` written.
    tables: Vec<TableId>,
    position: usize,
    /// Where the next row of that table is.
    at: Option<RowRef>,
    /// Of the tables so far, the one at `position` last.
    sums: Vec<RowSum>,
    step: Step,
    /// A bug to be caught by the tests.
    #[cfg(test)]
    pub(crate) ignores_durability: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Rows,
    End,
    Publish,
    Retire,
    Done,
}

/// How far a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointProgress {
    /// There is more to do: so many rows are written.
    Working {
        /// Rows so far.
        rows: u64,
    },
    /// It is written and waits for the log to be durable up to its Lsn: come back a little later.
    Waiting,
    /// It has its name.
    Done(CheckpointReport),
}

/// What a checkpoint has become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointReport {
    /// Every transaction up to it is in.
    pub lsn: Lsn,
    /// Of the file.
    pub bytes: u64,
    /// Of all tables.
    pub rows: u64,
    /// What it made superfluous, and is gone.
    pub retired: Retired,
}

/// Why a checkpoint has not come about. The database goes on as before: its log has everything.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// There is no room for it; what was written is removed.
    #[error("no room on the disk for a checkpoint")]
    DiskFull,
    /// The disk failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The log has failed: what the checkpoint holds may never become durable.
    #[error("the commit log has failed before the checkpoint was durable in it")]
    Poisoned,
    /// The rows in memory are not those that were written to them.
    #[error(
        "table {}: its rows are not those that were written; the memory of this machine is suspect",
        .0.0
    )]
    Diverged(TableId),
}

/// Begins a checkpoint of a database whose changes have all been appended to `log`. Takes a read view and
/// no more: everything else is the writer's work. When it has its name, the writer drops what the log's
/// [`crate::Options`] no longer want.
pub fn begin(log: &mut LogAppender, database: &Database) -> CheckpointWriter {
    let origin = log.begin_checkpoint();
    let header = Header {
        lsn: log.last(),
        epoch: origin.epoch,
        salt: origin.salt,
        time: log.last_time(),
        hash_seed: database.hash_seed(),
    };
    let view = database.read_view();
    let mut writer =
        CheckpointWriter::new(log.disk(), &origin.folder, view, header, &origin.epochs);
    writer.handover = Some(log.handover());
    writer.retention = Some(Retention {
        checkpoints: log.options().checkpoints_min,
        history_bytes: log.options().history_bytes,
    });
    writer
}

impl CheckpointWriter {
    /// Of a view that shows the database at the header's Lsn, which needs no log.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        folder: &Path,
        view: ReadView,
        header: Header,
        epochs: &Arc<[(Epoch, Lsn)]>,
    ) -> Self {
        Self {
            disk,
            folder: folder.to_owned(),
            header,
            epochs: Arc::clone(epochs),
            handover: None,
            retention: None,
            file: None,
            written: 0,
            unsynced: 0,
            chunk: Vec::new(),
            chunk_number: 0,
            tables: view.table_ids().collect(),
            position: 0,
            at: Some(RowRef::FIRST),
            sums: Vec::new(),
            step: Step::Rows,
            #[cfg(test)]
            ignores_durability: false,
            view,
        }
    }

    /// Every transaction up to it is in.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.header.lsn
    }

    /// Writes the next eighth of a MiB or so, or takes the next step. After an error it is of no use.
    pub fn run_once(&mut self) -> Result<CheckpointProgress, CheckpointError> {
        match self.try_once() {
            Err(CheckpointError::Io { source, .. }) if is_full(&source) => {
                self.file = None;
                // If even that fails, the next open does it.
                let _ = self.disk.remove(&self.unfinished());
                Err(CheckpointError::DiskFull)
            }
            other => other,
        }
    }

    /// [`Self::run_once`] until it is done, or waits for the log.
    pub fn run(&mut self) -> Result<CheckpointProgress, CheckpointError> {
        loop {
            match self.run_once()? {
                CheckpointProgress::Working { .. } => {}
                other => return Ok(other),
            }
        }
    }

    fn try_once(&mut self) -> Result<CheckpointProgress, CheckpointError> {
        let path = self.unfinished();
        let io = CheckpointError::io(&path);
        match self.step {
            Step::Rows if self.file.is_none() => self.create().map_err(io)?,
            Step::Rows => self.rows()?,
            Step::End => self.end().map_err(io)?,
            Step::Publish => {
                if !self.is_durable()? {
                    return Ok(CheckpointProgress::Waiting);
                }
                self.publish().map_err(io)?;
            }
            Step::Retire => {
                let mut report = self.report();
                if let Some(retention) = &self.retention {
                    let done = retention::retire(&*self.disk, &self.folder, retention);
                    let (retired, kept) = done.map_err(CheckpointError::io(&self.folder))?;
                    report.retired = retired;
                    if let (Some(handover), Some(kept)) = (&self.handover, kept) {
                        handover.set_kept(kept);
                    }
                }
                self.step = Step::Done;
                return Ok(CheckpointProgress::Done(report));
            }
            Step::Done => return Ok(CheckpointProgress::Done(self.report())),
        }
        let rows = self.sums.iter().map(|sum| sum.rows).sum();
        Ok(CheckpointProgress::Working { rows })
    }

    /// Whether the log has everything that is in the checkpoint.
    fn is_durable(&self) -> Result<bool, CheckpointError> {
        let Some(handover) = &self.handover else {
            return Ok(true);
        };
        #[cfg(test)]
        if self.ignores_durability {
            return Ok(true);
        }
        if handover.is_poisoned() {
            return Err(CheckpointError::Poisoned);
        }
        Ok(handover.durable() >= self.header.lsn)
    }

    fn report(&self) -> CheckpointReport {
        CheckpointReport {
            lsn: self.header.lsn,
            bytes: self.written,
            rows: self.sums.iter().map(|sum| sum.rows).sum(),
            retired: Retired::default(),
        }
    }

    fn path(&self) -> PathBuf {
        checkpoint_path(&self.folder.join(CHECKPOINTS_FOLDER), self.header.lsn)
    }

    fn unfinished(&self) -> PathBuf {
        self.path().with_added_extension(NEW)
    }

    fn create(&mut self) -> io::Result<()> {
        create_dir_all(&*self.disk, &self.folder.join(CHECKPOINTS_FOLDER))?;
        let path = self.unfinished();
        remove_if_there(&*self.disk, &path)?;
        let file = self.file.insert(self.disk.create(&path)?);
        file.write_at(0, &self.header.encode())?;
        self.written = format::HEADER_BYTES as u64;
        self.begin_chunk();
        format::put_description(&self.epochs, &self.view, &mut self.chunk);
        self.put_chunk(Kind::Description, TableId(0), 0)
    }

    fn begin_chunk(&mut self) {
        self.chunk.clear();
        self.chunk.resize(CHUNK_HEADER_BYTES, 0);
    }

    fn put_chunk(&mut self, kind: Kind, table: TableId, rows: u32) -> io::Result<()> {
        let header = ChunkHeader {
            number: self.chunk_number,
            kind,
            table,
            rows,
        };
        header.finish(self.header.salt, &mut self.chunk);
        let file = self.file.as_mut();
        let file = file.ok_or_else(|| io::Error::other("the checkpoint was given up"))?;
        file.write_at(self.written, &self.chunk)?;
        self.written += self.chunk.len() as u64;
        self.unsynced += self.chunk.len() as u64;
        self.chunk_number += 1;
        if self.unsynced >= SYNC_BYTES {
            file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// Some rows of one table.
    fn rows(&mut self) -> Result<(), CheckpointError> {
        let Some(&id) = self.tables.get(self.position) else {
            self.step = Step::End;
            return Ok(());
        };
        if self.sums.len() == self.position {
            let (rows, sum) = (0, 0);
            let table = id;
            self.sums.push(RowSum { table, rows, sum });
        }
        self.begin_chunk();
        let rows = self.fill(id);
        if rows > 0 {
            let path = self.unfinished();
            let put = self.put_chunk(Kind::Rows, id, rows);
            put.map_err(CheckpointError::io(&path))?;
        }
        if self.at.is_none() {
            let sum = self.sums[self.position];
            if sum.sum != self.view.row_sum(id) || sum.rows != self.view.len(id) as u64 {
                return Err(CheckpointError::Diverged(id));
            }
            self.position += 1;
            self.at = Some(RowRef::FIRST);
        }
        Ok(())
    }

    /// Puts the next rows of a table into the chunk; returns how many.
    fn fill(&mut self, id: TableId) -> u32 {
        let (Some(pages), Some(layout)) = (self.view.pages(id), self.view.layout(id)) else {
            self.at = None;
            return 0;
        };
        let is_fixed = layout.types().iter().all(|ty| ty.fixed_len().is_some());
        let sum = &mut self.sums[self.position];
        let mut rows = 0;
        while let Some((at, row)) = self.at.and_then(|at| pages.next_row(at)) {
            if !is_fixed {
                varint::put(row.len() as u128, &mut self.chunk);
            }
            self.chunk.extend_from_slice(row);
            sum.sum = sum.sum.wrapping_add(row_hash(row));
            rows += 1;
            self.at = at.next();
            if self.chunk.len() >= CHUNK_BYTES {
                sum.rows += u64::from(rows);
                return rows;
            }
        }
        self.at = None;
        sum.rows += u64::from(rows);
        rows
    }

    fn end(&mut self) -> io::Result<()> {
        self.begin_chunk();
        format::put_end(self.written, self.sums.iter().copied(), &mut self.chunk);
        self.put_chunk(Kind::End, TableId(0), 0)?;
        if let Some(file) = &mut self.file {
            file.sync_data()?;
        }
        self.step = Step::Publish;
        Ok(())
    }

    fn publish(&mut self) -> io::Result<()> {
        self.file = None;
        self.disk.rename(&self.unfinished(), &self.path())?;
        self.disk.sync_dir(&self.folder.join(CHECKPOINTS_FOLDER))?;
        if let Some(handover) = &self.handover {
            handover.set_checkpoint_bytes(self.written);
        }
        self.step = Step::Retire;
        Ok(())
    }
}

impl CheckpointError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
