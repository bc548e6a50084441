//! Random queries over several tables: joins, queries in FROM, WITH, sub-queries in conditions and as values,
//! groups, DISTINCT, UNION, ranks, pages and keysets. Each as two texts, like [`crate::query`].

mod values;

use crate::query::Query;
use crate::random::Random;
use crate::schema::{Domain, Tables, domain};
use crate::text::{Constant, Text, both, fill, join, same};

/// SELECTs of one query.
const SELECTS_MAX: usize = 6;

/// Tables of one query that are joined at all: products grow fast.
const SOURCES_MAX: usize = 8;

/// A name that columns can be qualified by, and its columns.
#[derive(Clone)]
struct Source {
    alias: String,
    columns: Vec<(String, Domain)>,
}

pub(crate) struct Relational<'a> {
    random: &'a mut Random,
    tables: &'a Tables,
    params: Vec<Constant>,
    alias_count: usize,
    select_count: usize,
    /// The sources in sight: those of the select being made on top, of those around it below.
    scopes: Vec<Vec<Source>>,
    with: Vec<(Text, Source)>,
}

/// A select list that others can be built on.
struct Listed {
    text: Text,
    columns: Vec<(String, Domain)>,
}

impl<'a> Relational<'a> {
    /// A query of the whole surface.
    pub(crate) fn random(random: &'a mut Random, tables: &'a Tables) -> Query {
        let mut this = Self {
            random,
            tables,
            params: Vec::new(),
            alias_count: 0,
            select_count: 0,
            scopes: Vec::new(),
            with: Vec::new(),
        };
        if this.random.chance(8) {
            return this.keyset();
        }
        if this.random.chance(15) {
            let Listed { text, columns } = this.body();
            let source = this.source(columns);
            this.with.push((text, source));
        }
        let Listed { mut text, columns } = this.body();
        let is_ordered = this.random.chance(50);
        if is_ordered {
            text = this.ordered(&text, columns.len());
        }
        let with = std::mem::take(&mut this.with);
        for (inner, source) in with {
            text = fill(
                &format!("WITH {} AS ({{}}) {{}}", source.alias),
                &[&inner, &text],
            );
        }
        this.finish(text, is_ordered)
    }

    fn finish(self, text: Text, is_ordered: bool) -> Query {
        Query {
            text,
            params: self.params,
            is_ordered,
        }
    }

    fn source(&mut self, columns: Vec<(String, Domain)>) -> Source {
        self.alias_count += 1;
        Source {
            alias: format!("s{}", self.alias_count),
            columns,
        }
    }

    /// By every column, so that rows that tie are the same.
    fn ordered(&mut self, text: &Text, count: usize) -> Text {
        let mut keys: Vec<String> = (1..=count)
            .map(|number| {
                let direction = if self.random.chance(50) { " DESC" } else { "" };
                format!("{number}{direction}")
            })
            .collect();
        let turn = self.random.below(count);
        keys.rotate_left(turn);
        let mut tail = format!(" ORDER BY {}", keys.join(", "));
        if self.random.chance(60) {
            tail = format!("{tail} LIMIT {}", self.random.below(6));
            if self.random.chance(40) {
                tail = format!("{tail} OFFSET {}", self.random.below(4));
            }
        }
        fill("{}{}", &[text, &same(tail)])
    }

