//! Random expressions, each in our words and in those of SQLite.

use syncline_protocol::{Decimal, Json, Type, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Int,
    Float,
    Decimal,
    Text,
    Bool,
    Json,
}

impl Domain {
    pub(crate) fn ty(self) -> Type {
        match self {
            Self::Int => Type::I64,
            Self::Float => Type::F64,
            Self::Decimal => Type::Decimal,
            Self::Text => Type::String,
            Self::Bool => Type::Bool,
            Self::Json => Type::Json,
        }
    }

    pub(crate) fn lite_type(self) -> &'static str {
        match self {
            Self::Int | Self::Bool => "INTEGER",
            Self::Float | Self::Decimal => "REAL",
            Self::Text | Self::Json => "TEXT",
        }
    }
}

/// One thing in both languages.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) ours: String,
    pub(crate) lite: String,
}

fn same(text: impl Into<String>) -> Text {
    let ours = text.into();
    let lite = ours.clone();
    Text { ours, lite }
}

/// Patterns with `{0}`, `{1}`.. for the parts.
fn make(ours: &str, lite: &str, parts: &[&Text]) -> Text {
    let fill = |pattern: &str, side: fn(&Text) -> &String| {
        let mut text = pattern.to_owned();
        for (place, part) in parts.iter().enumerate() {
            text = text.replace(&format!("{{{place}}}"), side(part));
        }
        text
    };
    Text {
        ours: fill(ours, |part| &part.ours),
        lite: fill(lite, |part| &part.lite),
    }
}

/// SplitMix64.
pub(crate) struct Random(u64);

const TEXTS: [&str; 9] = ["", "a", "b", "ab", " a ", "Ba", "abab", "a b", "xay"];
const NAMES: [&str; 5] = ["n", "s", "l", "b", "o"];

pub(crate) fn random_value(random: &mut Random, domain: Domain) -> Value {
    let small = random.below(17) as i64 - 8;
    match domain {
        Domain::Int => Value::I64(small / 2),
        Domain::Float => Value::F64(small as f64 / 4.0),
        Domain::Decimal => Value::Decimal(Decimal::new(i128::from(small) * 25, 2).unwrap()),
        Domain::Text => Value::String((*random.pick(&TEXTS)).to_owned()),
        Domain::Bool => Value::Bool(small > 0),
        Domain::Json => Value::Json(random.json(2)),
    }
}

