//! How the rows of a source are found when some other rows are known.

#[cfg(test)]
mod tests;

use std::ops::Bound;

use smallvec::SmallVec;
use syncline_protocol::packed::Reader;
use syncline_protocol::{Type, key};
use syncline_store::{IndexId, Table};

use super::mutant::Mutant;
use super::overlay::Part;
use crate::plan::expr::{Expr, Input};
use crate::scalar::{Kind, Scalar, is_nullable};
use crate::syntax::CompareOp;

/// Room for a packed key; a longer one is allocated.
pub(crate) type KeyBytes = SmallVec<[u8; 64]>;

/// A value that a column must have: an expression over what is known.
#[derive(Clone, Debug)]
pub(crate) struct KeyPart {
    expr: Expr,
    /// Of the column.
    ty: Type,
    /// Whether NULL equals NULL here.
    accepts_null: bool,
}

/// A way to the rows of a source. It may give rows that a condition rejects, never fewer than it accepts.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// All rows.
    All,
    /// Those with this key.
    Exact { index: IndexId, key: Vec<KeyPart> },
    /// A part of an ordered index.
    Range {
        index: IndexId,
        equal: Vec<KeyPart>,
        lower: Option<(KeyPart, bool)>,
        upper: Option<(KeyPart, bool)>,
    },
    /// Rows of an arranged query, in its set of this number.
    Arranged { set: usize, key: Vec<KeyPart> },
}

/// A condition that says what a column must be.
#[derive(Clone, Debug)]
pub(crate) enum Atom {
    Equal(u16, KeyPart),
    Lower(u16, KeyPart, bool),
    Upper(u16, KeyPart, bool),
}

impl KeyPart {
    pub(crate) fn new(expr: Expr, ty: Type, accepts_null: bool) -> Self {
        Self {
            expr,
            ty,
            accepts_null,
        }
    }

    /// Whether the row of some source gives the value.
    pub(crate) fn reads_rows(&self) -> bool {
        self.expr
            .any(&mut |part| matches!(part, Expr::Column(_) | Expr::ColumnIs(..) | Expr::Outer(_)))
    }

    /// Appends the packed value of the column; `false` if no row has it.
    pub(crate) fn put(&self, input: &Input<'_>, out: &mut KeyBytes) -> bool {
        let accepts_null = self.accepts_null || Mutant::NullKey.is_on();
        let nullable = is_nullable(&self.ty);
        let kind = Kind::of(&self.ty);
        if let Expr::Column(slot) = &self.expr
            && (slot.kind, slot.nullable) == (kind, nullable)
            && let Some(packed) = input.row(slot.source).column(slot.index)
        {
            if nullable && packed.first() == Some(&1) && !accepts_null {
                return false;
            }
            out.extend_from_slice(packed);
            return true;
        }
        let value = self.expr.eval(input);
        if value == Scalar::Null {
            out.push(1);
            return nullable && accepts_null;
        }
        // What the column cannot hold, none of its rows has.
        let Some(value) = value.fit(kind) else {
            return false;
        };
        let mut packed = Vec::new();
        value.write(&self.ty, &mut packed);
        out.extend_from_slice(&packed);
        true
    }
}

fn put_all(parts: &[KeyPart], input: &Input<'_>, out: &mut KeyBytes) -> bool {
    parts.iter().all(|part| part.put(input, out))
}

/// Appends a part as an ordered index has it.
fn put_ordered(part: &KeyPart, input: &Input<'_>, out: &mut Vec<u8>) -> Option<()> {
    const VALID: &str = "a key part has the column's type";
    let mut packed = KeyBytes::new();
    if !part.put(input, &mut packed) {
        return None;
    }
    key::encode(&part.ty, &mut Reader::new(&packed), out).expect(VALID);
    Some(())
}

/// The value that bounds a column, if the column can hold it.
enum Limit {
    Key(Vec<u8>),
    /// NULL: no row is on either side of it.
    Nothing,
    /// The column cannot hold it, so the bound is left to the conditions.
    Unknown,
}

fn limit(part: &KeyPart, input: &Input<'_>, prefix: &[u8]) -> Limit {
    if part.expr.eval(input) == Scalar::Null {
        return Limit::Nothing;
    }
    let mut key = prefix.to_vec();
    match put_ordered(part, input, &mut key) {
        Some(()) => Limit::Key(key),
        None => Limit::Unknown,
    }
}

