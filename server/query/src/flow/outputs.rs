//! What rows become: values one after the other. Columns that lie side by side in a row are copied together.

use std::ops::Range;

use syncline_protocol::Type;

use crate::plan::expr::{Expr, Input, Row};
use crate::scalar::is_nullable;

/// Calls back with the tuple as an input.
pub(crate) type WithInput<'w> = &'w dyn Fn(&mut dyn FnMut(&Input<'_>));

/// Expressions and how they are written.
#[derive(Debug)]
pub(crate) struct Outputs {
    exprs: Vec<(Expr, Type)>,
    pieces: Vec<Piece>,
}

/// Expressions that are written together.
#[derive(Debug)]
struct Piece {
    exprs: Range<usize>,
    /// The source whose columns they are, and those columns.
    copied: Option<(u8, Range<usize>)>,
}

impl Outputs {
    pub(crate) fn new(exprs: Vec<(Expr, Type)>) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for (at, (expr, ty)) in exprs.iter().enumerate() {
            let column = as_is(expr, ty);
            if let Some(last) = pieces.last_mut() {
                let follows = match (&mut last.copied, column) {
                    (Some((source, columns)), Some((own, column))) => {
                        let follows = *source == own && columns.end == column;
                        columns.end += usize::from(follows);
                        follows
                    }
                    (None, None) => true,
                    _ => false,
                };
                if follows {
                    last.exprs.end += 1;
                    continue;
                }
            }
            pieces.push(Piece {
                exprs: at..at + 1,
                copied: column.map(|(source, column)| (source, column..column + 1)),
            });
        }
        Self { exprs, pieces }
    }

    /// The expressions, in their order.
    pub(crate) fn exprs(&self) -> impl Iterator<Item = &Expr> + Clone {
        self.exprs.iter().map(|(expr, _)| expr)
    }

    /// Appends the values over a tuple.
    pub(crate) fn write(&self, tuple: &[Row<'_>], out: &mut Vec<u8>, with_input: WithInput<'_>) {
        for piece in &self.pieces {
            if let Some((source, columns)) = &piece.copied
                && let Row {
                    layout,
                    packed: Some(row),
                } = tuple[usize::from(*source)]
            {
                out.extend_from_slice(layout.columns(row, columns.clone()));
                continue;
            }
            with_input(&mut |input| {
                for (expr, ty) in &self.exprs[piece.exprs.clone()] {
                    expr.eval(input).write(ty, out);
                }
            });
        }
    }
}

/// The source and the column that an expression is, if its value is packed there as it is written here.
fn as_is(expr: &Expr, ty: &Type) -> Option<(u8, usize)> {
    match expr {
        Expr::Column(slot) if slot.nullable == is_nullable(ty) => {
            Some((slot.source, slot.index.into()))
        }
        _ => None,
    }
}
