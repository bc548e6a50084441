//! Another way to the same results: a server beside the one of the case, of which the same must become.
//!
//! It commits each change of a transaction by itself, comes to know the queries later, subscribes anew where
//! parameters move, and asks in other words that mean the same: conditions in another order, literals in place of
//! parameters, a primary key that is not NULL, a limit that nothing reaches. Some queries it asks in three
//! parts too, for which the condition is true, false and unknown: together they are the rows without it.

use std::sync::Arc;

use syncline_client::cache::{Chunk, LiveResult};
use syncline_protocol::message::ResultDescription;
use syncline_protocol::{ChangeSet, ErrorCode, Lsn};
use syncline_query::{Deltas, LiveQueries, QueryError};
use syncline_store::Database;

use crate::case::{Case, Step, Write, budgets, caller};
use crate::failure::{Failure, Played, failure};
use crate::query::{Query, given};
use crate::sqlite::{Row, compare, read_rows};
use crate::tally::Tally;
use crate::text::{Constant, Text, fill, same};
use crate::watched::Watched;

/// The largest window that may live.
const LIMIT_MAX: usize = 1000;

/// A live query and its client.
struct Asked {
    handle: u64,
    description: Arc<ResultDescription>,
    cache: LiveResult,
}

/// One query of the case.
struct Twin {
    id: u32,
    ours: String,
    whole: Asked,
    /// Where the condition is true, false and unknown, and without it.
    parts: Option<[Asked; 4]>,
}

pub(crate) struct Shadow<'c> {
    case: &'c Case,
    names: Vec<(String, Option<Text>)>,
    db: Option<Database>,
    lsn: u64,
    live: LiveQueries,
    twins: Vec<Twin>,
    deltas: Deltas,
}

/// Whether all of these rows are among others, as often.
fn is_part(mut ours: Vec<Row>, mut theirs: Vec<Row>) -> bool {
    ours.sort();
    theirs.sort();
    let mut theirs = theirs.iter();
    ours.iter().all(|row| theirs.any(|other| other == row))
}

/// After the last subscription has ended.
pub(crate) fn check_nothing_left(
    kind: &'static str,
    live: &mut LiveQueries,
    db: &mut Database,
) -> Played {
    live.drop_unused_indexes(db);
    let stats = live.stats();
    let left = [
        stats.templates,
        stats.instances,
        stats.router_entries,
        stats.scanned_instances,
        stats.hidden_indexes,
    ];
    if left == [0; 5] {
        return Ok(());
    }
    failure(
        kind,
        None,
        format!("what nobody watches is there: {left:?}"),
    )
}

impl Asked {
    fn rows(&self) -> Vec<Row> {
        read_rows(&self.description, self.cache.rows().map(AsRef::as_ref))
    }
}

fn refused<T>(what: &str, id: u32, error: &impl std::fmt::Display) -> Played<T> {
    failure("shadow, refused", Some(id), format!("{what}: {error}"))
}

impl<'c> Shadow<'c> {
    pub(crate) fn new(case: &'c Case) -> Played<Self> {
        let mut live = LiveQueries::with_hash_seed(2);
        live.set_budgets(budgets());
        Ok(Self {
            case,
            names: case.names(&[]),
            db: Some(case.database()?),
            lsn: 1,
            live,
            twins: Vec::new(),
            deltas: Deltas::new(),
        })
    }

    fn db(&self) -> &Database {
        self.db.as_ref().expect("there is one between transactions")
    }

