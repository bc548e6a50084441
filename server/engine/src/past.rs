//! A database as it was: questions that need no engine, since nothing changes any more.

use serde_json::{Value as Json, json};
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{
    Claims, ConnectionId, ErrorCode, Field, Identity, TableDef, WireError, json as wire_json,
};
use syncline_query::Caller;
use syncline_store::past::{BackupError, Cause, Past, RowEvent, RowFate};
use syncline_store::{FoundError, OpenError};

use crate::command::QueryText;
use crate::reply;

/// Evaluates a query on a database as it was, as the admin: what [`crate::Answer::Rows`] has, and the time.
pub fn query_past(past: &Past, query: &QueryText, admin: Identity) -> Result<Json, WireError> {
    let caller = Caller {
        identity: admin,
        admin: true,
        claims: Claims::NONE,
    };
    let (mut rows, mut ends) = (Vec::new(), Vec::new());
    let mut push = |row: &[u8]| {
        rows.extend_from_slice(row);
        ends.push(rows.len());
    };
    let described = syncline_query::query_once(
        &past.database,
        &query.form,
        &query.params,
        &caller,
        &mut push,
    );
    let described = described.map_err(|error| error.to_wire())?;
    let mut answer = reply::rows_json(past.lsn, &described, &rows, &ends);
    answer["time"] = past.time.to_string().into();
    Ok(answer)
}

/// An event in the history of a row: `{"lsn", "time", "change", "row", "by", "caller", "connection", "reducer",
/// "args"}`. What the log does not say is null.
#[must_use]
pub fn event_json(event: &RowEvent) -> Json {
    let change = match event.change {
        RowFate::Inserted => "insert",
        RowFate::Updated => "update",
        RowFate::Deleted => "delete",
        RowFate::Cleared => "clear",
    };
    let row = event.row.as_ref().map(|(row, def)| row_json(row, def));
    let cause = event.cause.as_ref();
    let connection = cause.map(|cause| cause.connection);
    let connection = connection.filter(|id| *id != ConnectionId::default());
    json!({
        "lsn": event.lsn,
        "time": event.time.to_string(),
        "change": change,
        "row": row,
        "by": cause.map(by),
        "caller": cause.map(|cause| cause.caller),
        "connection": connection,
        "reducer": cause.map(|cause| &cause.reducer).filter(|name| !name.is_empty()),
        "args": cause.and_then(args_json),
    })
}

/// What made a transaction: `reducer`, `publish`, or `server` for one without either.
fn by(cause: &Cause) -> &'static str {
    match (cause.is_publish, cause.reducer.is_empty()) {
        (true, _) => "publish",
        (false, true) => "server",
        (false, false) => "reducer",
    }
}

/// The columns of a row that was logged: the log was checked for that.
fn row_json(row: &[u8], def: &TableDef) -> Json {
    let mut reader = Reader::new(row);
    let columns = def.columns.iter().map_while(|column| {
        let packed = reader.value(&column.ty).ok()?;
        let value = wire_json::encode_packed(&column.ty, packed).ok()?;
        Some((column.name.clone(), value))
    });
    Json::Object(columns.collect())
}

/// The arguments by name, if the reducer of then is known.
fn args_json(cause: &Cause) -> Option<Json> {
    let params = cause.params.as_ref()?;
    let types = params.iter().map(|param| &param.ty);
    packed::validate(types, &cause.args).ok()?;
    let mut reader = Reader::new(&cause.args);
    let value = |param: &Field| {
        let packed = reader.value(&param.ty).ok()?;
        let value = wire_json::encode_packed(&param.ty, packed).ok()?;
        Some((param.name.clone(), value))
    };
    Some(Json::Object(params.iter().map_while(value).collect()))
}

/// Why a database cannot be read as it was.
#[must_use]
pub fn past_error(error: &OpenError) -> WireError {
    match error {
        OpenError::NotKept => WireError::new(ErrorCode::NotKept, error.to_string())
            .hint("history reaches back to the oldest checkpoint; backups reach as far as they were taken"),
        error => WireError::new(ErrorCode::Internal, error.to_string()),
    }
}

/// Why a database cannot be made of one that was.
#[must_use]
pub fn found_error(error: &FoundError) -> WireError {
    match error {
        FoundError::Exists { .. } | FoundError::Open(OpenError::Locked { .. }) => WireError::new(
            ErrorCode::DatabaseExists,
            "there is a database of that name",
        )
        .hint("take another name"),
        FoundError::Open(error) => past_error(error),
        error => WireError::new(ErrorCode::Internal, error.to_string()),
    }
}

/// Why a backup cannot be used.
#[must_use]
pub fn backup_error(error: &BackupError) -> WireError {
    let hint = match error {
        BackupError::Io(error) => return WireError::new(ErrorCode::Internal, error.to_string()),
        BackupError::NoBackup => "make one with `syncline backup`",
        BackupError::Version { .. } => "restore it with the release that made it",
        _ => "take another backup: this one is not what was written",
    };
    WireError::new(ErrorCode::BadBackup, error.to_string()).hint(hint)
}
