//! Which names are in sight where.
//!
//! Frames lie on each other: that of a select on the one of the sub-query it is in, that on the select
//! around it. A name that the select on top does not know is looked for below; found there, the
//! sub-query between gets its value in its outer tuple. A wall stands under queries in FROM and WITH,
//! which see nothing around them.

use syncline_protocol::{ErrorCode, Type};

use super::binder::Binder;
use super::names;
use super::operand::{Operand, nullable};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Slot};
use crate::plan::{AggregateCall, Source};
use crate::syntax::{Name, Position};

/// A layer of names.
#[derive(Debug)]
pub(super) enum Frame {
    Select(Scope),
    /// The outer tuple of a sub-query, as far as it is known.
    SubQuery(Vec<(Expr, Type)>),
    Wall,
}

/// The names of one select.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// In the order of the text.
    pub(super) visible: Vec<Visible>,
    /// Aggregates met so far, and whether one may stand here.
    pub(super) calls: Vec<AggregateCall>,
    pub(super) aggregates_allowed: bool,
    /// What a rank counts in: known once FROM and WHERE are bound.
    pub(super) rows: Option<(Vec<Source>, Option<Expr>)>,
    /// Parts of these.
    pub(super) rows_size: usize,
}

/// A source under its name.
#[derive(Debug)]
pub(super) struct Visible {
    /// Empty for a query without an alias.
    pub(super) name: String,
    pub(super) columns: Vec<NamedColumn>,
    /// Among the sources of the plan.
    pub(super) number: usize,
    /// Whether its columns can be NULL because no row joined.
    pub(super) left: bool,
    /// Its turn in `*`.
    pub(super) place: usize,
}

/// A column of a source.
#[derive(Debug)]
pub(super) struct NamedColumn {
    pub(super) name: String,
    pub(super) ty: Type,
    /// USING has made it one with a column before it.
    pub(super) merged: bool,
}

impl Visible {
    /// A column as an operand.
    pub(super) fn column(&self, index: usize) -> (Expr, Type) {
        let ty = &self.columns[index].ty;
        let expr = Expr::Column(Slot::of(self.number, index, ty));
        let ty = if self.left { nullable(ty) } else { ty.clone() };
        (expr, ty)
    }

    fn find(&self, name: &Name) -> Option<usize> {
        let columns = self.columns.iter().enumerate();
        names::pick(name, columns.map(|(index, c)| (c.name.as_str(), index)))
    }
}

impl Scope {
    /// Name of a column of a source.
    pub(super) fn name_of(&self, slot: Slot) -> &str {
        let source = self
            .visible
            .iter()
            .find(|visible| visible.number == usize::from(slot.source));
        let column = source.and_then(|source| source.columns.get(usize::from(slot.index)));
        column.map_or("key", |column| &column.name)
    }

    /// The source of a name.
    pub(super) fn source(&self, name: &Name) -> Option<&Visible> {
        self.visible
            .iter()
            .find(|visible| !visible.name.is_empty() && names::is_same(name, &visible.name))
    }

    fn find(&self, table: Option<&Name>, name: &Name) -> Result<Option<(Expr, Type)>, QueryError> {
        if let Some(table) = table {
            let source = self.source(table);
            return Ok(source.and_then(|source| Some(source.column(source.find(name)?))));
        }
        let mut found: Option<(&Visible, usize)> = None;
        for visible in &self.visible {
            let Some(index) = visible.find(name) else {
                continue;
            };
            if visible.columns[index].merged {
                continue;
            }
            if let Some((other, _)) = found {
                let message = format!("`{}` is a column of several tables", name.text);
                let hint = format!(
                    "write {}.{2} or {}.{2}",
                    other.name, visible.name, name.text
                );
                return Err(QueryError::new(ErrorCode::SqlUnknownColumn, message)
                    .at(name.at)
                    .hint(hint));
            }
            found = Some((visible, index));
        }
        Ok(found.map(|(visible, index)| visible.column(index)))
    }
}

