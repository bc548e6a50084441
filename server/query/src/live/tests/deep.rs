//! Windows, counts and n-th rows over a table that is large enough for them, against a list that is sorted
//! and cut anew after each transaction.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use syncline_protocol::IndexKind;

use crate::live::instance::Memory;
use crate::tests::{Fixture, Write, ordered, table, with_index};

pub(super) const ROWS: u32 = 1500;

/// A sequence of numbers that a seed decides.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % u64::from(end)) as u32
    }

    pub(super) fn pick(&mut self, items: &[u32]) -> u32 {
        items[self.below(items.len() as u32) as usize]
    }
}

/// Room, score, hidden, text.
pub(super) type Score = (u32, i32, bool, u32);

/// By id.
pub(super) type Model = BTreeMap<u32, Score>;

fn random_row(random: &mut Random) -> Score {
    let (room, score) = (random.below(3), random.below(400) as i32 - 200);
    (room, score, random.below(4) == 0, random.below(1000))
}

fn as_json(id: u32, (room, score, hidden, text): Score) -> Json {
    json!([id, room, score, hidden, format!("text {text}")])
}

/// A fixture with an index that has counts and one that has none, and its rows.
pub(super) fn scores(random: &mut Random) -> (Fixture, Model) {
    let columns = "id u32, room u32, score i32, hidden bool, text string";
    let def = ordered(table("scores", columns, 1), "score");
    let def = with_index(def, "room, score", IndexKind::Counted);
    let def = with_index(def, "score", IndexKind::Counted);
    let players = table("players", "id u32, level i32?, name string", 1);
    let mut fixture = Fixture::new(vec![def, players]);
    let mut model = Model::new();
    for id in 0..ROWS {
        model.insert(id, random_row(random));
    }
    let rows: Vec<Json> = model.iter().map(|(id, row)| as_json(*id, *row)).collect();
    fixture.insert("scores", &rows);
    (fixture, model)
}

/// The levels of players by id.
pub(super) type Players = BTreeMap<u32, Option<i32>>;

/// A random transaction, on all of them.
pub(super) fn transact(
    random: &mut Random,
    fixture: &mut Fixture,
    model: &mut Model,
    players: &mut Players,
) {
    let count = if random.below(15) == 0 {
        200
    } else {
        1 + random.below(5)
    };
    let mut writes = Vec::new();
    for _ in 0..count {
        let id = random.below(ROWS + 200);
        let mut row = random_row(random);
        match (model.get(&id), random.below(8)) {
            (None, _) => {
                model.insert(id, row);
                writes.push(Write::Insert("scores", as_json(id, row)));
            }
            (Some(_), 0) => {
                model.remove(&id);
                writes.push(Write::Delete("scores", json!([id])));
            }
            (Some(old), kind) => {
                // Only what shows changes, or the score by a little, or all.
                row = match kind {
                    1 => (old.0, old.1, old.2, row.3),
                    2..5 => (old.0, old.1 + row.1.signum() * 3, old.2, old.3),
                    _ => row,
                };
                model.insert(id, row);
                writes.push(Write::Update("scores", as_json(id, row)));
            }
        }
    }
    for _ in 0..random.below(3) {
        let id = random.below(40);
        let level = (random.below(5) > 0).then(|| random.below(400) as i32 - 200);
        let row = json!([id, level, format!("name {}", random.below(3))]);
        let (known, wanted) = (players.contains_key(&id), random.below(5) > 0);
        if writes.iter().any(|write| matches!(write,
            Write::Insert("players", row) | Write::Update("players", row) | Write::Delete("players", row)
                if row[0] == json!(id)))
        {
            continue;
        }
        writes.push(match (known, wanted) {
            (true, true) => Write::Update("players", row),
            (false, true) => Write::Insert("players", row),
            (true, false) => Write::Delete("players", json!([id])),
            (false, false) => continue,
        });
        if wanted {
            players.insert(id, level);
        } else {
            players.remove(&id);
        }
    }
    fixture.commit(&writes);
}

struct Watched {
    subscribed: crate::Subscribed,
    /// By key.
    folded: BTreeMap<u64, Json>,
    room: Option<u32>,
    skips_hidden: bool,
    descends: bool,
    limit: usize,
    offset: usize,
}

impl Watched {
    fn random(random: &mut Random, fixture: &mut Fixture) -> Self {
        let room = (random.below(3) > 0).then(|| random.below(3));
        let skips_hidden = random.below(3) == 0;
        let descends = random.below(2) == 0;
        let limit = random.pick(&[0, 3, 10, 60, 60, 60]) as usize;
        let offset = random.pick(&[0, 5, 100, 200, 300, 1490]) as usize;
        let mut conditions: Vec<&str> = Vec::new();
        conditions.extend(room.map(|_| "room = :room"));
        conditions.extend(skips_hidden.then_some("NOT hidden"));
        let condition = match conditions.as_slice() {
            [] => String::new(),
            all => format!("WHERE {}", all.join(" AND ")),
        };
        let direction = if descends { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT id, score, text FROM scores {condition} ORDER BY score {direction} \
             LIMIT {limit} OFFSET {offset}"
        );
        let given = room.map_or(json!({}), |room| json!({ "room": room }));
        let (subscribed, _) = fixture.watch(&sql, given);
        let rows = fixture.rows_json(&subscribed);
        let rows = rows.as_array().unwrap().iter();
        let folded = rows
            .map(|row| (row[0].as_u64().unwrap(), row.clone()))
            .collect();
        Self {
            subscribed,
            folded,
            room,
            skips_hidden,
            descends,
            limit,
            offset,
        }
    }

