//! What an evaluation shares over all queries in it: the tables, what has been looked at and held so far, and the
//! answers of sub-queries.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use syncline_protocol::limits::{QUERY_BYTES_MAX, QUERY_SCAN_ROWS_MAX};
use syncline_protocol::{ErrorCode, RowLayout, TableId, Type};
use syncline_store::{Database, Table};

use super::join::{Buffer, Join};
use super::{Flow, over_limit};
use crate::error::QueryError;
use crate::plan::expr::{Params, Slot, SubQueries};
use crate::plan::{Query, Select, SubQuery};
use crate::scalar::{Scalar, is_nullable};

/// One evaluation.
pub(super) struct Runner<'a> {
    pub(super) db: &'a Database,
    pub(super) params: Params<'a>,
    looked_at: Cell<usize>,
    held: Cell<usize>,
    failed: Cell<bool>,
    error: RefCell<Option<QueryError>>,
    /// By the address of the select, which does not move while it is evaluated.
    joins: RefCell<HashMap<usize, Rc<Join<'a>>, FixedState>>,
    /// All sub-queries of the plan, by address.
    sub_queries: HashMap<usize, &'a SubQuery, FixedState>,
    answers: RefCell<Answers>,
    pub(super) nothing: RowLayout,
}

/// By the address of a sub-query and its outer tuple.
type Answers = HashMap<(usize, Box<[u8]>), Answer, FixedState>;

/// What a sub-query has for an outer tuple.
#[derive(Clone)]
enum Answer {
    Exists(bool),
    /// Packed.
    Scalar(Rc<[u8]>),
    Set(Rc<Set>),
}

/// The values of a sub-query's column, in canonical form.
#[derive(Default)]
struct Set {
    values: HashSet<Box<[u8]>, FixedState>,
    has_null: bool,
}

impl fmt::Debug for Runner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("looked_at", &self.looked_at)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl<'a> Runner<'a> {
    pub(super) fn new(db: &'a Database, query: &'a Query, params: Params<'a>) -> Self {
        let hasher = FixedState::with_seed(0);
        let mut sub_queries = HashMap::with_hasher(hasher.clone());
        query.for_each_sub_query(&mut |sub_query| {
            sub_queries.insert(address(sub_query), sub_query);
        });
        Self {
            db,
            params,
            looked_at: Cell::new(0),
            held: Cell::new(0),
            failed: Cell::new(false),
            error: RefCell::new(None),
            joins: RefCell::new(HashMap::with_hasher(hasher.clone())),
            sub_queries,
            answers: RefCell::new(HashMap::with_hasher(hasher)),
            nothing: RowLayout::new(Vec::new()),
        }
    }

    pub(super) fn table(&self, id: TableId) -> Result<&'a Table, QueryError> {
        self.db.table(id).ok_or_else(|| {
            let message = "a table of this query is gone";
            QueryError::new(ErrorCode::SqlUnknownTable, message)
        })
    }

    /// Counts a row.
    pub(super) fn look(&self) -> Flow {
        let count = self.looked_at.get() + 1;
        self.looked_at.set(count);
        if count > QUERY_SCAN_ROWS_MAX {
            let message = format!("the query looks at over {QUERY_SCAN_ROWS_MAX} rows");
            return Flow::Break(Err(over_limit(&message)));
        }
        Flow::Continue(())
    }

    pub(super) fn looked_at(&self) -> u64 {
        self.looked_at.get() as u64
    }

    /// Counts bytes that are kept until the end.
    pub(super) fn hold(&self, bytes: usize) -> Flow {
        let held = self.held.get() + bytes;
        self.held.set(held);
        if held > QUERY_BYTES_MAX {
            let message = format!("the query holds over {QUERY_BYTES_MAX} bytes");
            return Flow::Break(Err(over_limit(&message)));
        }
        Flow::Continue(())
    }

    /// Breaks if a sub-query has failed.
    pub(super) fn check(&self) -> Flow {
        if !self.failed.get() {
            return Flow::Continue(());
        }
        match self.error.borrow_mut().take() {
            Some(error) => Flow::Break(Err(error)),
            None => Flow::Break(Ok(())),
        }
    }

    fn fail(&self, error: QueryError) {
        self.failed.set(true);
        self.error.borrow_mut().get_or_insert(error);
    }

    /// All rows of a query in FROM.
    pub(super) fn buffer(&self, query: &'a Query) -> Result<Buffer, QueryError> {
        let mut buffer = Buffer::default();
        let nothing = Params {
            layout: &self.nothing,
            packed: &[],
        };
        let flow = self.query(query, query.limit, nothing, &mut |row| {
            buffer.push(row);
            self.hold(row.len() + size_of::<usize>())
        });
        debug_assert!(buffer.byte_len() <= self.held.get(), "it was counted");
        finished(flow)?;
        Ok(buffer)
    }

    /// The loops of a select, ordered when it is first evaluated.
    pub(super) fn join(&self, select: &'a Select) -> Result<Rc<Join<'a>>, QueryError> {
        let place = std::ptr::from_ref(select).addr();
        if let Some(join) = self.joins.borrow().get(&place) {
            return Ok(Rc::clone(join));
        }
        let join = Rc::new(Join::new(self, select)?);
        self.joins.borrow_mut().insert(place, Rc::clone(&join));
        Ok(join)
    }

    /// What `make` says about a sub-query for an outer tuple, remembered.
    fn answer(
        &self,
        sub_query: &SubQuery,
        outer: &[u8],
        make: impl FnOnce(&Self, &'a Query, Params<'_>) -> Result<Answer, QueryError>,
    ) -> Option<Answer> {
        if self.failed.get() {
            return None;
        }
        let place = address(sub_query);
        let key = (place, Box::from(outer));
        if let Some(answer) = self.answers.borrow().get(&key) {
            return Some(answer.clone());
        }
        let own = *self
            .sub_queries
            .get(&place)
            .expect("the plan does not move");
        let types = own.outer.iter().map(|(_, ty)| ty.clone()).collect();
        let layout = RowLayout::new(types);
        let params = Params {
            layout: &layout,
            packed: outer,
        };
        let made = make(self, &own.query, params).and_then(|answer| {
            let size = size_of::<Answer>() + size_of::<(usize, Box<[u8]>)>();
            finished(self.hold(size + outer.len()))?;
            Ok(answer)
        });
        match made {
            Ok(answer) => {
                self.answers.borrow_mut().insert(key, answer.clone());
                Some(answer)
            }
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }
}

fn address(sub_query: &SubQuery) -> usize {
    std::ptr::from_ref(sub_query).addr()
}

/// The end of a flow.
pub(super) fn finished(flow: Flow) -> Result<(), QueryError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(result) => result,
    }
}

