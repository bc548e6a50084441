//! Claims of the caller's token: `auth.name`, wherever a value can stand.
//!
//! A claim has the type that is asked for. One that is absent, or no value of that type, is NULL, so that a policy
//! means something for everybody. What claims decide alone is decided here: a query is then another one for who
//! has other claims, and the same for all for whom they decide the same.

#[cfg(test)]
mod tests;

use syncline_protocol::RowLayout;

use super::binder::Binder;
use super::names;
use super::operand::{Free, Operand};
use super::scopes::Frame;
use crate::plan::expr::{Expr, Input, Params};
use crate::syntax::Name;

/// What stands before the name of a claim.
const AUTH: &str = "auth";

/// What a condition on a row comes to.
enum Decided {
    Always,
    Never,
    Depends(Expr),
}

impl Binder<'_> {
    /// A claim, if the name is one. A table of the query that is named `auth` goes first.
    pub(super) fn claim(&mut self, table: Option<&Name>, name: &Name) -> Option<Operand> {
        let table = table.filter(|table| names::is_same(table, AUTH))?;
        let is_hidden = self.frames.iter().any(|frame| match frame {
            Frame::Select(scope) => scope.source(table).is_some(),
            Frame::SubQuery(_) | Frame::Wall => false,
        });
        if is_hidden {
            return None;
        }
        self.has_claims = true;
        let value = self.caller.claims.get(&name.text);
        Some(Operand::Free(Free {
            is_claim: true,
            ..Free::new(value, None, name.at)
        }))
    }

    /// A condition that lets rows through, without what claims have decided; `None` if it lets all through.
    pub(super) fn decided(&self, condition: Expr) -> Option<Expr> {
        if !self.has_claims {
            return Some(condition);
        }
        match decide(condition) {
            Decided::Always => None,
            Decided::Never => Some(Expr::NEVER),
            Decided::Depends(condition) => Some(condition),
        }
    }
}

/// A row passes only if the condition is true: what is unknown is as good as false, but under NOT, which stays.
fn decide(condition: Expr) -> Decided {
    match condition {
        Expr::And(items) => {
            let mut left = Vec::new();
            for item in items {
                match decide(item) {
                    Decided::Always => {}
                    Decided::Never => return Decided::Never,
                    Decided::Depends(item) => left.push(item),
                }
            }
            match left.len() {
                0 => Decided::Always,
                1 => Decided::Depends(left.swap_remove(0)),
                _ => Decided::Depends(Expr::And(left)),
            }
        }
        Expr::Or(items) => {
            let mut left = Vec::new();
            for item in items {
                match decide(item) {
                    Decided::Always => return Decided::Always,
                    Decided::Never => {}
                    Decided::Depends(item) => left.push(item),
                }
            }
            match left.len() {
                0 => Decided::Never,
                1 => Decided::Depends(left.swap_remove(0)),
                _ => Decided::Depends(Expr::Or(left)),
            }
        }
        other if other.any(&mut reads_anything) => Decided::Depends(other),
        constant => {
            let layout = RowLayout::new(Vec::new());
            let params = Params {
                layout: &layout,
                packed: &[],
            };
            match constant.truth(&Input::one(&layout, &[], params)) {
                Some(true) => Decided::Always,
                Some(false) | None => Decided::Never,
            }
        }
    }
}

fn reads_anything(part: &Expr) -> bool {
    let reads = matches!(
        part,
        Expr::Column(_) | Expr::ColumnIs(..) | Expr::Param(_) | Expr::Outer(_) | Expr::Aggregate(_)
    );
    reads || part.sub_query().is_some()
}
