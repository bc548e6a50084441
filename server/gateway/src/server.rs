//! A running server: its databases, its threads, its address.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use syncline_engine::{Catalog, CompiledModules, DiscardDisk, Disk, Host, RealDisk, RunLimits};
use syncline_protocol::{Identity, limits};
use tokio::sync::oneshot;

use crate::auth::{AuthError, Authority, random};
use crate::config::{Config, Data};
use crate::files;
use crate::home::Home;
use crate::state::{StartError, State};
use crate::ticks::TICKS;

/// A running server.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
    stop_listening: Option<oneshot::Sender<()>>,
    stop_ticking: std::sync::mpsc::Sender<()>,
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
            Data::Folder(folder) => {
                let disk = config.disk.clone().unwrap_or_else(|| Arc::new(RealDisk));
                (disk, Authority::open(folder)?)
            }
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
        let mut host = Host::new(limits).map_err(|error| StartError::System(error.to_string()))?;
        if let Data::Folder(folder) = &config.data {
            host = host.with_compiled(compiled_modules(&disk, folder)?);
        }
        let stop_ticking = start_ticker(host.clone()).map_err(system)?;
        let catalog = open_catalog(&config.data, &disk)?;
        if let Data::Folder(folder) = &config.data {
            // What a server left that did not end by itself. Now the folder is ours alone.
            let _ = std::fs::remove_dir_all(files::incoming(folder));
        }
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
            closed: Mutex::default(),
            next_home: AtomicUsize::new(0),
            exports: Arc::new(tokio::sync::Semaphore::new(limits::EXPORTS_MAX)),
        });
        state.open_all();
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

    /// Databases that did not open, with the reason: the server runs without them.
    #[must_use]
    pub fn left_out(&self) -> Vec<(String, String)> {
        let closed = self.state.closed.lock();
        closed
            .iter()
            .map(|(name, why)| (name.clone(), why.clone()))
            .collect()
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

fn open_catalog(data: &Data, disk: &Arc<dyn Disk>) -> Result<Catalog, StartError> {
    match data {
        Data::Memory => Catalog::in_memory(),
        Data::Folder(folder) => Catalog::open(disk.clone(), folder),
    }
    .map_err(|error| StartError::Catalog(error.to_string()))
}

/// Where compiled modules are kept, with the secret that tells them from what somebody else put there.
fn compiled_modules(disk: &Arc<dyn Disk>, data: &Path) -> Result<CompiledModules, StartError> {
    let path = data.join("keys").join("compiled.key");
    let text = files::read_or_create(&path, || Identity(random()).to_hex() + "\n")
        .map_err(AuthError::from)?;
    let key = Identity::from_hex(text.trim()).unwrap_or_else(|| {
        // What somebody cut short could be guessed.
        let file = path.display();
        tracing::warn!(%file, "no key of 64 hex digits: modules are compiled at every start; delete it to get a new one");
        Identity(random())
    });
    Ok(CompiledModules::new(
        disk.clone(),
        data.join("compiled"),
        key.0,
    ))
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

/// Ticks that are counted at once when the ticker was late.
const CATCH_UP_TICKS_MAX: u32 = 10;

/// The clock of call deadlines: modules know none, and a looping one must be stopped from outside.
fn start_ticker(host: Host) -> std::io::Result<std::sync::mpsc::Sender<()>> {
    use std::sync::mpsc::RecvTimeoutError;
    let (stop, stopped) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("deadline".to_owned())
        .spawn(move || {
            let tick = Duration::from_millis(syncline_engine::TICK_MS);
            let mut next = Instant::now() + tick;
            loop {
                let wait = next.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                // A busy machine wakes this thread late, and late again: what it has missed counts. Not all
                // of it if it was very much, for then nothing in this process ran.
                let now = Instant::now();
                for _ in 0..CATCH_UP_TICKS_MAX {
                    host.tick();
                    TICKS.fetch_add(1, Ordering::Relaxed);
                    next += tick;
                    if next > now {
                        break;
                    }
                }
                next = next.max(now);
            }
        })?;
    Ok(stop)
}

#[cfg(test)]
mod tests;
