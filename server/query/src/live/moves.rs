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

use syncline_protocol::limits::{MOVED_ROWS_MAX, MOVED_UNCHECKED_BYTES_MAX, QUERY_BYTES_MAX};
use syncline_protocol::message::{DeltaOp, DeltaWriter, ResultDescription};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, RowLayout};
use syncline_store::Database;

use super::members::{instance_hash, routes};
use super::plain::Plain;
use super::recipe::{RECIPES_MAX, Recipe};
use super::regions::{Difference, Move};
use super::template::{Draft, Template};
use super::{LiveQueries, Load};
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
    /// What that takes.
    pub load: Load,
    /// How its rows became those of now.
    pub how: How,
}

/// What to tell who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Operations on the rows of before; maybe none.
    Delta(Vec<u8>),
    /// The rows of now.
    Anew(NewRows),
}

impl Moved {
    fn new(load: Load, how: How) -> Self {
        let handle = load.handle;
        Self { handle, load, how }
    }
}

/// A whole result, packed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRows {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
}

impl NewRows {
    /// Adds a packed row.
    pub fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    /// Bytes of all rows.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Each row, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        let places = starts.zip(&self.ends);
        places.map(|(start, end)| &self.bytes[start..*end])
    }
}

/// Says whether who moves may have an instance that takes so much.
pub(super) type Allow<'a> = dyn FnMut(&Load) -> Result<(), QueryError> + 'a;

impl LiveQueries {
    /// Takes a subscription of instance `handle`, made with `statement`, to other parameters. If that
    /// fails it stays as it was.
    pub fn set_params(
        &mut self,
        db: &mut Database,
        handle: u64,
        statement: &Statement,
        params: &[(String, Param)],
        caller: &Caller,
    ) -> Result<Moved, QueryError> {
        self.set_params_if(db, handle, statement, (params, caller), &mut |_| Ok(()))
    }

