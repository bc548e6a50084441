//! ORDER BY, OFFSET and LIMIT.

use std::collections::BinaryHeap;

use syncline_protocol::limits::QUERY_ROWS_MAX;

use super::{Flow, check_bytes, over_limit};

/// The end of a query: gets its rows and passes them on, in order.
pub(super) struct Tail<'s> {
    is_sorted: bool,
    skip: usize,
    /// Rows that may still come out.
    left: usize,
    /// Largest sort key on top: the first to go when there are enough.
    sorted: BinaryHeap<(Vec<u8>, Vec<u8>)>,
    result_count: usize,
    result_bytes: usize,
    scratch: Vec<u8>,
    sink: &'s mut dyn FnMut(&[u8]) -> Flow,
}

impl<'s> Tail<'s> {
    /// `is_sorted` says that rows come in the right order, or that there is none.
    pub(super) fn new(
        (limit, offset): (Option<u64>, u64),
        is_sorted: bool,
        sink: &'s mut dyn FnMut(&[u8]) -> Flow,
    ) -> Self {
        let as_count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            is_sorted,
            skip: as_count(offset),
            left: limit.map_or(usize::MAX, as_count),
            sorted: BinaryHeap::new(),
            result_count: 0,
            result_bytes: 0,
            scratch: Vec::new(),
            sink,
        }
    }

    /// Takes a row, its key and itself written only if they are needed; breaks if no further one is wanted.
    pub(super) fn push(
        &mut self,
        write_key: impl FnOnce(&mut Vec<u8>),
        write_row: impl FnOnce(&mut Vec<u8>),
    ) -> Flow {
        if self.left == 0 {
            return Flow::Break(Ok(()));
        }
        if self.is_sorted {
            if self.skip > 0 {
                self.skip -= 1;
                return Flow::Continue(());
            }
            self.scratch.clear();
            write_row(&mut self.scratch);
            self.result_count += 1;
            self.result_bytes += self.scratch.len();
            (self.sink)(&self.scratch)?;
            self.left -= 1;
            self.check()?;
            return match self.left {
                0 => Flow::Break(Ok(())),
                _ => Flow::Continue(()),
            };
        }
        let wanted = self.skip.saturating_add(self.left);
        let mut sort_key = Vec::new();
        write_key(&mut sort_key);
        if self.sorted.len() == wanted {
            if self
                .sorted
                .peek()
                .is_some_and(|(last, _)| *last <= sort_key)
            {
                return Flow::Continue(());
            }
            if let Some((key, row)) = self.sorted.pop() {
                self.result_bytes -= key.len() + row.len();
                self.result_count -= 1;
            }
        }
        let mut row = Vec::new();
        write_row(&mut row);
        self.result_count += 1;
        self.result_bytes += sort_key.len() + row.len();
        self.sorted.push((sort_key, row));
        self.check()
    }

    fn check(&self) -> Flow {
        if self.result_count > QUERY_ROWS_MAX {
            let message = format!("the result has over {QUERY_ROWS_MAX} rows");
            return Flow::Break(Err(over_limit(&message)));
        }
        match check_bytes(self.result_bytes) {
            Ok(()) => Flow::Continue(()),
            Err(error) => Flow::Break(Err(error)),
        }
    }

    /// Passes on what was kept to be sorted.
    pub(super) fn finish(self) -> Flow {
        for (_, row) in self.sorted.into_sorted_vec().iter().skip(self.skip) {
            (self.sink)(row)?;
        }
        Flow::Continue(())
    }
}

/// The end of the rows, unless it is the end of all.
pub(super) fn ended(flow: Flow) -> Flow {
    match flow {
        Flow::Break(Ok(())) => Flow::Continue(()),
        other => other,
    }
}
