//! Levels of the module's log.

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Something looks wrong.
    Warn,
    /// Something worth knowing happened.
    Info,
    /// What a developer wants to see.
    Debug,
    /// Everything else.
    Trace,
}
