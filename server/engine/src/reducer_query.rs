//! Queries that reducers ask: where host and query meet.

use syncline_protocol::abi::query::{ANSWER_REFUSED, ANSWER_ROWS, Request, read_request};
use syncline_protocol::limits::{CALL_QUERY_BYTES_MAX, SQL_PARAMS_MAX};
use syncline_protocol::packed::put_sized;
use syncline_protocol::{Claims, ErrorCode, Field, Identity, WireError, schema_codec};
use syncline_query::Caller;
use syncline_store::Database;

/// Answers a query over the rows as the running transaction sees them. A reducer sees all of them, and `:me` is its
/// caller.
pub(crate) fn answer(database: &Database, identity: Identity, request: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    if let Err(error) = try_answer(database, identity, request, out) {
        out.truncate(start);
        item(out, |out| {
            out.push(ANSWER_REFUSED);
            put_sized(error.code.as_bytes(), out);
            let text = match &error.hint {
                Some(hint) => format!("{} ({hint})", error.message),
                None => error.message.clone(),
            };
            put_sized(text.as_bytes(), out);
        });
    }
}

fn try_answer(
    database: &Database,
    identity: Identity,
    request: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let Request { sql, arguments } = read_request(request, SQL_PARAMS_MAX)
        .map_err(|error| WireError::new(ErrorCode::BadMessage, format!("the request: {error}")))?;
    let arguments = arguments.into_iter();
    let params: Vec<_> = arguments
        .map(|(name, value)| (name, value.into()))
        .collect();
    let caller = Caller {
        identity,
        admin: true,
        claims: Claims::NONE,
    };
    let mut rows = Vec::new();
    let mut is_full = false;
    let sink = &mut |row: &[u8]| {
        is_full |= rows.len() + row.len() + 4 > CALL_QUERY_BYTES_MAX;
        if !is_full {
            put_sized(row, &mut rows);
        }
    };
    let description = syncline_query::query_once(database, sql, &params, &caller, sink)
        .map_err(|error| error.to_wire())?;
    let columns = description.columns.into_iter();
    let fields: Vec<_> = columns
        .map(|column| Field {
            name: column.name,
            ty: column.ty,
        })
        .collect();
    item(out, |out| {
        out.push(ANSWER_ROWS);
        schema_codec::put_fields(&fields, out);
    });
    if is_full || out.len() + rows.len() > CALL_QUERY_BYTES_MAX {
        let message = format!("the result has over {CALL_QUERY_BYTES_MAX} bytes");
        return Err(WireError::new(ErrorCode::QueryLimit, message)
            .hint("narrow WHERE or add a LIMIT, or iterate over the table"));
    }
    out.append(&mut rows);
    Ok(())
}

/// Appends an item: a u32 length and what `put` writes.
fn item(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    put(out);
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}
