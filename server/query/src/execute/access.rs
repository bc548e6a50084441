//! Which rows of a table a filter can accept, and how an index finds them.
//!
//! A path is chosen by the shape of the filter; the values come with each run. It may give rows that
//! the filter rejects, never fewer than it accepts: whoever walks it evaluates the filter too.

use std::ops::{Bound, ControlFlow};

use syncline_protocol::packed::Reader;
use syncline_protocol::{TableDef, Type, key};
use syncline_store::{IndexId, Table};

use super::sort::SortKey;
use crate::plan::expr::{Expr, Params, Slot, like_prefix};
use crate::scalar::Kind;
use crate::syntax::CompareOp;

/// How to reach the rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Access {
    /// All rows of the table.
    All,
    /// The rows with one of these keys of an index, all its columns given.
    Exact {
        index: IndexId,
        keys: Vec<Vec<Expr>>,
    },
    /// A part of an ordered index, in its order or against it.
    Range(RangePath),
}

/// Rows of an ordered index whose first columns equal constants, whose next one may be bounded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RangePath {
    pub(crate) index: IndexId,
    /// One constant for each of the index's first columns.
    pub(crate) equal: Vec<Expr>,
    /// Bounds of the column after those: the constant, and whether it is itself inside.
    pub(super) lower: Option<(Expr, bool)>,
    pub(super) upper: Option<(Expr, bool)>,
    /// A LIKE pattern whose beginning bounds that column.
    pattern: Option<(Expr, Option<u8>)>,
    pub(crate) reverse: bool,
}

/// Memcomparable bounds of a run.
pub(crate) type KeyBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The parts of a conjunction that an index can use.
#[derive(Debug, Default)]
pub(super) struct Atoms<'e> {
    pub(super) equal: Vec<(u16, Expr)>,
    lists: Vec<(u16, &'e [Expr])>,
    lower: Vec<(u16, &'e Expr, bool)>,
    upper: Vec<(u16, &'e Expr, bool)>,
    patterns: Vec<(u16, &'e Expr, Option<u8>)>,
}

/// Whether a constant has exactly the column's type, so that bytes and order agree.
fn is_of(column: Slot, constant: &Expr) -> bool {
    let slot = match constant {
        Expr::Literal(literal) => Slot::new(0, &literal.ty),
        Expr::Param(slot) => *slot,
        _ => return false,
    };
    (slot.kind, slot.nullable) == (column.kind, column.nullable)
}

/// `column = constant` in any of its forms, NULL as a constant where the form accepts it.
pub(crate) fn as_equality(atom: &Expr) -> Option<(Slot, Expr)> {
    match atom {
        Expr::IsNull(inner) => match inner.as_ref() {
            Expr::Column(slot) if slot.nullable => {
                Some((*slot, Expr::literal(Type::option(Type::Bool), vec![1])))
            }
            _ => None,
        },
        Expr::Same(left, right) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), constant) if is_of(*column, constant) => {
                Some((*column, constant.clone()))
            }
            _ => None,
        },
        other => other.as_column_is(),
    }
}

impl<'e> Atoms<'e> {
    pub(super) fn of(filter: Option<&'e Expr>) -> Self {
        let mut atoms = Self::default();
        for atom in filter.map_or(&[][..], Expr::conjuncts) {
            atoms.add(atom);
        }
        atoms
    }

    fn add(&mut self, atom: &'e Expr) {
        if let Some((column, constant)) = as_equality(atom) {
            if self.equal_to(column.index).is_none() {
                self.equal.push((column.index, constant));
            }
            return;
        }
        match atom {
            Expr::In(operand, items) => {
                if let Expr::Column(column) = operand.as_ref()
                    && items.iter().all(|item| is_of(*column, item))
                {
                    self.lists.push((column.index, items));
                }
            }
            Expr::Compare(..) => {
                if let Some((column, constant, is_lower, is_inside)) = bound_of(atom) {
                    let bounds = if is_lower {
                        &mut self.lower
                    } else {
                        &mut self.upper
                    };
                    bounds.push((column.index, constant, is_inside));
                }
            }
            Expr::Like {
                operand,
                pattern,
                escape,
            } => {
                if let Expr::Column(column) = operand.as_ref()
                    && matches!(pattern.as_ref(), Expr::Literal(_) | Expr::Param(_))
                {
                    self.patterns.push((column.index, pattern, *escape));
                }
            }
            _ => {}
        }
    }

