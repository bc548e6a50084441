//! What the host function `query` takes and gives.
//!
//! **Request**: the SQL, then its parameters up to the end, each a name and a value. Texts and bytes are a u32
//! length and their bytes.
//!
//! | value | u8 tag | bytes |
//! |---|---|---|
//! | NULL | 0 | |
//! | boolean | 1 | u8: 0 or 1 |
//! | integer | 2 | 16, i128 |
//! | float | 3 | 8, f64 |
//! | text | 4 | u32 length, UTF-8 |
//! | bytes | 5 | u32 length, bytes |
//! | list | 6 | u32 count, values |
//!
//! **Answer**: items of a scan's chunk (each a u32 length and its bytes), a head and then the packed rows. The head
//! is a u8, [`ANSWER_ROWS`] and the columns' names and types (as [`crate::schema_codec`] writes a list of fields), or
//! [`ANSWER_REFUSED`] and two texts, the code of the error and what is wrong.

use crate::error::CodecError;
use crate::packed::{Reader, put_sized};

/// Rows follow.
pub const ANSWER_ROWS: u8 = 0;
/// The query is wrong, or too much.
pub const ANSWER_REFUSED: u8 = 1;

/// Lists in lists.
const NESTING_MAX: usize = 4;

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum Argument {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Argument>),
}

/// Appends a parameter to a request that begins with its SQL, [`put_sized`].
pub fn put_argument(name: &str, value: &Argument, out: &mut Vec<u8>) {
    put_sized(name.as_bytes(), out);
    put_value(value, out);
}

fn put_value(value: &Argument, out: &mut Vec<u8>) {
    match value {
        Argument::Null => out.push(0),
        Argument::Bool(value) => out.extend([1, u8::from(*value)]),
        Argument::Int(value) => {
            out.push(2);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Argument::Float(value) => {
            out.push(3);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Argument::Text(text) => {
            out.push(4);
            put_sized(text.as_bytes(), out);
        }
        Argument::Bytes(bytes) => {
            out.push(5);
            put_sized(bytes, out);
        }
        Argument::List(items) => {
            out.push(6);
            out.extend_from_slice(&(items.len() as u32).to_le_bytes());
            for item in items {
                put_value(item, out);
            }
        }
    }
}

/// A request that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// The SQL.
    pub sql: &'a str,
    /// Names and values.
    pub arguments: Vec<(String, Argument)>,
}

/// Reads a request. At most `arguments_max` parameters, and as many items in a list.
pub fn read_request(bytes: &[u8], arguments_max: usize) -> Result<Request<'_>, CodecError> {
    let mut reader = Reader::new(bytes);
    let sql = text(&mut reader)?;
    let mut arguments = Vec::new();
    while !reader.rest().is_empty() {
        if arguments.len() == arguments_max {
            return Err(CodecError::TooLong);
        }
        let name = text(&mut reader)?.to_owned();
        arguments.push((name, value(&mut reader, arguments_max, 0)?));
    }
    Ok(Request { sql, arguments })
}

fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, CodecError> {
    core::str::from_utf8(reader.sized()?).map_err(|_| CodecError::NotUtf8)
}

fn value(reader: &mut Reader<'_>, items_max: usize, depth: usize) -> Result<Argument, CodecError> {
    let [tag] = reader.array()?;
    Ok(match tag {
        0 => Argument::Null,
        1 => match reader.array()? {
            [0] => Argument::Bool(false),
            [1] => Argument::Bool(true),
            _ => return Err(CodecError::BadTag),
        },
        2 => Argument::Int(i128::from_le_bytes(reader.array()?)),
        3 => Argument::Float(f64::from_le_bytes(reader.array()?)),
        4 => Argument::Text(text(reader)?.to_owned()),
        5 => Argument::Bytes(reader.sized()?.to_vec()),
        6 if depth < NESTING_MAX => {
            let count = u32::from_le_bytes(reader.array()?) as usize;
            if count > items_max {
                return Err(CodecError::TooLong);
            }
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(value(reader, items_max, depth + 1)?);
            }
            Argument::List(items)
        }
        6 => return Err(CodecError::TooDeep),
        _ => return Err(CodecError::BadTag),
    })
}

#[cfg(feature = "wire")]
impl From<Argument> for crate::param::Param {
    fn from(value: Argument) -> Self {
        match value {
            Argument::Null => Self::Null,
            Argument::Bool(value) => Self::Bool(value),
            Argument::Int(value) => Self::Int(value),
            Argument::Float(value) => Self::Float(value),
            Argument::Text(text) => Self::Text(text),
            Argument::Bytes(bytes) => Self::Bytes(bytes),
            Argument::List(items) => Self::List(items.into_iter().map(Self::from).collect()),
        }
    }
}

#[cfg(test)]
mod tests;