    fn wanted(&self, model: &Model) -> Vec<Json> {
        let is_in = |row: &Score| {
            self.room.is_none_or(|room| room == row.0) && !(self.skips_hidden && row.2)
        };
        let mut rows: Vec<_> = model.iter().filter(|(_, row)| is_in(row)).collect();
        rows.sort_by_key(|(id, row)| (row.1, **id));
        if self.descends {
            rows.reverse();
        }
        let shown = rows.into_iter().skip(self.offset).take(self.limit);
        shown
            .map(|(id, row)| json!([id, row.1, format!("text {}", row.3)]))
            .collect()
    }

    fn fold(&mut self, ops: &Json) {
        for op in ops.as_array().unwrap() {
            let key = op[1][0].as_u64().unwrap();
            match op[0].as_str().unwrap() {
                "insert" => {
                    let old = self.folded.insert(key, op[1].clone());
                    assert_eq!(old, None, "an insert of a row that is there");
                }
                "delete" => assert!(self.folded.remove(&key).is_some(), "a delete of no row"),
                _ => {
                    let row = self.folded.get_mut(&key).expect("an update of a row");
                    for (at, name) in ["id", "score", "text"].into_iter().enumerate() {
                        if let Some(value) = op[2].get(name) {
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
fn deep_windows_are_those_of_a_sorted_list() {
    let (mut changed, mut compared, mut deep) = (0, 0, 0);
    for seed in 1..=6 {
        let mut random = Random(seed * 0x9e37_79b9);
        let (mut fixture, mut model) = scores(&mut random);
        let mut players = Players::new();
        let mut watched: Vec<Watched> = Vec::new();
        for step in 0..60 {
            if step % 2 == 0 {
                watched.push(Watched::random(&mut random, &mut fixture));
            }
            transact(&mut random, &mut fixture, &mut model, &mut players);
            for one in &mut watched {
                let ops = fixture.ops_json(&one.subscribed);
                one.fold(&ops);
                let wanted = one.wanted(&model);
                let fresh = fixture.rows_json(&one.subscribed);
                assert_eq!(
                    fresh,
                    Json::Array(wanted.clone()),
                    "seed {seed} step {step}"
                );
                let by_key = wanted.iter().map(|row| (row[0].as_u64().unwrap(), row));
                let by_key: BTreeMap<u64, Json> =
                    by_key.map(|(key, row)| (key, row.clone())).collect();
                assert_eq!(one.folded, by_key, "seed {seed} step {step}");
                compared += 1;
                let has_changed = ops != json!([]) && !wanted.is_empty();
                changed += usize::from(has_changed);
                deep += usize::from(has_changed && one.offset >= 100);
            }
        }
        let mut instances = fixture.live.instances.iter();
        assert!(
            instances.all(|(_, instance)| matches!(instance.memory, Memory::Window(_))),
            "windows keep bounds and no rows"
        );
    }
    println!("{compared} compared, {changed} of them changed, {deep} of those deep");
    assert!(compared > 5000 && changed * 8 > compared && deep > 400);
}

#[test]
fn counts_and_pages_come_from_the_counts_of_an_index() {
    let mut random = Random(77);
    let (mut fixture, mut model) = scores(&mut random);
    let mut players = Players::new();
    for _ in 0..20 {
        transact(&mut random, &mut fixture, &mut model, &mut players);
        let (room, low, id) = (
            random.below(4),
            random.below(400) as i32 - 200,
            random.below(ROWS),
        );
        let count = |is_in: &dyn Fn(&Score) -> bool| {
            json!([[model.values().filter(|row| is_in(row)).count().to_string()]])
        };
        let check = |sql: &str, wanted: Json| {
            let given = json!({"room": room, "low": low, "id": id});
            let used = ["room", "low", "id"].into_iter();
            let used = used.filter(|name| sql.contains(&format!(":{name}")));
            let given: Json = used
                .map(|name| (name.to_owned(), given[name].clone()))
                .collect();
            assert_eq!(fixture.once(sql, given).unwrap(), wanted, "{sql}");
        };
        let from = "SELECT COUNT(*) FROM scores";
        check(from, count(&|_| true));
        check(
            &format!("{from} WHERE room = :room"),
            count(&|row| row.0 == room),
        );
        let sql = format!("{from} WHERE room = :room AND score > :low");
        check(&sql, count(&|row| row.0 == room && row.1 > low));
        let sql = format!("{from} WHERE room = :room AND score <= :low AND NOT hidden");
        check(&sql, count(&|row| row.0 == room && row.1 <= low && !row.2));
        let sql = format!("{from} WHERE room = :room AND :low > score");
        check(&sql, count(&|row| row.0 == room && row.1 < low));
        let Some(me) = model.get(&id) else { continue };
        let ahead = model.values().filter(|row| row.0 == me.0 && row.1 > me.1);
        let sql = "SELECT r FROM (SELECT id, RANK() OVER (PARTITION BY room ORDER BY score DESC) AS r \
                   FROM scores) AS x WHERE id = :id";
        check(sql, json!([[(ahead.count() + 1).to_string()]]));
        let page = random.below(600);
        let sql = format!(
            "SELECT id FROM scores WHERE room = :room ORDER BY score DESC LIMIT 4 OFFSET {page}"
        );
        let mut rows: Vec<_> = model.iter().filter(|(_, row)| row.0 == room).collect();
        rows.sort_by_key(|(id, row)| std::cmp::Reverse((row.1, **id)));
        let rows = rows.iter().skip(page as usize).take(4);
        check(&sql, rows.map(|(id, _)| json!([id])).collect());
    }
}
