//! Conditions over several sources as seen from one of them: what they say about its rows once those of
//! other sources are known. The known parts become parameters, so that the table's paths can be chosen as
//! for a query of one table.

use std::borrow::Cow;

use syncline_protocol::{RowLayout, Type};

use crate::bind::keys::sources_of;
use crate::plan::expr::{CastTo, Expr, Function, Input, NumberClass, Slot};
use crate::scalar::{Kind, Scalar, int_fits, is_nullable};
use crate::syntax::CompareOp;

/// A condition over the rows of one source, as source 0, and the parameters in it.
#[derive(Debug)]
pub(super) struct Fed<'p> {
    pub(super) filter: Option<Expr>,
    /// Borrowed where they can be: sub-queries are known by where they lie.
    feeds: Vec<(Cow<'p, Expr>, Type)>,
    pub(super) layout: RowLayout,
}

/// Builds a [`Fed`].
struct Feeder<'p, 'l> {
    source: u8,
    types: &'l [Type],
    feeds: Vec<(Cow<'p, Expr>, Type)>,
}

impl<'p> Fed<'p> {
    /// What the conditions say about a source when the sources in `known` are known.
    pub(super) fn new(conditions: &[&'p Expr], source: usize, types: &[Type], known: u32) -> Self {
        let mut feeder = Feeder {
            source: source as u8,
            types,
            feeds: Vec::new(),
        };
        let usable = conditions.iter().filter(|condition| {
            let reads = sources_of(condition);
            reads & (1 << source) != 0 && reads & !(known | 1 << source) == 0
        });
        let atoms: Vec<Expr> = usable.filter_map(|atom| feeder.atom(atom)).collect();
        let types = feeder.feeds.iter().map(|(_, ty)| ty.clone());
        Self {
            filter: (!atoms.is_empty()).then_some(Expr::And(atoms)),
            layout: RowLayout::new(types.collect()),
            feeds: feeder.feeds,
        }
    }

    /// Whether it says all that the conditions say.
    pub(super) fn is_whole(&self, conditions: &[&Expr]) -> bool {
        let own = self.filter.as_ref().map_or(&[][..], Expr::conjuncts);
        own.len() == conditions.len()
    }

    /// Writes the parameters; `false` if one of them has no such value, so that no row passes.
    pub(super) fn write(&self, input: &Input<'_>, out: &mut Vec<u8>) -> bool {
        out.clear();
        let mut feeds = self.feeds.iter();
        feeds.all(|(expr, ty)| write_exactly(&expr.eval(input), ty, out))
    }
}

/// Appends a value as one of the type, if it is one.
fn write_exactly(value: &Scalar<'_>, ty: &Type, out: &mut Vec<u8>) -> bool {
    let kind = Kind::of(ty);
    let fits = match value {
        Scalar::Null => is_nullable(ty),
        Scalar::Int(value) => int_fits(*value, kind),
        Scalar::Huge(_) => kind == Kind::U128,
        Scalar::Bool(_) => kind == Kind::Bool,
        Scalar::Float(_) => matches!(kind, Kind::F32 | Kind::F64),
        Scalar::Decimal(_) => kind == Kind::Decimal,
        Scalar::Bytes(_) => matches!(kind, Kind::Sized | Kind::Raw),
    };
    if fits {
        value.write(ty, out);
    }
    fits
}

fn is_whole(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Bool | Kind::F32 | Kind::F64 | Kind::Decimal | Kind::Sized | Kind::Raw
    )
}

/// The kind of an expression's values, where it shows.
fn kind_of(expr: &Expr) -> Option<Kind> {
    Some(match expr {
        Expr::Column(slot) | Expr::Param(slot) | Expr::Outer(slot) => slot.kind,
        Expr::Literal(literal) => Kind::of(&literal.ty),
        Expr::Arithmetic(_, class, ..) | Expr::Negate(class, _) => match class {
            NumberClass::Int64 | NumberClass::Int128 => Kind::I128,
            NumberClass::Decimal => Kind::Decimal,
            NumberClass::Float => return None,
        },
        Expr::Cast(_, CastTo::Int(kind)) => *kind,
        Expr::Cast(_, CastTo::Decimal) => Kind::Decimal,
        Expr::Cast(_, CastTo::Text | CastTo::Json)
        | Expr::Concat(..)
        | Expr::Call(Function::Concat, _) => Kind::Sized,
        Expr::Scalar(sub_query) => Kind::of(&sub_query.query.outputs.first()?.ty),
        _ => return None,
    })
}

impl<'p> Feeder<'p, '_> {
    fn is_own(&self, expr: &Expr) -> Option<Slot> {
        match expr {
            Expr::Column(slot) if slot.source == self.source => Some(*slot),
            _ => None,
        }
    }

