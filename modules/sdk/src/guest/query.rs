//! SQL in a reducer.

use core::fmt;
use core::marker::PhantomData;

use syncline_protocol::abi::query::{ANSWER_ROWS, Argument, put_argument};
use syncline_protocol::packed::{Reader, put_sized};
use syncline_protocol::{CodecError, ConnectionId, Identity, Type, abi, limits, schema_codec};

use super::context::Context;
use super::host;
use crate::packed::Packed;
use crate::time::{Duration, Timestamp};
use crate::uuid::Uuid;

/// A buffer that takes any row.
const LARGEST_CHUNK_BYTES: usize = limits::ROW_BYTES_MAX + 4;

impl Context {
    /// A query over the tables as this transaction sees them, its own writes and private tables included. `:me` is
    /// the caller; other parameters are bound one by one.
    ///
    /// ```ignore
    /// let unread: Vec<(u64, i64)> = ctx
    ///     .query("SELECT room, COUNT(*) FROM message WHERE author <> :me AND id > :seen GROUP BY room")
    ///     .bind("seen", seen)
    ///     .rows()?;
    /// ```
    ///
    /// Looking up single rows is quicker through the table's handle.
    pub fn query(&self, sql: &str) -> Query<'_> {
        let mut request = Vec::with_capacity(sql.len() + 64);
        put_sized(sql.as_bytes(), &mut request);
        Query {
            request,
            context: PhantomData,
        }
    }
}

/// A query before it is answered; see [`Context::query`].
#[derive(Debug)]
#[must_use = "a query is asked by `rows` or `one`"]
pub struct Query<'c> {
    request: Vec<u8>,
    context: PhantomData<&'c Context>,
}

/// Why a query was refused: it is wrong, or looks at too much. `?` turns it into the text of a reducer's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Stable, as docs/errors.md lists it.
    pub code: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl core::error::Error for QueryError {}

impl From<QueryError> for String {
    fn from(error: QueryError) -> Self {
        error.to_string()
    }
}

impl Query<'_> {
    /// Gives `:name` a value.
    pub fn bind(mut self, name: &str, value: impl Into<Value>) -> Self {
        put_argument(name, &value.into().0, &mut self.request);
        self
    }

    /// All rows of the result, in its order.
    pub fn rows<R: QueryRow>(self) -> Result<Vec<R>, QueryError> {
        let mut rows = Vec::new();
        self.each(&mut |row| rows.push(row))?;
        Ok(rows)
    }

    /// The first row of the result, if there is one.
    pub fn one<R: QueryRow>(self) -> Result<Option<R>, QueryError> {
        let mut first = None;
        self.each(&mut |row| first = first.take().or(Some(row)))?;
        Ok(first)
    }

    fn each<R: QueryRow>(self, visit: &mut dyn FnMut(R)) -> Result<(), QueryError> {
        let mut chunk = vec![0; limits::SCAN_CHUNK_BYTES];
        let mut status = ask(&mut chunk, |out| host::query(&self.request, out));
        let mut is_head = true;
        loop {
            let (cursor, len) = status;
            let mut reader = Reader::new(&chunk[..len]);
            while !reader.rest().is_empty() {
                let item = reader.sized().expect("a chunk holds whole items");
                if is_head {
                    check_head::<R>(item)?;
                    is_head = false;
                    continue;
                }
                let mut row = Reader::new(item);
                visit(R::take(&mut row).expect("the types were compared"));
            }
            if cursor == 0 {
                return Ok(());
            }
            status = ask(&mut chunk, |out| host::scan_next(cursor, out));
        }
    }
}

/// Cursor and bytes of a chunk.
fn ask(chunk: &mut Vec<u8>, mut ask: impl FnMut(&mut [u8]) -> i64) -> (u32, usize) {
    let mut status = ask(chunk);
    if status == abi::STATUS_ROW_TOO_LARGE {
        chunk.resize(LARGEST_CHUNK_BYTES, 0);
        status = ask(chunk);
    }
    let status = u64::try_from(status).expect("the host fills a chunk");
    ((status >> 32) as u32, status as u32 as usize)
}

