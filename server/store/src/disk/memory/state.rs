//! Names, faults and power of a disk in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::random::Random;
use super::{CallKind, Fault};
use crate::disk::folder_of;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Folder,
    File(u64),
}

/// A change of names that is not durable yet.
#[derive(Debug)]
enum NameChange {
    Put {
        path: PathBuf,
        entry: Entry,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        entry: Entry,
    },
}

/// What a call changes.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    Path(&'a Path),
    Node(u64),
}

/// Everything a disk is. `entries` is `durable_entries` with `pending` done to it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) nodes: BTreeMap<u64, Contents>,
    pub(super) entries: BTreeMap<PathBuf, Entry>,
    durable_entries: BTreeMap<PathBuf, Entry>,
    pending: Vec<NameChange>,
    next_node: u64,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) generation: u64,
    is_off: bool,
    /// By kind.
    pub(super) calls: BTreeMap<CallKind, u64>,
    pub(super) faults: BTreeMap<u64, Fault>,
    /// By kind, and the number of the call among those of its kind.
    pub(super) kind_faults: BTreeMap<(CallKind, u64), Fault>,
    /// The call that the power went off at, until the crash.
    pub(super) cut: Option<(CallKind, PathBuf)>,
    pub(super) capacity: Option<u64>,
    pub(super) skips_sync: Option<fn(&Path) -> bool>,
}

impl State {
    pub(super) fn check_power(&self) -> io::Result<()> {
        if self.is_off { Err(no_power()) } else { Ok(()) }
    }

    /// Counts a call that changes something and lets it go wrong if it shall.
    pub(super) fn change<T>(
        &mut self,
        kind: CallKind,
        target: Target<'_>,
        call: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.next_fault(kind)? {
            None => call(self),
            Some(Fault::Error(error)) => Err(told_to_fail(error)),
            Some(Fault::Late(error)) => {
                call(self)?;
                Err(told_to_fail(error))
            }
            Some(Fault::PowerOff) => {
                // What it does is pending like the rest; the caller never hears how it went.
                let _ = call(self);
                self.cut_power(kind, target);
                Err(no_power())
            }
        }
    }

    /// The same for a write, which can also go wrong half-way.
    pub(super) fn write(&mut self, node: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let half = match self.peek_fault(CallKind::Write) {
            Some(Fault::Late(_)) => bytes.len() / 2,
            _ => bytes.len(),
        };
        self.change(CallKind::Write, Target::Node(node), |state| {
            state.node_mut(node).write(offset, &bytes[..half]);
            Ok(())
        })
    }

    /// The same for a sync. If the power goes off during one, what is pending stays so: the crash may
    /// keep all of it, or some, or nothing.
    pub(super) fn change_sync(
        &mut self,
        kind: CallKind,
        target: Target<'_>,
        sync: impl FnOnce(&mut Self),
        forget: impl FnOnce(&mut Self),
    ) -> io::Result<()> {
        match self.next_fault(kind)? {
            None => sync(self),
            Some(Fault::Error(error) | Fault::Late(error)) => {
                forget(self);
                return Err(told_to_fail(error));
            }
            Some(Fault::PowerOff) => {
                self.cut_power(kind, target);
                return Err(no_power());
            }
        }
        Ok(())
    }

    fn peek_fault(&self, kind: CallKind) -> Option<Fault> {
        let of_kind = self.calls.get(&kind).copied().unwrap_or_default();
        let by_kind = self.kind_faults.get(&(kind, of_kind));
        by_kind
            .or_else(|| self.faults.get(&self.call_count()))
            .copied()
    }

    fn next_fault(&mut self, kind: CallKind) -> io::Result<Option<Fault>> {
        self.check_power()?;
        let fault = self.peek_fault(kind);
        *self.calls.entry(kind).or_default() += 1;
        Ok(fault)
    }

    pub(super) fn call_count(&self) -> u64 {
        self.calls.values().sum()
    }

    fn cut_power(&mut self, kind: CallKind, target: Target<'_>) {
        let path = match target {
            Target::Path(path) => Some(path.to_owned()),
            Target::Node(node) => self.path_of(node),
        };
        self.cut = Some((kind, path.unwrap_or_default()));
        self.is_off = true;
    }

    /// The process ends and the power stays: what was written is still to be read, synced or not.
    pub(super) fn restart(&mut self) {
        self.locks.clear();
        self.faults.clear();
        self.kind_faults.clear();
        self.generation += 1;
        self.cut = None;
        self.is_off = false;
    }

    /// What a reader sees, as a state in which nothing is pending.
    pub(super) fn copy(&self) -> Self {
        let nodes = self.nodes.iter();
        Self {
            nodes: nodes
                .map(|(node, contents)| (*node, contents.copy()))
                .collect(),
            entries: self.entries.clone(),
            durable_entries: self.entries.clone(),
            next_node: self.next_node,
            ..Self::default()
        }
    }

    pub(super) fn power_off(&mut self) {
        self.is_off = true;
    }

