//! Typed tables, transactions, read views, the commit log and the catalog: everything that touches files.
//!
//! - [`DatabaseSchema`] is a module's schema with the table ids that it has in one database.
//! - [`Database`] owns the [`Table`]s; [`Database::begin`] turns it into the one [`Transaction`] that
//!   may write, and commit or rollback turn that back. A commit fills a change set.
//! - [`Table`] finds rows by primary key, unique key, index and range; all rows are packed bytes.
//! - [`ReadView`] is all rows as of one moment, for long reads on another thread.
//! - [`open()`] recovers a database from its folder on a [`Disk`] and begins a new epoch of its commit log:
//!   [`LogAppender`] takes what is committed, [`LogWriter`] makes it durable.
//! - [`checkpoint::begin`] takes a checkpoint while the database goes on, so that an open has less to replay.
//! - [`past`] reads a database as it was, and makes new ones of that.
//! - [`past::begin_backup`] is a running database as one stream, [`past::BackupDisk`] the disk that shows what is in one.
//! - [`check()`] verifies everything in a database's folder, [`salvage()`] makes a new database of what is provably good in a
//!   damaged one.
//! - [`Catalog`] knows the databases of a server.
//!
//! Nothing here knows a clock, randomness or a thread; only `disk` opens files.

mod index;
mod page;
mod pages;

pub mod catalog;
pub mod check;
pub mod checkpoint;
pub mod database;
pub mod disk;
pub mod log;
pub mod open;
pub mod past;
pub mod salvage;
pub mod schema;
pub mod scrub;
pub mod table;
pub mod transaction;
pub mod view;

pub use catalog::{Catalog, CatalogError, DatabaseEntry};
pub use check::{CheckReport, Problem, check};
pub use checkpoint::{CheckpointError, CheckpointProgress, CheckpointReport, CheckpointWriter};
pub use database::{Database, Recovery, StoreError};
pub use disk::{DiscardDisk, Disk, MemoryDisk, RealDisk};
pub use log::{
    LogAppender, LogError, LogWriter, ModuleStore, OpenError, Options, Progress, PublishRecord,
    StoredModule, TransactionRecord, Wake,
};
pub use open::{DamagedFile, OpenReport, Opened, Until, compact, open};
pub use past::{FoundError, Past, found, read_history, read_past};
pub use salvage::{Salvaged, salvage};
pub use schema::{DatabaseSchema, SchemaDifference, SchemaError};
pub use scrub::{Scrub, ScrubProgress, ScrubReport};
pub use table::{IndexId, IndexShape, Rows, Table, WriteError, row_hash};
pub use transaction::{ScanChunk, ScanError, ScanPosition, Transaction};
pub use view::ReadView;
