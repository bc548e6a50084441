//! What the binary carries for projects: the module SDK and the TypeScript packages, so that a project
//! builds anywhere and with the very SDK that this binary knows.

use std::path::Path;

use include_dir::{Dir, DirEntry, include_dir};

use crate::failure::{Failure, at};

static KIT: Dir<'_> = include_dir!("$OUT_DIR/kit");
static TEMPLATE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/template");

/// Folder of a project that the kit is unpacked to.
pub(crate) const FOLDER: &str = ".syncline";
/// File that says which kit is unpacked.
const STAMP: &str = "stamp";

/// Version of the binary and hash of what it carries.
fn stamp() -> String {
    format!(
        "{} {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("SYNCLINE_KIT_HASH")
    )
}

/// Unpacks the kit into a project, unless it is there as this binary has it. Whether it did.
pub(crate) fn refresh(project: &Path) -> Result<bool, Failure> {
    let folder = project.join(FOLDER);
    let file = folder.join(STAMP);
    if std::fs::read_to_string(&file).is_ok_and(|there| there == stamp()) {
        return Ok(false);
    }
    for part in ["rust", "npm"] {
        let old = folder.join(part);
        if old.exists() {
            std::fs::remove_dir_all(&old).map_err(at(&old))?;
        }
    }
    unpack(&KIT, &folder, &|text| text.to_vec())?;
    // Last, so that what was unpacked in part is unpacked again.
    std::fs::write(&file, stamp()).map_err(at(&file))?;
    Ok(true)
}

/// Writes a new project: the template with its names filled in, and the kit.
pub(crate) fn create(project: &Path, name: &str) -> Result<(), Failure> {
    unpack(&TEMPLATE, project, &|text| {
        String::from_utf8_lossy(text)
            .replace("{{name}}", name)
            .into_bytes()
    })?;
    refresh(project)?;
    // The versions that this binary was tested with; cargo drops the entries that the module does not need.
    let (from, to) = (
        project.join(FOLDER).join("Cargo.lock"),
        project.join("module/Cargo.lock"),
    );
    std::fs::copy(&from, &to).map_err(at(&to))?;
    Ok(())
}

/// Writes all files of a folder. `.in` ends names that would mean something to tools here; a folder or file
/// `dot-x` becomes `.x`.
fn unpack(from: &Dir<'_>, to: &Path, fill: &dyn Fn(&[u8]) -> Vec<u8>) -> Result<(), Failure> {
    std::fs::create_dir_all(to).map_err(at(to))?;
    for entry in from.entries() {
        let name = entry
            .path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let name = name.strip_suffix(".in").unwrap_or(&name);
        let name = name
            .strip_prefix("dot-")
            .map_or(name.to_owned(), |name| format!(".{name}"));
        let path = to.join(name);
        match entry {
            DirEntry::Dir(folder) => unpack(folder, &path, fill)?,
            DirEntry::File(file) => {
                std::fs::write(&path, fill(file.contents())).map_err(at(&path))?;
            }
        }
    }
    Ok(())
}
