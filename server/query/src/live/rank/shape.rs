//! Which queries count the rows ahead of one.

use syncline_protocol::{RowLayout, TableId, Type};
use syncline_store::{Database, IndexId, Table};

use crate::plan::expr::{Expr, Slot};
use crate::plan::{Aggregate, Grouping, Query, Relation, Select, SubQuery};
use crate::syntax::CompareOp;

/// A query that counts the rows ahead of one.
pub(super) struct Found {
    pub(super) subject: Subject,
    pub(super) counted: TableId,
    /// A counted index, its columns that make a place, the subject's values of them, and how the last column
    /// of a row that counts compares with the subject's.
    pub(super) place: (IndexId, Vec<u16>, Vec<Part>, CompareOp),
    /// Over the subject and the count, or over a row of counts alone if there is a result without a subject.
    pub(super) exprs: Vec<(Expr, Type)>,
    pub(super) is_total: bool,
    pub(super) counts: RowLayout,
}

/// A value of a place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Constant(Expr),
    /// A column of the subject, and whether it can be NULL.
    Subject(u16, bool),
}

/// The row whose place is watched.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Subject {
    pub(super) table: TableId,
    pub(super) filter: Expr,
}

/// Conditions that say which rows are counted.
#[derive(Default)]
struct Counting {
    equal: Vec<(u16, Part)>,
    bound: Option<(CompareOp, u16, Part)>,
}

fn has_sub_query(expr: &Expr) -> bool {
    expr.any(&mut |part| part.sub_query().is_some())
}

fn only_counts(grouping: &Grouping) -> bool {
    let mut calls = grouping.calls.iter();
    grouping.keys.is_empty()
        && grouping.having.is_none()
        && calls.all(|call| {
            call.function == Aggregate::Count
                && call.arg.is_none()
                && !call.distinct
                && call.ty == Type::I64
        })
}

/// The column of a table of its own kind, without NULL.
fn column(expr: &Expr) -> Option<Slot> {
    match expr {
        Expr::Column(slot) if slot.source == 0 && !slot.nullable => Some(*slot),
        _ => None,
    }
}

/// A constant of the column's type.
fn constant(column: Slot, expr: &Expr) -> Option<Part> {
    let slot = match expr {
        Expr::Literal(literal) => Slot::new(0, &literal.ty),
        Expr::Param(slot) => *slot,
        _ => return None,
    };
    let is_same = (slot.kind, slot.nullable) == (column.kind, false);
    is_same.then(|| Part::Constant(expr.clone()))
}

/// A column of the subject of the type of the counted column.
fn of_subject(column: Slot, expr: &Expr) -> Option<Part> {
    match expr {
        Expr::Column(slot) if slot.source == 0 && slot.kind == column.kind => {
            Some(Part::Subject(slot.index, slot.nullable))
        }
        _ => None,
    }
}

impl Counting {
    /// Takes a condition on the counted rows apart; `part` tells what an expression is that is compared with a column.
    fn add(
        &mut self,
        atom: &Expr,
        part: &mut dyn FnMut(Slot, &Expr) -> Option<Part>,
    ) -> Option<()> {
        let (op, own, other) = match atom {
            Expr::ColumnIs(own, param) if own.source == 0 && !own.nullable => {
                let constant = constant(*own, &Expr::Param(*param))?;
                self.equal.push((own.index, constant));
                return Some(());
            }
            Expr::Compare(op, left, right) => match (column(left), column(right)) {
                (Some(own), _) => (*op, own, right),
                (None, Some(own)) => (op.flip(), own, left),
                (None, None) => return None,
            },
            Expr::Same(left, right) => match (column(left), column(right)) {
                (Some(own), _) => (CompareOp::Equal, own, right),
                (None, Some(own)) => (CompareOp::Equal, own, left),
                (None, None) => return None,
            },
            _ => return None,
        };
        let part = part(own, other)?;
        match op {
            CompareOp::NotEqual => return None,
            CompareOp::Equal => {
                if self.equal.iter().any(|(column, _)| *column == own.index) {
                    return None;
                }
                self.equal.push((own.index, part));
            }
            _ if self.bound.is_some() => return None,
            _ => self.bound = Some((op, own.index, part)),
        }
        Some(())
    }

