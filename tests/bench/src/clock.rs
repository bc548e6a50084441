//! What a process has used, as the kernel counts it.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The kernel's unit in /proc, the same on every Linux that we know.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time and memory of another process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessClock {
    pid: u32,
}

impl ProcessClock {
    /// Of the process with this id.
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// User and system time of all its threads, those that ended too.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .context("the server is gone")?;
        // The name in parentheses may hold anything; fields 14 and 15 follow it.
        let (_, rest) = stat
            .rsplit_once(") ")
            .context("unknown form of /proc/pid/stat")?;
        let ticks = rest.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks: u64 = ticks
            .sum::<Result<_, _>>()
            .context("unknown form of /proc/pid/stat")?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Resident bytes.
    pub(crate) fn resident(self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))
            .context("the server is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kilobytes.context("no VmRSS")?.parse::<u64>()? * 1024)
    }
}

/// Type of the filesystem that holds `folder`, such as `ext4`.
pub(crate) fn filesystem(folder: &Path) -> Result<String> {
    let folder = folder.canonicalize()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let mut best: Option<(PathBuf, &str)> = None;
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let (Some(mount), Some(kind)) = (left.split(' ').nth(4), right.split(' ').next()) else {
            continue;
        };
        let mount = PathBuf::from(mount.replace("\\040", " "));
        // Later mounts lie over earlier ones at the same place.
        let is_closer = best.as_ref().is_none_or(|(old, _)| mount.starts_with(old));
        if folder.starts_with(&mount) && is_closer {
            best = Some((mount, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
        .context("no mount holds the data folder")
}

/// Fails if what is synced there is not kept.
pub(crate) fn refuse_memory(filesystem: &str) -> Result<()> {
    ensure!(
        !["tmpfs", "ramfs", "devtmpfs"].contains(&filesystem),
        "the data folder is on {filesystem}, where a sync costs nothing: confirmed works need a disk \
         (choose one with --data)"
    );
    Ok(())
}
