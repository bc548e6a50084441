//! The live queries of one database.

mod budget;
mod deltas;
mod explain;
#[cfg(test)]
mod fuzz;
mod hidden;
mod hits;
mod idle;
mod instance;
mod members;
mod moves;
mod plain;
mod rank;
mod rebind;
mod recipe;
mod regions;
mod run;
mod settle;
mod statements;
mod step;
mod template;
#[cfg(test)]
mod tests;
mod window;

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::{HashMap, HashTable};
use syncline_protocol::limits::{LIVE_RESET_ROWS_MAX, QUERY_SCAN_ROWS_MAX};
use syncline_protocol::message::ResultDescription;
use syncline_protocol::param::Param;
use syncline_protocol::{ChangeSet, ErrorCode, TableId};
use syncline_store::Database;

use crate::Caller;
use crate::asked::QueryRef;
use crate::bind::{Mode, bind};
use crate::declared::Declared;
use crate::error::QueryError;
use crate::execute::RowSink;
use crate::plan::Query;
use crate::plan::expr::Params;
use crate::router::TableRouter;
use crate::slab::Slab;
use crate::syntax;
pub use budget::Budgets;
pub use deltas::Deltas;
pub use explain::CostClass;
use explain::Usage;
use hidden::HiddenIndexes;
use idle::Idle;
use instance::Instance;
pub use moves::{How, Moved, NewRows, Statement};
use rank::Watchers;
pub use rebind::Rebound;
pub use settle::Settled;
use step::{Scratch, Step};
use template::{Draft, Template};

/// All live state of one database: templates, instances, routers. Knows no clients: an instance counts
/// its subscriptions, and goes with the last one or some time after it.
#[derive(Debug)]
pub struct LiveQueries {
    /// Syntax of SQL texts, and of logical queries.
    statements: [HashMap<Box<[u8]>, Arc<syntax::Query>, FixedState>; 2],
    declared: Option<Arc<Declared>>,
    templates: Slab<Template>,
    /// By the number of a template.
    usage: Vec<Usage>,
    /// By template, of those that count the rows ahead of one.
    ranks: HashMap<u32, Watchers, FixedState>,
    /// By identity.
    template_index: HashTable<u32>,
    instances: Slab<Instance>,
    /// By template and parameters.
    instance_index: HashTable<u32>,
    by_handle: HashTable<u32>,
    last_handle: u64,
    routers: HashMap<TableId, TableRouter, FixedState>,
    hasher: FixedState,
    scratch: Scratch,
    budgets: Budgets,
    /// Rows that new instances may look at to begin, all together: bounded while a publish binds subscriptions anew.
    first_rows_left: u64,
    /// That live queries take.
    byte_len: usize,
    idle: Idle,
    hidden: HiddenIndexes,
    counters: Counters,
}

/// A new subscription.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// Name of the instance in deltas; the same for all subscriptions to it, never used again.
    pub handle: u64,
    /// What its rows are.
    pub description: Arc<ResultDescription>,
    /// Whether this subscription made the instance.
    pub is_new: bool,
    /// What it costs to keep it current.
    pub cost: CostClass,
    /// What it takes now.
    pub load: Load,
    /// For [`LiveQueries::set_params`].
    pub statement: Statement,
}

/// What an instance takes of what its subscribers have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Its name.
    pub handle: u64,
    /// What it remembers and what it takes to find it, in bytes.
    pub byte_len: usize,
    /// Whether every change of a table looks at it, which may be for the values of its parameters.
    pub is_scanned: bool,
}

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Steps.
    pub commits: u64,
    /// Changed rows.
    pub changes: u64,
    /// Look-ups in the router.
    pub probes: u64,
    /// Instances that the router named for a change.
    pub candidates: u64,
    /// Deltas.
    pub affected: u64,
    /// Expressions that had no value for a change: an overflow, a division by zero, a failed cast.
    pub failures: u64,
}

