//! Text: parts, letters, and numbers written out. Text is UTF-8 bytes; a character is a code point. Whatever is
//! sought is found in linear time: both texts may be as long as a row.

use std::borrow::Cow;
use std::ops::Range;

use syncline_protocol::limits::ROW_BYTES_MAX;

use crate::scalar::Scalar;

/// Whether bytes begin a character (the others of it continue it).
pub(super) fn begins_char(byte: u8) -> bool {
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

/// Sets of characters with more bytes are sorted before a character is looked for in them.
const LONG_SET: usize = 32;

/// Without the characters of a set at its ends.
pub(super) fn trim<'a>(text: Cow<'a, [u8]>, set: &[u8], start: bool, end: bool) -> Scalar<'a> {
    let (Ok(whole), Ok(set)) = (std::str::from_utf8(&text), std::str::from_utf8(set)) else {
        return Scalar::Null;
    };
    let many = (set.len() > LONG_SET).then(|| {
        let mut many: Vec<char> = set.chars().collect();
        many.sort_unstable();
        many
    });
    let is_cut = |char: char| match &many {
        Some(many) => many.binary_search(&char).is_ok(),
        None => set.contains(char),
    };
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

/// Where a text stands in another first.
pub(super) fn find(text: &str, wanted: &str) -> Option<usize> {
    // To prepare what is linear takes longer than this.
    const SMALL: usize = 512;
    if !wanted.is_empty() && text.len().saturating_mul(wanted.len()) <= SMALL {
        let mut parts = text.as_bytes().windows(wanted.len());
        return parts.position(|part| part == wanted.as_bytes());
    }
    text.find(wanted)
}

/// The character, from 1, at which a text begins to stand in another; 0 if it does not.
pub(super) fn position(text: &[u8], wanted: &[u8]) -> usize {
    let (Ok(whole), Ok(wanted)) = (std::str::from_utf8(text), std::str::from_utf8(wanted)) else {
        return 0;
    };
    find(whole, wanted).map_or(0, |at| char_count(&text[..at]) + 1)
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
    let mut rest = 0;
    if let (Ok(text), Ok(from)) = (std::str::from_utf8(text), std::str::from_utf8(from))
        && !from.is_empty()
    {
        for (at, found) in text.match_indices(from) {
            out.extend_from_slice(&text.as_bytes()[rest..at]);
            out.extend_from_slice(to);
            rest = at + found.len();
            if out.len() > ROW_BYTES_MAX {
                return None;
            }
        }
    }
    out.extend_from_slice(&text[rest..]);
    (out.len() <= ROW_BYTES_MAX).then_some(Scalar::Bytes(Cow::Owned(out)))
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
