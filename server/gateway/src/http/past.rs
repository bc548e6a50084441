//! A database as it was: queries on it, new databases made of it, and what has become of one row.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State as Shares};
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value as Json_, json};
use syncline_engine::{
    HistoryOf, Past, QueryText, ReadView, Until, event_json, found, found_error, past_error,
    query_past, read_history, read_past,
};
use syncline_protocol::limits::{FRAME_BYTES_MAX, HISTORY_EVENTS_MAX};
use syncline_protocol::{ErrorCode, Identity, Lsn, TableDef, WireError, json as wire_json};
use tokio::sync::OwnedSemaphorePermit;

use super::api::{Server, internal, require_admin};
use super::export;
use super::respond::{Answered, Failure, bad_request, read_body};
use crate::auth::random;
use crate::config::Data;
use crate::state::{State, check_name};

/// A point in the history of a database.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AsOf {
    /// After this transaction.
    Lsn(u64),
    /// After all transactions up to this time, in microseconds since the Unix epoch.
    Time(i64),
}

impl AsOf {
    fn until(self) -> Until {
        match self {
            Self::Lsn(lsn) => Until::lsn(Lsn(lsn)),
            Self::Time(time) => Until::time(time),
        }
    }
}

/// Where a database lies, and as of when it is to be read.
struct Point {
    folder: PathBuf,
    until: Until,
    view: Box<ReadView>,
    /// Each of these readings has a database in memory.
    place: OwnedSemaphorePermit,
}

/// A point of a database that runs: one that is durable.
async fn point(state: &State, name: &str, as_of: Option<AsOf>) -> Result<Point, Failure> {
    let shared = state.database(name)?;
    if state.config.data == Data::Memory {
        let message = "a server that keeps its data in memory has no history";
        return Err(WireError::new(ErrorCode::NotSupported, message)
            .hint("start it with a data folder")
            .into());
    }
    let place = export::place(state)?;
    let (last, view) = export::view(&shared).await?;
    let mut until = as_of.map_or(Until::END, AsOf::until);
    if until.lsn != Until::END.lsn && until.lsn > last {
        let message = format!("there is no lsn {}: the last one is {last}", until.lsn);
        return Err(bad_request(message));
    }
    until.lsn = until.lsn.min(last);
    Ok(Point {
        folder: state.folder(name)?,
        until,
        view,
        place,
    })
}

/// Runs on a thread that serves nobody else.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WireError> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| internal(&error))??)
}

/// A query on a database as it was; only the admin asks, since who could see a row then is not who can now.
pub(super) async fn query(
    state: &State,
    name: &str,
    as_of: AsOf,
    query: Box<QueryText>,
    admin: Identity,
) -> Answered {
    let point = point(state, name, Some(as_of)).await?;
    let disk = state.disk.clone();
    let rows = aside(move || {
        let _place = point.place;
        drop(point.view);
        let past = read_past(&*disk, &point.folder, point.until);
        query_past(&past.map_err(|error| past_error(&error))?, &query, admin)
    });
    Ok(Json(rows.await?).into_response())
}

#[derive(Deserialize)]
struct ForkBody {
    from: String,
    as_of: Option<AsOf>,
}

/// `POST /v1/databases/{new}/fork`: a new database that is what another one was.
pub(crate) async fn fork(
    Shares(state): Server,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    require_admin(&state, request.headers())?;
    let body = read_body(request, FRAME_BYTES_MAX).await?;
    let body: ForkBody = serde_json::from_slice(&body).map_err(|error| {
        bad_request(format!(
            "the body is not {{\"from\": .., \"as_of\": {{\"lsn\" or \"time\": ..}}}}: {error}"
        ))
    })?;
    refuse_taken(&state, &name)?;
    let point = point(&state, &body.from, body.as_of).await?;
    drop(point.view);
    let founded = aside(move || {
        let _place = point.place;
        let past = read_past(&*state.disk, &point.folder, point.until);
        let past = past.map_err(|error| past_error(&error))?;
        settle(&state, &name, past)
    });
    Ok(Json(founded.await?).into_response())
}

/// Refuses a name that no new database can have.
pub(super) fn refuse_taken(state: &State, name: &str) -> Result<(), WireError> {
    check_name(name)?;
    if state.database(name).is_ok() {
        let message = format!("there is a database named {name}");
        return Err(WireError::new(ErrorCode::DatabaseExists, message).hint("take another name"));
    }
    Ok(())
}

/// Makes a database of one that was, and opens it. Blocks on the disk.
pub(super) fn settle(state: &Arc<State>, name: &str, past: Past) -> Result<Json_, WireError> {
    let folder = state.folder(name)?;
    let seed = u64::from_le_bytes(random());
    let options = state.log_options();
    let epoch = found(&state.disk, &folder, &past, crate::now_us(), seed, &options)
        .map_err(|error| found_error(&error))?;
    let (lsn, time) = (past.lsn, past.time);
    // It is on disk: what it takes in memory need not be there twice.
    drop(past);
    state.database_or_create(name)?;
    tracing::info!(
        database = name,
        lsn = lsn.0,
        epoch = epoch.0,
        "database founded"
    );
    Ok(json!({ "database": name, "lsn": lsn, "time": time.to_string() }))
}

#[derive(Deserialize)]
pub(crate) struct HistoryOptions {
    table: String,
    /// JSON: the value of the primary key, or an array of its columns' values.
    key: String,
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// `GET /v1/databases/{name}/history`: what has become of a row, and by whose doing.
pub(crate) async fn history(
    Shares(state): Server,
    Path(name): Path<String>,
    Query(options): Query<HistoryOptions>,
    headers: HeaderMap,
) -> Answered {
    require_admin(&state, &headers)?;
    let point = point(&state, &name, None).await?;
    let (table, def) = export::tables(&point.view, Some(&options.table))?.remove(0);
    let schema = point.view.schema().clone();
    let key = packed_key(&def, &options.key)?;
    let history = aside(move || {
        let _place = point.place;
        drop(point.view);
        let of = HistoryOf {
            table,
            key: &key,
            schema: &schema.module,
            def: &def,
            until: point.until.lsn,
            events: options.limit.clamp(1, HISTORY_EVENTS_MAX),
        };
        read_history(&*state.disk, &point.folder, of).map_err(|error| past_error(&error))
    });
    let history = history.await?;
    Ok(Json(json!({
        "after": history.after,
        "is_cut": history.is_cut,
        "events": history.events.iter().map(event_json).collect::<Vec<_>>(),
    }))
    .into_response())
}

/// Packs a primary key.
fn packed_key(def: &TableDef, text: &str) -> Result<Vec<u8>, Failure> {
    let key: Json_ = serde_json::from_str(text)
        .map_err(|error| bad_request(format!("the key is not JSON: {error}")))?;
    let values = match key {
        Json_::Array(values) => values,
        value => vec![value],
    };
    let columns: Vec<_> = def
        .primary_key
        .iter()
        .map(|&column| &def.columns[usize::from(column)])
        .collect();
    if values.len() != columns.len() {
        let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let message = format!(
            "the primary key of {} is ({}), found {} values",
            def.name,
            names.join(", "),
            values.len()
        );
        return Err(bad_request(message));
    }
    let mut packed = Vec::new();
    for (column, value) in columns.iter().zip(&values) {
        wire_json::pack(&column.ty, value, &mut packed)
            .map_err(|reason| bad_request(format!("key column {}: {reason}", column.name)))?;
    }
    Ok(packed)
}
