//! Decimals and JSON in groups, joins, unions and orders, once and live.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use syncline_protocol::Decimal;
use syncline_protocol::message::ResultDescription;

use crate::tests::{Fixture, Write, admin, ordered, table, unpack, with_index};

fn sales() -> Fixture {
    let sales = table("sale", "id u32, shop u32, amount decimal?, doc json", 1);
    let sales = ordered(
        with_index(sales, "shop", syncline_protocol::IndexKind::Hash),
        "amount",
    );
    let shops = table("shop", "number decimal, name string", 1);
    let mut fixture = Fixture::new(vec![sales, shops]);
    fixture.insert(
        "sale",
        &[
            json!([1, 1, "0.10", {"k": "a", "n": 1}]),
            json!([2, 1, "0.2", {"n": 1.0, "k": "a"}]),
            json!([3, 2, "-5", {"k": "b", "n": 10}]),
            json!([4, 2, null, [1]]),
            json!([5, 2, "0.1", {"k": "b", "n": 9}]),
        ],
    );
    fixture.insert("shop", &[json!(["1.0", "one"]), json!(["2.5", "none"])]);
    fixture
}

/// Queries that are live too, and their rows.
#[rustfmt::skip]
fn queries() -> Vec<(&'static str, Json)> {
    vec![
        ("SELECT sum(amount), avg(amount), min(amount), max(amount), count(DISTINCT amount) FROM sale",
         json!([["-4.6", "-1.15", "-5", "0.2", "3"]])),
        ("SELECT shop, sum(amount), sum(DISTINCT amount), avg(amount) FROM sale GROUP BY shop",
         json!([[1, "0.3", "0.3", "0.15"], [2, "-4.9", "-4.9", "-2.45"]])),
        ("SELECT amount, count(*) FROM sale GROUP BY amount",
         json!([["-5", "1"], ["0.1", "2"], ["0.2", "1"], [null, "1"]])),
        ("SELECT doc, count(*) FROM sale GROUP BY doc HAVING count(*) > 1", json!([[{"k": "a", "n": 1}, "2"]])),
        ("SELECT doc ->> 'k' AS k, sum(CAST(doc -> 'n' AS bigint)) FROM sale GROUP BY doc ->> 'k'",
         json!([["a", "2"], ["b", "19"], [null, null]])),
        ("SELECT DISTINCT doc FROM sale WHERE shop = 1", json!([[{"k": "a", "n": 1}]])),
        ("SELECT DISTINCT doc -> 'k' FROM sale", json!([["a"], ["b"], [null]])),
        ("SELECT id FROM sale WHERE amount = 0.1 AND shop = 2", json!([[5]])),
        ("SELECT id FROM sale WHERE amount > 0.1 AND shop IN (1, 2)", json!([[2]])),
        ("SELECT id FROM sale WHERE doc ->> 'k' = 'b' AND shop = 2", json!([[3], [5]])),
        ("SELECT id FROM sale WHERE doc = '{\"k\":\"a\",\"n\":1}' AND shop = 1", json!([[1], [2]])),
        ("SELECT s.id, p.name FROM sale s JOIN shop p ON p.number = s.shop", json!([[1, "one"], [2, "one"]])),
        ("SELECT amount AS x FROM sale UNION SELECT number FROM shop",
         json!([["-5"], ["0.1"], ["0.2"], ["1"], ["2.5"], [null]])),
        ("SELECT amount AS x FROM sale UNION SELECT shop FROM sale",
         json!([["-5"], ["0.1"], ["0.2"], ["1"], ["2"], [null]])),
    ]
}

fn sorted(rows: &Json) -> Vec<String> {
    let mut rows: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(Json::to_string)
        .collect();
    rows.sort();
    rows
}

#[test]
fn decimals_and_json_group_join_and_unite() {
    let fixture = sales();
    for (sql, wanted) in queries() {
        let rows = fixture
            .once(sql, json!({}))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(sorted(&rows), sorted(&wanted), "{sql}");
    }
    let sql = "SELECT id FROM sale ORDER BY amount, doc ->> 'k' DESC, id";
    assert_eq!(
        fixture.once(sql, json!({})).unwrap(),
        json!([[4], [3], [5], [1], [2]])
    );
    let sql = "SELECT id FROM sale ORDER BY CAST(doc -> 'n' AS f64) DESC, id LIMIT 2";
    assert_eq!(fixture.once(sql, json!({})).unwrap(), json!([[3], [5]]));
}

