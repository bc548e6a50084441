//! LIKE: `%` is any text, `_` any character, case matters. In time linear in the text and the pattern.
//!
//! What stands between two `%` is found at the first place where it fits: a later one could not help what
//! follows. Without `_` it is a text, which is found in linear time. With `_` it is compared place by place, with
//! as many comparisons as [`WORK_MAX`] allows.

use std::borrow::Cow;

use super::text::{begins_char, find};
use crate::failures;

/// Comparisons for each byte of text and pattern. Parts with `_` that have more characters than this may not be
/// found, in texts that nearly fit in very many places; that is counted as a failure.
const WORK_MAX: usize = 64;

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

/// What stands between two `%`.
#[derive(Clone, Copy)]
struct Part<'p> {
    pattern: &'p [u8],
    escape: Option<u8>,
    char_count: usize,
    has_any_char: bool,
    has_escape: bool,
}

impl<'p> Part<'p> {
    /// The part at the front of a pattern, and what comes after its `%` if there is one.
    fn split(pattern: &'p [u8], escape: Option<u8>) -> (Self, Option<&'p [u8]>) {
        let mut part = Self {
            pattern,
            escape,
            char_count: 0,
            has_any_char: false,
            has_escape: false,
        };
        let mut at = 0;
        while let Some((step, len)) = step(&pattern[at..], escape) {
            match step {
                Step::AnyText => {
                    part.pattern = &pattern[..at];
                    return (part, Some(&pattern[at + len..]));
                }
                Step::AnyChar => part.has_any_char = true,
                Step::Byte(_) => part.has_escape |= len > 1,
            }
            part.char_count += match step {
                Step::Byte(byte) => usize::from(begins_char(byte)),
                _ => 1,
            };
            at += len;
        }
        (part, None)
    }

    /// Where it ends if it begins here.
    fn end(&self, text: &[u8], start: usize, work: &mut usize) -> Option<usize> {
        let (mut at, mut step_at) = (start, 0);
        while let Some((step, len)) = step(&self.pattern[step_at..], self.escape) {
            *work = work.checked_sub(1)?;
            at += match step {
                Step::Byte(byte) if text.get(at) == Some(&byte) => 1,
                Step::AnyChar if at < text.len() => char_len(&text[at..]),
                _ => return None,
            };
            step_at += len;
        }
        Some(at)
    }

    /// Where it ends if it begins at the first place behind `start` where it fits.
    fn find(&self, text: &str, start: usize, work: &mut usize) -> Option<usize> {
        if self.has_any_char {
            let mut starts = (start..=text.len()).filter(|at| text.is_char_boundary(*at));
            return starts.find_map(|at| self.end(text.as_bytes(), at, work));
        }
        let wanted = self.unescaped();
        let wanted = std::str::from_utf8(&wanted).ok()?;
        Some(start + find(text.get(start..)?, wanted)? + wanted.len())
    }

    /// What it says, if it has no `_`.
    fn unescaped(&self) -> Cow<'p, [u8]> {
        if !self.has_escape {
            return Cow::Borrowed(self.pattern);
        }
        let mut bytes = Vec::with_capacity(self.pattern.len());
        let mut rest = self.pattern;
        while let Some((Step::Byte(byte), len)) = step(rest, self.escape) {
            bytes.push(byte);
            rest = &rest[len..];
        }
        Cow::Owned(bytes)
    }

    /// Where it begins if a text ends with it.
    fn start_at_end(&self, text: &[u8]) -> Option<usize> {
        let Some(back) = self.char_count.checked_sub(1) else {
            return Some(text.len());
        };
        let mut starts = (0..text.len()).rev().filter(|at| begins_char(text[*at]));
        starts.nth(back)
    }
}

/// `text LIKE pattern`.
pub(super) fn is_like(text: &[u8], pattern: &[u8], escape: Option<u8>) -> bool {
    let mut work = WORK_MAX.saturating_mul(text.len() + pattern.len() + 1);
    let (head, mut rest) = Part::split(pattern, escape);
    let Some(mut at) = head.end(text, 0, &mut work) else {
        return false;
    };
    let mut whole = None;
    while let Some(pattern) = rest {
        let (part, more) = Part::split(pattern, escape);
        if more.is_none() {
            let start = part.start_at_end(text).filter(|start| *start >= at);
            // Compared at one place only: what the parts before it have left does not matter.
            let mut once = part.pattern.len();
            return start.is_some_and(|start| part.end(text, start, &mut once) == Some(text.len()));
        }
        let whole = *whole.get_or_insert_with(|| std::str::from_utf8(text).unwrap_or_default());
        let Some(end) = part.find(whole, at, &mut work) else {
            if work == 0 {
                failures::note();
            }
            return false;
        };
        (at, rest) = (end, more);
    }
    at == text.len()
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
