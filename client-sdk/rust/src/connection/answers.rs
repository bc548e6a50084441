//! Rows of a query that is asked once, as they come in chunks.

use std::sync::Arc;

use syncline_protocol::message::{ResultDescription, Rows as RowsMessage};
use syncline_protocol::packed::Reader;

use super::session::{Session, Waiting};
use crate::Error;
use crate::cache::PackedRow;
use crate::rows::Rows;

impl Session {
    pub(super) fn rows(&mut self, message: &RowsMessage) -> Result<(), Error> {
        let Some(Waiting::Query {
            description, rows, ..
        }) = self.waiting.get_mut(&message.id)
        else {
            return Ok(());
        };
        if let Some(own) = &message.description {
            *description = Some(Arc::new(own.clone()));
        }
        let no_description = || Error::Protocol("rows without a description".into());
        let description = description.clone().ok_or_else(no_description)?;
        split_rows(&description, message, rows)?;
        if message.last {
            let rows = std::mem::take(rows);
            if let Some(Waiting::Query { answer, .. }) = self.waiting.remove(&message.id) {
                drop(answer.send(Ok(Rows::new(description, message.lsn, rows))));
            }
        }
        Ok(())
    }
}

fn split_rows(
    description: &ResultDescription,
    message: &RowsMessage,
    rows: &mut Vec<PackedRow>,
) -> Result<(), Error> {
    let bad = |error: syncline_protocol::CodecError| Error::Protocol(error.to_string());
    let mut reader = Reader::new(&message.rows);
    for _ in 0..message.row_count {
        let start = reader.rest();
        for ty in description.types() {
            reader.value(ty).map_err(bad)?;
        }
        let row = &start[..start.len() - reader.rest().len()];
        if row.is_empty() {
            return Err(Error::Protocol("rows without columns".into()));
        }
        rows.push(row.into());
    }
    reader.finish().map_err(bad)
}