    pub(super) fn equal_to(&self, column: u16) -> Option<&Expr> {
        self.equal
            .iter()
            .find(|(own, _)| *own == column)
            .map(|(_, constant)| constant)
    }

    /// Whether an equality is expected to leave few rows.
    fn is_selective(&self) -> bool {
        self.equal.iter().any(|(_, constant)| {
            let slot = match constant {
                Expr::Literal(literal) => Slot::new(0, &literal.ty),
                Expr::Param(slot) => *slot,
                _ => return true,
            };
            slot.kind != Kind::Bool
        })
    }

    /// All keys of an index, if every column has an equality and at most one of them a list.
    fn exact_keys(&self, columns: &[u16]) -> Option<Vec<Vec<Expr>>> {
        let mut keys = vec![Vec::with_capacity(columns.len())];
        let mut is_list_used = false;
        for column in columns {
            if let Some(constant) = self.equal_to(*column) {
                for key in &mut keys {
                    key.push(constant.clone());
                }
                continue;
            }
            let (_, items) = self.lists.iter().find(|(own, _)| own == column)?;
            if is_list_used {
                return None;
            }
            is_list_used = true;
            let start = keys.pop()?;
            for item in *items {
                let mut key = start.clone();
                key.push(item.clone());
                keys.push(key);
            }
        }
        Some(keys)
    }

