//! Plays a case: after every transaction the rows that the client's cache has folded from the deltas are compared
//! with our own answer and with SQLite's.

mod publish;

use std::panic::{AssertUnwindSafe, catch_unwind};

use syncline_client::cache::{Chunk, LiveResult};
use syncline_protocol::{ChangeSet, ErrorCode, Lsn};
use syncline_query::{Deltas, How, LiveQueries, QueryError, query_once};
use syncline_store::Database;

use crate::answer::Answer;
use crate::case::{ADMIN, Case, Step, Write, budgets, caller};
use crate::failure::{Failure, Played, failure};
use crate::query::Query;
use crate::schema::person;
use crate::shadow::{Shadow, check_nothing_left};
use crate::sqlite::{Mirror, NoRows, Row, compare, read_rows};
use crate::tally::Tally;
use crate::text::{Around, Constant, Text};
use crate::watched::Watched;

/// Rows of a result that is compared again and again.
const ROWS_MAX: usize = 2_000;

struct World<'c> {
    case: &'c Case,
    /// Names of the tables, as the admin and as everyone else sees them.
    raw_names: Vec<(String, Option<Text>)>,
    names: Vec<(String, Option<Text>)>,
    db: Option<Database>,
    lsn: u64,
    live: LiveQueries,
    mirror: Mirror,
    watched: Vec<Watched>,
    deltas: Deltas,
    shadow: Option<Shadow<'c>>,
    tally: &'c mut Tally,
}

/// Plays the whole case, or up to the first failure.
pub(crate) fn play(case: &Case, tally: &mut Tally) -> Played {
    play_while(case, tally, &|| true)
}

/// [`play`], which ends between two steps when `goes_on` says so.
pub(crate) fn play_while(case: &Case, tally: &mut Tally, goes_on: &dyn Fn() -> bool) -> Played {
    let mut at = 0;
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(case, tally)?;
        for (position, step) in case.steps.iter().enumerate() {
            at = position;
            if !goes_on() {
                break;
            }
            world.step(step)?;
            if let Some(shadow) = &mut world.shadow {
                shadow.follow(position, step, &world.watched, world.tally)?;
            }
        }
        world.end()
    }));
    match played {
        Ok(Ok(())) => Ok(()),
        Ok(Err(failure)) => Err(Failure {
            step: at,
            ..failure
        }),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()));
            Err(Failure {
                kind: "panic",
                id: None,
                step: at,
                words: words.unwrap_or_default(),
            })
        }
    }
}

impl<'c> World<'c> {
    fn new(case: &'c Case, tally: &'c mut Tally) -> Played<Self> {
        let db = case.database()?;
        let has_shadow = case.shadow_from.is_some() && !case.has_publish();
        let shadow = has_shadow.then(|| Shadow::new(case)).transpose()?;
        let mirror = Mirror::new(&case.tables).or_else(|error| {
            failure(
                "sqlite",
                None,
                format!("SQLite refuses the tables: {error}"),
            )
        })?;
        let mut live = LiveQueries::with_hash_seed(1);
        live.set_budgets(budgets());
        Ok(Self {
            raw_names: case.names(&[]),
            names: case.names(&case.policies),
            case,
            db: Some(db),
            lsn: 1,
            live,
            mirror,
            watched: Vec::new(),
            deltas: Deltas::new(),
            shadow,
            tally,
        })
    }

    fn db(&self) -> &Database {
        self.db.as_ref().expect("there is one between transactions")
    }

    fn step(&mut self, step: &Step) -> Played {
        match step {
            Step::Write(writes) => self.write(writes),
            Step::Watch { id, user, query } => self.watch(*id, *user, query),
            Step::Move { id, params } => self.move_to(*id, params),
            Step::Again { id } => self.again(*id),
            Step::Publish { policies } => self.publish(policies),
            Step::Forget { id } => {
                if let Some(position) = self.watched.iter().position(|one| one.id == *id) {
                    let gone = self.watched.swap_remove(position);
                    self.live.unsubscribe(gone.handle);
                }
                Ok(())
            }
        }
    }

    fn end(mut self) -> Played {
        for one in self.watched.drain(..) {
            self.live.unsubscribe(one.handle);
        }
        if let Some(shadow) = self.shadow.take() {
            shadow.end()?;
        }
        let db = self.db.as_mut().expect("there is one between transactions");
        check_nothing_left("left", &mut self.live, db)
    }

    fn lite(&self, user: u8, text: &Text, params: &[Constant]) -> String {
        text.lite(Around {
            params,
            me: person(usize::from(user)),
            tables: if user == ADMIN {
                &self.raw_names
            } else {
                &self.names
            },
        })
    }

