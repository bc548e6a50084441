//! `syncline start`.

use std::io::ErrorKind;
use std::time::Duration;

use syncline_server::{Config, Data, Server, StartError};
use tracing_subscriber::EnvFilter;

use crate::api::{DEFAULT_DATA, named_data};
use crate::args::{Common, LogFormat, Start};
use crate::failure::Failure;
use crate::output;
use crate::signals::Signals;

/// Serves until Ctrl-C or SIGTERM.
pub(crate) fn run(common: &Common, args: &Start) -> Result<(), Failure> {
    if args.in_memory && common.data.is_some() {
        return Err(Failure::usage("--in-memory and --data exclude each other"));
    }
    start_log(args.log_format);
    let config = config(common, args);
    // Before the server starts, so that no signal is missed.
    let signals = Signals::listen()?;
    let data = config.data.clone();
    let server = Server::start(config).map_err(|error| explain(&error, &data))?;
    match &data {
        Data::Memory => eprintln!("admin token: {}", server.admin_token()),
        Data::Folder(folder) => {
            tracing::info!(folder = %folder.display(), "the admin token is in admin.token");
        }
    }
    output::line(&format_args!("listening on {}", server.url()))?;
    let signal = signals.wait();
    tracing::info!(signal, "going down");
    server.shut_down();
    Ok(())
}

/// The server's settings as the command line says.
fn config(common: &Common, args: &Start) -> Config {
    let mut config = Config {
        listen: args.listen,
        allowed_origins: args
            .allow_origin
            .iter()
            .map(|origin| origin.trim_end_matches('/').to_owned())
            .collect(),
        allow_adhoc_live: !args.no_adhoc_live,
        audit: !args.no_audit,
        scrub_every: match args.scrub_hours {
            0 => None,
            hours => Some(Duration::from_secs(u64::from(hours) * 3600)),
        },
        ..Config::default()
    };
    if !args.in_memory {
        config.data = Data::Folder(named_data(common).unwrap_or_else(|| DEFAULT_DATA.into()));
    }
    if let Some(count) = args.max_connections {
        config.connections_max = count;
    }
    if let Some(time) = args.call_ms_max {
        config.call_ms_max = time;
    }
    if let Some(mib) = args.live_mib_max {
        config.live_bytes_max = (mib as usize) << 20;
    }
    if let Some(count) = args.home_threads {
        config.home_threads = count.into();
    }
    config
}

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("SYNCLINE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            let colors = std::io::IsTerminal::is_terminal(&std::io::stderr());
            log.with_ansi(colors).init();
        }
        LogFormat::Json => log.json().init(),
    }
}

/// Why a server does not start, and what to type.
pub(crate) fn explain(error: &StartError, data: &Data) -> Failure {
    let failure = Failure::unreachable(error.to_string());
    match error {
        StartError::Listen { address, source } if source.kind() == ErrorKind::AddrInUse => {
            let next = address.port().checked_add(1).unwrap_or(0);
            failure.hint(format!(
                "another process listens there; type `syncline start --listen {}:{next}`, or port 0 \
                 for any free one: `syncline start --listen 127.0.0.1:0`",
                address.ip()
            ))
        }
        StartError::Listen { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            failure.hint(
                "ports below 1024 are for root; type `syncline start --listen 127.0.0.1:4510`",
            )
        }
        _ => match data {
            Data::Folder(folder) if is_lock(&error.to_string()) => failure.hint(format!(
                "another server runs on {}; stop it, or take another folder: \
                 `syncline start --data OTHER`",
                folder.display()
            )),
            _ => failure,
        },
    }
}

/// Whether a start failed because another process has the data folder.
fn is_lock(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("lock") || text.contains("in use") || text.contains("another process")
}
