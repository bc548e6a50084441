//! A live query of a case, as its client has it.

use std::sync::Arc;

use syncline_client::cache::LiveResult;
use syncline_protocol::message::ResultDescription;
use syncline_query::Statement;

use crate::query::Query;
use crate::sqlite::{Row, read_rows};

/// A live query and its client.
pub(crate) struct Watched {
    pub(crate) id: u32,
    pub(crate) user: u8,
    pub(crate) query: Query,
    pub(crate) ours: String,
    pub(crate) lite: String,
    pub(crate) handle: u64,
    pub(crate) statement: Statement,
    pub(crate) description: Arc<ResultDescription>,
    pub(crate) cache: LiveResult,
}

impl Watched {
    /// What its client shows.
    pub(crate) fn cells(&self) -> Vec<Row> {
        read_rows(&self.description, self.cache.rows().map(AsRef::as_ref))
    }
}
