//! `syncline init`.

use std::path::Path;

use serde_json::json;

use crate::args::{Common, Init};
use crate::failure::{Failure, at};
use crate::{kit, output, project};

/// Makes a project, or renews the SDK in one.
pub(crate) fn run(common: &Common, args: &Init) -> Result<(), Failure> {
    let folder = &args.folder;
    if folder.join(project::FILE).is_file() {
        let changed = kit::refresh(folder)?;
        if common.json {
            return output::line(&json!({ "project": folder, "created": false, "sdk": changed }));
        }
        let what = if changed { "renewed" } else { "up to date" };
        return output::line(&format_args!(
            "{} is a project; its SDK is {what}",
            folder.display()
        ));
    }
    let name = match &args.name {
        Some(name) => checked(name)?.to_owned(),
        None => name_of(folder)?,
    };
    if folder.exists() && !is_empty(folder)? {
        return Err(Failure::usage(format!("{} is not empty", folder.display()))
            .hint("name a folder that is not there yet"));
    }
    kit::create(folder, &name)?;
    if common.json {
        return output::line(&json!({ "project": folder, "created": true, "name": name }));
    }
    for line in [
        format!("made project {name} in {}", folder.display()),
        String::new(),
        format!("  cd {}", folder.display()),
        "  syncline dev                  # server, build, publish, types, at every change"
            .to_owned(),
        "  npm install && npm run dev    # the page, in a second terminal".to_owned(),
    ] {
        output::line(&line)?;
    }
    Ok(())
}

fn is_empty(folder: &Path) -> Result<bool, Failure> {
    let entries = std::fs::read_dir(folder).map_err(at(folder))?;
    // A repository may have been made for it already.
    let counts = |name: &std::ffi::OsStr| name != ".git" && name != ".DS_Store";
    for entry in entries {
        if counts(&entry.map_err(at(folder))?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The folder's name as a name for a database.
fn name_of(folder: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(folder).map_err(at(folder))?;
    let name = absolute
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let is_good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = name
        .chars()
        .map(|c| if is_good(c) { c } else { '-' })
        .collect();
    let name = name.trim_matches(['-', '_']);
    checked(name).map(str::to_owned)
}

/// A name that is good for a database, a crate and an npm package.
fn checked(name: &str) -> Result<&str, Failure> {
    let is_good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if starts_well && name.len() <= 56 && name.bytes().all(is_good) {
        return Ok(name);
    }
    Err(
        Failure::usage(format!("{name:?} is no name for a project")).hint(
            "give one with --name: at most 56 lower-case letters, digits, - and _, a letter first",
        ),
    )
}

#[cfg(test)]
mod tests;