    pub(super) fn free_bytes(&self) -> Option<u64> {
        let files = self.entries.values().filter_map(|entry| match entry {
            Entry::File(node) => Some(self.nodes[node].live().len() as u64),
            Entry::Folder => None,
        });
        Some(self.capacity?.saturating_sub(files.sum()))
    }

    pub(super) fn entry(&self, path: &Path) -> Option<Entry> {
        let is_root = path.parent().is_none();
        if is_root {
            Some(Entry::Folder)
        } else {
            self.entries.get(path).copied()
        }
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<u64> {
        match self.entry(path) {
            Some(Entry::File(node)) => Ok(node),
            Some(Entry::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn check_folder(&self, folder: &Path) -> io::Result<()> {
        match self.entry(folder) {
            Some(Entry::Folder) => Ok(()),
            Some(Entry::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn node_mut(&mut self, node: u64) -> &mut Contents {
        self.nodes
            .get_mut(&node)
            .expect("contents live as long as the disk")
    }

    fn path_of(&self, node: u64) -> Option<PathBuf> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(_, entry)| **entry == Entry::File(node));
        found.map(|(path, _)| path.clone())
    }

    /// Whether the disk only says that it syncs this file.
    pub(super) fn skips_sync_of(&self, node: u64) -> bool {
        self.skips_sync
            .is_some_and(|skips| self.path_of(node).is_some_and(|path| skips(&path)))
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<u64> {
        self.check_folder(folder_of(path))?;
        if self.entry(path).is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let node = self.next_node;
        self.next_node += 1;
        self.nodes.insert(node, Contents::default());
        self.rename_entries(NameChange::Put {
            path: path.to_owned(),
            entry: Entry::File(node),
        });
        Ok(node)
    }

    pub(super) fn create_dir(&mut self, folder: &Path) -> io::Result<()> {
        self.check_folder(folder_of(folder))?;
        match self.entry(folder) {
            Some(Entry::Folder) => return Ok(()),
            Some(Entry::File(_)) => return Err(ErrorKind::AlreadyExists.into()),
            None => {}
        }
        let path = folder.to_owned();
        self.rename_entries(NameChange::Put {
            path,
            entry: Entry::Folder,
        });
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.rename_entries(NameChange::Remove {
            path: path.to_owned(),
        });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let entry = Entry::File(self.file(from)?);
        if from.parent() != to.parent() {
            return Err(ErrorKind::Unsupported.into());
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        self.rename_entries(NameChange::Rename { from, to, entry });
        Ok(())
    }

    fn rename_entries(&mut self, change: NameChange) {
        change.apply(&mut self.entries);
        self.pending.push(change);
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.check_folder(folder)?;
        let inside = self
            .entries
            .keys()
            .filter(|path| path.parent() == Some(folder));
        let names = inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        Ok(names.collect())
    }

    pub(super) fn sync_dir(&mut self, folder: &Path) {
        if self.skips_sync.is_some_and(|skips| skips(folder)) {
            return;
        }
        for change in std::mem::take(&mut self.pending) {
            if change.folder() == folder {
                change.apply(&mut self.durable_entries);
            } else {
                self.pending.push(change);
            }
        }
    }

    pub(super) fn crash(&mut self, seed: u64) {
        let mut random = Random::new(seed);
        let taken = random.next_of(4);
        for change in std::mem::take(&mut self.pending) {
            let survives = match taken {
                0 => false,
                1 => true,
                _ => random.next_of(2) == 1,
            };
            if survives {
                change.apply(&mut self.durable_entries);
            }
        }
        self.entries.clear();
        // Parents sort before what is in them.
        for (path, entry) in std::mem::take(&mut self.durable_entries) {
            if self.check_folder(folder_of(&path)).is_ok() {
                self.entries.insert(path, entry);
            }
        }
        self.durable_entries.clone_from(&self.entries);
        let kept: BTreeSet<u64> = self
            .entries
            .values()
            .filter_map(|entry| entry.node())
            .collect();
        self.nodes.retain(|node, _| kept.contains(node));
        for contents in self.nodes.values_mut() {
            contents.crash(&mut random);
        }
        self.restart();
    }
}

impl Entry {
    fn node(self) -> Option<u64> {
        match self {
            Self::File(node) => Some(node),
            Self::Folder => None,
        }
    }
}

impl NameChange {
    fn folder(&self) -> &Path {
        let (Self::Put { path, .. } | Self::Remove { path } | Self::Rename { to: path, .. }) = self;
        folder_of(path)
    }

    fn apply(&self, entries: &mut BTreeMap<PathBuf, Entry>) {
        match self {
            Self::Put { path, entry } => {
                entries.insert(path.clone(), *entry);
            }
            Self::Remove { path } => {
                entries.remove(path);
            }
            Self::Rename { from, to, entry } => {
                entries.remove(from);
                entries.insert(to.clone(), *entry);
            }
        }
    }
}

fn no_power() -> io::Error {
    io::Error::other("the disk has no power")
}

fn told_to_fail(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "the disk was told to fail here")
}
