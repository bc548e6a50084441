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
use crate::plan;
use crate::plan::expr::{Expr, Slot};
use crate::plan::{Body, Column, Grouping, OrderKey, Query, Relation, Source};
use crate::syntax::{Item, Node, NodeKind, Position, Select};
use binder::Binder;
use operand::{Operand, is_ordered};

/// Columns of a result, and keys of a group or an order.
const OUTPUTS_MAX: usize = 256;
const KEYS_MAX: usize = 32;

/// An output before its name is final, with the place it stands at.
struct Draft {
    column: Column,
    expr: Expr,
    is_alias: bool,
    at: Position,
}

/// What a query is bound for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To be evaluated once.
    Once,
    /// To be kept current: its rows need keys.
    Live,
}

/// A key of ORDER BY before it is an output.
struct Wanted {
    expr: Expr,
    ty: Type,
    descending: bool,
}

/// Binds a query with its parameters for a caller.
#[expect(clippy::too_many_lines, reason = "it is taken apart with the joins")]
pub(crate) fn bind(
    db: &Database,
    select: &Select,
    params: &[(String, Param)],
    caller: &Caller,
    mode: Mode,
) -> Result<Query, QueryError> {
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
            group::over_groups(&mut draft.expr, &keys, calls, def, draft.at)?;
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
    let unique: Vec<(Expr, Type)> = if is_grouped {
        let keys = keys.iter().enumerate();
        keys.map(|(position, (_, ty))| (Expr::Column(Slot::new(position, ty)), ty.clone()))
            .collect()
    } else {
        let columns = def.primary_key.iter().map(|column| usize::from(*column));
        columns
            .map(|column| {
                let ty = def.columns[column].ty.clone();
                (Expr::Column(Slot::new(column, &ty)), ty)
            })
            .collect()
    };
    let mut key = Vec::new();
    if mode == Mode::Live || !order.is_empty() {
        for (expr, ty) in unique {
            key.push(output_of(&mut drafts, expr, ty, is_grouped, def));
        }
    }
    let order = order
        .into_iter()
        .map(|wanted| OrderKey {
            column: output_of(&mut drafts, wanted.expr, wanted.ty, is_grouped, def),
            descending: wanted.descending,
        })
        .collect();
    let (outputs, exprs) = drafts
        .into_iter()
        .map(|draft| (draft.column, draft.expr))
        .unzip();
    Ok(Query {
        body: Body::Select(Box::new(plan::Select {
            sources: vec![Source {
                relation: Relation::Table(table.id()),
                layout: table.layout().clone(),
                left_on: None,
            }],
            filter,
            grouping: is_grouped.then_some(Grouping {
                keys,
                calls,
                having,
            }),
            exprs,
            distinct: false,
        })),
        outputs,
        key,
        order,
        limit,
        offset,
    })
}

/// The output that is this expression; if there is none a hidden one is added.
fn output_of(
    drafts: &mut Vec<Draft>,
    expr: Expr,
    ty: Type,
    is_grouped: bool,
    def: &syncline_protocol::TableDef,
) -> u16 {
    if let Some(position) = drafts.iter().position(|draft| draft.expr == expr) {
        return position as u16;
    }
    let base = match &expr {
        Expr::Column(slot) if !is_grouped => def.columns[usize::from(slot.index)].name.clone(),
        _ => "order".to_owned(),
    };
    let is_taken = |name: &str| drafts.iter().any(|draft| draft.column.name == name);
    let mut numbered = (2..).map(|number: u32| format!("{base}_{number}"));
    let name = if is_taken(&base) {
        numbered.find(|name| !is_taken(name))
    } else {
        None
    };
    drafts.push(Draft {
        column: Column {
            name: name.unwrap_or(base),
            ty,
            hidden: true,
        },
        expr,
        is_alias: false,
        at: Position { line: 1, column: 1 },
    });
    drafts.len() as u16 - 1
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
                let column = Column {
                    name,
                    ty,
                    hidden: false,
                };
                drafts.push(Draft {
                    column,
                    expr,
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
        let is_taken = |name: &str| before.iter().any(|other| other.column.name == name);
        if !is_taken(&draft.column.name) {
            continue;
        }
        if draft.is_alias {
            let message = format!(
                "two columns of the result are named `{}`",
                draft.column.name
            );
            return Err(QueryError::new(ErrorCode::SqlUnsupported, message)
                .at(draft.at)
                .hint("give one of them another alias"));
        }
        let base = draft.column.name.clone();
        let mut candidates = (2..).map(|number: u32| format!("{base}_{number}"));
        draft.column.name = candidates.find(|name| !is_taken(name)).unwrap_or(base);
    }
    Ok(drafts)
}

fn all_columns(table: &Table, at: Position, drafts: &mut Vec<Draft>) {
    for (position, column) in table.def().columns.iter().enumerate() {
        let ty = column.ty.clone();
        let expr = Expr::Column(Slot::new(position, &ty));
        let column = Column {
            name: column.name.clone(),
            ty,
            hidden: false,
        };
        drafts.push(Draft {
            column,
            expr,
            is_alias: false,
            at,
        });
    }
}

/// `ORDER BY 2` and `GROUP BY 2` mean the second column of the result.
fn ordinal<'d>(node: &Node, drafts: &'d [Draft]) -> Result<Option<&'d Draft>, QueryError> {
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

/// Aliases go before columns.
fn order_keys(
    binder: &mut Binder<'_>,
    select: &Select,
    drafts: &[Draft],
) -> Result<Vec<Wanted>, QueryError> {
    check_key_count(select.order.len(), "ORDER BY")?;
    let mut keys = Vec::with_capacity(select.order.len());
    for item in &select.order {
        let alias = match &item.node.kind {
            NodeKind::Column { table: None, name } => drafts
                .iter()
                .find(|draft| draft.is_alias && names::is_same(name, &draft.column.name)),
            _ => ordinal(&item.node, drafts)?,
        };
        let (expr, ty) = match alias {
            Some(draft) => (draft.expr.clone(), draft.column.ty.clone()),
            None => binder.value(&item.node)?,
        };
        let descending = item.descending;
        if !is_ordered(&ty) {
            let message = format!("values of type {} have no order", ty.non_null());
            return Err(QueryError::new(ErrorCode::SqlType, message).at(item.node.at));
        }
        // A key that is there already decides nothing.
        if keys.iter().all(|key: &Wanted| key.expr != expr) {
            keys.push(Wanted {
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
            Some(draft) if draft.expr.has_aggregate() => {
                let message = "a group cannot be made by an aggregate";
                return Err(QueryError::new(ErrorCode::SqlUnsupported, message).at(node.at));
            }
            Some(draft) => (draft.expr.clone(), draft.column.ty.clone()),
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
