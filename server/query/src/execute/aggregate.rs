//! GROUP BY and aggregates of a one-off query.

use std::cmp::Ordering;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::{HashSet, HashTable};
use syncline_protocol::Type;
use syncline_protocol::decimal::DecimalSum;

use super::Flow;
use crate::plan::expr::Input;
use crate::plan::{Aggregate, AggregateCall, Grouping};
use crate::scalar::{Kind, Scalar, or_failed};
use crate::sums::{FloatSum, IntSum};

/// The groups of a query, in the order of their first rows.
#[derive(Debug)]
pub(crate) struct Groups<'p> {
    grouping: &'p Grouping,
    by_key: HashTable<u32>,
    hasher: FixedState,
    list: Vec<Group>,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Group {
    /// Packed keys.
    key: Box<[u8]>,
    accumulators: Vec<Accumulator>,
}

impl<'p> Groups<'p> {
    pub(crate) fn new(grouping: &'p Grouping) -> Self {
        let mut groups = Self {
            grouping,
            by_key: HashTable::new(),
            hasher: FixedState::with_seed(0),
            list: Vec::new(),
            key: Vec::new(),
        };
        if grouping.keys.is_empty() {
            groups.find();
        }
        groups
    }

    /// Position of the group with the key in `self.key`.
    fn find(&mut self) -> usize {
        let hash = self.hasher.hash_one(self.key.as_slice());
        let is_same = |index: &u32| *self.list[*index as usize].key == *self.key;
        if let Some(index) = self.by_key.find(hash, is_same) {
            return *index as usize;
        }
        let index = self.list.len();
        let accumulators = self.grouping.calls.iter().map(Accumulator::new).collect();
        self.list.push(Group {
            key: self.key.as_slice().into(),
            accumulators,
        });
        let (groups, hasher) = (&self.list, &self.hasher);
        self.by_key.insert_unique(hash, index as u32, |index| {
            hasher.hash_one(&*groups[*index as usize].key)
        });
        index
    }

    /// Adds a row; the bytes it made the groups grow by.
    pub(crate) fn add(&mut self, input: &Input<'_>) -> usize {
        self.key.clear();
        for (expr, ty) in &self.grouping.keys {
            expr.eval(input).write(ty, &mut self.key);
        }
        let before = self.list.len();
        let index = self.find();
        let group = &mut self.list[index];
        let mut grown = 0;
        for (accumulator, call) in group.accumulators.iter_mut().zip(&self.grouping.calls) {
            match &call.arg {
                None => accumulator.add_row(),
                Some(arg) => match arg.eval(input) {
                    Scalar::Null => {}
                    value => grown += accumulator.add(&value, call),
                },
            }
        }
        if self.list.len() > before {
            grown
                + size_of::<Group>()
                + self.key.len()
                + self.grouping.calls.len() * size_of::<Accumulator>()
        } else {
            grown
        }
    }

    /// Whether it only counts rows, all of them in one group.
    pub(crate) fn only_counts(grouping: &Grouping) -> bool {
        let is_count = |call: &AggregateCall| {
            call.function == Aggregate::Count && call.arg.is_none() && !call.distinct
        };
        grouping.keys.is_empty() && grouping.calls.iter().all(is_count)
    }

    /// Adds so many rows, which are only counted.
    pub(crate) fn add_rows(&mut self, count: usize) {
        let index = self.find();
        for accumulator in &mut self.list[index].accumulators {
            accumulator.add_rows(count);
        }
    }

    /// Calls `visit` with each group's row until it breaks or fails.
    pub(crate) fn rows(&self, mut visit: impl FnMut(&[u8]) -> Flow) -> Flow {
        let mut row = Vec::new();
        for group in &self.list {
            row.clear();
            row.extend_from_slice(&group.key);
            for (accumulator, call) in group.accumulators.iter().zip(&self.grouping.calls) {
                accumulator.result(call).write(&call.ty, &mut row);
            }
            visit(&row)?;
        }
        Flow::Continue(())
    }
}

/// State of one aggregate of one group.
#[derive(Debug)]
struct Accumulator {
    /// The values so far, in canonical form, if equal ones count once.
    seen: Option<HashSet<Box<[u8]>, FixedState>>,
    state: State,
}

