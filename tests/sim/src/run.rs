//! A seed from the first life to the last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use syncline_engine::{Catalog, Engine, Options, Settings};
use syncline_store::disk::{CallKind, Fault};

use crate::disk::{folder, place_of};
use crate::life::Life;
use crate::model::queries::QUERIES;
use crate::modules::Modules;
use crate::mutant::Mutant;
use crate::report::{Checked, End, Report, Tally, hold};
use crate::requests::Request;
use crate::rot::rot;
use crate::tickets::Tickets;
use crate::world::World;

/// Fewest lives of a seed that end by force; at most so many more.
const LIVES_MIN: u64 = 4;
const LIVES_MORE: u64 = 4;

/// What to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// The bug that is planted.
    pub mutant: Option<Mutant>,
    /// Keep a trace.
    pub is_traced: bool,
}

/// Runs one seed.
#[must_use]
pub fn simulate(seed: u64, plan: Plan) -> Report {
    let mut world = World::new(seed, plan.mutant, plan.is_traced);
    // Whatever a panic leaves behind is looked at no more.
    let lived = catch_unwind(AssertUnwindSafe(|| lives(&mut world)));
    let failure = match lived {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure),
        Err(panic) => Some(words_of(&*panic)),
    };
    let trace = world.take_trace();
    Report {
        seed,
        failure,
        fingerprint: world.fingerprint,
        tally: world.tally,
        trace,
    }
}

/// Runs seeds on so many threads until one fails or the time is over; returns how many were run, what they met and the
/// failure of the smallest seed that has one.
#[must_use]
pub fn simulate_many(
    seeds: std::ops::Range<u64>,
    plan: Plan,
    threads: usize,
    time: Option<Duration>,
) -> (u64, Tally, Option<Report>) {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let start = Instant::now();
    let work = || {
        let (mut count, mut tally, mut failed) = (0, Tally::default(), None);
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || time.is_some_and(|time| start.elapsed() > time) {
                break;
            }
            let report = simulate(seed, plan);
            count += 1;
            tally.add(&report.tally);
            if report.failure.is_some() {
                stop.store(true, Ordering::Relaxed);
                failed = Some(report);
            }
        }
        (count, tally, failed)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let (mut count, mut tally, mut failed) = (0, Tally::default(), None::<Report>);
        for worker in workers {
            let (more, met, failure) = worker.join().expect("simulate catches panics");
            count += more;
            tally.add(&met);
            failed = failed
                .into_iter()
                .chain(failure)
                .min_by_key(|report| report.seed);
        }
        (count, tally, failed)
    })
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic
        .downcast_ref::<&str>()
        .map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a panic: {}", words.unwrap_or_default())
}

/// Sizes at which a short life meets the ends of segments, and checkpoints.
fn options_of(world: &mut World) -> Options {
    let random = &mut world.random;
    let first_segment_bytes = 1024 << random.below(4);
    Options {
        first_segment_bytes,
        segment_bytes: first_segment_bytes << random.below(3),
        audit: random.once_in(2),
        checkpoint_bytes: 1024 << random.below(5),
        checkpoints_min: 1 + random.below(2) as usize,
        history_bytes: (1 << 14) * random.below(3),
        ..Options::default()
    }
}

fn lives(world: &mut World) -> Checked {
    let settings = Settings {
        log: options_of(world),
        ..Settings::default()
    };
    let count = LIVES_MIN + world.random.below(LIVES_MORE);
    for number in 0..count {
        plan_faults(world);
        world.trace(|| format!("-- life {number}"));
        if let Some(life) = open(world, &settings)? {
            live(world, life)?;
        }
    }
    world.trace(|| "-- the last life, on a disk without faults");
    let Some(life) = open(world, &settings)? else {
        return Err("it does not open on a disk without faults".to_owned());
    };
    look_at_everything(world, life)?;
    rot(world)
}

/// Chooses where this life ends, and what fails before.
fn plan_faults(world: &mut World) {
    let (random, disk) = (&mut world.random, &world.disk.memory);
    if random.once_in(3) {
        // Every kind has its turn, however rare it is.
        let kind = *random.pick(&CallKind::ALL);
        let call = disk.calls_of(kind) + random.below(4);
        disk.fault_at_kind(kind, call, Fault::PowerOff);
    } else {
        disk.fault_at(disk.calls() + random.below(70), Fault::PowerOff);
    }
    if random.once_in(6) {
        let error = std::io::ErrorKind::Other;
        let fault = if random.once_in(2) {
            Fault::Error(error)
        } else {
            Fault::Late(error)
        };
        disk.fault_at(disk.calls() + random.below(50), fault);
    }
}

