//! Text: LIKE, letters, and numbers written out. Text is UTF-8 bytes; a character is a code point.

use std::borrow::Cow;

use crate::scalar::Scalar;

/// Whether bytes begin a character (the others of it continue it).
fn begins_char(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

pub(super) fn char_count(text: &[u8]) -> i128 {
    text.iter().filter(|byte| begins_char(**byte)).count() as i128
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
