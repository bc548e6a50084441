//! What live queries may take, and what is done when they take more.
//!
//! The bytes of an instance are what it remembers and what it takes to find it; they are counted where they
//! change. A budget that is met refuses new instances, after those that nobody listens to have made room. What
//! grows over a budget in a step ends: the largest first.

use std::collections::VecDeque;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use syncline_protocol::ErrorCode;
use syncline_protocol::limits;
use syncline_store::Database;

use super::explain::Usage;
use super::instance::{Instance, Memory};
use super::members::routes;
use super::rank::Place;
use super::template::{Form, Template};
use super::window::Window;
use super::{LiveQueries, Load};
use crate::error::QueryError;
use crate::flow::NodeState;
use crate::plan::expr::Params;
use crate::router::is_scanned;

/// Budgets of all live queries of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Bytes that one instance may remember.
    pub instance_bytes: usize,
    /// Bytes of all instances of one template.
    pub template_bytes: usize,
    /// Bytes of all instances.
    pub bytes: usize,
    /// Rows that one step may look at for one template.
    pub step_rows: u64,
    /// Ticks of [`LiveQueries::advance`] that an instance is kept after its last subscription; 0 keeps none.
    pub idle_ticks: u64,
    /// Instances that are kept so.
    pub idle_instances: usize,
    /// Whether queries that are no views of the module may be live, for who is not the admin.
    pub allow_adhoc: bool,
}

impl Default for Budgets {
    /// The limits, and nothing is kept that nobody listens to.
    fn default() -> Self {
        Self {
            instance_bytes: limits::LIVE_STATE_BYTES_MAX,
            template_bytes: limits::LIVE_TEMPLATE_BYTES_MAX,
            bytes: limits::LIVE_BYTES_MAX,
            step_rows: limits::LIVE_STEP_ROWS_MAX,
            idle_ticks: 0,
            idle_instances: limits::LIVE_IDLE_INSTANCES_MAX,
            allow_adhoc: true,
        }
    }
}

/// What a step left to be done.
#[derive(Debug, Default)]
pub struct Settled {
    /// Instances whose rows must be told anew, in place of a delta.
    pub resets: Vec<u64>,
    /// Instances that are gone with all their subscriptions, and why.
    pub ended: Vec<(u64, QueryError)>,
}

/// Instances that a step gave up on.
#[derive(Debug)]
pub(super) struct Runaway {
    pub(super) template: u32,
    /// `None` is all of the template.
    pub(super) instances: Option<Vec<u32>>,
}

/// Instances that nobody listens to.
#[derive(Debug)]
pub(super) struct Idle {
    /// The tick at which each goes.
    until: HashMap<u32, u64, FixedState>,
    /// The same in their order; some may be out of date.
    order: VecDeque<(u32, u64)>,
    tick: u64,
}

impl Idle {
    pub(super) fn new(hasher: FixedState) -> Self {
        Self {
            until: HashMap::with_hasher(hasher),
            order: VecDeque::new(),
            tick: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.until.len()
    }

    /// Somebody listens again, or it is gone.
    pub(super) fn forget(&mut self, instance: u32) {
        self.until.remove(&instance);
    }

    fn add(&mut self, instance: u32, ticks: u64) {
        let until = self.tick.saturating_add(ticks);
        self.until.insert(instance, until);
        self.order.push_back((instance, until));
    }

    /// The oldest one, if its time is over or `early`.
    fn next(&mut self, early: bool) -> Option<u32> {
        while let Some(&(instance, until)) = self.order.front() {
            if self.until.get(&instance) != Some(&until) {
                self.order.pop_front();
                continue;
            }
            if !early && until > self.tick {
                return None;
            }
            self.order.pop_front();
            self.until.remove(&instance);
            return Some(instance);
        }
        None
    }
}

/// Bytes of an entry in the indexes of instances, and in a router.
const INDEX_BYTES: usize = 48;
const ROUTE_BYTES: usize = 48;

fn too_large(budget: &str, bytes: usize) -> QueryError {
    let message = format!("{budget} would take over {bytes} bytes of memory");
    QueryError::new(ErrorCode::LiveLimit, message)
        .hint("narrow it down in WHERE, or end subscriptions that are not shown")
}

/// What an instance remembers, in bytes.
pub(super) fn memory_bytes(memory: &Memory) -> usize {
    match memory {
        Memory::Nothing => 0,
        Memory::Window(_) => size_of::<Window>() + INDEX_BYTES,
        // Twice: the place is with the instance and among the watchers.
        Memory::Place(_) => 2 * size_of::<Place>() + INDEX_BYTES,
        Memory::Nodes(nodes) => nodes.iter().map(NodeState::byte_len).sum(),
    }
}

impl Template {
    /// Bytes that it takes to find an instance.
    pub(super) fn listening_bytes(&self, params: &[u8]) -> usize {
        let routes = match &self.form {
            Form::Plain(plain) => plain.cover.as_ref().map_or(1, Vec::len),
            Form::Rank(rank) => rank.cover.len(),
            Form::Flow(flow) => {
                let routes = flow.routes.iter().flatten();
                routes.map(|routes| routes.len()).sum::<usize>() + usize::from(flow.asks_everyone)
            }
        };
        size_of::<Instance>() + INDEX_BYTES + params.len() + routes * ROUTE_BYTES
    }

