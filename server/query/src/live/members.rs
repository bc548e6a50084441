//! Templates and instances come and go.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use syncline_protocol::limits::SCANNED_INSTANCES_MAX;
use syncline_protocol::{ChangeSet, ErrorCode};
use syncline_store::Database;

use super::LiveQueries;
use super::budget::memory_bytes;
use super::explain::Usage;
use super::instance::{Instance, Memory};
use super::plain::Plain;
use super::rank::RANK;
use super::template::{Draft, Form, Template};
use super::window::{Allowance, View, Window};
use crate::error::QueryError;
use crate::flow::{FlowScratch, Overlay, Runner};
use crate::plan::expr::Params;
use crate::router::Route;

impl LiveQueries {
    pub(super) fn template(&mut self, db: &mut Database, draft: &Draft) -> Result<u32, QueryError> {
        let hash = self.hasher.hash_one(draft.identity.as_slice());
        let templates = &self.templates;
        let is_same = |number: &u32| *templates.get(*number).identity == *draft.identity;
        if let Some(number) = self.template_index.find(hash, is_same) {
            return Ok(*number);
        }
        let template = self.make_template(db, draft, true)?;
        let number = self.templates.insert(template);
        self.hold_indexes(number);
        let count = self.usage.len().max(number as usize + 1);
        self.usage.resize(count, Usage::default());
        self.usage[number as usize] = Usage::default();
        self.set_free(number, true);
        let (templates, hasher) = (&self.templates, &self.hasher);
        self.template_index.insert_unique(hash, number, |number| {
            hasher.hash_one(&*templates.get(*number).identity)
        });
        Ok(number)
    }

    pub(super) fn remove_template(&mut self, number: u32) {
        self.set_free(number, false);
        self.release_indexes(number);
        let watchers = self.ranks.remove(&number);
        debug_assert!(watchers.is_none_or(|own| own.is_empty()), "they left");
        let template = self.templates.remove(number);
        let hash = self.hasher.hash_one(&*template.identity);
        if let Ok(entry) = self
            .template_index
            .find_entry(hash, |other| *other == number)
        {
            entry.remove();
        }
    }

    pub(super) fn find_instance(
        &self,
        template: u32,
        params: &[u8],
        limit: Option<u64>,
    ) -> Option<u32> {
        let hash = instance_hash(&self.hasher, template, params, limit);
        let is_same = |number: &u32| {
            let instance = self.instances.get(*number);
            instance.template == template
                && *instance.params == *params
                && instance.limit() == limit
        };
        self.instance_index.find(hash, is_same).copied()
    }

    /// Adds an instance; those that nobody listens to make room for it.
    pub(super) fn find_room(
        &mut self,
        db: &Database,
        number: u32,
        draft: &Draft,
    ) -> Result<u32, QueryError> {
        // An idle instance of this template must not take it away with it.
        self.templates.get_mut(number).instance_count += 1;
        let result = self.add_instance(db, number, draft);
        let template = self.templates.get_mut(number);
        template.instance_count -= 1;
        if result.is_err() && template.instance_count == 0 {
            self.remove_template(number);
        }
        result
    }

    fn add_instance(
        &mut self,
        db: &Database,
        number: u32,
        draft: &Draft,
    ) -> Result<u32, QueryError> {
        let template = self.templates.get(number);
        let params = Params {
            layout: &template.param_layout,
            packed: &draft.params,
        };
        let rows = self.budgets.first_rows.min(self.first_rows_left);
        let mut most = Most {
            bytes: self.budgets.instance_bytes,
            rows,
        };
        let instance = (params, draft.limit);
        let read = first_memory(db, template, instance, &mut self.scratch.flow, &mut most);
        self.first_rows_left -= rows - most.rows;
        let memory = read?;
        let bytes = template.listening_bytes(&draft.params) + memory_bytes(&memory);
        self.make_room(number, bytes)?;
        let instance = self.instances.insert(Instance {
            handle: self.last_handle + 1,
            template: number,
            subscription_count: 0,
            params: draft.params.as_slice().into(),
            seen: 0,
            hit: 0,
            last_hit: 0,
            grown: 0,
            memory,
        });
        let mut result = self.listen(number, instance);
        // What every change looks at is never idle, so that those make no room for it.
        if result.is_err() && !self.load(instance).is_scanned && self.evict_idle() {
            result = self.listen(number, instance);
        }
        if let Err(error) = result {
            self.instances.remove(instance);
            return Err(error);
        }
        self.templates.get_mut(number).instance_count += 1;
        self.change_bytes(number, 0, bytes);
        self.last_handle += 1;
        let (instances, hasher) = (&self.instances, &self.hasher);
        let hash = instance_hash(hasher, number, &draft.params, draft.limit);
        self.instance_index.insert_unique(hash, instance, |other| {
            let other = instances.get(*other);
            instance_hash(hasher, other.template, &other.params, other.limit())
        });
        self.by_handle
            .insert_unique(hasher.hash_one(self.last_handle), instance, |other| {
                hasher.hash_one(instances.get(*other).handle)
            });
        Ok(instance)
    }

