//! A small database with a log, to be written to at random, crashed and opened again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Epoch, Identity, IndexDef, IndexKind, Lsn, Schema,
    TableDef, TableId, Type, Value, packed,
};

use crate::checkpoint::{self, CheckpointWriter};
use crate::database::Database;
use crate::disk::Disk;
use crate::log::{LogAppender, LogWriter, OpenError, Options, PublishRecord, TransactionRecord};
use crate::open::{Opened, open};

/// Where the database lies, on every disk of the tests.
pub(crate) const FOLDER: &str = "/data/databases/board";

/// Segments so small that a test goes through many.
pub(crate) const SMALL: Options = Options {
    segment_bytes: 4096,
    first_segment_bytes: 1024,
    audit: true,
    pending_bytes_max: 1 << 20,
    checkpoint_bytes: 1 << 14,
    checkpoints_min: 2,
    history_bytes: 1 << 16,
};

/// A number generator that tests seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// `item`: an auto_increment key, a unique name, an owner. `tile`: a key of two columns. After the
/// second publish also `note`.
pub(crate) fn schema(version: u8) -> Schema {
    let column = |name: &str, ty| ColumnDef {
        name: name.to_owned(),
        ty,
    };
    let table = |name: &str, columns, primary_key| TableDef {
        name: name.to_owned(),
        columns,
        primary_key,
        indexes: Vec::new(),
        auto_increment: None,
        public: true,
    };
    let index = |name: &str, column, kind, unique| IndexDef {
        name: name.to_owned(),
        columns: vec![column],
        kind,
        unique,
    };
    let columns = vec![
        column("id", Type::U64),
        column("owner", Type::U32),
        column("name", Type::String),
    ];
    let mut item = table("item", columns, vec![0]);
    item.auto_increment = Some(0);
    item.indexes = vec![
        index("owner", 1, IndexKind::Hash, false),
        index("name", 2, IndexKind::Ordered, true),
    ];
    let columns = vec![
        column("color", Type::U8),
        column("x", Type::U16),
        column("y", Type::String),
    ];
    let mut tables = vec![item, table("tile", columns, vec![1, 2])];
    if version > 1 {
        tables.push(table("note", vec![column("text", Type::String)], vec![0]));
    }
    Schema {
        tables,
        reducers: Vec::new(),
        ..Schema::default()
    }
}

pub(crate) fn row(types: &[Type], values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (ty, value) in types.iter().zip(values) {
        packed::encode(ty, value, &mut bytes).unwrap();
    }
    bytes
}

/// Everything that a database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    rows: BTreeSet<(TableId, Vec<u8>)>,
    marks: Vec<(TableId, u128)>,
    module: Option<[u8; 32]>,
}

impl Contents {
    /// The hash of the module in force.
    pub(crate) fn module(&self) -> Option<[u8; 32]> {
        self.module
    }

    pub(crate) fn of(database: &Database) -> Self {
        let mut contents = Self {
            module: database.schema().module_hash,
            ..Self::default()
        };
        for table in database.tables() {
            contents
                .rows
                .extend(table.rows().map(|row| (table.id(), row.to_vec())));
            contents.marks.push((table.id(), table.auto_increment()));
        }
        contents
    }

    /// What is in one of them only.
    pub(crate) fn difference(&self, other: &Self) -> String {
        let rows: Vec<_> = self.rows.symmetric_difference(&other.rows).collect();
        format!(
            "rows {rows:?}, marks {:?} and {:?}",
            self.marks, other.marks
        )
    }

    /// The same rows with the module of another one.
    pub(crate) fn with_module_of(self, other: &Self) -> Self {
        let module = other.module;
        Self { module, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }
}

/// What an engine does, without one.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) database: Option<Database>,
    pub(crate) log: LogAppender,
    pub(crate) writer: LogWriter,
    pub(crate) epoch: Epoch,
    pub(crate) epochs: Vec<(Epoch, Lsn)>,
    pub(crate) wasm: Option<Vec<u8>>,
    pub(crate) report: crate::open::OpenReport,
    changes: ChangeSet,
    time: i64,
}

impl Session {
    pub(crate) fn open(disk: &Arc<dyn Disk>, options: Options) -> Result<Self, OpenError> {
        Self::open_in(disk, Path::new(FOLDER), options)
    }

    pub(crate) fn open_in(
        disk: &Arc<dyn Disk>,
        folder: &Path,
        options: Options,
    ) -> Result<Self, OpenError> {
        let opened = open(Arc::clone(disk), folder, 1_000, 77, options)?;
        assert_eq!(opened.last, opened.log.last());
        assert_eq!(opened.last, opened.log.durable());
        assert_eq!(opened.epochs.last(), Some(&(opened.epoch, opened.last)));
        Ok(Self::of(opened))
    }