impl Reach {
    /// Calls `visit` with the part of the table; not at all if no row can be there.
    pub(crate) fn find<R>(
        &self,
        input: &Input<'_>,
        visit: impl FnOnce(Part<'_>) -> R,
    ) -> Option<R> {
        match self {
            Self::All | Self::Arranged { .. } => Some(visit(Part::All)),
            Self::Exact { index, key } => {
                let mut packed = KeyBytes::new();
                put_all(key, input, &mut packed).then(|| visit(Part::Exact(*index, &packed)))
            }
            Self::Range {
                index,
                equal,
                lower,
                upper,
            } => {
                let mut prefix = Vec::new();
                for part in equal {
                    put_ordered(part, input, &mut prefix)?;
                }
                let mut from = Bound::Included(prefix.clone());
                let mut to = end_of(&prefix);
                if let Some((part, is_inside)) = lower {
                    match limit(part, input, &prefix) {
                        Limit::Key(key) if *is_inside => from = Bound::Included(key),
                        Limit::Key(key) => from = Bound::Included(key::prefix_end(&key)?),
                        Limit::Nothing => return None,
                        Limit::Unknown => {}
                    }
                }
                if let Some((part, is_inside)) = upper {
                    match limit(part, input, &prefix) {
                        Limit::Key(key) if *is_inside => to = end_of(&key),
                        Limit::Key(key) => to = Bound::Excluded(key),
                        Limit::Nothing => return None,
                        Limit::Unknown => {}
                    }
                }
                if let (Bound::Included(low), Bound::Excluded(high)) = (&from, &to)
                    && low >= high
                {
                    return None;
                }
                let (from, to) = (from.as_ref(), to.as_ref());
                let part = Part::Range(*index, from.map(Vec::as_slice), to.map(Vec::as_slice));
                Some(visit(part))
            }
        }
    }

    /// The packed key of an arranged query's rows.
    pub(crate) fn arranged_key(&self, input: &Input<'_>) -> Option<(usize, KeyBytes)> {
        let Self::Arranged { set, key } = self else {
            return None;
        };
        let mut packed = KeyBytes::new();
        put_all(key, input, &mut packed).then_some((*set, packed))
    }

    /// Whether all rows that this finds in a source meet a condition, since it is an equality of the key.
    pub(crate) fn implies(&self, table: &Table, source: u8, cond: &Expr) -> bool {
        let (Self::Exact { index, key }, Expr::Compare(CompareOp::Equal, left, right)) =
            (self, cond)
        else {
            return false;
        };
        let columns = table.index_columns(*index).unwrap_or_default();
        [(left, right), (right, left)].iter().any(|(one, other)| {
            let own = match one.as_ref() {
                Expr::Column(slot) if slot.source == source => slot.index,
                _ => return false,
            };
            let mut parts = columns.iter().zip(key);
            // Where NULL is a key as well, rows are found for which the equality is unknown.
            parts
                .any(|(column, part)| *column == own && part.expr == ***other && !part.accepts_null)
        })
    }

    /// Calls `visit` with each expression over what is known.
    pub(crate) fn for_each_expr<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr)) {
        let (parts, bounds) = match self {
            Self::All => return,
            Self::Exact { key, .. } | Self::Arranged { key, .. } => (key, [None, None]),
            Self::Range {
                equal,
                lower,
                upper,
                ..
            } => (equal, [lower.as_ref(), upper.as_ref()]),
        };
        let bounds = bounds.into_iter().flatten().map(|(part, _)| part);
        for part in parts.iter().chain(bounds) {
            visit(&part.expr);
        }
    }

    /// The hidden index that it goes over.
    pub(crate) fn hidden_index(&self) -> Option<IndexId> {
        match self {
            Self::Exact { index, .. } | Self::Range { index, .. } => {
                Some(*index).filter(|index| index.is_hidden())
            }
            Self::All | Self::Arranged { .. } => None,
        }
    }

    /// What it costs, roughly: few rows before many.
    pub(crate) fn cost(&self, table: Option<&Table>) -> u32 {
        match self {
            Self::All => Self::SCAN,
            Self::Exact { index, .. } if table.is_some_and(|t| t.is_unique(*index)) => 1,
            Self::Range { equal, .. } if !equal.is_empty() => 20,
            Self::Range {
                lower: Some(_),
                upper: Some(_),
                ..
            } => 30,
            Self::Range { .. } => 40,
            Self::Arranged { key, .. } if key.is_empty() => 50,
            Self::Exact { .. } | Self::Arranged { .. } => 10,
        }
    }

    /// The cost of looking at all rows.
    pub(crate) const SCAN: u32 = 1000;

    /// The best way to the rows of a table.
    pub(crate) fn choose(table: &Table, atoms: &[Atom]) -> Self {
        let equal = |column: u16| {
            atoms.iter().find_map(|atom| match atom {
                Atom::Equal(own, part) if *own == column => Some(part.clone()),
                _ => None,
            })
        };
        let mut best = Self::All;
        for shape in table.indexes() {
            let (index, columns) = (shape.id, shape.columns);
            let parts: Vec<KeyPart> = columns.iter().map_while(|column| equal(*column)).collect();
            let found = if parts.len() == columns.len() {
                Self::Exact { index, key: parts }
            } else if table.is_ordered(index) {
                let next = columns[parts.len()];
                let lower = atoms.iter().find_map(|atom| match atom {
                    Atom::Lower(own, part, inside) if *own == next => Some((part.clone(), *inside)),
                    _ => None,
                });
                let upper = atoms.iter().find_map(|atom| match atom {
                    Atom::Upper(own, part, inside) if *own == next => Some((part.clone(), *inside)),
                    _ => None,
                });
                if parts.is_empty() && lower.is_none() && upper.is_none() {
                    continue;
                }
                Self::Range {
                    index,
                    equal: parts,
                    lower,
                    upper,
                }
            } else {
                continue;
            };
            if found.cost(Some(table)) < best.cost(Some(table)) {
                best = found;
            }
        }
        best
    }
}

