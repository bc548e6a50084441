//! A running server: its databases, its threads, its address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use syncline_engine::{Catalog, DiscardDisk, Disk, Engine, Host, RealDisk, RunLimits, Settings};
use syncline_protocol::{ErrorCode, WireError};
use tokio::sync::oneshot;

use crate::auth::{AuthError, Authority, random};
use crate::config::{Config, Data};
use crate::home::{Home, TICKS};
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
    /// A database does not open.
    #[error("database {name}: {reason}")]
    Database {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The catalog does not open.
    #[error("catalog: {0}")]
    Catalog(String),
    /// Threads or the module host.
    #[error("{0}")]
    System(String),
}

/// How long a database may take to say goodbye and to make everything durable.
const SETTLING: Duration = Duration::from_secs(15);

/// A running server.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
    stop_listening: Option<oneshot::Sender<()>>,
    stop_ticking: std::sync::mpsc::Sender<()>,
}

/// What HTTP handlers share.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) authority: Arc<Authority>,
    pub(crate) host: Host,
    pub(crate) open_connections: Arc<AtomicUsize>,
    /// Whether the server listens where only this machine can reach it.
    pub(crate) is_loopback: bool,
    disk: Arc<dyn Disk>,
    /// `None` once the server has stopped: the folder is free for another one then.
    catalog: Mutex<Option<Catalog>>,
    homes: Vec<Home>,
    databases: Mutex<BTreeMap<String, Arc<Shared>>>,
    next_home: AtomicUsize,
}

impl Server {
    /// Opens the data, starts the threads and listens. Returns when requests are served.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let system = |error: std::io::Error| StartError::System(error.to_string());
        // Every connection is a file to the system, and its default of 1024 is for another age.
        if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
            tracing::warn!(%error, "the limit of open files could not be raised");
        }
        let (disk, authority): (Arc<dyn Disk>, _) = match &config.data {
            Data::Memory => (Arc::new(DiscardDisk), Authority::in_memory()),
            Data::Folder(folder) => (Arc::new(RealDisk), Authority::open(folder)?),
        };
        let listener = listen(config.listen)?;
        let address = listener.local_addr().map_err(system)?;
        let authority = Arc::new(authority);
        let homes = (0..config.home_threads.max(1))
            .map(|number| Home::start(number, authority.clone()))
            .collect::<Result<_, _>>()
            .map_err(system)?;
        let limits = RunLimits {
            call_ms_max: config.call_ms_max,
            ..RunLimits::default()
        };
        let host = Host::new(limits).map_err(|error| StartError::System(error.to_string()))?;
        let stop_ticking = start_ticker(host.clone()).map_err(system)?;
        let catalog = open_catalog(&config.data, &disk)?;
        let state = Arc::new(State {
            is_loopback: address.ip().is_loopback(),
            config,
            authority,
            host,
            open_connections: Arc::default(),
            disk,
            catalog: Mutex::new(Some(catalog)),
            homes,
            databases: Mutex::default(),
            next_home: AtomicUsize::new(0),
        });
        if let Err(error) = state.open_all() {
            // Those that did open let go of their folders again.
            state.close_all();
            return Err(error);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("http")
            .enable_all()
            .build()
            .map_err(system)?;
        let (stop_listening, stopped) = oneshot::channel();
        let served = crate::http::serve(listener, state.clone(), stopped);
        runtime.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the listener failed");
            }
        });
        Ok(Self {
            address,
            state,
            runtime: Some(runtime),
            stop_listening: Some(stop_listening),
            stop_ticking,
        })
    }

    /// Where it listens; the port that was found if the configured one was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token that publishing needs.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        self.state.authority.admin_token()
    }

    /// Names of the databases.
    #[must_use]
    pub fn databases(&self) -> Vec<String> {
        self.state.databases.lock().keys().cloned().collect()
    }

    /// Takes no new connections, says goodbye to those that are there, makes everything durable. Dropping
    /// the server does the same.
    pub fn shut_down(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let Some(runtime) = self.runtime.take() else {
            return;
        };
        if let Some(stop) = self.stop_listening.take() {
            // The listener may have failed before.
            let _ = stop.send(());
        }
        self.state.close_all();
        let _ = self.stop_ticking.send(());
        // In the background, so that a server may end inside another runtime.
        runtime.shutdown_background();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl State {
    /// The database of this name.
    pub(crate) fn database(&self, name: &str) -> Result<Arc<Shared>, WireError> {
        let databases = self.databases.lock();
        databases.get(name).cloned().ok_or_else(|| {
            let error = WireError::new(ErrorCode::NoDatabase, format!("no database named {name}"));
            let nearest = databases
                .keys()
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

    /// The database of this name, made if there is none. Blocks on the disk.
    pub(crate) fn database_or_create(&self, name: &str) -> Result<Arc<Shared>, WireError> {
        check_name(name)?;
        // Held while it opens, so that two publishes do not open it twice.
        let mut databases = self.databases.lock();
        if let Some(shared) = databases.get(name) {
            return Ok(shared.clone());
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
    fn close_all(&self) {
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

    fn open_all(&self) -> Result<(), StartError> {
        let entries: Vec<_> = {
            let catalog = self.catalog.lock();
            let catalog = catalog.as_ref().expect("the server has just started");
            let names = catalog.databases().map(|entry| entry.name.clone());
            names.map(|name| (catalog.folder(&name), name)).collect()
        };
        for (folder, name) in entries {
            let shared = self
                .open(&name, &folder)
                .map_err(|reason| StartError::Database {
                    name: name.clone(),
                    reason,
                })?;
            self.databases.lock().insert(name, shared);
        }
        Ok(())
    }

    fn open(&self, name: &str, folder: &Path) -> Result<Arc<Shared>, String> {
        let mut settings = Settings::default();
        settings.log.audit = self.config.audit;
        let now = crate::now_us();
        let disk = self.disk.clone();
        let opened = Engine::open(disk, folder, &self.host, now, random(), &settings)
            .map_err(|error| error.to_string())?;
        tracing::info!(
            database = name,
            report = ?opened.report,
            stale_connections = opened.stale_connections,
            "database open"
        );
        let shared = Shared::new(name);
        let home = self.next_home.fetch_add(1, Ordering::Relaxed) % self.homes.len();
        self.homes[home]
            .adopt(shared.clone(), opened.engine, opened.writer)
            .map_err(|error| error.to_string())?;
        Ok(shared)
    }
}

fn check_name(name: &str) -> Result<(), WireError> {
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

fn open_catalog(data: &Data, disk: &Arc<dyn Disk>) -> Result<Catalog, StartError> {
    match data {
        Data::Memory => Catalog::in_memory(),
        Data::Folder(folder) => Catalog::open(disk.clone(), folder),
    }
    .map_err(|error| StartError::Catalog(error.to_string()))
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    use socket2::{Domain, Protocol, Socket, Type};
    let bind = || {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // A restart must not wait for connections of the last run to time out.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(4096)?;
        Ok(socket.into())
    };
    bind().map_err(|source| StartError::Listen { address, source })
}

/// The clock of call deadlines: modules know none, and a looping one must be stopped from outside.
fn start_ticker(host: Host) -> std::io::Result<std::sync::mpsc::Sender<()>> {
    use std::sync::mpsc::RecvTimeoutError;
    let (stop, stopped) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("deadline".to_owned())
        .spawn(move || {
            let tick = Duration::from_millis(syncline_engine::TICK_MS);
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                host.tick();
                TICKS.fetch_add(1, Ordering::Relaxed);
            }
        })?;
    Ok(stop)
}

#[cfg(test)]
mod tests;
