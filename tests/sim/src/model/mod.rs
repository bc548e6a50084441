//! What the database should hold: the oracle of a run. Plain maps and no history of how they are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) mod calls;
mod packed;
pub(crate) mod queries;
mod rows;

use calls::Call;
use packed::Packed;
use rows::{Book, Reading, book_row, reading_row, word_row};

pub(crate) type ConnectionBytes = [u8; 16];
pub(crate) type IdentityBytes = [u8; 32];
/// Packed rows of a table or a result.
pub(crate) type RowSet = BTreeSet<Vec<u8>>;

/// All that is in the module's tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tables {
    pub(crate) words: BTreeMap<String, Option<String>>,
    pub(crate) readings: BTreeMap<u64, Reading>,
    pub(crate) reading_mark: u64,
    pub(crate) pairs: BTreeMap<(String, u32), i64>,
    pub(crate) books: BTreeMap<u32, Book>,
    pub(crate) things: BTreeMap<u64, String>,
    pub(crate) thing_mark: u64,
    /// Connections that came and went, by identity.
    pub(crate) visits: BTreeMap<IdentityBytes, (u64, u64)>,
    pub(crate) sessions: BTreeMap<ConnectionBytes, (IdentityBytes, i64)>,
}

/// A module that can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModuleName {
    /// `scripted`.
    Plain,
    /// The same in a file with other bytes: a new version without a change of the schema.
    Stamped,
    /// With a table more.
    Attic,
}

/// Everything. Clones share what has not changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) module: Option<ModuleName>,
    pub(crate) tables: Arc<Tables>,
    /// The system table: whose, and since when.
    pub(crate) connections: Arc<BTreeMap<ConnectionBytes, (IdentityBytes, i64)>>,
}

/// What a command must do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It succeeds, and the state is another after it.
    Changes(State),
    /// It succeeds and changes nothing.
    Nothing,
    /// It fails and changes nothing.
    Fails,
}

impl State {
    /// Runs a reducer at this time.
    pub(crate) fn call(&self, call: &Call, now: i64) -> Outcome {
        if self.module.is_none() {
            return Outcome::Fails;
        }
        if matches!(call, Call::InsertThing(_)) && self.module != Some(ModuleName::Attic) {
            return Outcome::Fails;
        }
        let mut tables = Tables::clone(&self.tables);
        if tables.call(call, now).is_none() {
            return Outcome::Fails;
        }
        if tables == *self.tables {
            return Outcome::Nothing;
        }
        Outcome::Changes(Self {
            tables: Arc::new(tables),
            ..self.clone()
        })
    }

    /// A connection comes.
    pub(crate) fn connect(&self, id: ConnectionBytes, identity: IdentityBytes, now: i64) -> Self {
        let mut next = self.clone();
        Arc::make_mut(&mut next.connections).insert(id, (identity, now));
        if self.module.is_some() {
            let tables = Arc::make_mut(&mut next.tables);
            tables.sessions.insert(id, (identity, now));
            tables.visits.entry(identity).or_default().0 += 1;
        }
        next
    }

    /// A connection goes. The module's reducer fails if it does not know it, and then it goes without.
    pub(crate) fn disconnect(&self, id: ConnectionBytes) -> Self {
        let mut next = self.clone();
        let connections = Arc::make_mut(&mut next.connections);
        let Some((identity, _)) = connections.remove(&id) else {
            return next;
        };
        if self.tables.sessions.contains_key(&id) {
            let tables = Arc::make_mut(&mut next.tables);
            tables.sessions.remove(&id);
            tables.visits.entry(identity).or_default().1 += 1;
        }
        next
    }

    /// All of them go, as after a crash.
    pub(crate) fn disconnect_all(&self) -> Self {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        let state = self.clone();
        ids.into_iter()
            .fold(state, |state, id| state.disconnect(id))
    }

    /// A module is published.
    pub(crate) fn publish(&self, module: ModuleName, clear_data: bool) -> Outcome {
        let mut next = self.clone();
        next.module = Some(module);
        let loses_a_table = self.module == Some(ModuleName::Attic) && module != ModuleName::Attic;
        if self.module.is_none() || clear_data {
            let init = ("init".to_owned(), Some("written by init".to_owned()));
            next.tables = Arc::new(Tables {
                words: [init].into(),
                ..Tables::default()
            });
        } else if loses_a_table {
            return Outcome::Fails;
        }
        Outcome::Changes(next)
    }

