//! The canonical form of expressions, and the bytes by which templates are told apart.

use super::{Expr, Literal, Slot};
use crate::syntax::CompareOp;

impl Expr {
    /// Rewrites into the form in which equal meanings tend to be equal trees: constants on the right,
    /// conjunctions and disjunctions flat and sorted, lists sorted without doubles.
    pub(crate) fn normalize(&mut self) {
        self.for_each_part_mut(&mut Self::normalize);
        match self {
            Self::Compare(op, left, right) => {
                let exchange = match op {
                    CompareOp::Equal | CompareOp::NotEqual => right.sort_key() < left.sort_key(),
                    _ => left.is_constant() && !right.is_constant(),
                };
                if exchange {
                    *op = op.flip();
                    std::mem::swap(left, right);
                }
            }
            Self::Same(left, right) if right.sort_key() < left.sort_key() => {
                std::mem::swap(left, right);
            }
            Self::And(items) => {
                *items = flatten(std::mem::take(items), |item| match item {
                    Self::And(inner) => Ok(inner),
                    other => Err(other),
                });
            }
            Self::Or(items) => {
                *items = flatten(std::mem::take(items), |item| match item {
                    Self::Or(inner) => Ok(inner),
                    other => Err(other),
                });
            }
            Self::In(operand, items) => {
                items.sort_by_cached_key(Self::sort_key);
                items.dedup();
                if items.len() == 1 {
                    let operand = std::mem::replace(operand.as_mut(), Self::And(Vec::new()));
                    let item = items.swap_remove(0);
                    *self = Self::Compare(CompareOp::Equal, Box::new(operand), Box::new(item));
                }
            }
            _ => {}
        }
        if let Self::And(items) | Self::Or(items) = self
            && items.len() == 1
        {
            *self = items.swap_remove(0);
        }
    }

    fn is_constant(&self) -> bool {
        matches!(self, Self::Literal(_) | Self::Param(_))
    }

    /// Columns come first and constants last; then by shape, then by the values in it.
    fn sort_key(&self) -> (bool, Vec<u8>, Vec<u8>) {
        let (mut shape, mut values) = (Vec::new(), Vec::new());
        self.write_shape(&mut shape, &mut |literal| {
            values.extend_from_slice(&literal.packed);
        });
        (self.is_constant(), shape, values)
    }

    /// Appends bytes that tell this tree from every other one, but for its literals: of those only
    /// the type is written, and `literal` gets each in the order of the walk.
    pub(crate) fn write_shape<'e>(
        &'e self,
        out: &mut Vec<u8>,
        literal: &mut dyn FnMut(&'e Literal),
    ) {
        out.push(self.tag());
        match self {
            Self::Column(slot) | Self::Param(slot) | Self::Outer(slot) => write_slot(*slot, out),
            Self::ColumnIs(column, param) => {
                write_slot(*column, out);
                write_slot(*param, out);
            }
            Self::Literal(inner) => {
                let ty = format!("{:?}", inner.ty);
                out.extend_from_slice(&(ty.len() as u32).to_le_bytes());
                out.extend_from_slice(ty.as_bytes());
                literal(inner);
            }
            Self::Compare(op, ..) => out.push(*op as u8),
            Self::IsTruth(_, wanted) => out.push(u8::from(*wanted)),
            Self::Like { escape, .. } => {
                out.extend_from_slice(&[u8::from(escape.is_some()), escape.unwrap_or_default()]);
            }
            Self::Arithmetic(op, class, ..) => out.extend_from_slice(&[*op as u8, *class as u8]),
            Self::Negate(class, _) => out.push(*class as u8),
            Self::Call(function, _) => out.extend_from_slice(&function.tag()),
            Self::Cast(_, to) => out.extend_from_slice(&to.tag()),
            Self::Case(_, otherwise) => out.push(u8::from(otherwise.is_some())),
            Self::Aggregate(index) => out.extend_from_slice(&index.to_le_bytes()),
            _ => {}
        }
        let mut part_count: u32 = 0;
        self.for_each_part(&mut |_| part_count += 1);
        out.extend_from_slice(&part_count.to_le_bytes());
        self.for_each_part(&mut |part| part.write_shape(out, literal));
        if let Some(sub_query) = self.sub_query() {
            sub_query.write_shape(out, literal);
        }
    }

    fn tag(&self) -> u8 {
        match self {
            Self::Column(_) => 1,
            Self::Param(_) => 2,
            Self::Literal(_) => 3,
            Self::ColumnIs(..) => 4,
            Self::Not(_) => 5,
            Self::And(_) => 6,
            Self::Or(_) => 7,
            Self::Compare(..) => 8,
            Self::Same(..) => 9,
            Self::IsNull(_) => 10,
            Self::IsTruth(..) => 11,
            Self::In(..) => 12,
            Self::Like { .. } => 13,
            Self::Arithmetic(..) => 14,
            Self::Negate(..) => 15,
            Self::Concat(..) => 16,
            Self::Call(..) => 17,
            Self::Case(..) => 18,
            Self::Coalesce(_) => 19,
            Self::Cast(..) => 20,
            Self::Aggregate(_) => 21,
            Self::Outer(_) => 22,
            Self::Exists(_) => 23,
            Self::InQuery(..) => 24,
            Self::Scalar(_) => 25,
        }
    }
}

fn flatten(items: Vec<Expr>, open: impl Fn(Expr) -> Result<Vec<Expr>, Expr>) -> Vec<Expr> {
    let mut flat = Vec::with_capacity(items.len());
    for item in items {
        match open(item) {
            Ok(inner) => flat.extend(inner),
            Err(item) => flat.push(item),
        }
    }
    flat.sort_by_cached_key(Expr::sort_key);
    flat.dedup();
    flat
}

fn write_slot(slot: Slot, out: &mut Vec<u8>) {
    out.extend_from_slice(&slot.index.to_le_bytes());
    out.extend_from_slice(&[slot.source, slot.kind as u8, u8::from(slot.nullable)]);
}
