//! Result rows out of the sources' rows.

use syncline_protocol::Type;

use crate::plan::Column;
use crate::plan::expr::{Expr, Input};
use crate::scalar::is_nullable;

/// Writes the outputs of a query. Runs of neighbouring columns are copied as they are.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pieces: Vec<Piece>,
    is_identity: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    /// These columns of a source and those between them.
    Columns {
        source: u8,
        first: u16,
        last: u16,
    },
    Value(Expr, Type),
}

impl Projection {
    /// A projection that writes these expressions for these columns. `column_count` is that of the rows of
    /// the only source, if there is only one.
    pub(crate) fn new(exprs: &[Expr], columns: &[Column], column_count: Option<usize>) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for (expr, column) in exprs.iter().zip(columns) {
            let slot = match expr {
                Expr::Column(slot) if slot.nullable == is_nullable(&column.ty) => *slot,
                other => {
                    pieces.push(Piece::Value(other.clone(), column.ty.clone()));
                    continue;
                }
            };
            match pieces.last_mut() {
                Some(Piece::Columns { source, last, .. })
                    if *source == slot.source && *last + 1 == slot.index =>
                {
                    *last += 1;
                }
                _ => pieces.push(Piece::Columns {
                    source: slot.source,
                    first: slot.index,
                    last: slot.index,
                }),
            }
        }
        let is_identity = matches!(
            pieces.as_slice(),
            [Piece::Columns { source: 0, first: 0, last }]
                if column_count == Some(usize::from(*last) + 1)
        );
        Self {
            pieces,
            is_identity,
        }
    }

    /// The result row: the row itself if nothing differs, else written to `out`, which is cleared.
    pub(crate) fn apply<'r>(&self, input: &Input<'r>, out: &'r mut Vec<u8>) -> &'r [u8] {
        if self.is_identity
            && let Some(row) = input.first.packed
        {
            return row;
        }
        out.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Columns {
                    source,
                    first,
                    last,
                } => {
                    let row = input.row(*source);
                    let Some(packed) = row.packed else {
                        // All of these can be NULL, or the row would be there.
                        out.resize(out.len() + usize::from(*last - *first) + 1, 1);
                        continue;
                    };
                    let start = offset(packed, row.layout.column(packed, usize::from(*first)));
                    let end_column = row.layout.column(packed, usize::from(*last));
                    let end = offset(packed, end_column) + end_column.len();
                    out.extend_from_slice(&packed[start..end]);
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
