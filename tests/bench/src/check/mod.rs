//! Checks that take a running server to its edges: sudden death, bad input, long churn.

pub(crate) mod abuse;
mod hostile;
pub(crate) mod kill;
pub(crate) mod soak;
mod victim;
