//! What the server answers.

use syncline_query::QueryError;

/// Rows of an answer, packed, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Vec<u8>>,
}

impl Answer {
    pub(crate) fn of(
        ask: impl FnOnce(&mut dyn FnMut(&[u8])) -> Result<(), QueryError>,
    ) -> Result<Self, QueryError> {
        let mut answer = Self::default();
        ask(&mut |row| answer.rows.push(row.to_vec()))?;
        Ok(answer)
    }
}
