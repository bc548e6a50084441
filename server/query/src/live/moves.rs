//! Other parameters for a subscription that there is: it leaves its instance for another one, and gets
//! the difference of their rows.
//!
//! Of a plain query only the rows that enter and leave are looked for, and an instance that nobody else
//! subscribes to changes its place in the router. Of all others both results are evaluated and compared,
//! which costs what is in them. Where that is much, who asked gets the new rows instead.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use syncline_protocol::limits::MOVED_ROWS_MAX;
use syncline_protocol::message::{DeltaOp, DeltaWriter, ResultDescription};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, RowLayout};
use syncline_store::Database;

use super::LiveQueries;
use super::members::{instance_hash, routes};
use super::plain::Plain;
use super::recipe::{RECIPES_MAX, Recipe};
use super::regions::{Difference, Move};
use super::template::{Draft, Template};
use crate::Caller;
use crate::bind::{Mode, bind_uses};
use crate::error::QueryError;
use crate::plan::expr::{Input, Params};
use crate::row::{compare_columns, write_difference};
use crate::syntax::Query;

/// Packed rows by their packed keys.
type RowsByKey = BTreeMap<Vec<u8>, Vec<u8>>;

/// A query without its parameters, as a subscription keeps it: shared by all that asked alike.
#[derive(Clone, Debug)]
pub struct Statement(pub(super) Arc<Query>);

/// Where other parameters have brought a subscription.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The instance that it now is of; it may be the same.
    pub handle: u64,
    /// How its rows became those of now.
    pub how: How,
}

/// What to tell who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Operations on the rows of before; maybe none.
    Delta(Vec<u8>),
    /// The rows of now: [`LiveQueries::rows`].
    Anew,
}

impl LiveQueries {
    /// Takes a subscription of instance `handle`, made with `statement`, to other parameters. If that
    /// fails it stays as it was.
    pub fn set_params(
        &mut self,
        db: &Database,
        handle: u64,
        statement: &Statement,
        params: &[(String, Param)],
        caller: &Caller,
    ) -> Result<Moved, QueryError> {
        let number = self.find(handle);
        if let Some(number) = number
            && let Some(moved) = self.move_by_recipe(db, number, statement, params)?
        {
            return Ok(moved);
        }
        let declared = self.declared(db);
        let (query, mode) = (&statement.0, Mode::Live);
        let (plan, uses) = bind_uses(db, &declared, query, params, caller, mode)?;
        let draft = Draft::new(db, plan)?;
        if let Some(number) = number
            && self.is_plain_move(number, &draft)
        {
            let recipe = Recipe::new(db, query, params, &uses, &draft.origins);
            let template = self.instances.get(number).template;
            let recipes = &mut self.templates.get_mut(template).recipes;
            recipes.retain(|known| !known.is_of(db, query));
            if recipes.len() == RECIPES_MAX {
                recipes.remove(0);
            }
            recipes.extend(recipe);
            if let Some(moved) = self.move_plain(db, number, &draft.params)? {
                return Ok(moved);
            }
            let how = self.tell_plain(db, number, &draft.params);
            let next = self.find_room(db, template, &draft)?;
            self.instances.get_mut(next).subscription_count += 1;
            let next = self.instances.get(next).handle;
            self.cancel(handle);
            return Ok(Moved { handle: next, how });
        }
        let (next, _) = self.subscribe_draft(db, &draft)?;
        let next = self.instances.get(next).handle;
        if next == handle {
            // It is counted twice now.
            self.unsubscribe(handle);
            let how = How::Delta(Vec::new());
            return Ok(Moved { handle, how });
        }
        match self.compare(db, handle, next) {
            Ok(how) => {
                // Nobody is waited for where a map has moved on.
                self.cancel(handle);
                Ok(Moved { handle: next, how })
            }
            Err(error) => {
                self.cancel(next);
                Err(error)
            }
        }
    }

    /// Whether a draft is of the plain template that an instance is of.
    fn is_plain_move(&self, number: u32, draft: &Draft) -> bool {
        let own = self.instances.get(number);
        let template = self.templates.get(own.template);
        let has_limit = own.limit().is_some() || draft.limit.is_some();
        template.plain().is_some() && !has_limit && *template.identity == *draft.identity
    }

