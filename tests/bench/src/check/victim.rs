//! A well-behaved connection, whose latencies are compared while others misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hdrhistogram::Histogram;

use crate::load::histogram;
use crate::socket::{Link, Target};

/// A round trip a moment, like a person's.
const PAUSE: Duration = Duration::from_micros(500);

/// A connection that pings on its own thread until it is asked how that went.
pub(super) struct Victim {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Histogram<u64>>>,
}

impl Victim {
    /// Connects and begins.
    pub(super) fn start(target: &Target) -> Result<Self> {
        let mut link = Link::open(target)?;
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut latency = histogram();
            while !stop.load(Ordering::Relaxed) {
                let start = Instant::now();
                link.ping()?;
                latency.record(start.elapsed().as_nanos() as u64)?;
                std::thread::sleep(PAUSE);
            }
            Ok(latency)
        });
        Ok(Self { is_over, thread })
    }

    /// Ends it: the p99 of its round trips. An error if its connection was harmed.
    pub(super) fn p99(self) -> Result<Duration> {
        self.is_over.store(true, Ordering::Relaxed);
        let Ok(latency) = self.thread.join() else {
            bail!("the victim panicked")
        };
        Ok(Duration::from_nanos(latency?.value_at_quantile(0.99)))
    }

    /// The p99 when nobody misbehaves.
    pub(super) fn baseline(target: &Target) -> Result<Duration> {
        let victim = Self::start(target)?;
        std::thread::sleep(Duration::from_secs(2));
        victim.p99()
    }
}
