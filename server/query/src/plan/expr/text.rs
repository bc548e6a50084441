//! Text: LIKE, letters, and numbers written out. Text is UTF-8 bytes; a character is a code point.

use std::borrow::Cow;
use std::ops::Range;

use syncline_protocol::limits::ROW_BYTES_MAX;

use crate::scalar::Scalar;

/// Whether bytes begin a character (the others of it continue it).
fn begins_char(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

pub(super) fn char_count(text: &[u8]) -> usize {
    text.iter().filter(|byte| begins_char(**byte)).count()
}

/// Where the character of this place (from 0) begins; the end if there are fewer.
fn char_start(text: &[u8], place: i128) -> usize {
    let Ok(place) = usize::try_from(place) else {
        return if place < 0 { 0 } else { text.len() };
    };
    let mut starts = (0..text.len()).filter(|at| begins_char(text[*at]));
    starts.nth(place).unwrap_or(text.len())
}

/// A part of a text, copied only if the text itself is.
fn part(text: Cow<'_, [u8]>, range: Range<usize>) -> Scalar<'_> {
    Scalar::Bytes(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(mut text) => {
            text.truncate(range.end);
            text.drain(..range.start);
            Cow::Owned(text)
        }
    })
}

/// `count` characters from the place `start`, counted from 1: those of them that there are.
pub(super) fn substring(text: Cow<'_, [u8]>, start: i128, count: i128) -> Scalar<'_> {
    let end = start.saturating_add(count).max(1);
    let from = char_start(&text, start.max(1) - 1);
    let to = char_start(&text, end - 1).max(from);
    part(text, from..to)
}

/// The first characters, or all but the last ones.
pub(super) fn left(text: Cow<'_, [u8]>, count: i128) -> Scalar<'_> {
    let count = if count < 0 {
        (char_count(&text) as i128).saturating_add(count)
    } else {
        count
    };
    let end = char_start(&text, count);
    part(text, 0..end)
}

/// The last characters, or all but the first ones.
pub(super) fn right(text: Cow<'_, [u8]>, count: i128) -> Scalar<'_> {
    let skipped = if count < 0 {
        count.saturating_neg()
    } else {
        (char_count(&text) as i128).saturating_sub(count)
    };
    let range = char_start(&text, skipped)..text.len();
    part(text, range)
}

/// Without the characters of a set at its ends.
pub(super) fn trim<'a>(text: Cow<'a, [u8]>, set: &[u8], start: bool, end: bool) -> Scalar<'a> {
    let (Ok(whole), Ok(set)) = (std::str::from_utf8(&text), std::str::from_utf8(set)) else {
        return Scalar::Null;
    };
    let is_cut = |char: char| set.contains(char);
    let kept = if start {
        whole.trim_start_matches(is_cut)
    } else {
        whole
    };
    let from = whole.len() - kept.len();
    let kept = if end {
        kept.trim_end_matches(is_cut)
    } else {
        kept
    };
    let range = from..from + kept.len();
    part(text, range)
}

/// The character, from 1, at which a text begins to stand in another; 0 if it does not.
pub(super) fn position(text: &[u8], wanted: &[u8]) -> usize {
    if wanted.is_empty() {
        return 1;
    }
    let found = text.windows(wanted.len()).position(|part| part == wanted);
    found.map_or(0, |at| char_count(&text[..at]) + 1)
}

/// Both texts, one behind the other, if a row can hold that.
pub(super) fn concat<'a>(left: Cow<'a, [u8]>, right: &[u8]) -> Option<Scalar<'a>> {
    if left.len() + right.len() > ROW_BYTES_MAX {
        return None;
    }
    let mut joined = left.into_owned();
    joined.extend_from_slice(right);
    Some(Scalar::Bytes(Cow::Owned(joined)))
}

/// All texts, one behind the other, if a row can hold that; NULL is none.
pub(super) fn concat_all<'a>(texts: impl Iterator<Item = Scalar<'a>>) -> Option<Scalar<'a>> {
    let mut joined = Cow::Borrowed(&[][..]);
    for text in texts {
        match text {
            Scalar::Bytes(text) if joined.is_empty() => joined = text,
            Scalar::Bytes(text) => match concat(joined, &text)? {
                Scalar::Bytes(longer) => joined = longer,
                _ => return None,
            },
            _ => {}
        }
    }
    Some(Scalar::Bytes(joined))
}

