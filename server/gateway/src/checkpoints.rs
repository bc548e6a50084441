//! Checkpoints of a database: one at a time, on a thread of its own while it lasts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use syncline_engine::{CheckpointProgress, CheckpointWriter, Engine};

use crate::background::Background;

/// How long it waits for the log before it looks again.
const WAIT: Duration = Duration::from_millis(5);
/// Pause after a step at least: steps take turns with the log, whose syncs answers wait for.
const PAUSE_MIN: Duration = Duration::from_micros(200);

/// The checkpoint that is being written, if one is. Dropping it gives up what is not finished: the folder is free
/// after it.
#[derive(Default)]
pub(crate) struct Checkpoints {
    running: Option<Background<()>>,
}

impl Checkpoints {
    /// Begins one if it is time for it and none is under way.
    pub(crate) fn look(&mut self, name: &str, engine: &mut Engine) {
        if self
            .running
            .as_ref()
            .is_some_and(|running| !running.is_finished())
        {
            return;
        }
        let Some(writer) = engine.due_checkpoint() else {
            return;
        };
        let database = name.to_owned();
        let work = move |stop: &AtomicBool| run(&database, writer, stop);
        self.running = match Background::start(format!("checkpoint-{name}"), work) {
            Ok(running) => Some(running),
            Err(error) => {
                tracing::warn!(database = name, %error, "no thread for a checkpoint");
                None
            }
        };
    }
}

fn run(database: &str, mut writer: CheckpointWriter, stop: &AtomicBool) {
    let start = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let step = Instant::now();
        match writer.run_once() {
            Ok(CheckpointProgress::Working { .. }) => {
                std::thread::sleep(step.elapsed().max(PAUSE_MIN));
            }
            Ok(CheckpointProgress::Waiting) => std::thread::sleep(WAIT),
            Ok(CheckpointProgress::Done(report)) => {
                let seconds = start.elapsed().as_secs_f64();
                tracing::info!(database, ?report, seconds, "checkpoint taken");
                return;
            }
            Err(error) => {
                tracing::warn!(database, %error, "no checkpoint; the log has everything");
                return;
            }
        }
    }
}