/// Whether rows follow, and those that are wanted.
fn check_head<R: QueryRow>(head: &[u8]) -> Result<(), QueryError> {
    let malformed = "the host writes a head as the ABI has it";
    let mut reader = Reader::new(head);
    let [kind] = reader.array().expect(malformed);
    if kind != ANSWER_ROWS {
        let mut text = || String::from_utf8_lossy(reader.sized().expect(malformed)).into_owned();
        return Err(QueryError {
            code: text(),
            message: text(),
        });
    }
    let columns = schema_codec::read_fields(reader.rest()).expect(malformed);
    let wanted = R::types();
    let mismatch = |message| {
        Err(QueryError {
            code: "SQL_TYPE".to_owned(),
            message,
        })
    };
    if columns.len() != wanted.len() {
        let (is, want) = (columns.len(), wanted.len());
        return mismatch(format!("the query has {is} columns, the row type {want}"));
    }
    for (column, wanted) in columns.iter().zip(&wanted) {
        if column.ty != *wanted {
            let (name, is) = (&column.name, &column.ty);
            return mismatch(format!(
                "column `{name}` is {is}, the row type has {wanted}"
            ));
        }
    }
    Ok(())
}

/// What a row of a result can be read as: a tuple of column types, or a struct with a field for each column (a
/// table's row, or one with `#[derive(Type)]`). Types are exact: what can be NULL is an `Option`.
pub trait QueryRow: Sized {
    /// Of the columns.
    #[doc(hidden)]
    fn types() -> Vec<Type>;
    /// Reads a row.
    #[doc(hidden)]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError>;
}

/// Column types of a struct.
#[doc(hidden)]
pub fn field_types<T: Packed>() -> Vec<Type> {
    match T::ty() {
        Type::Struct(inner) => inner.fields.iter().map(|field| field.ty.clone()).collect(),
        other => vec![other],
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Packed),+> QueryRow for ($($name,)+) {
            fn types() -> Vec<Type> {
                vec![$($name::ty()),+]
            }

            fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
                Ok(($($name::take(reader)?,)+))
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);

/// A value of a parameter.
#[derive(Clone, Debug)]
pub struct Value(Argument);

macro_rules! values {
    ($($ty:ty: $value:ident => $argument:expr;)+) => {$(
        impl From<$ty> for Value {
            fn from($value: $ty) -> Self {
                Self($argument)
            }
        }
    )+};
}

values! {
    bool: value => Argument::Bool(value);
    i8: value => Argument::Int(value.into());
    i16: value => Argument::Int(value.into());
    i32: value => Argument::Int(value.into());
    i64: value => Argument::Int(value.into());
    i128: value => Argument::Int(value);
    u8: value => Argument::Int(value.into());
    u16: value => Argument::Int(value.into());
    u32: value => Argument::Int(value.into());
    u64: value => Argument::Int(value.into());
    // What no i128 holds travels as its digits.
    u128: value => i128::try_from(value).map_or_else(|_| Argument::Text(value.to_string()), Argument::Int);
    f32: value => Argument::Float(value.into());
    f64: value => Argument::Float(value);
    &str: value => Argument::Text(value.to_owned());
    String: value => Argument::Text(value);
    &[u8]: value => Argument::Bytes(value.to_vec());
    Identity: value => Argument::Bytes(value.0.to_vec());
    ConnectionId: value => Argument::Bytes(value.0.to_vec());
    Uuid: value => Argument::Bytes(packed(&value));
    Timestamp: value => Argument::Int(value.micros().into());
    Duration: value => Argument::Int(value.micros().into());
}

fn packed(value: &impl Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.put(&mut bytes);
    bytes
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Argument::Null), Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        let items = items.into_iter().map(|item| item.into().0);
        Self(Argument::List(items.collect()))
    }
}
