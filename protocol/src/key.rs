//! Memcomparable keys: byte strings whose order is the order of the values.
//!
//! Integers are big-endian with the sign bit flipped; floats have their bits flipped so that they
//! sort as numbers with NaN last; strings and bytes escape 0x00 as 0x00 0xff and end with 0x00 0x00;
//! a decimal is its [memcomparable form](crate::Decimal::to_memcomparable); an option is 0x00 for nothing (so NULL sorts first) or 0x01 and the value; a list is 0x01 before
//! each element and 0x00 at its end; structs and keys of several columns are concatenations. JSON is written like
//! a string: that tells values apart, as `DISTINCT` asks, and is no order that means anything, so no schema has it in
//! a key.

use crate::decimal::Decimal;
use crate::error::CodecError;
use crate::packed::Reader;
use crate::types::Type;

#[cfg(test)]
pub(crate) mod tests;

/// Appends the memcomparable form of the packed value at the front of `reader` to `out`, a `Vec<u8>`
/// or another growing buffer. The value was validated before: UTF-8 is not checked again.
pub fn encode<B: Extend<u8>>(
    ty: &Type,
    reader: &mut Reader<'_>,
    out: &mut B,
) -> Result<(), CodecError> {
    match ty {
        Type::Bool => match reader.array::<1>()? {
            tag @ [0 | 1] => out.extend(tag),
            _ => return Err(CodecError::BadTag),
        },
        Type::U8 => out.extend(reader.array::<1>()?),
        Type::U16 => out.extend(u16::from_le_bytes(reader.array()?).to_be_bytes()),
        Type::U32 => out.extend(u32::from_le_bytes(reader.array()?).to_be_bytes()),
        Type::U64 => out.extend(u64::from_le_bytes(reader.array()?).to_be_bytes()),
        Type::U128 => out.extend(u128::from_le_bytes(reader.array()?).to_be_bytes()),
        Type::I8 => out.extend([reader.array::<1>()?[0] ^ 0x80]),
        Type::I16 => put_signed(reader.array::<2>()?, out),
        Type::I32 => put_signed(reader.array::<4>()?, out),
        Type::I64 | Type::Timestamp | Type::Duration => put_signed(reader.array::<8>()?, out),
        Type::I128 => put_signed(reader.array::<16>()?, out),
        Type::F32 => {
            let bits = u32::from_le_bytes(reader.array()?);
            let sorted = if bits >> 31 == 1 {
                !bits
            } else {
                bits | 1 << 31
            };
            out.extend(sorted.to_be_bytes());
        }
        Type::F64 => {
            let bits = u64::from_le_bytes(reader.array()?);
            let sorted = if bits >> 63 == 1 {
                !bits
            } else {
                bits | 1 << 63
            };
            out.extend(sorted.to_be_bytes());
        }
        Type::Decimal => out.extend(Decimal::from_packed(reader.array()?)?.to_memcomparable()),
        Type::String | Type::Bytes | Type::Json => put_escaped(reader.sized()?, out),
        Type::Identity => out.extend(reader.array::<32>()?),
        Type::ConnectionId | Type::Uuid => out.extend(reader.array::<16>()?),
        Type::Option(inner) => match reader.array::<1>()? {
            [1] => out.extend([0]),
            [0] => {
                out.extend([1]);
                encode(inner, reader, out)?;
            }
            _ => return Err(CodecError::BadTag),
        },
        Type::List(inner) => {
            for _ in 0..reader.count()? {
                out.extend([1]);
                encode(inner, reader, out)?;
            }
            out.extend([0]);
        }
        Type::Struct(inner) => {
            for field in &inner.fields {
                encode(&field.ty, reader, out)?;
            }
        }
        Type::Enum(inner) => {
            let [tag] = reader.array()?;
            let variant = inner
                .variants
                .get(usize::from(tag))
                .ok_or(CodecError::BadTag)?;
            out.extend([tag]);
            if let Some(payload) = &variant.payload {
                encode(payload, reader, out)?;
            }
        }
    }
    Ok(())
}

fn put_signed<const N: usize>(mut le: [u8; N], out: &mut impl Extend<u8>) {
    le[N - 1] ^= 0x80;
    le.reverse();
    out.extend(le);
}

fn put_escaped(bytes: &[u8], out: &mut impl Extend<u8>) {
    for (position, run) in bytes.split(|&byte| byte == 0).enumerate() {
        if position > 0 {
            out.extend([0, 0xff]);
        }
        out.extend(run.iter().copied());
    }
    out.extend([0, 0]);
}

/// The smallest key that is greater than every key that starts with `prefix`; `None` if there is
/// no such key (all bytes are 0xff).
#[must_use]
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