fn end_of(prefix: &[u8]) -> Bound<Vec<u8>> {
    key::prefix_end(prefix).map_or(Bound::Unbounded, Bound::Excluded)
}

/// What a condition says about the columns of a source, if the rest of it is known: `is_known` tells
/// whether an expression can be computed without the source's row.
pub(crate) fn atoms_of(
    cond: &Expr,
    source: u8,
    types: &[Type],
    is_known: &dyn Fn(&Expr) -> bool,
    out: &mut Vec<Atom>,
) {
    let ty = |column: u16| types[usize::from(column)].clone();
    let own = |expr: &Expr| match expr {
        Expr::Column(slot) if slot.source == source => Some(slot.index),
        _ => None,
    };
    match cond {
        Expr::ColumnIs(slot, param) if slot.source == source => {
            let param = Expr::Param(*param);
            if is_known(&param) {
                let part = KeyPart::new(param, ty(slot.index), false);
                out.push(Atom::Equal(slot.index, part));
            }
        }
        Expr::IsNull(inner) => {
            if let Some(column) = own(inner)
                && is_nullable(&ty(column))
            {
                let null = Expr::literal(ty(column), vec![1]);
                out.push(Atom::Equal(column, KeyPart::new(null, ty(column), true)));
            }
        }
        Expr::Same(left, right) => {
            for (one, other) in [(left, right), (right, left)] {
                if let Some(column) = own(one)
                    && is_known(other)
                {
                    let part = KeyPart::new(other.as_ref().clone(), ty(column), true);
                    out.push(Atom::Equal(column, part));
                }
            }
        }
        Expr::Compare(op, left, right) => {
            for (op, one, other) in [(*op, left, right), (op.flip(), right, left)] {
                let Some(column) = own(one) else { continue };
                if !is_known(other) {
                    continue;
                }
                let part = KeyPart::new(other.as_ref().clone(), ty(column), false);
                match op {
                    CompareOp::Equal => out.push(Atom::Equal(column, part)),
                    CompareOp::Less => out.push(Atom::Upper(column, part, false)),
                    CompareOp::LessOrEqual => out.push(Atom::Upper(column, part, true)),
                    CompareOp::Greater => out.push(Atom::Lower(column, part, false)),
                    CompareOp::GreaterOrEqual => out.push(Atom::Lower(column, part, true)),
                    CompareOp::NotEqual => {}
                }
            }
        }
        _ => {}
    }
}
