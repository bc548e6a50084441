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

/// At most `max` bytes of text, cut between characters; what is not UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8], max: usize) -> String {
    let is_cut = bytes.len() > max;
    let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(max)]).into_owned();
    if is_cut {
        // A character cut in half became a replacement character, which may be longer than its half.
        while text.ends_with(char::REPLACEMENT_CHARACTER) || text.len() > max {
            text.pop();
        }
        text.push('…');
    }
    text
}
