//! Ours: tables in memory, each transaction a record of the commit log.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, ensure};
use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Identity, IndexDef, IndexKind, Lsn, Schema, TableDef,
    TableId, Type,
};
use syncline_store::{
    CheckpointWriter, Database, Disk, LogAppender, LogWriter, OpenReport, Opened, Options,
    PublishRecord, RealDisk, TransactionRecord, checkpoint,
};

use super::{Engine, payload};

const TABLE: TableId = TableId::FIRST_USER;

const RECORD: TransactionRecord<'static> = TransactionRecord {
    time: 1,
    caller: Identity([1; 32]),
    connection: ConnectionId([2; 16]),
    reducer: "add",
    args: &[0; 24],
    seed: [3; 32],
};

/// Who writes the log.
enum Writer {
    /// Whoever commits.
    Here(LogWriter),
    /// A thread of its own, as in the server: it says how far the log is durable.
    Thread(Receiver<Lsn>, Option<JoinHandle<()>>),
}

/// An open database with one table, `item`.
pub(crate) struct Syncline {
    /// `None` while a transaction has it.
    database: Option<Database>,
    log: Option<LogAppender>,
    writer: Writer,
    changes: ChangeSet,
    row: Vec<u8>,
    packed: Vec<u8>,
    pub(crate) report: OpenReport,
}

/// How it is laid out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Layout {
    /// Indexes beside the primary key, up to two, over a number.
    pub(crate) indexes: usize,
    /// Rows are an id and a number, 16 bytes, instead of an id and a text.
    pub(crate) has_numbers: bool,
    /// Caller, reducer and arguments are recorded.
    pub(crate) audit: bool,
}

impl Syncline {
    /// Opens what is in a folder, or creates it with this layout.
    pub(crate) fn open(folder: &Path, layout: Layout) -> Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let options = Options {
            audit: layout.audit,
            ..Options::default()
        };
        std::fs::create_dir_all(folder)?;
        let opened = syncline_store::open(disk, folder, 0, 1, options)?;
        let Opened {
            database,
            log,
            writer,
            report,
            ..
        } = opened;
        let mut opened = Self {
            database: Some(database),
            log: Some(log),
            writer: Writer::Here(writer),
            changes: ChangeSet::new(),
            row: Vec::new(),
            packed: Vec::new(),
            report,
        };
        if opened.report.is_new {
            opened.publish(layout)?;
        }
        Ok(opened)
    }

    fn publish(&mut self, layout: Layout) -> Result<()> {
        let (database, log) = (&mut self.database, &mut self.log);
        let (database, log) = database.as_mut().zip(log.as_mut()).context("it is open")?;
        let wasm = [0; 8];
        let hash = <sha2::Sha256 as sha2::Digest>::digest(wasm).into();
        let _stored = log.put_module(&hash, &wasm)?;
        let schema = database.schema().evolve(schema(layout), hash, false);
        let schema = schema.map_err(|differences| anyhow!("{differences:?}"))?;
        database.install(Arc::clone(&schema))?;
        let publish = PublishRecord {
            time: 0,
            caller: Identity([0; 32]),
            schema: &schema,
            clear_data: false,
        };
        log.append_publish(&publish, database, &self.changes);
        self.settle()
    }

    /// From here on the log has a thread of its own.
    pub(crate) fn with_thread(mut self) -> Self {
        let (say, said) = sync_channel(1 << 16);
        let writer = std::mem::replace(&mut self.writer, Writer::Thread(said, None));
        if let (Writer::Here(writer), Writer::Thread(_, thread)) = (writer, &mut self.writer) {
            let run = move || {
                writer.run(|progress| {
                    // At the end nobody listens any more.
                    let _ = progress.map(|progress| say.send(progress.durable));
                });
            };
            *thread = Some(std::thread::spawn(run));
        }
        self
    }

    /// One transaction of these rows, appended and not yet durable.
    pub(crate) fn transact(&mut self, ids: &[u64], row_bytes: usize, is_new: bool) -> Result<Lsn> {
        let database = self.database.take().context("it is open")?;
        let mut transaction = database.begin();
        for id in ids {
            let salt = if is_new { 0 } else { 1 << 60 };
            payload(id ^ salt, row_bytes - 8, &mut self.row);
            self.packed.clear();
            self.packed.extend_from_slice(&id.to_le_bytes());
            if row_bytes > 16 {
                // A text: its length, then its bytes, which must be UTF-8.
                let len = row_bytes - 12;
                self.packed.extend_from_slice(&(len as u32).to_le_bytes());
                self.packed
                    .extend(self.row[..len].iter().map(|byte| byte & 0x7f));
            } else {
                self.packed.extend_from_slice(&self.row[..8]);
            }
            if is_new {
                transaction.insert(TABLE, &mut self.packed)?;
            } else {
                transaction.update(TABLE, &mut self.packed)?;
            }
        }
        let database = transaction.commit(&mut self.changes);
        let log = self.log.as_mut().context("it is open")?;
        let lsn = log.append(&RECORD, &database, &self.changes);
        self.database = Some(database);
        Ok(lsn)
    }

    /// Waits until everything so far is durable.
    pub(crate) fn settle(&mut self) -> Result<()> {
        let log = self.log.as_mut().context("it is open")?;
        match &mut self.writer {
            Writer::Here(writer) => drop(log.flush_inline(writer)?),
            Writer::Thread(said, _) => {
                log.flush();
                let last = log.last();
                while said.recv().context("the log has failed")? < last {}
            }
        }
        Ok(())
    }

    /// Begins a checkpoint.
    pub(crate) fn checkpoint(&mut self) -> Result<CheckpointWriter> {
        let both = self.log.as_mut().zip(self.database.as_ref());
        let (log, database) = both.context("it is open")?;
        Ok(checkpoint::begin(log, database))
    }
}

