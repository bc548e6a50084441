//! Which keys a filter listens to.
//!
//! A route is a set of columns, each with a constant. The cover of a filter is a list of routes such
//! that a row can pass only if it agrees with one of them: so a changed row finds the instances that
//! it may concern by hashing a few of its columns. What cannot be covered is looked at on every change.

use smallvec::SmallVec;

use crate::execute::access::as_equality;
use crate::plan::expr::{Expr, Params, Slot};
use crate::scalar::Kind;
use crate::syntax::CompareOp;

/// Routes of one instance.
const ROUTES_MAX: usize = 1024;
/// Routes that a conjunction of several lists may multiply to; beyond it the shortest list routes.
const PRODUCT_MAX: usize = 64;
/// Columns of a route; the filter checks the others.
const COLUMNS_MAX: usize = 4;

/// Columns, ascending, each with what it must equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Route {
    pub(crate) atoms: SmallVec<[Atom; 2]>,
}

/// `column = constant`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Atom {
    pub(crate) column: u16,
    kind: Kind,
    nullable: bool,
    constant: Expr,
    /// Whether NULL equals NULL here: `IS NULL`, `IS NOT DISTINCT FROM`.
    accepts_null: bool,
}

impl Atom {
    /// The packed value that a column must have; `None` if none can.
    pub(crate) fn value<'a>(&'a self, params: Params<'a>) -> Option<&'a [u8]> {
        let packed = self.constant.constant(params)?;
        let is_null = self.nullable && packed.first() == Some(&1);
        (!is_null || self.accepts_null).then_some(packed)
    }
}

impl Route {
    /// Its columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = u16> {
        self.atoms.iter().map(|atom| atom.column)
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
        Self { atoms }
    }

    /// Whether it tells but two kinds of rows apart.
    pub(crate) fn is_weak(&self) -> bool {
        self.atoms.iter().all(|atom| atom.kind == Kind::Bool)
    }

    /// A flag beside something better would make one more signature to probe and halve its buckets
    /// at best.
    fn drop_flags(&mut self) {
        if self.atoms.iter().any(|atom| atom.kind != Kind::Bool) {
            self.atoms.retain(|atom| atom.kind != Kind::Bool);
        }
    }
}

/// The cover of a filter: `None` if it has none, empty if no row can pass.
pub(crate) fn cover(filter: Option<&Expr>) -> Option<Vec<Route>> {
    let mut routes = cover_of(filter?)?;
    routes.iter_mut().for_each(Route::drop_flags);
    Some(routes)
}

fn cover_of(expr: &Expr) -> Option<Vec<Route>> {
    match expr {
        Expr::And(items) => {
            let covers = items.iter().filter_map(cover_of);
            covers.reduce(|one, other| {
                if one.len() * other.len() <= PRODUCT_MAX {
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
            _ => None,
        },
        Expr::IsTruth(inner, wanted) => match inner.as_ref() {
            Expr::Column(slot) => Some(flag(*slot, *wanted)),
            _ => None,
        },
        Expr::Compare(CompareOp::Equal, left, right) => equality(left, right),
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
