//! `POST /v1/databases/{name}/import`: rows of text, as they come, in transactions of some rows each.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Shares};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use syncline_engine::{Answer, Command, Import, ImportMode, Imported};
use syncline_protocol::limits::{IMPORT_BATCH_BYTES, IMPORT_BATCH_ROWS, IMPORT_LINE_BYTES_MAX};
use syncline_protocol::{ErrorCode, Identity, TableDef, TableId, WireError};

use super::api::{Server, require_admin};
use super::export;
use super::respond::{Answered, bad_request, next_piece, status};
use crate::shared::Shared;
use crate::transfer::Format;
use crate::transfer::read::{BadRow, Next, Row, RowReader};

/// What is read and thrown away after an error, so that the client comes to look for the answer.
const DRAINED_BYTES_MAX: usize = 2 * IMPORT_LINE_BYTES_MAX;

#[derive(Deserialize)]
pub(crate) struct Options {
    /// Without one, each line names its table.
    table: Option<String>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    mode: Mode,
    /// Number of the first line (in CSV, of that after the head), for a file that comes in parts.
    line: Option<u64>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Insert,
    Upsert,
}

/// Why an import stopped, and where.
struct Stop {
    error: WireError,
    line: Option<u64>,
    column: Option<String>,
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Self {
        Self {
            error,
            line: None,
            column: None,
        }
    }
}

impl From<BadRow> for Stop {
    fn from(bad: BadRow) -> Self {
        let place = match &bad.column {
            Some(column) => format!("line {}, column {column}", bad.line),
            None => format!("line {}", bad.line),
        };
        let mut error = WireError::new(ErrorCode::BadRow, format!("{place}: {}", bad.message));
        error.hint = bad.hint;
        Self {
            error,
            line: Some(bad.line),
            column: bad.column,
        }
    }
}

/// Rows on their way into a database.
struct Transfer {
    shared: Arc<Shared>,
    identity: Identity,
    mode: ImportMode,
    tables: Vec<(TableId, Arc<TableDef>)>,
    batch: Batch,
    /// What is in.
    done: Imported,
}

/// Rows of one table that become one transaction.
#[derive(Default)]
struct Batch {
    /// Position of the table.
    table: usize,
    rows: Vec<u8>,
    ends: Vec<usize>,
    /// Where each row stood.
    lines: Vec<u64>,
}

pub(crate) async fn import(
    Shares(state): Server,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    request: Request,
) -> Answered {
    let admin = require_admin(&state, request.headers())?;
    let shared = state.database(&name)?;
    if options.table.is_none() && options.format == Format::Csv {
        return Err(bad_request("CSV has the rows of one table: name it"));
    }
    // The view is only looked at for its tables: what it holds is not held for long.
    let (lsn, view) = export::view(&shared).await?;
    let tables = export::tables(&view, options.table.as_deref())?;
    drop(view);
    let mut defs: Vec<_> = tables.iter().map(|(_, def)| def.clone()).collect();
    let mut reader = match (&options.table, defs.pop()) {
        (Some(_), Some(def)) => {
            let first = if options.format == Format::Csv { 2 } else { 1 };
            RowReader::of_table(def, options.format, options.line.unwrap_or(first))
        }
        (_, def) => {
            defs.extend(def);
            RowReader::of_tables(defs, options.line.unwrap_or(1))
        }
    };
    let mut transfer = Transfer {
        shared,
        identity: admin.identity,
        mode: match options.mode {
            Mode::Insert => ImportMode::Insert,
            Mode::Upsert => ImportMode::Upsert,
        },
        tables,
        batch: Batch::default(),
        done: Imported {
            lsn,
            ..Imported::default()
        },
    };
    let mut body = request.into_body();
    let stop = transfer.run(&mut reader, &mut body).await.err();
    if stop.is_some() {
        drain(&mut body).await;
    }
    Ok(answer(&transfer.done, stop))
}

impl Transfer {
    /// Takes rows in until the text ends. Those before one that is bad are in.
    async fn run(&mut self, reader: &mut RowReader, body: &mut Body) -> Result<(), Stop> {
        let mut packed = Vec::new();
        loop {
            packed.clear();
            let stop = match reader.next(&mut packed) {
                Ok(Next::Row(row)) => {
                    if self.batch.is_full() || !self.batch.is_of(row.table) {
                        self.write().await?;
                    }
                    self.batch.push(&row, &packed);
                    continue;
                }
                Ok(Next::More) => match next_piece(body).await {
                    Ok(Some(piece)) => {
                        reader.feed(&piece);
                        continue;
                    }
                    Ok(None) => {
                        reader.end();
                        continue;
                    }
                    Err(error) => Err(error.into()),
                },
                Ok(Next::End) => Ok(()),
                Err(bad) => Err(bad.into()),
            };
            self.write().await?;
            return stop;
        }
    }

    /// Makes a transaction of what there is, and waits until it is on disk.
    async fn write(&mut self) -> Result<(), Stop> {
        let Batch {
            table,
            rows,
            ends,
            lines,
        } = std::mem::take(&mut self.batch);
        if ends.is_empty() {
            return Ok(());
        }
        let (table, def) = self.tables[table].clone();
        let (identity, mode) = (self.identity, self.mode);
        let answer = self
            .shared
            .request(move |ticket| {
                Command::Import(Box::new(Import {
                    ticket,
                    identity,
                    table,
                    def,
                    rows,
                    ends,
                    mode,
                }))
            })
            .await?;
        match answer {
            Answer::Imported(imported) => {
                self.done.lsn = imported.lsn;
                self.done.inserted += imported.inserted;
                self.done.updated += imported.updated;
                Ok(())
            }
            Answer::RowRefused(position, error) => {
                let line = lines.get(position).copied().unwrap_or_default();
                Err(Stop::from(BadRow {
                    line,
                    column: None,
                    message: error.message,
                    hint: error.hint,
                }))
            }
            _ => Err(WireError::new(ErrorCode::Internal, "the engine gave another answer").into()),
        }
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.ends.len() >= IMPORT_BATCH_ROWS || self.rows.len() >= IMPORT_BATCH_BYTES
    }

    /// Whether a row of this table can be added.
    fn is_of(&self, table: usize) -> bool {
        self.table == table || self.ends.is_empty()
    }

    fn push(&mut self, row: &Row, packed: &[u8]) {
        self.table = row.table;
        self.rows.extend_from_slice(packed);
        self.ends.push(self.rows.len());
        self.lines.push(row.line);
    }
}

/// Most clients look for an answer only when they have sent everything.
async fn drain(body: &mut Body) {
    let mut left = DRAINED_BYTES_MAX;
    while let Ok(Some(piece)) = next_piece(body).await {
        let Some(less) = left.checked_sub(piece.len()) else {
            return;
        };
        left = less;
    }
}

/// What is in and, if it did not go to the end, what is wrong and where.
fn answer(done: &Imported, stop: Option<Stop>) -> Response {
    let mut body = json!({
        "lsn": done.lsn,
        "rows": done.inserted + done.updated,
        "inserted": done.inserted,
        "updated": done.updated,
    });
    let Some(stop) = stop else {
        return Json(body).into_response();
    };
    let status = status(&stop.error);
    body["error"] = json!(stop.error);
    body["line"] = json!(stop.line);
    body["column"] = json!(stop.column);
    (status, Json(body)).into_response()
}
