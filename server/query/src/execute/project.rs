//! Result rows out of table rows.

use syncline_protocol::Type;

use crate::expr::{Expr, Input};
use crate::plan::Output;

/// Writes the outputs of a plan. Runs of neighbouring columns are copied as they are.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pieces: Vec<Piece>,
    is_identity: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    /// These columns and those between them.
    Columns {
        first: usize,
        last: usize,
    },
    Value(Expr, Type),
}

impl Projection {
    /// A projection of rows with `column_count` columns.
    pub(crate) fn new(outputs: &[Output], column_count: usize) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for output in outputs {
            match (&output.expr, pieces.last_mut()) {
                (Expr::Column(slot), Some(Piece::Columns { last, .. }))
                    if *last + 1 == usize::from(slot.index) =>
                {
                    *last += 1;
                }
                (Expr::Column(slot), _) => {
                    let column = usize::from(slot.index);
                    pieces.push(Piece::Columns {
                        first: column,
                        last: column,
                    });
                }
                (expr, _) => pieces.push(Piece::Value(expr.clone(), output.ty.clone())),
            }
        }
        let is_identity = matches!(
            pieces.as_slice(),
            [Piece::Columns { first: 0, last }] if last + 1 == column_count
        );
        Self {
            pieces,
            is_identity,
        }
    }

    /// The result row: the row itself if nothing differs, else written to `out`, which is cleared.
    pub(crate) fn apply<'r>(&self, input: &Input<'r>, out: &'r mut Vec<u8>) -> &'r [u8] {
        if self.is_identity {
            return input.row;
        }
        out.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Columns { first, last } => {
                    let start = offset(input.row, input.layout.column(input.row, *first));
                    let end_column = input.layout.column(input.row, *last);
                    let end = offset(input.row, end_column) + end_column.len();
                    out.extend_from_slice(&input.row[start..end]);
                }
                Piece::Value(expr, ty) => expr.eval(input).write(ty, out),
            }
        }
        out
    }
}

/// Where a part of `whole` begins.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}
