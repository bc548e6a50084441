//! `GET /v1/databases/{name}/export`: rows as text, as they were at one moment, while commits go on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State as Shares};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Deserialize;
use syncline_engine::{Answer, Command, Inspect, ReadView};
use syncline_protocol::limits::{EXPORT_CHUNK_BYTES, EXPORTS_MAX};
use syncline_protocol::{ErrorCode, Lsn, TableDef, TableId, WireError};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::api::{Server, require_admin, unexpected};
use super::respond::{Answered, Failure, bad_request};
use crate::shared::Shared;
use crate::state::State;
use crate::transfer::Format;
use crate::transfer::write::RowWriter;

/// Pieces that wait for the client.
pub(super) const CHUNKS_MAX: usize = 4;
/// A client that takes nothing for so long is given up: it holds memory.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
pub(crate) struct Options {
    /// Without one, all tables of the module, in lines that name them.
    table: Option<String>,
    #[serde(default)]
    format: Format,
}

pub(crate) async fn export(
    Shares(state): Server,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Answered {
    require_admin(&state, &headers)?;
    let shared = state.database(&name)?;
    if options.table.is_none() && options.format == Format::Csv {
        return Err(bad_request("CSV has the rows of one table: name it"));
    }
    let place = place(&state)?;
    let (lsn, view) = view(&shared).await?;
    let tables = tables(&view, options.table.as_deref())?;
    let rows: usize = tables.iter().map(|(id, _)| view.len(*id)).sum();
    let (sender, mut chunks) = mpsc::channel(CHUNKS_MAX);
    let names_tables = options.table.is_none();
    let handle = Handle::current();
    // A table of gigabytes is read on a thread that serves nobody else.
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let sender = ChunkSender::new(sender, handle);
        if let Err(reason) = write(&view, &tables, options.format, names_tables, sender) {
            tracing::warn!(database = shared.name, reason, "an export broke off");
        }
    });
    let body = futures_util::stream::poll_fn(move |context| chunks.poll_recv(context));
    let headers = [
        (
            header::CONTENT_TYPE,
            options.format.content_type().to_owned(),
        ),
        (
            header::HeaderName::from_static("syncline-lsn"),
            lsn.0.to_string(),
        ),
        (
            header::HeaderName::from_static("syncline-rows"),
            rows.to_string(),
        ),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// One of the places for requests that hold a database in memory.
pub(super) fn place(state: &State) -> Result<OwnedSemaphorePermit, WireError> {
    state.exports.clone().try_acquire_owned().map_err(|_| {
        let message = format!("{EXPORTS_MAX} exports and readings of the past run already");
        WireError::new(ErrorCode::Overloaded, message).hint("try again when one of them has ended")
    })
}

/// All rows as of now.
pub(super) async fn view(shared: &Shared) -> Result<(Lsn, Box<ReadView>), Failure> {
    let answer = shared
        .request(|ticket| Command::Inspect {
            ticket,
            what: Inspect::View,
        })
        .await?;
    match answer {
        Answer::View(lsn, view) => Ok((lsn, view)),
        _ => Err(unexpected()),
    }
}

/// The table of this name, or all tables of the module in declared order.
pub(super) fn tables(
    view: &ReadView,
    name: Option<&str>,
) -> Result<Vec<(TableId, Arc<TableDef>)>, WireError> {
    let ids = view.schema().table_ids.iter();
    let all = ids.filter_map(|&id| Some((id, view.def(id)?.clone())));
    let Some(name) = name else {
        return Ok(all.collect());
    };
    let all: Vec<_> = all.collect();
    if let Some(found) = all.iter().find(|(_, def)| def.name == name) {
        return Ok(vec![found.clone()]);
    }
    let names: Vec<_> = all.iter().map(|(_, def)| def.name.as_str()).collect();
    let error = WireError::new(
        ErrorCode::SqlUnknownTable,
        format!("no table named {name:?}"),
    );
    Err(if names.is_empty() {
        error.hint("the database has no tables yet: publish a module")
    } else {
        error.hint(format!("its tables are {}", names.join(", ")))
    })
}

/// Hands pieces over to the response, and waits while it has enough.
pub(super) struct ChunkSender {
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
    handle: Handle,
    /// The piece that is being made.
    pub(super) chunk: Vec<u8>,
}

impl ChunkSender {
    /// To be used on a thread that may wait; the runtime is that of the response.
    pub(super) fn new(sender: mpsc::Sender<Result<Bytes, std::io::Error>>, handle: Handle) -> Self {
        Self {
            sender,
            handle,
            chunk: Vec::new(),
        }
    }

    /// Sends the piece, and begins another.
    pub(super) fn send(&mut self) -> Result<(), &'static str> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::copy_from_slice(&self.chunk);
        self.chunk.clear();
        self.put(Ok(chunk))
    }

    /// Cuts the response off, so that the client sees that it is not whole; returns the reason as an error.
    pub(super) fn fail(&self, reason: &'static str) -> Result<(), &'static str> {
        self.put(Err(std::io::Error::other(reason)))?;
        Err(reason)
    }

    fn put(&self, chunk: Result<Bytes, std::io::Error>) -> Result<(), &'static str> {
        let sending = tokio::time::timeout(PAUSE, self.sender.send(chunk));
        match self.handle.block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err("the client is gone"),
            Err(_) => Err("the client has taken nothing for too long"),
        }
    }
}

fn write(
    view: &ReadView,
    tables: &[(TableId, Arc<TableDef>)],
    format: Format,
    names_tables: bool,
    mut sender: ChunkSender,
) -> Result<(), &'static str> {
    for (id, def) in tables {
        let mut writer = RowWriter::new(def.clone(), format, names_tables);
        writer.begin(&mut sender.chunk);
        for row in view.rows(*id) {
            if writer.row(row, &mut sender.chunk).is_err() {
                return sender.fail("a row does not decode");
            }
            if sender.chunk.len() >= EXPORT_CHUNK_BYTES {
                sender.send()?;
            }
        }
    }
    sender.send()
}
