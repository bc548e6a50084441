//! Bugs that are planted around the production code, to show that a run would notice them inside it.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Syncs of segments do nothing and say that all went well.
    SkipSync,
    /// A sync of a segment says so before it is done.
    AcknowledgeBeforeSync,
    /// The folder of the segments is never synced.
    SkipFolderSync,
    /// Recovery takes a group whose records were written by half.
    AcceptHalf,
    /// The engine lets answers out before what they tell is durable.
    ReleaseEarly,
    /// Checkpoints get their names before their rows are on disk.
    SkipCheckpointSync,
    /// The folder of the checkpoints is never synced: segments go before the checkpoint has its name.
    SkipCheckpointFolderSync,
    /// The wasm of a module is not on disk when its publish is.
    SkipModuleSync,
    /// Recovery takes a group in which a bit was flipped.
    AcceptFlip,
    /// Recovery takes damage for the end of the log and goes on without a word.
    CutAtDamage,
}

impl Mutant {
    /// All of them with their names on the command line.
    pub const ALL: [(&'static str, Self); 10] = [
        ("skip-sync", Self::SkipSync),
        ("acknowledge-before-sync", Self::AcknowledgeBeforeSync),
        ("skip-folder-sync", Self::SkipFolderSync),
        ("accept-half", Self::AcceptHalf),
        ("release-early", Self::ReleaseEarly),
        ("skip-checkpoint-sync", Self::SkipCheckpointSync),
        (
            "skip-checkpoint-folder-sync",
            Self::SkipCheckpointFolderSync,
        ),
        ("skip-module-sync", Self::SkipModuleSync),
        ("accept-flip", Self::AcceptFlip),
        ("cut-at-damage", Self::CutAtDamage),
    ];

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, mutant)| *mutant)
    }
}