    /// Whether every change of a table looks at an instance of these parameters.
    pub(super) fn is_scanned(
        &self,
        packed: &[u8],
        limit: Option<u64>,
        hasher: &FixedState,
    ) -> bool {
        let params = Params {
            layout: &self.param_layout,
            packed,
        };
        match &self.form {
            Form::Plain(plain) => is_scanned(routes(plain, limit), params, hasher),
            Form::Rank(rank) => is_scanned(Some(&rank.cover), params, hasher),
            Form::Flow(flow) => {
                let mut routes = flow.routes.iter().flatten();
                let has_params = !self.param_layout.types().is_empty();
                (flow.asks_everyone && has_params)
                    || routes.any(|routes| is_scanned(Some(routes), params, hasher))
            }
        }
    }
}

impl LiveQueries {
    /// What an instance takes now.
    pub(super) fn load(&self, number: u32) -> Load {
        let own = self.instances.get(number);
        Load {
            handle: own.handle,
            byte_len: self.bytes_of(own),
            is_scanned: self.templates.get(own.template).is_scanned(
                &own.params,
                own.limit(),
                &self.hasher,
            ),
        }
    }

    /// What the next new instance would take that is of a template and remembers nothing.
    pub(super) fn load_of_next(&self, template: u32, params: &[u8]) -> Load {
        let template = self.templates.get(template);
        Load {
            handle: self.last_handle + 1,
            byte_len: template.listening_bytes(params),
            is_scanned: template.is_scanned(params, None, &self.hasher),
        }
    }

    pub(super) fn bytes_of(&self, instance: &Instance) -> usize {
        let template = self.templates.get(instance.template);
        template.listening_bytes(&instance.params) + memory_bytes(&instance.memory)
    }

    /// Sets the budgets. What there is stays.
    pub fn set_budgets(&mut self, budgets: Budgets) {
        self.budgets = budgets;
    }

    /// Bytes that live queries take, roughly: what they remember, and what it takes to find them.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.byte_len
    }

    /// Tells how far the clock is; it must not go back. Instances that nobody came back to go.
    pub fn advance(&mut self, tick: u64) {
        self.idle.tick = tick;
        while let Some(instance) = self.idle.next(false) {
            self.remove_instance(instance);
        }
    }

    /// Takes away all instances that nobody listens to; whether there were any.
    pub(super) fn evict_idle(&mut self) -> bool {
        let mut has_evicted = false;
        while let Some(instance) = self.idle.next(true) {
            self.remove_instance(instance);
            has_evicted = true;
        }
        has_evicted
    }

    /// Keeps an instance for a while after its last subscription, or takes it away.
    pub(super) fn retire(&mut self, number: u32) {
        let instance = self.instances.get(number);
        let is_small = memory_bytes(&instance.memory) <= limits::LIVE_IDLE_BYTES_MAX;
        if self.budgets.idle_ticks == 0 || self.budgets.idle_instances == 0 || !is_small {
            return self.remove_instance(number);
        }
        if self.idle.len() >= self.budgets.idle_instances
            && let Some(oldest) = self.idle.next(true)
        {
            self.remove_instance(oldest);
        }
        self.idle.add(number, self.budgets.idle_ticks);
    }

    /// Notes that something of a template takes other bytes than before.
    pub(super) fn change_bytes(&mut self, template: u32, before: usize, after: usize) {
        for bytes in [&mut self.usage[template as usize].bytes, &mut self.byte_len] {
            // After a publish they are counted anew.
            *bytes = (*bytes + after).saturating_sub(before);
        }
    }

    /// Counts the bytes of all templates.
    pub(super) fn count_bytes(&mut self) {
        self.usage.iter_mut().for_each(|usage| usage.bytes = 0);
        for (_, instance) in self.instances.iter() {
            self.usage[instance.template as usize].bytes += self.bytes_of(instance);
        }
        self.byte_len = self.usage.iter().map(|usage| usage.bytes).sum();
    }

