//! Unsigned numbers of any size, short when small: seven bits a byte, least significant first, the top
//! bit says that another byte follows.

use syncline_protocol::CodecError;
use syncline_protocol::packed::Reader;

/// Appends a number.
pub(crate) fn put(mut number: u128, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front.
pub(crate) fn take(reader: &mut Reader<'_>) -> Result<u128, CodecError> {
    let mut number = 0;
    for shift in (0..128).step_by(7) {
        let [byte] = reader.array()?;
        let bits = u128::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(CodecError::TooLong);
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(CodecError::TooLong)
}

/// Takes a number of at most 64 bits off the front.
pub(crate) fn take_u64(reader: &mut Reader<'_>) -> Result<u64, CodecError> {
    u64::try_from(take(reader)?).map_err(|_| CodecError::TooLong)
}

/// Takes a number of at most 32 bits off the front.
pub(crate) fn take_u32(reader: &mut Reader<'_>) -> Result<u32, CodecError> {
    u32::try_from(take(reader)?).map_err(|_| CodecError::TooLong)
}

/// Appends a length and bytes.
pub(crate) fn put_sized(bytes: &[u8], out: &mut Vec<u8>) {
    put(bytes.len() as u128, out);
    out.extend_from_slice(bytes);
}

/// Takes a length and as many bytes off the front.
pub(crate) fn take_sized<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], CodecError> {
    let len = take_u32(reader)? as usize;
    reader.take(len)
}
