//! Bounds of a column, as numbers that a grid can be made of.
//!
//! Each value of a column has a grid key: a number whose order is that of the values, so that a value
//! between two bounds has a key between theirs. Several values may have one key (texts that begin alike,
//! integers beyond 64 bits); who is found is verified then, so that costs time and nothing else. Where each value has
//! a key of its own and the bounds are all that is asked, who is found is known to be right ([`Span::is_exactly`]).

use crate::plan::expr::{Expr, Params, Slot, like_prefix};
use crate::scalar::{Kind, Scalar};
use crate::syntax::CompareOp;

/// What a route asks of a column's order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(super) axis: Axis,
    lower: Option<Expr>,
    upper: Option<Expr>,
    beginning: Option<Beginning>,
}

/// The text or bytes that a value begins with.
#[derive(Clone, Debug, PartialEq)]
enum Beginning {
    /// What comes before the first sign of a pattern, with its escape.
    Pattern(Expr, Option<u8>),
    Text(Expr),
}

/// A column whose values have an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) column: u16,
    kind: Kind,
    nullable: bool,
}

/// The keys from the first to the second, both inside.
pub(super) type Bounds = [u64; 2];

/// No bound at all.
pub(super) const EVERYTHING: Bounds = [0, u64::MAX];

/// What values of one class have in common: they compare with each other.
fn class(kind: Kind) -> Option<u8> {
    match kind {
        Kind::Bool => None,
        Kind::Decimal => Some(1),
        Kind::Sized => Some(2),
        Kind::Raw => Some(3),
        _ => Some(0),
    }
}

fn slot_of(constant: &Expr) -> Option<Slot> {
    match constant {
        Expr::Literal(literal) => Some(Slot::new(0, &literal.ty)),
        Expr::Param(slot) => Some(*slot),
        _ => None,
    }
}

fn value<'a>(constant: &'a Expr, params: Params<'a>) -> Option<Scalar<'a>> {
    let slot = slot_of(constant)?;
    let packed = constant.constant(params)?;
    Some(Scalar::read(slot.kind, slot.nullable, packed))
}

impl Span {
    fn of(axis: Axis) -> Self {
        Self {
            axis,
            lower: None,
            upper: None,
            beginning: None,
        }
    }

    /// The span of a comparison with a constant.
    pub(super) fn of_compare(op: CompareOp, column: Slot, constant: &Expr) -> Option<Self> {
        let slot = slot_of(constant)?;
        if class(column.kind)? != class(slot.kind)? {
            return None;
        }
        let mut span = Self::of(Axis::of(column));
        match op {
            CompareOp::Less | CompareOp::LessOrEqual => span.upper = Some(constant.clone()),
            CompareOp::Greater | CompareOp::GreaterOrEqual => span.lower = Some(constant.clone()),
            CompareOp::Equal | CompareOp::NotEqual => return None,
        }
        Some(span)
    }

    /// The span of `column LIKE pattern`.
    pub(super) fn of_pattern(column: Slot, pattern: &Expr, escape: Option<u8>) -> Option<Self> {
        Self::of_beginning(column, pattern, Beginning::Pattern(pattern.clone(), escape))
    }

    /// The span of `starts_with(column, text)`.
    pub(super) fn of_text(column: Slot, text: &Expr) -> Option<Self> {
        Self::of_beginning(column, text, Beginning::Text(text.clone()))
    }

    fn of_beginning(column: Slot, constant: &Expr, beginning: Beginning) -> Option<Self> {
        let slot = slot_of(constant)?;
        let is_text = column.kind == Kind::Sized && slot.kind == Kind::Sized;
        is_text.then(|| Self {
            beginning: Some(beginning),
            ..Self::of(Axis::of(column))
        })
    }

    /// Takes what another span of the column asks too, where nothing was asked yet.
    pub(super) fn narrow(&mut self, other: &Self) {
        let Self {
            lower,
            upper,
            beginning,
            ..
        } = other;
        self.lower = self.lower.take().or_else(|| lower.clone());
        self.upper = self.upper.take().or_else(|| upper.clone());
        self.beginning = self.beginning.take().or_else(|| beginning.clone());
    }

    /// Whether both ends are bounded.
    pub(super) fn is_closed(&self) -> bool {
        self.lower.is_some() && self.upper.is_some()
    }

    pub(super) fn is_beginning(&self) -> bool {
        self.beginning.is_some()
    }

    /// Bounds that it has.
    pub(super) fn bound_count(&self) -> usize {
        usize::from(self.lower.is_some()) + usize::from(self.upper.is_some())
    }

