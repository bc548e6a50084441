//! Contents of a file in memory: as written, as synced, and what lies between.

use std::io::{self, ErrorKind};

use super::random::Random;

/// Bytes that a disk writes as one: they do not tear.
const SECTOR_BYTES: usize = 512;

/// `live` is what a reader sees; `durable` with all of `pending` done to it is the same.
#[derive(Debug, Default)]
pub(super) struct Contents {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Debug)]
enum Pending {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Contents {
    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    /// The same bytes, all of them durable.
    pub(super) fn copy(&self) -> Self {
        Self {
            live: self.live.clone(),
            durable: self.live.clone(),
            pending: Vec::new(),
        }
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let pending = Pending::Write {
            offset,
            bytes: bytes.to_vec(),
        };
        pending.apply(&mut self.live);
        self.pending.push(pending);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.live.resize(len, 0);
        self.pending.push(Pending::SetLen(len));
    }

    pub(super) fn sync(&mut self) {
        for pending in self.pending.drain(..) {
            pending.apply(&mut self.durable);
        }
    }

    /// A sync failed: nothing is pending any more, and yet nothing has become durable.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
    }

    pub(super) fn flip(&mut self, offset: usize, mask: u8) -> io::Result<()> {
        self.sync();
        *self.live.get_mut(offset).ok_or(ErrorKind::UnexpectedEof)? ^= mask;
        self.durable.clone_from(&self.live);
        Ok(())
    }

    /// What a power cut leaves: per sector the durable version or one written since, and one of the
    /// lengths since.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let taken = random.next_of(4);
        let mut choose = |count: usize| match taken {
            0 => 0,
            1 => count,
            _ => random.next_of(count as u64 + 1) as usize,
        };
        let survive = choose(self.pending.len());
        let mut len = self.len_after(survive);
        if let Some(Pending::Write { offset, bytes }) = self.pending.get(survive) {
            // A file grows by sectors as well.
            let sectors = (offset + bytes.len()).saturating_sub(len) / SECTOR_BYTES;
            len += choose(sectors) * SECTOR_BYTES;
        }
        let mut left = self.durable.clone();
        left.resize(self.live.len().max(len).max(left.len()), 0);
        for start in (0..left.len()).step_by(SECTOR_BYTES) {
            let end = left.len().min(start + SECTOR_BYTES);
            let writes = self.pending.iter().filter_map(|pending| match pending {
                Pending::Write { offset, bytes } => {
                    let from = start.max(*offset);
                    let to = end.min(offset + bytes.len());
                    (from < to).then(|| (from..to, &bytes[from - offset..to - offset]))
                }
                Pending::SetLen(_) => None,
            });
            let survive = choose(writes.clone().count());
            for (range, bytes) in writes.take(survive) {
                left[range].copy_from_slice(bytes);
            }
        }
        left.resize(len, 0);
        self.live.clone_from(&left);
        self.durable = left;
        self.pending.clear();
    }

    fn len_after(&self, count: usize) -> usize {
        let lens = self.pending.iter().take(count);
        lens.fold(self.durable.len(), |len, pending| match pending {
            Pending::Write { offset, bytes } => len.max(offset + bytes.len()),
            Pending::SetLen(len) => *len,
        })
    }
}

impl Pending {
    fn apply(&self, contents: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if contents.len() < end {
                    contents.resize(end, 0);
                }
                contents[*offset..end].copy_from_slice(bytes);
            }
            Self::SetLen(len) => contents.resize(*len, 0),
        }
    }
}
