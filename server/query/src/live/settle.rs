//! What a step could not do: results that would have taken too long to bring up to date are evaluated anew, what has
//! grown over a budget ends.

use std::collections::BTreeMap;

use foldhash::quality::FixedState;
use hashbrown::HashMap;
use syncline_protocol::{ErrorCode, limits};
use syncline_store::Database;

use super::LiveQueries;
use super::budget::{memory_bytes, too_large};
use super::explain::Usage;
use crate::error::QueryError;

/// What a step left to be done.
#[derive(Debug, Default)]
pub struct Settled {
    /// Instances whose rows must be told anew, in place of a delta.
    pub resets: Vec<u64>,
    /// Rows that evaluating all of those may look at; none are left for what is behind.
    pub rows_left: u64,
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

impl LiveQueries {
    /// Whether [`Self::settle`] has something to do after a step.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        !self.scratch.runaways.is_empty() || !self.scratch.grown.is_empty()
    }

    /// Deals with what the last step could not: results that would have taken too long are evaluated anew, and
    /// what has grown over a budget ends. `db` is the one of the step.
    pub fn settle(&mut self, db: &Database) -> Settled {
        let mut settled = Settled {
            rows_left: limits::LIVE_RESET_ROWS_MAX,
            ..Settled::default()
        };
        let mut doomed: HashMap<u32, QueryError, FixedState> =
            HashMap::with_hasher(self.hasher.clone());
        let mut count_left = limits::LIVE_RESETS_MAX;
        for (template, mut instances) in self.take_runaways() {
            // Those that nobody listens to take nothing from the others.
            instances.retain(|number| {
                let is_watched = self.instances.get(*number).subscription_count > 0;
                if !is_watched {
                    self.idle.forget(*number);
                    self.remove_instance(*number);
                }
                is_watched
            });
            let is_few = instances.len() <= count_left;
            count_left -= if is_few { instances.len() } else { 0 };
            for number in instances {
                let result = if is_few {
                    self.rehydrate(db, template, number, &mut settled.rows_left)
                } else {
                    Err(too_much_work(self.budgets.step_rows))
                };
                match result {
                    Ok(()) => settled.resets.push(self.instances.get(number).handle),
                    Err(error) => {
                        doomed.insert(number, error);
                    }
                }
            }
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
        settled.resets.retain(|handle| self.find(*handle).is_some());
        settled
    }

    /// What the step gave up on, by template: those of whom there are few come first.
    fn take_runaways(&mut self) -> Vec<(u32, Vec<u32>)> {
        let mut by_template: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for Runaway {
            template,
            instances,
        } in std::mem::take(&mut self.scratch.runaways)
        {
            let own = by_template.entry(template).or_default();
            let all = self.instances.iter();
            match instances {
                Some(some) => own.extend(some),
                None => own.extend(
                    all.filter(|(_, instance)| instance.template == template)
                        .map(|(number, _)| number),
                ),
            }
        }
        let mut runaways: Vec<(u32, Vec<u32>)> = by_template.into_iter().collect();
        for (_, instances) in &mut runaways {
            instances.sort_unstable();
            instances.dedup();
        }
        runaways.sort_by_key(|(_, instances)| instances.len());
        runaways
    }

    /// Of templates that have grown in a step: what is over a budget.
    fn doom_grown(&mut self, grown: &[u32], doomed: &mut HashMap<u32, QueryError, FixedState>) {
        let budgets = self.budgets;
        let mut total = self.byte_len;
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
            doomed.entry(number).or_insert(error);
        }
        for template in grown {
            self.usage[*template as usize].largest = 0;
        }
    }
}

pub(super) fn too_much_work(rows: u64) -> QueryError {
    let message = format!("a transaction made the live query look at over {rows} rows");
    QueryError::new(ErrorCode::LiveLimit, message)
        .hint("subscribe again; change fewer rows at once, or narrow the query down in WHERE")
}