    /// Rows of every table that the workload writes to, by name, and of the system table; all others are empty.
    pub(crate) fn rows(&self) -> BTreeMap<&'static str, RowSet> {
        let rows = self.connections.iter();
        let connection = |(id, (identity, since)): (&ConnectionBytes, &(IdentityBytes, i64))| {
            Packed::new().raw(id).raw(identity).i64(*since).0
        };
        let mut all = BTreeMap::from([("__connections", rows.map(connection).collect())]);
        if let Some(module) = self.module {
            for name in ["book", "pair", "reading", "session", "visit", "word"] {
                all.insert(name, self.tables.rows(name));
            }
            if module == ModuleName::Attic {
                all.insert("thing", self.tables.rows("thing"));
            }
        }
        all
    }
}

impl Tables {
    pub(crate) fn rows(&self, table: &str) -> RowSet {
        match table {
            "word" => self
                .words
                .iter()
                .map(|(word, meaning)| word_row(word, meaning.as_deref()))
                .collect(),
            "reading" => self
                .readings
                .iter()
                .map(|(id, row)| reading_row(*id, row))
                .collect(),
            "pair" => self
                .pairs
                .iter()
                .map(|((right, left), value)| Packed::new().u32(*left).i64(*value).text(right).0)
                .collect(),
            "book" => self
                .books
                .iter()
                .map(|(id, book)| book_row(*id, book))
                .collect(),
            "thing" => {
                let row = |(id, name): (&u64, &String)| Packed::new().u64(*id).text(name).0;
                self.things.iter().map(row).collect()
            }
            "visit" => self
                .visits
                .iter()
                .map(|(identity, (came, went))| Packed::new().raw(identity).u64(*came).u64(*went).0)
                .collect(),
            "session" => self
                .sessions
                .iter()
                .map(|(id, (identity, since))| Packed::new().raw(id).raw(identity).i64(*since).0)
                .collect(),
            other => unreachable!("no table {other}"),
        }
    }

    /// `None` if the reducer fails; what it has done until then does not count.
    #[expect(clippy::too_many_lines, reason = "one arm a reducer")]
    fn call(&mut self, call: &Call, now: i64) -> Option<()> {
        match call.clone() {
            Call::UpsertWord(word, meaning) => {
                self.words.insert(word, meaning);
            }
            Call::InsertWord(word, meaning) => {
                let before = self.words.insert(word, meaning);
                before.is_none().then_some(())?;
            }
            Call::DeleteWord(word) => {
                self.words.remove(&word);
            }
            Call::WriteLong(bytes) => {
                let meaning = Some("x".repeat(bytes as usize));
                self.words.insert("long".to_owned(), meaning);
            }
            Call::InsertReading(reading) => self.insert_reading(reading),
            Call::DeleteReading(id) => {
                self.readings.remove(&id);
            }
            Call::DeleteSensor(sensor) => self.readings.retain(|_, row| row.sensor != sensor),
            Call::Churn(sensor) => self.insert_reading(Reading {
                sensor,
                value: 3,
                at: now,
                quality: None,
                level: 0.5,
            }),
            Call::WriteMany(count, sensor) => {
                for number in 0..count {
                    self.insert_reading(Reading {
                        sensor,
                        value: number as i64,
                        at: now,
                        quality: None,
                        level: number as f64,
                    });
                }
            }
            Call::InsertPair(right, left, value) => {
                let before = self.pairs.insert((right, left), value);
                before.is_none().then_some(())?;
            }
            Call::UpdatePair(right, left, value) => {
                self.pairs.insert((right, left), value)?;
            }
            Call::DeletePair(right, left) => {
                self.pairs.remove(&(right, left));
            }
            Call::InsertBook(id, book) => {
                let clashes = |other: &Book| {
                    (book.code.is_some() && book.code == other.code)
                        || (book.shelf, book.place) == (other.shelf, other.place)
                        || book.serial == other.serial
                };
                let is_free = !self.books.contains_key(&id) && !self.books.values().any(clashes);
                is_free.then(|| self.books.insert(id, book))?;
            }
            Call::SwapBooks(one, other) => {
                let first = self.books.get(&one)?.clone();
                let second = self.books.get(&other)?.clone();
                (one != other).then_some(())?;
                self.books.insert(other, first);
                self.books.insert(one, second);
            }
            Call::InsertThing(name) => {
                self.thing_mark += 1;
                self.things.insert(self.thing_mark, name);
            }
            Call::FailAfterWrite | Call::PanicAfterWrite => return None,
        }
        Some(())
    }

    fn insert_reading(&mut self, reading: Reading) {
        self.reading_mark += 1;
        self.readings.insert(self.reading_mark, reading);
    }
}