    fn range(&self, index: IndexId, columns: &[u16]) -> RangePath {
        let equal: Vec<Expr> = columns
            .iter()
            .map_while(|column| self.equal_to(*column).cloned())
            .collect();
        let next = columns.get(equal.len()).copied();
        let bound = |bounds: &[(u16, &'e Expr, bool)]| {
            let found = bounds.iter().find(|(column, ..)| Some(*column) == next);
            found.map(|(_, constant, is_inside)| ((*constant).clone(), *is_inside))
        };
        let pattern = self
            .patterns
            .iter()
            .find(|(column, ..)| Some(*column) == next);
        RangePath {
            index,
            equal,
            lower: bound(&self.lower),
            upper: bound(&self.upper),
            pattern: pattern.map(|(_, pattern, escape)| ((*pattern).clone(), *escape)),
            reverse: false,
        }
    }
}

fn indexes(def: &TableDef) -> impl Iterator<Item = (IndexId, &[u16], bool)> {
    let primary = (IndexId(0), def.primary_key.as_slice(), true);
    let secondary = def.indexes.iter().enumerate();
    std::iter::once(primary).chain(secondary.map(|(position, index)| {
        (
            IndexId::secondary(position),
            index.columns.as_slice(),
            index.unique,
        )
    }))
}

/// A condition that bounds a column with a constant of its type: the column, the constant, whether it is
/// the lower bound, and whether the constant is itself inside.
pub(crate) fn bound_of(condition: &Expr) -> Option<(Slot, &Expr, bool, bool)> {
    let Expr::Compare(op, left, right) = condition else {
        return None;
    };
    let Expr::Column(column) = left.as_ref() else {
        return None;
    };
    let (is_lower, is_inside) = match op {
        CompareOp::Less => (false, false),
        CompareOp::LessOrEqual => (false, true),
        CompareOp::Greater => (true, false),
        CompareOp::GreaterOrEqual => (true, true),
        CompareOp::Equal | CompareOp::NotEqual => return None,
    };
    is_of(*column, right).then_some((*column, right, is_lower, is_inside))
}

/// An ordered index that has a column right after columns that the filter makes constant, with the
/// constants; of several the one with most of those.
pub(crate) fn index_after_equalities(
    table: &Table,
    filter: Option<&Expr>,
    column: u16,
) -> Option<(IndexId, Vec<Expr>)> {
    let atoms = Atoms::of(filter);
    let ordered = indexes(table.def()).filter(|(index, ..)| table.is_ordered(*index));
    let found = ordered.filter_map(|(index, columns, _)| {
        let path = atoms.range(index, columns);
        (columns.get(path.equal.len()) == Some(&column)).then_some((index, path.equal))
    });
    found.max_by_key(|(_, equal)| equal.len())
}

/// The best path without a wish for an order.
pub(crate) fn choose(table: &Table, filter: Option<&Expr>) -> Access {
    let atoms = Atoms::of(filter);
    let mut best = (0, Access::All);
    for (index, columns, is_unique) in indexes(table.def()) {
        if let Some(keys) = atoms.exact_keys(columns) {
            let score = if is_unique { 2000 } else { 1000 } + columns.len();
            if score > best.0 {
                best = (score, Access::Exact { index, keys });
            }
        }
        if table.is_ordered(index) {
            let path = atoms.range(index, columns);
            let is_bounded = path.lower.is_some() || path.upper.is_some() || path.pattern.is_some();
            let score = 2 * path.equal.len() + usize::from(is_bounded);
            if score > best.0 {
                best = (score, Access::Range(path));
            }
        }
    }
    best.1
}

/// The paths that may tell how many rows pass, the counts of indexes among them.
pub(super) fn choose_counted(table: &Table, filter: Option<&Expr>) -> impl Iterator<Item = Access> {
    let atoms = Atoms::of(filter);
    let counted = indexes(table.def()).filter(|(index, ..)| table.is_counted(*index));
    let ranges = counted.map(move |(index, columns, _)| Access::Range(atoms.range(index, columns)));
    std::iter::once(choose(table, filter)).chain(ranges)
}

/// A path that gives the rows in this order, ties broken by the primary key in the direction of the
/// last key. All keys must be columns of one direction; those that the filter makes constant do not
/// count. An index that leaves every equality of the filter to be checked row by row (flags and NULL
/// aside) is none: it would be walked in vain for a row here and there.
pub(crate) fn choose_ordered(
    table: &Table,
    filter: Option<&Expr>,
    order: &[SortKey<'_>],
) -> Option<RangePath> {
    let def = table.def();
    let atoms = Atoms::of(filter);
    let (wanted, reverse) = wanted_columns(def, &atoms, order)?;
    let mut best: Option<RangePath> = None;
    for (index, columns, _) in indexes(def).filter(|(index, ..)| table.is_ordered(*index)) {
        let mut path = atoms.range(index, columns);
        let mut given = Vec::new();
        for column in columns[path.equal.len()..].iter().chain(&def.primary_key) {
            if atoms.equal_to(*column).is_none() && !given.contains(column) {
                given.push(*column);
            }
        }
        let is_better = best
            .as_ref()
            .is_none_or(|best| path.equal.len() > best.equal.len());
        let is_selective = !path.equal.is_empty() || !atoms.is_selective();
        if given == wanted && is_better && is_selective {
            path.reverse = reverse;
            best = Some(path);
        }
    }
    best
}

pub(super) fn wanted_columns(
    def: &TableDef,
    atoms: &Atoms<'_>,
    order: &[SortKey<'_>],
) -> Option<(Vec<u16>, bool)> {
    let mut wanted = Vec::new();
    let mut direction = None;
    for key in order {
        let Expr::Column(slot) = key.expr else {
            return None;
        };
        if atoms.equal_to(slot.index).is_some() || wanted.contains(&slot.index) {
            continue;
        }
        if *direction.get_or_insert(key.descending) != key.descending {
            return None;
        }
        wanted.push(slot.index);
    }
    let ties_descend = order.last().is_some_and(|key| key.descending);
    for column in &def.primary_key {
        if atoms.equal_to(*column).is_none() && !wanted.contains(column) {
            if *direction.get_or_insert(ties_descend) != ties_descend {
                return None;
            }
            wanted.push(*column);
        }
    }
    Some((wanted, direction.unwrap_or(false)))
}

impl Access {
    /// Calls `visit` with each row until it breaks.
    pub(crate) fn walk<'t, B>(
        &self,
        table: &'t Table,
        params: Params<'_>,
        mut visit: impl FnMut(&'t [u8]) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        match self {
            Self::All => table.rows().try_for_each(visit),
            Self::Exact { index, keys } => {
                let mut packed: Vec<Vec<u8>> = keys
                    .iter()
                    .filter_map(|key| packed_key(key, params))
                    .collect();
                // Two equal items of a list must not give their rows twice.
                packed.sort_unstable();
                packed.dedup();
                for key in &packed {
                    table.matching(*index, key).try_for_each(&mut visit)?;
                }
                ControlFlow::Continue(())
            }
            Self::Range(path) => match path.bounds(table, params) {
                Some(bounds) => path.walk(table, &bounds, visit),
                None => ControlFlow::Continue(()),
            },
        }
    }
}

pub(super) fn packed_key(constants: &[Expr], params: Params<'_>) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for constant in constants {
        key.extend_from_slice(constant.constant(params)?);
    }
    Some(key)
}

fn put_key(ty: &Type, packed: &[u8], out: &mut Vec<u8>) {
    key::encode(ty, &mut Reader::new(packed), out).expect("parameters are valid for their type");
}

impl RangePath {
    /// The memcomparable bounds with these parameters; `None` if no row can be inside.
    pub(crate) fn bounds(&self, table: &Table, params: Params<'_>) -> Option<KeyBounds> {
        let columns = table.index_columns(self.index)?;
        let types = table.layout().types();
        let ty = |position: usize| &types[usize::from(columns[position])];
        let mut prefix = Vec::new();
        for (position, constant) in self.equal.iter().enumerate() {
            put_key(ty(position), constant.constant(params)?, &mut prefix);
        }
        let mut lower = Bound::Included(prefix.clone());
        let mut upper = end_of(&prefix);
        let next = self.equal.len();
        let bound_key = |constant: &Expr| {
            let packed = constant.constant(params)?;
            let is_null = matches!(ty(next), Type::Option(_)) && packed.first() == Some(&1);
            let mut key = prefix.clone();
            put_key(ty(next), packed, &mut key);
            (!is_null).then_some(key)
        };
        if let Some((constant, is_inside)) = &self.lower {
            let key = bound_key(constant)?;
            lower = if *is_inside {
                Bound::Included(key)
            } else {
                after(&key)?
            };
        }
        if let Some((constant, is_inside)) = &self.upper {
            let key = bound_key(constant)?;
            upper = if *is_inside {
                end_of(&key)
            } else {
                Bound::Excluded(key)
            };
        }
        if let (Some((pattern, escape)), None, None) = (&self.pattern, &self.lower, &self.upper) {
            let slot = Slot::new(0, ty(next));
            let text = like_text(pattern, params)?;
            let start = text_start(&prefix, slot, &like_prefix(text, *escape));
            upper = end_of(&start);
            lower = Bound::Included(start);
        }
        let is_empty = match (&lower, &upper) {
            (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high)) => low >= high,
            _ => false,
        };
        (!is_empty).then_some((lower, upper))
    }
}