/// Opens what the disk holds; `None` if a fault of the plan was in the way.
fn open(world: &mut World, settings: &Settings) -> Checked<Option<Life>> {
    let secret: Vec<u8> = [0; 4]
        .map(|_: u8| world.random.next().to_le_bytes())
        .concat();
    let secret: [u8; 32] = secret.try_into().expect("four times 8 bytes");
    let host = &Modules::get().host;
    if let Err(error) = open_catalog(world) {
        return refused(world, &error).map(|()| None);
    }
    let opened = Engine::open(
        world.disk.shared(),
        &folder(),
        host,
        world.now,
        secret,
        settings,
    );
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return refused(world, &error.to_string()).map(|()| None),
    };
    let report = &opened.report;
    world.trace(|| format!("open: {report:?}, {} stale", opened.stale_connections));
    world.tally.count("opens", 1);
    world
        .tally
        .count("opens with a torn tail", u64::from(report.torn_bytes > 0));
    world.tally.count(
        "opens with an unproven tail",
        u64::from(report.rewritten_bytes > 0),
    );
    world.tally.count(
        "opens from a checkpoint",
        u64::from(report.checkpoint.is_some()),
    );
    hold!(report.damaged_checkpoints.is_empty(), "{report:?}");
    let last = opened.engine.counters().lsn;
    let lost = world.history.recovered(last, opened.stale_connections)?;
    world.tally.count("lost unconfirmed", lost);
    world
        .tally
        .count("stale connections", opened.stale_connections as u64);
    world.note(&last.to_le_bytes());
    world.past_epoch = world.epoch;
    // Answers of the life before never come.
    world.tickets = Tickets::default();
    let mut life = Life::new(opened.engine, opened.writer);
    let ticket = world.tickets.next();
    life.ask(Request::View { ticket });
    Ok(Some(life))
}

/// The catalog has the database if it once said so.
fn open_catalog(world: &mut World) -> Result<(), String> {
    let catalog = Catalog::open_without_index(world.disk.shared(), Path::new("/data"));
    let mut catalog = catalog.map_err(|error| error.to_string())?;
    if catalog.database("sim").is_some() {
        world.is_created = true;
        return Ok(());
    }
    if world.is_created {
        return Err("the catalog has forgotten the database".to_owned());
    }
    catalog
        .create("sim", 1)
        .map_err(|error| error.to_string())?;
    world.is_created = true;
    Ok(())
}

/// An open did not succeed: it must be for a fault of the plan.
fn refused(world: &mut World, error: &str) -> Checked {
    let is_planned = error.contains("no power") || error.contains("told to fail");
    hold!(is_planned, "it does not open: {error}");
    world.trace(|| format!("no open: {error}"));
    world.tally.count("opens that failed", 1);
    end(world, "open");
    Ok(())
}

fn live(world: &mut World, mut life: Life) -> Checked {
    let mut left = 20 + world.random.below(240);
    let mut is_counted_down = false;
    while left > 0 && world.disk.memory.power_cut().is_none() {
        left -= 1;
        life.tick(world)?;
        // The outside notices a failed disk, and somebody restarts the server.
        if life.is_poisoned() && !is_counted_down {
            is_counted_down = true;
            left = left.min(world.random.below(10));
        }
    }
    // From here on no call has an effect, so what is under way ends here.
    world.disk.memory.power_off();
    let cut = world.disk.memory.power_cut();
    drop(life);
    debug_assert_eq!(world.disk.memory.power_cut(), cut);
    end(world, "work");
    Ok(())
}

/// The power goes, or the process alone.
fn end(world: &mut World, phase: &'static str) {
    let memory = world.disk.memory.clone();
    let call = memory
        .power_cut()
        .map(|(kind, path)| (kind, place_of(&path)));
    let end = if world.random.once_in(4) {
        End::Kill
    } else {
        End::PowerCut
    };
    world.trace(|| format!("{end:?} in {phase} at {call:?}"));
    *world.tally.crashes.entry((end, phase, call)).or_default() += 1;
    match end {
        End::Kill => memory.restart(),
        End::PowerCut => memory.crash(world.random.next()),
    }
    memory.set_capacity(None);
}

/// Subscribes to everything and asks everything.
fn look_at_everything(world: &mut World, mut life: Life) -> Checked {
    life.settle(world)?;
    let client = life.connect(world);
    for query in 0..QUERIES.len() {
        let id = life.clients[client].next_id();
        life.ask(Request::Subscribe { client, id, query });
        let id = life.clients[client].next_id();
        life.ask(Request::Query { client, id, query });
    }
    let ticket = world.tickets.next();
    life.ask(Request::View { ticket });
    life.settle(world)?;
    life.check_answered(world)?;
    life.seal(world)
}
