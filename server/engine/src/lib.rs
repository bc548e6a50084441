//! One database: commands in, effects out.
//!
//! [`Engine::open`] recovers a database from its folder; [`Engine::step`] runs a batch of
//! [`Command`]s and hands out [`Effects`]. Nothing here waits, sleeps, spawns or reads a clock: the
//! gateway drives production with it, tests and simulations drive the very same function.

mod command;
mod connections;
mod counters;
mod effect;
mod engine;
mod fanout;
mod import;
mod inbox;
mod lifecycle;
mod live;
mod module_log;
mod moves;
mod open;
mod past;
mod poison;
mod publish;
mod reducer_query;
mod refusal;
mod release;
mod reply;
mod requests;
mod suspects;
#[cfg(test)]
mod tests;
mod turns;

pub use command::{
    CallArgs, Command, ConnKey, Connect, Import, ImportMode, Inspect, Origin, Publish, QueryText,
    Ticket,
};
pub use counters::Counters;
pub use effect::{Answer, EffectRef, Effects, Imported, Published};
pub use engine::{Engine, SchemaText};
pub use inbox::{Inbox, Wait};
pub use module_log::LogEntry;
pub use open::{OpenError, Opened, Settings};
pub use past::{backup_error, event_json, found_error, past_error, query_past};
pub use publish::store_module;
pub use reply::put as put_message;

// What the gateway needs of the floors below, so that it depends on this one alone.
pub use syncline_host::{
    CompiledCounts, CompiledModules, Host, HostError, LoadError, Module, RunLimits, TICK_MS,
};
pub use syncline_query::Budgets;
pub use syncline_store::Until;
pub use syncline_store::check::{CheckReport, check};
pub use syncline_store::disk::{DiskFile, DiskLock};
pub use syncline_store::past::{
    BackupDisk, BackupError, FoundError, HistoryOf, Past, begin_backup, found, read_history,
    read_past,
};
pub use syncline_store::salvage::{Salvaged, salvage};
pub use syncline_store::{
    Catalog, CatalogError, CheckpointProgress, CheckpointWriter, DiscardDisk, Disk, LogWriter,
    MemoryDisk, ModuleStore, OpenReport, Options, ReadView, RealDisk, Scrub, ScrubProgress,
    ScrubReport,
};
pub use syncline_store::{CheckpointReport, OpenError as FolderError, compact};
