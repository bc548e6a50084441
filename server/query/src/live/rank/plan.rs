//! Which queries count the rows ahead of one, and how.

use std::ops::{Bound, ControlFlow};

use syncline_protocol::packed::Reader;
use syncline_protocol::{RowLayout, TableDef, TableId, Type, key};
use syncline_store::{Database, IndexId, Table};

use super::watchers::{Cut, Place, PlaceKey};
use crate::execute::RowSink;
use crate::execute::access::{Access, choose};
use crate::plan::expr::{ColumnSet, Expr, Input, Params, Row, Slot};
use crate::plan::{Aggregate, Grouping, Query, Relation, Select, SubQuery};
use crate::router::{Route, cover};
use crate::syntax::CompareOp;

/// What the instances of a template are kept current with.
#[derive(Debug)]
pub(in crate::live) struct Rank {
    /// Where the subject is; the filter leaves one row at most.
    pub(in crate::live) subject: TableId,
    pub(in crate::live) filter: Expr,
    access: Access,
    pub(in crate::live) cover: Vec<Route>,
    /// Columns of the subject that matter.
    pub(super) subject_reads: ColumnSet,
    /// Where the rows are that are counted, by a counted index.
    pub(in crate::live) counted: TableId,
    pub(in crate::live) index: IndexId,
    /// Its columns that make a place: all but the last one are equal in the rows that are counted.
    columns: Vec<u16>,
    types: Vec<Type>,
    pub(super) counted_reads: ColumnSet,
    /// The subject's place: a value for each of the columns.
    parts: Vec<Part>,
    /// How the last column of a row that counts compares with the place's.
    op: CompareOp,
    /// Over the subject and the count, or over a row of counts alone if there is a result without a subject.
    exprs: Vec<(Expr, Type)>,
    is_total: bool,
    counts: RowLayout,
}

/// A value of a place.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Constant(Expr),
    /// A column of the subject, and whether it can be NULL.
    Subject(u16, bool),
}

const VALID: &str = "rows are validated where they enter";

/// The row whose place is watched.
#[derive(Clone, Debug, PartialEq)]
struct Subject {
    table: TableId,
    filter: Expr,
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
    exprs.iter().for_each(|expr| collect(expr, &mut found));
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

impl Rank {
    /// The plan of a query whose literals were lifted, if it counts the rows ahead of one.
    pub(in crate::live) fn new(db: &Database, query: &Query) -> Option<Self> {
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
        let table = db.table(counted)?;
        let (index, columns, parts, op) = counting.index(table)?;
        let place = (index, columns, parts, op);
        let results = (exprs.into_iter().zip(types).collect(), is_total, counts);
        Self::with(db, subject, counted, place, results)
    }

    fn with(
        db: &Database,
        subject: Subject,
        counted: TableId,
        (index, columns, parts, op): (IndexId, Vec<u16>, Vec<Part>, CompareOp),
        (exprs, is_total, counts): (Vec<(Expr, Type)>, bool, RowLayout),
    ) -> Option<Self> {
        let table = db.table(subject.table)?;
        let access = choose(table, Some(&subject.filter));
        let Access::Exact { index: key, keys } = &access else {
            return None;
        };
        if keys.len() != 1 || !is_unique(table.def(), *key) {
            return None;
        }
        let mut subject_reads = ColumnSet::default();
        subject.filter.add_columns(0, &mut subject_reads);
        for (expr, _) in exprs.iter().filter(|_| !is_total) {
            expr.add_columns(0, &mut subject_reads);
        }
        for part in &parts {
            if let Part::Subject(column, _) = part {
                subject_reads.insert(*column);
            }
        }
        let mut counted_reads = ColumnSet::default();
        columns
            .iter()
            .for_each(|column| counted_reads.insert(*column));
        let layout = db.table(counted)?.layout();
        let types = columns
            .iter()
            .map(|column| layout.types()[usize::from(*column)].clone());
        Some(Self {
            types: types.collect(),
            subject: subject.table,
            cover: cover(Some(&subject.filter))?,
            filter: subject.filter,
            access,
            subject_reads,
            counted,
            index,
            columns,
            counted_reads,
            parts,
            op,
            exprs,
            is_total,
            counts,
        })
    }

    /// Whether a row is the subject of an instance with these parameters.
    pub(super) fn is_subject(&self, table: &Table, row: &[u8], params: Params<'_>) -> bool {
        let input = Input::one(table.layout(), row, params);
        self.filter.truth(&input) == Some(true)
    }

    /// The subject as it is.
    pub(super) fn subject_row<'t>(&self, db: &'t Database, params: Params<'_>) -> Option<&'t [u8]> {
        let table = db.table(self.subject)?;
        let found = self.access.walk(table, params, |row| {
            if self.is_subject(table, row, params) {
                return ControlFlow::Break(row);
            }
            ControlFlow::Continue(())
        });
        found.break_value()
    }

