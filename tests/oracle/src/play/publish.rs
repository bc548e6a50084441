//! Other policies while queries live: who is told nothing has the right rows too.

use std::collections::BTreeMap;

use syncline_protocol::ErrorCode;
use syncline_query::{QueryError, Rebound};

use super::{Watched, World, caller};
use crate::failure::{Played, failure};
use crate::text::Text;

impl World<'_> {
    pub(super) fn publish(&mut self, policies: &[Option<Text>]) -> Played {
        let db = self.db.as_mut().expect("there is one between transactions");
        let schema = self.case.schema(policies);
        let schema = db.schema().evolve(schema, [0; 32], false);
        match schema.map(|schema| db.install(schema)) {
            Ok(Ok(())) => {}
            _ => return failure("schema", None, "the schema is refused"),
        }
        self.lsn += 1;
        self.names = self.case.names(policies);
        let lost = self.live.rebind(db);
        if let Some((handle, error)) = lost.first() {
            let words = format!("a publish of the same tables ends {handle}: {error}");
            return failure("publish", None, words);
        }
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for one in &self.watched {
            *counts.entry(one.handle).or_default() += 1;
        }
        let mut kept = Vec::new();
        for mut one in std::mem::take(&mut self.watched) {
            let db = self.db.as_mut().expect("it was just looked at");
            let (params, who) = (one.query.given(), caller(one.user));
            let before = one.handle;
            let given = (params.as_slice(), &who);
            let rebound =
                self.live
                    .ask_again(db, before, &one.ours, given, &mut { u64::MAX }, &mut |_| {
                        Ok(())
                    });
            one.lite = self.lite(one.user, &one.query.text, &one.query.params);
            let is_alone = counts[&before] == 1;
            if self.follow(&mut one, rebound, is_alone)? {
                kept.push(one);
            } else {
                self.live.unsubscribe(before);
            }
        }
        for one in &kept {
            self.compare(one, false)?;
        }
        self.watched = kept;
        Ok(())
    }

    /// Takes a client to where its query now lives; false if it does not.
    fn follow(
        &mut self,
        one: &mut Watched,
        rebound: Result<Rebound, QueryError>,
        is_alone: bool,
    ) -> Played<bool> {
        use ErrorCode::{LiveLimit, LiveNoAccessPath, LiveUnsupported, QueryLimit};
        let before = one.handle;
        match rebound {
            Ok(Rebound::Same) => self.tally.count("publish, same"),
            Ok(Rebound::Other {
                load,
                is_new,
                is_alike,
            }) => {
                one.handle = load.handle;
                if let Some(description) = self.live.description(load.handle) {
                    one.description = description.clone();
                }
                // Nobody else was there, so the new one can have the name of the old one.
                if is_new && is_alike && is_alone && one.id.is_multiple_of(2) {
                    self.live.take_name(load.handle, before);
                    one.handle = before;
                }
                self.snapshot(one)?;
                self.tally.count("publish, other");
            }
            Err(error)
                if matches!(
                    error.code,
                    QueryLimit | LiveLimit | LiveNoAccessPath | LiveUnsupported
                ) =>
            {
                self.tally.count("publish, refused");
                return Ok(false);
            }
            Err(error) => {
                let words = format!("{error}: {}", one.ours);
                return failure("publish", Some(one.id), words);
            }
        }
        Ok(true)
    }
}
