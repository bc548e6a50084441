//! How a server is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use syncline_engine::Disk;
use syncline_protocol::limits;

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In memory: gone with the process. For tests and throw-away servers.
    Memory,
    /// In a folder that this process alone may open.
    Folder(PathBuf),
}

/// Settings of a server. The default listens on 127.0.0.1:4510 with its data in memory.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of HTTP and WebSockets; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the data is.
    pub data: Data,
    /// What the folder lies on, if not on the file system as it is: tests let a disk be full, slow or broken. Keys and sled's
    /// index are on the file system all the same.
    pub disk: Option<Arc<dyn Disk>>,
    /// Origins of pages that may connect, as `https://host`, beside those that the server itself serves under
    /// an IP address and, when it listens on a loopback address, those of this machine. `*` allows all.
    pub allowed_origins: Vec<String>,
    /// Threads that run databases and their connections.
    pub home_threads: usize,
    /// Connections that the server takes at most.
    pub connections_max: usize,
    /// Wall time of a call, milliseconds.
    pub call_ms_max: u64,
    /// Whether clients may subscribe to queries that are no views of the module. The admin always may.
    pub allow_adhoc_live: bool,
    /// Bytes of memory that the live queries of a database take at most.
    pub live_bytes_max: usize,
    /// Record caller, reducer and arguments of every transaction in the log.
    pub audit: bool,
    /// Bytes of the commit log of a database after which a checkpoint is due.
    pub checkpoint_bytes: u64,
    /// Bytes of checkpoints and log of the past that are kept of a database, beyond what an open needs.
    pub history_bytes: u64,
    /// How often the files of a database are read again to see whether they are still what was written; `None` is
    /// never. The first time is ten minutes after it opened.
    pub scrub_every: Option<Duration>,
    /// A database that is served at `/` for pages, named by the landing page.
    pub default_database: Option<String>,
}

/// Port of a server that was not told one.
pub const DEFAULT_PORT: u16 = 4510;

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            data: Data::Memory,
            disk: None,
            allowed_origins: Vec::new(),
            home_threads: cores.saturating_sub(1).clamp(1, 8),
            connections_max: limits::CONNECTIONS_MAX,
            call_ms_max: limits::CALL_MS_MAX,
            allow_adhoc_live: true,
            live_bytes_max: limits::LIVE_BYTES_MAX,
            audit: true,
            checkpoint_bytes: limits::CHECKPOINT_LOG_BYTES,
            history_bytes: limits::HISTORY_BYTES_MAX,
            scrub_every: Some(Duration::from_hours(24)),
            default_database: None,
        }
    }
}
