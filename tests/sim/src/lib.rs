//! Deterministic simulation: an engine, its log, its checkpoints and its clients on a disk that crashes, from one
//! number.
//!
//! [`simulate`] lives many short lives on one [`syncline_store::MemoryDisk`]. The engine is stepped here; the log writer and the
//! checkpoint writer are `actor`s that stop before every call to the disk, so that any order of
//! their work and the engine's can come about. A life ends at a call to the disk, with a power cut or with the process. A
//! `model` knows what must be left: what somebody was told of, then a prefix of what was submitted, and nothing by half.
//!
//! A seed says everything that happens: a failure is a seed that replays. [`Mutant`]s are bugs that are planted
//! to show that such a run notices them.

mod actor;
mod client;
mod disk;
mod expected;
mod history;
mod life;
mod model;
mod modules;
mod mutant;
mod random;
mod report;
mod requests;
mod rot;
mod run;
mod tickets;
mod world;

pub use mutant::Mutant;
pub use report::{CrashPoint, End, Report, Tally};
pub use run::{Plan, simulate, simulate_many};
