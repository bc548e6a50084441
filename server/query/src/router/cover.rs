//! Which keys a filter listens to.
//!
//! A route is a set of columns, each with a constant that it equals or bounds that it lies between. The
//! cover of a filter is a list of routes such that a row can pass only if it agrees with one of them: so a
//! changed row finds the instances that it may concern by looking a few of its columns up. What cannot be
//! covered is looked at on every change.
//!
//! A route takes all equalities of a conjunction. Of its orders it takes one of these, the first that there
//! is: two columns between two bounds each (a box), the beginning of a text, one column between two bounds,
//! and, if there is no equality, a column with one bound. Among several columns the lower numbers win. What
//! is left over is checked with the rest of the filter.

use smallvec::SmallVec;

use super::span::Span;
use crate::execute::access::as_equality;
use crate::plan::expr::{Expr, Function, Params, Slot};
use crate::scalar::Kind;
use crate::syntax::CompareOp;

/// Routes of one instance.
const ROUTES_MAX: usize = 1024;
/// Routes that a conjunction of several lists may multiply to; beyond it the shortest list routes.
const PRODUCT_MAX: usize = 64;
/// Columns of a route; the filter checks the others.
const COLUMNS_MAX: usize = 4;

/// Columns, ascending, each with what it must equal, and others with what bounds them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(super) atoms: SmallVec<[Atom; 2]>,
    /// Of different columns, ascending. At the end a beginning alone, or at most two others.
    pub(super) spans: SmallVec<[Span; 2]>,
}

/// The routes of a site.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    all: Vec<Route>,
    /// The first one of each kind: of those that are like each other.
    kinds: SmallVec<[usize; 2]>,
}

impl Routes {
    pub(super) fn new(all: Vec<Route>) -> Self {
        let mut kinds: SmallVec<[usize; 2]> = SmallVec::new();
        for (at, route) in all.iter().enumerate() {
            let mut known = kinds.iter().map(|kind| &all[*kind]);
            if !known.any(|other| other.is_like(route)) {
                kinds.push(at);
            }
        }
        Self { all, kinds }
    }

    /// A route of each kind: there is a look-up for each of them and not for each route.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Route> {
        self.kinds.iter().map(|kind| &self.all[*kind])
    }
}

impl std::ops::Deref for Routes {
    type Target = [Route];

    fn deref(&self) -> &[Route] {
        &self.all
    }
}

/// What a route is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Columns that equal constants.
    Equality,
    /// And the beginning of a text.
    Beginning,
    /// And a column between bounds.
    Interval,
    /// And two columns between bounds.
    Box,
}

/// `column = constant`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Atom {
    pub(super) column: u16,
    kind: Kind,
    nullable: bool,
    constant: Expr,
    /// Whether NULL equals NULL here: `IS NULL`, `IS NOT DISTINCT FROM`.
    accepts_null: bool,
}

impl Atom {
    /// The packed value that a column must have; `None` if none can.
    pub(super) fn value<'a>(&'a self, params: Params<'a>) -> Option<&'a [u8]> {
        let packed = self.constant.constant(params)?;
        let is_null = self.nullable && packed.first() == Some(&1);
        (!is_null || self.accepts_null).then_some(packed)
    }
}

