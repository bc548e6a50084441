//! How far the open of a database is: a line in the log now and then, if it takes long.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use syncline_engine::{Disk, DiskFile, DiskLock};

/// Between two lines, and before the first.
const EVERY: Duration = Duration::from_secs(2);

/// Opens something in `folder` with `work`, which gets a disk that is watched while it does. `every` is the time
/// between two calls of `say` with the bytes that were read, those there are at most, and the time it has taken.
pub(crate) fn watched<R>(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    every: Duration,
    say: impl Fn(u64, u64, Duration) + Sync,
    work: impl FnOnce(Arc<dyn Disk>) -> R,
) -> R {
    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::new(Counted {
        inner: disk.clone(),
        read: read.clone(),
    });
    let (done, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            let is_done = is_done;
            while is_done.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let read = read.load(Ordering::Relaxed);
                say(read, byte_len(&**disk, folder).max(read), start.elapsed());
            }
        });
        let result = work(counted);
        drop(done);
        result
    })
}

/// [`watched`], with lines in the server's log.
pub(crate) fn logged<R>(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    name: &str,
    work: impl FnOnce(Arc<dyn Disk>) -> R,
) -> R {
    let say = |read: u64, all: u64, elapsed: Duration| {
        let seconds = elapsed.as_secs_f64();
        let mb_per_s = read as f64 / 1e6 / seconds;
        tracing::info!(
            database = name,
            read_mb = read / 1_000_000,
            of_mb_at_most = all / 1_000_000,
            percent = (100 * read).checked_div(all),
            mb_per_s = mb_per_s.round(),
            seconds = seconds.round(),
            "opening"
        );
    };
    watched(disk, folder, EVERY, say, work)
}

/// Of the log and the checkpoints of a database. A newer checkpoint makes what is before it superfluous, so
/// there may be less to read.
fn byte_len(disk: &dyn Disk, folder: &Path) -> u64 {
    let folders = ["log", "checkpoints"].map(|name| folder.join(name));
    let files = folders.iter().flat_map(|folder| {
        let names = disk.list(folder).unwrap_or_default();
        names.into_iter().map(|name| folder.join(name))
    });
    let lens = files.filter_map(|path| disk.open(&path).and_then(|file| file.byte_len()).ok());
    lens.sum()
}

/// A disk that counts what is read of it.
#[derive(Debug)]
struct Counted {
    inner: Arc<dyn Disk>,
    read: Arc<AtomicU64>,
}

#[derive(Debug)]
struct CountedFile {
    inner: Box<dyn DiskFile>,
    read: Arc<AtomicU64>,
}

impl Disk for Counted {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.inner.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(CountedFile {
            inner: self.inner.open(path)?,
            read: self.read.clone(),
        }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.inner.list(folder)
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        self.inner.create_dir(folder)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.inner.sync_dir(folder)
    }

    fn lock(&self, folder: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.inner.lock(folder)
    }

    fn free_bytes(&self, folder: &Path) -> Option<u64> {
        self.inner.free_bytes(folder)
    }
}

impl DiskFile for CountedFile {
    fn byte_len(&self) -> io::Result<u64> {
        self.inner.byte_len()
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read.fetch_add(out.len() as u64, Ordering::Relaxed);
        self.inner.read_at(offset, out)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_at(offset, bytes)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.inner.sync_data()
    }
}

#[cfg(test)]
mod tests;
