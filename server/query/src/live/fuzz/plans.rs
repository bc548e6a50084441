//! Random plans over three small tables.

use syncline_protocol::{RowLayout, TableId, Type, packed};

use super::tables::{Random, random_value, tables};
use crate::plan::expr::{Expr, Slot};
use crate::plan::{
    Aggregate, AggregateCall, Body, Column, Grouping, OrderKey, Query, Relation, Select, Source,
    SubQuery,
};
use crate::scalar::is_nullable;
use crate::syntax::CompareOp;

/// Expressions that can be read: with their types.
type Scope = Vec<(Expr, Type)>;

fn source_scope(sources: &[Source]) -> Scope {
    let mut scope = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        for (index, ty) in source.layout.types().iter().enumerate() {
            let ty_seen = match source.left_on {
                Some(_) if !is_nullable(ty) => Type::option(ty.clone()),
                _ => ty.clone(),
            };
            scope.push((Expr::Column(Slot::of(number, index, ty)), ty_seen));
        }
    }
    scope
}

fn literal(random: &mut Random, ty: &Type) -> Expr {
    let value = random_value(random, ty);
    let mut bytes = Vec::new();
    packed::encode(ty, &value, &mut bytes).expect("the value has the type");
    Expr::literal(ty.clone(), bytes)
}

fn of_type(random: &mut Random, scope: &Scope, ty: &Type) -> Option<(Expr, Type)> {
    let wanted = ty.non_null();
    let found: Vec<_> = scope
        .iter()
        .filter(|(_, own)| own.non_null() == wanted)
        .collect();
    (!found.is_empty()).then(|| (*random.pick(&found)).clone())
}

fn compare(op: CompareOp, left: Expr, right: Expr) -> Expr {
    let mut expr = Expr::Compare(op, Box::new(left), Box::new(right));
    expr.normalize();
    expr
}

/// A condition over a scope; `outer` can be compared with it.
fn condition(random: &mut Random, scope: &Scope, outer: &Scope, depth: usize) -> Expr {
    let (left, ty) = random.pick(scope);
    match random.below(12) {
        0..4 => compare(CompareOp::Equal, left, literal(random, &ty)),
        4 => {
            let op = random.pick(&[
                CompareOp::Less,
                CompareOp::GreaterOrEqual,
                CompareOp::NotEqual,
            ]);
            let ty = ty.non_null().clone();
            compare(op, left, literal(random, &ty))
        }
        5 => Expr::IsNull(Box::new(left)),
        6 | 7 => match of_type(random, outer, &ty).or_else(|| of_type(random, scope, &ty)) {
            Some((right, _)) => compare(CompareOp::Equal, left, right),
            None => Expr::IsNull(Box::new(left)),
        },
        8 => {
            let items = vec![
                condition(random, scope, outer, depth),
                condition(random, scope, outer, depth),
            ];
            Expr::Or(items)
        }
        9 => Expr::Not(Box::new(condition(random, scope, outer, depth))),
        _ if depth > 0 => sub_query_atom(random, scope, depth - 1),
        _ => Expr::IsNull(Box::new(left)),
    }
}

#[expect(clippy::too_many_lines, reason = "one choice after the other")]
fn sub_query_atom(random: &mut Random, scope: &Scope, depth: usize) -> Expr {
    let mut outer: Vec<(Expr, Type)> = Vec::new();
    let mut inner_outer: Scope = Vec::new();
    for _ in 0..random.below(3) {
        let (expr, ty) = random.pick(scope);
        inner_outer.push((Expr::Outer(Slot::new(outer.len(), &ty)), ty.clone()));
        outer.push((expr, ty));
    }
    let mut select = random_select(random, &inner_outer, depth);
    // Correlated by equality, mostly.
    let own = source_scope(&select.sources);
    for (expr, ty) in &inner_outer {
        if let Some((left, _)) = of_type(random, &own, ty)
            && random.chance(85)
        {
            and(
                &mut select.filter,
                compare(CompareOp::Equal, left, expr.clone()),
            );
        }
    }
    let kind = random.below(5);
    let (exprs, types): (Vec<Expr>, Vec<Type>) = if kind == 0 {
        let ty = Type::I64;
        select.grouping = Some(Grouping {
            keys: Vec::new(),
            calls: vec![AggregateCall {
                function: Aggregate::Count,
                arg: None,
                distinct: false,
                arg_ty: ty.clone(),
                ty: ty.clone(),
            }],
            having: None,
        });
        (vec![Expr::Column(Slot::new(0, &ty))], vec![ty])
    } else {
        let ints: Vec<_> = own
            .iter()
            .filter(|(_, ty)| *ty.non_null() == Type::I64)
            .collect();
        let one = (Expr::IsNull(Box::new(own[0].0.clone())), Type::Bool);
        let (expr, ty) = if ints.is_empty() {
            one
        } else {
            (*random.pick(&ints)).clone()
        };
        (vec![expr], vec![ty])
    };
    select.exprs = exprs;
    let sub_query = Box::new(SubQuery {
        query: query_of(select, &types, Vec::new()),
        outer,
    });
    match kind {
        0 => compare(
            CompareOp::Equal,
            Expr::Scalar(sub_query),
            literal(random, &Type::I64),
        ),
        1 | 2 => Expr::Exists(sub_query),
        _ => {
            let ints: Vec<_> = scope
                .iter()
                .filter(|(_, ty)| *ty.non_null() == Type::I64)
                .collect();
            if ints.is_empty() || *types[0].non_null() != Type::I64 {
                return Expr::Exists(sub_query);
            }
            let (operand, _) = (*random.pick(&ints)).clone();
            Expr::InQuery(Box::new(operand), sub_query)
        }
    }
}