/// One of ours and one of SQLite's: `{0}` is the JSON, `{1}` a key in its path.
const KEYED: &str = "json_type({0}, {1})";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn json(&mut self, depth: usize) -> Json {
        let quarters = self.below(17) as f64 / 4.0 - 2.0;
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Json::null(),
            1 => Json::from(self.chance(50)),
            2 => Json::number(quarters).unwrap(),
            3 => Json::from(self.below(5) as i32),
            4 => Json::try_from(*self.pick(&TEXTS)).unwrap(),
            5 => {
                let count = self.below(3);
                Json::array((0..count).map(|_| self.json(depth - 1))).unwrap()
            }
            _ => {
                let mut members = Vec::new();
                for name in NAMES {
                    if self.chance(60) {
                        members.push((name, self.json(depth - 1)));
                    }
                }
                Json::object(members).unwrap()
            }
        }
    }

    /// A whole query: the id and an expression.
    pub(crate) fn select(&mut self, is_live: bool) -> Text {
        let domain = self.domain();
        let is_number = matches!(domain, Domain::Float | Domain::Decimal);
        let value = if is_number && self.chance(15) {
            // Tenths are no quarters: nothing is computed with them.
            make("round({0}, 1)", "round({0}, 1)", &[&self.column(domain)])
        } else {
            self.value(domain, 3)
        };
        let condition = if is_live || self.chance(50) {
            self.condition(2)
        } else {
            same("true")
        };
        let pattern = "SELECT id, {0} AS x FROM v WHERE {1}";
        make(pattern, pattern, &[&value, &condition])
    }

    fn domain(&mut self) -> Domain {
        *self.pick(&[
            Domain::Int,
            Domain::Float,
            Domain::Decimal,
            Domain::Decimal,
            Domain::Text,
            Domain::Text,
            Domain::Bool,
            Domain::Json,
        ])
    }

    fn column(&mut self, domain: Domain) -> Text {
        let names = match domain {
            Domain::Int => ["i", "k"],
            Domain::Float => ["f", "g"],
            Domain::Decimal => ["d", "e"],
            Domain::Text => ["s", "t"],
            Domain::Bool => ["b", "b"],
            Domain::Json => ["j", "h"],
        };
        same(*self.pick(&names))
    }

    fn constant(&mut self, domain: Domain) -> Text {
        let small = self.below(9) as i64 - 4;
        let quarters = small as f64 / 4.0;
        match domain {
            Domain::Int => same(format!("({small})")),
            Domain::Float => Text {
                ours: format!("CAST({quarters:?} AS f64)"),
                lite: format!("({quarters:?})"),
            },
            Domain::Decimal => Text {
                ours: format!("CAST({quarters:?} AS decimal)"),
                lite: format!("({quarters:?})"),
            },
            Domain::Text => same(format!("'{}'", self.pick(&TEXTS))),
            Domain::Bool => same(if small > 0 { "true" } else { "false" }),
            Domain::Json => {
                let json = self.json(1);
                Text {
                    ours: format!("CAST('{}' AS json)", json.text()),
                    lite: format!("'{}'", json.text()),
                }
            }
        }
    }

    fn value(&mut self, domain: Domain, depth: usize) -> Text {
        if depth == 0 || self.chance(20) {
            return if self.chance(75) {
                self.column(domain)
            } else {
                self.constant(domain)
            };
        }
        let deeper = depth - 1;
        if domain != Domain::Bool && self.chance(15) {
            return self.choice(domain, deeper);
        }
        match domain {
            Domain::Int => self.int(deeper),
            Domain::Float | Domain::Decimal => self.number(domain, deeper),
            Domain::Text => self.text(deeper),
            Domain::Bool => {
                let condition = self.condition(deeper);
                make("({0})", "({0})", &[&condition])
            }
            Domain::Json => {
                let json = self.value(domain, deeper);
                let key = self.key();
                make("({0} -> {1})", "({0} -> {1})", &[&json, &key])
            }
        }
    }

    fn choice(&mut self, domain: Domain, deeper: usize) -> Text {
        let (one, two) = (self.value(domain, deeper), self.value(domain, deeper));
        let both = |pattern: &str| make(pattern, pattern, &[&one, &two]);
        match self.below(6) {
            0 => both("coalesce({0}, {1})"),
            1 => both("ifnull({0}, {1})"),
            2 => both("nullif({0}, {1})"),
            3 if domain != Domain::Json => {
                make("greatest({0}, {1})", "max({0}, {1})", &[&one, &two])
            }
            4 if domain != Domain::Json => make("least({0}, {1})", "min({0}, {1})", &[&one, &two]),
            _ => {
                let condition = self.condition(deeper);
                let pattern = "CASE WHEN {2} THEN {0} ELSE {1} END";
                make(pattern, pattern, &[&one, &two, &condition])
            }
        }
    }

    /// A key of JSON: a name, or a place.
    fn key(&mut self) -> Text {
        if self.chance(70) {
            same(format!("'{}'", self.pick(&NAMES)))
        } else {
            same(self.below(3).to_string())
        }
    }

    /// JSON and a key, and what SQLite's functions take for the key: a path.
    fn keyed(&mut self, deeper: usize) -> [Text; 3] {
        let json = self.value(Domain::Json, deeper);
        let key = self.key();
        let path = match key.lite.strip_prefix('\'') {
            Some(name) => format!("'$.{name}"),
            None => format!("'$[{}]'", key.lite),
        };
        [json, key, same(path)]
    }

    fn int(&mut self, deeper: usize) -> Text {
        match self.below(12) {
            0 => {
                let text = self.value(Domain::Text, deeper);
                make("length({0})", "length({0})", &[&text])
            }
            1 => {
                let (text, part) = (
                    self.value(Domain::Text, deeper),
                    self.value(Domain::Text, 0),
                );
                let ours = *self.pick(&[
                    "instr({0}, {1})",
                    "strpos({0}, {1})",
                    "position({1} IN {0})",
                ]);
                make(ours, "instr({0}, {1})", &[&text, &part])
            }
            2 => {
                let domain = *self.pick(&[Domain::Int, Domain::Float, Domain::Decimal]);
                let value = self.value(domain, deeper);
                let lite = "CASE WHEN {0} > 0 THEN 1 WHEN {0} < 0 THEN -1 WHEN {0} = 0 THEN 0 END";
                make("sign({0})", lite, &[&value])
            }
            3 => {
                let domain = *self.pick(&[Domain::Float, Domain::Decimal, Domain::Bool]);
                let value = self.value(domain, deeper);
                make("CAST({0} AS bigint)", "CAST({0} AS INTEGER)", &[&value])
            }
            4 => {
                let [json, key, path] = self.keyed(deeper);
                let lite = format!(
                    "CASE WHEN {KEYED} IN ('integer', 'real') THEN CAST(json_extract({{0}}, {{1}}) AS INTEGER) END"
                );
                let lite = make("", &lite, &[&json, &path]).lite;
                let ours = make("CAST({0} -> {1} AS bigint)", "", &[&json, &key]).ours;
                Text { ours, lite }
            }
            5 => {
                let [json, key, path] = self.keyed(deeper);
                let lite =
                    format!("CASE {KEYED} WHEN 'array' THEN json_array_length({{0}}, {{1}}) END");
                let lite = make("", &lite, &[&json, &path]).lite;
                let ours = make("json_array_length({0} -> {1})", "", &[&json, &key]).ours;
                Text { ours, lite }
            }
            6 => {
                let value = self.value(Domain::Int, deeper);
                let pattern = *self.pick(&["abs({0})", "(-{0})", "round({0})", "floor({0})"]);
                let lite = match pattern {
                    "abs({0})" | "(-{0})" => pattern,
                    _ => "{0}",
                };
                make(pattern, lite, &[&value])
            }
            7 => {
                let value = self.value(Domain::Int, 0);
                make("power({0}, 2)", "({0} * {0})", &[&value])
            }
            _ => {
                let (one, two) = (self.value(Domain::Int, deeper), self.value(Domain::Int, 0));
                let pattern = *self.pick(&[
                    "({0} + {1})",
                    "({0} - {1})",
                    "({0} * {1})",
                    "({0} / {1})",
                    "({0} % {1})",
                ]);
                make(pattern, pattern, &[&one, &two])
            }
        }
    }

    fn number(&mut self, domain: Domain, deeper: usize) -> Text {
        let value = self.value(domain, deeper);
        // What SQLite has for whole numbers, it has for small ones.
        let whole = "CAST({0} AS INTEGER)";
        match self.below(10) {
            0 => make("abs({0})", "abs({0})", &[&value]),
            1 => make("(-{0})", "(-{0})", &[&value]),
            2 => make("round({0})", "round({0})", &[&value]),
            4 => make("trunc({0})", whole, &[&value]),
            5 => {
                let lite = format!("({whole} - ({whole} > {{0}}))");
                make("floor({0})", &lite, &[&value])
            }
            6 => {
                let lite = format!("({whole} + ({whole} < {{0}}))");
                make("ceil({0})", &lite, &[&value])
            }
            7 => {
                let by = *self.pick(&["2", "4"]);
                let pattern = format!("({{0}} / {by})");
                // An integer divides a decimal and a float alike, as the float does in SQLite.
                make(&pattern, &format!("({{0}} / {by}.0)"), &[&value])
            }
            _ => {
                let other = if self.chance(30) { Domain::Int } else { domain };
                let other = self.value(other, 0);
                let pattern = *self.pick(&["({0} + {1})", "({0} - {1})", "({0} * {1})"]);
                make(pattern, pattern, &[&value, &other])
            }
        }
    }

    fn text(&mut self, deeper: usize) -> Text {
        let text = self.value(Domain::Text, deeper);
        let other = self.value(Domain::Text, 0);
        let pair = [&text, &other];
        let (from, count) = (
            same((self.below(4) + 1).to_string()),
            same(self.below(4).to_string()),
        );
        match self.below(15) {
            0 => make("lower({0})", "lower({0})", &[&text]),
            1 => make("upper({0})", "upper({0})", &[&text]),
            2 => {
                let pattern = *self.pick(&["trim({0})", "ltrim({0})", "rtrim({0})"]);
                make(pattern, pattern, &[&text])
            }
            3 => {
                let pattern = *self.pick(&["trim({0}, {1})", "ltrim({0}, {1})", "rtrim({0}, {1})"]);
                make(pattern, pattern, &pair)
            }
            4 => make("substr({0}, {1})", "substr({0}, {1})", &[&text, &from]),
            5 => {
                let ours = "SUBSTRING({0} FROM {1} FOR {2})";
                make(ours, "substr({0}, {1}, {2})", &[&text, &from, &count])
            }
            6 => make("left({0}, {1})", "substr({0}, 1, {1})", &[&text, &count]),
            7 => make("right({0}, {1})", "substr({0}, -{1})", &[&text, &from]),
            8 => {
                let to = self.constant(Domain::Text);
                make(
                    "replace({0}, {1}, {2})",
                    "replace({0}, {1}, {2})",
                    &[&text, &other, &to],
                )
            }
            9 => {
                let number = self.value(Domain::Int, deeper);
                let lite = "(coalesce({0}, '') || coalesce({1}, '') || coalesce({2}, ''))";
                make("concat({0}, {1}, {2})", lite, &[&text, &number, &other])
            }
            10 => {
                let number = self.value(Domain::Int, deeper);
                make("CAST({0} AS text)", "CAST({0} AS TEXT)", &[&number])
            }
            11 => {
                let [json, key, path] = self.keyed(deeper);
                let lite = format!(
                    "CASE {KEYED} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' \
                     ELSE CAST(json_extract({{0}}, {{1}}) AS TEXT) END"
                );
                let lite = make("", &lite, &[&json, &path]).lite;
                let ours = make("({0} ->> {1})", "", &[&json, &key]).ours;
                // A number of SQLite's JSON says 1.0 where ours says 1, which canonical JSON does not have.
                Text { ours, lite }
            }
            12 => {
                let [json, key, path] = self.keyed(deeper);
                let lite = format!(
                    "CASE {KEYED} WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' \
                     WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' WHEN 'text' THEN 'string' \
                     ELSE {KEYED} END"
                );
                let lite = make("", &lite, &[&json, &path]).lite;
                let ours = make("json_type({0} -> {1})", "", &[&json, &key]).ours;
                Text { ours, lite }
            }
            _ => make("({0} || {1})", "({0} || {1})", &pair),
        }
    }

    fn condition(&mut self, depth: usize) -> Text {
        if depth > 0 && self.chance(35) {
            let (one, two) = (self.condition(depth - 1), self.condition(depth - 1));
            let pattern = *self.pick(&["({0} AND {1})", "({0} OR {1})", "NOT ({0})"]);
            return make(pattern, pattern, &[&one, &two]);
        }
        let deeper = depth.saturating_sub(1);
        let domain = self.domain();
        let one = self.value(domain, deeper);
        let both = |pattern: &str, two: &Text| make(pattern, pattern, &[&one, two]);
        match (domain, self.below(9)) {
            (Domain::Bool, 0..4) => make("{0} IS TRUE", "{0} IS TRUE", &[&one]),
            (Domain::Text, 0) => {
                let two = self.value(Domain::Text, 0);
                let lite = "(substr({0}, 1, length({1})) = {1})";
                make("starts_with({0}, {1})", lite, &[&one, &two])
            }
            (Domain::Text, 1) => {
                let two = self.value(Domain::Text, 0);
                let lite = "(substr({0}, length({0}) - length({1}) + 1, length({1})) = {1} \
                            AND length({1}) <= length({0}))";
                make("ends_with({0}, {1})", lite, &[&one, &two])
            }
            (Domain::Text, 2) => {
                let pattern = *self.pick(&["{0} LIKE 'a%'", "{0} LIKE '%b'", "{0} LIKE '_a%'"]);
                make(pattern, pattern, &[&one])
            }
            // All numbers compare with each other.
            (Domain::Int | Domain::Float | Domain::Decimal, 0..4) => {
                let other = *self.pick(&[Domain::Int, Domain::Float, Domain::Decimal]);
                let two = self.value(other, 0);
                let pattern = *self.pick(&["{0} = {1}", "{0} < {1}", "{0} >= {1}", "{0} <> {1}"]);
                both(pattern, &two)
            }
            (Domain::Json, 0..8) | (_, 4) => {
                let two = self.value(domain, 0);
                let pattern = *self.pick(&["{0} = {1}", "{0} = {1}", "{0} <> {1}", "{0} IN ({1})"]);
                both(pattern, &two)
            }
            (_, 5) => {
                let (two, three) = (self.value(domain, 0), self.constant(domain));
                let pattern = "{0} BETWEEN {1} AND {2}";
                make(pattern, pattern, &[&one, &two, &three])
            }
            (_, 6) => {
                let two = self.value(domain, 0);
                let not = if self.chance(50) { "NOT " } else { "" };
                both(&format!("{{0}} IS {not}DISTINCT FROM {{1}}"), &two)
            }
            (_, 7) => both("{0} <= {1}", &self.constant(domain)),
            _ => make("{0} IS NULL", "{0} IS NULL", &[&one]),
        }
    }
}
