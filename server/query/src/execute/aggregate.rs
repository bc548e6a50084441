//! GROUP BY and aggregates of a one-off query.

use std::cmp::Ordering;
use std::hash::BuildHasher;
use std::ops::ControlFlow;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use syncline_protocol::Type;

use crate::plan::expr::Input;
use crate::plan::{Aggregate, AggregateCall, Grouping};
use crate::scalar::{Kind, Scalar};

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
        for (accumulator, call) in group.accumulators.iter_mut().zip(&self.grouping.calls) {
            match &call.arg {
                None => accumulator.add_row(),
                Some(arg) => match arg.eval(input) {
                    Scalar::Null => {}
                    value => accumulator.add(&value, call),
                },
            }
        }
        if self.list.len() > before {
            size_of::<Group>()
                + self.key.len()
                + self.grouping.calls.len() * size_of::<Accumulator>()
        } else {
            0
        }
    }

    /// Calls `visit` with each group's row until it breaks or fails.
    pub(crate) fn rows<E>(
        &self,
        mut visit: impl FnMut(&[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut row = Vec::new();
        for group in &self.list {
            row.clear();
            row.extend_from_slice(&group.key);
            for (accumulator, call) in group.accumulators.iter().zip(&self.grouping.calls) {
                accumulator.result(call).write(&call.ty, &mut row);
            }
            if visit(&row)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// State of one aggregate of one group.
#[derive(Debug)]
enum Accumulator {
    Count(i64),
    /// `None` after an overflow of 128 bits.
    Int {
        count: u64,
        sum: Option<i128>,
    },
    Float {
        count: u64,
        sum: FloatSum,
    },
    /// The packed value, of the argument's type.
    Extreme(Option<Vec<u8>>),
}

/// Neumaier's compensated sum: the rounding errors are summed too.
#[derive(Clone, Copy, Debug, Default)]
struct FloatSum {
    sum: f64,
    lost: f64,
}

impl FloatSum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    fn total(self) -> f64 {
        if self.sum.is_finite() {
            self.sum + self.lost
        } else {
            self.sum
        }
    }
}

impl Accumulator {
    fn new(call: &AggregateCall) -> Self {
        match call.function {
            Aggregate::Count => Self::Count(0),
            Aggregate::Min | Aggregate::Max | Aggregate::All | Aggregate::Any => {
                Self::Extreme(None)
            }
            Aggregate::Sum | Aggregate::Average => match call.arg_ty.non_null() {
                Type::F32 | Type::F64 => Self::Float {
                    count: 0,
                    sum: FloatSum::default(),
                },
                _ => Self::Int {
                    count: 0,
                    sum: Some(0),
                },
            },
        }
    }

    fn add_row(&mut self) {
        if let Self::Count(count) = self {
            *count += 1;
        }
    }

    fn add(&mut self, value: &Scalar<'_>, call: &AggregateCall) {
        match self {
            Self::Count(count) => *count += 1,
            Self::Int { count, sum } => {
                *count += 1;
                *sum = match value {
                    Scalar::Int(value) => sum.and_then(|sum| sum.checked_add(*value)),
                    _ => None,
                };
            }
            Self::Float { count, sum } => {
                *count += 1;
                if let Scalar::Float(value) = value {
                    sum.add(*value);
                }
            }
            Self::Extreme(best) => {
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
    }

    fn result(&self, call: &AggregateCall) -> Scalar<'_> {
        let is_average = call.function == Aggregate::Average;
        match self {
            Self::Count(count) => Scalar::Int((*count).into()),
            Self::Int { count: 0, .. }
            | Self::Float { count: 0, .. }
            | Self::Int { sum: None, .. }
            | Self::Extreme(None) => Scalar::Null,
            Self::Int {
                count,
                sum: Some(sum),
            } if is_average => Scalar::Float(*sum as f64 / *count as f64),
            Self::Int { sum: Some(sum), .. } => Scalar::Int(*sum),
            Self::Float { count, sum } if is_average => Scalar::Float(sum.total() / *count as f64),
            Self::Float { sum, .. } => Scalar::Float(sum.total()),
            Self::Extreme(Some(packed)) => Scalar::read(Kind::of(&call.arg_ty), false, packed),
        }
    }
}