#[derive(Debug)]
enum State {
    Count(i64),
    Int {
        count: u64,
        sum: IntSum,
    },
    Float {
        count: u64,
        sum: FloatSum,
    },
    Decimal {
        count: u64,
        sum: DecimalSum,
    },
    /// The packed value, of the argument's type.
    Extreme(Option<Vec<u8>>),
}

impl Accumulator {
    fn new(call: &AggregateCall) -> Self {
        let state = match call.function {
            Aggregate::Count => State::Count(0),
            Aggregate::Min | Aggregate::Max | Aggregate::All | Aggregate::Any => {
                State::Extreme(None)
            }
            Aggregate::Sum | Aggregate::Average => match call.arg_ty.non_null() {
                Type::F32 | Type::F64 => State::Float {
                    count: 0,
                    sum: FloatSum::default(),
                },
                Type::Decimal => State::Decimal {
                    count: 0,
                    sum: DecimalSum::default(),
                },
                _ => State::Int {
                    count: 0,
                    sum: IntSum::default(),
                },
            },
        };
        let seen = call
            .distinct
            .then(|| HashSet::with_hasher(FixedState::with_seed(0)));
        Self { seen, state }
    }

    fn add_row(&mut self) {
        self.add_rows(1);
    }

    fn add_rows(&mut self, rows: usize) {
        if let State::Count(count) = &mut self.state {
            *count += rows as i64;
        }
    }

    /// Adds a value that is not NULL; the bytes that this takes.
    fn add(&mut self, value: &Scalar<'_>, call: &AggregateCall) -> usize {
        let mut grown = 0;
        if let Some(seen) = &mut self.seen {
            let mut form = Vec::new();
            value.write_canonical(&mut form);
            grown = form.len() + size_of::<Box<[u8]>>();
            if !seen.insert(form.into()) {
                return 0;
            }
        }
        match &mut self.state {
            State::Count(count) => *count += 1,
            State::Int { count, sum } => {
                *count += 1;
                match value {
                    Scalar::Int(value) => sum.change(*value, true),
                    Scalar::Huge(value) => {
                        // Twice the half, and what is left of it.
                        let half = (*value / 2) as i128;
                        sum.change(half, true);
                        sum.change(half, true);
                        sum.change((*value % 2) as i128, true);
                    }
                    _ => {}
                }
            }
            State::Float { count, sum } => {
                *count += 1;
                if let Scalar::Float(value) = value {
                    sum.change(*value, true);
                }
            }
            State::Decimal { count, sum } => {
                *count += 1;
                if let Scalar::Decimal(value) = value {
                    sum.add(*value);
                }
            }
            State::Extreme(best) => {
                let ty = call.arg_ty.non_null();
                let is_better = best.as_deref().is_none_or(|best| {
                    let order = value.compare(&Scalar::read(Kind::of(ty), false, best));
                    match call.function {
                        Aggregate::Min | Aggregate::All => order == Some(Ordering::Less),
                        _ => order == Some(Ordering::Greater),
                    }
                });
                if is_better {
                    let packed = best.get_or_insert_default();
                    packed.clear();
                    value.write(ty, packed);
                }
            }
        }
        grown
    }

    fn result(&self, call: &AggregateCall) -> Scalar<'_> {
        let is_average = call.function == Aggregate::Average;
        match &self.state {
            State::Count(count) => Scalar::Int((*count).into()),
            State::Int { count: 0, .. }
            | State::Float { count: 0, .. }
            | State::Decimal { count: 0, .. }
            | State::Extreme(None) => Scalar::Null,
            State::Int { count, sum } if is_average => {
                Scalar::Float(sum.as_float() / *count as f64)
            }
            State::Int { sum, .. } => or_failed(sum.total().map(Scalar::Int)),
            State::Float { count, sum } if is_average => Scalar::Float(sum.total() / *count as f64),
            State::Float { sum, .. } => Scalar::Float(sum.total()),
            State::Decimal { count, sum } if is_average => {
                or_failed(sum.average(*count, 0).map(Scalar::Decimal))
            }
            State::Decimal { sum, .. } => or_failed(sum.value().map(Scalar::Decimal)),
            State::Extreme(Some(packed)) => Scalar::read(Kind::of(&call.arg_ty), false, packed),
        }
    }
}
