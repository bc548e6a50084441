//! How a case fails.

/// Something does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Which comparison: a smaller case must fail in the same one.
    pub(crate) kind: &'static str,
    /// The live query, if it is about one.
    pub(crate) id: Option<u32>,
    /// Position among the steps.
    pub(crate) step: usize,
    pub(crate) words: String,
}

pub(crate) type Played<T = ()> = Result<T, Failure>;

pub(crate) fn failure<T>(
    kind: &'static str,
    id: Option<u32>,
    words: impl Into<String>,
) -> Played<T> {
    let words = words.into();
    Err(Failure {
        kind,
        id,
        step: 0,
        words,
    })
}

impl Failure {
    /// Whether two failures are one: in a refusal the code counts.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let code = |failure: &Self| {
            let is_refusal = failure.kind.starts_with("refused");
            is_refusal.then(|| failure.words.split(':').next().map(str::to_owned))
        };
        self.kind == other.kind && code(self) == code(other)
    }
}
