//! Bits that flip in what was durable. The open must refuse, and say where, or show everything that was told; what a salvage
//! brings out is the state after a prefix, and nothing that was good is missing from it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_store::disk::{Disk, MemoryDisk};
use syncline_store::{CheckReport, OpenError, Opened, Options, check, open, salvage};

use crate::disk::{Group, SimDisk, folder, groups};
use crate::report::{Checked, hold};
use crate::tickets::check_view;
use crate::world::World;

/// Flips of a seed, each in a copy of its own.
const FLIPS_MIN: u64 = 3;
const FLIPS_MORE: u64 = 4;

/// A bit, and what is known of where it was.
struct Flip {
    path: PathBuf,
    offset: usize,
    mask: u8,
    /// Everything up to this Lsn is good without it.
    good: u64,
    /// There may be nothing to begin with.
    may_be_all: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Segment,
    Checkpoint,
    Module,
}

fn kind_of(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()? {
        "log" => Some(Kind::Segment),
        "checkpoint" => Some(Kind::Checkpoint),
        "wasm" => Some(Kind::Module),
        _ => None,
    }
}

/// Flips bits of a database that is closed, and whose last group is known to be durable.
pub(crate) fn rot(world: &mut World) -> Checked {
    for _ in 0..FLIPS_MIN + world.random.below(FLIPS_MORE) {
        let Some(flip) = choose(world) else {
            return Ok(());
        };
        let name = flip.path.file_name().unwrap_or_default().to_owned();
        let Flip { offset, mask, .. } = flip;
        world.trace(|| format!("a flip in {} at {offset}, {mask:#04x}", name.display()));
        look(world, &flip).map_err(|error| {
            format!(
                "a flip in {} at byte {offset} ({mask:#04x}): {error}",
                name.display()
            )
        })?;
    }
    Ok(())
}

/// A bit of one of its files.
fn choose(world: &mut World) -> Option<Flip> {
    let memory = world.disk.memory.clone();
    let files = memory.files().into_iter();
    let files: Vec<(Kind, PathBuf)> = files
        .filter(|path| path.starts_with(folder()))
        .filter_map(|path| Some((kind_of(&path)?, path)))
        .collect();
    let of = |wanted: Kind| -> Vec<&PathBuf> {
        let found = files.iter().filter(|(kind, _)| *kind == wanted);
        found.map(|(_, path)| path).collect()
    };
    let kind = match world.random.below(8) {
        0 => Kind::Module,
        1 | 2 => Kind::Checkpoint,
        _ => Kind::Segment,
    };
    let candidates = of(kind);
    let (segments, checkpoints) = (of(Kind::Segment), of(Kind::Checkpoint));
    let path = match kind {
        // The newest: an open reads no other.
        Kind::Checkpoint => *candidates.last()?,
        _ if candidates.is_empty() => return None,
        _ => *world.random.pick(&candidates),
    };
    let bytes = memory.bytes(path)?;
    let used = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    // The zeros after it as well, now and then.
    let used = bytes.len().min(used + 16);
    let offset = world.random.below(used as u64) as usize;
    let whole: Vec<u64> = checkpoints
        .iter()
        .filter(|checkpoint| **checkpoint != path)
        .filter_map(|checkpoint| checkpoint.file_stem()?.to_str()?.parse().ok())
        .collect();
    let has_all = segments
        .first()
        .is_some_and(|first| first.ends_with("0000000001.log"));
    let (good, may_be_all) = match kind {
        Kind::Segment => {
            let before = lsn_before(&groups(&bytes), offset);
            let newest = whole.iter().copied().max();
            (before.max(newest.unwrap_or(0)), newest.is_none())
        }
        Kind::Checkpoint if has_all || !whole.is_empty() => (world.history.last(), false),
        Kind::Checkpoint => (0, true),
        Kind::Module => (world.history.last(), false),
    };
    Some(Flip {
        path: path.clone(),
        offset,
        mask: 1 << world.random.below(8),
        good,
        may_be_all,
    })
}