/// The value of the first column of a row.
fn first_value<'r>(query: &Query, layout: &RowLayout, row: &'r [u8]) -> Scalar<'r> {
    let slot = Slot::new(0, &query.outputs[0].ty);
    Scalar::read(slot.kind, slot.nullable, layout.column(row, 0))
}

impl SubQueries for Runner<'_> {
    fn exists(&self, sub_query: &SubQuery, outer: &[u8]) -> bool {
        let answer = self.answer(sub_query, outer, |runner, query, outer| {
            let mut found = false;
            let flow = runner.query(query, query.limit, outer, &mut |_| {
                found = true;
                Flow::Break(Ok(()))
            });
            finished(flow)?;
            Ok(Answer::Exists(found))
        });
        matches!(answer, Some(Answer::Exists(true)))
    }

    fn contains(&self, sub_query: &SubQuery, outer: &[u8], value: &Scalar<'_>) -> Option<bool> {
        let answer = self.answer(sub_query, outer, |runner, query, outer| {
            let mut set = Set::default();
            let layout = query.layout();
            let flow = runner.query(query, query.limit, outer, &mut |row| {
                match first_value(query, &layout, row) {
                    Scalar::Null => set.has_null = true,
                    value => {
                        let mut form = Vec::new();
                        value.write_canonical(&mut form);
                        let size = form.len() + size_of::<Box<[u8]>>();
                        if set.values.insert(form.into()) {
                            return runner.hold(size);
                        }
                    }
                }
                Flow::Continue(())
            });
            finished(flow)?;
            Ok(Answer::Set(Rc::new(set)))
        });
        let Some(Answer::Set(set)) = answer else {
            return None;
        };
        if set.values.is_empty() && !set.has_null {
            return Some(false);
        }
        if *value == Scalar::Null {
            return None;
        }
        let mut form = Vec::new();
        value.write_canonical(&mut form);
        if set.values.contains(form.as_slice()) {
            return Some(true);
        }
        (!set.has_null).then_some(false)
    }

    fn scalar(&self, sub_query: &SubQuery, outer: &[u8], out: &mut Vec<u8>) {
        let answer = self.answer(sub_query, outer, |runner, query, outer| {
            let mut value: Rc<[u8]> = Rc::new([]);
            let layout = query.layout();
            let flow = runner.query(query, query.limit, outer, &mut |row| {
                value = layout.column(row, 0).into();
                Flow::Break(Ok(()))
            });
            finished(flow)?;
            Ok(Answer::Scalar(value))
        });
        match answer {
            Some(Answer::Scalar(value)) => out.extend_from_slice(&value),
            // Whatever it is, the evaluation has failed.
            _ => write_any(&sub_query.query.outputs[0].ty, out),
        }
    }
}

/// Some value of the type.
fn write_any(ty: &Type, out: &mut Vec<u8>) {
    match ty.fixed_len() {
        _ if is_nullable(ty) => out.push(1),
        Some(len) => out.resize(out.len() + len, 0),
        // Reads as NULL.
        None => {}
    }
}