impl Route {
    /// Its columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = u16> {
        self.parts().map(|(column, _)| column)
    }

    fn one(column: Slot, constant: Expr, accepts_null: bool) -> Vec<Self> {
        let Slot {
            index,
            kind,
            nullable,
            ..
        } = column;
        let atom = Atom {
            column: index,
            kind,
            nullable,
            constant,
            accepts_null,
        };
        vec![Self {
            atoms: SmallVec::from_iter([atom]),
            spans: SmallVec::new(),
        }]
    }

    fn bounded(span: Span) -> Vec<Self> {
        vec![Self {
            atoms: SmallVec::new(),
            spans: SmallVec::from_iter([span]),
        }]
    }

    /// Both must agree.
    fn merge(&self, other: &Self) -> Self {
        let mut atoms = self.atoms.clone();
        for atom in &other.atoms {
            if atoms.len() < COLUMNS_MAX && atoms.iter().all(|own| own.column != atom.column) {
                atoms.push(atom.clone());
            }
        }
        atoms.sort_by_key(|atom| atom.column);
        let mut spans = self.spans.clone();
        for span in &other.spans {
            let column = span.axis.column;
            match spans.iter_mut().find(|own| own.axis.column == column) {
                Some(own) => own.narrow(span),
                None => spans.push(span.clone()),
            }
        }
        spans.sort_by_key(|span| span.axis.column);
        Self { atoms, spans }
    }

    /// Whether it tells but two kinds of rows apart.
    fn is_flag(&self) -> bool {
        self.spans.is_empty() && self.atoms.iter().all(|atom| atom.kind == Kind::Bool)
    }

    /// Whether it asks for nothing but order.
    pub(super) fn is_order(&self) -> bool {
        self.atoms.is_empty()
    }

    /// Whether many rows may agree with it: a flag, or a bound on one side.
    pub(super) fn is_weak(&self) -> bool {
        let is_open = |span: &Span| !span.is_closed() && !span.is_beginning();
        self.is_flag() || self.is_order() && self.spans.iter().all(is_open)
    }

    /// Its columns, and how each is compared where that is not by equality.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u16, &'static str)> {
        let how = |span: &Span| {
            if span.is_beginning() {
                " begins"
            } else {
                " bounded"
            }
        };
        let spans = self
            .spans
            .iter()
            .map(move |span| (span.axis.column, how(span)));
        self.atoms.iter().map(|atom| (atom.column, "")).chain(spans)
    }

    /// Whether another one compares the same columns in the same ways.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let atoms = |one: &Atom, other: &Atom| one.column == other.column;
        let spans = |one: &Span, other: &Span| one.axis == other.axis;
        self.shape() == other.shape()
            && self.atoms.len() == other.atoms.len()
            && self
                .atoms
                .iter()
                .zip(&other.atoms)
                .all(|(one, other)| atoms(one, other))
            && self.spans.len() == other.spans.len()
            && self
                .spans
                .iter()
                .zip(&other.spans)
                .all(|(one, other)| spans(one, other))
    }

    /// Whether every row that it leads to passes a filter, and no other: nothing of it is left to check.
    pub(crate) fn is_all_of(&self, filter: &Expr) -> bool {
        let parts = filter.conjuncts();
        let bounds = self.spans.iter().map(Span::bound_count).sum::<usize>();
        self.atoms.is_empty()
            && bounds == parts.len()
            && parts
                .iter()
                .all(|part| self.spans.iter().any(|span| span.is_exactly(part)))
    }

    /// What it is looked up by.
    pub(super) fn shape(&self) -> Shape {
        match self.spans.as_slice() {
            [] => Shape::Equality,
            [span] if span.is_beginning() => Shape::Beginning,
            [_] => Shape::Interval,
            _ => Shape::Box,
        }
    }

    /// Leaves what is looked up and drops what is only checked.
    fn choose(&mut self) {
        // Beside something better a flag would halve its buckets at best.
        let has_equality = self.atoms.iter().any(|atom| atom.kind != Kind::Bool);
        if has_equality {
            self.atoms.retain(|atom| atom.kind != Kind::Bool);
        }
        let mut spans = std::mem::take(&mut self.spans);
        spans.retain(|span| {
            let column = span.axis.column;
            self.atoms.iter().all(|atom| atom.column != column)
        });
        let count = |is_so: fn(&Span) -> bool| spans.iter().filter(|span| is_so(span)).count();
        let (closed, beginnings) = (count(Span::is_closed), count(Span::is_beginning));
        if beginnings > 0 && closed < 2 {
            spans.retain(|span| span.is_beginning());
            spans.truncate(1);
            spans.iter_mut().for_each(Span::keep_beginning);
        } else {
            spans.iter_mut().for_each(Span::drop_beginning);
            if closed > 0 || has_equality {
                spans.retain(|span| span.is_closed());
                spans.truncate(2);
            } else {
                spans.truncate(1);
            }
        }
        if !spans.is_empty() && !has_equality {
            self.atoms.clear();
        }
        self.spans = spans;
    }

    /// Leaves the equalities alone, if it has any that tells more than two kinds of rows apart.
    pub(super) fn prefer_equality(&mut self) {
        if !self.is_order() {
            self.spans.clear();
        }
    }
}

/// The cover of a filter: `None` if it has none, empty if no row can pass.
pub(crate) fn cover(filter: Option<&Expr>) -> Option<Vec<Route>> {
    let mut routes = cover_of(filter?)?;
    routes.iter_mut().for_each(Route::choose);
    Some(routes)
}