    /// The index that has its rows together and in order, the place's columns and their values.
    fn index(self, table: &Table) -> Option<(IndexId, Vec<u16>, Vec<Part>, CompareOp)> {
        let (op, last, bound) = self.bound?;
        let count = self.equal.len();
        let def = table.def();
        (0..def.indexes.len()).find_map(|position| {
            let index = IndexId::secondary(position);
            let columns = def.indexes[position].columns.get(..=count)?;
            if !table.is_counted(index) || columns[count] != last {
                return None;
            }
            let part = |column: &u16| {
                let found = self.equal.iter().find(|(own, _)| own == column);
                found.map(|(_, part)| part.clone())
            };
            let mut parts = columns[..count]
                .iter()
                .map(part)
                .collect::<Option<Vec<_>>>()?;
            parts.push(bound.clone());
            Some((index, columns.to_vec(), parts, op))
        })
    }
}

/// The select that a query in FROM and what is asked of it make together, if they do.
fn flattened(select: &Select) -> Option<Select> {
    let [source] = select.sources.as_slice() else {
        return None;
    };
    let Relation::Derived(query) = &source.relation else {
        return Some(select.clone());
    };
    let inner = query.select()?;
    let is_plain = query.limit.is_none()
        && query.offset == 0
        && inner.grouping.is_none()
        && !inner.distinct
        && select.grouping.is_none()
        && source.left_on.is_none();
    inner.only_table().filter(|_| is_plain)?;
    let outer = select.filter.iter().flat_map(Expr::conjuncts).cloned();
    let mut filter: Vec<Expr> = Vec::new();
    for mut atom in outer {
        substitute(&mut atom, &inner.exprs)?;
        filter.push(atom);
    }
    filter.extend(inner.filter.iter().flat_map(Expr::conjuncts).cloned());
    let mut exprs = select.exprs.clone();
    for expr in &mut exprs {
        substitute(expr, &inner.exprs)?;
    }
    Some(Select {
        sources: inner.sources.clone(),
        filter: (!filter.is_empty()).then_some(Expr::And(filter)),
        grouping: None,
        exprs,
        distinct: select.distinct,
    })
}

/// Puts what the query in FROM computes in place of its columns.
fn substitute(expr: &mut Expr, inner: &[Expr]) -> Option<()> {
    match expr {
        Expr::Column(slot) => {
            *expr = inner.get(usize::from(slot.index))?.clone();
            return Some(());
        }
        Expr::ColumnIs(slot, param) => {
            let column = inner.get(usize::from(slot.index))?;
            let Expr::Column(own) = column else {
                return None;
            };
            if (own.kind, own.nullable) != (slot.kind, slot.nullable) {
                return None;
            }
            *expr = Expr::ColumnIs(*own, *param);
            return Some(());
        }
        _ => {}
    }
    let mut is_done = Some(());
    expr.for_each_part_mut(&mut |part| {
        is_done = is_done.and_then(|()| substitute(part, inner));
    });
    is_done
}

/// The sub-query `SELECT column FROM table WHERE ..` that reads nothing around it: its row, and the column. The
/// binder makes it the greatest of one value.
fn subject_of(sub_query: &SubQuery) -> Option<(Subject, &Expr)> {
    let select = sub_query.query.select()?;
    let filter = select.filter.as_ref()?;
    let is_plain = sub_query.outer.is_empty() && !has_sub_query(filter);
    let subject = Subject {
        table: select.only_table().filter(|_| is_plain)?,
        filter: filter.clone(),
    };
    let [Expr::Column(_)] = select.exprs.as_slice() else {
        return None;
    };
    let Some(grouping) = &select.grouping else {
        return Some((subject, &select.exprs[0]));
    };
    let [call] = grouping.calls.as_slice() else {
        return None;
    };
    let is_value = matches!(call.function, Aggregate::Max | Aggregate::Min)
        && grouping.keys.is_empty()
        && grouping.having.is_none();
    Some((subject, call.arg.as_ref().filter(|_| is_value)?))
}

