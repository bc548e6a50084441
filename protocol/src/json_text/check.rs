//! Whether text is canonical, in one pass and without an allocation.

use core::cmp::Ordering;

use super::{number, string};
use crate::error::CodecError;
use crate::limits::{JSON_BYTES_MAX, JSON_DEPTH_MAX};

/// Checks that bytes are the canonical text of a JSON value, within the limits.
pub fn check(text: &[u8]) -> Result<(), CodecError> {
    if text.len() > JSON_BYTES_MAX {
        return Err(CodecError::TooLong);
    }
    let text = core::str::from_utf8(text).map_err(|_| CodecError::NotUtf8)?;
    let mut checker = Checker { text, at: 0 };
    checker.value(0)?;
    if checker.at == text.len() {
        Ok(())
    } else {
        Err(CodecError::NotCanonical)
    }
}

struct Checker<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Checker<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.rest().first() == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8) -> Result<(), CodecError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(CodecError::NotCanonical)
        }
    }

    /// `depth` is the count of arrays and objects around the value.
    fn value(&mut self, depth: usize) -> Result<(), CodecError> {
        let rest = self.rest();
        let len = match rest.first() {
            Some(b'{') => return self.object(depth + 1),
            Some(b'[') => return self.array(depth + 1),
            Some(b'"') => string::check(rest),
            Some(b'-' | b'0'..=b'9') => number(rest),
            _ => ["null", "true", "false"]
                .iter()
                .find(|word| rest.starts_with(word.as_bytes()))
                .map(|word| word.len()),
        };
        self.at += len.ok_or(CodecError::NotCanonical)?;
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), CodecError> {
        self.open(depth)?;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if !self.eat(b',') {
                return self.expect(b']');
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), CodecError> {
        self.open(depth)?;
        if self.eat(b'}') {
            return Ok(());
        }
        let mut last: Option<&str> = None;
        loop {
            let len = string::check(self.rest()).ok_or(CodecError::NotCanonical)?;
            // Quotes are ASCII, so these are boundaries of characters.
            let name = &self.text[self.at + 1..self.at + len - 1];
            if last.is_some_and(|last| string::compare_escaped(last, name) != Ordering::Less) {
                return Err(CodecError::NotCanonical);
            }
            last = Some(name);
            self.at += len;
            self.expect(b':')?;
            self.value(depth)?;
            if !self.eat(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Steps over the bracket of the array or object that is the `depth`th around what is in it.
    fn open(&mut self, depth: usize) -> Result<(), CodecError> {
        self.at += 1;
        if depth > JSON_DEPTH_MAX {
            return Err(CodecError::TooDeep);
        }
        Ok(())
    }
}

/// Length of the canonical number that the text begins with.
fn number(rest: &[u8]) -> Option<usize> {
    let len = number::scan(rest)?;
    let text = &rest[..len];
    if number::is_small_integer(text) {
        return Some(len);
    }
    let number = number::parse(core::str::from_utf8(text).ok()?)?;
    (number::Written::of(number).as_str().as_bytes() == text).then_some(len)
}
