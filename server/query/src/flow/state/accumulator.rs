//! Aggregates that rows can be taken out of again.

use std::collections::BTreeMap;

use syncline_protocol::decimal::DecimalSum;
use syncline_protocol::packed::Reader;
use syncline_protocol::{Type, key};

use super::counter::Counter;
use crate::flow::mutant::Mutant;
use crate::plan::{Aggregate, AggregateCall};
use crate::scalar::{Kind, Scalar, is_nullable, or_failed};
use crate::sums::{FloatSum, IntSum};

/// State of one aggregate of one group.
#[derive(Debug)]
pub(super) enum Accumulator {
    Count(i64),
    Int(i64, IntSum),
    Float(i64, Box<FloatSum>),
    Decimal(i64, Box<DecimalSum>),
    /// Values without their option.
    Extreme(Box<Values>),
    /// TRUE and FALSE values.
    Truth(i64, i64),
    /// Each value once.
    Distinct(Box<(Counter, Accumulator)>),
}

/// A value, packed, and how often it is there.
type Counted = (Box<[u8]>, i64);

/// Values by memcomparable key.
#[derive(Debug, Default)]
pub(super) struct Values {
    counts: BTreeMap<Box<[u8]>, Counted>,
    /// Of the keys and the values.
    bytes: usize,
}

/// What a value costs in the tree beside its own bytes.
const VALUE_BYTES: usize = 48;

impl Values {
    fn add(&mut self, ordered: Box<[u8]>, packed: &[u8], weight: i64) {
        let bytes = ordered.len() + packed.len() + VALUE_BYTES;
        if weight > 0 {
            let (_, count) = self.counts.entry(ordered).or_insert_with(|| {
                self.bytes += bytes;
                (packed.into(), 0)
            });
            *count += weight;
        } else if let Some((_, count)) = self.counts.get_mut(&ordered) {
            *count += weight;
            if *count <= 0 {
                self.counts.remove(&ordered);
                self.bytes -= bytes;
            }
        }
    }
}

impl Accumulator {
    pub(super) fn new(call: &AggregateCall) -> Self {
        let plain = match call.function {
            Aggregate::Count => Self::Count(0),
            Aggregate::Min | Aggregate::Max => Self::Extreme(Box::default()),
            Aggregate::All | Aggregate::Any => Self::Truth(0, 0),
            Aggregate::Sum | Aggregate::Average => match call.arg_ty.non_null() {
                Type::F32 | Type::F64 => Self::Float(0, Box::default()),
                Type::Decimal => Self::Decimal(0, Box::default()),
                _ => Self::Int(0, IntSum::default()),
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
            Self::Int(count, sum) => {
                *count += weight;
                let value = Scalar::read(Kind::of(&call.arg_ty), false, value);
                for _ in 0..weight.unsigned_abs() {
                    change_int(sum, &value, weight > 0);
                }
            }
            Self::Float(count, sum) => {
                *count += weight;
                let value = Scalar::read(Kind::of(&call.arg_ty), false, value);
                if let Scalar::Float(value) = value {
                    for _ in 0..weight.unsigned_abs() {
                        sum.change(value, weight > 0);
                    }
                }
            }
            Self::Decimal(count, sum) => {
                *count += weight;
                if let Scalar::Decimal(value) = Scalar::read(Kind::Decimal, false, value) {
                    for _ in 0..weight.unsigned_abs() {
                        sum.add(if weight > 0 { value } else { -value });
                    }
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
                values.add(ordered.into_boxed_slice(), value, weight);
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
            Self::Int(0, _) if Mutant::EmptySum.is_on() => Scalar::Int(0),
            Self::Int(0, _) | Self::Float(0, _) | Self::Decimal(0, _) | Self::Truth(0, 0) => {
                Scalar::Null
            }
            Self::Int(count, sum) if is_average => Scalar::Float(sum.as_float() / *count as f64),
            Self::Int(_, sum) => or_failed(sum.total().map(Scalar::Int)),
            Self::Float(count, sum) if is_average => Scalar::Float(sum.total() / *count as f64),
            Self::Float(_, sum) => Scalar::Float(sum.total()),
            Self::Decimal(count, sum) if is_average => {
                let average = sum.average(count.unsigned_abs(), 0);
                or_failed(average.map(Scalar::Decimal))
            }
            Self::Decimal(_, sum) => or_failed(sum.value().map(Scalar::Decimal)),
            Self::Extreme(values) => {
                let best = match call.function {
                    Aggregate::Min => values.counts.first_key_value(),
                    _ => values.counts.last_key_value(),
                };
                best.map_or(Scalar::Null, |(_, (packed, _))| {
                    Scalar::read(Kind::of(&call.arg_ty), false, packed)
                })
            }
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
            Self::Extreme(values) => size_of::<Values>() + values.bytes,
            Self::Float(..) => size_of::<FloatSum>() + 32,
            Self::Decimal(..) => size_of::<DecimalSum>(),
            Self::Distinct(inner) => {
                size_of::<(Counter, Self)>() + inner.0.byte_len() + inner.1.byte_len()
            }
            _ => 0,
        }
    }
}

/// Adds an integer, or takes it away.
fn change_int(sum: &mut IntSum, value: &Scalar<'_>, is_added: bool) {
    match value {
        Scalar::Int(value) => sum.change(*value, is_added),
        Scalar::Huge(value) => {
            // Twice the half, and what is left of it.
            let half = (*value / 2) as i128;
            sum.change(half, is_added);
            sum.change(half, is_added);
            sum.change((*value % 2) as i128, is_added);
        }
        _ => {}
    }
}
