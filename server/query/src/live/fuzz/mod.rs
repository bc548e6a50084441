//! Random plans against random transactions: what a client folds from deltas equals what the plan gives
//! anew. Here queries are made as plans, so that every shape is met whatever SQL text can say yet; the
//! oracle in `tests/oracle` makes them as text and asks SQLite too.

mod plans;
mod tables;

use std::collections::BTreeMap;

use syncline_protocol::message::{DeltaOp, DeltaReader, ResultDescription};
use syncline_protocol::packed::Reader;
use syncline_protocol::{ChangeSet, ErrorCode, RowLayout, TableId};
use syncline_store::Database;

use super::{Deltas, LiveQueries};
use crate::flow::Mutant;
use plans::random_query;
use tables::{Random, database, random_row, tables};

struct Watched {
    plan: String,
    subscribed: Joined,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn key_of(description: &ResultDescription, row: &[u8]) -> Vec<u8> {
    let layout = RowLayout::new(description.types().cloned().collect());
    let mut key = Vec::new();
    layout.project(row, &description.key, &mut key);
    key
}

fn fresh(live: &LiveQueries, db: &Database, one: &Joined) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = BTreeMap::new();
    let mut sink = |row: &[u8]| {
        let old = rows.insert(key_of(&one.description, row), row.to_vec());
        assert!(old.is_none(), "two rows have one key");
    };
    live.rows(db, one.handle, &mut sink).expect("it is small");
    rows
}

