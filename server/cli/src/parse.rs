//! Values of the command line.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

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

/// A point in the history of a database, as the server takes it: `{"lsn"}` or `{"time"}`. Digits are an Lsn, a
/// number with a unit is so long ago, anything else a date with or without a time; without a zone it is UTC.
pub(crate) fn as_of(text: &str) -> Result<Value, String> {
    if let Ok(lsn) = text.parse::<u64>() {
        return Ok(json!({ "lsn": lsn }));
    }
    if let Ok(ago) = duration(text) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let then = now.ok().and_then(|now| now.checked_sub(ago));
        let then = then.ok_or("that long ago there was no time")?;
        return Ok(json!({ "time": then.as_micros() as i64 }));
    }
    let time = timestamp(text).ok_or(
        "it is an Lsn (42), a time (2026-11-25T12:00:00Z, 2026-11-25 12:00), or so long ago (15m)",
    )?;
    Ok(json!({ "time": time }))
}

/// Microseconds since the Unix epoch of RFC 3339, of which all but the date may be left out.
fn timestamp(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00"),
    };
    let mut parts = date.splitn(3, '-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_max = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1970..=9999).contains(&year) || !(1..=days_max).contains(&day) {
        return None;
    }
    let (time, offset) = zone(time)?;
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let seconds = parts.next().unwrap_or("0");
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let (second, digits) = (number(second)?, fraction.len());
    if hour > 23 || minute > 59 || second > 59 || !(1..=6).contains(&digits) {
        return None;
    }
    let micros = number(fraction)? * 10_i64.pow(6 - digits as u32);
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset;
    Some((minutes * 60 + second) * 1_000_000 + micros)
}

/// A time of day without its zone, and minutes that the zone is ahead of UTC.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else {
        return Some((time, 0));
    };
    let (hours, minutes) = time[at + 1..].split_once(':')?;
    let offset = number(hours)? * 60 + number(minutes)?;
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    Some((&time[..at], sign * offset))
}

fn number(digits: &str) -> Option<i64> {
    let is_plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_plain.then(|| digits.parse().ok())?
}

/// Days since the Unix epoch. The arithmetic is Howard Hinnant's `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests;