    /// Like [`Self::set_params`], if `allow` lets who asked have the instance that it comes to.
    pub fn set_params_if(
        &mut self,
        db: &mut Database,
        handle: u64,
        statement: &Statement,
        (params, caller): (&[(String, Param)], &Caller),
        allow: &mut Allow<'_>,
    ) -> Result<Moved, QueryError> {
        let number = self.find(handle);
        if let Some(number) = number
            && let Some(moved) = self.move_by_recipe(db, number, (statement, params), allow)?
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
            if let Some(moved) = self.move_plain(db, number, &draft.params, allow)? {
                return Ok(moved);
            }
            allow(&self.load_of_next(template, &draft.params))?;
            let (how, grown) = self.tell_plain(db, number, &draft.params)?;
            let next = self.find_room(db, template, &draft)?;
            let own = self.instances.get_mut(next);
            own.subscription_count += 1;
            own.grown = grown;
            self.cancel(handle);
            return Ok(Moved::new(self.load(next), how));
        }
        let (number, _) = self.subscribe_draft(db, &draft)?;
        let load = self.load(number);
        if load.handle == handle {
            // It is counted twice now.
            self.unsubscribe(handle);
            return Ok(Moved::new(load, How::Delta(Vec::new())));
        }
        match allow(&load).and_then(|()| self.compare(db, handle, load.handle)) {
            Ok(how) => {
                // Nobody is waited for where a map has moved on.
                self.cancel(handle);
                Ok(Moved::new(load, how))
            }
            Err(error) => {
                self.cancel(load.handle);
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
        (statement, params): (&Statement, &[(String, Param)]),
        allow: &mut Allow<'_>,
    ) -> Result<Option<Moved>, QueryError> {
        let own = self.instances.get(number);
        let template = self.templates.get(own.template);
        let mut recipes = template.recipes.iter();
        let Some(recipe) = recipes.find(|recipe| recipe.is_of(db, &statement.0)) else {
            return Ok(None);
        };
        match recipe.pack(&template.param_layout, &own.params, params) {
            Some(packed) => self.move_plain(db, number, &packed, allow),
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
        allow: &mut Allow<'_>,
    ) -> Result<Option<Moved>, QueryError> {
        let own = self.instances.get(number);
        let (handle, is_alone) = (own.handle, own.subscription_count == 1);
        if *own.params == *packed {
            let load = self.load(number);
            return Ok(Some(Moved::new(load, How::Delta(Vec::new()))));
        }
        match self.find_instance(own.template, packed, None) {
            None if is_alone => {
                let (load, now) = (self.load_of_next(own.template, packed), self.bytes_of(own));
                if let Some(more) = load.byte_len.checked_sub(now).filter(|more| *more > 0) {
                    self.check_room(own.template, more)?;
                }
                allow(&load)?;
                let (how, grown) = self.tell_plain(db, number, packed)?;
                self.rename(number, packed)?;
                let own = self.instances.get_mut(number);
                own.grown = grown;
                debug_assert_eq!(own.handle, load.handle, "it was the next one");
                Ok(Some(Moved::new(load, how)))
            }
            None => Ok(None),
            Some(next) => {
                let load = self.load(next);
                allow(&load)?;
                let (how, _) = self.tell_plain(db, number, packed)?;
                self.idle.forget(next);
                self.instances.get_mut(next).subscription_count += 1;
                self.cancel(handle);
                Ok(Some(Moved::new(load, how)))
            }
        }
    }

    /// What other parameters change in the rows of an instance of a plain template, and by how many bytes the
    /// result may have grown since it was last evaluated. One that is larger than who subscribes to it gets is
    /// refused: as long as it has grown by little that is not looked for.
    fn tell_plain(
        &self,
        db: &Database,
        number: u32,
        packed: &[u8],
    ) -> Result<(How, u32), QueryError> {
        let own = self.instances.get(number);
        let template = self.templates.get(own.template);
        let params = |packed| Params {
            layout: &template.param_layout,
            packed,
        };
        let anew = || {
            let mut rows = NewRows::default();
            template.evaluate(db, (params(packed), None), &mut |row| rows.push(row))?;
            Ok((How::Anew(rows), 0))
        };
        let (Some(plain), Some(table)) = (template.plain(), template.table(db)) else {
            return anew();
        };
        let way = Move {
            table,
            filter: plain.filter.as_ref(),
            from: params(&own.params),
            to: params(packed),
        };
        let Some(found) = plain.edges.difference(way) else {
            return anew();
        };
        let Some((ops, more)) = write((template, plain), way, found) else {
            return anew();
        };
        let mut grown = (own.grown as usize).saturating_add(more);
        if grown > MOVED_UNCHECKED_BYTES_MAX {
            template.evaluate(db, (way.to, None), &mut |_| {})?;
            grown = 0;
        }
        Ok((How::Delta(ops), grown as u32))
    }

    /// Gives an instance of a plain template other parameters, which no instance has, and with them another
    /// handle.
    fn rename(&mut self, number: u32, packed: &[u8]) -> Result<(), QueryError> {
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
        Ok(())
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
        let new = self.few_rows(db, after, &description, &layout)?;
        // What has grown so much that it is answered no longer is left behind.
        let old = self.few_rows(db, before, &description, &layout);
        let (Some(new), Ok(Some(mut old))) = (new, old) else {
            let mut rows = NewRows::default();
            self.rows(db, after, &mut |row| rows.push(row))?;
            return Ok(How::Anew(rows));
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

/// The operations that make the rows of before those of after, and how many bytes may be new; `None` if they
/// are more than a result may have.
fn write(
    (template, plain): (&Template, &Plain),
    way: Move<'_>,
    found: Difference<'_>,
) -> Option<(Vec<u8>, usize)> {
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
        if ops.len() > QUERY_BYTES_MAX {
            return None;
        }
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
    let more = ops.len();
    let mut left = found.left;
    left.sort_unstable_by(by_key);
    for row in left {
        put_key(row, &mut packed_key);
        DeltaWriter::new(&mut ops).push(DeltaOp::Delete { key: &packed_key });
    }
    Some((ops, more))
}
