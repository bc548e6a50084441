//! How many expressions had no value.
//!
//! Expressions are total: an overflow, a division by zero, a failed cast is NULL. Each is counted here, so that it
//! shows somewhere. The count is of the thread, because expressions are evaluated by reference in every corner and must
//! not carry a counter along; whoever wants the failures of something takes the difference around it. It
//! says nothing about results, and nothing reads it to decide one.

use std::cell::Cell;

thread_local! {
    static FAILURES: Cell<u64> = const { Cell::new(0) };
}

/// Counts one.
#[cold]
pub(crate) fn note() {
    FAILURES.with(|count| count.set(count.get() + 1));
}

/// Expressions that had no value on this thread so far: a difference of two counts says how many there were
/// between them.
#[must_use]
pub fn count() -> u64 {
    FAILURES.with(Cell::get)
}