    fn watch(&mut self, id: u32, user: u8, query: &Query) -> Played {
        let ours = query.text.ours(&self.raw_names);
        let lite = self.lite(user, &query.text, &query.params);
        let params = query.given();
        let who = caller(user);
        let mut description = None;
        let once = Answer::of(|sink| {
            description = Some(query_once(self.db(), &ours, &params, &who, sink)?);
            Ok(())
        });
        match (once, description) {
            (Ok(once), Some(description)) => {
                let rows = once.rows.iter().map(Vec::as_slice);
                let rows = read_rows(&description, rows);
                let is_large = rows.len() > ROWS_MAX;
                let theirs = self.ask_lite(id, &lite)?.filter(|_| !is_large);
                let Some(theirs) = theirs else {
                    self.tally.count("too large");
                    return Ok(());
                };
                compare("once", Some(id), query.is_ordered, rows, theirs)?;
                self.tally.once += 1;
            }
            // A product too large.
            (Err(error), _) if error.code == ErrorCode::QueryLimit => {
                self.tally.count("too large");
                return Ok(());
            }
            (Err(error), _) => {
                let words = format!("{error} (hint {:?}): {ours}", error.hint);
                return failure("refused once", Some(id), words);
            }
            (Ok(_), None) => unreachable!("who answers says what"),
        }
        let db = self.db.as_mut().expect("there is one between transactions");
        let made = self.live.hidden_index_count();
        let subscribed = match self.live.subscribe(db, &ours, &params, &who) {
            Ok(subscribed) => subscribed,
            Err(error) => return self.refused(id, &ours, &error),
        };
        if self.live.hidden_index_count() > made {
            self.tally.count("made an index");
        }
        self.tally.live(&ours);
        let mut watched = Watched {
            id,
            user,
            query: query.clone(),
            ours,
            lite,
            handle: subscribed.handle,
            statement: subscribed.statement,
            description: subscribed.description,
            cache: LiveResult::new(),
        };
        self.snapshot(&mut watched)?;
        self.compare(&watched, false)?;
        self.watched.push(watched);
        Ok(())
    }

    fn refused(&mut self, id: u32, ours: &str, error: &QueryError) -> Played {
        let is_known = matches!(
            error.code,
            ErrorCode::LiveNoAccessPath
                | ErrorCode::LiveUnsupported
                | ErrorCode::LiveLimit
                | ErrorCode::QueryLimit
        );
        if !is_known {
            return failure("refused live", Some(id), format!("{error}"));
        }
        if error.hint.is_none() {
            return failure("no hint", Some(id), format!("{error}"));
        }
        self.tally.refused(error, ours);
        Ok(())
    }

    /// The rows of now.
    fn fresh(&self, one: &Watched) -> Played<Vec<Vec<u8>>> {
        let answer = Answer::of(|sink| self.live.rows(self.db(), one.handle, sink));
        match answer {
            Ok(answer) => Ok(answer.rows),
            Err(error) => failure("rows", Some(one.id), format!("{error}")),
        }
    }

    /// Sends a first answer.
    fn snapshot(&self, one: &mut Watched) -> Played {
        let rows = self.fresh(one)?;
        let bytes = rows.concat();
        let chunk = Chunk {
            lsn: Lsn(self.lsn),
            rows: &bytes,
            row_count: rows.len() as u32,
            last: true,
        };
        let description = (*one.description).clone();
        let taken = one
            .cache
            .snapshot(Some(description), chunk, &mut Vec::new());
        taken
            .map(|_| ())
            .or_else(|error| failure("cache", Some(one.id), format!("a first answer: {error}")))
    }

    /// All rows once more: what the client has must be the same.
    fn again(&mut self, id: u32) -> Played {
        let Some(position) = self.watched.iter().position(|one| one.id == id) else {
            return Ok(());
        };
        let mut one = self.watched.swap_remove(position);
        let rows = self.fresh(&one)?;
        let bytes = rows.concat();
        let chunk = Chunk {
            lsn: Lsn(self.lsn),
            rows: &bytes,
            row_count: rows.len() as u32,
            last: true,
        };
        let mut changes = Vec::new();
        match one.cache.reset(chunk, &mut changes) {
            Ok(true) if changes.is_empty() => {}
            other => {
                let words = format!("a reset is no news: {other:?}, {} changes", changes.len());
                return failure("reset", Some(id), words);
            }
        }
        self.tally.count("reset");
        self.watched.push(one);
        Ok(())
    }