    /// Does a step that the case's server has done. Queries are asked here from the case's step for that on.
    pub(crate) fn follow(
        &mut self,
        position: usize,
        step: &Step,
        watched: &[Watched],
        tally: &mut Tally,
    ) -> Played {
        let from = self
            .case
            .shadow_from
            .map_or(usize::MAX, |from| from as usize);
        let find = |id: u32| watched.iter().filter(move |one| one.id == id);
        match step {
            Step::Write(writes) => {
                self.write(writes, tally)?;
                for one in watched {
                    self.compare(one)?;
                }
            }
            Step::Watch { id, .. } if position > from => {
                for one in find(*id) {
                    self.watch(one, tally)?;
                }
            }
            Step::Move { id, .. } if self.forget(*id) => {
                for one in find(*id) {
                    self.watch(one, tally)?;
                }
            }
            Step::Forget { id } => {
                self.forget(*id);
            }
            Step::Watch { .. } | Step::Move { .. } | Step::Again { .. } | Step::Publish { .. } => {}
        }
        if position == from {
            for one in watched {
                self.watch(one, tally)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, writes: &[Write], tally: &mut Tally) -> Played {
        for write in writes {
            self.commit(write, tally)?;
        }
        tally.count("transaction, in pieces");
        Ok(())
    }

    /// Commits one change.
    fn commit(&mut self, write: &Write, tally: &mut Tally) -> Played {
        let db = self.db.take().expect("there is one between transactions");
        let mut transaction = db.begin();
        write.apply(self.case, &mut transaction);
        let mut changes = ChangeSet::new();
        self.db = Some(transaction.commit(&mut changes));
        self.lsn += 1;
        let db = self.db.as_ref().expect("it was just put there");
        self.live.step(db, &changes, &mut self.deltas);
        let settled = self.live.settle(db);
        let is_gone = |asked: &Asked| {
            settled
                .ended
                .iter()
                .any(|(ended, _)| *ended == asked.handle)
        };
        let gone = self.twins.iter().filter(|twin| twin.all().any(is_gone));
        let gone: Vec<u32> = gone.map(|twin| twin.id).collect();
        for id in gone {
            self.forget(id);
            tally.count("twin, ended");
        }
        let mut twins = std::mem::take(&mut self.twins);
        for twin in &mut twins {
            let id = twin.id;
            for asked in twin.all_mut() {
                if settled.resets.contains(&asked.handle) {
                    self.snapshot(id, asked)?;
                    continue;
                }
                let ops = self
                    .deltas
                    .iter()
                    .find(|(handle, _)| *handle == asked.handle);
                if let Some((_, ops)) = ops
                    && let Err(error) = asked.cache.commit(Lsn(self.lsn), ops, &mut Vec::new())
                {
                    return failure("shadow, cache", Some(id), format!("a delta: {error}"));
                }
            }
        }
        self.twins = twins;
        Ok(())
    }

    /// Lets a query live here too, said otherwise.
    fn watch(&mut self, one: &Watched, tally: &mut Tally) -> Played {
        let Watched {
            id, user, query, ..
        } = one;
        let (id, user) = (*id, *user);
        let text = self.reworded(query);
        let ours = text.ours(&self.names);
        let whole = match self.ask(id, user, &text, &query.params)? {
            Ok(whole) => whole,
            // Other words may take more work.
            Err(error) if error.code == ErrorCode::LiveLimit => {
                tally.count("twin, refused");
                return Ok(());
            }
            Err(error) => return refused(&ours, id, &error),
        };
        let parts = match split(&query.text, &self.names) {
            Some(texts) if id.is_multiple_of(2) => {
                self.ask_parts(id, user, &texts, &query.params)?
            }
            _ => None,
        };
        tally.count(if parts.is_some() {
            "twin, in parts"
        } else {
            "twin"
        });
        self.twins.push(Twin {
            id,
            ours,
            whole,
            parts,
        });
        Ok(())
    }

    /// The parts of a query, if all of them live: each may be the one too many that looks at every change.
    fn ask_parts(
        &mut self,
        id: u32,
        user: u8,
        texts: &[Text; 4],
        params: &[Constant],
    ) -> Played<Option<[Asked; 4]>> {
        let mut parts = Vec::new();
        for text in texts {
            match self.ask(id, user, text, params)? {
                Ok(part) => parts.push(part),
                Err(_) => break,
            }
        }
        match parts.try_into() {
            Ok(parts) => Ok(Some(parts)),
            Err(some) => {
                let some: Vec<Asked> = some;
                for part in some {
                    self.live.unsubscribe(part.handle);
                }
                Ok(None)
            }
        }
    }

    fn ask(
        &mut self,
        id: u32,
        user: u8,
        text: &Text,
        params: &[Constant],
    ) -> Played<Result<Asked, QueryError>> {
        let ours = text.ours(&self.names);
        let params = given(text, params);
        let db = self.db.as_mut().expect("there is one between transactions");
        let subscribed = match self.live.subscribe(db, &ours, &params, &caller(user)) {
            Ok(subscribed) => subscribed,
            Err(error) => return Ok(Err(error)),
        };
        let mut asked = Asked {
            handle: subscribed.handle,
            description: subscribed.description,
            cache: LiveResult::new(),
        };
        self.snapshot(id, &mut asked)?;
        Ok(Ok(asked))
    }

    /// Sends all rows.
    fn snapshot(&self, id: u32, asked: &mut Asked) -> Played {
        let mut rows: Vec<Vec<u8>> = Vec::new();
        let read = self
            .live
            .rows(self.db(), asked.handle, &mut |row| rows.push(row.to_vec()));
        if let Err(error) = read {
            return refused("its rows", id, &error);
        }
        let chunk = Chunk {
            lsn: Lsn(self.lsn),
            rows: &rows.concat(),
            row_count: rows.len() as u32,
            last: true,
        };
        let description = (*asked.description).clone();
        let taken = asked
            .cache
            .snapshot(Some(description), chunk, &mut Vec::new());
        taken.map(|_| ()).or_else(|error| {
            failure(
                "shadow, cache",
                Some(id),
                format!("a first answer: {error}"),
            )
        })
    }

    /// Whether it was there.
    fn forget(&mut self, id: u32) -> bool {
        let Some(position) = self.twins.iter().position(|twin| twin.id == id) else {
            return false;
        };
        let gone = self.twins.swap_remove(position);
        for asked in gone.all() {
            self.live.unsubscribe(asked.handle);
        }
        true
    }

    /// Ends all queries: nothing may be left of them.
    pub(crate) fn end(mut self) -> Played {
        while let Some(twin) = self.twins.first() {
            self.forget(twin.id);
        }
        let db = self.db.as_mut().expect("there is one between transactions");
        check_nothing_left("shadow, left", &mut self.live, db)
    }

    /// The same rows here as there.
    fn compare(&self, one: &Watched) -> Played {
        let Some(twin) = self.twins.iter().find(|twin| twin.id == one.id) else {
            return Ok(());
        };
        let is_same = |kind, is_ordered, ours, theirs| {
            compare(kind, Some(one.id), is_ordered, ours, theirs).map_err(|failure| Failure {
                words: format!("{}\n  {}", twin.ours, failure.words),
                ..failure
            })
        };
        let (ours, theirs) = (twin.whole.rows(), one.cells());
        let has_limit = twin.ours.ends_with(&format!(" LIMIT {LIMIT_MAX}"));
        if has_limit && theirs.len() > LIMIT_MAX {
            // The result has reached it since: which of the rows that tie are shown is not for all to know.
            if ours.len() != LIMIT_MAX || !is_part(ours, theirs) {
                return failure("shadow, limit", Some(one.id), twin.ours.clone());
            }
        } else {
            is_same("shadow", one.query.is_ordered, ours, theirs)?;
        }
        if let Some([yes, no, unknown, all]) = &twin.parts {
            let together = [yes, no, unknown]
                .iter()
                .flat_map(|part| part.rows())
                .collect();
            is_same("parts", false, together, all.rows())?;
            is_same("part", false, yes.rows(), one.cells())?;
        }
        Ok(())
    }

    /// The same in other words.
    fn reworded(&self, query: &Query) -> Text {
        let (text, params) = (&query.text, query.params.as_slice());
        let mut other = exchange(text, params);
        let ours = text.ours(&self.names);
        if let Some(table) = only_table(text)
            && ours.matches("SELECT ").count() == 1
        {
            let def = &self.case.tables[usize::from(table)];
            let key = &def.columns[usize::from(def.primary_key[0])].name;
            other = with_filter(&other, &format!("({{}}) AND {key} IS NOT NULL"));
        }
        let is_page = ours.contains(" LIMIT ") || ours.contains("rank()");
        if query.is_ordered && !is_page {
            other = Text::Seq(vec![other, same(format!(" LIMIT {LIMIT_MAX}"))]);
        }
        other
    }
}

impl Twin {
    fn all(&self) -> impl Iterator<Item = &Asked> {
        std::iter::once(&self.whole).chain(self.parts.iter().flatten())
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Asked> {
        std::iter::once(&mut self.whole).chain(self.parts.iter_mut().flatten())
    }
}

/// Whether a parameter says the same as a literal. NULL has no type without a column, bytes are of several types.
fn literal(constant: &Constant) -> Option<Text> {
    let is_plain = !matches!(constant, Constant::Null | Constant::Bytes(_));
    is_plain.then(|| same(constant.literal()))
}

/// With what AND joins the other way round, and literals in place of parameters.
fn exchange(text: &Text, params: &[Constant]) -> Text {
    text.changed(&|part| match part {
        Text::Given(number) => params.get(usize::from(*number)).and_then(literal),
        Text::Seq(parts) => match parts.as_slice() {
            [left, Text::Same(and), right] if and == " AND " => {
                let (left, right) = (exchange(left, params), exchange(right, params));
                Some(fill("{} AND {}", &[&right, &left]))
            }
            _ => None,
        },
        Text::List(parts, with) if with == " AND " => {
            let parts = parts.iter().rev();
            let parts = parts.map(|part| exchange(part, params)).collect();
            Some(Text::List(parts, with.clone()))
        }
        _ => None,
    })
}

/// With another condition in place of the query's.
fn with_filter(text: &Text, pattern: &str) -> Text {
    text.changed(&|part| match part {
        Text::Filter(filter) => Some(fill(pattern, &[filter])),
        _ => None,
    })
}

/// The table, if there is but one.
fn only_table(text: &Text) -> Option<u16> {
    let mut tables = Vec::new();
    text.visit(&mut |part| {
        if let Text::Table(number) = part {
            tables.push(*number);
        }
    });
    match tables[..] {
        [table] => Some(table),
        _ => None,
    }
}

/// A query with its condition, where that is false and where it is unknown, and without it: if a row is in
/// exactly one of the first three, as it is where rows are only let through or not.
fn split(text: &Text, names: &[(String, Option<Text>)]) -> Option<[Text; 4]> {
    let ours = text.ours(names);
    let words = [
        "LIMIT ",
        "DISTINCT ",
        "GROUP BY ",
        "rank()",
        "UNION ",
        "WITH ",
        "count(*) AS n",
    ];
    if words.iter().any(|word| ours.contains(word)) {
        return None;
    }
    let mut count = 0;
    text.visit(&mut |part| count += usize::from(matches!(part, Text::Filter(_))));
    (count == 1).then(|| {
        ["({})", "NOT ({})", "({}) IS NULL", "TRUE"].map(|pattern| with_filter(text, pattern))
    })
}