/// What a client has: rows by their key, both as JSON.
type Held = BTreeMap<String, Vec<Json>>;

fn key_of(description: &ResultDescription, row: &[Json]) -> String {
    let key = description
        .key
        .iter()
        .map(|column| row[usize::from(*column)].clone());
    Json::Array(key.collect()).to_string()
}

fn fold(description: &ResultDescription, held: &mut Held, ops: &Json) {
    for op in ops.as_array().unwrap() {
        let row = || op[1].as_array().unwrap().clone();
        let key = op[1].to_string();
        match op[0].as_str().unwrap() {
            "insert" => assert!(held.insert(key_of(description, &row()), row()).is_none()),
            "delete" => assert!(held.remove(&key).is_some(), "a delete of nothing"),
            _ => {
                let row = held.get_mut(&key).expect("an update of a row");
                for (name, value) in op[2].as_object().unwrap() {
                    let mut columns = description.columns.iter();
                    row[columns.position(|column| column.name == *name).unwrap()] = value.clone();
                }
            }
        }
    }
}

/// The visible columns of rows.
fn visible<'r>(description: &ResultDescription, rows: impl Iterator<Item = &'r Vec<Json>>) -> Json {
    rows.map(|row| {
        let columns = row.iter().zip(&description.columns);
        columns
            .filter(|(_, column)| !column.hidden)
            .map(|(value, _)| value.clone())
            .collect::<Json>()
    })
    .collect()
}

#[test]
fn live_results_follow() {
    let mut fixture = sales();
    let mut watched = Vec::new();
    for (sql, wanted) in queries() {
        let subscribed = fixture
            .subscribe(sql, json!({}))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = fixture.rows_json(&subscribed);
        let rows = rows
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_array().unwrap().clone());
        let description = &subscribed.description;
        let held: Held = rows.map(|row| (key_of(description, &row), row)).collect();
        assert_eq!(
            sorted(&visible(description, held.values())),
            sorted(&wanted),
            "{sql}"
        );
        watched.push((sql, subscribed, held));
    }
    let nines = "99999999999999999999999999999999999999";
    let tiny = "0.00000000000000000000000000000000000001";
    let insert = |row: Json| Write::Insert("sale", row);
    let steps = [
        vec![insert(json!([6, 1, nines, {"k": "a", "n": 1}]))],
        // No sum holds this.
        vec![insert(json!([7, 1, nines, "x"]))],
        vec![
            Write::Delete("sale", json!([6])),
            Write::Delete("sale", json!([7])),
        ],
        vec![Write::Update(
            "sale",
            json!([1, 2, tiny, {"k": "b", "n": 3}]),
        )],
        vec![
            Write::Delete("sale", json!([3])),
            Write::Delete("sale", json!([5])),
        ],
        vec![
            Write::Insert("shop", json!(["2", "two"])),
            Write::Delete("shop", json!(["1"])),
        ],
    ];
    let mut changed = 0;
    for writes in steps {
        fixture.commit(&writes);
        for (sql, subscribed, held) in &mut watched {
            let ops = fixture.ops_json(subscribed);
            changed += usize::from(ops != json!([]));
            fold(&subscribed.description, held, &ops);
            let asked = fixture.once(sql, json!({})).unwrap();
            let shown = visible(&subscribed.description, held.values());
            assert_eq!(sorted(&shown), sorted(&asked), "{sql}");
        }
    }
    assert!(
        changed > 40,
        "of {} looks only {changed} saw a change",
        6 * watched.len()
    );
}