    fn move_to(&mut self, id: u32, params: &[Constant]) -> Played {
        let Some(position) = self.watched.iter().position(|one| one.id == id) else {
            return Ok(());
        };
        let mut one = self.watched.swap_remove(position);
        let before = std::mem::replace(&mut one.query.params, params.to_vec());
        let given = one.query.given();
        let db = self.db.as_mut().expect("there is one between transactions");
        let statement = one.statement.clone();
        let moved = self
            .live
            .set_params(db, one.handle, &statement, &given, &caller(one.user));
        let moved = match moved {
            Ok(moved) => moved,
            // Integers of another size make columns of another type: it stays as it was.
            Err(error)
                if matches!(
                    error.code,
                    ErrorCode::QueryLimit | ErrorCode::LiveLimit | ErrorCode::SqlType
                ) =>
            {
                one.query.params = before;
                self.tally.count("move, refused");
                self.compare(&one, false)?;
                self.watched.push(one);
                return Ok(());
            }
            Err(error) => return failure("moved", Some(id), format!("{error}")),
        };
        one.handle = moved.handle;
        one.lite = self.lite(one.user, &one.query.text, params);
        let mut changes = Vec::new();
        match moved.how {
            How::Delta(ops) => {
                let taken = one.cache.moved(Lsn(self.lsn), &ops, &mut changes);
                if let Err(error) = taken {
                    return failure("cache", Some(id), format!("a move: {error}"));
                }
                self.tally.count("move");
            }
            How::Anew(_) => {
                self.snapshot(&mut one)?;
                self.tally.count("move, anew");
            }
        }
        self.compare(&one, !changes.is_empty())?;
        self.watched.push(one);
        Ok(())
    }

    fn write(&mut self, writes: &[Write]) -> Played {
        let db = self.db.take();
        let db = db.expect("there is one between transactions");
        let mut transaction = db.begin();
        for write in writes {
            write.apply(self.case, &mut transaction);
        }
        let mut changes = ChangeSet::new();
        self.db = Some(transaction.commit(&mut changes));
        self.lsn += 1;
        self.tally.transactions += 1;
        if let Err(words) = self.mirror.apply(&self.case.tables, &changes) {
            return failure("sqlite", None, words);
        }
        let mut deltas = std::mem::take(&mut self.deltas);
        let db = self.db.as_mut().expect("it was just put there");
        self.live.drop_unused_indexes(db);
        self.live.step(db, &changes, &mut deltas);
        let settled = self.live.settle(db);
        let mut watched = std::mem::take(&mut self.watched);
        watched.retain(|one| {
            settled
                .ended
                .iter()
                .all(|(handle, _)| *handle != one.handle)
        });
        for one in &mut watched {
            if settled.resets.contains(&one.handle) {
                self.snapshot(one)?;
                self.compare(one, false)?;
                self.tally.count("reset by a budget");
                continue;
            }
            let ops = deltas.iter().find(|(handle, _)| *handle == one.handle);
            let mut news = Vec::new();
            if let Some((_, ops)) = ops {
                let taken = one.cache.commit(Lsn(self.lsn), ops, &mut news);
                if let Err(error) = taken {
                    return failure("cache", Some(one.id), format!("a delta: {error}"));
                }
                if news.is_empty() {
                    return failure("cache", Some(one.id), "a delta without an operation");
                }
            }
            self.compare(one, !news.is_empty())?;
        }
        let mut handles: Vec<u64> = watched.iter().map(|one| one.handle).collect();
        handles.sort_unstable();
        if let Some((stray, _)) = deltas
            .iter()
            .find(|(handle, _)| handles.binary_search(handle).is_err())
        {
            return failure("stray", None, format!("a delta of handle {stray}"));
        }
        self.watched = watched;
        self.deltas = deltas;
        Ok(())
    }

    /// The rows of SQLite, if it has them soon.
    fn ask_lite(&self, id: u32, lite: &str) -> Played<Option<Vec<Row>>> {
        match self.mirror.query(lite) {
            Ok(rows) => Ok(Some(rows)),
            Err(NoRows::Work) => Ok(None),
            Err(NoRows::Error(words)) => failure("sqlite", Some(id), words),
        }
    }

    /// Folded == fresh == SQLite.
    fn compare(&mut self, one: &Watched, is_changed: bool) -> Played {
        let mut fresh = self.fresh(one)?;
        let mut folded: Vec<&[u8]> = one.cache.rows().map(AsRef::as_ref).collect();
        let cells = one.cells();
        if one.description.order.is_empty() {
            fresh.sort_unstable();
            folded.sort_unstable();
        }
        if fresh != folded {
            let ours = read_rows(&one.description, fresh.iter().map(Vec::as_slice));
            let words = format!("{}\n  folded {cells:?}\n  fresh {ours:?}", one.ours);
            return failure("folded != fresh", Some(one.id), words);
        }
        let is_told = is_changed && !folded.is_empty();
        let Some(theirs) = self.ask_lite(one.id, &one.lite)? else {
            return Ok(());
        };
        compare(
            "ours != SQLite",
            Some(one.id),
            one.query.is_ordered,
            cells,
            theirs,
        )?;
        self.tally.compared += 1;
        self.tally.changed += u64::from(is_told);
        Ok(())
    }
}
