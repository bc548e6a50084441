//! What the system has counted of this process, and what lies in files.

use std::path::Path;

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

/// Bytes that this process has made the system write to devices.
pub(crate) fn device_bytes() -> u64 {
    number_of("/proc/self/io", "write_bytes:")
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