impl Binder<'_> {
    /// The names of the select that is being bound.
    pub(super) fn scope(&mut self) -> &mut Scope {
        match self.frames.last_mut() {
            Some(Frame::Select(scope)) => scope,
            _ => unreachable!("a select is being bound"),
        }
    }

    pub(super) fn column(
        &mut self,
        table: Option<&Name>,
        name: &Name,
    ) -> Result<Operand, QueryError> {
        match self.look_up(self.frames.len(), table, name)? {
            Some((expr, ty)) => Ok(Operand::Typed(expr, ty)),
            None => match self.claim(table, name) {
                Some(claim) => Ok(claim),
                None => Err(self.unknown(table, name)),
            },
        }
    }

    /// Looks for a column in the select below `height` frames, then in those around it.
    fn look_up(
        &mut self,
        height: usize,
        table: Option<&Name>,
        name: &Name,
    ) -> Result<Option<(Expr, Type)>, QueryError> {
        let Some(Frame::Select(scope)) = height.checked_sub(1).map(|top| &self.frames[top]) else {
            return Ok(None);
        };
        if let Some(found) = scope.find(table, name)? {
            return Ok(Some(found));
        }
        // A table that is here hides one of the same name around.
        if table.is_some_and(|table| scope.source(table).is_some()) || height < 2 {
            return Ok(None);
        }
        if !matches!(self.frames[height - 2], Frame::SubQuery(_)) {
            return Ok(None);
        }
        let Some(found) = self.look_up(height - 2, table, name)? else {
            return Ok(None);
        };
        let Frame::SubQuery(outer) = &mut self.frames[height - 2] else {
            return Ok(None);
        };
        let known = outer.iter().position(|other| *other == found);
        let index = known.unwrap_or_else(|| {
            outer.push(found.clone());
            outer.len() - 1
        });
        Ok(Some((Expr::Outer(Slot::new(index, &found.1)), found.1)))
    }

    /// The error for a qualifier that nothing in sight has.
    pub(super) fn unknown_source(&mut self, table: &Name) -> QueryError {
        let names: Vec<String> = match self.frames.last() {
            Some(Frame::Select(scope)) => scope
                .visible
                .iter()
                .filter(|visible| !visible.name.is_empty())
                .map(|visible| format!("`{}`", visible.name))
                .collect(),
            _ => Vec::new(),
        };
        let message = format!("the query has no table `{}`", table.text);
        let error = QueryError::new(ErrorCode::SqlUnknownTable, message).at(table.at);
        if names.is_empty() {
            error
        } else {
            error.hint(format!("it has {}", names.join(", ")))
        }
    }

    fn unknown(&mut self, table: Option<&Name>, name: &Name) -> QueryError {
        let error =
            |message: String| QueryError::new(ErrorCode::SqlUnknownColumn, message).at(name.at);
        let Some(Frame::Select(scope)) = self.frames.last() else {
            return error(format!("the column `{}` cannot stand here", name.text));
        };
        let sources: Vec<&Visible> = match table {
            Some(table) => scope.source(table).into_iter().collect(),
            None => scope.visible.iter().collect(),
        };
        let names: Vec<&str> = sources
            .iter()
            .flat_map(|source| source.columns.iter().map(|column| column.name.as_str()))
            .collect();
        let hint = names::suggestion(&name.text, &names);
        match (sources.as_slice(), table) {
            ([], Some(table)) => {
                let table = table.clone();
                self.unknown_source(&table)
            }
            ([source], _) => error(format!(
                "table `{}` has no column `{}`",
                source.name, name.text
            ))
            .hint(hint.unwrap_or_else(|| format!("its columns are {}", names.join(", ")))),
            _ => {
                let error = error(format!("no table has a column `{}`", name.text));
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
        }
    }

    /// Refuses a second source of the same name.
    pub(super) fn check_name(&mut self, name: &str, at: Position) -> Result<(), QueryError> {
        let is_taken = |visible: &Visible| !name.is_empty() && visible.name == name;
        if !self.scope().visible.iter().any(is_taken) {
            return Ok(());
        }
        let message = format!("two tables of the query are named `{name}`");
        Err(QueryError::new(ErrorCode::SqlUnsupported, message)
            .at(at)
            .hint("give one of them an alias: FROM t a JOIN t b ON ..."))
    }
}