fn fold(one: &mut Watched, ops: &[u8]) {
    let description = &one.subscribed.description;
    let mut reader = DeltaReader::new(description, ops);
    while let Some(op) = reader.next_op().expect("deltas are valid") {
        match op {
            DeltaOp::Insert { row } => {
                let old = one.rows.insert(key_of(description, row), row.to_vec());
                assert!(old.is_none(), "an insert of a row that is there");
            }
            DeltaOp::Delete { key } => {
                assert!(one.rows.remove(key).is_some(), "a delete of no row");
            }
            DeltaOp::Update { key, mask, values } => {
                let row = one
                    .rows
                    .get_mut(key)
                    .expect("an update of a row that is there");
                let (mut old, mut values) = (Reader::new(row), Reader::new(values));
                let mut new = Vec::new();
                for (position, ty) in description.types().enumerate() {
                    let before = old.value(ty).expect("valid");
                    let is_new = mask[position / 8] >> (position % 8) & 1 == 1;
                    new.extend_from_slice(if is_new {
                        values.value(ty).expect("valid")
                    } else {
                        before
                    });
                }
                *row = new;
            }
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    queries: usize,
    refused: usize,
    compared: usize,
    changed: usize,
    resets: usize,
}

fn transact(db: Database, random: &mut Random, changes: &mut ChangeSet) -> Database {
    let mut transaction = db.begin();
    let count = if random.below(8) == 0 {
        30
    } else {
        1 + random.below(6)
    };
    for _ in 0..count {
        let number = random.below(tables().len());
        let id = TableId(TableId::FIRST_USER.0 + number as u32);
        let mut row = random_row(random, number);
        let def = &tables()[number];
        match random.below(10) {
            0..4 => drop(transaction.insert(id, &mut row)),
            4..7 => drop(transaction.update(id, &mut row)),
            _ => {
                let mut key = Vec::new();
                def.layout().project(&row, &def.primary_key, &mut key);
                let _ = transaction.delete(id, &key);
            }
        }
    }
    transaction.commit(changes)
}

/// An instance.
struct Joined {
    handle: u64,
    description: std::sync::Arc<syncline_protocol::message::ResultDescription>,
}

/// One number of the environment.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[expect(clippy::too_many_lines, reason = "one step after the other")]
fn run(seed: u64, tally: &mut Tally) {
    let most = given("FUZZ_QUERIES").unwrap_or(8) as usize;
    let mut random = Random::new(seed);
    let mut db = database();
    let mut live = LiveQueries::with_hash_seed(seed);
    if seed % 4 == 3 {
        // Little work makes resets of deltas.
        live.set_budgets(crate::Budgets {
            step_rows: 40,
            ..crate::Budgets::default()
        });
    }
    let mut changes = ChangeSet::new();
    let mut deltas = Deltas::new();
    let mut watched: Vec<Watched> = Vec::new();
    for step in 0..40 {
        while watched.len() < most && step > 3 && random.below(3) > 0 {
            let plan = random_query(&mut random);
            let text = format!("{plan:?}");
            match live.subscribe_plan(&mut db, plan) {
                Ok((number, _)) => {
                    let handle = live.instances.get(number).handle;
                    let description = live.description(handle).cloned();
                    let description = description.expect("it was just joined");
                    let subscribed = Joined {
                        handle,
                        description,
                    };
                    let rows = fresh(&live, &db, &subscribed);
                    tally.queries += 1;
                    watched.push(Watched {
                        plan: text,
                        subscribed,
                        rows,
                    });
                }
                Err(error) => {
                    let known = [
                        ErrorCode::LiveNoAccessPath,
                        ErrorCode::LiveUnsupported,
                        ErrorCode::LiveLimit,
                        ErrorCode::QueryLimit,
                    ];
                    assert!(known.contains(&error.code), "{error}");
                    tally.refused += 1;
                }
            }
        }
        db = transact(db, &mut random, &mut changes);
        let stepped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            live.step(&db, &changes, &mut deltas);
        }));
        let plans = || {
            watched
                .iter()
                .map(|one| one.plan.as_str())
                .collect::<Vec<_>>()
        };
        assert!(
            stepped.is_ok(),
            "seed {seed} step {step}: {}",
            plans().join("\n")
        );
        if live.is_unsettled() {
            let settled = live.settle(&db);
            watched.retain(|one| {
                let mut ended = settled.ended.iter();
                ended.all(|(handle, _)| *handle != one.subscribed.handle)
            });
            for one in &mut watched {
                if settled.resets.contains(&one.subscribed.handle) {
                    one.rows = fresh(&live, &db, &one.subscribed);
                    tally.resets += 1;
                }
            }
        }
        let byte_len = live.byte_len();
        live.count_bytes();
        assert_eq!(
            byte_len,
            live.byte_len(),
            "bytes are counted where they change"
        );
        for one in &mut watched {
            let handle = one.subscribed.handle;
            let ops = deltas.iter().find(|(other, _)| *other == handle);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if let Some((_, ops)) = ops {
                    fold(one, ops);
                }
                let now = fresh(&live, &db, &one.subscribed);
                assert_eq!(one.rows, now, "folded != fresh");
            }));
            assert!(result.is_ok(), "seed {seed} step {step}: {}", one.plan);
            tally.compared += 1;
            tally.changed += usize::from(ops.is_some() && !one.rows.is_empty());
        }
        if random.below(4) == 0 && !watched.is_empty() {
            let gone = watched.swap_remove(random.below(watched.len()));
            live.unsubscribe(gone.subscribed.handle);
            live.drop_unused_indexes(&mut db);
        }
        if random.below(20) == 0 {
            assert!(live.rebind(&mut db).is_empty(), "nothing changed");
        }
    }
    for one in watched {
        live.unsubscribe(one.subscribed.handle);
    }
    live.drop_unused_indexes(&mut db);
    let stats = live.stats();
    let left = [
        stats.templates,
        stats.instances,
        stats.router_entries,
        stats.hidden_indexes,
    ];
    assert_eq!(left, [0; 4], "what nobody watches is gone");
    assert_eq!(live.byte_len(), 0, "and so are its bytes");
}

#[test]
fn folded_equals_fresh() {
    let seeds = match given("FUZZ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..given("FUZZ_SEEDS").unwrap_or(60),
    };
    let mut tally = Tally::default();
    for seed in seeds {
        run(seed, &mut tally);
    }
    println!("{tally:?}");
    if given("FUZZ_SEED").is_none() && given("FUZZ_QUERIES").is_none() {
        assert!(tally.queries * 3 > tally.refused, "most queries live");
        assert!(tally.compared > 5_000, "enough comparisons");
        assert!(tally.resets > 50, "some steps take too much work");
        assert!(tally.changed * 10 > tally.compared, "results change");
    }
}

/// A mistake in any of the rules is seen.
#[test]
fn mutants_are_killed() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        Mutant::switch(Some(mutant));
        let mut seeds = 0..1000;
        let is_killed = seeds
            .any(|seed| std::panic::catch_unwind(|| run(seed, &mut Tally::default())).is_err());
        if !is_killed {
            survivors.push(mutant);
        }
    }
    Mutant::switch(None);
    std::panic::set_hook(hook);
    assert_eq!(survivors, [], "the fuzz test does not see these");
}
