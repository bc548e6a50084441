//! Random queries, each as two texts: ours with parameters, SQLite's with their values.

use serde::{Deserialize, Serialize};
use syncline_protocol::param::Param;
use syncline_protocol::{IndexKind, TableDef};

use crate::random::Random;
use crate::schema::{Domain, Tables, domain, random_constant};
use crate::text::{Constant, Text, both, fill, join, same};

/// A query for both sides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Query {
    pub(crate) text: Text,
    /// What parameters are first.
    pub(crate) params: Vec<Constant>,
    /// Whether the order of the rows is said to the last.
    pub(crate) is_ordered: bool,
}

/// The parameters that a text has, by their names.
pub(crate) fn given(text: &Text, params: &[Constant]) -> Vec<(String, Param)> {
    let mut numbers = Vec::new();
    text.given(&mut numbers);
    let given = numbers.iter().filter_map(|number| {
        let constant = params.get(usize::from(*number))?;
        Some((format!("p{number}"), constant.param()))
    });
    given.collect()
}

struct Generator<'a> {
    random: &'a mut Random,
    number: u16,
    def: &'a TableDef,
    params: Vec<Constant>,
}

impl Query {
    /// The parameters by their names.
    pub(crate) fn given(&self) -> Vec<(String, Param)> {
        given(&self.text, &self.params)
    }

    /// One that may be live.
    pub(crate) fn random(random: &mut Random, tables: &Tables) -> Self {
        let generator = Generator::new(random, tables);
        if generator.random.chance(30) {
            generator.window()
        } else {
            generator.plain()
        }
    }

    /// One of the wider surface of one-off queries.
    pub(crate) fn random_once(random: &mut Random, tables: &Tables) -> Self {
        let generator = Generator::new(random, tables);
        match generator.random.below(3) {
            0 => generator.aggregates(),
            1 => generator.page(),
            _ => generator.window(),
        }
    }
}

impl<'a> Generator<'a> {
    fn new(random: &'a mut Random, tables: &'a Tables) -> Self {
        let number = random.below(tables.list.len());
        Self {
            random,
            number: number as u16,
            def: &tables.list[number].def,
            params: Vec::new(),
        }
    }
}