#[test]
fn failures_are_counted_for_the_query_that_has_them() {
    let mut fixture = sales();
    let sound = "SELECT id, amount FROM sale WHERE shop = 1";
    let plain = "SELECT id, 1 / CAST(doc -> 'n' AS bigint) FROM sale WHERE shop = 1";
    let grouped = "SELECT sum(amount) FROM sale";
    for sql in [sound, plain, grouped] {
        fixture.subscribe(sql, json!({})).unwrap();
    }
    let before = fixture.parts().1.stats().counters.failures;
    let nines = "99999999999999999999999999999999999999";
    fixture.insert(
        "sale",
        &[
            json!([8, 1, nines, {"n": 0}]),
            json!([9, 1, nines, {"n": "x"}]),
        ],
    );
    assert!(fixture.parts().1.stats().counters.failures > before);
    let counted = |fixture: &mut Fixture, sql: &str| -> u64 {
        let (db, live) = fixture.parts();
        let mut found = Vec::new();
        let mut sink = |row: &[u8]| found.push(row.to_vec());
        let sql = format!("EXPLAIN LIVE {sql}");
        let description = live
            .explain(db, sql.as_str(), &[], &admin(), &mut sink)
            .unwrap()
            .unwrap();
        let rows = found.iter().map(|row| unpack(description.types(), row));
        let mut rows = rows.filter(|row| row[1] == "failed expressions");
        rows.next().unwrap()[2].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(counted(&mut fixture, sound), 0);
    // 1 / 0, and a cast of a text.
    assert_eq!(counted(&mut fixture, plain), 2);
    assert_eq!(counted(&mut fixture, grouped), 1);
    fixture.insert("sale", &[json!([10, 2, "1", {"n": 1}])]);
    assert_eq!(counted(&mut fixture, plain), 2);
}

/// Sums of decimals of every size, kept live through changes, against integers of 10^-9.
#[test]
fn live_sums_of_decimals_equal_a_model() {
    let tables = || {
        vec![table(
            "sale",
            "id u32, shop u32, amount decimal?, doc json",
            1,
        )]
    };
    for seed in 1..=6_u64 {
        let mut fixture = Fixture::new(tables());
        let sql = "SELECT shop, sum(amount) AS s, avg(amount) AS a, min(amount) AS l, max(amount) AS m, \
                   count(DISTINCT amount) AS d, count(amount) AS n FROM sale GROUP BY shop";
        let subscribed = fixture.subscribe(sql, json!({})).unwrap();
        let mut held = Held::new();
        let mut model: BTreeMap<u32, (u32, Option<i128>)> = BTreeMap::new();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut below = |end: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % end
        };
        for _ in 0..150 {
            let id = below(40) as u32;
            let size = 10_i128.pow(below(22) as u32);
            let units = (i128::from(below(2001)) - 1000) * size;
            let amount = (below(8) > 0).then_some(units);
            let shop = below(3) as u32;
            let text = amount.map(|units| Decimal::new(units, 9).unwrap().to_string());
            let row = json!([id, shop, text, null]);
            let write = match (model.contains_key(&id), below(3)) {
                (true, 0) => {
                    model.remove(&id);
                    Write::Delete("sale", json!([id]))
                }
                (is_there, _) => {
                    model.insert(id, (shop, amount));
                    if is_there {
                        Write::Update("sale", row)
                    } else {
                        Write::Insert("sale", row)
                    }
                }
            };
            fixture.commit(&[write]);
            let ops = fixture.ops_json(&subscribed);
            fold(&subscribed.description, &mut held, &ops);
            let shown = visible(&subscribed.description, held.values());
            assert_eq!(sorted(&shown), sorted(&expected(&model)), "seed {seed}");
        }
    }
}

/// What the query of the test above says of the model.
fn expected(model: &BTreeMap<u32, (u32, Option<i128>)>) -> Json {
    let mut shops: BTreeMap<u32, Vec<i128>> = BTreeMap::new();
    for (shop, units) in model.values() {
        shops.entry(*shop).or_default().extend(units);
    }
    let decimal = |units: i128| Decimal::new(units, 9).unwrap();
    let rows = shops.into_iter().map(|(shop, mut units)| {
        let count = units.len();
        let total: i128 = units.iter().sum();
        units.sort_unstable();
        let ends = (units.first().copied(), units.last().copied());
        units.dedup();
        let some = |value: Option<Decimal>| value.filter(|_| count > 0).map(|v| v.to_string());
        json!([
            shop,
            some(Some(decimal(total))),
            some(decimal(total).checked_div(Decimal::from(count as u64))),
            some(ends.0.map(decimal)),
            some(ends.1.map(decimal)),
            units.len().to_string(),
            count.to_string(),
        ])
    });
    Json::Array(rows.collect())
}