    /// Whether a condition is one of its bounds, and one value has one key: then a key between the bounds says
    /// that the condition holds.
    pub(super) fn is_exactly(&self, condition: &Expr) -> bool {
        let Expr::Compare(op, left, constant) = condition else {
            return false;
        };
        let bound = match op {
            CompareOp::LessOrEqual => &self.upper,
            CompareOp::GreaterOrEqual => &self.lower,
            _ => return false,
        };
        matches!(**left, Expr::Column(slot) if Axis::of(slot) == self.axis)
            && self.axis.has_key_for_each()
            && slot_of(constant).is_some_and(|slot| slot.kind == self.axis.kind)
            && bound.as_ref() == Some(&**constant)
    }

    /// Forgets all but the beginning, which is looked up by itself.
    pub(super) fn keep_beginning(&mut self) {
        (self.lower, self.upper) = (None, None);
    }

    pub(super) fn drop_beginning(&mut self) {
        self.beginning = None;
    }

    /// The bounds with these parameters; `None` if nothing can be inside.
    pub(super) fn bounds(&self, params: Params<'_>) -> Option<Bounds> {
        let [mut low, mut high] = EVERYTHING;
        if let Some(lower) = &self.lower {
            low = self.axis.key(&value(lower, params)?)?;
        }
        if let Some(upper) = &self.upper {
            high = self.axis.key(&value(upper, params)?)?;
        }
        (low <= high).then_some([low, high])
    }

    /// The beginning with these parameters; `None` if nothing has it.
    pub(super) fn beginning(&self, params: Params<'_>) -> Option<Vec<u8>> {
        let (constant, escape) = match self.beginning.as_ref()? {
            Beginning::Pattern(pattern, escape) => (pattern, Some(*escape)),
            Beginning::Text(text) => (text, None),
        };
        let Scalar::Bytes(text) = value(constant, params)? else {
            return None;
        };
        Some(match escape {
            Some(escape) => like_prefix(&text, escape),
            None => text.into_owned(),
        })
    }
}

impl Axis {
    fn of(column: Slot) -> Self {
        Self {
            column: column.index,
            kind: column.kind,
            nullable: column.nullable,
        }
    }

    /// Whether it has no NULLs, and each other value a key of its own.
    fn has_key_for_each(self) -> bool {
        use Kind::{I8, I16, I32, I64, U8, U16, U32, U64};
        let is_word = matches!(self.kind, I8 | I16 | I32 | I64 | U8 | U16 | U32 | U64);
        is_word && !self.nullable
    }

    pub(super) fn read(self, packed: &[u8]) -> Scalar<'_> {
        Scalar::read(self.kind, self.nullable, packed)
    }

    /// The grid key of a packed value of the column; `None` is NULL.
    pub(super) fn packed_key(self, packed: &[u8]) -> Option<u64> {
        self.key(&self.read(packed))
    }

    /// The grid key of a value that compares with those of the column; `None` is NULL.
    pub(super) fn key(self, value: &Scalar<'_>) -> Option<u64> {
        Some(match (self.kind, value) {
            (_, Scalar::Null | Scalar::Bool(_)) => return None,
            (Kind::F32 | Kind::F64, Scalar::Int(value)) => float_key(*value as f64),
            (Kind::F32 | Kind::F64, Scalar::Huge(value)) => float_key(*value as f64),
            (Kind::F32 | Kind::F64, Scalar::Float(value)) => float_key(*value),
            (Kind::U64 | Kind::U128, Scalar::Int(value)) => {
                (*value).clamp(0, u64::MAX.into()) as u64
            }
            (_, Scalar::Int(value)) => sign_key(clamped(*value)),
            (_, Scalar::Huge(_)) => u64::MAX,
            // A NaN is greater than every number, and would be cast to zero.
            (_, Scalar::Float(value)) if value.is_nan() => u64::MAX,
            (Kind::U64 | Kind::U128, Scalar::Float(value)) => value.floor() as u64,
            (_, Scalar::Float(value)) => sign_key(value.floor() as i64),
            (_, Scalar::Decimal(value)) => first_word(&value.to_memcomparable()),
            (_, Scalar::Bytes(bytes)) => first_word(bytes),
        })
    }
}

fn clamped(value: i128) -> i64 {
    value.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Flips the sign, so that negative numbers come first.
fn sign_key(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}

fn first_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    let len = bytes.len().min(8);
    word[..len].copy_from_slice(&bytes[..len]);
    u64::from_be_bytes(word)
}

/// Linear up to 2^30, in steps of 2^-30, so that boxes of one size are of one size wherever they are; by
/// magnitude beyond. NaN comes last.
fn float_key(value: f64) -> u64 {
    const LINEAR_END: f64 = 1_073_741_824.0;
    if value.is_nan() {
        return u64::MAX;
    }
    let size = value.abs();
    if size <= LINEAR_END {
        return sign_key((value * LINEAR_END).floor() as i64);
    }
    // At most 993 octaves follow, each of 2^52 floats: the sum is below 2^63.
    let beyond = (size.to_bits() - LINEAR_END.to_bits()) as i64;
    let magnitude = (1 << 60) + beyond;
    sign_key(if value < 0.0 { -magnitude } else { magnitude })
}
