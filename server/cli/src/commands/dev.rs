//! `syncline dev`: build, publish and generate at every change.

use std::net::ToSocketAddrs;
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::{EventKind, RecursiveMode, Watcher};
use syncline_server::{Config, Data, Server};

use super::generate::write_if_changed;
use super::publish::{self, Published};
use super::schema;
use crate::api::{Api, DEFAULT_DATA, named_data};
use crate::args::{Common, Dev};
use crate::failure::{Failure, not_understood};
use crate::generate::typescript;
use crate::output;
use crate::project::Project;
use crate::signals::Signals;

/// Editors write a file in several steps; the build starts when they have been quiet for this long.
const QUIET: Duration = Duration::from_millis(150);

/// What wakes the loop.
#[derive(Debug, PartialEq, Eq)]
enum Happening {
    Changed,
    Stop,
}

/// Runs until Ctrl-C or SIGTERM.
pub(crate) fn run(common: &Common, args: &Dev) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let project = Project::find(&args.source.project)?;
    let database = args.database.clone().or_else(|| project.database());
    let database = database.ok_or_else(publish::no_database)?;
    let types = args.out.clone().or_else(|| project.types());
    let (api, server) = reach(common, &project)?;
    let (sender, happenings) = channel();
    let _watcher = watch(project.module(), sender.clone())?;
    std::thread::spawn(move || {
        signals.wait();
        // If nobody listens any more the process ends anyway.
        let _ = sender.send(Happening::Stop);
    });
    let session = Session {
        api,
        project,
        database,
        types,
        clear_data: args.clear_data,
    };
    loop {
        let start = Instant::now();
        match session.round(common.json) {
            Ok(()) => eprintln!(
                "ready after {:.1} s; watching",
                start.elapsed().as_secs_f32()
            ),
            Err(failure) if failure.is_closed_pipe() => break,
            Err(failure) => {
                eprintln!("{}", failure.render(common.json));
                eprintln!("watching");
            }
        }
        if next(&happenings) == Happening::Stop {
            break;
        }
    }
    if let Some(server) = server {
        server.shut_down();
    }
    Ok(())
}

/// The server of the command line, or one in this process if nothing answers there.
fn reach(common: &Common, project: &Project) -> Result<(Api, Option<Server>), Failure> {
    let api = Api::new(common)?;
    match api.health() {
        Ok(()) => {
            eprintln!("using the server at {}", api.server());
            return Ok((api, None));
        }
        // None that is started here would speak TLS.
        Err(failure) if api.server().starts_with("https://") => return Err(failure),
        Err(_) => {}
    }
    let address = api.server().trim_start_matches("http://");
    let listen = address
        .to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next());
    let Some(listen) = listen.filter(|address| address.ip().is_loopback()) else {
        return Err(
            Failure::unreachable(format!("no server answers at {}", api.server()))
                .hint("`syncline dev` starts one on this machine only, as http://127.0.0.1:4510"),
        );
    };
    let data = named_data(common).unwrap_or_else(|| project.root().join(DEFAULT_DATA));
    let config = Config {
        listen,
        data: Data::Folder(data.clone()),
        ..Config::default()
    };
    let server = Server::start(config)
        .map_err(|error| super::start::explain(&error, &Data::Folder(data.clone())))?;
    eprintln!(
        "started a server at {}, data in {}",
        server.url(),
        data.display()
    );
    Ok((
        Api::with_token(&server.url(), server.admin_token()),
        Some(server),
    ))
}

/// What every round works on.
struct Session {
    api: Api,
    project: Project,
    database: String,
    types: Option<PathBuf>,
    clear_data: bool,
}

impl Session {
    fn round(&self, as_json: bool) -> Result<(), Failure> {
        let wasm = self.project.build()?;
        let answer = publish::send(&self.api, &self.database, &wasm, self.clear_data)?;
        if as_json {
            output::line(&answer)?;
        } else {
            let published: Published = serde_json::from_value(answer).map_err(not_understood)?;
            for line in published.lines(&self.database) {
                output::line(&line)?;
            }
        }
        let Some(types) = &self.types else {
            return Ok(());
        };
        let schema = schema::of_answer(self.api.get(&[&self.database, "schema"], "")?)?;
        if write_if_changed(types, &typescript(&schema))? {
            eprintln!("{}: written", types.display());
        }
        Ok(())
    }
}

/// Waits for a change and for quiet after it, or for the end.
fn next(happenings: &Receiver<Happening>) -> Happening {
    // The senders are a thread and a watcher that live as long as we do.
    if happenings.recv() != Ok(Happening::Changed) {
        return Happening::Stop;
    }
    loop {
        match happenings.recv_timeout(QUIET) {
            Ok(Happening::Changed) => {}
            Err(RecvTimeoutError::Timeout) => return Happening::Changed,
            Ok(Happening::Stop) | Err(RecvTimeoutError::Disconnected) => return Happening::Stop,
        }
    }
}

/// Tells of changes to the module's sources.
fn watch(module: &Path, sender: Sender<Happening>) -> Result<notify::RecommendedWatcher, Failure> {
    let failed = |error: notify::Error| {
        Failure::Other(anyhow::anyhow!(
            "cannot watch {}: {error}",
            module.display()
        ))
    };
    let module = &std::fs::canonicalize(module)?;
    let root = module.clone();
    let told = move |event: notify::Result<notify::Event>| {
        // An error is a queue that ran over, so something has changed.
        let is_change = event.as_ref().map_or(true, |event| {
            !matches!(event.kind, EventKind::Access(_))
                && event.paths.iter().any(|path| is_source(&root, path))
        });
        if is_change {
            // The loop may be over.
            let _ = sender.send(Happening::Changed);
        }
    };
    let mut watcher = notify::recommended_watcher(told).map_err(failed)?;
    // Not the whole tree below: cargo's target folder has thousands of files that change at each build.
    watcher
        .watch(module, RecursiveMode::NonRecursive)
        .map_err(failed)?;
    for entry in std::fs::read_dir(module)? {
        let path = entry?.path();
        if path.is_dir() && is_source_folder(&path) {
            watcher
                .watch(&path, RecursiveMode::Recursive)
                .map_err(failed)?;
        }
    }
    Ok(watcher)
}

fn is_source_folder(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name != "target" && !name.starts_with('.')
}

/// Whether a path is something that the module is built from: not cargo's output, not an editor's hidden
/// file, not the lock file that cargo itself writes.
fn is_source(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else {
        return false;
    };
    let is_hidden = |part: Component<'_>| part.as_os_str().to_string_lossy().starts_with('.');
    let name = below.file_name().unwrap_or_default().to_string_lossy();
    !below.starts_with("target")
        && !below.components().any(is_hidden)
        && !name.is_empty()
        && name != "Cargo.lock"
        && !name.ends_with('~')
}

#[cfg(test)]
mod tests;
