//! How many are ahead: against a count over all rows after each transaction.

use serde_json::{Value as Json, json};
use syncline_protocol::ErrorCode;
use syncline_protocol::limits::SCANNED_INSTANCES_MAX;

use super::deep::{Model, Players, ROWS, Random, Score, scores, transact};
use crate::live::instance::Memory;
use crate::tests::{Fixture, ordered, table};

/// A form of the question: its text, and the row that is the answer for a subject, if there is one.
struct Form {
    sql: &'static str,
    wanted: fn(&Model, &Players, u32, u32) -> Option<Json>,
}

fn count(model: &Model, is_ahead: impl Fn(&Score) -> bool) -> i64 {
    model.values().filter(|row| is_ahead(row)).count() as i64
}

const FORMS: &[Form] = &[
    Form {
        sql: "SELECT COUNT(*) AS n FROM scores WHERE room = :room \
              AND score > (SELECT me.score FROM scores AS me WHERE me.id = :id)",
        wanted: |model, _, room, id| {
            let me = model.get(&id);
            let is_ahead = |row: &Score| me.is_some_and(|me| row.0 == room && row.1 > me.1);
            Some(json!([count(model, is_ahead).to_string()]))
        },
    },
    Form {
        sql: "SELECT COUNT(*) + 1 AS n FROM scores \
              WHERE (SELECT me.score FROM scores AS me WHERE me.id = :id) >= score",
        wanted: |model, _, _, id| {
            let me = model.get(&id);
            let is_ahead = |row: &Score| me.is_some_and(|me| row.1 <= me.1);
            Some(json!([(count(model, is_ahead) + 1).to_string()]))
        },
    },
    Form {
        sql: "SELECT COUNT(*) AS n, COUNT(*) * 2 AS twice FROM scores WHERE room = :room \
              AND score >= (SELECT p.level FROM players AS p WHERE p.id = :id)",
        wanted: |model, players, room, id| {
            let me = players.get(&id).copied().flatten();
            let is_ahead = |row: &Score| me.is_some_and(|me| row.0 == room && row.1 >= me);
            let count = count(model, is_ahead);
            Some(json!([count.to_string(), (count * 2).to_string()]))
        },
    },
    Form {
        sql: "SELECT id, text, r FROM (SELECT id, text, \
              RANK() OVER (PARTITION BY room ORDER BY score DESC) AS r FROM scores) AS x WHERE id = :id",
        wanted: |model, _, _, id| {
            let me = model.get(&id)?;
            let rank = 1 + count(model, |row| row.0 == me.0 && row.1 > me.1);
            Some(json!([id, format!("text {}", me.3), rank.to_string()]))
        },
    },
    Form {
        sql: "SELECT r, id FROM (SELECT id, hidden, RANK() OVER (ORDER BY score) AS r FROM scores) AS x \
              WHERE id = :id AND NOT hidden",
        wanted: |model, _, _, id| {
            let me = model.get(&id).filter(|me| !me.2)?;
            let rank = 1 + count(model, |row| row.1 < me.1);
            Some(json!([rank.to_string(), id]))
        },
    },
    Form {
        sql: "SELECT s.id, s.score, (SELECT COUNT(*) FROM scores AS o \
              WHERE o.room = :room AND o.score <= s.score) AS below FROM scores AS s WHERE s.id = :id",
        wanted: |model, _, room, id| {
            let me = model.get(&id)?;
            let below = count(model, |row| row.0 == room && row.1 <= me.1);
            Some(json!([id, me.1, below.to_string()]))
        },
    },
];

struct Watched {
    form: &'static Form,
    subscribed: crate::Subscribed,
    folded: Option<Json>,
    room: u32,
    id: u32,
    given: Json,
}

impl Watched {
    fn random(random: &mut Random, fixture: &mut Fixture) -> Self {
        let form = &FORMS[random.below(FORMS.len() as u32) as usize];
        let of_players = form.sql.contains("players");
        let (room, id) = (
            random.below(3),
            random.below(if of_players { 40 } else { ROWS }),
        );
        let mut given = json!({ "id": id });
        if form.sql.contains(":room") {
            given["room"] = json!(room);
        }
        let (subscribed, _) = fixture.watch(form.sql, given.clone());
        let folded = fixture.rows_json(&subscribed)[0].clone();
        Self {
            form,
            subscribed,
            folded: Some(folded).filter(|row| !row.is_null()),
            room,
            id,
            given,
        }
    }

