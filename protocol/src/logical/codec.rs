//! Bytes to a query and back. What is too large is refused before a part of it is built.

use rmp::Marker;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{LOGICAL_VERSION, LogicalQuery};
use crate::error::{ErrorCode, WireError};
use crate::limits::{LOGICAL_BYTES_MAX, LOGICAL_NESTING_MAX, LOGICAL_VALUES_MAX};

/// Characters of a decoder's message that are passed on: it may name what it did not expect.
const MESSAGE_CHARS_MAX: usize = 200;

/// Why bytes or JSON are no logical query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogicalError {
    /// It is too long.
    #[error("the query has {0} bytes, over {LOGICAL_BYTES_MAX}")]
    Bytes(usize),
    /// It is made of too many values: names, literals, lists and objects.
    #[error("the query has over {LOGICAL_VALUES_MAX} values")]
    Values,
    /// Lists and objects in it nest too deep.
    #[error("the query nests deeper than {LOGICAL_NESTING_MAX} levels")]
    Nesting,
    /// It has another structure than this server reads.
    #[error("the query has version {0}; this server reads version {LOGICAL_VERSION}")]
    Version(u64),
    /// It has no version, members that are unknown, or lacks some.
    #[error("the query does not decode: {0}")]
    Malformed(String),
}

impl LogicalError {
    /// For programs.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Bytes(_) | Self::Values | Self::Nesting => ErrorCode::QueryLimit,
            Self::Version(_) => ErrorCode::SqlUnsupported,
            Self::Malformed(_) => ErrorCode::SqlSyntax,
        }
    }

    /// As it travels.
    #[must_use]
    pub fn to_wire(&self) -> WireError {
        WireError::new(self.code(), self.to_string())
    }
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

impl LogicalQuery {
    /// The query as MessagePack, an object with named members.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut serializer = rmp_serde::Serializer::new(&mut out).with_struct_map();
        self.serialize(&mut serializer)
            .expect("writing to memory cannot fail");
        out
    }

    /// Reads [`Self::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LogicalError> {
        if bytes.len() > LOGICAL_BYTES_MAX {
            return Err(LogicalError::Bytes(bytes.len()));
        }
        measure(bytes)?;
        let malformed = |error: rmp_serde::decode::Error| malformed(&error);
        let Version { version } = rmp_serde::from_slice(bytes).map_err(malformed)?;
        check_version(version)?;
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
        // An enum takes a level that is none of the bytes'.
        deserializer.set_max_depth(2 * LOGICAL_NESTING_MAX + 8);
        Self::deserialize(&mut deserializer).map_err(malformed)
    }

    /// Reads the form of a query in JSON.
    pub fn from_json(json: Json) -> Result<Self, LogicalError> {
        let mut values = 0;
        measure_json(&json, 0, &mut values)?;
        let Version { version } = Version::deserialize(&json).map_err(|e| malformed(&e))?;
        check_version(version)?;
        Self::deserialize(json).map_err(|error| malformed(&error))
    }

    /// The query in JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        serde_json::to_value(self).expect("a query has text for names")
    }
}

fn check_version(version: u64) -> Result<(), LogicalError> {
    if version == u64::from(LOGICAL_VERSION) {
        Ok(())
    } else {
        Err(LogicalError::Version(version))
    }
}

fn malformed(error: &impl std::fmt::Display) -> LogicalError {
    let mut message = error.to_string();
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
        message.truncate(end);
        message.push_str("..");
    }
    LogicalError::Malformed(message)
}

/// Walks over exactly one MessagePack value without building it.
fn measure(mut bytes: &[u8]) -> Result<(), LogicalError> {
    let early = || LogicalError::Malformed("it ends too early".into());
    // Values that each open list or object still lacks.
    let mut open = [0u64; LOGICAL_NESTING_MAX];
    let mut depth = 0;
    let mut values = 0;
    loop {
        values += 1;
        if values > LOGICAL_VALUES_MAX {
            return Err(LogicalError::Values);
        }
        let (&first, rest) = bytes.split_first().ok_or_else(early)?;
        let (skip, inner) = shape(first, rest).ok_or_else(early)?;
        bytes = rest.get(skip..).ok_or_else(early)?;
        if inner > 0 {
            let slot = open.get_mut(depth).ok_or(LogicalError::Nesting)?;
            *slot = inner;
            depth += 1;
            continue;
        }
        loop {
            let Some(top) = depth.checked_sub(1) else {
                return if bytes.is_empty() {
                    Ok(())
                } else {
                    Err(LogicalError::Malformed("bytes follow it".into()))
                };
            };
            open[top] -= 1;
            if open[top] > 0 {
                break;
            }
            depth = top;
        }
    }
}

/// Bytes that belong to a value after its first one, and the values that it holds.
fn shape(first: u8, rest: &[u8]) -> Option<(usize, u64)> {
    let length = |width: usize| {
        let bytes = rest.get(..width)?;
        Some(
            bytes
                .iter()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    };
    let sized = |width: usize, extra: usize| {
        let length = usize::try_from(length(width)?).ok()?;
        Some((length.checked_add(width + extra)?, 0))
    };
    Some(match Marker::from_u8(first) {
        Marker::FixPos(_)
        | Marker::FixNeg(_)
        | Marker::Null
        | Marker::True
        | Marker::False
        | Marker::Reserved => (0, 0),
        Marker::U8 | Marker::I8 => (1, 0),
        Marker::U16 | Marker::I16 | Marker::FixExt1 => (2, 0),
        Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
        Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
        Marker::FixStr(length) => (length.into(), 0),
        Marker::Str8 | Marker::Bin8 => sized(1, 0)?,
        Marker::Str16 | Marker::Bin16 => sized(2, 0)?,
        Marker::Str32 | Marker::Bin32 => sized(4, 0)?,
        Marker::Ext8 => sized(1, 1)?,
        Marker::Ext16 => sized(2, 1)?,
        Marker::Ext32 => sized(4, 1)?,
        Marker::FixExt2 => (3, 0),
        Marker::FixExt4 => (5, 0),
        Marker::FixExt8 => (9, 0),
        Marker::FixExt16 => (17, 0),
        Marker::FixArray(count) => (0, count.into()),
        Marker::Array16 => (2, length(2)?),
        Marker::Array32 => (4, length(4)?),
        Marker::FixMap(count) => (0, 2 * u64::from(count)),
        Marker::Map16 => (2, 2 * length(2)?),
        Marker::Map32 => (4, 2 * length(4)?),
    })
}

/// The same bounds for JSON, which its parser has read already, to 128 levels at most.
fn measure_json(json: &Json, depth: usize, values: &mut usize) -> Result<(), LogicalError> {
    *values += 1;
    if *values > LOGICAL_VALUES_MAX {
        return Err(LogicalError::Values);
    }
    if depth > LOGICAL_NESTING_MAX {
        return Err(LogicalError::Nesting);
    }
    match json {
        Json::Array(items) => items
            .iter()
            .try_for_each(|item| measure_json(item, depth + 1, values)),
        Json::Object(members) => members.values().try_for_each(|member| {
            *values += 1;
            measure_json(member, depth + 1, values)
        }),
        _ => Ok(()),
    }
}