    /// Moves a subscription without binding its statement; `None` if that takes binding it.
    fn move_by_recipe(
        &mut self,
        db: &Database,
        number: u32,
        statement: &Statement,
        params: &[(String, Param)],
    ) -> Result<Option<Moved>, QueryError> {
        let own = self.instances.get(number);
        let template = self.templates.get(own.template);
        let mut recipes = template.recipes.iter();
        let Some(recipe) = recipes.find(|recipe| recipe.is_of(db, &statement.0)) else {
            return Ok(None);
        };
        match recipe.pack(&template.param_layout, &own.params, params) {
            Some(packed) => self.move_plain(db, number, &packed),
            None => Ok(None),
        }
    }

    /// Moves a subscription of an instance within its plain template; `None` if there must be another instance
    /// for it.
    fn move_plain(
        &mut self,
        db: &Database,
        number: u32,
        packed: &[u8],
    ) -> Result<Option<Moved>, QueryError> {
        let own = self.instances.get(number);
        let (handle, is_alone) = (own.handle, own.subscription_count == 1);
        if *own.params == *packed {
            let how = How::Delta(Vec::new());
            return Ok(Some(Moved { handle, how }));
        }
        match self.find_instance(own.template, packed, None) {
            None if is_alone => {
                let how = self.tell_plain(db, number, packed);
                let handle = self.rename(number, packed)?;
                Ok(Some(Moved { handle, how }))
            }
            None => Ok(None),
            Some(next) => {
                let how = self.tell_plain(db, number, packed);
                self.idle.forget(next);
                let next = self.instances.get_mut(next);
                next.subscription_count += 1;
                let next = next.handle;
                self.cancel(handle);
                Ok(Some(Moved { handle: next, how }))
            }
        }
    }

    /// What other parameters change in the rows of an instance of a plain template.
    fn tell_plain(&self, db: &Database, number: u32, packed: &[u8]) -> How {
        let own = self.instances.get(number);
        let template = self.templates.get(own.template);
        let (Some(plain), Some(table)) = (template.plain(), template.table(db)) else {
            return How::Anew;
        };
        let params = |packed| Params {
            layout: &template.param_layout,
            packed,
        };
        let way = Move {
            table,
            filter: plain.filter.as_ref(),
            from: params(&own.params),
            to: params(packed),
        };
        let difference = plain.edges.difference(way);
        difference.map_or(How::Anew, |found| {
            How::Delta(write((template, plain), way, found))
        })
    }

    /// Gives an instance of a plain template other parameters, which no instance has, and with them another
    /// handle.
    fn rename(&mut self, number: u32, packed: &[u8]) -> Result<u64, QueryError> {
        let own = self.instances.get(number);
        let template = self.templates.get(own.template);
        let params = |packed| Params {
            layout: &template.param_layout,
            packed,
        };
        if let Some(plain) = template.plain()
            && let Some(router) = self.routers.get_mut(&plain.table)
        {
            let way = (params(&own.params), params(packed));
            router.replace(routes(plain, None), way, number, &self.hasher)?;
        }
        let hash = instance_hash(&self.hasher, own.template, &own.params, None);
        let is_own = |other: &u32| *other == number;
        if let Ok(entry) = self.instance_index.find_entry(hash, is_own) {
            entry.remove();
        }
        let hash = self.hasher.hash_one(own.handle);
        if let Ok(entry) = self.by_handle.find_entry(hash, is_own) {
            entry.remove();
        }
        self.last_handle += 1;
        let handle = self.last_handle;
        let template = self.templates.get(self.instances.get(number).template);
        let own = self.instances.get_mut(number);
        let bytes = (
            template.listening_bytes(&own.params),
            template.listening_bytes(packed),
        );
        let number_of_template = own.template;
        own.params = packed.into();
        own.handle = handle;
        self.change_bytes(number_of_template, bytes.0, bytes.1);
        let (instances, hasher) = (&self.instances, &self.hasher);
        let hash = instance_hash(hasher, instances.get(number).template, packed, None);
        self.instance_index.insert_unique(hash, number, |other| {
            let other = instances.get(*other);
            instance_hash(hasher, other.template, &other.params, other.limit())
        });
        self.by_handle
            .insert_unique(hasher.hash_one(handle), number, |other| {
                hasher.hash_one(instances.get(*other).handle)
            });
        Ok(handle)
    }

