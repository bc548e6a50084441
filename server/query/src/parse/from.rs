//! FROM: sources and joins.

use sqlparser::ast;

use super::name::convert_name;
use super::query::{convert, convert_alias, refuse_any};
use super::{expr, start, unsupported};
use crate::error::QueryError;
use crate::syntax::{Name, Node, On, Position, Relation, Source};

/// The sources in the order of the text, but for the two of a RIGHT JOIN.
pub(super) fn convert_from(
    from: Vec<ast::TableWithJoins>,
    at: Position,
    depth: usize,
) -> Result<Vec<Source>, QueryError> {
    if from.is_empty() {
        return Err(unsupported("SELECT without FROM", at));
    }
    let mut sources = Vec::new();
    for item in from {
        let first = sources.len();
        sources.push(convert_source(item.relation, depth)?);
        for join in item.joins {
            convert_join(join, first, &mut sources, depth)?;
        }
    }
    Ok(sources)
}

fn convert_join(
    join: ast::Join,
    first: usize,
    sources: &mut Vec<Source>,
    depth: usize,
) -> Result<(), QueryError> {
    use ast::JoinOperator as Op;
    let at = start::of_relation(&join.relation);
    refuse_any(at, &[(join.global, "GLOBAL JOIN")])?;
    let mut source = convert_source(join.relation, depth)?;
    let (constraint, kind) = match join.join_operator {
        Op::Join(constraint) | Op::Inner(constraint) => (constraint, "JOIN"),
        Op::Left(constraint) | Op::LeftOuter(constraint) => (constraint, "LEFT JOIN"),
        Op::Right(constraint) | Op::RightOuter(constraint) => (constraint, "RIGHT JOIN"),
        Op::CrossJoin(constraint) => (constraint, "CROSS JOIN"),
        Op::FullOuter(_) => {
            return Err(unsupported("FULL JOIN", at)
                .hint("unite a LEFT JOIN with the rows of the other side that NOT EXISTS finds"));
        }
        _ => return Err(unsupported("this kind of join", at)),
    };
    source.on = match constraint {
        ast::JoinConstraint::On(node) => On::Condition(expr::convert_at(node, depth)?),
        ast::JoinConstraint::Using(names) => {
            let names = names.into_iter().map(|name| convert_name(name, at));
            On::Using(names.collect::<Result<_, _>>()?)
        }
        ast::JoinConstraint::None => On::Nothing,
        ast::JoinConstraint::UsingAlias(..) => return Err(unsupported("USING with an alias", at)),
        ast::JoinConstraint::Natural => {
            return Err(unsupported("NATURAL JOIN", at).hint("say which columns: USING (id)"));
        }
    };
    let is_cross = kind == "CROSS JOIN";
    if is_cross != (source.on == On::Nothing) {
        let message = if is_cross {
            "a condition after CROSS JOIN".to_owned()
        } else {
            format!("{kind} without ON")
        };
        return Err(unsupported(&message, at).hint("write a JOIN b ON a.x = b.y"));
    }
    source.left = kind == "LEFT JOIN";
    if kind == "RIGHT JOIN" {
        if sources.len() != first + 1 {
            return Err(unsupported("RIGHT JOIN after another join", at)
                .hint("begin with its right side, and LEFT JOIN the others"));
        }
        // What was the first source joins the other.
        let mut left = sources.pop().expect("it was counted");
        left.on = std::mem::replace(&mut source.on, On::Nothing);
        (left.left, left.swapped) = (true, true);
        sources.push(source);
        sources.push(left);
        return Ok(());
    }
    sources.push(source);
    Ok(())
}

fn convert_source(relation: ast::TableFactor, depth: usize) -> Result<Source, QueryError> {
    let at = start::of_relation(&relation);
    let (relation, alias) = match relation {
        ast::TableFactor::Table { .. } => convert_table(relation, at, depth)?,
        ast::TableFactor::Derived {
            lateral,
            subquery,
            alias,
            sample,
        } => {
            refuse_any(at, &[(sample.is_some(), "TABLESAMPLE")])?;
            if lateral {
                return Err(unsupported("LATERAL", at)
                    .hint("put the sub-query into the select list, or join what it groups by"));
            }
            let query = convert(*subquery, depth + 1)?;
            let alias = alias.map(convert_alias).transpose()?;
            (Relation::Query(Box::new(query)), alias)
        }
        ast::TableFactor::NestedJoin { .. } => {
            return Err(unsupported("a join in parentheses", at)
                .hint("write it as a sub-query: (SELECT .. FROM a JOIN b ..) x"));
        }
        _ => return Err(unsupported("a function in FROM", at)),
    };
    Ok(Source {
        relation,
        alias,
        left: false,
        on: On::Nothing,
        swapped: false,
        at,
    })
}

fn convert_table(
    table: ast::TableFactor,
    at: Position,
    depth: usize,
) -> Result<(Relation, Option<Name>), QueryError> {
    let ast::TableFactor::Table {
        name,
        alias,
        args,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_directives,
        inheritance,
    } = table
    else {
        return Err(unsupported("this source", at));
    };
    refuse_any(
        at,
        &[
            (!with_hints.is_empty(), "WITH after a table"),
            (version.is_some(), "a table version"),
            (with_ordinality, "WITH ORDINALITY"),
            (!partitions.is_empty(), "PARTITION"),
            (json_path.is_some(), "a JSON path"),
            (sample.is_some(), "TABLESAMPLE"),
            (!index_directives.is_empty(), "an index directive"),
            (inheritance.is_some(), "ONLY or * after a table"),
        ],
    )?;
    let alias = alias.map(convert_alias).transpose()?;
    let name = convert_name(name, at)?;
    let relation = match args {
        None => Relation::Table(name),
        Some(args) => {
            refuse_any(at, &[(args.settings.is_some(), "SETTINGS")])?;
            let args = args.args.into_iter();
            let args = args.map(|arg| convert_argument(arg, at, depth));
            Relation::View(name, args.collect::<Result<_, _>>()?)
        }
    };
    Ok((relation, alias))
}

fn convert_argument(arg: ast::FunctionArg, at: Position, depth: usize) -> Result<Node, QueryError> {
    match arg {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(node)) => {
            expr::convert_at(node, depth)
        }
        _ => Err(unsupported("an argument of a view that is no value", at)),
    }
}
