//! Compares what came with what a script expects.

use serde_json::Value as Json;

/// Stands for anything.
const ANYTHING: &str = "...";

/// Whether a value is as expected. Numbers compare by value, so 1 and 1.0 are the same.
pub(crate) fn matches(expected: &Json, found: &Json) -> bool {
    match (expected, found) {
        (Json::String(text), _) if text == ANYTHING => true,
        (Json::Number(expected), Json::Number(found)) => {
            expected == found || expected.as_f64() == found.as_f64()
        }
        (Json::Array(expected), Json::Array(found)) => {
            expected.len() == found.len()
                && expected
                    .iter()
                    .zip(found)
                    .all(|(expected, found)| matches(expected, found))
        }
        (Json::Object(expected), Json::Object(found)) => {
            expected.len() == found.len()
                && expected.iter().all(|(name, expected)| {
                    found
                        .get(name)
                        .is_some_and(|found| matches(expected, found))
                })
        }
        _ => expected == found,
    }
}

/// Whether the lists match, one for one, in order or in any.
pub(crate) fn all_match(expected: &[Json], found: &[Json], in_order: bool) -> bool {
    if expected.len() != found.len() {
        return false;
    }
    if in_order {
        return expected
            .iter()
            .zip(found)
            .all(|(expected, found)| matches(expected, found));
    }
    let mut left: Vec<_> = found.iter().collect();
    expected.iter().all(|expected| {
        let at = left.iter().position(|found| matches(expected, found));
        at.map(|at| left.swap_remove(at)).is_some()
    })
}

/// Puts the value of each `$name` in strings in its place.
pub(crate) fn substitute(json: &Json, names: &dyn Fn(&str) -> Option<String>) -> Json {
    match json {
        Json::String(text) => match text.strip_prefix('$').and_then(names) {
            Some(value) => Json::String(value),
            None => json.clone(),
        },
        Json::Array(items) => items.iter().map(|item| substitute(item, names)).collect(),
        Json::Object(members) => Json::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), substitute(value, names)))
                .collect(),
        ),
        _ => json.clone(),
    }
}

/// A list as it would stand in a script.
pub(crate) fn listed(rows: &[Json]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| format!("\n      {row}")).collect();
    format!("[{}]", rows.join(","))
}
