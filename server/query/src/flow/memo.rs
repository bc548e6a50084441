//! What sub-queries give that read nothing of the query around them: evaluated once in a step for each side and
//! for all instances whose parameters are the same where it reads them, and not for each combination.

use std::cell::RefCell;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::overlay::Side;
use crate::scalar::Scalar;

/// The packed parameters that a sub-query reads.
pub(super) type Given = SmallVec<[u8; 24]>;

/// Which answer: where the sub-query is in memory, to whom and of which side.
pub(super) type Question = (usize, Given, Side);

type FirstRow = Option<Rc<[u8]>>;

/// Answers of one step.
#[derive(Debug, Default)]
pub(super) struct Memo {
    first_rows: RefCell<HashMap<Question, FirstRow, FixedState>>,
    sets: RefCell<HashMap<Question, Rc<Set>, FixedState>>,
}

impl Memo {
    /// The first row, or that there is none; `give` finds it if it was not asked for before.
    pub(super) fn first_row(
        &self,
        question: Question,
        give: impl FnOnce() -> FirstRow,
    ) -> FirstRow {
        if let Some(row) = self.first_rows.borrow().get(&question) {
            return row.clone();
        }
        let row = give();
        self.first_rows.borrow_mut().insert(question, row.clone());
        row
    }

    /// All values; `fill` finds them if they were not asked for before.
    pub(super) fn set(&self, question: Question, fill: impl FnOnce(&mut Set)) -> Rc<Set> {
        if let Some(set) = self.sets.borrow().get(&question) {
            return Rc::clone(set);
        }
        let mut set = Set::default();
        fill(&mut set);
        let set = Rc::new(set);
        self.sets.borrow_mut().insert(question, Rc::clone(&set));
        set
    }
}

/// The values that IN looks among: asked as often as there are combinations, each time one look-up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Set {
    /// In their canonical form.
    values: HashSet<Box<[u8]>, FixedState>,
    has_null: bool,
}

impl Set {
    pub(super) fn add(&mut self, value: &Scalar<'_>) {
        if *value == Scalar::Null {
            self.has_null = true;
            return;
        }
        let mut canonical = Vec::new();
        value.write_canonical(&mut canonical);
        self.values.insert(canonical.into());
    }

    /// What IN says of a value.
    pub(super) fn contains(&self, value: &Scalar<'_>) -> Option<bool> {
        if self.values.is_empty() && !self.has_null {
            return Some(false);
        }
        if *value == Scalar::Null {
            return None;
        }
        let mut canonical = Vec::with_capacity(24);
        value.write_canonical(&mut canonical);
        let is_in = self.values.contains(canonical.as_slice());
        (is_in || !self.has_null).then_some(is_in)
    }
}