/// The last Lsn in groups that end before a byte of the segment, the zeros that fill them up included.
fn lsn_before(groups: &[Group], offset: usize) -> u64 {
    let Some(first) = groups.first() else {
        return 0;
    };
    let good = groups
        .iter()
        .filter(|group| group.end.next_multiple_of(8) <= offset);
    let last = good.map(|group| group.first + u64::from(group.count)).max();
    last.unwrap_or(first.first).saturating_sub(1)
}

fn look(world: &mut World, flip: &Flip) -> Checked {
    let copy: MemoryDisk = world.disk.memory.copy();
    copy.flip(&flip.path, flip.offset, flip.mask)
        .map_err(|error| error.to_string())?;
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::rotten(copy, world.mutant));
    let (now, seed) = (world.now, world.random.next());
    let report = check(&*disk, &folder()).map_err(|error| error.to_string())?;
    salvaged(world, flip, &disk, seed)?;
    match open(disk, &folder(), now, seed, Options::default()) {
        Ok(opened) => look_at_opened(world, flip, &opened, &report),
        Err(error) => look_at_refusal(world, flip, &error, &report),
    }
}

fn salvaged(world: &mut World, flip: &Flip, disk: &Arc<dyn Disk>, seed: u64) -> Checked {
    let to = Path::new("/data/salvaged");
    let saved = match salvage(disk, &folder(), to, world.now, seed) {
        Ok(saved) => saved,
        Err(error) => {
            hold!(flip.may_be_all, "nothing was salvaged: {error}");
            world.tally.count("flips that left nothing to salvage", 1);
            return Ok(());
        }
    };
    let (lsn, good) = (saved.last.0, flip.good);
    hold!(
        lsn >= good,
        "lsn {lsn} is the last that was salvaged, {good} is good"
    );
    let opened = open(Arc::clone(disk), to, world.now, seed, Options::default());
    let opened = opened.map_err(|error| format!("what was salvaged does not open: {error}"))?;
    if world.history.is_known(lsn) {
        check_view(lsn, &opened.database.read_view(), &world.history)?;
    }
    world.tally.count("salvaged", 1);
    Ok(())
}

fn look_at_opened(
    world: &mut World,
    flip: &Flip,
    opened: &Opened,
    report: &CheckReport,
) -> Checked {
    let (last, right) = (opened.last.0, world.history.last());
    hold!(
        last == right,
        "it opens at lsn {last}, and {right} was durable"
    );
    check_view(last, &opened.database.read_view(), &world.history)?;
    let damaged = &opened.report.damaged_checkpoints;
    match damaged.as_slice() {
        [] => world.tally.count("flips of no consequence", 1),
        [one] => {
            hold!(one.file == flip.path, "{:?} is whole", one.file);
            hold!(
                report.problems.iter().any(|found| found.file == flip.path),
                "the check has not found it: {:?}",
                report.problems
            );
            world.tally.count("flips in a checkpoint passed over", 1);
        }
        more => return Err(format!("one bit was flipped: {more:?}")),
    }
    Ok(())
}

fn look_at_refusal(
    world: &mut World,
    flip: &Flip,
    error: &OpenError,
    report: &CheckReport,
) -> Checked {
    let kind = kind_of(&flip.path);
    let is_right = match error {
        OpenError::Damaged { file, offset, .. } => {
            // What a bit says of the group after it shows there.
            *file == flip.path && kind == Some(Kind::Segment) && *offset > 0
                || kind == Some(Kind::Segment) && file.extension() == flip.path.extension()
                || kind == Some(Kind::Checkpoint) && flip.may_be_all
        }
        OpenError::Version { .. } => flip.offset < 16,
        OpenError::Missing { .. } => kind == Some(Kind::Checkpoint) && flip.may_be_all,
        OpenError::ModuleDamaged { file } => *file == flip.path,
        _ => false,
    };
    hold!(is_right, "it does not say what is wrong: {error}");
    let file = flip.path.file_name().unwrap_or_default().to_string_lossy();
    let says_where = error.to_string().contains(&*file);
    let count = if says_where {
        "flips refused, the file named"
    } else {
        "flips refused, another file named"
    };
    world.tally.count(count, 1);
    hold!(
        !report.problems.is_empty(),
        "the check finds nothing, and the open says: {error}"
    );
    Ok(())
}
