//! The select list.

use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Type};

use super::OUTPUTS_MAX;
use super::binder::Binder;
use super::scopes::Visible;
use crate::error::QueryError;
use crate::plan::Column;
use crate::plan::expr::Expr;
use crate::syntax::{Item, Node, NodeKind, Position, Select};

/// An output before its name is final, with the place it stands at.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) column: Column,
    pub(super) expr: Expr,
    /// Parts that it has at most.
    pub(super) size: usize,
    pub(super) is_alias: bool,
    pub(super) at: Position,
}

impl Draft {
    pub(super) fn new(name: String, (expr, ty): (Expr, Type), at: Position) -> Self {
        Self {
            column: Column {
                name,
                ty,
                hidden: false,
            },
            expr,
            size: 1,
            is_alias: false,
            at,
        }
    }
}

impl<'a> Binder<'a> {
    pub(super) fn outputs(&mut self, select: &'a Select) -> Result<Vec<Draft>, QueryError> {
        let at = select
            .from
            .first()
            .map_or(Position { line: 1, column: 1 }, |from| from.at);
        let mut drafts: Vec<Draft> = Vec::new();
        for item in &select.items {
            match item {
                Item::All => {
                    let mut visible: Vec<&Visible> = self.scope().visible.iter().collect();
                    visible.sort_by_key(|visible| visible.place);
                    for source in visible {
                        let merged = source.columns.iter().map(|column| column.merged);
                        let kept = merged.enumerate().filter(|(_, merged)| !merged);
                        drafts.extend(kept.map(|(index, _)| {
                            Draft::new(source.columns[index].name.clone(), source.column(index), at)
                        }));
                    }
                }
                Item::AllOf(name) => {
                    let Some(source) = self.scope().source(name) else {
                        return Err(self.unknown_source(name));
                    };
                    drafts.extend((0..source.columns.len()).map(|index| {
                        let column = source.columns[index].name.clone();
                        Draft::new(column, source.column(index), name.at)
                    }));
                }
                Item::One(node, alias) => {
                    let (bound, size) = self.sized(|this| this.value(node))?;
                    let name = match (alias, &node.kind, &bound.0) {
                        (Some(alias), ..) => alias.text.clone(),
                        (None, _, Expr::Column(slot)) => self.scope().name_of(*slot).to_owned(),
                        (None, NodeKind::Column { name, .. }, _) => name.text.clone(),
                        (
                            None,
                            NodeKind::Call(function, _) | NodeKind::CallDistinct(function, _),
                            _,
                        ) => function.clone(),
                        (None, NodeKind::CountRows, _) => "count".to_owned(),
                        (None, NodeKind::Rank { unique, .. }, _) => {
                            if *unique { "row_number" } else { "rank" }.to_owned()
                        }
                        (None, ..) => format!("column{}", drafts.len() + 1),
                    };
                    let is_alias = alias.is_some();
                    drafts.push(Draft {
                        size,
                        is_alias,
                        ..Draft::new(name, bound, node.at)
                    });
                }
            }
        }
        if drafts.len() > OUTPUTS_MAX {
            let count = drafts.len();
            let message = format!("the result has {count} columns, over {OUTPUTS_MAX}");
            return Err(QueryError::new(ErrorCode::QueryLimit, message));
        }
        name_apart(&mut drafts)?;
        Ok(drafts)
    }
}

/// Gives columns of the same name different ones; aliases must differ already.
fn name_apart(drafts: &mut [Draft]) -> Result<(), QueryError> {
    for position in 1..drafts.len() {
        let (before, rest) = drafts.split_at_mut(position);
        let draft = &mut rest[0];
        let is_taken = |name: &str| before.iter().any(|other| other.column.name == name);
        if !is_taken(&draft.column.name) {
            continue;
        }
        if draft.is_alias {
            let name = &draft.column.name;
            let message = format!("two columns of the result are named `{name}`");
            return Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                .at(draft.at)
                .hint("give one of them another alias"));
        }
        draft.column.name = numbered(&draft.column.name, is_taken);
    }
    Ok(())
}

/// The name with the first number that makes it one that is not taken.
pub(super) fn numbered(base: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut candidates = (2..).map(|number: u32| format!("{base}_{number}"));
    let free = candidates.find(|name| !is_taken(name));
    free.unwrap_or_else(|| base.to_owned())
}

/// The output that is this expression; if there is none a hidden one is added.
pub(super) fn output_of(
    drafts: &mut Vec<Draft>,
    (expr, ty): (Expr, Type),
    name: impl FnOnce(&Expr) -> String,
) -> u16 {
    if let Some(position) = drafts.iter().position(|draft| draft.expr == expr) {
        return position as u16;
    }
    let mut name = name(&expr);
    let is_taken = |name: &str| drafts.iter().any(|draft| draft.column.name == name);
    if is_taken(&name) {
        name = numbered(&name, is_taken);
    }
    let mut draft = Draft::new(name, (expr, ty), Position { line: 1, column: 1 });
    draft.column.hidden = true;
    drafts.push(draft);
    drafts.len() as u16 - 1
}

/// `ORDER BY 2` and `GROUP BY 2` mean the second column of the result.
pub(super) fn ordinal<'d>(
    node: &Node,
    drafts: &'d [Draft],
) -> Result<Option<&'d Draft>, QueryError> {
    let NodeKind::Literal(Param::Int(number)) = &node.kind else {
        return Ok(None);
    };
    let position = usize::try_from(*number)
        .ok()
        .and_then(|number| number.checked_sub(1));
    let Some(draft) = position.and_then(|position| drafts.get(position)) else {
        let message = format!("the result has no column number {number}");
        return Err(QueryError::new(ErrorCode::SqlUnknownColumn, message).at(node.at));
    };
    Ok(Some(draft))
}
