//! Ways into JSON. A part that is not there is NULL, and no failure.

use std::borrow::Cow;

use syncline_protocol::json_text::{JsonKind, JsonRef};

use crate::scalar::Scalar;

/// What is done with a JSON value.
#[derive(Clone, Copy)]
pub(super) enum Look<'k> {
    Member(&'k str),
    Item(i64),
    Text,
}

fn look<'j>(json: &'j [u8], look: Look<'_>) -> Option<Cow<'j, str>> {
    let json = JsonRef::trusted(std::str::from_utf8(json).ok()?);
    let part = match look {
        Look::Member(name) => json.get(name),
        Look::Item(place) => json.at(place),
        Look::Text => return json.to_text(),
    };
    part.map(|part| Cow::Borrowed(part.text()))
}

/// A part of the value, or its text; copied only if the value itself is.
pub(super) fn look_into<'a>(json: Cow<'a, [u8]>, wanted: Look<'_>) -> Scalar<'a> {
    let found = match json {
        Cow::Borrowed(json) => look(json, wanted).map(|found| match found {
            Cow::Borrowed(part) => Cow::Borrowed(part.as_bytes()),
            Cow::Owned(part) => Cow::Owned(part.into_bytes()),
        }),
        Cow::Owned(json) => {
            look(&json, wanted).map(|part| Cow::Owned(part.into_owned().into_bytes()))
        }
    };
    found.map_or(Scalar::Null, Scalar::Bytes)
}

/// The name of what a value is.
pub(super) fn type_name(json: &[u8]) -> Option<&'static str> {
    let json = JsonRef::trusted(std::str::from_utf8(json).ok()?);
    Some(match json.kind() {
        JsonKind::Null => "null",
        JsonKind::Bool => "boolean",
        JsonKind::Number => "number",
        JsonKind::Text => "string",
        JsonKind::Array => "array",
        JsonKind::Object => "object",
    })
}

/// How many items an array has; of nothing else.
pub(super) fn length(json: &[u8]) -> Option<i128> {
    let json = JsonRef::trusted(std::str::from_utf8(json).ok()?);
    let is_array = json.kind() == JsonKind::Array;
    is_array.then(|| json.items().count() as i128)
}
