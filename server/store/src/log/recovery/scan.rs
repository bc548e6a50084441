//! Reading groups in order.

use std::collections::VecDeque;

use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, Lsn};

use super::evidence::{Evidence, written_len};
use super::survey::Found;
use super::{Base, Recovered};
use crate::disk::Disk;
use crate::log::error::OpenError;
use crate::log::group::{Chain, GroupHeader, is_blank};
use crate::log::record::{self, LoggedRecord};
use crate::log::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// The state of reading: `recovered` is right for what was read so far.
pub(super) struct Scan<'s> {
    recovered: &'s mut Recovered,
    visit: &'s mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
    /// What need not be shown.
    base: Base,
    /// The segment that is read.
    bytes: Vec<u8>,
    salt: u64,
    /// Of the groups so far.
    chain: Chain,
    /// Whether groups of the segment hold it.
    has_chain: bool,
    /// Where its first group is that is not whole, or the end.
    end: usize,
    /// Of the groups in the tail: their last Lsns, bytes, and the chain after them.
    tail_groups: VecDeque<(Lsn, usize, Chain)>,
}

impl<'s> Scan<'s> {
    pub(super) fn new(
        recovered: &'s mut Recovered,
        base: Base,
        visit: &'s mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
    ) -> Self {
        Self {
            recovered,
            visit,
            base,
            bytes: Vec::new(),
            salt: 0,
            chain: Chain::default(),
            has_chain: false,
            end: 0,
            tail_groups: VecDeque::new(),
        }
    }

    /// Reads a segment up to `limit`, the first Lsn of the next one, or as far as it is whole.
    pub(super) fn segment(
        &mut self,
        disk: &dyn Disk,
        segment: &Found,
        header: &SegmentHeader,
        limit: Option<Lsn>,
    ) -> Result<(), OpenError> {
        self.read(disk, segment)?;
        if self.salt != header.salt {
            // The first that is read: there is nothing to compare its chain with.
            self.salt = header.salt;
            self.chain = header.chain;
            self.recovered.chain = header.chain;
        }
        self.has_chain = header.version > 1;
        self.prove(header.durable);
        self.end = SEGMENT_HEADER_BYTES.min(self.bytes.len());
        if header.first != self.expected() {
            let expected = self.expected();
            let detail = format!(
                "the segment starts with lsn {}, not with {expected}",
                header.first
            );
            return Err(self.damaged(segment, detail));
        }
        if self.has_chain && header.chain != self.chain {
            let detail = "the segment follows another history than that of the ones before";
            return Err(self.damaged(segment, detail.to_owned()));
        }
        // Out of `self`, so that records can be shown while they are borrowed.
        let bytes = std::mem::take(&mut self.bytes);
        let read = self.groups(segment, &bytes, limit);
        self.bytes = bytes;
        read?;
        if self.has_enough() {
            return Ok(());
        }
        if limit.is_some_and(|limit| limit != self.expected()) {
            let expected = self.expected();
            return Err(self.damaged(segment, format!("the records from lsn {expected} on")));
        }
        if (self.end as u64) < header.whole {
            return Err(self.damaged(segment, "a group that was written before".to_owned()));
        }
        if self.end < self.bytes.len() {
            self.recovered
                .cuts
                .push((segment.path.clone(), self.end as u64));
        }
        Ok(())
    }

    fn groups(
        &mut self,
        segment: &Found,
        bytes: &[u8],
        limit: Option<Lsn>,
    ) -> Result<(), OpenError> {
        while let Some(header) = GroupHeader::decode(&bytes[self.end..], self.salt) {
            let Some(records) = header.records(&bytes[self.end..]) else {
                return Ok(());
            };
            if header.count > 0 && !self.is_of_interest(Lsn(header.first.0.saturating_add(1))) {
                return Ok(());
            }
            let is_superseded = match limit {
                Some(limit) if header.count == 0 => header.first > limit,
                Some(limit) => header.first >= limit,
                None => false,
            };
            if is_superseded {
                return Ok(());
            }
            self.group(&header, records)
                .map_err(|detail| self.damaged(segment, detail))?;
            self.chain = self.chain.after(&bytes[self.end..], header.count);
            let next = (self.end + header.len()).min(bytes.len());
            if header.count > 0 && self.recovered.last > self.recovered.proven {
                self.recovered
                    .tail
                    .extend_from_slice(&bytes[self.end..next]);
                self.recovered
                    .tail
                    .resize(self.recovered.tail.len().next_multiple_of(8), 0);
                self.tail_groups
                    .push_back((self.recovered.last, header.len(), self.chain));
            } else if header.count > 0 {
                self.recovered.chain = self.chain;
            }
            self.end = next;
        }
        Ok(())
    }