    /// How the rows of one instance become those of another.
    fn compare(&self, db: &Database, before: u64, after: u64) -> Result<How, QueryError> {
        let known = self.description(before).cloned();
        let Some(description) = known.filter(|known| self.description(after) == Some(known)) else {
            let message = "with these parameters the columns of the result have other types";
            return Err(QueryError::new(ErrorCode::SqlType, message)
                .hint("subscribe to the query anew, or cast the parameter: CAST(:p AS text)"));
        };
        let layout = RowLayout::new(description.types().cloned().collect());
        let Some(new) = self.few_rows(db, after, &description, &layout)? else {
            return Ok(How::Anew);
        };
        let Some(mut old) = self.few_rows(db, before, &description, &layout)? else {
            return Ok(How::Anew);
        };
        let mut ops = Vec::new();
        for (key, row) in &new {
            let Some(was) = old.remove(key) else {
                DeltaWriter::new(&mut ops).push(DeltaOp::Insert { row });
                continue;
            };
            let start = ops.len();
            DeltaWriter::new(&mut ops).push(DeltaOp::Update {
                key,
                mask: &[],
                values: &[],
            });
            if !write_difference(&layout, &was, row, &mut ops) {
                ops.truncate(start);
            }
        }
        for key in old.keys() {
            DeltaWriter::new(&mut ops).push(DeltaOp::Delete { key });
        }
        Ok(How::Delta(ops))
    }

    /// The rows of an instance by their packed keys; `None` if they are too many to compare.
    fn few_rows(
        &self,
        db: &Database,
        handle: u64,
        description: &ResultDescription,
        layout: &RowLayout,
    ) -> Result<Option<RowsByKey>, QueryError> {
        let mut rows = BTreeMap::new();
        let mut is_few = true;
        self.rows(db, handle, &mut |row| {
            if rows.len() == MOVED_ROWS_MAX {
                is_few = false;
            }
            if is_few {
                let mut key = Vec::new();
                layout.project(row, &description.key, &mut key);
                rows.insert(key, row.to_vec());
            }
        })?;
        Ok(is_few.then_some(rows))
    }
}

/// The operations that make the rows of before those of after.
fn write((template, plain): (&Template, &Plain), way: Move<'_>, found: Difference<'_>) -> Vec<u8> {
    let (layout, key) = (way.table.layout(), &way.table.def().primary_key);
    let by_key = |one: &&[u8], other: &&[u8]| compare_columns(layout, key, one, other);
    let (mut ops, mut was, mut is) = (Vec::new(), Vec::new(), Vec::new());
    let mut packed_key = Vec::new();
    let put_key = |row: &[u8], out: &mut Vec<u8>| {
        out.clear();
        layout.project(row, key, out);
    };
    let entered = found.entered.into_iter().map(|row| (row, true));
    let mut now: Vec<(&[u8], bool)> = entered
        .chain(found.stayed.into_iter().map(|row| (row, false)))
        .collect();
    now.sort_unstable_by(|(one, _), (other, _)| by_key(one, other));
    for (row, is_new) in now {
        let after = plain
            .projection
            .apply(&Input::one(layout, row, way.to), &mut is);
        if is_new {
            DeltaWriter::new(&mut ops).push(DeltaOp::Insert { row: after });
            continue;
        }
        let before = plain
            .projection
            .apply(&Input::one(layout, row, way.from), &mut was);
        let start = ops.len();
        put_key(row, &mut packed_key);
        DeltaWriter::new(&mut ops).push(DeltaOp::Update {
            key: &packed_key,
            mask: &[],
            values: &[],
        });
        if !write_difference(&template.result_layout, before, after, &mut ops) {
            ops.truncate(start);
        }
    }
    let mut left = found.left;
    left.sort_unstable_by(by_key);
    for row in left {
        put_key(row, &mut packed_key);
        DeltaWriter::new(&mut ops).push(DeltaOp::Delete { key: &packed_key });
    }
    ops
}
