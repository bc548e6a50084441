//! What live queries of many clients share, and what each may take.

pub(crate) mod asked;
pub(crate) mod first_answers;
pub(crate) mod quotas;
