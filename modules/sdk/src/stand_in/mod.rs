//! What stands in for the host outside wasm: tables in memory, those of the reducer that runs in this
//! thread.

mod tables;

use core::cell::RefCell;

pub(crate) use tables::Tables;

thread_local! {
    /// The tables of the reducer that runs in this thread.
    pub(crate) static RUNNING: RefCell<Option<Tables>> = const { RefCell::new(None) };
}

/// What a host function does outside wasm.
pub(crate) fn with_running<T>(host: impl FnOnce(&mut Tables) -> T) -> T {
    RUNNING.with_borrow_mut(|running| {
        let tables = running.as_mut().expect(
            "tables exist inside a Syncline server; in a test, inside syncline::testing::Database",
        );
        host(tables)
    })
}
