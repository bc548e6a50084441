//! The databases of a server, and what its requests share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use syncline_engine::{Catalog, Disk, Engine, Host, Options, Settings, TICK_MS};
use syncline_protocol::limits::LIVE_IDLE_MS;
use syncline_protocol::{ErrorCode, WireError};

use crate::auth::{AuthError, Authority, random};
use crate::config::{Config, Data};
use crate::home::Home;
use crate::opening;
use crate::shared::{Outside, Shared};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Keys or admin token.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The catalog does not open.
    #[error("catalog: {0}")]
    Catalog(String),
    /// Threads or the module host.
    #[error("{0}")]
    System(String),
}

/// How long a database may take to say goodbye and to make everything durable.
const SETTLING: Duration = Duration::from_secs(15);

/// What HTTP handlers share.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) authority: Arc<Authority>,
    pub(crate) host: Host,
    pub(crate) open_connections: Arc<AtomicUsize>,
    /// Whether the server listens where only this machine can reach it.
    pub(crate) is_loopback: bool,
    pub(crate) disk: Arc<dyn Disk>,
    /// `None` once the server has stopped: the folder is free for another one then.
    pub(crate) catalog: Mutex<Option<Catalog>>,
    pub(crate) homes: Vec<Home>,
    pub(crate) databases: Mutex<BTreeMap<String, Arc<Shared>>>,
    /// Databases that did not open, and why: the server runs without them.
    pub(crate) closed: Mutex<BTreeMap<String, String>>,
    pub(crate) next_home: AtomicUsize,
    /// Places of exports that run.
    pub(crate) exports: Arc<tokio::sync::Semaphore>,
}

/// How many databases are how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Health {
    /// Open, whatever else is the matter with them.
    pub(crate) served: usize,
    /// Left out when the server started.
    pub(crate) closed: usize,
    /// Ended by a bug of ours while the server runs.
    pub(crate) failed: usize,
    /// Whose disk has failed.
    pub(crate) poisoned: usize,
    /// Whose disk is full.
    pub(crate) full: usize,
}

impl State {
    /// How its databases are.
    pub(crate) fn health(&self) -> Health {
        let mut health = Health {
            closed: self.closed.lock().len(),
            ..Health::default()
        };
        for shared in self.all_databases() {
            if shared.is_closed() {
                health.failed += 1;
                continue;
            }
            health.served += 1;
            health.poisoned += usize::from(shared.is_poisoned.load(Ordering::Relaxed));
            health.full += usize::from(shared.is_full.load(Ordering::Relaxed));
        }
        health
    }

    /// The database of this name, asked for by somebody who may know what there is.
    pub(crate) fn database(&self, name: &str) -> Result<Arc<Shared>, WireError> {
        self.find(name, true)
    }

    /// The database of this name; if there is none, the error names the one that may have been meant only
    /// `if_names_are_told`.
    pub(crate) fn find(
        &self,
        name: &str,
        if_names_are_told: bool,
    ) -> Result<Arc<Shared>, WireError> {
        let databases = self.databases.lock();
        databases.get(name).cloned().ok_or_else(|| {
            if let Some(reason) = self.closed.lock().get(name) {
                return did_not_open(name, if_names_are_told.then_some(reason));
            }
            let error = WireError::new(ErrorCode::NoDatabase, format!("no database named {name}"));
            let told = databases.iter().filter(|_| if_names_are_told);
            let nearest = told
                .map(|(known, _)| known)
                .min_by_key(|known| strsim::osa_distance(known, name));
            match nearest {
                Some(known) if strsim::osa_distance(known, name) <= name.len().max(3) / 3 => {
                    error.hint(format!("did you mean {known}?"))
                }
                _ => error.hint("publish a module to make it"),
            }
        })
    }

    pub(crate) fn all_databases(&self) -> Vec<Arc<Shared>> {
        self.databases.lock().values().cloned().collect()
    }

