//! A logical query to [`crate::syntax`], the sibling of `parse`: what comes out is what the SQL text of the
//! same query parses to, but for places.
//!
//! A place in a structure is the number of the node, counted as they are walked over, in a line 0 that no
//! text has. [`path`] walks again to say where that is.

mod expr;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use syncline_protocol::ErrorCode;
use syncline_protocol::limits::{NAME_BYTES_MAX, SQL_DEPTH_MAX};
use syncline_protocol::logical::{Item, JoinKind, LogicalQuery, Query, Relation};

use crate::error::QueryError;
use crate::parse::SELECTS_MAX;
use crate::syntax::{self, Body, Name, On, OrderItem, Position, Select, Source};

/// The syntax of a query.
pub(crate) fn convert(query: &LogicalQuery) -> Result<syntax::Query, QueryError> {
    Walk::default().query(&query.query)
}

/// Where the node of this number stands: `where.and[1].eq[0]`.
pub(crate) fn path(query: &LogicalQuery, at: Position) -> Option<String> {
    let mut walk = Walk {
        wanted: (at.line == 0).then_some(at.column),
        ..Walk::default()
    };
    // It ends early if the error is one of this walk.
    drop(walk.query(&query.query));
    walk.found
}

/// A step of a path.
#[derive(Clone, Copy, Debug)]
enum Step {
    Member(&'static str),
    Item(usize),
}

/// The walk over a query.
#[derive(Debug, Default)]
struct Walk {
    count: u32,
    depth: usize,
    selects: usize,
    trail: Vec<Step>,
    wanted: Option<u32>,
    found: Option<String>,
}

impl Walk {
    /// The place of the node that the walk has come to.
    fn here(&mut self) -> Position {
        self.count += 1;
        if self.wanted == Some(self.count) {
            let mut path = String::new();
            for step in &self.trail {
                match step {
                    Step::Item(index) => write!(path, "[{index}]"),
                    Step::Member(name) if path.is_empty() => write!(path, "{name}"),
                    Step::Member(name) => write!(path, ".{name}"),
                }
                .expect("writing to memory cannot fail");
            }
            self.found = Some(path);
        }
        Position {
            line: 0,
            column: self.count,
        }
    }

    fn inside<T>(&mut self, step: Step, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.trail.push(step);
        let result = walk(self);
        self.trail.pop();
        result
    }

    fn member<T>(&mut self, name: &'static str, walk: impl FnOnce(&mut Self) -> T) -> T {
        self.inside(Step::Member(name), walk)
    }

    /// All items of a list.
    fn list<T, U>(
        &mut self,
        name: &'static str,
        items: &[T],
        mut walk: impl FnMut(&mut Self, &T) -> Result<U, QueryError>,
    ) -> Result<Vec<U>, QueryError> {
        self.member(name, |this| {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| this.inside(Step::Item(index), |this| walk(this, item)))
                .collect()
        })
    }

    fn name(&mut self, text: &str) -> Result<Name, QueryError> {
        let at = self.here();
        if text.len() > NAME_BYTES_MAX {
            let message = format!("a name of {} bytes is no name", text.len());
            return Err(QueryError::new(ErrorCode::SqlSyntax, message)
                .at(at)
                .hint(format!("names have at most {NAME_BYTES_MAX} bytes")));
        }
        Ok(Name {
            text: text.to_owned(),
            quoted: true,
            at,
        })
    }

    fn unsupported<T>(&mut self, feature: &str) -> Result<T, QueryError> {
        let at = self.here();
        let message = format!("{feature} is not supported");
        Err(QueryError::new(ErrorCode::SqlUnsupported, message).at(at))
    }

    fn deeper<T>(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.depth > SQL_DEPTH_MAX {
            let message = format!("the query nests deeper than {SQL_DEPTH_MAX} levels");
            return Err(QueryError::new(ErrorCode::QueryLimit, message));
        }
        self.depth += 1;
        let result = walk(self);
        self.depth -= 1;
        result
    }

    fn query(&mut self, query: &Query) -> Result<syntax::Query, QueryError> {
        self.selects += 1;
        if self.selects > SELECTS_MAX {
            let message = format!("the query has over {SELECTS_MAX} SELECTs");
            return Err(QueryError::new(ErrorCode::QueryLimit, message));
        }
        self.deeper(|this| this.whole_query(query))
    }

    fn whole_query(&mut self, query: &Query) -> Result<syntax::Query, QueryError> {
        let at = self.here();
        let select = Body::Select(Box::new(self.select(query)?));
        Ok(syntax::Query {
            with: Vec::new(),
            body: self.union(query, select, at)?,
            order: self.list("order", &query.order, |this, order| {
                let node = this.member("by", |this| this.node(&order.by))?;
                let descending = order.descending;
                Ok(OrderItem { node, descending })
            })?,
            after: self.after(query)?,
            limit: self.optional("limit", query.limit.as_ref())?,
            offset: self.optional("offset", query.offset.as_ref())?,
            at,
        })
    }