    /// Whether so many more bytes of a template are within the budgets.
    pub(super) fn check_room(&self, template: u32, bytes: usize) -> Result<(), QueryError> {
        let Budgets {
            template_bytes,
            bytes: all_bytes,
            ..
        } = self.budgets;
        if self.usage[template as usize].bytes + bytes > template_bytes {
            return Err(too_large("live queries of this form", template_bytes));
        }
        if self.byte_len() + bytes > all_bytes {
            return Err(too_large("the live queries of the database", all_bytes));
        }
        Ok(())
    }

    /// Takes an instance away with all its subscriptions; an unknown handle is ignored.
    pub fn end(&mut self, handle: u64) {
        if let Some(number) = self.find(handle) {
            self.idle.forget(number);
            self.remove_instance(number);
        }
    }

    /// Whether [`Self::settle`] has something to do after a step.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        !self.scratch.runaways.is_empty() || !self.scratch.grown.is_empty()
    }

    /// Deals with what the last step could not: results that would have taken too long are evaluated anew, and
    /// what has grown over a budget ends. `db` is the one of the step.
    pub fn settle(&mut self, db: &Database) -> Settled {
        let mut settled = Settled::default();
        let mut doomed: Vec<(u32, QueryError)> = Vec::new();
        for runaway in std::mem::take(&mut self.scratch.runaways) {
            self.evaluate_anew(db, runaway, &mut settled.resets, &mut doomed);
        }
        let mut grown = std::mem::take(&mut self.scratch.grown);
        grown.sort_unstable();
        grown.dedup();
        self.doom_grown(&grown, &mut doomed);
        for (number, error) in doomed {
            let handle = self.instances.get(number).handle;
            settled.ended.push((handle, error));
            self.idle.forget(number);
            self.remove_instance(number);
        }
        settled.ended.sort_by_key(|(handle, _)| *handle);
        settled.resets.sort_unstable();
        settled
    }

    fn evaluate_anew(
        &mut self,
        db: &Database,
        runaway: Runaway,
        resets: &mut Vec<u64>,
        doomed: &mut Vec<(u32, QueryError)>,
    ) {
        let template = runaway.template;
        let all = || {
            let own = self.instances.iter();
            let own = own.filter(|(_, instance)| instance.template == template);
            own.map(|(number, _)| number).collect()
        };
        let instances: Vec<u32> = runaway.instances.unwrap_or_else(all);
        let is_few = instances.len() <= limits::LIVE_RESETS_MAX;
        for number in instances {
            let result = if is_few {
                self.rehydrate(db, template, number)
            } else {
                Err(too_much_work(self.budgets.step_rows))
            };
            match result {
                Ok(()) => resets.push(self.instances.get(number).handle),
                Err(error) => doomed.push((number, error)),
            }
        }
    }

    /// Of templates that have grown in a step: what is over a budget.
    fn doom_grown(&mut self, grown: &[u32], doomed: &mut Vec<(u32, QueryError)>) {
        let budgets = self.budgets;
        let mut total = self.byte_len();
        let is_over = |usage: &Usage| {
            usage.bytes > budgets.template_bytes || usage.largest > budgets.instance_bytes
        };
        let usage = grown.iter().map(|template| &self.usage[*template as usize]);
        if total <= budgets.bytes && !usage.clone().any(is_over) {
            return;
        }
        // Rare: all instances are looked at.
        let mut by_size: Vec<(usize, u32)> = Vec::new();
        for (number, instance) in self.instances.iter() {
            by_size.push((self.bytes_of(instance), number));
        }
        by_size.sort_unstable_by_key(|(bytes, number)| (std::cmp::Reverse(*bytes), *number));
        let mut own_bytes: Vec<usize> = self.usage.iter().map(|usage| usage.bytes).collect();
        for (bytes, number) in by_size {
            let instance = self.instances.get(number);
            let own = &mut own_bytes[instance.template as usize];
            let error = if memory_bytes(&instance.memory) > budgets.instance_bytes {
                too_large("the live result", budgets.instance_bytes)
            } else if *own > budgets.template_bytes {
                too_large("live queries of this form", budgets.template_bytes)
            } else if total > budgets.bytes {
                too_large("the live queries of the database", budgets.bytes)
            } else {
                continue;
            };
            *own -= bytes;
            total -= bytes;
            if doomed.iter().all(|(other, _)| *other != number) {
                doomed.push((number, error));
            }
        }
        for template in grown {
            self.usage[*template as usize].largest = 0;
        }
    }
}

pub(super) fn adhoc_is_off() -> QueryError {
    let message = "only views of the module may be live here";
    QueryError::new(ErrorCode::AdhocLiveOff, message)
        .hint("subscribe to SELECT * FROM view(..), or ask the query once")
}

fn too_much_work(rows: u64) -> QueryError {
    let message = format!("a transaction made the live query look at over {rows} rows");
    QueryError::new(ErrorCode::LiveLimit, message)
        .hint("subscribe again; change fewer rows at once, or narrow the query down in WHERE")
}
