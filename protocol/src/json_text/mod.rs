//! JSON as a value of a column: text in its one canonical form, so that equal values are equal bytes.
//!
//! The form is that of RFC 8785 (JSON Canonicalization Scheme): no white space; members in the order of
//! their names as UTF-16; in strings only `"`, `\` and control characters are escaped, with the
//! shortest escape; numbers are doubles, written as JavaScript writes them. Numbers have no -0 and no infinity. A
//! name occurs once in an object. Values nest at most [`JSON_DEPTH_MAX`] deep and have at most [`JSON_BYTES_MAX`]
//! bytes.
//!
//! [`Json::parse`] takes any JSON and makes it canonical. An integer that no double stands for (beyond 2^53) is
//! refused rather than rounded; so is a name that occurs twice. [`check`] takes canonical text alone and allocates
//! nothing: it looks at every row that is written. [`JsonRef`] finds its way in text that was checked.

use core::fmt;
use core::str::FromStr;

use crate::error::CodecError;
use crate::limits::{JSON_BYTES_MAX, JSON_DEPTH_MAX};

mod canonical;
mod check;
mod number;
mod string;
mod view;

#[cfg(test)]
pub(crate) mod tests;

pub use check::check;
pub use view::{Items, JsonKind, JsonRef, Members};

/// A JSON value: canonical text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(String);

/// Why a text is not a JSON value that can be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {at}")]
pub struct JsonError {
    /// What is wrong.
    pub problem: JsonProblem,
    /// Where, from the beginning of the text.
    pub at: usize,
}

/// What is wrong with a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// It is not written as JSON is.
    #[error("not JSON")]
    Syntax,
    /// An integer that no double stands for, or a number out of the range of doubles.
    #[error("a number that a double does not hold: write it as text")]
    Number,
    /// An escape for half of a surrogate pair.
    #[error("half of a surrogate pair")]
    Surrogate,
    /// Two members of an object have one name.
    #[error("a name that occurs twice in its object")]
    Duplicate,
    /// Over [`JSON_DEPTH_MAX`].
    #[error("a value that nests too deep")]
    Depth,
    /// Over [`JSON_BYTES_MAX`].
    #[error("a text that is too long")]
    Length,
}

impl JsonProblem {
    const fn at(self, at: usize) -> JsonError {
        JsonError { problem: self, at }
    }
}

impl Json {
    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Makes any JSON text canonical.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        canonical::parse(text).map(Self)
    }

    /// Takes text that is canonical already.
    pub fn from_canonical(text: &str) -> Result<Self, CodecError> {
        check(text.as_bytes())?;
        Ok(Self(text.to_owned()))
    }

    /// Takes text that was checked before, as that of a row was. Of other text nothing good can be made.
    #[must_use]
    pub fn from_trusted(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// A number; nothing if it is NaN or infinite.
    #[must_use]
    pub fn number(number: f64) -> Option<Self> {
        number
            .is_finite()
            .then(|| Self(number::Written::of(number).as_str().to_owned()))
    }

    /// An array.
    pub fn array(items: impl IntoIterator<Item = Self>) -> Result<Self, JsonError> {
        let mut text = String::from("[");
        for item in items {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&item.0);
        }
        text.push(']');
        Self::limited(text)
    }

    /// An object. A name may occur once.
    pub fn object<N: AsRef<str>>(
        members: impl IntoIterator<Item = (N, Self)>,
    ) -> Result<Self, JsonError> {
        let members = members.into_iter();
        let mut members: Vec<_> = members
            .map(|(name, value)| (name.as_ref().to_owned(), value.0))
            .collect();
        let mut text = String::new();
        canonical::put_object(&mut members, 0, &mut text)?;
        Self::limited(text)
    }

    /// Checks the limits of text that is canonical but for them.
    fn limited(text: String) -> Result<Self, JsonError> {
        match check(text.as_bytes()) {
            Ok(()) => Ok(Self(text)),
            Err(CodecError::TooDeep) => Err(JsonProblem::Depth.at(0)),
            Err(_) => Err(JsonProblem::Length.at(0)),
        }
    }

    /// The canonical text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value, to look into.
    #[must_use]
    pub fn view(&self) -> JsonRef<'_> {
        JsonRef::trusted(&self.0)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self(if value { "true" } else { "false" }.into())
    }
}

impl TryFrom<&str> for Json {
    type Error = JsonError;

    /// A JSON string with this text in it.
    fn try_from(value: &str) -> Result<Self, JsonError> {
        let mut text = String::with_capacity(value.len() + 2);
        string::put(value, &mut text);
        Self::limited(text)
    }
}

macro_rules! from_integers {
    ($($int:ty)*) => {$(
        impl From<$int> for Json {
            fn from(value: $int) -> Self {
                Self(value.to_string())
            }
        }
    )*};
}

from_integers!(i8 i16 i32 u8 u16 u32);

impl FromStr for Json {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        Self::parse(text)
    }
}

/// The canonical text.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