fn cover_of(expr: &Expr) -> Option<Vec<Route>> {
    match expr {
        Expr::And(items) => {
            let covers = items.iter().filter_map(cover_of);
            covers.reduce(|one, other| {
                let is_order = |routes: &[Route]| routes.len() == 1 && routes[0].is_order();
                let is_few = one.len() * other.len() <= PRODUCT_MAX;
                if is_few || is_order(&one) || is_order(&other) {
                    let merged = one.iter().map(|a| other.iter().map(|b| a.merge(b)));
                    merged.flatten().collect()
                } else if one.len() <= other.len() {
                    one
                } else {
                    other
                }
            })
        }
        Expr::Or(items) => {
            let mut routes = Vec::new();
            for item in items {
                routes.extend(cover_of(item)?);
            }
            (routes.len() <= ROUTES_MAX).then_some(routes)
        }
        Expr::In(operand, items) => {
            let mut routes = Vec::new();
            for item in items {
                routes.extend(equality(operand, item)?);
            }
            Some(routes)
        }
        Expr::Column(slot) if slot.kind == Kind::Bool => Some(flag(*slot, true)),
        Expr::Not(inner) => match inner.as_ref() {
            Expr::Column(slot) if slot.kind == Kind::Bool => Some(flag(*slot, false)),
            Expr::Compare(op, left, right) => bounded(opposite(*op)?, left, right),
            _ => None,
        },
        Expr::IsTruth(inner, wanted) => match inner.as_ref() {
            Expr::Column(slot) => Some(flag(*slot, *wanted)),
            _ => None,
        },
        Expr::Compare(CompareOp::Equal, left, right) => equality(left, right),
        Expr::Compare(op, left, right) => bounded(*op, left, right),
        Expr::Like {
            operand,
            pattern,
            escape,
        } => match operand.as_ref() {
            Expr::Column(column) => Span::of_pattern(*column, pattern, *escape).map(Route::bounded),
            _ => None,
        },
        Expr::Call(Function::StartsWith, args) => match args.as_slice() {
            [Expr::Column(column), text] => Span::of_text(*column, text).map(Route::bounded),
            _ => None,
        },
        other => {
            let (column, constant) = as_equality(other)?;
            let accepts_null = matches!(other, Expr::IsNull(_) | Expr::Same(..));
            Some(Route::one(column, constant, accepts_null))
        }
    }
}

fn flag(column: Slot, wanted: bool) -> Vec<Route> {
    let byte = u8::from(wanted);
    let packed = if column.nullable {
        vec![0, byte]
    } else {
        vec![byte]
    };
    let ty = syncline_protocol::Type::Bool;
    let ty = if column.nullable {
        syncline_protocol::Type::option(ty)
    } else {
        ty
    };
    Route::one(column, Expr::literal(ty, packed), false)
}

/// The comparison that holds where another one fails.
fn opposite(op: CompareOp) -> Option<CompareOp> {
    Some(match op {
        CompareOp::Less => CompareOp::GreaterOrEqual,
        CompareOp::LessOrEqual => CompareOp::Greater,
        CompareOp::Greater => CompareOp::LessOrEqual,
        CompareOp::GreaterOrEqual => CompareOp::Less,
        CompareOp::Equal | CompareOp::NotEqual => return None,
    })
}

/// `left < right` and the like.
fn bounded(op: CompareOp, left: &Expr, right: &Expr) -> Option<Vec<Route>> {
    let Expr::Column(column) = left else {
        return None;
    };
    Span::of_compare(op, *column, right).map(Route::bounded)
}

/// `left = right`. The binder gives a constant the column's type if it is a value of that type; one
/// of another number type, or a NULL for a column without NULLs, is a value that no row has.
fn equality(left: &Expr, right: &Expr) -> Option<Vec<Route>> {
    let Expr::Column(column) = left else {
        return None;
    };
    let constant = match right {
        Expr::Literal(literal) => Slot::new(0, &literal.ty),
        Expr::Param(slot) => *slot,
        _ => return None,
    };
    if (constant.kind, constant.nullable) == (column.kind, column.nullable) {
        return Some(Route::one(*column, right.clone(), false));
    }
    let is_number = |kind| !matches!(kind, Kind::Bool | Kind::Sized | Kind::Raw);
    let is_other_number = is_number(column.kind)
        && is_number(constant.kind)
        && column.kind != constant.kind
        && constant.kind != Kind::U128;
    let is_null = constant.nullable && !column.nullable;
    (is_other_number || is_null).then(Vec::new)
}
