//! Bounds-checked access to a module's linear memory. Whatever pointer a guest hands over, the worst
//! that happens is a trap that names it.

use crate::error::CallError;

/// The bytes at `ptr`.
pub(crate) fn read<'m>(
    memory: &'m [u8],
    (ptr, len): (u32, u32),
    what: &'static str,
) -> Result<&'m [u8], CallError> {
    let start = ptr as usize;
    let end = start.checked_add(len as usize);
    end.and_then(|end| memory.get(start..end))
        .ok_or_else(|| outside(what, ptr, len as usize))
}

/// Room for `len` bytes at `ptr`.
pub(crate) fn slice_mut<'m>(
    memory: &'m mut [u8],
    ptr: u32,
    len: usize,
    what: &'static str,
) -> Result<&'m mut [u8], CallError> {
    let start = ptr as usize;
    let end = start.checked_add(len);
    end.and_then(|end| memory.get_mut(start..end))
        .ok_or_else(|| outside(what, ptr, len))
}

#[cold]
fn outside(what: &'static str, ptr: u32, len: usize) -> CallError {
    CallError::trap(format!(
        "{what}: {len} bytes at {ptr} are outside of the module's memory"
    ))
}

/// Splits `ptr << 32 | len`.
pub(crate) fn unpack(ptr_and_len: u64) -> (u32, u32) {
    ((ptr_and_len >> 32) as u32, ptr_and_len as u32)
}

/// At most `max` bytes of text, and an ellipsis if it was longer; what is not UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8], max: usize) -> String {
    let kept = &bytes[..bytes.len().min(max)];
    let mut text = String::from_utf8_lossy(kept).into_owned();
    if bytes.len() > max && text.ends_with(char::REPLACEMENT_CHARACTER) {
        // Most likely a character that was cut in half.
        text.pop();
    }
    if bytes.len() > max || text.len() > max {
        text.truncate(text.floor_char_boundary(max));
        text.push('…');
    }
    text
}
