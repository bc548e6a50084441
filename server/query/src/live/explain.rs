//! `EXPLAIN` and `EXPLAIN LIVE`.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use syncline_protocol::limits::SCANNED_INSTANCES_MAX;
use syncline_protocol::message::ResultDescription;
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, json};
use syncline_store::Database;

use super::LiveQueries;
use super::template::{Draft, Form, Template};
use crate::Caller;
use crate::asked::QueryRef;
use crate::bind::{Mode, bind};
use crate::error::QueryError;
use crate::execute::RowSink;
use crate::explain::{self, Report, Subject, add_access};
use crate::plan::Query;

/// What a template has cost since it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Instances that changes led to.
    pub(super) hits: u64,
    /// Deltas.
    pub(super) affected: u64,
    /// Expressions that had no value, for changes.
    pub(super) failures: u64,
    /// What its instances take now.
    pub(super) bytes: usize,
    /// What one of them remembered after a step in which it grew over its budget; else 0.
    pub(super) largest: usize,
    /// Rows that its windows have looked at in a step.
    looked_at: u64,
    /// The number of that step.
    step: u64,
}

impl Usage {
    /// Rows that its windows have looked at in this step.
    pub(super) fn looked_at(&mut self, step: u64) -> &mut u64 {
        if self.step != step {
            (self.step, self.looked_at) = (step, 0);
        }
        &mut self.looked_at
    }

    /// Notes that a state has other bytes than before. One over `most` is noted as the largest.
    pub(super) fn grow(&mut self, before: usize, after: usize, most: usize) {
        self.bytes = self.bytes + after - before;
        if after > most {
            self.largest = self.largest.max(after);
        }
    }
}

/// What one more instance of a template costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostClass {
    /// Every change finds it by an index, and it remembers no rows: as many as there is memory for.
    Indexed,
    /// It remembers something, which a budget bounds.
    Stateful,
    /// Every change of a table looks at it: a table takes few.
    Scanned,
}

