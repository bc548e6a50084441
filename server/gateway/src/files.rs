//! Small private files of the data folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file of the data folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct FileError {
    path: String,
    source: std::io::Error,
}

/// Text of a file; if there is none, what `make` makes, written with mode 0600 and synced first.
pub(crate) fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> String,
) -> Result<String, FileError> {
    let failed = |source| FileError {
        path: path.display().to_string(),
        source,
    };
    match std::fs::read_to_string(path) {
        Ok(text) => return Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    let text = make();
    // Written beside and renamed, so that a crash leaves no half of a key.
    let draft = path.with_extension("new");
    // A draft that is there has the mode that somebody else gave it.
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)?;
    let folder = std::fs::File::open(folder).map_err(failed)?;
    folder.sync_all().map_err(failed)?;
    Ok(text)
}

/// Where backups lie until they are restored: emptied at every start.
pub(crate) fn incoming(data: &Path) -> PathBuf {
    data.join("incoming")
}

/// A new file with mode 0600 in a folder that is made if need be, to be written.
pub(crate) fn create_private(path: &Path) -> std::io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}