    fn here(slot: Slot) -> Expr {
        Expr::Column(Slot { source: 0, ..slot })
    }

    /// The expression as a parameter of the column's type.
    fn feed(&mut self, column: Slot, expr: Cow<'p, Expr>, any_width: bool) -> Option<Expr> {
        if sources_of(&expr) & (1 << self.source) != 0 {
            return None;
        }
        let ty = &self.types[usize::from(column.index)];
        if let Expr::Literal(literal) = expr.as_ref()
            && literal.ty == *ty
        {
            return Some(expr.into_owned());
        }
        let kind = kind_of(&expr)?;
        let fits = kind == column.kind || any_width && is_whole(kind) && is_whole(column.kind);
        if !fits {
            return None;
        }
        self.feeds.push((expr, ty.clone()));
        Some(Expr::Param(Slot::new(self.feeds.len() - 1, ty)))
    }

    /// What the atom says about the source's rows alone; `None` if it says nothing that a path can use.
    fn atom(&mut self, atom: &'p Expr) -> Option<Expr> {
        Some(match atom {
            Expr::Compare(op, left, right) => {
                let (op, column, other) = match (self.is_own(left), self.is_own(right)) {
                    (Some(column), _) => (*op, column, right),
                    (None, Some(column)) => (op.flip(), column, left),
                    (None, None) => return None,
                };
                let other = self.feed(column, Cow::Borrowed(other), op == CompareOp::Equal)?;
                Expr::Compare(op, Box::new(Self::here(column)), Box::new(other))
            }
            Expr::ColumnIs(column, param) if column.source == self.source => {
                let param = self.feed(*column, Cow::Owned(Expr::Param(*param)), false)?;
                let column = Box::new(Self::here(*column));
                Expr::Compare(CompareOp::Equal, column, Box::new(param))
            }
            Expr::Same(left, right) => {
                let (column, other) = match (self.is_own(left), self.is_own(right)) {
                    (Some(column), _) => (column, right),
                    (None, Some(column)) => (column, left),
                    (None, None) => return None,
                };
                let other = self.feed(column, Cow::Borrowed(other), false)?;
                Expr::Same(Box::new(Self::here(column)), Box::new(other))
            }
            Expr::IsNull(inner) => Expr::IsNull(Box::new(Self::here(self.is_own(inner)?))),
            Expr::In(operand, items) => self.list(operand, items)?,
            Expr::Like {
                operand,
                pattern,
                escape,
            } => {
                let column = self.is_own(operand)?;
                let pattern = match pattern.as_ref() {
                    Expr::Literal(_) => pattern.as_ref().clone(),
                    Expr::Param(slot) => {
                        let ty = if slot.nullable {
                            Type::option(Type::String)
                        } else {
                            Type::String
                        };
                        self.feeds
                            .push((Cow::Borrowed(pattern.as_ref()), ty.clone()));
                        Expr::Param(Slot::new(self.feeds.len() - 1, &ty))
                    }
                    _ => return None,
                };
                Expr::Like {
                    operand: Box::new(Self::here(column)),
                    pattern: Box::new(pattern),
                    escape: *escape,
                }
            }
            _ => return None,
        })
    }

    /// `column IN (constants)`.
    fn list(&mut self, operand: &Expr, items: &'p [Expr]) -> Option<Expr> {
        let column = self.is_own(operand)?;
        let ty = &self.types[usize::from(column.index)];
        let is_of = |item: &Expr| match item {
            Expr::Literal(literal) => literal.ty == *ty,
            Expr::Param(slot) => (slot.kind, slot.nullable) == (column.kind, column.nullable),
            _ => false,
        };
        if !items.iter().all(is_of) {
            return None;
        }
        let items = items
            .iter()
            .map(|item| self.feed(column, Cow::Borrowed(item), false));
        let items = items.collect::<Option<Vec<_>>>()?;
        Some(Expr::In(Box::new(Self::here(column)), items))
    }
}
