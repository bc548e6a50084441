//! What sub-queries give that read nothing of the query around them: evaluated once in a step for each instance
//! and side, not for each combination.

use std::cell::RefCell;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::overlay::Side;

/// Which answer: where the sub-query is in memory, of which instance and side, and whether only its first row.
pub(super) type Question = (usize, u32, Side, bool);

type Rows = Rc<Vec<Vec<u8>>>;

/// Answers of one step.
#[derive(Debug, Default)]
pub(super) struct Memo(RefCell<HashMap<Question, Rows, FixedState>>);

impl Memo {
    /// The answer; `give` finds it if it was not asked for before.
    pub(super) fn rows(&self, question: Question, give: impl FnOnce() -> Vec<Vec<u8>>) -> Rows {
        if let Some(rows) = self.0.borrow().get(&question) {
            return Rc::clone(rows);
        }
        let rows = Rc::new(give());
        self.0.borrow_mut().insert(question, Rc::clone(&rows));
        rows
    }
}