fn and(filter: &mut Option<Expr>, expr: Expr) {
    let mut items = match filter.take() {
        Some(Expr::And(items)) => items,
        Some(other) => vec![other],
        None => Vec::new(),
    };
    items.push(expr);
    let mut all = Expr::And(items);
    all.normalize();
    *filter = Some(all);
}

fn query_of(select: Select, types: &[Type], key: Vec<u16>) -> Query {
    let outputs = types.iter().enumerate().map(|(number, ty)| Column {
        name: format!("c{number}"),
        ty: ty.clone(),
        hidden: false,
    });
    Query {
        outputs: outputs.collect(),
        body: Body::Select(Box::new(select)),
        key,
        order: Vec::new(),
        limit: None,
        offset: 0,
    }
}

/// Sources and a filter; the rest is to be filled in.
fn random_select(random: &mut Random, outer: &Scope, depth: usize) -> Select {
    let mut sources: Vec<Source> = Vec::new();
    let mut filter = None;
    let count = random.pick(&[1, 1, 1, 2, 2, 3]);
    let inner_count = 1 + random.below(count);
    for number in 0..count {
        let source = if depth > 0 && outer.is_empty() && random.chance(12) {
            let inner = random_query_of(random, 0);
            Source {
                layout: inner.layout(),
                relation: Relation::Derived(Box::new(inner)),
                left_on: None,
            }
        } else {
            let at = random.below(tables().len());
            let types = tables()[at].columns.iter().map(|column| column.ty.clone());
            Source {
                relation: Relation::Table(TableId(TableId::FIRST_USER.0 + at as u32)),
                layout: RowLayout::new(types.collect()),
                left_on: None,
            }
        };
        let before = source_scope(&sources);
        sources.push(source);
        let own: Scope = source_scope(&sources)
            .into_iter()
            .filter(|(expr, _)| matches!(expr, Expr::Column(slot) if usize::from(slot.source) == number))
            .collect();
        let mut on = None;
        for _ in 0..=random.below(2) {
            let (left, ty) = random.pick(&own);
            if let Some((right, _)) = of_type(random, &before, &ty) {
                and(&mut on, compare(CompareOp::Equal, left, right));
            }
        }
        if number >= inner_count {
            if random.chance(30) {
                let extra = condition(random, &own, &before, depth.min(1));
                and(&mut on, extra);
            }
            let on = on.unwrap_or_else(|| Expr::IsNull(Box::new(own[0].0.clone())));
            sources[number].left_on = Some(on);
        } else if let Some(on) = on {
            and(&mut filter, on);
        }
    }
    let scope = source_scope(&sources);
    for _ in 0..random.below(3) {
        let extra = condition(random, &scope, outer, depth);
        and(&mut filter, extra);
    }
    Select {
        sources,
        filter,
        grouping: None,
        exprs: Vec::new(),
        distinct: false,
    }
}

/// Columns that identify a combination: those of every source's key.
fn key_columns(select: &Select) -> Scope {
    let scope = source_scope(&select.sources);
    let is_key = |expr: &Expr| {
        let Expr::Column(slot) = expr else {
            return false;
        };
        match &select.sources[usize::from(slot.source)].relation {
            Relation::Table(id) => {
                let def = &tables()[(id.0 - TableId::FIRST_USER.0) as usize];
                def.primary_key.contains(&slot.index)
            }
            Relation::Derived(query) => query.key.contains(&slot.index),
        }
    };
    scope.into_iter().filter(|(expr, _)| is_key(expr)).collect()
}