    pub(crate) fn of(opened: Opened) -> Self {
        Self {
            database: Some(opened.database),
            log: opened.log,
            writer: opened.writer,
            epoch: opened.epoch,
            epochs: opened.epochs,
            wasm: opened.wasm,
            report: opened.report,
            changes: ChangeSet::new(),
            time: opened.last_time,
        }
    }

    pub(crate) fn begin_checkpoint(&mut self) -> CheckpointWriter {
        checkpoint::begin(&mut self.log, self.database.as_ref().unwrap())
    }

    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    pub(crate) fn contents(&self) -> Contents {
        Contents::of(self.database())
    }

    /// Publishes; the "wasm" is the version and any bytes.
    pub(crate) fn publish(&mut self, version: u8, clear_data: bool) -> Result<Lsn, String> {
        use sha2::Digest;
        let wasm = vec![version; 700];
        let hash = sha2::Sha256::digest(&wasm).into();
        let _stored = self
            .log
            .put_module(&hash, &wasm)
            .map_err(|error| error.to_string())?;
        let database = self.database.as_mut().unwrap();
        let schema = database
            .schema()
            .evolve(schema(version), hash, clear_data)
            .unwrap();
        if clear_data {
            database.clear_user_tables();
        }
        database.install(Arc::clone(&schema)).unwrap();
        self.time += 1;
        let record = PublishRecord {
            time: self.time,
            caller: Identity([9; 32]),
            schema: &schema,
            clear_data,
        };
        Ok(self
            .log
            .append_publish(&record, database, &ChangeSet::new()))
    }

    /// Commits a transaction that `write` makes; none if it changed nothing.
    pub(crate) fn transact(
        &mut self,
        write: impl FnOnce(&mut crate::transaction::Transaction),
    ) -> Option<Lsn> {
        let mut transaction = self.database.take().unwrap().begin();
        write(&mut transaction);
        let database = self.database.insert(transaction.commit(&mut self.changes));
        if self.changes.is_empty() {
            return None;
        }
        self.time += 1;
        let record = TransactionRecord {
            time: self.time,
            caller: Identity([1; 32]),
            connection: ConnectionId([2; 16]),
            reducer: "paint",
            args: &[3; 20],
            seed: [4; 32],
        };
        Some(self.log.append(&record, database, &self.changes))
    }

    /// A transaction of some random writes.
    pub(crate) fn transact_at_random(&mut self, random: &mut Random) -> Option<Lsn> {
        let id = |name| self.database().schema().table_id(name);
        let (Some(item), Some(tile)) = (id("item"), id("tile")) else {
            return None;
        };
        let note = id("note");
        self.transact(|transaction| {
            for _ in 0..=random.next(4) {
                write_at_random(transaction, (item, tile, note), random);
            }
        })
    }

    /// Hands everything over and makes it durable.
    pub(crate) fn settle(&mut self) {
        self.log.flush_inline(&mut self.writer).unwrap();
        assert_eq!(self.log.durable(), self.log.last());
    }
}

fn write_at_random(
    transaction: &mut crate::transaction::Transaction,
    (item, tile, note): (TableId, TableId, Option<TableId>),
    random: &mut Random,
) {
    let item_types = [Type::U64, Type::U32, Type::String];
    let tile_types = [Type::U8, Type::U16, Type::String];
    let name = |random: &mut Random| {
        let len = if random.next(20) == 0 {
            900
        } else {
            random.next(30)
        };
        Value::String(format!("{}{}", random.next(1000), "x".repeat(len as usize)))
    };
    let old_id = Value::U64(1 + random.next(20));
    let owner = Value::U32(random.next(3) as u32);
    let place = |random: &mut Random| {
        (
            Value::U16(random.next(3) as u16),
            Value::String(random.next(4).to_string()),
        )
    };
    // Writes that conflict or find nothing fail, and change nothing.
    match random.next(8) {
        0..3 => {
            let mut row = row(&item_types, &[Value::U64(0), owner, name(random)]);
            let _ = transaction.insert(item, &mut row);
        }
        3 | 4 => {
            let mut row = row(&item_types, &[old_id, owner, name(random)]);
            let _ = transaction.update(item, &mut row);
        }
        5 => {
            let key = row(&item_types, &[old_id]);
            let _ = transaction.delete(item, &key);
        }
        6 => {
            let (x, y) = place(random);
            let color = Value::U8(random.next(256) as u8);
            let mut row = row(&tile_types, &[color, x, y]);
            if transaction.insert(tile, &mut row).is_err() {
                let _ = transaction.update(tile, &mut row);
            }
        }
        _ => {
            let (x, y) = place(random);
            let key = row(&tile_types[1..], &[x, y]);
            let _ = transaction.delete(tile, &key);
            if let Some(note) = note {
                let mut row = row(&[Type::String], &[name(random)]);
                let _ = transaction.insert(note, &mut row);
            }
        }
    }
}