    /// Makes the router name an instance for what may concern it.
    pub(super) fn listen(&mut self, number: u32, instance: u32) -> Result<(), QueryError> {
        let own = self.instances.get(instance);
        let template = self.templates.get_mut(number);
        let params = Params {
            layout: &template.param_layout,
            packed: &own.params,
        };
        let flow = match &template.form {
            Form::Plain(plain) => {
                let router = self.routers.entry(plain.table).or_default();
                let routes = routes(plain, own.limit());
                return router.insert(routes, params, instance, &self.hasher);
            }
            Form::Rank(rank) => {
                let router = self.routers.entry(rank.subject).or_default();
                router.insert(Some(&rank.cover), params, instance, &self.hasher)?;
                if let Memory::Place(place) = &own.memory
                    && let Some(key) = &place.key
                {
                    let watchers = self.ranks.entry(number).or_default();
                    watchers.insert(key, instance, place.first_count);
                }
                return Ok(());
            }
            Form::Flow(flow) => flow,
        };
        if flow.asks_everyone {
            let has_params = !template.param_layout.types().is_empty();
            if has_params && template.members.len() >= SCANNED_INSTANCES_MAX {
                return Err(too_many_members());
            }
            template.members.push(instance);
        }
        for (site, routes) in flow.routes.iter().enumerate() {
            let Some(routes) = routes else { continue };
            let router = self.routers.entry(flow.sites[site].table).or_default();
            let place = (number, site as u16, instance);
            if let Err(error) = router.insert_site(routes, params, place, &self.hasher) {
                self.ignore(number, instance);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Undoes [`Self::listen`].
    pub(super) fn ignore(&mut self, number: u32, instance: u32) {
        let own = self.instances.get(instance);
        let template = self.templates.get_mut(number);
        let params = Params {
            layout: &template.param_layout,
            packed: &own.params,
        };
        template.members.retain(|other| *other != instance);
        match &template.form {
            Form::Plain(plain) => {
                if let Some(router) = self.routers.get_mut(&plain.table) {
                    router.remove(routes(plain, own.limit()), params, instance, &self.hasher);
                }
            }
            Form::Rank(rank) => {
                if let Some(router) = self.routers.get_mut(&rank.subject) {
                    router.remove(Some(&rank.cover), params, instance, &self.hasher);
                }
                if let Memory::Place(place) = &own.memory
                    && let Some(key) = &place.key
                    && let Some(watchers) = self.ranks.get_mut(&number)
                {
                    watchers.remove(key, instance);
                }
            }
            Form::Flow(flow) => {
                for (site, routes) in flow.routes.iter().enumerate() {
                    let router = self.routers.get_mut(&flow.sites[site].table);
                    if let (Some(routes), Some(router)) = (routes, router) {
                        let place = (number, site as u16, instance);
                        router.remove_site(routes, params, place, &self.hasher);
                    }
                }
            }
        }
    }

    /// Makes every change of their tables concern the sites of a template that have no route.
    pub(super) fn set_free(&mut self, number: u32, is_free: bool) {
        if let Some(rank) = self.templates.get(number).rank() {
            let router = self.routers.entry(rank.counted).or_default();
            router.set_free(number, RANK, is_free);
            self.ranks.entry(number).or_default();
        }
        let Some(flow) = self.templates.get(number).flow() else {
            return;
        };
        for (site, own) in flow.sites.iter().enumerate() {
            if flow.routes[site].is_none() {
                let router = self.routers.entry(own.table).or_default();
                router.set_free(number, site as u16, is_free);
            }
        }
    }

    pub(super) fn remove_instance(&mut self, number: u32) {
        let template = self.instances.get(number).template;
        self.ignore(template, number);
        let instance = self.instances.get(number);
        let hash = instance_hash(
            &self.hasher,
            instance.template,
            &instance.params,
            instance.limit(),
        );
        if let Ok(entry) = self
            .instance_index
            .find_entry(hash, |other| *other == number)
        {
            entry.remove();
        }
        let hash = self.hasher.hash_one(instance.handle);
        if let Ok(entry) = self.by_handle.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
        let instance = self.instances.remove(number);
        let template = self.templates.get_mut(instance.template);
        let bytes = template.listening_bytes(&instance.params) + memory_bytes(&instance.memory);
        template.instance_count -= 1;
        self.change_bytes(instance.template, bytes, 0);
        let template = self.templates.get(instance.template);
        if template.instance_count == 0 {
            self.remove_template(instance.template);
        }
    }

    /// Reads the state of an instance anew, and takes the rows that it looks at from those that are left. If that
    /// fails it has an old one, and must be removed.
    pub(super) fn rehydrate(
        &mut self,
        db: &Database,
        number: u32,
        instance: u32,
        rows_left: &mut u64,
    ) -> Result<(), QueryError> {
        let template = self.templates.get(number);
        let own = self.instances.get_mut(instance);
        let params = Params {
            layout: &template.param_layout,
            packed: &own.params,
        };
        let limit = own.limit();
        let rows = self.budgets.first_rows.min(*rows_left);
        let mut most = Most {
            bytes: self.budgets.instance_bytes,
            rows,
        };
        let scratch = &mut self.scratch.flow;
        let read = first_memory(db, template, (params, limit), scratch, &mut most);
        *rows_left -= rows - most.rows;
        // What it had says by which limit it is found.
        let memory = read?;
        let (before, after) = (memory_bytes(&own.memory), memory_bytes(&memory));
        own.memory = memory;
        self.change_bytes(number, before, after);
        Ok(())
    }
}

/// What a first state may take.
struct Most {
    bytes: usize,
    /// Rows that may be looked at; what is left of them.
    rows: u64,
}

/// What a new instance remembers.
fn first_memory(
    db: &Database,
    template: &Template,
    (params, limit): (Params<'_>, Option<u64>),
    scratch: &mut FlowScratch,
    most: &mut Most,
) -> Result<Memory, QueryError> {
    let flow = match &template.form {
        Form::Plain(plain) => {
            let (Some(limit), Some(path), Some(table)) =
                (limit, &plain.window, db.table(plain.table))
            else {
                return Ok(Memory::Nothing);
            };
            let rows = Allowance::new(most.rows);
            let view = View {
                table,
                filter: plain.filter.as_ref(),
                path,
                params,
                rows: &rows,
            };
            let window = Window::hydrate(limit as usize, template.plan.offset, view);
            let most = std::mem::replace(&mut most.rows, rows.left());
            if rows.is_over() {
                return Err(looks_at_too_many(most));
            }
            return Ok(Memory::Window(Box::new(window)));
        }
        Form::Rank(rank) => {
            let place = rank.first_place(db, params);
            return Ok(Memory::Place(Box::new(place)));
        }
        Form::Flow(flow) => flow,
    };
    if !flow.is_stateful {
        return Ok(Memory::Nothing);
    }
    let changes = ChangeSet::new();
    let overlay = Overlay::new(db, &changes);
    overlay.allow(most.rows);
    let runner = Runner {
        flow,
        overlay: &overlay,
        changes: &changes,
    };
    let mut states = flow.new_states();
    let result = runner.hydrate(params, &mut states, scratch, most.bytes);
    let rows = std::mem::replace(&mut most.rows, overlay.left());
    if overlay.is_exhausted() {
        return Err(looks_at_too_many(rows));
    }
    result.map_err(|byte_len| {
        let most = most.bytes;
        let message =
            format!("the live query would remember {byte_len} bytes, over the limit of {most}");
        QueryError::new(ErrorCode::LiveLimit, message).hint("narrow it down in WHERE")
    })?;
    Ok(Memory::Nodes(Box::new(states)))
}

fn looks_at_too_many(rows: u64) -> QueryError {
    let message = format!("the live query looks at over {rows} rows to begin");
    QueryError::new(ErrorCode::LiveLimit, message)
        .hint("narrow it down in WHERE, or declare an index that fits it")
}

fn too_many_members() -> QueryError {
    let message = format!(
        "{SCANNED_INSTANCES_MAX} live queries of this form must all look at every change already"
    );
    QueryError::new(ErrorCode::LiveLimit, message)
        .hint("compare a column with a parameter in WHERE: owner = :owner, or x IN (:list)")
}

impl Instance {
    pub(super) fn limit(&self) -> Option<u64> {
        self.window().map(|window| window.limit() as u64)
    }
}

/// What an instance listens to; a window without rows to nothing.
pub(super) fn routes(plain: &Plain, limit: Option<u64>) -> Option<&[Route]> {
    if limit == Some(0) {
        Some(&[])
    } else {
        plain.cover.as_deref()
    }
}

pub(super) fn instance_hash(
    hasher: &FixedState,
    template: u32,
    params: &[u8],
    limit: Option<u64>,
) -> u64 {
    hasher.hash_one((template, params, limit))
}
