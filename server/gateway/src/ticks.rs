//! A coarse clock.

use std::sync::atomic::AtomicU64;

/// Counts up every [`syncline_engine::TICK_MS`]: a clock that costs nothing to read.
pub(crate) static TICKS: AtomicU64 = AtomicU64::new(0);