    /// The rows behind some values of a primary key.
    fn keyset(mut self) -> Query {
        let number = self.random.below(self.tables.list.len());
        let table = &self.tables.list[number].def;
        let descending = self.random.chance(50);
        let (direction, op) = if descending {
            (" DESC", "<")
        } else {
            ("", ">")
        };
        let (mut names, mut order, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for column in &table.primary_key {
            let column = &table.columns[usize::from(*column)];
            names.push(column.name.clone());
            order.push(format!("{}{direction}", column.name));
            values.push(self.constant(domain(&column.ty), false));
        }
        let limit = self.random.below(5);
        let (names, order) = (names.join(", "), order.join(", "));
        let from = Text::Table(number as u16);
        // The values are said in two places: before the order for SQLite, behind it for us.
        let values = join(&values, ", ");
        let before = fill(&format!("({names}) {op} ({{}})"), &[&values]);
        let text = Text::Seq(vec![
            same("SELECT * FROM "),
            from,
            Text::Lite(Box::new(fill(" WHERE {}", &[&before]))),
            same(format!(" ORDER BY {order}")),
            Text::Ours(Box::new(fill(" AFTER ({})", &[&values]))),
            same(format!(" LIMIT {limit}")),
        ]);
        self.finish(text, true)
    }

    /// A select, or several united.
    fn body(&mut self) -> Listed {
        let count = self.random.below(3) + 1;
        let domains: Vec<Domain> = (0..count).map(|_| self.any_domain()).collect();
        let first = self.select(&domains);
        if self.select_count >= SELECTS_MAX || !self.random.chance(20) {
            return first;
        }
        let second = self.select(&domains);
        let all = if self.random.chance(50) { " ALL" } else { "" };
        Listed {
            text: fill(
                &format!("{{}} UNION{all} {{}}"),
                &[&first.text, &second.text],
            ),
            columns: first.columns,
        }
    }

    /// Of a column in sight, or of some table's if there is none yet.
    fn any_domain(&mut self) -> Domain {
        if self.random.chance(8) {
            return *self.random.pick(&[Domain::Int, Domain::Text, Domain::Bool]);
        }
        let scope = self.scopes.last().into_iter().flatten();
        let columns = scope.flat_map(|source| &source.columns);
        let mut found: Vec<Domain> = columns.map(|(_, domain)| *domain).collect();
        if found.is_empty() {
            let tables = self.tables.list.iter();
            let columns = tables.flat_map(|table| &table.def.columns);
            found.extend(columns.map(|column| domain(&column.ty)));
        }
        // A decimal literal alone is a float: see `compared_domain`.
        found.retain(|domain| *domain != Domain::Decimal);
        if found.is_empty() {
            return Domain::Int;
        }
        *self.random.pick(&found)
    }

    /// A select whose columns have these domains.
    fn select(&mut self, domains: &[Domain]) -> Listed {
        self.select_count += 1;
        // Whether it is the query itself, as its text says if it is WITH's: see `Text::Filter`.
        let is_first = self.select_count == 1;
        self.scopes.push(Vec::new());
        let from = self.from();
        let filter = self.random.chance(70).then(|| self.condition(2));
        let is_grouped = self.random.chance(30);
        let filter = filter.map(|filter| {
            if is_first && !is_grouped {
                Text::Filter(Box::new(filter))
            } else {
                filter
            }
        });
        let distinct = if self.random.chance(15) {
            "DISTINCT "
        } else {
            ""
        };
        let mut keys = Vec::new();
        if is_grouped && self.random.chance(75) {
            for _ in 0..=self.random.below(2) {
                let wanted = self.any_domain();
                keys.push((self.column(wanted, false), wanted));
            }
        }
        let mut items = Vec::new();
        let mut columns = Vec::new();
        for (position, wanted) in domains.iter().enumerate() {
            let value = if is_grouped {
                self.grouped(*wanted, &keys)
            } else if *wanted == Domain::Int && self.scopes.len() == 1 && self.random.chance(12) {
                self.rank()
            } else {
                self.value(*wanted, 1)
            };
            items.push(fill(&format!("{{}} AS x{position}"), &[&value]));
            columns.push((format!("x{position}"), *wanted));
        }
        let mut text = fill(
            &format!("SELECT {distinct}{{}} FROM {{}}"),
            &[&join(&items, ", "), &from],
        );
        if let Some(filter) = filter {
            text = fill("{} WHERE {}", &[&text, &filter]);
        }
        // Constants are no keys for either side.
        let keys: Vec<Text> = keys
            .into_iter()
            .map(|(key, _)| key)
            .filter(Text::is_column)
            .collect();
        if !keys.is_empty() {
            text = fill("{} GROUP BY {}", &[&text, &join(&keys, ", ")]);
            if self.random.chance(30) {
                let bound = self.random.below(3);
                text = fill(
                    "{} HAVING count(*) > {}",
                    &[&text, &same(bound.to_string())],
                );
            }
        }
        self.scopes.pop();
        Listed { text, columns }
    }

    /// A value over the rows of a group.
    fn grouped(&mut self, wanted: Domain, keys: &[(Text, Domain)]) -> Text {
        let fitting: Vec<&Text> = keys
            .iter()
            .filter(|(key, domain)| *domain == wanted && key.is_column())
            .map(|(key, _)| key)
            .collect();
        if !fitting.is_empty() && self.random.chance(50) {
            return (*self.random.pick(&fitting)).clone();
        }
        match wanted {
            Domain::Int if self.random.chance(40) => {
                let of = self.any_domain();
                let column = self.column(of, false);
                if self.random.chance(50) {
                    fill("count(DISTINCT {})", &[&column])
                } else {
                    same("count(*)")
                }
            }
            Domain::Id | Domain::Bytes => fill("min({})", &[&self.column(wanted, false)]),
            Domain::Int | Domain::Float | Domain::Decimal => {
                let function = *self.random.pick(&["sum", "min", "max", "sum"]);
                let distinct = if self.random.chance(20) {
                    "DISTINCT "
                } else {
                    ""
                };
                let column = self.column(wanted, false);
                fill(&format!("{function}({distinct}{{}})"), &[&column])
            }
            Domain::Text => fill("max({})", &[&self.column(wanted, false)]),
            Domain::Bool => {
                let column = self.column(wanted, false);
                let (ours, lite) = if self.random.chance(50) {
                    ("bool_and", "min")
                } else {
                    ("bool_or", "max")
                };
                let name = both(ours, lite);
                fill("{}({})", &[&name, &column])
            }
        }
    }

    fn rank(&mut self) -> Text {
        let by = self.any_domain();
        let key = self.column(by, false);
        let direction = if self.random.chance(50) { " DESC" } else { "" };
        if self.random.chance(30) {
            let part = self.any_domain();
            let part = self.column(part, false);
            return fill(
                &format!("rank() OVER (PARTITION BY {{}} ORDER BY {{}}{direction})"),
                &[&part, &key],
            );
        }
        fill(&format!("rank() OVER (ORDER BY {{}}{direction})"), &[&key])
    }

    fn from(&mut self) -> Text {
        let mut text = self.relation();
        for _ in 0..self.random.below(3) {
            if self.alias_count >= SOURCES_MAX {
                break;
            }
            let right = self.relation();
            let kind = self.random.below(20);
            if kind == 0 {
                text = fill("{}, {}", &[&text, &right]);
                continue;
            }
            if kind == 1 {
                text = fill("{} CROSS JOIN {}", &[&text, &right]);
                continue;
            }
            let on = self.on();
            let word = if kind < 12 { "JOIN" } else { "LEFT JOIN" };
            text = fill(&format!("{{}} {word} {{}} ON {{}}"), &[&text, &right, &on]);
        }
        text
    }

    /// Mostly an equality of the last source with one before it.
    fn on(&mut self) -> Text {
        let scope = self.scopes.last().expect("a select is being made");
        let (last, before) = scope.split_last().expect("there is a source already");
        let (last, before) = (last.clone(), before.to_vec());
        let other = self.random.pick(&before).clone();
        let mut pairs = Vec::new();
        for (own, wanted) in &last.columns {
            for (name, found) in &other.columns {
                if wanted == found {
                    pairs.push(format!("{}.{own} = {}.{name}", last.alias, other.alias));
                }
            }
        }
        if pairs.is_empty() || self.random.chance(10) {
            return self.condition(1);
        }
        let equality = same(self.random.pick(&pairs).clone());
        if self.random.chance(35) {
            let more = self.condition(0);
            return fill("{} AND {}", &[&equality, &more]);
        }
        equality
    }

    /// A table, a query in parentheses or one of WITH, with an alias; it comes into the scope.
    fn relation(&mut self) -> Text {
        let is_nested = self.select_count < SELECTS_MAX && self.random.chance(12);
        let (text, columns) = if is_nested {
            // It sees nothing around it.
            let scopes = std::mem::take(&mut self.scopes);
            let Listed { mut text, columns } = self.body();
            if self.random.chance(30) {
                text = self.ordered(&text, columns.len());
            }
            self.scopes = scopes;
            (fill("({})", &[&text]), columns)
        } else if !self.with.is_empty() && self.random.chance(50) {
            let source = &self.with[0].1;
            (same(source.alias.clone()), source.columns.clone())
        } else {
            let number = self.random.below(self.tables.list.len());
            let columns = self.tables.list[number].def.columns.iter();
            let columns = columns.map(|column| (column.name.clone(), domain(&column.ty)));
            (Text::Table(number as u16), columns.collect())
        };
        let source = self.source(columns);
        let text = fill(&format!("{{}} {}", source.alias), &[&text]);
        let scope = self.scopes.last_mut().expect("a select is being made");
        scope.push(source);
        text
    }
}