/// What is there, and what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Distinct queries without their constants.
    pub templates: usize,
    /// Distinct live results.
    pub instances: usize,
    /// Those that nobody subscribes to, and that are kept for who comes back.
    pub idle_instances: usize,
    /// Subscriptions to them.
    pub subscriptions: usize,
    /// Sets of columns that the router looks up, over all tables.
    pub signatures: usize,
    /// Keys that instances listen to.
    pub router_entries: usize,
    /// Those among them that are the beginning of a text.
    pub prefix_entries: usize,
    /// Those that bound a column.
    pub interval_entries: usize,
    /// Those that bound two columns.
    pub box_entries: usize,
    /// Instances that are looked at on every change of their table.
    pub scanned_instances: usize,
    /// Indexes that live queries made for want of declared ones.
    pub hidden_indexes: usize,
    /// Bytes that those take.
    pub hidden_index_bytes: usize,
    /// What happened.
    pub counters: Counters,
}

impl Default for LiveQueries {
    fn default() -> Self {
        Self::new()
    }
}

impl LiveQueries {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::with_hash_seed(0)
    }

    /// None, with a seed for the hashes of keys that clients choose.
    #[must_use]
    pub fn with_hash_seed(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self {
            statements: [(); 2].map(|()| HashMap::with_hasher(hasher.clone())),
            declared: None,
            templates: Slab::default(),
            usage: Vec::new(),
            ranks: HashMap::with_hasher(hasher.clone()),
            template_index: HashTable::new(),
            instances: Slab::default(),
            instance_index: HashTable::new(),
            by_handle: HashTable::new(),
            last_handle: 0,
            routers: HashMap::with_hasher(hasher.clone()),
            idle: Idle::new(hasher.clone()),
            hidden: HiddenIndexes::default(),
            hasher,
            scratch: Scratch::default(),
            budgets: Budgets::default(),
            first_rows_left: u64::MAX,
            byte_len: 0,
            counters: Counters::default(),
        }
    }

    /// Adds a subscription. Its rows are those of [`Self::rows`] now, its changes the deltas of
    /// every [`Self::step`] from now on. Indexes that it lacks are made in `db`, hidden ones, as far as the limits
    /// allow: see [`Self::drop_unused_indexes`].
    pub fn subscribe<'a>(
        &mut self,
        db: &mut Database,
        query: impl Into<QueryRef<'a>>,
        params: &[(String, Param)],
        caller: &Caller,
    ) -> Result<Subscribed, QueryError> {
        let query = query.into();
        self.syntax(query)
            .and_then(|select| self.join(db, &select, params, caller))
            .map_err(|error| query.locate(error))
    }

    /// Adds a subscription to the instance of a query with these parameters.
    fn join(
        &mut self,
        db: &mut Database,
        select: &Arc<syntax::Query>,
        params: &[(String, Param)],
        caller: &Caller,
    ) -> Result<Subscribed, QueryError> {
        let declared = self.declared(db);
        self.check_adhoc(db, &declared, select, caller)?;
        let plan = bind(db, &declared, select, params, caller, Mode::Live)?;
        let (number, is_new) = self.subscribe_plan(db, plan)?;
        let template = self.templates.get(self.instances.get(number).template);
        let load = self.load(number);
        Ok(Subscribed {
            handle: load.handle,
            description: Arc::clone(&template.description),
            is_new,
            cost: if load.is_scanned {
                CostClass::Scanned
            } else {
                template.cost().0
            },
            load,
            statement: Statement(Arc::clone(select)),
        })
    }

    /// Adds a subscription to a query that was bound to live: the number of its instance, and whether that is new.
    fn subscribe_plan(
        &mut self,
        db: &mut Database,
        plan: Query,
    ) -> Result<(u32, bool), QueryError> {
        let draft = Draft::new(db, plan)?;
        self.subscribe_draft(db, &draft)
    }

    fn subscribe_draft(
        &mut self,
        db: &mut Database,
        draft: &Draft,
    ) -> Result<(u32, bool), QueryError> {
        let template = self.template(db, draft)?;
        let found = self.find_instance(template, &draft.params, draft.limit);
        let (number, is_new) = match found {
            Some(number) => (number, false),
            None => (self.find_room(db, template, draft)?, true),
        };
        self.instances.get_mut(number).subscription_count += 1;
        self.idle.forget(number);
        Ok((number, is_new))
    }

    fn find(&self, handle: u64) -> Option<u32> {
        let hash = self.hasher.hash_one(handle);
        let is_same = |number: &u32| self.instances.get(*number).handle == handle;
        self.by_handle.find(hash, is_same).copied()
    }

    /// What the rows of an instance are.
    pub fn description(&self, handle: u64) -> Option<&Arc<ResultDescription>> {
        let instance = self.instances.get(self.find(handle)?);
        Some(&self.templates.get(instance.template).description)
    }

    /// Calls `sink` with each row of an instance as it is now, in the order of its description.
    pub fn rows(
        &self,
        db: &Database,
        handle: u64,
        sink: &mut RowSink<'_>,
    ) -> Result<(), QueryError> {
        self.evaluate(db, handle, sink).map(|_| ())
    }

    /// As [`Self::rows`]; how many rows were looked at.
    fn evaluate(
        &self,
        db: &Database,
        handle: u64,
        sink: &mut RowSink<'_>,
    ) -> Result<u64, QueryError> {
        let Some(number) = self.find(handle) else {
            let message = format!("there is no live query with handle {handle}");
            return Err(QueryError::new(ErrorCode::NoSubscription, message));
        };
        let instance = self.instances.get(number);
        let template = self.templates.get(instance.template);
        let params = Params {
            layout: &template.param_layout,
            packed: &instance.params,
        };
        template.evaluate(db, (params, instance.limit()), sink)
    }

    /// As [`Self::rows`], and takes the rows that it looks at from those that are left. If there are none the
    /// error says so.
    pub fn rows_within(
        &self,
        db: &Database,
        handle: u64,
        rows_left: &mut u64,
        sink: &mut RowSink<'_>,
    ) -> Result<(), QueryError> {
        if *rows_left == 0 {
            return Err(settle::too_much_work(LIVE_RESET_ROWS_MAX));
        }
        let result = self.evaluate(db, handle, sink);
        let looked_at = *result.as_ref().unwrap_or(&(QUERY_SCAN_ROWS_MAX as u64));
        *rows_left = rows_left.saturating_sub(looked_at);
        result.map(|_| ())
    }

    /// Takes one subscription away. The instance goes with its last one, at once or after the ticks of
    /// [`Budgets::idle_ticks`]; an unknown handle is ignored.
    pub fn unsubscribe(&mut self, handle: u64) {
        if let Some(number) = self.leave(handle) {
            self.retire(number);
        }
    }

    /// Like [`Self::unsubscribe`], but the instance goes with its last subscription at once.
    pub fn cancel(&mut self, handle: u64) {
        if let Some(number) = self.leave(handle) {
            self.remove_instance(number);
        }
    }

    /// Takes one subscription away; the instance if that was the last one.
    fn leave(&mut self, handle: u64) -> Option<u32> {
        let number = self.find(handle)?;
        let instance = self.instances.get_mut(number);
        instance.subscription_count -= 1;
        (instance.subscription_count == 0).then_some(number)
    }

    /// Fills `out` with what a committed transaction changed in every affected instance. `db` is the
    /// database after it. Costs a few hash look-ups for each changed row, and nothing for instances
    /// that are not affected.
    pub fn step(&mut self, db: &Database, changes: &ChangeSet, out: &mut Deltas) {
        let step = Step {
            db,
            templates: &self.templates,
            usage: &mut self.usage,
            ranks: &mut self.ranks,
            instances: &mut self.instances,
            routers: &self.routers,
            hasher: &self.hasher,
            scratch: &mut self.scratch,
            budgets: &self.budgets,
            byte_len: &mut self.byte_len,
            counters: &mut self.counters,
        };
        step.run(changes, out);
    }

    /// What is there, and what happened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            templates: self.templates.len(),
            instances: self.instances.len(),
            idle_instances: self.idle.len(),
            hidden_indexes: self.hidden.len(),
            hidden_index_bytes: self.hidden.byte_len(),
            counters: self.counters,
            ..Stats::default()
        };
        for (_, instance) in self.instances.iter() {
            stats.subscriptions += instance.subscription_count as usize;
        }
        for router in self.routers.values() {
            let counts = router.counts();
            stats.signatures += counts.signatures;
            stats.router_entries += counts.entries;
            stats.prefix_entries += counts.beginnings;
            stats.interval_entries += counts.intervals;
            stats.box_entries += counts.boxes;
            stats.scanned_instances += counts.scanned;
        }
        stats
    }
}