    fn after(&mut self, query: &Query) -> Result<Vec<syntax::Node>, QueryError> {
        let (given, keys) = (query.after.len(), query.order.len());
        if given != 0 && given != keys {
            let at = self.member("after", Self::here);
            let message = format!("AFTER has {given} values and ORDER BY has {keys} keys");
            return Err(QueryError::new(ErrorCode::SqlSyntax, message).at(at));
        }
        self.list("after", &query.after, Self::node)
    }

    fn select(&mut self, query: &Query) -> Result<Select, QueryError> {
        let mut from = vec![self.member("from", |this| {
            let (relation, at) = this.relation(&query.from.of)?;
            Ok::<_, QueryError>(Source {
                relation,
                alias: this.alias(query.from.alias.as_deref())?,
                left: false,
                on: On::Nothing,
                swapped: false,
                at,
            })
        })?];
        from.extend(self.list("joins", &query.joins, |this, join| {
            let (relation, at) = this.relation(&join.of)?;
            let alias = this.alias(join.alias.as_deref())?;
            let on = this.optional("on", join.on.as_ref())?;
            if (join.kind == JoinKind::Cross) != on.is_none() {
                let message = "a join has `on`, and a cross join has none";
                return Err(QueryError::new(ErrorCode::SqlUnsupported, message).at(at));
            }
            Ok(Source {
                relation,
                alias,
                left: join.kind == JoinKind::Left,
                on: on.map_or(On::Nothing, On::Condition),
                swapped: false,
                at,
            })
        })?);
        let mut items = self.list("select", &query.select, Self::item)?;
        if items.is_empty() {
            items.push(syntax::Item::All);
        }
        Ok(Select {
            distinct: query.distinct,
            items,
            from,
            filter: self.optional("where", query.filter.as_ref())?,
            group: self.list("group", &query.group, Self::node)?,
            having: self.optional("having", query.having.as_ref())?,
        })
    }

    /// UNION joins from left to right: neighbours of one kind are one union.
    fn union(&mut self, query: &Query, first: Body, at: Position) -> Result<Body, QueryError> {
        let branches = self.list("union", &query.union, |this, branch| {
            let inner = this.member("query", |this| this.query(&branch.query))?;
            Ok((branch.all, inner))
        })?;
        let mut body = first;
        for (all, branch) in branches {
            match &mut body {
                Body::Union {
                    all: known,
                    branches,
                } if *known == all => branches.push(branch),
                _ => {
                    let left = syntax::Query {
                        with: Vec::new(),
                        body,
                        order: Vec::new(),
                        after: Vec::new(),
                        limit: None,
                        offset: None,
                        at,
                    };
                    let branches = vec![left, branch];
                    body = Body::Union { all, branches };
                }
            }
        }
        Ok(body)
    }

    fn alias(&mut self, alias: Option<&str>) -> Result<Option<Name>, QueryError> {
        let alias = alias.map(|alias| self.member("as", |this| this.name(alias)));
        alias.transpose()
    }

    fn relation(
        &mut self,
        relation: &Relation,
    ) -> Result<(syntax::Relation, Position), QueryError> {
        self.member("of", |this| match relation {
            Relation::Table(name) => {
                let name = this.member("table", |this| this.name(name))?;
                let at = name.at;
                Ok((syntax::Relation::Table(name), at))
            }
            Relation::Query(query) => {
                let query = this.member("query", |this| this.query(query))?;
                let at = query.at;
                Ok((syntax::Relation::Query(Box::new(query)), at))
            }
            Relation::View(name, args) => {
                let name = this.member("view", |this| this.name(name))?;
                let at = name.at;
                let args = this.list("args", args, Self::node)?;
                Ok((syntax::Relation::View(name, args), at))
            }
        })
    }

    fn item(&mut self, item: &Item) -> Result<syntax::Item, QueryError> {
        Ok(match item {
            Item::All => syntax::Item::All,
            Item::AllOf(source) => {
                syntax::Item::AllOf(self.member("all_of", |this| this.name(source))?)
            }
            Item::Expr(expr) => {
                syntax::Item::One(self.member("expr", |this| this.node(expr))?, None)
            }
            Item::As(name, expr) => self.member("as", |this| {
                let name = this.inside(Step::Item(0), |this| this.name(name))?;
                let node = this.inside(Step::Item(1), |this| this.node(expr))?;
                Ok(syntax::Item::One(node, Some(name)))
            })?,
        })
    }
}
