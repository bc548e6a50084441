//! What was met: a run that did not meet something proves nothing about it.

use std::collections::BTreeMap;

use syncline_query::QueryError;

/// What happened in some cases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    /// Queries that lived.
    pub(crate) queries: u64,
    pub(crate) refused: u64,
    /// Answers to one-off queries that were compared with SQLite.
    pub(crate) once: u64,
    pub(crate) transactions: u64,
    /// Results of live queries that were compared with a fresh answer and with SQLite.
    pub(crate) compared: u64,
    /// Those of them that had just changed and are not empty.
    pub(crate) changed: u64,
    /// Live queries by what is in them, and what happened to them.
    pub(crate) forms: BTreeMap<&'static str, u64>,
    /// Refusals by their reason, with an example.
    pub(crate) reasons: BTreeMap<String, (u64, String)>,
}

/// Forms of a query, by the words that it then has.
const FORMS: &[(&str, &[&str])] = &[
    ("inner join", &[" JOIN ", "!LEFT JOIN "]),
    ("left join", &["LEFT JOIN "]),
    ("cross join", &[" CROSS JOIN "]),
    ("exists", &["EXISTS ("]),
    ("not exists", &["NOT EXISTS ("]),
    ("in list", &[" IN (", "!IN (SELECT"]),
    ("in query", &[" IN (SELECT"]),
    ("not in query", &["NOT IN (SELECT"]),
    ("scalar count", &["(SELECT count("]),
    ("scalar min", &["(SELECT min("]),
    ("scalar max", &["(SELECT max("]),
    ("group by", &["GROUP BY"]),
    ("having", &["HAVING"]),
    ("count", &["count(*)"]),
    ("count distinct", &["count(DISTINCT"]),
    ("sum", &["sum("]),
    ("avg", &["avg("]),
    ("min", &["min("]),
    ("max", &["max("]),
    ("bool_and", &["bool_and("]),
    ("bool_or", &["bool_or("]),
    ("distinct", &["SELECT DISTINCT"]),
    ("union", &[" UNION ", "!UNION ALL"]),
    ("union all", &["UNION ALL"]),
    ("order by", &["ORDER BY"]),
    ("window", &["ORDER BY", "LIMIT"]),
    ("offset", &["OFFSET"]),
    ("keyset", &["AFTER ("]),
    ("derived table", &["JOIN (SELECT"]),
    ("derived table, first", &["FROM (SELECT"]),
    ("with", &["WITH "]),
    ("rank", &["rank()"]),
    ("or", &[" OR "]),
    ("not", &["NOT ("]),
    ("null-safe equality", &["IS NOT DISTINCT FROM"]),
    ("is null", &["IS NULL"]),
    ("like", &[" LIKE "]),
    ("between", &[" BETWEEN "]),
    ("case", &["CASE "]),
    ("parameter", &[":p"]),
    ("caller", &[":me"]),
];

impl Tally {
    pub(crate) fn count(&mut self, form: &'static str) {
        *self.forms.entry(form).or_default() += 1;
    }

    /// A query that lives.
    pub(crate) fn live(&mut self, text: &str) {
        self.queries += 1;
        for (form, words) in FORMS {
            let is_met = words.iter().all(|word| match word.strip_prefix('!') {
                Some(word) => !text.contains(word),
                None => text.contains(word),
            });
            let count = self.forms.entry(form).or_default();
            *count += u64::from(is_met);
        }
    }

    /// A query that does not.
    pub(crate) fn refused(&mut self, error: &QueryError, text: &str) {
        self.refused += 1;
        let mut is_name = false;
        let message = error.message.split('`').map(|part| {
            is_name = !is_name;
            if is_name { part } else { "x" }
        });
        let reason = format!(
            "{:?}: {}",
            error.code,
            message.collect::<Vec<_>>().join("`")
        );
        let entry = self.reasons.entry(reason);
        let (count, example) = entry.or_insert_with(|| (0, text.to_owned()));
        *count += 1;
        if text.len() < example.len() {
            text.clone_into(example);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.cases += other.cases;
        self.queries += other.queries;
        self.refused += other.refused;
        self.once += other.once;
        self.transactions += other.transactions;
        self.compared += other.compared;
        self.changed += other.changed;
        for (form, count) in &other.forms {
            *self.forms.entry(form).or_default() += count;
        }
        for (reason, (count, example)) in &other.reasons {
            let entry = self.reasons.entry(reason.clone());
            let own = entry.or_insert_with(|| (0, example.clone()));
            own.0 += count;
            if example.len() < own.1.len() {
                own.1.clone_from(example);
            }
        }
    }

    /// Of the queries that were asked, those that live.
    pub(crate) fn live_percent(&self) -> f64 {
        percent(self.queries, self.queries + self.refused)
    }

    /// Of the comparisons, those of results that had changed and are not empty.
    pub(crate) fn changed_percent(&self) -> f64 {
        percent(self.changed, self.compared)
    }

    pub(crate) fn print(&self, seconds: f64) {
        println!("{} cases in {seconds:.1} s", self.cases);
        let counts = [
            ("live queries", self.queries),
            ("refused live", self.refused),
            ("one-off answers", self.once),
            ("transactions", self.transactions),
            ("comparisons", self.compared),
            ("of changed rows", self.changed),
        ];
        for (name, count) in counts {
            println!("{count:>10}  {name}");
        }
        println!("{:>9.1}%  live", self.live_percent());
        println!(
            "{:>9.1}%  of the comparisons are of changed rows",
            self.changed_percent()
        );
        println!("live queries by what is in them, and what happened to them");
        for (form, count) in &self.forms {
            println!("{count:>10}  {form}");
        }
        println!("refused");
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (reason, (count, example)) in reasons {
            println!("{count:>10}  {reason}\n{:>10}  {example}", "");
        }
    }

    pub(crate) fn json(&self, seconds: f64) -> serde_json::Value {
        let reasons: BTreeMap<_, _> = self
            .reasons
            .iter()
            .map(|(reason, (count, _))| (reason, count))
            .collect();
        serde_json::json!({
            "cases": self.cases,
            "seconds": seconds,
            "queries": self.queries,
            "refused": self.refused,
            "live_percent": self.live_percent(),
            "once": self.once,
            "transactions": self.transactions,
            "comparisons": self.compared,
            "changed": self.changed,
            "changed_percent": self.changed_percent(),
            "forms": self.forms,
            "refusals": reasons,
        })
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