    /// Takes in one whole group.
    fn group(&mut self, header: &GroupHeader, records: &[u8]) -> Result<(), String> {
        if header.first != self.expected() {
            return Err(format!(
                "a group from lsn {}, not {}",
                header.first,
                self.expected()
            ));
        }
        if self.has_chain && header.chain != self.chain {
            return Err("a group of another history than that of the groups before".to_owned());
        }
        self.prove(header.durable);
        let end = header.end().map_err(|error| error.to_string())?;
        if header.count > 0 && end <= self.base.lsn.next() {
            self.recovered.last = Lsn(end.0 - 1);
            return Ok(());
        }
        self.recovered.read_bytes += header.len() as u64;
        let mut reader = Reader::new(records);
        while !reader.rest().is_empty() {
            let record = record::take(&mut reader).map_err(|error| match error {
                CodecError::Unknown => {
                    "a record of a kind that this build does not know".to_owned()
                }
                error => format!("a record: {error}"),
            })?;
            self.record(record)?;
        }
        if self.expected() != end {
            return Err(format!(
                "a group of {} records up to lsn {end}",
                header.count
            ));
        }
        Ok(())
    }

    fn record(&mut self, record: LoggedRecord<'_>) -> Result<(), String> {
        let lsn = match &record {
            LoggedRecord::Transaction(transaction) => Some(transaction.lsn),
            LoggedRecord::Publish(publish) => Some(publish.lsn),
            LoggedRecord::Open(..) | LoggedRecord::Seal(_) => None,
        };
        if let Some(lsn) = lsn {
            if lsn != self.expected() {
                return Err(format!("a record with lsn {lsn}, not {}", self.expected()));
            }
            self.recovered.last = lsn;
            if lsn <= self.base.lsn {
                return Ok(());
            }
            self.recovered.record_count += 1;
        }
        if let LoggedRecord::Open(open, _) = &record
            && open.epoch <= self.base.epoch
        {
            return Ok(());
        }
        if let LoggedRecord::Seal(durable) = record {
            self.prove(durable);
        }
        (self.visit)(record)
    }

    /// Everything up to `durable` has been synced: it needs no second writing.
    fn prove(&mut self, durable: Lsn) {
        self.recovered.proven = self.recovered.proven.max(durable);
        let mut proven_bytes = 0;
        while let Some(&(last, bytes, chain)) = self.tail_groups.front() {
            if last > self.recovered.proven {
                break;
            }
            proven_bytes += bytes;
            self.recovered.chain = chain;
            self.tail_groups.pop_front();
        }
        self.recovered.tail.drain(..proven_bytes);
    }

    /// Whether what starts with this Lsn can have something that is asked for: the opens after the last
    /// transaction that is are.
    pub(super) fn is_of_interest(&self, first: Lsn) -> bool {
        self.base.enough.is_none_or(|enough| first <= enough.next())
    }

    /// Whether all transactions that are asked for were read: what follows may be in any state.
    pub(super) fn has_enough(&self) -> bool {
        self.base
            .enough
            .is_some_and(|enough| self.recovered.last >= enough)
    }

    fn expected(&self) -> Lsn {
        self.recovered.last.next()
    }

    /// Decides what it is that ends the log: nothing, a torn tail, or damage.
    pub(super) fn finish(
        mut self,
        disk: &dyn Disk,
        used: &[Found],
        unused: &[Found],
    ) -> Result<(), OpenError> {
        let Some(last) = used.last() else {
            return Ok(());
        };
        if self.recovered.proven >= self.expected() {
            let (proven, expected) = (self.recovered.proven, self.expected());
            let detail = format!("the records from lsn {expected} to {proven}");
            return Err(self.damaged(last, detail));
        }
        let evidence = Evidence {
            salt: self.salt,
            expected: self.expected(),
        };
        let rest = &self.bytes[self.end..];
        self.recovered.torn_bytes += written_len(rest);
        if !is_blank(rest) && evidence.is_in(rest) {
            return Err(self.damaged(last, "a group that was durable".to_owned()));
        }
        for segment in unused {
            self.read(disk, segment)?;
            self.end = 0;
            self.recovered.torn_bytes += written_len(&self.bytes);
            if evidence.is_in(&self.bytes) {
                return Err(self.damaged(segment, "the header of the segment".to_owned()));
            }
        }
        Ok(())
    }

    fn read(&mut self, disk: &dyn Disk, segment: &Found) -> Result<(), OpenError> {
        let mut read = || {
            let file = disk.open(&segment.path)?;
            let len = usize::try_from(file.byte_len()?).unwrap_or(usize::MAX);
            self.bytes.clear();
            self.bytes.resize(len, 0);
            file.read_at(0, &mut self.bytes)
        };
        read().map_err(OpenError::io(&segment.path))
    }

    fn damaged(&self, segment: &Found, detail: String) -> OpenError {
        OpenError::Damaged {
            file: segment.path.clone(),
            offset: self.end as u64,
            detail,
        }
    }
}
