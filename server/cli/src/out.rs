//! Files that commands write.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, at};

/// Where the results of a command go: stdout, or a file that has its name only once it is whole.
pub(crate) enum Out {
    Stdout,
    File {
        file: File,
        part: PathBuf,
        whole: PathBuf,
    },
}

impl Out {
    /// `-` is stdout.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(at(&part))?;
        Ok(Self::File {
            file,
            part,
            whole: path.to_owned(),
        })
    }

    /// Adds to it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Stdout => Ok(std::io::stdout().lock().write_all(bytes)?),
            Self::File { file, part, .. } => file.write_all(bytes).map_err(at(part)),
        }
    }

    /// It is whole: brings it to disk, and gives the file its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Stdout => Ok(std::io::stdout().lock().flush()?),
            Self::File { file, part, whole } => {
                file.sync_all().map_err(at(&part))?;
                std::fs::rename(&part, &whole).map_err(at(&whole))
            }
        }
    }
}
