//! Ways into canonical text, without an allocation: what SQL's `->` and `->>` do.

use std::borrow::Cow;

use super::{Json, check, string};
use crate::error::CodecError;

/// A JSON value in canonical text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonRef<'a>(&'a str);

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants say it")]
pub enum JsonKind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

impl<'a> JsonRef<'a> {
    /// Checks the text.
    pub fn new(text: &'a str) -> Result<Self, CodecError> {
        check(text.as_bytes())?;
        Ok(Self(text))
    }

    /// Text that was checked before, as that of a row was. Of other text the answers are wrong, and that is all.
    #[must_use]
    pub fn trusted(text: &'a str) -> Self {
        Self(text)
    }

    /// The canonical text.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// A copy.
    #[must_use]
    pub fn to_json(self) -> Json {
        Json(self.0.to_owned())
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> JsonKind {
        match self.0.as_bytes().first() {
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b'"') => JsonKind::Text,
            Some(b't' | b'f') => JsonKind::Bool,
            Some(b'-' | b'0'..=b'9') => JsonKind::Number,
            _ => JsonKind::Null,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// The bool, if it is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == JsonKind::Bool).then(|| self.0 == "true")
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_f64(self) -> Option<f64> {
        match self.kind() {
            JsonKind::Number => self.0.parse().ok(),
            _ => None,
        }
    }

    /// The number, if it is an integer that fits.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        match self.kind() {
            JsonKind::Number => self.0.parse().ok(),
            _ => None,
        }
    }

    /// The text of the string, if it is one; copied only if it has escapes.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        if self.kind() != JsonKind::Text {
            return None;
        }
        let inside = self.0.get(1..self.0.len() - 1)?;
        Some(unescaped(inside))
    }

    /// The value as text, as `->>` has it: the text of a string, nothing for `null`, else canonical text.
    #[must_use]
    pub fn to_text(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            JsonKind::Null => None,
            JsonKind::Text => self.as_str(),
            _ => Some(Cow::Borrowed(self.0)),
        }
    }

    /// The member of this name; nothing if this is no object or has none.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Self> {
        let mut members = self.members();
        loop {
            let found = members.next_escaped()?;
            let (escaped, value) = found;
            let is_it = if escaped.contains('\\') {
                unescaped(escaped) == name
            } else {
                escaped == name
            };
            if is_it {
                return Some(value);
            }
        }
    }

    /// The item at a position, from the end if that is below zero (-1 is the last one); nothing if this is no
    /// array or has none.
    #[must_use]
    pub fn at(self, position: i64) -> Option<Self> {
        let mut items = self.items();
        let position = if let Ok(position) = usize::try_from(position) {
            position
        } else {
            let back = usize::try_from(position.unsigned_abs()).ok()?;
            self.items().count().checked_sub(back)?
        };
        items.nth(position)
    }

    /// The items of an array; none of anything else.
    #[must_use]
    pub fn items(self) -> Items<'a> {
        Items {
            rest: match self.kind() {
                JsonKind::Array => self.0.get(1..).unwrap_or_default(),
                _ => "",
            },
        }
    }

    /// Names and values of an object, in canonical order; none of anything else.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members {
            rest: match self.kind() {
                JsonKind::Object => self.0.get(1..).unwrap_or_default(),
                _ => "",
            },
        }
    }
}

/// Items of an array.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    /// From an item or the closing bracket on.
    rest: &'a str,
}

/// Names and values of an object.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    /// From a name or the closing brace on.
    rest: &'a str,
}

impl<'a> Iterator for Items<'a> {
    type Item = JsonRef<'a>;

    fn next(&mut self) -> Option<JsonRef<'a>> {
        if self.rest.starts_with(']') {
            return None;
        }
        take_value(&mut self.rest)
    }
}

impl<'a> Members<'a> {
    /// The name as it stands between its quotes, and the value.
    fn next_escaped(&mut self) -> Option<(&'a str, JsonRef<'a>)> {
        if !self.rest.starts_with('"') {
            return None;
        }
        let end = string::end(self.rest.as_bytes());
        let name = self.rest.get(1..end - 1)?;
        // Behind the colon.
        self.rest = self.rest.get(end + 1..)?;
        Some((name, take_value(&mut self.rest)?))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, JsonRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.next_escaped()?;
        Some((unescaped(name), value))
    }
}

fn unescaped(inside: &str) -> Cow<'_, str> {
    if inside.contains('\\') {
        Cow::Owned(string::Chars { rest: inside }.flatten().collect())
    } else {
        Cow::Borrowed(inside)
    }
}

/// Takes a value and the comma behind it off the front.
fn take_value<'a>(rest: &mut &'a str) -> Option<JsonRef<'a>> {
    let bytes = rest.as_bytes();
    let mut at = 0;
    let mut depth = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += string::end(&bytes[at..]);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' | b',' if depth == 0 => break,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    let value = rest.get(..at).filter(|value| !value.is_empty())?;
    let behind = at + usize::from(bytes.get(at) == Some(&b','));
    *rest = rest.get(behind..).unwrap_or_default();
    Some(JsonRef(value))
}
