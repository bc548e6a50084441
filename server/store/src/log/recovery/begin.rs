//! The segment that an open begins.

use std::io;
use std::path::Path;

use syncline_protocol::Lsn;

use super::Recovered;
use crate::database::Database;
use crate::disk::{Disk, DiskFile, NEW, is_full, remove_if_there};
use crate::log::Options;
use crate::log::error::OpenError;
use crate::log::group::{Chain, GroupHeader, Place, put_group};
use crate::log::record::{OpenRecord, put_open};
use crate::log::segment::{
    LOG_VERSION, SEGMENT_HEADER_BYTES, Segment, SegmentHeader, segment_path,
};

/// Bytes of zeros that are written at once.
const ZEROS: usize = 1 << 20;

/// What goes on where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begin<'a> {
    pub(crate) disk: &'a dyn Disk,
    /// Of the segments.
    pub(crate) folder: &'a Path,
    pub(crate) recovered: &'a Recovered,
    pub(crate) open: &'a OpenRecord,
    pub(crate) salt: u64,
}

/// Begins the next segment: header, unproven tail, open record. It is written and synced under another
/// name, so when it gets its own, it is whole; from then on it takes the place of the tail, and of
/// whatever else the log ended with, which is then removed.
pub(crate) fn begin_segment(
    begin: &Begin<'_>,
    database: &Database,
    options: &Options,
) -> Result<Segment, OpenError> {
    let Begin {
        disk,
        folder,
        recovered,
        open,
        salt,
    } = *begin;
    let number = recovered.next_number;
    let path = segment_path(folder, number);
    for leftover in recovered
        .leftovers
        .iter()
        .filter(|leftover| **leftover != path)
    {
        remove_if_there(disk, leftover).map_err(OpenError::io(leftover))?;
    }
    let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
    let chain = put_tail(recovered, salt, &mut bytes);
    let mut record = Vec::new();
    put_open(open, database, &mut record);
    let last = recovered.last;
    let place = Place {
        first: last.next(),
        durable: last,
        count: 0,
        chain,
    };
    put_group(&record, place, salt, &mut bytes);
    let header = SegmentHeader {
        number,
        first: first_of(recovered, salt),
        durable: last,
        epoch: open.epoch,
        salt,
        whole: bytes.len() as u64,
        chain: recovered.chain,
        version: LOG_VERSION,
    };
    bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&header.encode());
    let len = (options.first_segment_bytes as u64).max(header.whole);
    let segment = write(disk, folder, &path, &bytes, len).map_err(OpenError::io(&path))?;
    for (cut, len) in &recovered.cuts {
        let shorten = |mut file: Box<dyn DiskFile>| {
            file.set_len(*len)?;
            file.sync_data()
        };
        disk.open(cut)
            .and_then(shorten)
            .map_err(OpenError::io(cut))?;
    }
    let (file, len) = segment;
    Ok(Segment {
        file,
        number,
        epoch: open.epoch,
        salt,
        chain,
        len,
        position: header.whole,
    })
}

/// The groups of the tail again: as they were, unless they are of a version without a chain.
fn put_tail(recovered: &Recovered, salt: u64, out: &mut Vec<u8>) -> Chain {
    let mut chain = recovered.chain;
    let mut rest = &recovered.tail[..];
    while let Some(header) = GroupHeader::decode(rest, salt) {
        let Some(records) = header.records(rest) else {
            break;
        };
        let place = Place {
            first: header.first,
            durable: header.durable,
            count: header.count,
            chain,
        };
        chain = put_group(records, place, salt, out);
        rest = rest.get(header.len()..).unwrap_or_default();
    }
    chain
}

fn first_of(recovered: &Recovered, salt: u64) -> Lsn {
    let first = GroupHeader::decode(&recovered.tail, salt).map(|header| header.first);
    first.unwrap_or(recovered.last.next())
}

/// Writes the file and fills it up with zeros; on a full disk it gets as long as what must be in it.
fn write(
    disk: &dyn Disk,
    folder: &Path,
    path: &Path,
    bytes: &[u8],
    len: u64,
) -> io::Result<(Box<dyn DiskFile>, u64)> {
    let new = path.with_added_extension(NEW);
    remove_if_there(disk, &new)?;
    let mut file = disk.create(&new)?;
    let whole = bytes.len() as u64;
    file.write_at(0, bytes)?;
    let len = match fill(&mut *file, whole, len) {
        Ok(()) => len,
        Err(error) if is_full(&error) => {
            file.set_len(whole)?;
            whole
        }
        Err(error) => return Err(error),
    };
    file.sync_data()?;
    disk.rename(&new, path)?;
    disk.sync_dir(folder)?;
    Ok((file, len))
}

fn fill(file: &mut dyn DiskFile, mut from: u64, len: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS.min((len - from) as usize)];
    while from < len {
        let part = (len - from).min(zeros.len() as u64);
        file.write_at(from, &zeros[..part as usize])?;
        from += part;
    }
    Ok(())
}
