//! Universally unique identifiers.

use core::fmt;
use core::str::FromStr;

use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, Type};

use crate::packed::Packed;

#[cfg(test)]
mod tests;

/// A UUID, 16 bytes in the order of its text form. A new one: [`crate::Random::uuid`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

/// The text is not a UUID: 32 hex digits, in groups of 8, 4, 4, 4 and 12 with hyphens between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAUuid;

/// Where the text form has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = NotAUuid;

    fn from_str(text: &str) -> Result<Self, NotAUuid> {
        let text = text.as_bytes();
        if text.len() != 36 || HYPHENS.iter().any(|&position| text[position] != b'-') {
            return Err(NotAUuid);
        }
        let mut digits = text.iter().filter(|&&byte| byte != b'-');
        let mut digit = || {
            let byte = digits.next().ok_or(NotAUuid)?;
            (*byte as char).to_digit(16).ok_or(NotAUuid)
        };
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            *byte = (digit()? * 16 + digit()?) as u8;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for NotAUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a UUID")
    }
}

impl core::error::Error for NotAUuid {}

impl Packed for Uuid {
    fn ty() -> Type {
        Type::Uuid
    }

    #[inline]
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    #[inline]
    fn take(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self(reader.array()?))
    }
}
