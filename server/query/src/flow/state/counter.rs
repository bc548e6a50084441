//! DISTINCT and UNION: how often a row is there. It shows as long as that is not 0.

use crate::flow::mutant::Mutant;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// Rows that are there, with how often.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    counts: HashMap<Box<[u8]>, i64, FixedState>,
    row_bytes: usize,
}

impl Counter {
    /// Adds a weight to a row: +1 if it came into the result, -1 if it went.
    pub(crate) fn add(&mut self, row: &[u8], weight: i64) -> i32 {
        if weight == 0 {
            return 0;
        }
        let Some(count) = self.counts.get_mut(row) else {
            assert!(weight > 0, "only what is there can go");
            self.counts.insert(row.into(), weight);
            self.row_bytes += row.len();
            return 1;
        };
        *count += weight;
        assert!(*count >= 0, "only what is there can go");
        if *count > 0 {
            if Mutant::CountsRows.is_on() {
                return weight.signum() as i32;
            }
            return 0;
        }
        self.counts.remove(row);
        self.row_bytes -= row.len();
        -1
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.counts.capacity() * 25 + self.row_bytes
    }
}
