//! FROM: what the sources are, and how they join.

use syncline_protocol::{ErrorCode, RowLayout};

use super::binder::Binder;
use super::expr::compare;
use super::names;
use super::operand::Operand;
use super::scopes::{Frame, NamedColumn, Visible};
use crate::error::QueryError;
use crate::plan::expr::Expr;
use crate::plan::{Query, Relation, Source};
use crate::syntax::{self, CompareOp, Name, On};
use syncline_protocol::limits::{QUERY_SOURCES_MAX, SELECT_SOURCES_MAX};

/// A source before it has its place.
struct Found {
    relation: Relation,
    layout: RowLayout,
    name: String,
    columns: Vec<NamedColumn>,
}

impl<'a> Binder<'a> {
    /// Binds the sources into the scope on top. Returns them, and the conditions of inner joins.
    pub(super) fn sources(
        &mut self,
        from: &'a [syntax::Source],
    ) -> Result<(Vec<Source>, Vec<Expr>), QueryError> {
        if let Some(over) = from.get(SELECT_SOURCES_MAX) {
            let message = format!("a SELECT has at most {SELECT_SOURCES_MAX} tables");
            return Err(QueryError::new(ErrorCode::QueryLimit, message).at(over.at));
        }
        let inner_count = from.iter().filter(|source| !source.left).count();
        let (mut inner, mut left) = (Vec::new(), Vec::new());
        let mut conditions = Vec::new();
        for (position, item) in from.iter().enumerate() {
            let found = self.source(item)?;
            let number = if item.left {
                inner_count + left.len()
            } else {
                inner.len()
            };
            self.check_name(&found.name, item.at)?;
            let place = 2 * (position + 1);
            self.scope().visible.push(Visible {
                name: found.name,
                columns: found.columns,
                number,
                // In its own condition it has a row.
                left: false,
                place: if item.swapped { place - 3 } else { place },
            });
            let on = match &item.on {
                On::Nothing => None,
                On::Condition(node) => Some(self.condition(node)?),
                On::Using(names) => Some(self.using(names)?),
            };
            let visible = self.scope().visible.last_mut().expect("it was just pushed");
            visible.left = item.left;
            let (relation, layout) = (found.relation, found.layout);
            // A row that is not seen joins nothing.
            let policy = self.policy(&relation, number)?;
            if item.left {
                let on = on.expect("LEFT JOIN has a condition");
                let mut on = match policy {
                    Some(policy) => Expr::And(vec![policy, on]),
                    None => on,
                };
                on.normalize();
                left.push(Source {
                    relation,
                    layout,
                    left_on: Some(on),
                });
            } else {
                conditions.extend(policy.into_iter().chain(on));
                inner.push(Source {
                    relation,
                    layout,
                    left_on: None,
                });
            }
        }
        inner.append(&mut left);
        Ok((inner, conditions))
    }

    fn source(&mut self, item: &'a syntax::Source) -> Result<Found, QueryError> {
        self.source_count += 1;
        if self.source_count > QUERY_SOURCES_MAX {
            let message = format!("the query has over {QUERY_SOURCES_MAX} tables in all");
            return Err(QueryError::new(ErrorCode::QueryLimit, message).at(item.at));
        }
        let alias = item.alias.as_ref().map(|alias| alias.text.clone());
        let (query, own_name) = match &item.relation {
            syntax::Relation::Query(query) => (self.walled(query, self.with.len())?, String::new()),
            syntax::Relation::Table(name) => {
                let with = self.with.iter().rposition(|(known, ..)| {
                    names::is_same(name, &known.text) || names::is_same(known, &name.text)
                });
                match with {
                    Some(position) => {
                        self.with[position].2 = true;
                        let (known, query, _) = self.with[position];
                        (self.walled(query, position)?, known.text.clone())
                    }
                    None => match self.find_view(name) {
                        Some(view) => {
                            let text = self.declared.view(view).0.name.clone();
                            (self.view(view, None, item.at)?, text)
                        }
                        None => return self.table(name, alias),
                    },
                }
            }
            syntax::Relation::View(name, args) => {
                let view = self.find_view(name).ok_or_else(|| self.no_view(name))?;
                let text = self.declared.view(view).0.name.clone();
                (self.view(view, Some(args), item.at)?, text)
            }
        };
        let columns = query.outputs.iter().filter(|column| !column.hidden);
        Ok(Found {
            columns: columns
                .map(|column| NamedColumn {
                    name: column.name.clone(),
                    ty: column.ty.clone(),
                    merged: false,
                })
                .collect(),
            layout: query.layout(),
            relation: Relation::Derived(Box::new(query)),
            name: alias.unwrap_or(own_name),
        })
    }

    fn table(&mut self, name: &Name, alias: Option<String>) -> Result<Found, QueryError> {
        let table = names::table(self.db, name, &self.caller)?;
        let def = table.def();
        let columns = def.columns.iter();
        Ok(Found {
            relation: Relation::Table(table.id()),
            layout: table.layout().clone(),
            name: alias.unwrap_or_else(|| def.name.clone()),
            columns: columns
                .map(|column| NamedColumn {
                    name: column.name.clone(),
                    ty: column.ty.clone(),
                    merged: false,
                })
                .collect(),
        })
    }

    /// Binds a query that sees nothing around it but the first `with` names of WITH.
    pub(super) fn walled(
        &mut self,
        query: &'a syntax::Query,
        with: usize,
    ) -> Result<Query, QueryError> {
        let hidden = self.with.split_off(with);
        // What identifies its rows tells what identifies those around it.
        let keyed = std::mem::replace(&mut self.keyed, true);
        self.frames.push(Frame::Wall);
        let bound = self.query(query);
        self.frames.pop();
        self.keyed = keyed;
        self.with.extend(hidden);
        bound
    }

    /// `USING (a, b)`: equal columns of the last source and of those before it become one.
    fn using(&mut self, names: &[Name]) -> Result<Expr, QueryError> {
        let mut conditions = Vec::with_capacity(names.len());
        for name in names {
            let last = self.scope().visible.pop().expect("it is being joined");
            let before = self.column(None, name);
            let columns = last.columns.iter().enumerate();
            let index = names::pick(name, columns.map(|(i, c)| (c.name.as_str(), i)));
            let own = index.map(|index| last.column(index));
            let own_name = last.name.clone();
            self.scope().visible.push(last);
            let (Some(index), Some((expr, ty))) = (index, own) else {
                let message = format!("table `{own_name}` has no column `{}`", name.text);
                return Err(QueryError::new(ErrorCode::SqlUnknownColumn, message).at(name.at));
            };
            let own = Operand::Typed(expr, ty);
            conditions.push(compare(CompareOp::Equal, before?, own, name.at)?.0);
            let last = self.scope().visible.last_mut().expect("it was put back");
            last.columns[index].merged = true;
        }
        Ok(Expr::And(conditions))
    }
}
