//! Whether something was durable that cannot be read any more.

use syncline_protocol::Lsn;

use crate::log::group::{GROUP_ALIGN, GroupHeader};
use crate::log::record;

/// What to look for behind the place where a log ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) salt: u64,
    /// The Lsn that is expected at that place.
    pub(super) expected: Lsn,
}

impl Evidence {
    /// Whether the bytes hold the header of a group that names the expected Lsn durable, or a whole
    /// group that opens an epoch: its segment was durable before it got its name.
    pub(super) fn is_in(self, bytes: &[u8]) -> bool {
        (0..bytes.len()).step_by(GROUP_ALIGN).any(|at| {
            GroupHeader::decode(&bytes[at..], self.salt).is_some_and(|header| {
                header.durable >= self.expected
                    || header
                        .records(&bytes[at..])
                        .is_some_and(record::starts_with_open)
            })
        })
    }
}

/// Bytes up to the last that is not zero.
pub(super) fn written_len(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last as u64 + 1)
}
