//! Backups of a database that runs, as a stream, and new databases made of them.

use std::io::Write;
use std::path::{Path as FilePath, PathBuf};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Shares};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use syncline_engine::{
    BackupDisk, Disk, RealDisk, Until, backup_error, begin_backup, past_error, read_past,
};
use syncline_protocol::{ErrorCode, Lsn, WireError};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use super::api::{Server, internal, require_admin};
use super::export::{self, CHUNKS_MAX, ChunkSender};
use super::past::{aside, refuse_taken, settle};
use super::respond::{Answered, Failure, next_piece};
use crate::auth::random;
use crate::config::Data;
use crate::files::{create_private, incoming};
use crate::state::State;

/// `GET /v1/databases/{name}/backup`: all that is kept of a database, up to what is durable now.
pub(crate) async fn backup(
    Shares(state): Server,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answered {
    require_admin(&state, &headers)?;
    let shared = state.database(&name)?;
    data_folder(&state)?;
    let place = export::place(&state)?;
    let (last, view) = export::view(&shared).await?;
    drop(view);
    let (disk, folder) = (state.disk.clone(), state.folder(&name)?);
    let begun = aside(move || {
        begin_backup(&*disk, &folder, last, crate::now_us()).map_err(|error| past_error(&error))
    });
    let mut backup = begun.await?;
    let bytes = backup.byte_len();
    let (sender, mut chunks) = mpsc::channel(CHUNKS_MAX);
    let handle = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut sender = ChunkSender::new(sender, handle);
        let sent = loop {
            match backup.write(&mut sender.chunk) {
                Ok(true) => {
                    if let Err(reason) = sender.send() {
                        break Err(reason);
                    }
                }
                Ok(false) => break Ok(()),
                Err(error) => {
                    tracing::error!(database = name, %error, "a backup cannot go on");
                    break sender.fail("the database cannot be read");
                }
            }
        };
        if let Err(reason) = sent {
            tracing::warn!(database = name, reason, "a backup broke off");
        }
    });
    let body = futures_util::stream::poll_fn(move |context| chunks.poll_recv(context));
    let named = header::HeaderName::from_static;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (named("syncline-lsn"), last.0.to_string()),
        (named("syncline-bytes"), bytes.to_string()),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Options {
    /// Up to this transaction.
    lsn: Option<u64>,
    /// Up to this time, in microseconds since the Unix epoch.
    time: Option<i64>,
}

/// A backup that has come, until it is not needed any more.
struct Incoming(PathBuf);

impl Drop for Incoming {
    fn drop(&mut self) {
        // What is left of it is removed at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `POST /v1/databases/{new}/restore`: a new database of a backup, as it was at its end or before.
pub(crate) async fn restore(
    Shares(state): Server,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    request: Request,
) -> Answered {
    require_admin(&state, request.headers())?;
    refuse_taken(&state, &name)?;
    let folder = data_folder(&state)?.to_owned();
    let place = export::place(&state)?;
    let incoming = receive(&folder, request.into_body()).await?;
    let made = aside(move || {
        let _place = place;
        let source = RealDisk
            .open(&incoming.0)
            .map_err(|error| unusable(&error))?;
        let backup = BackupDisk::open(source).map_err(|error| backup_error(&error))?;
        let until = until(&options, backup.last())?;
        let past = read_past(&backup, FilePath::new(BackupDisk::FOLDER), until);
        let past = past.map_err(|error| past_error(&error))?;
        drop(backup);
        settle(&state, &name, past)
    });
    Ok(Json(made.await?).into_response())
}

fn until(options: &Options, last: Lsn) -> Result<Until, WireError> {
    if let Some(lsn) = options.lsn.filter(|lsn| *lsn > last.0) {
        let message = format!("there is no lsn {lsn} in the backup: the last one is {last}");
        return Err(WireError::new(ErrorCode::BadRequest, message));
    }
    let mut until = Until::END;
    until.lsn = options.lsn.map_or(until.lsn, Lsn);
    until.time = options.time.unwrap_or(until.time);
    Ok(until)
}

fn data_folder(state: &State) -> Result<&FilePath, WireError> {
    match &state.config.data {
        Data::Folder(folder) => Ok(folder),
        Data::Memory => {
            let message = "a server that keeps its data in memory has no backups";
            Err(WireError::new(ErrorCode::NotSupported, message)
                .hint("start it with a data folder"))
        }
    }
}

/// Writes a body to a file.
async fn receive(data: &FilePath, mut body: Body) -> Result<Incoming, Failure> {
    let name = u64::from_le_bytes(random());
    let incoming = Incoming(incoming(data).join(format!("{name:016x}.backup")));
    let created = block_in_place(|| create_private(&incoming.0));
    let mut file = created.map_err(|error| unusable(&error))?;
    while let Some(piece) = next_piece(&mut body).await? {
        // The other threads of HTTP serve others while the disk is slow.
        block_in_place(|| file.write_all(&piece)).map_err(|error| unusable(&error))?;
    }
    Ok(incoming)
}

/// The file of a backup cannot be written or read.
fn unusable(error: &std::io::Error) -> WireError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return WireError::new(ErrorCode::DiskFull, "no room on the disk for the backup")
            .hint("free as much as the backup has, and as its rows once more");
    }
    internal(error).0
}
