//! Gives the sources of a finished query their names: `t0`, `t1`, .. in the order in which they come, so
//! that equal queries are equal bytes.

use std::collections::HashMap;

use syncline_protocol::logical::{Expr, Item, Query, Relation};

/// The query with its final names.
pub(super) fn given(mut query: Query) -> Query {
    Namer::default().query(&mut query);
    query
}

#[derive(Default)]
struct Namer {
    names: HashMap<String, String>,
    count: usize,
}

impl Namer {
    /// Names a source. A query that stands in another twice names its sources again.
    fn declare(&mut self, alias: &mut Option<String>) {
        let Some(alias) = alias.as_mut().filter(|alias| alias.starts_with('#')) else {
            return;
        };
        let name = format!("t{}", self.count);
        self.count += 1;
        let before = std::mem::replace(alias, name.clone());
        self.names.insert(before, name);
    }

    fn query(&mut self, query: &mut Query) {
        let outer = self.names.clone();
        self.declare(&mut query.from.alias);
        for join in &mut query.joins {
            self.declare(&mut join.alias);
        }
        self.relation(&mut query.from.of);
        for join in &mut query.joins {
            self.relation(&mut join.of);
            self.all(&mut join.on);
        }
        for item in &mut query.select {
            match item {
                Item::Expr(expr) | Item::As(_, expr) => self.expr(expr),
                Item::All | Item::AllOf(_) => {}
            }
        }
        self.all(&mut query.filter);
        self.all(&mut query.group);
        self.all(&mut query.having);
        for order in &mut query.order {
            self.expr(&mut order.by);
        }
        self.all(&mut query.limit);
        self.all(&mut query.offset);
        self.all(&mut query.after);
        self.names = outer;
        for union in &mut query.union {
            self.query(&mut union.query);
        }
    }

    fn relation(&mut self, relation: &mut Relation) {
        match relation {
            Relation::Table(_) => {}
            Relation::Query(query) => self.query(query),
            Relation::View(_, args) => self.all(args),
        }
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e mut Expr>) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Value(_) | Expr::Param(_) | Expr::CountRows | Expr::Column(None, _) => {}
            Expr::Column(Some(source), _) => {
                if let Some(name) = self.names.get(source) {
                    source.clone_from(name);
                }
            }
            Expr::Not(x)
            | Expr::Negate(x)
            | Expr::IsNull(x)
            | Expr::IsTrue(x)
            | Expr::IsFalse(x)
            | Expr::Cast(x, _) => self.expr(x),
            Expr::And(items)
            | Expr::Or(items)
            | Expr::Call(_, items)
            | Expr::CallDistinct(_, items) => self.all(items),
            Expr::Eq(x, y)
            | Expr::Ne(x, y)
            | Expr::Lt(x, y)
            | Expr::Le(x, y)
            | Expr::Gt(x, y)
            | Expr::Ge(x, y)
            | Expr::Add(x, y)
            | Expr::Subtract(x, y)
            | Expr::Multiply(x, y)
            | Expr::Divide(x, y)
            | Expr::Remainder(x, y)
            | Expr::Concat(x, y)
            | Expr::Same(x, y)
            | Expr::Get(x, y)
            | Expr::GetText(x, y)
            | Expr::Like(x, y)
            | Expr::LikeEscape(x, y, _) => self.all([&mut **x, &mut **y]),
            Expr::Between(x, low, high) => self.all([&mut **x, &mut **low, &mut **high]),
            Expr::In(x, items) => {
                self.expr(x);
                self.all(items);
            }
            Expr::InQuery(x, query) => {
                self.expr(x);
                self.query(query);
            }
            Expr::Exists(query) | Expr::Scalar(query) => self.query(query),
            Expr::Case(case) => {
                self.all(case.operand.as_deref_mut());
                for (when, then) in &mut case.arms {
                    self.all([when, then]);
                }
                self.all(case.otherwise.as_deref_mut());
            }
        }
    }
}