fn random_call(random: &mut Random, scope: &Scope) -> AggregateCall {
    let numbers: Vec<_> = scope
        .iter()
        .filter(|(_, ty)| matches!(ty.non_null(), Type::I64 | Type::F64))
        .collect();
    let bool_ty = (
        Expr::literal(Type::I64, vec![1, 0, 0, 0, 0, 0, 0, 0]),
        Type::I64,
    );
    let (arg, arg_ty) = if numbers.is_empty() {
        bool_ty
    } else {
        (*random.pick(&numbers)).clone()
    };
    let is_float = *arg_ty.non_null() == Type::F64;
    let function = random.pick(&[
        Aggregate::Count,
        Aggregate::Count,
        Aggregate::Sum,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Average,
    ]);
    let ty = match function {
        Aggregate::Count => Type::I64,
        Aggregate::Min | Aggregate::Max => Type::option(arg_ty.non_null().clone()),
        Aggregate::Sum if !is_float => Type::option(Type::I128),
        _ => Type::option(Type::F64),
    };
    let is_star = function == Aggregate::Count && random.chance(50);
    AggregateCall {
        function,
        distinct: !is_star && random.chance(25),
        arg_ty: if is_star { ty.clone() } else { arg_ty },
        arg: (!is_star).then_some(arg),
        ty,
    }
}

#[expect(clippy::too_many_lines, reason = "one choice after the other")]
fn random_query_of(random: &mut Random, depth: usize) -> Query {
    let mut select = random_select(random, &Vec::new(), depth);
    let scope = source_scope(&select.sources);
    let mut outputs: Scope = Vec::new();
    let form = random.below(10);
    let key_count;
    if form < 3 {
        let keys: Scope = (0..random.below(3)).map(|_| random.pick(&scope)).collect();
        let calls: Vec<_> = (0..=random.below(2))
            .map(|_| random_call(random, &scope))
            .collect();
        for (index, (_, ty)) in keys.iter().enumerate() {
            outputs.push((Expr::Column(Slot::new(index, ty)), ty.clone()));
        }
        key_count = keys.len();
        for (index, call) in calls.iter().enumerate() {
            let slot = Slot::new(keys.len() + index, &call.ty);
            outputs.push((Expr::Column(slot), call.ty.clone()));
        }
        let having = random.chance(30).then(|| {
            let (expr, ty) = outputs[outputs.len() - 1].clone();
            let zero = Type::I64;
            let is_int = matches!(ty.non_null(), Type::I64 | Type::I128);
            if is_int {
                compare(CompareOp::Greater, expr, literal(random, &zero))
            } else {
                Expr::Not(Box::new(Expr::IsNull(Box::new(expr))))
            }
        });
        select.grouping = Some(Grouping {
            keys,
            calls,
            having,
        });
    } else if form < 5 {
        for _ in 0..=random.below(3) {
            outputs.push(random.pick(&scope));
        }
        select.distinct = true;
        key_count = outputs.len();
    } else {
        outputs = key_columns(&select);
        key_count = outputs.len();
        for _ in 0..random.below(3) {
            outputs.push(random.pick(&scope));
        }
        if depth > 0 && random.chance(15) {
            let atom = sub_query_atom(random, &scope, 0);
            outputs.push((atom, Type::option(Type::Bool)));
        }
    }
    let types: Vec<Type> = outputs.iter().map(|(_, ty)| ty.clone()).collect();
    select.exprs = outputs.into_iter().map(|(expr, _)| expr).collect();
    let mut query = query_of(select, &types, (0..key_count as u16).collect());
    if form < 5 && random.chance(10) {
        let other = query.clone();
        let all: Vec<u16> = (0..types.len() as u16).collect();
        query = Query {
            outputs: other.outputs.clone(),
            body: Body::Union {
                all: false,
                branches: vec![other.clone(), varied(random, other)],
            },
            key: all,
            order: Vec::new(),
            limit: None,
            offset: 0,
        };
    }
    if random.chance(25) && !query.key.is_empty() {
        query.order = vec![OrderKey {
            column: random.below(types.len()) as u16,
            descending: random.chance(50),
        }];
        query.limit = random.chance(80).then(|| random.below(5) as u64);
        query.offset = random.pick(&[0, 0, 1, 3]);
    }
    query
}

/// The query with another condition.
fn varied(random: &mut Random, mut query: Query) -> Query {
    if let Body::Select(select) = &mut query.body {
        let scope = source_scope(&select.sources);
        let extra = condition(random, &scope, &Vec::new(), 0);
        and(&mut select.filter, extra);
    }
    query
}

pub(super) fn random_query(random: &mut Random) -> Query {
    random_query_of(random, 2)
}
