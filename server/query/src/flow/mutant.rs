//! Mistakes that can be switched on in tests: a test of the test that would have to see them.

/// Rules that a mistake leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Tables are read as they were where that is asked for.
    Before,
    /// Rows that are gone still lead to what they concerned.
    Either,
    /// A row of DISTINCT shows once.
    CountsRows,
    /// A group without rows is none.
    EmptyGroup,
    /// What a LEFT JOIN or a sub-query changes is computed anew.
    Candidates,
    /// NOT IN depends on whether there are NULLs, or rows at all.
    Unknown,
    /// A window is filled up from behind.
    Refill,
    /// NULL equals nothing, where rows are found by a key.
    NullKey,
    /// The sum of no values is NULL.
    EmptySum,
    /// The rows of a query in FROM are read as they were where that is asked for.
    ArrangedBefore,
}

#[cfg(test)]
thread_local! {
    static ON: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

impl Mutant {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Before,
        Self::Either,
        Self::CountsRows,
        Self::EmptyGroup,
        Self::Candidates,
        Self::Unknown,
        Self::Refill,
        Self::NullKey,
        Self::EmptySum,
        Self::ArrangedBefore,
    ];

    /// Switches one on, for this thread.
    #[cfg(test)]
    pub(crate) fn switch(mutant: Option<Self>) {
        ON.set(mutant);
    }

    /// Whether the rule is left out.
    #[cfg(test)]
    pub(crate) fn is_on(self) -> bool {
        ON.get() == Some(self)
    }

    /// Never, outside tests.
    #[cfg(not(test))]
    #[inline]
    #[expect(clippy::unused_self, reason = "as in tests")]
    pub(crate) const fn is_on(self) -> bool {
        false
    }
}