fn like_text<'a>(pattern: &'a Expr, params: Params<'a>) -> Option<&'a [u8]> {
    let nullable = match pattern {
        Expr::Literal(literal) => Slot::new(0, &literal.ty).nullable,
        Expr::Param(slot) => slot.nullable,
        _ => return None,
    };
    let packed = pattern.constant(params)?;
    let packed = match (nullable, packed.split_first()) {
        (false, _) => packed,
        (true, Some((0, rest))) => rest,
        (true, _) => return None,
    };
    packed.get(4..)
}

/// Where keys of texts that begin with `text` begin: the text's own key without its terminator.
fn text_start(prefix: &[u8], slot: Slot, text: &[u8]) -> Vec<u8> {
    debug_assert_eq!(slot.kind, Kind::Sized, "LIKE takes text");
    let mut start = prefix.to_vec();
    if slot.nullable {
        start.push(1);
    }
    let mut packed = Vec::new();
    syncline_protocol::packed::put_sized(text, &mut packed);
    put_key(&Type::Bytes, &packed, &mut start);
    start.truncate(start.len() - 2);
    start
}

/// Upper bound of all keys that start with the prefix.
fn end_of(prefix: &[u8]) -> Bound<Vec<u8>> {
    key::prefix_end(prefix).map_or(Bound::Unbounded, Bound::Excluded)
}

/// Lower bound after all keys that start with the prefix; `None` if there are none.
fn after(prefix: &[u8]) -> Option<Bound<Vec<u8>>> {
    key::prefix_end(prefix).map(Bound::Included)
}
