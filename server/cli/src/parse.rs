//! Values of the command line.

use std::time::Duration;

use serde_json::Value;

/// A value as JSON; what is no JSON is a text, and so are integers over 64 bits, which JSON would round.
pub(crate) fn value(text: &str) -> Value {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match serde_json::from_str(text) {
        Ok(Value::Number(number)) if is_integer && number.is_f64() => {
            Value::String(text.to_owned())
        }
        Ok(value) => value,
        Err(_) => Value::String(text.to_owned()),
    }
}

/// `name=value`; a colon before the name, as in the query, may stand.
pub(crate) fn param(text: &str) -> Result<(String, Value), String> {
    let (name, text) = text.split_once('=').ok_or("a parameter is NAME=VALUE")?;
    let name = name.strip_prefix(':').unwrap_or(name);
    if name.is_empty() {
        return Err("a parameter is NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value(text)))
}

/// A number and its unit, `s`, `m`, `h` or `d`; seconds if there is none.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        unit => return Err(format!("{unit:?} is no unit of time; s, m, h and d are")),
    };
    let count: u64 = digits
        .parse()
        .map_err(|_| "a duration is 90s, 15m, 12h or 30d".to_owned())?;
    let seconds = count.checked_mul(unit).filter(|&seconds| seconds > 0);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "out of range".to_owned())
}

#[cfg(test)]
mod tests;
