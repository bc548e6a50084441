//! Syntax to plan: every name is looked up, every type checked, and an error says where and what else
//! was meant.

mod binder;
mod expr;
mod function;
mod group;
mod names;
mod operand;
#[cfg(test)]
mod tests;
mod types;

use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, Type};
use syncline_store::{Database, Table};

use crate::Caller;
use crate::error::QueryError;
use crate::expr::{Expr, Slot};
use crate::plan::{Grouping, OrderKey, Output, Plan};
use crate::syntax::{Item, Node, NodeKind, Position, Select};
use binder::Binder;
use operand::{Operand, is_ordered};

/// Columns of a result, and keys of a group or an order.
const OUTPUTS_MAX: usize = 256;
const KEYS_MAX: usize = 32;

/// An output before its name is final, with the place it stands at.
struct Draft {
    output: Output,
    is_alias: bool,
    at: Position,
}

/// Binds a query with its parameters for a caller.
pub(crate) fn bind(
    db: &Database,
    select: &Select,
    params: &[(String, Param)],
    caller: &Caller,
) -> Result<Plan, QueryError> {
    let table = names::table(db, &select.table, caller)?;
    let def = table.def();
    let qualifier = select
        .alias
        .as_ref()
        .map_or(def.name.as_str(), |alias| &alias.text);
    let mut binder = Binder::new(def, qualifier, params, caller.identity)?;

    let mut filter = select
        .filter
        .as_ref()
        .map(|node| binder.condition(node))
        .transpose()?;
    binder.aggregates_allowed = true;
    let mut drafts = outputs(&mut binder, select, table)?;
    let mut order = order_keys(&mut binder, select, &drafts)?;
    let mut having = select
        .having
        .as_ref()
        .map(|node| binder.condition(node))
        .transpose()?;
    binder.aggregates_allowed = false;
    let keys = group_keys(&mut binder, select, &drafts)?;

    let is_grouped = !keys.is_empty() || !binder.calls.is_empty() || having.is_some();
    if is_grouped {
        let calls = &binder.calls;
        for draft in &mut drafts {
            group::over_groups(&mut draft.output.expr, &keys, calls, def, draft.at)?;
        }
        for (key, item) in order.iter_mut().zip(&select.order) {
            group::over_groups(&mut key.expr, &keys, calls, def, item.node.at)?;
        }
        if let (Some(having), Some(node)) = (&mut having, &select.having) {
            group::over_groups(having, &keys, calls, def, node.at)?;
        }
    }
    let limit = select
        .limit
        .as_ref()
        .map(|node| count(&mut binder, node, "LIMIT"))
        .transpose()?;
    let offset = select
        .offset
        .as_ref()
        .map(|node| count(&mut binder, node, "OFFSET"));
    let (limit, offset) = (limit.flatten(), offset.transpose()?.flatten().unwrap_or(0));

    if let Some(filter) = &mut filter {
        filter.normalize();
    }
    let calls = std::mem::take(&mut binder.calls);
    binder.finish()?;
    Ok(Plan {
        table: table.id(),
        filter,
        grouping: is_grouped.then_some(Grouping {
            keys,
            calls,
            having,
        }),
        outputs: drafts.into_iter().map(|draft| draft.output).collect(),
        order,
        limit,
        offset,
    })
}

fn outputs(
    binder: &mut Binder<'_>,
    select: &Select,
    table: &Table,
) -> Result<Vec<Draft>, QueryError> {
    let mut drafts: Vec<Draft> = Vec::new();
    for item in &select.items {
        match item {
            Item::All => all_columns(table, select.table.at, &mut drafts),
            Item::AllOf(name) => {
                binder.check_qualifier(Some(name))?;
                all_columns(table, name.at, &mut drafts);
            }
            Item::One(node, alias) => {
                let (expr, ty) = binder.value(node)?;
                let name = match (alias, &node.kind, &expr) {
                    (Some(alias), ..) => alias.text.clone(),
                    (None, _, Expr::Column(slot)) => {
                        table.def().columns[usize::from(slot.index)].name.clone()
                    }
                    (None, NodeKind::Call(function, _), _) => function.clone(),
                    (None, NodeKind::CountRows, _) => "count".to_owned(),
                    (None, ..) => format!("column{}", drafts.len() + 1),
                };
                let output = Output {
                    name,
                    expr,
                    ty,
                    hidden: false,
                };
                drafts.push(Draft {
                    output,
                    is_alias: alias.is_some(),
                    at: node.at,
                });
            }
        }
    }
    if drafts.len() > OUTPUTS_MAX {
        let message = format!(
            "the result has {} columns, over {OUTPUTS_MAX}",
            drafts.len()
        );
        return Err(QueryError::new(ErrorCode::QueryLimit, message));
    }
    for position in 1..drafts.len() {
        let (before, rest) = drafts.split_at_mut(position);
        let draft = &mut rest[0];
        let is_taken = |name: &str| before.iter().any(|other| other.output.name == name);
        if !is_taken(&draft.output.name) {
            continue;
        }
        if draft.is_alias {
            let message = format!(
                "two columns of the result are named `{}`",
                draft.output.name
            );
            return Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                .at(draft.at)
                .hint("give one of them another alias"));
        }
        let base = draft.output.name.clone();
        let mut candidates = (2..).map(|number: u32| format!("{base}_{number}"));
        draft.output.name = candidates.find(|name| !is_taken(name)).unwrap_or(base);
    }
    Ok(drafts)
}