/// With `to` in each place of `from`, if a row can hold that.
pub(super) fn replace<'a>(text: &[u8], from: &[u8], to: &[u8]) -> Option<Scalar<'a>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if !from.is_empty() && text[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
        if out.len() > ROW_BYTES_MAX {
            return None;
        }
    }
    Some(Scalar::Bytes(Cow::Owned(out)))
}

pub(super) fn reverse<'a>(text: &[u8]) -> Scalar<'a> {
    match std::str::from_utf8(text) {
        Ok(text) => Scalar::Bytes(Cow::Owned(
            text.chars().rev().collect::<String>().into_bytes(),
        )),
        Err(_) => Scalar::Null,
    }
}

pub(super) fn change_case<'a>(text: &[u8], change: fn(&str) -> String) -> Scalar<'a> {
    match std::str::from_utf8(text) {
        Ok(text) => Scalar::Bytes(Cow::Owned(change(text).into_bytes())),
        Err(_) => Scalar::Null,
    }
}

pub(super) fn to_text<'a>(value: &Scalar<'_>) -> Option<Scalar<'a>> {
    let text = match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Huge(value) => value.to_string(),
        Scalar::Float(value) if value.is_infinite() => if *value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Decimal(value) => value.to_string(),
        Scalar::Bytes(_) | Scalar::Null => return None,
    };
    Some(Scalar::Bytes(Cow::Owned(text.into_bytes())))
}

/// One step of a pattern.
enum Step {
    /// `%`
    AnyText,
    /// `_`
    AnyChar,
    /// A byte, itself.
    Byte(u8),
}

/// The step at the front of a pattern and its length.
fn step(pattern: &[u8], escape: Option<u8>) -> Option<(Step, usize)> {
    let (&first, rest) = pattern.split_first()?;
    Some(match (first, rest.first()) {
        (byte, Some(&next)) if Some(byte) == escape => (Step::Byte(next), 2),
        (b'%', _) => (Step::AnyText, 1),
        (b'_', _) => (Step::AnyChar, 1),
        (byte, _) => (Step::Byte(byte), 1),
    })
}

/// Length of the character at the front.
fn char_len(text: &[u8]) -> usize {
    1 + text[1..]
        .iter()
        .take_while(|byte| !begins_char(**byte))
        .count()
}

/// `text LIKE pattern`: `%` is any text, `_` any character. Case matters.
pub(super) fn is_like(text: &[u8], pattern: &[u8], escape: Option<u8>) -> bool {
    let (mut at, mut step_at) = (0, 0);
    // Where to go on if what follows the last `%` does not fit: after it, one character later.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let fits = match step(&pattern[step_at..], escape) {
            Some((Step::AnyText, len)) => {
                step_at += len;
                retry = Some((at, step_at));
                continue;
            }
            Some((Step::AnyChar, len)) if at < text.len() => {
                at += char_len(&text[at..]);
                step_at += len;
                true
            }
            Some((Step::Byte(byte), len)) if text.get(at) == Some(&byte) => {
                at += 1;
                step_at += len;
                true
            }
            None if at == text.len() => return true,
            _ => false,
        };
        if !fits {
            match retry {
                Some((text_at, pattern_at)) if text_at < text.len() => {
                    at = text_at + char_len(&text[text_at..]);
                    step_at = pattern_at;
                    retry = Some((at, pattern_at));
                }
                _ => return false,
            }
        }
    }
}

/// The text that everything that is LIKE the pattern begins with.
pub(crate) fn like_prefix(pattern: &[u8], escape: Option<u8>) -> Vec<u8> {
    let mut prefix = Vec::new();
    let mut rest = pattern;
    while let Some((Step::Byte(byte), len)) = step(rest, escape) {
        prefix.push(byte);
        rest = &rest[len..];
    }
    prefix
}