impl Generator<'_> {
    fn finish(self, text: Text, is_ordered: bool) -> Query {
        Query {
            text,
            params: self.params,
            is_ordered,
        }
    }

    fn select(&mut self, filter: Option<&Text>) -> Text {
        let items = if self.random.chance(40) {
            same("*")
        } else {
            let count = self.random.below(3) + 1;
            let items: Vec<Text> = (0..count)
                .map(|position| {
                    let domain = self.domain();
                    let depth = self.random.below(3);
                    let value = self.value(domain, depth);
                    fill(&format!("{{}} AS x{position}"), &[&value])
                })
                .collect();
            join(&items, ", ")
        };
        let from = fill("SELECT {} FROM {}", &[&items, &Text::Table(self.number)]);
        match filter {
            Some(filter) => {
                let filter = Text::Filter(Box::new(filter.clone()));
                fill("{} WHERE {}", &[&from, &filter])
            }
            None => from,
        }
    }

    fn plain(mut self) -> Query {
        let filter = self.random.chance(90).then(|| self.condition(3));
        let select = self.select(filter.as_ref());
        if self.random.chance(20) {
            let (order, lite) = self.order();
            let text = fill("{} ORDER BY {}", &[&select, &both(order, lite)]);
            return self.finish(text, true);
        }
        self.finish(select, false)
    }

    /// ORDER BY for us, and with the ties that we break ourselves for SQLite.
    fn order(&mut self) -> (String, String) {
        let count = self.random.below(2) + 1;
        let keys: Vec<(usize, bool)> = (0..count)
            .map(|_| {
                (
                    self.random.below(self.def.columns.len()),
                    self.random.chance(50),
                )
            })
            .collect();
        self.order_of(&keys)
    }

    fn order_of(&self, keys: &[(usize, bool)]) -> (String, String) {
        let name = |column: usize, descending: bool| {
            let direction = if descending { " DESC" } else { "" };
            format!("{}{direction}", self.def.columns[column].name)
        };
        let mut texts: Vec<String> = keys
            .iter()
            .map(|(column, desc)| name(*column, *desc))
            .collect();
        let ours = texts.join(", ");
        let mut distinct: Vec<(usize, bool)> = Vec::new();
        for key in keys {
            if distinct.iter().all(|(column, _)| *column != key.0) {
                distinct.push(*key);
            }
        }
        let descending = distinct.last().is_some_and(|(_, descending)| *descending);
        texts.extend(
            self.def
                .primary_key
                .iter()
                .map(|key| name(usize::from(*key), descending)),
        );
        (ours, texts.join(", "))
    }

    /// The first rows by an ordered index, of a part where some of its first columns are given.
    fn window(mut self) -> Query {
        let ordered: Vec<Vec<u16>> = self
            .def
            .indexes
            .iter()
            .filter(|index| index.kind != IndexKind::Hash)
            .map(|index| index.columns.clone())
            .collect();
        if ordered.is_empty() {
            return self.plain();
        }
        let columns = self.random.pick(&ordered).clone();
        let given = self.random.below(columns.len());
        let mut conditions = Vec::new();
        for column in &columns[..given] {
            let column = usize::from(*column);
            let constant = self.constant(domain(&self.def.columns[column].ty));
            conditions.push(fill(
                &format!("{} = {{}}", self.def.columns[column].name),
                &[&constant],
            ));
        }
        if self.random.chance(25) {
            let next = usize::from(columns[given]);
            let constant = self.constant(domain(&self.def.columns[next].ty));
            let op = *self.random.pick(&["<", "<=", ">", ">="]);
            conditions.push(fill(
                &format!("{} {op} {{}}", self.def.columns[next].name),
                &[&constant],
            ));
        }
        if self.random.chance(25) {
            conditions.push(self.condition(1));
        }
        let descending = self.random.chance(50);
        let keys: Vec<(usize, bool)> = columns[given..]
            .iter()
            .map(|column| (usize::from(*column), descending))
            .collect();
        let (order, lite) = self.order_of(&keys);
        let filter = (!conditions.is_empty()).then(|| join(&conditions, " AND "));
        let filter = filter.map(|filter| {
            if self.random.chance(10) {
                fill("({})", &[&filter])
            } else {
                filter
            }
        });
        let select = self.select(filter.as_ref());
        let limit = self.random.below(6);
        let offset = match self.random.below(3) {
            0 => format!(" OFFSET {}", self.random.below(6)),
            _ => String::new(),
        };
        let pattern = format!("{{}} ORDER BY {{}} LIMIT {limit}{offset}");
        let text = fill(&pattern, &[&select, &both(order, lite)]);
        self.finish(text, true)
    }

    /// Any order, a limit and an offset.
    fn page(mut self) -> Query {
        let filter = self.random.chance(70).then(|| self.condition(2));
        let select = self.select(filter.as_ref());
        let (order, lite) = self.order();
        let (limit, offset) = (self.random.below(8), self.random.below(4));
        let pattern = format!("{{}} ORDER BY {{}} LIMIT {limit} OFFSET {offset}");
        let text = fill(&pattern, &[&select, &both(order, lite)]);
        self.finish(text, true)
    }

    fn aggregates(mut self) -> Query {
        let mut calls = vec![same("count(*) AS n")];
        for position in 0..self.random.below(3) {
            let domain = self.domain();
            let value = self.value(domain, 1);
            let functions: &[&str] = match domain {
                Domain::Int | Domain::Float => &["sum", "min", "max", "avg", "count"],
                Domain::Text | Domain::Decimal => &["min", "max", "count"],
                Domain::Bool | Domain::Id | Domain::Bytes => &["count"],
            };
            let function = self.random.pick(functions);
            calls.push(fill(&format!("{function}({{}}) AS a{position}"), &[&value]));
        }
        let filter = self.random.chance(60).then(|| self.condition(2));
        let mut keys = Vec::new();
        for _ in 0..self.random.below(3) {
            let domain = self.domain();
            let key = self.column(domain);
            keys.push(key);
        }
        let items = join(&[keys.clone(), calls].concat(), ", ");
        let mut text = fill("SELECT {} FROM {}", &[&items, &Text::Table(self.number)]);
        if let Some(filter) = &filter {
            text = fill("{} WHERE {}", &[&text, filter]);
        }
        if !keys.is_empty() {
            text = fill("{} GROUP BY {}", &[&text, &join(&keys, ", ")]);
            if self.random.chance(30) {
                let bound = self.constant(Domain::Int);
                text = fill("{} HAVING count(*) > {}", &[&text, &bound]);
            }
        }
        // A name twice is refused by nobody but makes SQLite's GROUP BY no different.
        self.finish(text, false)
    }

    fn domain(&mut self) -> Domain {
        let column = self.random.below(self.def.columns.len());
        domain(&self.def.columns[column].ty)
    }

    fn column(&mut self, wanted: Domain) -> Text {
        let columns = self.def.columns.iter();
        let fitting: Vec<&str> = columns
            .filter(|column| domain(&column.ty) == wanted)
            .map(|column| column.name.as_str())
            .collect();
        if fitting.is_empty() {
            self.constant(wanted)
        } else {
            same(*self.random.pick(&fitting))
        }
    }

    /// A constant, in our text sometimes a parameter.
    fn constant(&mut self, domain: Domain) -> Text {
        if self.random.chance(6) {
            return self.given(Constant::Null);
        }
        if domain == Domain::Int && self.random.chance(15) {
            let value = *self.random.pick(&[255, 300, -3]);
            return self.given(Constant::Int(value));
        }
        if domain == Domain::Decimal {
            return decimal(self.random);
        }
        let value = random_constant(self.random, domain);
        self.given(value)
    }

    fn given(&mut self, value: Constant) -> Text {
        let is_bytes = matches!(value, Constant::Bytes(_));
        if !is_bytes && self.random.chance(50) {
            return same(value.literal());
        }
        self.params.push(value);
        Text::Given(self.params.len() as u16 - 1)
    }

    fn value(&mut self, domain: Domain, depth: usize) -> Text {
        // A decimal literal alone is a float, so these do not mix.
        if depth == 0 || domain == Domain::Decimal || self.random.chance(30) {
            return self.column(domain);
        }
        let deeper = depth - 1;
        if self.random.chance(25) {
            let condition = self.condition(deeper);
            let (yes, no) = (self.value(domain, deeper), self.value(domain, deeper));
            return fill("CASE WHEN {} THEN {} ELSE {} END", &[&condition, &yes, &no]);
        }
        if self.random.chance(15) {
            let (first, second) = (self.value(domain, deeper), self.constant(domain));
            return fill("coalesce({}, {})", &[&first, &second]);
        }
        match domain {
            Domain::Int if self.random.chance(20) => {
                let text = self.value(Domain::Text, deeper);
                fill("length({})", &[&text])
            }
            Domain::Int => {
                let op = *self.random.pick(&["+", "-", "*", "/", "%"]);
                let (left, right) = (self.value(domain, deeper), self.operand(domain));
                fill(&format!("({{}} {op} {{}})"), &[&left, &right])
            }
            Domain::Float => {
                let op = *self.random.pick(&["+", "-", "*", "/"]);
                let left = self.value(domain, deeper);
                let other = if self.random.chance(30) {
                    Domain::Int
                } else {
                    domain
                };
                let right = self.operand(other);
                fill(&format!("({{}} {op} {{}})"), &[&left, &right])
            }
            Domain::Text => match self.random.below(3) {
                0 => {
                    let (left, right) = (self.value(domain, deeper), self.operand(domain));
                    fill("({} || {})", &[&left, &right])
                }
                1 => fill("lower({})", &[&self.value(domain, deeper)]),
                _ => fill("upper({})", &[&self.value(domain, deeper)]),
            },
            Domain::Bool => {
                let condition = self.condition(deeper);
                fill("({})", &[&condition])
            }
            Domain::Decimal | Domain::Id | Domain::Bytes => self.column(domain),
        }
    }

    fn operand(&mut self, domain: Domain) -> Text {
        if self.random.chance(50) {
            self.column(domain)
        } else {
            self.constant(domain)
        }
    }

    fn condition(&mut self, depth: usize) -> Text {
        if depth > 0 && self.random.chance(55) {
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
        let domain = self.domain();
        // Most atoms compare a column with a constant: that is what the router and indexes see.
        let left = if self.random.chance(80) {
            self.column(domain)
        } else {
            self.value(domain, 1)
        };
        match self.random.below(12) {
            0..4 => fill("{} = {}", &[&left, &self.constant(domain)]),
            4 | 5 => {
                let op = *self.random.pick(&["<", "<=", ">", ">=", "<>"]);
                let right = self.operand(domain);
                fill(&format!("{{}} {op} {{}}"), &[&left, &right])
            }
            6 => {
                let items: Vec<Text> = (0..=self.random.below(3))
                    .map(|_| self.constant(domain))
                    .collect();
                let not = if self.random.chance(20) { "NOT " } else { "" };
                fill(
                    &format!("{{}} {not}IN ({{}})"),
                    &[&left, &join(&items, ", ")],
                )
            }
            7 => {
                let (low, high) = (self.constant(domain), self.constant(domain));
                fill("({} BETWEEN {} AND {})", &[&left, &low, &high])
            }
            8 => {
                let not = if self.random.chance(50) { "NOT " } else { "" };
                fill(&format!("{{}} IS {not}NULL"), &[&left])
            }
            9 => {
                let not = if self.random.chance(60) { "NOT " } else { "" };
                let right = self.operand(domain);
                fill(
                    &format!("{{}} IS {not}DISTINCT FROM {{}}"),
                    &[&left, &right],
                )
            }
            10 => {
                let text = self.value(Domain::Text, 1);
                let pattern = *self
                    .random
                    .pick(&["a%", "%b", "_", "%", "a_%", "ab%", "", "%a%"]);
                let pattern = self.given(Constant::Text(pattern.to_owned()));
                fill("{} LIKE {}", &[&text, &pattern])
            }
            _ => {
                let flag = self.column(Domain::Bool);
                let test = *self
                    .random
                    .pick(&["{}", "NOT {}", "{} IS TRUE", "{} IS NOT TRUE"]);
                fill(test, &[&flag])
            }
        }
    }
}

/// A decimal number, as both write it.
pub(crate) fn decimal(random: &mut Random) -> Text {
    same(format!("{:?}", random.below(7) as f64 / 4.0))
}
