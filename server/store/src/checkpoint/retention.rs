//! Which segments and checkpoints are still needed.

use std::io;
use std::path::{Path, PathBuf};

use syncline_protocol::Lsn;

use super::{CHECKPOINTS_FOLDER, DAMAGED, checkpoint_lsn, list};
use crate::disk::Disk;
use crate::log::LOG_FOLDER;
use crate::log::recovery::survey;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// So many checkpoints at least; one at least.
    pub(crate) checkpoints: usize,
    /// More of them, and the log from them on, as long as all files together have no more bytes.
    pub(crate) history_bytes: u64,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Checkpoints.
    pub checkpoints: usize,
    /// Segments of the log.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes the checkpoints and segments that are over what is to be kept. Without a checkpoint nothing is.
///
/// Only what a newer, durable file makes superfluous goes: a power cut in the middle leaves some of it, and the
/// next open does not need it. Also returns the Lsn of the checkpoint that what is left
/// begins with, if it does not begin with the log.
pub(crate) fn retire(
    disk: &dyn Disk,
    folder: &Path,
    retention: &Retention,
) -> io::Result<(Retired, Option<Lsn>)> {
    let checkpoints_folder = folder.join(CHECKPOINTS_FOLDER);
    let checkpoints = list(disk, &checkpoints_folder)?;
    let segments = survey(disk, &folder.join(LOG_FOLDER)).map_err(io::Error::other)?;
    let mut retired = Retired::default();
    let Some(keep) = oldest_kept(disk, &checkpoints, &segments.lens(disk)?, retention)? else {
        return Ok((retired, None));
    };
    let (kept_lsn, _) = checkpoints[keep];
    let is_old = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.and_then(|name| name.strip_suffix(DAMAGED));
        let lsn = name.and_then(|name| checkpoint_lsn(name.strip_suffix('.')?));
        lsn.is_some()
    };
    let names = disk.list(&checkpoints_folder)?;
    let damaged = names.iter().map(|name| checkpoints_folder.join(name));
    let old = checkpoints[..keep].iter().map(|(_, path)| path.clone());
    for path in old.chain(damaged.filter(is_old)) {
        retired.bytes += remove(disk, &path)?;
        retired.checkpoints += 1;
    }
    if retired.checkpoints > 0 {
        disk.sync_dir(&checkpoints_folder)?;
    }
    for path in segments.superfluous(kept_lsn) {
        retired.bytes += remove(disk, path)?;
        retired.segments += 1;
    }
    if retired.segments > 0 {
        disk.sync_dir(&folder.join(LOG_FOLDER))?;
    }
    // A log that still has its beginning is read from there, and needs no checkpoint.
    let first = segments.used().nth(retired.segments);
    let has_beginning = first.is_some_and(|(header, _)| header.first.0 <= 1);
    Ok((retired, (!has_beginning).then_some(kept_lsn)))
}

/// Position of the oldest checkpoint to keep.
fn oldest_kept(
    disk: &dyn Disk,
    checkpoints: &[(Lsn, PathBuf)],
    segments: &[(Lsn, u64)],
    retention: &Retention,
) -> io::Result<Option<usize>> {
    let mut keep = checkpoints.len();
    let mut bytes = 0;
    for (position, (lsn, path)) in checkpoints.iter().enumerate().rev() {
        bytes += disk.open(path)?.byte_len()?;
        // A segment is needed if it has an Lsn after this checkpoint: if the next one begins after it.
        let needed = |next: Option<&(Lsn, u64)>| next.is_none_or(|(first, _)| first.0 > lsn.0);
        let log = segments.iter().enumerate();
        let log = log.filter(|(index, _)| needed(segments.get(index + 1)));
        let log: u64 = log.map(|(_, (_, len))| len).sum();
        let is_among_the_fewest = checkpoints.len() - position <= retention.checkpoints.max(1);
        if !is_among_the_fewest && bytes + log > retention.history_bytes {
            break;
        }
        keep = position;
    }
    // The beginning is as good as a checkpoint of nothing.
    let log: u64 = segments.iter().map(|(_, len)| len).sum();
    let begins = segments.first().is_some_and(|(first, _)| first.0 <= 1);
    if keep == 0 && begins && bytes + log <= retention.history_bytes {
        return Ok(None);
    }
    Ok((keep < checkpoints.len()).then_some(keep))
}

fn remove(disk: &dyn Disk, path: &Path) -> io::Result<u64> {
    let len = disk.open(path)?.byte_len()?;
    disk.remove(path)?;
    Ok(len)
}
