//! Old files of a database are read again from time to time, on a thread of its own: what has rotted is found while
//! memory still has everything that is in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use syncline_engine::{Engine, Scrub, ScrubProgress, ScrubReport};

use crate::background::Background;
use crate::shared::Shared;

/// The first begins so long after the open, if they are not more frequent than that.
const FIRST: Duration = Duration::from_mins(10);
/// Pause after a step of about a MiB, at least: 50 MB/s at most.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// And so many times what the step took.
const PAUSE_FACTOR: u32 = 9;

/// Pause at most: whoever stops it waits for no longer.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Whether some database of the process is being scrubbed: they take turns, so that the disk has one at a time.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The turn to scrub; given back when dropped.
struct Turn;

impl Turn {
    fn take() -> Option<Self> {
        let was_taken = IS_TAKEN.swap(true, Ordering::AcqRel);
        (!was_taken).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        IS_TAKEN.store(false, Ordering::Release);
    }
}

/// When the next one begins, and the one that runs.
pub(crate) struct Scrubs {
    every: Option<Duration>,
    next: Instant,
    running: Option<Background<Option<ScrubReport>>>,
}

impl Scrubs {
    /// None yet; never one without a period.
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self {
            every,
            next: Instant::now() + every.unwrap_or(FIRST).min(FIRST),
            running: None,
        }
    }

    /// Begins one if it is time for it; deals with what the last one found.
    pub(crate) fn look(&mut self, shared: &Shared, engine: &mut Engine) {
        if let Some(running) = self.running.take_if(|running| running.is_finished()) {
            if let Some(report) = running.finish().flatten() {
                conclude(shared, engine, &report);
            }
            return;
        }
        let Some(every) = self.every.filter(|_| Instant::now() >= self.next) else {
            return;
        };
        if self.running.is_some() {
            return;
        }
        let Some(turn) = Turn::take() else {
            return;
        };
        self.next = Instant::now() + every;
        let name = shared.name.as_str();
        let started = match engine.begin_scrub() {
            Ok(scrub) => Background::start(format!("scrub-{name}"), |stop| {
                let _turn = turn;
                run(scrub, stop)
            }),
            Err(error) => {
                tracing::warn!(database = name, %error, "no scrub");
                return;
            }
        };
        match started {
            Ok(running) => self.running = Some(running),
            Err(error) => tracing::warn!(database = name, %error, "no thread for a scrub"),
        }
    }
}

/// What it found; nothing if it was stopped.
fn run(mut scrub: Scrub, stop: &AtomicBool) -> Option<ScrubReport> {
    while !stop.load(Ordering::Relaxed) {
        let step = Instant::now();
        if let ScrubProgress::Done(report) = scrub.run_once() {
            return Some(report);
        }
        std::thread::sleep((step.elapsed() * PAUSE_FACTOR).clamp(PAUSE_MIN, PAUSE_MAX));
    }
    None
}

fn conclude(shared: &Shared, engine: &mut Engine, report: &ScrubReport) {
    let counts = &shared.scrubs;
    counts.finished.fetch_add(1, Ordering::Relaxed);
    counts.bytes.fetch_add(report.bytes, Ordering::Relaxed);
    let problems = report.problems.len() as u64;
    counts.problems.fetch_add(problems, Ordering::Relaxed);
    let name = shared.name.as_str();
    if report.problems.is_empty() {
        let (files, bytes) = (report.files, report.bytes);
        tracing::info!(database = name, files, bytes, "scrubbed, all is well");
        return;
    }
    for problem in &report.problems {
        tracing::error!(
            database = name,
            file = %problem.file.display(),
            offset = problem.offset,
            detail = problem.detail,
            "a file is damaged on the disk; memory has all that is in it, and a checkpoint is taken; \
             look at the disk, and take a backup"
        );
    }
    engine.want_checkpoint();
}