    /// Where the database of this name lies, or would.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, WireError> {
        let catalog = self.catalog.lock();
        let catalog = catalog
            .as_ref()
            .ok_or_else(|| WireError::new(ErrorCode::ServerShutdown, "the server is going down"))?;
        Ok(catalog.folder(name))
    }

    /// How commit logs are kept.
    pub(crate) fn log_options(&self) -> Options {
        Options {
            audit: self.config.audit,
            ..Options::default()
        }
    }

    /// The database of this name, made if there is none. Blocks on the disk.
    pub(crate) fn database_or_create(&self, name: &str) -> Result<Arc<Shared>, WireError> {
        check_name(name)?;
        // Held while it opens, so that two publishes do not open it twice.
        let mut databases = self.databases.lock();
        if let Some(shared) = databases.get(name) {
            return Ok(shared.clone());
        }
        if let Some(reason) = self.closed.lock().get(name) {
            return Err(did_not_open(name, Some(reason)));
        }
        let internal = |reason: String| WireError::new(ErrorCode::Internal, reason);
        let folder = {
            let mut catalog = self.catalog.lock();
            let catalog = catalog.as_mut().ok_or_else(|| {
                WireError::new(ErrorCode::ServerShutdown, "the server is going down")
            })?;
            if catalog.database(name).is_none() {
                catalog
                    .create(name, crate::now_us())
                    .map_err(|error| internal(error.to_string()))?;
            }
            catalog.folder(name)
        };
        let shared = self.open(name, &folder).map_err(internal)?;
        databases.insert(name.to_owned(), shared.clone());
        Ok(shared)
    }

    /// Ends all databases and waits until everything is durable and their folders are free.
    pub(crate) fn close_all(&self) {
        let mut waits = Vec::new();
        for shared in self.all_databases() {
            let (done, wait) = std::sync::mpsc::channel();
            if shared.send(Outside::Shutdown(done)).is_ok() {
                waits.push((shared, wait));
            }
        }
        for (shared, wait) in waits {
            // A database whose thread is gone has nothing left to settle.
            let settled = wait.recv_timeout(SETTLING);
            let log_thread = shared.log_thread.lock().take();
            if let (Ok(()), Some(log_thread)) = (settled, log_thread) {
                // It ends with the engine; a panic in it was reported already.
                let _ = log_thread.join();
            }
        }
        // Requests that are still running have the state a little longer, but not the folder.
        *self.catalog.lock() = None;
    }

    /// Opens all databases, as many at once as there are cores. One that does not open is left out and
    /// said so: the others are not to blame.
    pub(crate) fn open_all(&self) {
        let entries: Vec<_> = {
            let catalog = self.catalog.lock();
            let catalog = catalog.as_ref().expect("the server has just started");
            let names = catalog.databases().map(|entry| entry.name.clone());
            names.map(|name| (catalog.folder(&name), name)).collect()
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let next = AtomicUsize::new(0);
        let open_some = || {
            while let Some((folder, name)) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.open(name, folder) {
                    Ok(shared) => {
                        self.databases.lock().insert(name.clone(), shared);
                    }
                    Err(reason) => {
                        tracing::error!(
                            database = name,
                            reason,
                            "the database does not open: it is left out"
                        );
                        self.closed.lock().insert(name.clone(), reason);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..cores.min(entries.len()) {
                scope.spawn(open_some);
            }
            open_some();
        });
        // Those of a database that is left out may still be needed.
        if self.closed.lock().is_empty() {
            match self.host.remove_unused_compiled() {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "compiled modules of the past removed"),
                Err(error) => tracing::warn!(%error, "compiled modules of the past stay"),
            }
        }
    }

    fn open(&self, name: &str, folder: &Path) -> Result<Arc<Shared>, String> {
        let mut settings = Settings::default();
        settings.log.audit = self.config.audit;
        settings.log.checkpoint_bytes = self.config.checkpoint_bytes;
        settings.log.history_bytes = self.config.history_bytes;
        settings.live.allow_adhoc = self.config.allow_adhoc_live;
        settings.live.bytes = self.config.live_bytes_max;
        settings.live.idle_ticks = LIVE_IDLE_MS / TICK_MS;
        if matches!(self.config.data, Data::Memory) {
            // There is nothing to go back to.
            settings.log.checkpoint_bytes = u64::MAX;
        }
        let now = crate::now_us();
        let open = |disk| Engine::open(disk, folder, &self.host, now, random(), &settings);
        let opened = opening::logged(&self.disk, folder, name, open);
        let opened = opened.map_err(|error| error.to_string())?;
        tracing::info!(
            database = name,
            report = ?opened.report,
            stale_connections = opened.stale_connections,
            "database open"
        );
        let is_on_disk = matches!(self.config.data, Data::Folder(_));
        let shared = Shared::new(
            name,
            self.config.scrub_every.filter(|_| is_on_disk),
            opened.engine.modules(),
        );
        let home = self.next_home.fetch_add(1, Ordering::Relaxed) % self.homes.len();
        self.homes[home]
            .adopt(shared.clone(), opened.engine, opened.writer)
            .map_err(|error| error.to_string())?;
        Ok(shared)
    }
}

/// `reason` names files of the server, which are nobody's business but the admin's.
fn did_not_open(name: &str, reason: Option<&String>) -> WireError {
    let mut message = format!("database {name} did not open when the server started");
    if let Some(reason) = reason {
        message = format!("{message}: {reason}");
    }
    WireError::new(ErrorCode::DatabaseClosed, message)
        .hint("stop the server; `syncline check` says what is wrong, `syncline salvage` copies what is good")
}

pub(crate) fn check_name(name: &str) -> Result<(), WireError> {
    let is_good = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
        && name.as_bytes()[0].is_ascii_alphanumeric();
    if is_good {
        return Ok(());
    }
    Err(WireError::new(
        ErrorCode::BadRequest,
        format!("{name:?} is no name for a database"),
    )
    .hint("1 to 64 lower-case letters, digits, - and _, a letter or digit first"))
}
