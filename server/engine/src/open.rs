//! Opening a database: recover its folder, load its module, end what a crash left behind.

use std::path::Path;
use std::sync::Arc;

use syncline_host::{Host, Runner};
use syncline_query::Budgets;
use syncline_store::{Disk, LogWriter, OpenReport, Options};

use crate::engine::Engine;
use crate::reducer_query;

/// What does not follow from the folder.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Of the commit log.
    pub log: Options,
    /// Of live queries.
    pub live: Budgets,
}

/// An engine that is ready for its first step.
pub struct Opened {
    /// The engine.
    pub engine: Engine,
    /// The other half of its log: runs wherever the gateway wants it to.
    pub writer: LogWriter,
    /// What recovery found.
    pub report: OpenReport,
    /// Connections that a crash had left behind and whose `disconnected` has now run.
    pub stale_connections: usize,
}

/// Why a database does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its folder.
    #[error(transparent)]
    Store(#[from] syncline_store::OpenError),
    /// Its log, while connections that a crash left behind were ended.
    #[error(transparent)]
    Log(#[from] syncline_store::LogError),
    /// Its module: it was fine when it was published.
    #[error("the stored module does not load any more: {0}")]
    Module(String),
}

impl Engine {
    /// Opens or creates the database in `folder` of `disk`. `now` is microseconds since the Unix epoch,
    /// `secret` 32 random bytes, fresh at every open.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        host: &Host,
        now: i64,
        secret: [u8; 32],
        settings: &Settings,
    ) -> Result<Opened, OpenError> {
        let (seed, _) = secret
            .split_first_chunk()
            .expect("32 bytes are more than 8");
        let fresh_seed = u64::from_le_bytes(*seed);
        let mut opened = syncline_store::open(disk, folder, now, fresh_seed, settings.log)?;
        let now = now.max(opened.last_time);
        let mut engine = Engine::assemble(opened.database, opened.log, opened.epoch, now, secret);
        engine.budgets = settings.live;
        engine.live.set_budgets(settings.live);
        if let Some(wasm) = &opened.wasm {
            let module = host
                .load(wasm)
                .map_err(|error| OpenError::Module(error.to_string()))?;
            engine.runner = Some(Runner::new(&module).with_queries(reducer_query::answer));
        }
        let schema = engine.database().schema().clone();
        engine.set_schema(&schema);
        let stale_connections = engine.end_stale_connections(&mut opened.writer)?;
        engine.log.flush();
        Ok(Opened {
            engine,
            writer: opened.writer,
            report: opened.report,
            stale_connections,
        })
    }
}
