//! Requests without a connection: what they must come to.

use std::collections::BTreeMap;

use syncline_engine::Answer;
use syncline_store::ReadView;

use crate::expected::Expected;
use crate::history::History;
use crate::model::RowSet;
use crate::report::{Checked, hold};

/// What an answer must be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// That of a call or a publish.
    Reply(Expected),
    View,
}

/// Requests that were not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    due: BTreeMap<u64, Due>,
    next: u64,
}

impl Tickets {
    pub(crate) fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn expect(&mut self, ticket: u64, due: Due) {
        self.due.insert(ticket, due);
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.due.len()
    }

    /// Takes an answer; `is_poisoned`: the log has failed, and nobody knows.
    pub(crate) fn answer(
        &mut self,
        ticket: u64,
        answer: &Answer,
        is_poisoned: bool,
        history: &mut History,
    ) -> Checked {
        let due = self.due.remove(&ticket);
        let due = due.ok_or_else(|| format!("ticket {ticket} is answered, and was not waiting"))?;
        let told = match answer {
            Answer::Called(lsn, _) | Answer::View(lsn, _) => lsn.0,
            Answer::Published(told) => told.lsn.0,
            Answer::Failed(_) if is_poisoned => return Ok(()),
            Answer::Failed(_) => 0,
            _ => return Err(format!("an answer to nothing: {answer:?}")),
        };
        match (due, answer) {
            (Due::View, Answer::View(_, view)) => check_view(told, view, history)?,
            (Due::Reply(Expected::Value { lsn }), Answer::Called(..) | Answer::Published(_))
                if told == lsn => {}
            (Due::Reply(Expected::Error | Expected::Unsure), Answer::Failed(_))
            | (Due::Reply(Expected::Unsure), Answer::Called(..)) => {}
            _ => return Err(format!("{due:?} was due, this came: {answer:?}")),
        }
        history.told(told);
        Ok(())
    }
}

/// All tables, row for row, are those of the model.
pub(crate) fn check_view(lsn: u64, view: &ReadView, history: &History) -> Checked {
    let state = history.at(lsn).ok_or("a view of the future")?;
    let right = state.rows();
    let mut count = 0;
    for id in view.table_ids() {
        let name = view.def(id).map_or("", |def| &*def.name);
        let found: RowSet = view.rows(id).map(<[u8]>::to_vec).collect();
        let Some(rows) = right.get(name) else {
            hold!(
                found.is_empty(),
                "table {name} at lsn {lsn} has rows that nobody wrote"
            );
            continue;
        };
        hold!(
            found == *rows,
            "table {name:?} at lsn {lsn}: {} rows, of them {} too many, {} missing",
            found.len(),
            found.difference(rows).count(),
            rows.difference(&found).count()
        );
        count += 1;
    }
    hold!(
        count == right.len(),
        "{count} tables at lsn {lsn}, {} would be right",
        right.len()
    );
    Ok(())
}