    fn fold(&mut self, ops: &Json) {
        for op in ops.as_array().unwrap() {
            match op[0].as_str().unwrap() {
                "insert" => {
                    assert_eq!(self.folded, None, "an insert of a row that is there");
                    self.folded = Some(op[1].clone());
                }
                "delete" => assert!(self.folded.take().is_some(), "a delete of no row"),
                _ => {
                    let row = self.folded.as_mut().expect("an update of a row");
                    let columns = &self.subscribed.description.columns;
                    for (at, column) in columns.iter().enumerate() {
                        if let Some(value) = op[2].get(&column.name) {
                            assert_ne!(row[at], *value, "nothing changed");
                            row[at] = value.clone();
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn ranks_are_those_of_a_count() {
    let (mut compared, mut changed, mut hits) = (0, 0, 0);
    for seed in 1..=4 {
        let mut random = Random(seed * 0x1357_9bdf);
        let (mut fixture, mut model) = scores(&mut random);
        let mut players = Players::new();
        let mut watched: Vec<Watched> = Vec::new();
        for step in 0..60 {
            for _ in 0..2 {
                watched.push(Watched::random(&mut random, &mut fixture));
            }
            if step % 7 == 0 {
                let gone = watched.swap_remove(random.below(watched.len() as u32) as usize);
                fixture.live.unsubscribe(gone.subscribed.handle);
            }
            if step % 20 == 19 {
                let (db, live) = fixture.parts();
                assert_eq!(live.rebind(db), []);
            }
            transact(&mut random, &mut fixture, &mut model, &mut players);
            for one in &mut watched {
                let ops = fixture.ops_json(&one.subscribed);
                one.fold(&ops);
                let wanted = (one.form.wanted)(&model, &players, one.room, one.id);
                let fresh = fixture.rows_json(&one.subscribed);
                let place = format!("seed {seed} step {step} {} {}", one.form.sql, one.id);
                assert_eq!(fresh.get(0), wanted.as_ref(), "{place}");
                assert_eq!(one.folded, wanted, "{place}");
                if compared % 61 == 0 {
                    let once = fixture.once(one.form.sql, one.given.clone()).unwrap();
                    assert_eq!(once.get(0), wanted.as_ref(), "{place}");
                }
                compared += 1;
                changed += usize::from(ops != json!([]) && wanted.is_some());
            }
        }
        let instances = fixture.live.instances.iter();
        for (_, instance) in instances {
            assert!(matches!(instance.memory, Memory::Place(_)));
        }
        hits += fixture.live.stats().counters.candidates;
        for one in watched {
            fixture.live.unsubscribe(one.subscribed.handle);
        }
        assert!(fixture.live.ranks.is_empty());
        assert_eq!(fixture.live.stats().router_entries, 0);
    }
    println!("{compared} compared, {changed} of them changed, {hits} looked at");
    assert!(compared > 10_000 && changed * 4 > compared);
}

#[test]
fn a_move_concerns_those_between() {
    let columns = "id u32, score i32";
    let def = crate::tests::with_index(
        table("scores", columns, 1),
        "score",
        syncline_protocol::IndexKind::Counted,
    );
    let plain = ordered(table("plain", columns, 1), "score");
    let mut fixture = Fixture::new(vec![def, plain]);
    let rows: Vec<Json> = (0..1000).map(|id| json!([id, id * 10])).collect();
    fixture.insert("scores", &rows);
    let sql = "SELECT COUNT(*) AS n FROM scores WHERE score > \
               (SELECT me.score FROM scores AS me WHERE me.id = :id)";
    for id in 0..1000 {
        fixture.subscribe(sql, json!({ "id": id })).unwrap();
    }
    let before = fixture.live.stats().counters;
    fixture.commit(&[crate::tests::Write::Update("scores", json!([500, 5035]))]);
    let after = fixture.live.stats().counters;
    // Those at 5000 (itself) to 5030; the subject's own rank counts as well.
    assert_eq!(after.affected - before.affected, 4);
    assert!(after.candidates - before.candidates <= 5);
    // Without counts there is no such way, and the table takes few.
    let sql = sql.replace("scores", "plain");
    let refused = (0..=SCANNED_INSTANCES_MAX as u32)
        .find_map(|id| fixture.subscribe(&sql, json!({ "id": id })).err())
        .unwrap();
    assert_eq!(refused.code, ErrorCode::LiveLimit);
}
