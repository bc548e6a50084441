//! How the rows ahead of one are counted.

use std::ops::{Bound, ControlFlow};

use syncline_protocol::packed::Reader;
use syncline_protocol::{RowLayout, TableDef, TableId, Type, key};
use syncline_store::{Database, IndexId, Table};

use super::shape::{Found, Part, find};
use super::watchers::{Cut, Place, PlaceKey};
use crate::execute::RowSink;
use crate::execute::access::{Access, choose};
use crate::plan::Query;
use crate::plan::expr::{ColumnSet, Expr, Input, Params, Row};
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

const VALID: &str = "rows are validated where they enter";

impl Rank {
    /// The plan of a query whose literals were lifted, if it counts the rows ahead of one.
    pub(in crate::live) fn new(db: &Database, query: &Query) -> Option<Self> {
        let Found {
            subject,
            counted,
            place: (index, columns, parts, op),
            exprs,
            is_total,
            counts,
        } = find(db, query)?;
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
        for column in &columns {
            counted_reads.insert(*column);
        }
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