impl LiveQueries {
    /// Answers `EXPLAIN [LIVE] query`: rows of three texts go to `sink`. `None` if the query is no such text.
    /// Estimates and counters are for the admin. Indexes that a live one lacks are made, as if it was subscribed to.
    pub fn explain<'a>(
        &mut self,
        db: &mut Database,
        query: impl Into<QueryRef<'a>>,
        params: &[(String, Param)],
        caller: &Caller,
        sink: &mut RowSink<'_>,
    ) -> Option<Result<ResultDescription, QueryError>> {
        let QueryRef::Sql(sql) = query.into() else {
            return None;
        };
        let (subject, sql) = explain::take(sql)?;
        let mut report = Report::new(caller.admin);
        let asked = (QueryRef::Sql(&sql), params, caller);
        let result = match subject {
            Subject::Once => self.explain_once(db, asked, &mut report),
            Subject::Live => self.explain_live(db, asked, &mut report),
        };
        Some(result.map(|()| report.send(sink)))
    }

    fn explain_once(
        &mut self,
        db: &Database,
        (query, params, caller): (QueryRef<'_>, &[(String, Param)], &Caller),
        report: &mut Report,
    ) -> Result<(), QueryError> {
        let declared = self.declared(db);
        let plan = bind(db, &declared, &query.read()?, params, caller, Mode::Once)?;
        add_access(report, db, &plan)?;
        add_result(report, &plan);
        Ok(())
    }

    /// A query that cannot live is explained by why not.
    fn explain_live(
        &mut self,
        db: &mut Database,
        asked: (QueryRef<'_>, &[(String, Param)], &Caller),
        report: &mut Report,
    ) -> Result<(), QueryError> {
        use ErrorCode::{AdhocLiveOff, LiveLimit, LiveNoAccessPath, LiveUnsupported, QueryLimit};
        let Err(error) = self.explain_template(db, asked, report) else {
            return Ok(());
        };
        if !matches!(
            error.code,
            AdhocLiveOff | LiveLimit | LiveNoAccessPath | LiveUnsupported | QueryLimit
        ) {
            return Err(error);
        }
        let error = error.to_wire();
        report.add("refused", error.code, error.message);
        if let Some(hint) = error.hint {
            report.add("refused", "hint", hint);
        }
        Ok(())
    }

    fn explain_template(
        &mut self,
        db: &mut Database,
        (query, params, caller): (QueryRef<'_>, &[(String, Param)], &Caller),
        report: &mut Report,
    ) -> Result<(), QueryError> {
        let declared = self.declared(db);
        let select = self.syntax(query)?;
        self.check_adhoc(db, &declared, &select, caller)?;
        let plan = bind(db, &declared, &select, params, caller, Mode::Live)?;
        let draft = Draft::new(db, plan.clone())?;
        let template = self.make_template(db, &draft, false)?;
        // The seed of the other hashes is a secret.
        let hash = FixedState::default().hash_one(draft.identity.as_slice());
        report.add("template", "id", format!("{hash:016x}"));
        let (mut class, mut reason) = template.cost();
        if class != CostClass::Scanned
            && template.is_scanned(&draft.params, draft.limit, &self.hasher)
        {
            class = CostClass::Scanned;
            reason = "what it compares leaves out no row with these values";
        }
        let letter = match class {
            CostClass::Indexed => "A",
            CostClass::Stateful => "B",
            CostClass::Scanned => "C",
        };
        report.add("template", "class", format!("{letter}: {reason}"));
        let mut values = draft.params.as_slice();
        for (number, ty) in template.param_layout.types().iter().enumerate() {
            let packed = crate::row::next_column(ty, &mut values);
            let value = json::encode_packed(ty, packed).map(|value| value.to_string());
            let value = value.unwrap_or_default();
            report.add(
                "parameter",
                format!("${}", number + 1),
                format!("{ty} = {value}"),
            );
        }
        template.explain(db, report, class);
        add_result(report, &plan);
        add_access(report, db, &plan)?;
        if report.has_figures {
            self.add_counters(&draft.identity, report);
        }
        Ok(())
    }

    /// What a template that is there has, and has done.
    fn add_counters(&self, identity: &[u8], report: &mut Report) {
        let hash = self.hasher.hash_one(identity);
        let is_same = |number: &u32| *self.templates.get(*number).identity == *identity;
        let Some(&number) = self.template_index.find(hash, is_same) else {
            report.add("counters", "instances", "0");
            return;
        };
        let own = self
            .instances
            .iter()
            .filter(|(_, own)| own.template == number);
        let subscriptions: u64 = own.map(|(_, own)| u64::from(own.subscription_count)).sum();
        let template = self.templates.get(number);
        let usage = self.usage[number as usize];
        for (item, count) in [
            ("instances", template.instance_count as u64),
            ("subscriptions", subscriptions),
            ("hits", usage.hits),
            ("affected", usage.affected),
            ("failed expressions", usage.failures),
            ("bytes", usage.bytes as u64),
        ] {
            report.add("counters", item, count.to_string());
        }
    }
}

impl Template {
    /// Its cost class, and why.
    pub(super) fn cost(&self) -> (CostClass, &'static str) {
        match &self.form {
            Form::Plain(plain) if plain.cover.is_none() => (
                CostClass::Scanned,
                "WHERE compares no column with constants in a way that is looked up",
            ),
            Form::Plain(plain) if plain.window.is_some() => (
                CostClass::Indexed,
                "found by what it compares; of a window only the end is remembered",
            ),
            Form::Plain(_) => (
                CostClass::Indexed,
                "found by what it compares, nothing remembered",
            ),
            Form::Rank(_) => (
                CostClass::Stateful,
                "found between the old and the new place; each result remembers its place and its count",
            ),
            Form::Flow(flow) if flow.asks_everyone && !self.param_layout.types().is_empty() => {
                (CostClass::Scanned, "some changed row leads to no parameter")
            }
            Form::Flow(flow) if flow.is_stateful => (
                CostClass::Stateful,
                "found over indexes; each result remembers what is below",
            ),
            Form::Flow(_) => (CostClass::Indexed, "found over indexes, nothing remembered"),
        }
    }

    fn explain(&self, db: &Database, report: &mut Report, class: CostClass) {
        match &self.form {
            Form::Plain(plain) => {
                let Some(table) = db.table(plain.table) else {
                    return;
                };
                let name = table.def().name.as_str();
                let listens = match &plain.cover {
                    Some(routes) => explain::signatures(db, plain.table, routes),
                    None => "every change is looked at".to_owned(),
                };
                report.add("router", name, listens);
                let way = "the results that listen to it -> WHERE -> changed rows";
                report.add("way", name, way);
                match &plain.window {
                    Some(path) => {
                        let index = report.index(table, path.index);
                        let kept = format!("how many rows, and the last one's place in {index}");
                        report.add("state", "the window", kept);
                    }
                    None => report.add("state", "nothing", ""),
                }
            }
            Form::Rank(rank) => {
                let name = |id| db.table(id).map_or("", |table| table.def().name.as_str());
                let listens = explain::signatures(db, rank.subject, &rank.cover);
                report.add("router", name(rank.subject), listens);
                let way = "the results that watch a place between the old one and the new one";
                report.add("way", name(rank.counted), way);
                if let Some(table) = db.table(rank.counted) {
                    let index = report.index(table, rank.index);
                    report.add(
                        "state",
                        "the rank",
                        format!("a place in {index}, and its count"),
                    );
                }
            }
            Form::Flow(flow) => {
                explain::add_ways(report, db, flow);
                explain::add_hidden(report, db, flow);
                explain::add_state(report, flow);
            }
        }
        if class == CostClass::Scanned {
            let most = format!("at most {SCANNED_INSTANCES_MAX} such results");
            report.add("budget", "class C", most);
        }
    }
}

/// The key of a result and its order.
fn add_result(report: &mut Report, plan: &Query) {
    let name = |column: &u16| {
        let column = &plan.outputs[usize::from(*column)];
        let hidden = if column.hidden { " (hidden)" } else { "" };
        format!("{}{hidden}", column.name)
    };
    let key: Vec<String> = plan.key.iter().map(name).collect();
    if !key.is_empty() {
        report.add("result", "key", key.join(", "));
    }
    let order = plan.total_order();
    let order = order.iter().map(|key| {
        let direction = if key.descending { " DESC" } else { "" };
        format!("{}{direction}", name(&key.column))
    });
    let order: Vec<String> = order.collect();
    if !order.is_empty() {
        report.add("result", "order", order.join(", "));
    }
    if let Some(limit) = plan.limit {
        report.add("result", "limit", limit.to_string());
    }
    if plan.offset > 0 {
        report.add("result", "offset", plan.offset.to_string());
    }
}
