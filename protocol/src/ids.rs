//! Identifiers. All are plain numbers or byte strings; none is ever reused.

use core::fmt;

/// Log sequence number: dense, one per committed transaction of a database. The first is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before the first transaction.
    pub const ZERO: Self = Self(0);

    /// The Lsn of the next transaction.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the opens of a database. A position (epoch, lsn) of an older epoch is valid only up to
/// the Lsn at which the next epoch started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Epoch(pub u64);

/// A table of a database. Assigned at the publish that first names the table, never reused.
/// Ids below [`TableId::FIRST_USER`] belong to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct TableId(pub u32);

impl TableId {
    /// The logged system table of open connections.
    pub const CONNECTIONS: Self = Self(1);
    /// The first id that a module's table can have.
    pub const FIRST_USER: Self = Self(16);
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Lower-case hex, twice [`Self::LEN`] characters.
            #[must_use]
            pub fn to_hex(&self) -> String {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let mut text = String::with_capacity($len * 2);
                for byte in self.0 {
                    text.push(DIGITS[usize::from(byte >> 4)] as char);
                    text.push(DIGITS[usize::from(byte & 15)] as char);
                }
                text
            }

            /// Reads what [`Self::to_hex`] wrote (upper case too); `None` for anything else.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let text = text.as_bytes();
                if text.len() != $len * 2 {
                    return None;
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                    let high = (pair[0] as char).to_digit(16)?;
                    let low = (pair[1] as char).to_digit(16)?;
                    *byte = (high * 16 + low) as u8;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        #[cfg(feature = "wire")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() {
                    s.serialize_str(&self.to_hex())
                } else {
                    s.serialize_bytes(&self.0)
                }
            }
        }

        #[cfg(feature = "wire")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                if d.is_human_readable() {
                    let text = std::borrow::Cow::<str>::deserialize(d)?;
                    Self::from_hex(&text).ok_or_else(|| D::Error::custom("expected hex digits"))
                } else {
                    let bytes: serde_bytes::ByteBuf = serde::Deserialize::deserialize(d)?;
                    let bytes: &[u8] = &bytes;
                    bytes.try_into().map(Self).map_err(|_| D::Error::custom("wrong length"))
                }
            }
        }
    };
}

byte_id! {
    /// Who calls: SHA-256 of the issuer and the subject of the caller's token.
    Identity, 32
}

byte_id! {
    /// One connection. All zero: no connection (an HTTP call, the server itself).
    ConnectionId, 16
}