/// The sub-query that all sub-queries of the expressions are.
fn only_sub_query(exprs: &[Expr]) -> Option<&SubQuery> {
    fn collect<'e>(expr: &'e Expr, out: &mut Vec<&'e Expr>) {
        if expr.sub_query().is_some() {
            out.push(expr);
        } else {
            expr.for_each_part(&mut |part| collect(part, out));
        }
    }
    let mut found = Vec::new();
    for expr in exprs {
        collect(expr, &mut found);
    }
    let Some(Expr::Scalar(first)) = found.first() else {
        return None;
    };
    found.iter().all(|expr| *expr == found[0]).then_some(first)
}

fn read_count(expr: &mut Expr) {
    if let Expr::Scalar(_) = expr {
        let slot = Slot::new(0, &Type::I64);
        *expr = Expr::Column(Slot { source: 1, ..slot });
    } else {
        expr.for_each_part_mut(&mut read_count);
    }
}

/// Takes a query whose literals were lifted apart, if it counts the rows ahead of one.
pub(super) fn find(db: &Database, query: &Query) -> Option<Found> {
    if query.limit.is_some() || query.offset > 0 {
        return None;
    }
    let select = flattened(query.select()?)?;
    let table = select.only_table().filter(|_| !select.distinct)?;
    let types = query.outputs.iter().map(|output| output.ty.clone());
    let mut counting = Counting::default();
    let (counted, subject, exprs, counts, is_total);
    if let Some(grouping) = select.grouping.as_ref() {
        if !only_counts(grouping) || select.exprs.iter().any(has_sub_query) {
            return None;
        }
        let mut found: Option<Subject> = None;
        for atom in select.filter.as_ref()?.conjuncts() {
            counting.add(atom, &mut |column, expr| {
                let Expr::Scalar(sub_query) = expr else {
                    return constant(column, expr);
                };
                let (subject, value) = subject_of(sub_query)?;
                let known = found.get_or_insert_with(|| subject.clone());
                of_subject(column, value).filter(|_| *known == subject)
            })?;
        }
        (counted, subject) = (table, found?);
        exprs = select.exprs.clone();
        (counts, is_total) = (grouping.layout(), true);
    } else {
        let filter = select.filter.as_ref()?;
        let sub_query = only_sub_query(&select.exprs)?;
        let inner = sub_query.query.select()?;
        let grouping = inner.grouping.as_ref()?;
        let is_count = matches!(inner.exprs.as_slice(), [Expr::Column(_)]);
        if has_sub_query(filter) || !only_counts(grouping) || !is_count {
            return None;
        }
        for atom in inner.filter.as_ref()?.conjuncts() {
            counting.add(atom, &mut |column, expr| match expr {
                Expr::Outer(slot) => {
                    let (outer, _) = sub_query.outer.get(usize::from(slot.index))?;
                    of_subject(column, outer).or_else(|| constant(column, outer))
                }
                other => constant(column, other),
            })?;
        }
        counted = inner.only_table()?;
        subject = Subject {
            table,
            filter: filter.clone(),
        };
        let mut own = select.exprs.clone();
        own.iter_mut().for_each(read_count);
        exprs = own;
        (counts, is_total) = (RowLayout::new(vec![Type::I64]), false);
    }
    Some(Found {
        place: counting.index(db.table(counted)?)?,
        subject,
        counted,
        exprs: exprs.into_iter().zip(types).collect(),
        is_total,
        counts,
    })
}
