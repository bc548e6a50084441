//! What the system has counted of this process, and what lies in files.

use std::path::{Path, PathBuf};

/// Time on a CPU, user and system, of all threads that are there, in seconds.
pub(crate) fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task");
    let tasks = tasks.into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 / 1e9
}

/// A device, by what the system counts of it. Whoever else writes to it meanwhile is counted too; what the system counts
/// for one process alone are whole folios of its cache, which are not what is written.
#[derive(Clone, Debug)]
pub(crate) struct Device(PathBuf);

impl Device {
    /// The one that a folder lies on.
    pub(crate) fn of(folder: &Path) -> std::io::Result<Self> {
        let number = std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(folder)?);
        let major = (number >> 8) & 0xfff;
        let minor = (number & 0xff) | ((number >> 12) & 0xf_ff00);
        Ok(Self(format!("/sys/dev/block/{major}:{minor}/stat").into()))
    }

    /// Bytes written to it so far; 0 if nobody counts.
    pub(crate) fn bytes(&self) -> u64 {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let sectors = text.split_whitespace().nth(6);
        let sectors = sectors.and_then(|sectors| sectors.parse::<u64>().ok());
        sectors.unwrap_or_default() * 512
    }
}

/// Memory of this process in megabytes.
pub(crate) fn rss_mb() -> f64 {
    number_of("/proc/self/status", "VmRSS:") as f64 / 1024.0
}

fn number_of(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

/// Bytes of a file, or of all files in a folder, without the zeros at their ends.
pub(crate) fn used_bytes(path: &Path) -> std::io::Result<u64> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path)?;
        return entries.map(|entry| used_bytes(&entry?.path())).sum();
    }
    let bytes = std::fs::read(path)?;
    let last = bytes.iter().rposition(|&byte| byte != 0);
    Ok(last.map_or(0, |at| at as u64 + 1))
}