fn all_columns(table: &Table, at: Position, drafts: &mut Vec<Draft>) {
    for (position, column) in table.def().columns.iter().enumerate() {
        let ty = column.ty.clone();
        let expr = Expr::Column(Slot::new(position, &ty));
        let output = Output {
            name: column.name.clone(),
            expr,
            ty,
            hidden: false,
        };
        drafts.push(Draft {
            output,
            is_alias: false,
            at,
        });
    }
}

/// `ORDER BY 2` and `GROUP BY 2` mean the second column of the result.
fn ordinal<'d>(node: &Node, drafts: &'d [Draft]) -> Result<Option<&'d Output>, QueryError> {
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
    Ok(Some(&draft.output))
}

/// Aliases go before columns.
fn order_keys(
    binder: &mut Binder<'_>,
    select: &Select,
    drafts: &[Draft],
) -> Result<Vec<OrderKey>, QueryError> {
    check_key_count(select.order.len(), "ORDER BY")?;
    let mut keys = Vec::with_capacity(select.order.len());
    for item in &select.order {
        let alias = match &item.node.kind {
            NodeKind::Column { table: None, name } => drafts
                .iter()
                .find(|draft| draft.is_alias && names::is_same(name, &draft.output.name))
                .map(|draft| &draft.output),
            _ => ordinal(&item.node, drafts)?,
        };
        let (expr, ty) = match alias {
            Some(output) => (output.expr.clone(), output.ty.clone()),
            None => binder.value(&item.node)?,
        };
        let descending = item.descending;
        if !is_ordered(&ty) {
            let message = format!("values of type {} have no order", ty.non_null());
            return Err(QueryError::new(ErrorCode::SqlType, message).at(item.node.at));
        }
        // A key that is there already decides nothing.
        if keys.iter().all(|key: &OrderKey| key.expr != expr) {
            keys.push(OrderKey {
                expr,
                ty,
                descending,
            });
        }
    }
    Ok(keys)
}

fn group_keys(
    binder: &mut Binder<'_>,
    select: &Select,
    drafts: &[Draft],
) -> Result<Vec<(Expr, Type)>, QueryError> {
    check_key_count(select.group.len(), "GROUP BY")?;
    let mut keys: Vec<(Expr, Type)> = Vec::with_capacity(select.group.len());
    for node in &select.group {
        let key = match ordinal(node, drafts)? {
            Some(output) if output.expr.has_aggregate() => {
                let message = "a group cannot be made by an aggregate";
                return Err(QueryError::new(ErrorCode::SqlUnsupported, message).at(node.at));
            }
            Some(output) => (output.expr.clone(), output.ty.clone()),
            None => binder.value(node)?,
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn check_key_count(count: usize, clause: &str) -> Result<(), QueryError> {
    if count <= KEYS_MAX {
        return Ok(());
    }
    let message = format!("{clause} has {count} keys, over {KEYS_MAX}");
    Err(QueryError::new(ErrorCode::QueryLimit, message))
}

/// A number of rows: a literal, a parameter, or computed of those. NULL is no limit.
fn count(binder: &mut Binder<'_>, node: &Node, clause: &str) -> Result<Option<u64>, QueryError> {
    let bound = binder.operand(node)?;
    let message = match &bound {
        Operand::Free(free) => match &free.value {
            Param::Null => return Ok(None),
            Param::Int(value) if *value >= 0 => {
                return Ok(Some(u64::try_from(*value).unwrap_or(u64::MAX)));
            }
            _ => format!("{clause} takes a number of rows, not {}", free.describe()),
        },
        Operand::Typed(..) => format!("{clause} takes a number or a parameter"),
    };
    Err(QueryError::new(ErrorCode::SqlType, message).at(node.at))
}