fn schema(layout: Layout) -> Schema {
    let column = |name: &str, ty| ColumnDef {
        name: name.to_owned(),
        ty,
    };
    let index = |kind| IndexDef {
        name: format!("{kind:?}").to_lowercase(),
        columns: vec![1],
        kind,
        unique: false,
    };
    let second = if layout.has_numbers {
        column("number", Type::U64)
    } else {
        column("text", Type::String)
    };
    let kinds = [IndexKind::Hash, IndexKind::Ordered];
    let table = TableDef {
        name: "item".to_owned(),
        columns: vec![column("id", Type::U64), second],
        primary_key: vec![0],
        indexes: kinds.into_iter().take(layout.indexes).map(index).collect(),
        auto_increment: None,
        public: true,
    };
    Schema {
        tables: vec![table],
        ..Schema::default()
    }
}

impl Engine for Syncline {
    /// Each row is a transaction, and all of them are made durable together.
    fn insert(&mut self, ids: std::ops::Range<u64>, row_bytes: usize) -> Result<()> {
        for id in ids {
            self.transact(&[id], row_bytes, true)?;
        }
        self.settle()
    }

    fn update(&mut self, ids: &[u64], row_bytes: usize) -> Result<()> {
        self.transact(ids, row_bytes, false)?;
        self.settle()
    }

    fn count(&mut self) -> Result<u64> {
        let database = self.database.as_ref().context("it is open")?;
        let table = database.table(TABLE).context("there is no table")?;
        let count = table.rows().count() as u64;
        ensure!(count == table.len() as u64, "a row is not counted");
        Ok(count)
    }
}

impl Drop for Syncline {
    fn drop(&mut self) {
        // The writer's thread ends when nothing can come any more.
        self.log = None;
        if let Writer::Thread(_, Some(thread)) = &mut self.writer {
            while !thread.is_finished() {
                std::thread::yield_now();
            }
        }
    }
}
