//! What a publish does to live queries: indexes are found anew, and where policies or views have changed every
//! subscription is bound anew.

#[cfg(test)]
mod tests;

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use syncline_protocol::ErrorCode;
use syncline_protocol::message::{ResultColumn, ResultDescription};
use syncline_protocol::param::Param;
use syncline_store::Database;

use super::moves::Allow;
use super::template::Draft;
use super::{LiveQueries, Load};
use crate::Caller;
use crate::asked::QueryRef;
use crate::bind::{Mode, bind};
use crate::error::QueryError;

/// Where a subscription is that was bound anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebound {
    /// Where it was: nothing that it asks about has changed.
    Same,
    /// At another instance.
    Other {
        /// What that takes, and its name.
        load: Load,
        /// Whether the subscription made it.
        is_new: bool,
        /// Whether the rows are described as those of before.
        is_alike: bool,
    },
}

impl LiveQueries {
    /// After a publish: finds indexes again and reads all states anew. Instances that do not fit the
    /// new schema are dropped, with all their subscriptions, and returned with the reason. If rows
    /// changed too (`--clear-data`), the rows of all others must be sent anew.
    pub fn rebind(&mut self, db: &mut Database) -> Vec<(u64, QueryError)> {
        // Nobody is told of those.
        self.evict_idle();
        let mut instances: Vec<(u32, u32)> = Vec::new();
        for (number, instance) in self.instances.iter() {
            instances.push((number, instance.template));
        }
        let mut lost = Vec::new();
        for (number, template) in &instances {
            self.ignore(*template, *number);
        }
        let numbers: Vec<u32> = self.templates.iter().map(|(number, _)| number).collect();
        let mut misfits: HashMap<u32, QueryError, FixedState> =
            HashMap::with_hasher(self.hasher.clone());
        for number in numbers {
            self.set_free(number, false);
            if let Err(error) = self.rebind_template(db, number) {
                misfits.insert(number, error);
            }
            self.set_free(number, true);
        }
        let mut rows_left = self.budgets.publish_rows;
        for (number, template) in instances {
            let result = match misfits.get(&template) {
                Some(error) => Err(error.clone()),
                None => self.revive(db, template, number, &mut rows_left),
            };
            if let Err(error) = result {
                lost.push((self.instances.get(number).handle, error));
                self.idle.forget(number);
                self.remove_instance(number);
            }
        }
        // Other indexes are other routes.
        self.count_bytes();
        lost.sort_by_key(|(handle, _)| *handle);
        lost
    }

    /// Reads the state of an instance anew and lets it listen again.
    fn revive(
        &mut self,
        db: &Database,
        number: u32,
        instance: u32,
        rows_left: &mut u64,
    ) -> Result<(), QueryError> {
        self.rehydrate(db, number, instance, rows_left)?;
        self.listen(number, instance)
    }

    /// Binds a subscription of an instance anew: the query with the parameters and for the caller that it is of. If
    /// that leads to another instance that has the same columns, and `allow` lets who asked have it, the
    /// subscription goes over to it. If it fails the subscription stays, and should be ended. What the other one
    /// looks at to begin is taken from `rows_left`.
    pub fn ask_again<'a>(
        &mut self,
        db: &mut Database,
        handle: u64,
        query: impl Into<QueryRef<'a>>,
        asked: (&[(String, Param)], &Caller),
        rows_left: &mut u64,
        allow: &mut Allow<'_>,
    ) -> Result<Rebound, QueryError> {
        let query = query.into();
        self.first_rows_left = *rows_left;
        let bound = self.bind_again(db, handle, query, asked, allow);
        *rows_left = std::mem::replace(&mut self.first_rows_left, u64::MAX);
        bound.map_err(|error| query.locate(error))
    }

    fn bind_again(
        &mut self,
        db: &mut Database,
        handle: u64,
        query: QueryRef<'_>,
        (params, caller): (&[(String, Param)], &Caller),
        allow: &mut Allow<'_>,
    ) -> Result<Rebound, QueryError> {
        let select = self.syntax(query)?;
        let declared = self.declared(db);
        self.check_adhoc(db, &declared, &select, caller)?;
        let plan = bind(db, &declared, &select, params, caller, Mode::Live)?;
        let draft = Draft::new(db, plan)?;
        let before = self.description(handle).cloned();
        if self.find(handle).is_some_and(|own| self.is_of(own, &draft)) {
            return Ok(Rebound::Same);
        }
        let (next, is_new) = self.subscribe_draft(db, &draft)?;
        let load = self.load(next);
        let after = self.description(load.handle).cloned();
        let is_same = match (&before, &after) {
            (Some(before), Some(after)) => has_same_columns(before, after),
            _ => false,
        };
        let result = if is_same {
            allow(&load)
        } else {
            let message = "the columns of the result are others since a publish";
            Err(QueryError::new(ErrorCode::SqlType, message).hint("subscribe again"))
        };
        if let Err(error) = result {
            self.cancel(load.handle);
            return Err(error);
        }
        self.cancel(handle);
        Ok(Rebound::Other {
            load,
            is_new,
            is_alike: before == after,
        })
    }

    /// Whether a draft is that of an instance.
    fn is_of(&self, number: u32, draft: &Draft) -> bool {
        let own = self.instances.get(number);
        let template = self.templates.get(own.template);
        *template.identity == *draft.identity
            && *own.params == *draft.params
            && own.limit() == draft.limit
    }

    /// Gives an instance the name of one that is gone, for subscriptions that are told nothing else.
    pub fn take_name(&mut self, handle: u64, of: u64) {
        debug_assert!(self.find(of).is_none(), "a name is that of one instance");
        let Some(number) = self.find(handle) else {
            return;
        };
        let hash = self.hasher.hash_one(handle);
        if let Ok(entry) = self.by_handle.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
        self.instances.get_mut(number).handle = of;
        let (instances, hasher) = (&self.instances, &self.hasher);
        self.by_handle
            .insert_unique(hasher.hash_one(of), number, |other| {
                hasher.hash_one(instances.get(*other).handle)
            });
    }
}

/// Whether what is asked for is the same; other policies may make other hidden columns the key.
fn has_same_columns(before: &ResultDescription, after: &ResultDescription) -> bool {
    let visible = |of: &'_ ResultDescription| -> Vec<ResultColumn> {
        let columns = of.columns.iter().filter(|column| !column.hidden);
        columns.cloned().collect()
    };
    visible(before) == visible(after)
}
