//! Decimals in serde: text, so that no digit is lost; whole numbers are read too.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Decimal;

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                let bad = |_| E::invalid_value(de::Unexpected::Str(text), &self);
                text.parse().map_err(bad)
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Decimal, E> {
                let bad = |_| E::invalid_value(de::Unexpected::Signed(value), &self);
                Decimal::try_from(i128::from(value)).map_err(bad)
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
                let bad = |_| E::invalid_value(de::Unexpected::Unsigned(value), &self);
                Decimal::try_from(i128::from(value)).map_err(bad)
            }
        }
        d.deserialize_any(Text)
    }
}
