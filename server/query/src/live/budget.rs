//! What live queries may take, and what is done when they take more.
//!
//! The bytes of an instance are what it remembers and what it takes to find it; they are counted where they
//! change. A budget that is met refuses new instances, after those that nobody listens to have made room. What
//! grows over a budget in a step ends: the largest first.

use foldhash::quality::FixedState;
use syncline_protocol::ErrorCode;
use syncline_protocol::limits;

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
    /// Rows that one instance may look at to begin.
    pub first_rows: u64,
    /// Rows that all instances together may look at when a publish makes them begin anew.
    pub publish_rows: u64,
    /// Rows that one step may look at for one template.
    pub step_rows: u64,
    /// Rows of a table that a hidden index is made of at most.
    pub index_rows: usize,
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
            first_rows: limits::LIVE_FIRST_ROWS_MAX,
            publish_rows: limits::PUBLISH_ROWS_MAX,
            step_rows: limits::LIVE_STEP_ROWS_MAX,
            index_rows: limits::LIVE_INDEX_ROWS_MAX,
            idle_ticks: 0,
            idle_instances: limits::LIVE_IDLE_INSTANCES_MAX,
            allow_adhoc: true,
        }
    }
}

/// Bytes of an entry in the indexes of instances, and in a router.
const INDEX_BYTES: usize = 48;
const ROUTE_BYTES: usize = 48;

pub(super) fn too_large(budget: &str, bytes: usize) -> QueryError {
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

    /// Bytes that live queries take, roughly: what they remember, what it takes to find them, and hidden indexes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.byte_len + self.hidden.byte_len()
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
        self.check_room_without(template, bytes, (0, 0))
    }

    /// As [`Self::check_room`], if so many of the template and of all were gone.
    pub(super) fn check_room_without(
        &self,
        template: u32,
        bytes: usize,
        (own, all): (usize, usize),
    ) -> Result<(), QueryError> {
        let budgets = &self.budgets;
        if self.usage[template as usize].bytes + bytes > budgets.template_bytes + own {
            let most = budgets.template_bytes;
            return Err(too_large("live queries of this form", most));
        }
        if self.byte_len + bytes > budgets.bytes + all {
            let most = budgets.bytes;
            return Err(too_large("the live queries of the database", most));
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
}
