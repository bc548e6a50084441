//! Aggregates that rows can be taken out of again.

use std::collections::BTreeMap;

use syncline_protocol::packed::Reader;
use syncline_protocol::{Type, key};

use super::counter::Counter;
use crate::plan::{Aggregate, AggregateCall};
use crate::scalar::{Kind, Scalar, is_nullable};

/// State of one aggregate of one group.
#[derive(Debug)]
pub(super) enum Accumulator {
    Count(i64),
    Int(IntSum),
    Float(Box<FloatSum>),
    /// Values without their option.
    Extreme(Values),
    /// TRUE and FALSE values.
    Truth(i64, i64),
    /// Each value once.
    Distinct(Box<(Counter, Accumulator)>),
}

/// Values by memcomparable key: packed, and how often.
type Values = BTreeMap<Box<[u8]>, (Box<[u8]>, i64)>;

/// An exact sum of integers: 128 bits and a carry above them.
#[derive(Debug, Default)]
pub(super) struct IntSum {
    count: i64,
    low: i128,
    carry: i64,
    /// Values of over 127 bits: a sum with one of them is NULL.
    huge_count: i64,
}

impl IntSum {
    fn add(&mut self, value: &Scalar<'_>, weight: i64) {
        self.count += weight;
        let Scalar::Int(value) = value else {
            self.huge_count += weight;
            return;
        };
        for _ in 0..weight.unsigned_abs() {
            let (sum, is_over) = if weight > 0 {
                self.low.overflowing_add(*value)
            } else {
                self.low.overflowing_sub(*value)
            };
            if is_over {
                // The sign says over which end.
                self.carry += if sum < 0 { 1 } else { -1 };
            }
            self.low = sum;
        }
    }

    fn sum(&self) -> Option<i128> {
        (self.count > 0 && self.carry == 0 && self.huge_count == 0).then_some(self.low)
    }
}

/// A sum of floats. What is not finite is counted and not added, so that it can go again.
#[derive(Debug, Default)]
pub(super) struct FloatSum {
    count: i64,
    sum: f64,
    nan_count: i64,
    /// Of plus and minus infinity.
    infinite: [i64; 2],
}

impl FloatSum {
    fn add(&mut self, value: f64, weight: i64) {
        self.count += weight;
        if value.is_nan() {
            self.nan_count += weight;
        } else if value.is_infinite() {
            self.infinite[usize::from(value < 0.0)] += weight;
        } else {
            self.sum += value * weight as f64;
        }
    }

    fn count(&self) -> i64 {
        self.count
    }

    fn total(&self) -> Option<f64> {
        let total = match self.infinite {
            _ if self.nan_count > 0 => f64::NAN,
            [0, 0] => self.sum,
            [_, 0] => f64::INFINITY,
            [0, _] => f64::NEG_INFINITY,
            _ => f64::NAN,
        };
        (self.count > 0).then_some(total)
    }
}

impl Accumulator {
    pub(super) fn new(call: &AggregateCall) -> Self {
        let plain = match call.function {
            Aggregate::Count => Self::Count(0),
            Aggregate::Min | Aggregate::Max => Self::Extreme(BTreeMap::new()),
            Aggregate::All | Aggregate::Any => Self::Truth(0, 0),
            Aggregate::Sum | Aggregate::Average => match call.arg_ty.non_null() {
                Type::F32 | Type::F64 => Self::Float(Box::default()),
                _ => Self::Int(IntSum::default()),
            },
        };
        // An extreme is the same with and without doubles.
        if call.distinct && !matches!(plain, Self::Extreme(_) | Self::Truth(..)) {
            Self::Distinct(Box::new((Counter::default(), plain)))
        } else {
            plain
        }
    }

    /// Adds rows, or takes them away with a negative weight; `packed` is the argument, or nothing for
    /// `COUNT(*)`.
    pub(super) fn add(&mut self, packed: Option<&[u8]>, call: &AggregateCall, weight: i64) {
        let Some(packed) = packed else {
            if let Self::Count(count) = self {
                *count += weight;
            }
            return;
        };
        let nullable = is_nullable(&call.arg_ty);
        if nullable && packed.first() == Some(&1) {
            return;
        }
        let value = &packed[usize::from(nullable)..];
        match self {
            Self::Count(count) => *count += weight,
            Self::Int(sum) => sum.add(&Scalar::read(Kind::of(&call.arg_ty), false, value), weight),
            Self::Float(sum) => {
                if let Scalar::Float(value) = Scalar::read(Kind::of(&call.arg_ty), false, value) {
                    sum.add(value, weight);
                }
            }
            Self::Extreme(values) => {
                let mut ordered = Vec::new();
                key::encode(
                    call.arg_ty.non_null(),
                    &mut Reader::new(value),
                    &mut ordered,
                )
                .expect("it was packed by the plan");
                let ordered = ordered.into_boxed_slice();
                if weight > 0 {
                    values.entry(ordered).or_insert_with(|| (value.into(), 0)).1 += weight;
                } else if let Some((_, count)) = values.get_mut(&ordered) {
                    *count += weight;
                    if *count <= 0 {
                        values.remove(&ordered);
                    }
                }
            }
            Self::Truth(yes, no) => {
                if value == [1] {
                    *yes += weight;
                } else {
                    *no += weight;
                }
            }
            Self::Distinct(inner) => {
                let (counter, plain) = inner.as_mut();
                let step = counter.add(packed, weight);
                if step != 0 {
                    plain.add(Some(packed), call, step.into());
                }
            }
        }
    }

    pub(super) fn result(&self, call: &AggregateCall) -> Scalar<'_> {
        let is_average = call.function == Aggregate::Average;
        match self {
            Self::Count(count) => Scalar::Int((*count).into()),
            Self::Int(sum) => match sum.sum() {
                Some(total) if is_average => Scalar::Float(total as f64 / sum.count as f64),
                Some(total) => Scalar::Int(total),
                None => Scalar::Null,
            },
            Self::Float(sum) => match sum.total() {
                Some(total) if is_average => Scalar::Float(total / sum.count() as f64),
                Some(total) => Scalar::Float(total),
                None => Scalar::Null,
            },
            Self::Extreme(values) => {
                let best = match call.function {
                    Aggregate::Min => values.first_key_value(),
                    _ => values.last_key_value(),
                };
                best.map_or(Scalar::Null, |(_, (packed, _))| {
                    Scalar::read(Kind::of(&call.arg_ty), false, packed)
                })
            }
            Self::Truth(0, 0) => Scalar::Null,
            Self::Truth(yes, no) => Scalar::Bool(match call.function {
                Aggregate::All => *no == 0,
                _ => *yes > 0,
            }),
            Self::Distinct(inner) => inner.1.result(call),
        }
    }

    /// Bytes of memory beside its own, roughly.
    pub(super) fn byte_len(&self) -> usize {
        match self {
            Self::Extreme(values) => values.iter().next().map_or(0, |(key, (value, _))| {
                values.len() * (key.len() + value.len() + 48)
            }),
            Self::Float(_) => size_of::<FloatSum>(),
            Self::Distinct(inner) => {
                size_of::<(Counter, Self)>() + inner.0.byte_len() + inner.1.byte_len()
            }
            _ => 0,
        }
    }
}
