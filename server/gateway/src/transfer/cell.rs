//! Values as cells of CSV.
//!
//! | type | cell |
//! |---|---|
//! | string | the text |
//! | bool, numbers, times, bytes, ids | what JSON has, without quotes |
//! | enum | the variant's name; JSON if it carries a value |
//! | Json, list, struct | JSON |
//! | option | nothing for NULL; a value as above, with a backslash before one that is empty or begins with one |
//!
//! So in a column that may be NULL an empty cell is NULL and `\` is the empty text. Whether a cell stood in
//! quotes makes no difference: many programs add and drop them.

use serde_json::Value as Json;
use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, Type, json};

/// Appends the cell of the packed value at the front of `reader`, without quotes around it.
pub(crate) fn write(
    ty: &Type,
    reader: &mut Reader<'_>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let Type::Option(inner) = ty else {
        return write_value(ty, reader, out);
    };
    match reader.array()? {
        [1] => Ok(()),
        [0u8] => {
            let start = out.len();
            write_value(inner, reader, out)?;
            if matches!(out.get(start), None | Some(b'\\')) {
                out.insert(start, b'\\');
            }
            Ok(())
        }
        _ => Err(CodecError::BadTag),
    }
}

fn write_value(ty: &Type, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    if let Type::String | Type::Json = ty {
        out.extend_from_slice(reader.sized()?);
        return Ok(());
    }
    let start = out.len();
    json::write_packed(ty, reader, out)?;
    if out[start..].starts_with(b"\"") {
        let text: String =
            serde_json::from_slice(&out[start..]).expect("it was just written as JSON");
        out.truncate(start);
        out.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// Appends the packed value that a cell stands for, or says why it stands for none.
pub(crate) fn read(ty: &Type, cell: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let Type::Option(inner) = ty else {
        return read_value(ty, cell, out);
    };
    if cell.is_empty() {
        out.push(1);
        return Ok(());
    }
    out.push(0);
    read_value(inner, cell.strip_prefix('\\').unwrap_or(cell), out)
}

fn read_value(ty: &Type, cell: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let text = || Json::String(cell.to_owned());
    let value = match ty {
        Type::Bool => match cell {
            "true" | "TRUE" | "True" => Json::Bool(true),
            "false" | "FALSE" | "False" => Json::Bool(false),
            _ => text(),
        },
        // What is no finite number is a text in JSON: NaN and the infinities, or a mistake.
        Type::F32 | Type::F64 => match cell.parse::<f64>() {
            Ok(number) if number.is_finite() => number.into(),
            _ => text(),
        },
        Type::Json | Type::List(_) | Type::Struct(_) => of_json(ty, cell)?,
        Type::Enum(_) if cell.starts_with('{') => of_json(ty, cell)?,
        _ => text(),
    };
    json::pack(ty, &value, out)
}

fn of_json(ty: &Type, cell: &str) -> Result<Json, String> {
    serde_json::from_str(cell).map_err(|error| format!("expected {ty} as JSON: {error}"))
}

#[cfg(test)]
mod tests;
