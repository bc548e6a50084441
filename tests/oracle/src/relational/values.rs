//! Columns, constants, values and conditions, sub-queries among them.

use super::{Relational, SELECTS_MAX};
use crate::query::decimal;
use crate::schema::{Domain, random_constant};
use crate::text::{Constant, Text, both, fill, same};

impl Relational<'_> {
    /// A column in sight; with `around`, sometimes one of a select around this one.
    pub(super) fn column(&mut self, wanted: Domain, around: bool) -> Text {
        let top = self.scopes.len() - 1;
        let level = if around && top > 0 && self.random.chance(30) {
            self.random.below(top)
        } else {
            top
        };
        let mut fitting = Vec::new();
        for source in &self.scopes[level] {
            for (name, found) in &source.columns {
                if *found == wanted {
                    fitting.push(format!("{}.{name}", source.alias));
                }
            }
        }
        if fitting.is_empty() {
            return match wanted {
                // A parameter alone has no type.
                Domain::Id => Text::Me,
                Domain::Bytes => same("x'01'"),
                _ => self.constant(wanted, true),
            };
        }
        same(self.random.pick(&fitting).clone())
    }

    pub(super) fn constant(&mut self, wanted: Domain, with_null: bool) -> Text {
        if with_null && self.random.chance(4) {
            // A NULL alone has no type.
            let ty = match wanted {
                Domain::Int => "bigint",
                Domain::Float => "double precision",
                Domain::Text => "text",
                Domain::Bool => "boolean",
                _ => return self.constant(wanted, false),
            };
            return both(format!("CAST(NULL AS {ty})"), "NULL");
        }
        if wanted == Domain::Decimal {
            return decimal(self.random);
        }
        if wanted == Domain::Id && (!with_null || self.random.chance(40)) {
            return Text::Me;
        }
        let value = random_constant(self.random, wanted);
        let is_bytes = matches!(value, Constant::Bytes(_));
        if !is_bytes && self.random.chance(50) {
            return same(value.literal());
        }
        self.params.push(value);
        Text::Given(self.params.len() as u16 - 1)
    }

    pub(super) fn value(&mut self, wanted: Domain, depth: usize) -> Text {
        if depth == 0 || wanted == Domain::Decimal || self.random.chance(60) {
            return self.column(wanted, true);
        }
        if self.select_count < SELECTS_MAX && self.random.chance(30) {
            return self.scalar(wanted);
        }
        let (left, right) = (self.column(wanted, true), self.constant(wanted, true));
        match wanted {
            Domain::Int | Domain::Float if self.random.chance(50) => {
                let op = *self.random.pick(&["+", "-", "*"]);
                fill(&format!("({{}} {op} {{}})"), &[&left, &right])
            }
            Domain::Text if self.random.chance(40) => fill("({} || {})", &[&left, &right]),
            Domain::Bool if self.random.chance(60) => {
                let condition = self.condition(0);
                fill("({})", &[&condition])
            }
            Domain::Decimal | Domain::Id | Domain::Bytes => left,
            _ => fill("coalesce({}, {})", &[&left, &right]),
        }
    }

    /// `(SELECT max(c) FROM ..)`
    fn scalar(&mut self, wanted: Domain) -> Text {
        self.select_count += 1;
        self.scopes.push(Vec::new());
        let from = self.relation();
        let filter = self.correlation();
        let value = if wanted == Domain::Int && self.random.chance(40) {
            same("count(*)")
        } else {
            let function = *self.random.pick(&["min", "max"]);
            let column = self.column(wanted, false);
            fill(&format!("{function}({{}})"), &[&column])
        };
        self.scopes.pop();
        fill("(SELECT {} FROM {} WHERE {})", &[&value, &from, &filter])
    }

    /// Mostly an equality with a column of a select around this one.
    fn correlation(&mut self) -> Text {
        let wanted = self.any_domain();
        if self.random.chance(25) {
            return self.condition(1);
        }
        let own = self.column(wanted, false);
        let top = self.scopes.pop().expect("a select is being made");
        let other = self.column(wanted, true);
        self.scopes.push(top);
        let equality = fill("{} = {}", &[&own, &other]);
        if self.random.chance(40) {
            let more = self.condition(1);
            return fill("{} AND {}", &[&equality, &more]);
        }
        equality
    }

    pub(super) fn condition(&mut self, depth: usize) -> Text {
        if depth > 0 && self.random.chance(45) {
            let deeper = depth - 1;
            return match self.random.below(5) {
                0 | 1 => {
                    let (left, right) = (self.condition(deeper), self.condition(deeper));
                    fill("{} AND {}", &[&left, &right])
                }
                2 | 3 => {
                    let (left, right) = (self.condition(deeper), self.condition(deeper));
                    fill("({} OR {})", &[&left, &right])
                }
                _ => fill("NOT ({})", &[&self.condition(deeper)]),
            };
        }
        if self.select_count < SELECTS_MAX && self.random.chance(30) {
            return self.sub_query();
        }
        let wanted = self.compared_domain();
        let left = self.value(wanted, 1);
        match self.random.below(8) {
            0..3 => {
                let op = *self
                    .random
                    .pick(&["=", "=", "=", "<", "<=", ">", ">=", "<>"]);
                let right = self.column(wanted, true);
                fill(&format!("{{}} {op} {{}}"), &[&left, &right])
            }
            3..6 => {
                let op = *self.random.pick(&["=", "=", "<", ">=", "<>"]);
                let right = self.constant(wanted, true);
                fill(&format!("{{}} {op} {{}}"), &[&left, &right])
            }
            6 => {
                let not = if self.random.chance(50) { "NOT " } else { "" };
                fill(&format!("{{}} IS {not}NULL"), &[&left])
            }
            _ => {
                let right = self.column(wanted, true);
                fill("{} IS NOT DISTINCT FROM {}", &[&left, &right])
            }
        }
    }

    /// Decimal numbers compare, if there are any: a decimal literal alone is a float.
    fn compared_domain(&mut self) -> Domain {
        let scope = self.scopes.last().into_iter().flatten();
        let mut columns = scope.flat_map(|source| &source.columns);
        if columns.any(|(_, domain)| *domain == Domain::Decimal) && self.random.chance(15) {
            return Domain::Decimal;
        }
        self.any_domain()
    }

    /// EXISTS or IN.
    fn sub_query(&mut self) -> Text {
        self.select_count += 1;
        let not = if self.random.chance(40) { "NOT " } else { "" };
        if self.random.chance(50) {
            self.scopes.push(Vec::new());
            let from = self.from();
            let filter = self.correlation();
            self.scopes.pop();
            return fill(
                &format!("{not}EXISTS (SELECT 1 FROM {{}} WHERE {{}})"),
                &[&from, &filter],
            );
        }
        let wanted = self.any_domain();
        let operand = self.column(wanted, true);
        self.scopes.push(Vec::new());
        let from = self.relation();
        let column = self.column(wanted, false);
        let filter = if self.random.chance(60) {
            let filter = self.correlation();
            fill(" WHERE {}", &[&filter])
        } else {
            same("")
        };
        self.scopes.pop();
        fill(
            &format!("{{}} {not}IN (SELECT {{}} FROM {{}}{{}})"),
            &[&operand, &column, &from, &filter],
        )
    }
}