    /// The place of a subject, and where its last column begins.
    fn place(
        &self,
        db: &Database,
        subject: Option<&[u8]>,
        params: Params<'_>,
    ) -> Option<(PlaceKey, usize)> {
        let (layout, row) = (db.table(self.subject)?.layout(), subject?);
        let mut bytes = Vec::new();
        let mut prefix_len = 0;
        for (part, ty) in self.parts.iter().zip(&self.types) {
            prefix_len = bytes.len();
            let packed = match part {
                Part::Constant(constant) => constant.constant(params)?,
                Part::Subject(column, is_nullable) => {
                    let packed = layout.column(row, usize::from(*column));
                    match (is_nullable, packed.split_first()) {
                        (true, Some((0, value))) => value,
                        (true, _) => return None,
                        (false, _) => packed,
                    }
                }
            };
            key::encode(ty, &mut Reader::new(packed), &mut bytes).expect(VALID);
        }
        Some((PlaceKey::from_slice(&bytes), prefix_len))
    }

    /// What an instance watches, with the count of now.
    pub(in crate::live) fn first_place(&self, db: &Database, params: Params<'_>) -> Place {
        self.watch(db, self.subject_row(db, params), params)
    }

    pub(super) fn watch(&self, db: &Database, subject: Option<&[u8]>, params: Params<'_>) -> Place {
        let found = self.place(db, subject, params).zip(db.table(self.counted));
        let Some(((key, prefix_len), table)) = found else {
            return Place {
                key: None,
                first_count: 0,
            };
        };
        let before = || {
            (
                Bound::Included(&key[..prefix_len]),
                Bound::Excluded(&key[..]),
            )
        };
        let end = key::prefix_end(&key[..prefix_len]);
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let behind = key::prefix_end(&key);
        let count = match (self.op, behind.as_deref()) {
            (CompareOp::Less, _) => {
                let (lower, upper) = before();
                table.range_count(self.index, lower, upper)
            }
            (CompareOp::GreaterOrEqual, _) => {
                table.range_count(self.index, Bound::Included(&key[..]), end)
            }
            (CompareOp::LessOrEqual, behind) => {
                let upper = behind.map_or(Bound::Unbounded, Bound::Excluded);
                table.range_count(self.index, Bound::Included(&key[..prefix_len]), upper)
            }
            // Of no key comes anything behind.
            (_, None) => 0,
            (_, Some(behind)) => table.range_count(self.index, Bound::Included(behind), end),
        };
        Place {
            key: Some(key),
            first_count: count as i64,
        }
    }

    /// Appends where the watchers begin and end that count a row: `change` of them.
    pub(super) fn add_cuts(&self, table: &Table, row: &[u8], change: i64, out: &mut Vec<Cut>) {
        let mut key = Vec::new();
        let mut prefix_len = 0;
        for (column, ty) in self.columns.iter().zip(&self.types) {
            prefix_len = key.len();
            let packed = table.layout().column(row, usize::from(*column));
            key::encode(ty, &mut Reader::new(packed), &mut key).expect(VALID);
        }
        let own = |is_behind, change| Cut {
            key: PlaceKey::from_slice(&key),
            is_behind,
            change,
        };
        let edge = |key: &[u8], change| Cut {
            key: PlaceKey::from_slice(key),
            is_behind: false,
            change,
        };
        // Rows of greater keys are counted by those who watch lesser ones, and the other way round.
        if matches!(self.op, CompareOp::Greater | CompareOp::GreaterOrEqual) {
            out.push(edge(&key[..prefix_len], change));
            out.push(own(self.op == CompareOp::GreaterOrEqual, -change));
        } else {
            out.push(own(self.op == CompareOp::Less, change));
            let end = key::prefix_end(&key[..prefix_len]);
            out.extend(end.map(|end| edge(&end, -change)));
        }
    }

    /// Calls `sink` with the result row of now, if there is one.
    pub(in crate::live) fn answer(
        &self,
        db: &Database,
        params: Params<'_>,
        sink: &mut RowSink<'_>,
    ) {
        let subject = self.subject_row(db, params);
        let count = self.watch(db, subject, params).first_count;
        let mut row = Vec::new();
        if self.write(db, subject, count, params, &mut row) {
            sink(&row);
        }
    }

    /// Writes the result row; `false` if there is none.
    pub(super) fn write(
        &self,
        db: &Database,
        subject: Option<&[u8]>,
        count: i64,
        params: Params<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        out.clear();
        let Some(table) = db.table(self.subject) else {
            return false;
        };
        if !self.is_total && subject.is_none() {
            return false;
        }
        let mut counts = smallvec::SmallVec::<[u8; 32]>::new();
        for _ in self.counts.types() {
            counts.extend_from_slice(&count.to_le_bytes());
        }
        let counts = Row {
            layout: &self.counts,
            packed: Some(&counts),
        };
        let (first, rest) = if self.is_total {
            (counts, [].as_slice())
        } else {
            let subject = Row {
                layout: table.layout(),
                packed: subject,
            };
            (subject, std::slice::from_ref(&counts))
        };
        let input = Input {
            first,
            rest,
            params,
            scope: None,
        };
        for (expr, ty) in &self.exprs {
            expr.eval(&input).write(ty, out);
        }
        true
    }

    /// Whether a result row reads the subject, and not the count alone.
    pub(super) fn shows_subject(&self) -> bool {
        !self.is_total
    }
}

fn is_unique(def: &TableDef, index: IndexId) -> bool {
    match index.position() {
        None => true,
        Some(position) => def.indexes.get(position).is_some_and(|index| index.unique),
    }
}
