//! Sub-queries of live queries: what they cost, and NULL on both sides of an equality.

use serde_json::{Value as Json, json};
use syncline_protocol::IndexKind;
use syncline_protocol::limits::SCANNED_INSTANCES_MAX;

use crate::tests::{Fixture, Write, table, with_index};
use crate::{Budgets, Subscribed};

/// What the first query's flow keeps of the rows of the queries in its FROM: sets of columns.
fn kept_sets(fixture: &Fixture) -> Vec<Vec<Vec<u16>>> {
    let mut templates = fixture.live.templates.iter();
    let (_, template) = templates.next().unwrap();
    let nodes = &template.flow().unwrap().nodes;
    nodes.iter().map(|node| node.sets.clone()).collect()
}

#[test]
fn ways_that_lead_nowhere_keep_nothing() {
    let message = table("message", "id u32, room u32", 1);
    let member = with_index(
        table("member", "id u32, room u32, team u32", 1),
        "room",
        IndexKind::Hash,
    );
    let mut fixture = Fixture::new(vec![message, member]);
    // There would be a way from a member to the rooms, but not through the query in FROM beside it.
    let sql = "SELECT d.room, d.n FROM (SELECT room, count(*) AS n FROM message GROUP BY room) AS d \
               WHERE EXISTS (SELECT b.id FROM member AS b WHERE b.room = d.room \
                   UNION ALL SELECT q.id FROM (SELECT id, team FROM member) AS q WHERE q.team = d.room)";
    let (subscribed, _) = fixture.watch(sql, json!({}));
    let all_rows = vec![Vec::<u16>::new()];
    assert_eq!(kept_sets(&fixture), [all_rows, Vec::new()]);
    fixture.insert("message", &[json!([1, 5]), json!([2, 6]), json!([3, 5])]);
    assert_eq!(fixture.rows_json(&subscribed), json!([]));
    fixture.insert("member", &[json!([1, 4, 5])]);
    assert_eq!(fixture.ops_json(&subscribed), json!([["insert", [5, "2"]]]));
    fixture.insert("member", &[json!([2, 6, 7])]);
    assert_eq!(fixture.ops_json(&subscribed), json!([["insert", [6, "1"]]]));
}

#[test]
fn null_is_found_but_not_equal() {
    let one = with_index(table("one", "id u32, x u32?", 1), "x", IndexKind::Hash);
    let two = with_index(table("two", "id u32, x u32?", 1), "x", IndexKind::Hash);
    let mut fixture = Fixture::new(vec![one, two]);
    let (same, equal) = ("one.x IS NOT DISTINCT FROM two.x", "one.x = two.x");
    let asked = [(same, equal), (equal, same)].map(|(first, second)| {
        format!("SELECT one.id, two.id AS two FROM one JOIN two ON {first} AND {second}")
    });
    let all = asked.each_ref().map(|sql| fixture.watch(sql, json!({})).0);
    fixture.insert("one", &[json!([1, null]), json!([2, 7])]);
    fixture.insert("two", &[json!([3, null]), json!([4, 7])]);
    for (sql, one) in asked.iter().zip(&all) {
        assert_eq!(fixture.ops_json(one), json!([["insert", [2, 4]]]));
        assert_eq!(fixture.rows_json(one), json!([[2, 4]]));
        assert_eq!(fixture.once(sql, json!({})).unwrap(), json!([[2, 4]]));
    }
}

/// As many as may be of one form.
const CROWD: u32 = SCANNED_INSTANCES_MAX as u32;
const OTHERS: u32 = 2500;

/// A row for each of many people, who all ask `condition` about a table that is not small.
fn crowd(condition: &str) -> (Fixture, Vec<Subscribed>) {
    let own = with_index(
        table("a", "id u32, owner u32, x i64?", 1),
        "owner",
        IndexKind::Hash,
    );
    let mut fixture = Fixture::new(vec![own, table("b", "id u32, y i64?", 1)]);
    let rows: Vec<Json> = (0..CROWD)
        .map(|id| json!([id, id, id.to_string()]))
        .collect();
    fixture.insert("a", &rows);
    let others = (0..OTHERS).map(|id| json!([id, (10_000 + id).to_string()]));
    fixture.insert("b", &others.collect::<Vec<_>>());
    let sql = format!("SELECT id FROM a WHERE owner = :o AND {condition}");
    let people = 0..CROWD;
    let all = people.map(|owner| fixture.subscribe(&sql, json!({"o": owner})).unwrap());
    let all = all.collect();
    assert_eq!(fixture.live.stats().templates, 1);
    // Once for each of them would be many times as many, and they would all end.
    fixture.live.set_budgets(Budgets {
        step_rows: u64::from(10 * OTHERS),
        ..Budgets::default()
    });
    (fixture, all)
}

/// After a transaction: how many results it changed, and that many are what they are anew.
fn check(
    fixture: &mut Fixture,
    all: &[Subscribed],
    writes: &[Write],
    shown: &dyn Fn(u32) -> bool,
) -> usize {
    fixture.commit(writes);
    assert!(
        !fixture.live.is_unsettled(),
        "the sub-query is evaluated once in a step"
    );
    let before = fixture.live.stats().counters.affected;
    for (owner, one) in (0..).zip(all).filter(|(owner, _)| owner % 16 < 8) {
        let wanted = if shown(owner) {
            json!([[owner]])
        } else {
            json!([])
        };
        assert_eq!(fixture.rows_json(one), wanted, "of {owner}");
    }
    assert_eq!(fixture.live.stats().counters.affected, before);
    for (handle, _) in fixture.deltas.iter() {
        let owner = all.iter().position(|one| one.handle == handle).unwrap();
        let owner = owner as u32;
        let op = if shown(owner) { "insert" } else { "delete" };
        assert_eq!(
            fixture.ops_json(&all[owner as usize]),
            json!([[op, [owner]]])
        );
    }
    fixture.deltas.len()
}

#[test]
fn not_in_is_asked_once_for_a_crowd() {
    let (mut fixture, all) = crowd("x NOT IN (SELECT y FROM b)");
    let insert = |id: u32, y: Json| Write::Insert("b", json!([id, y]));
    let everyone = CROWD as usize;
    let mut check =
        |writes: &[Write], shown: &dyn Fn(u32) -> bool| check(&mut fixture, &all, writes, shown);
    assert_eq!(check(&[insert(9000, json!("5"))], &|owner| owner != 5), 1);
    assert_eq!(
        check(&[insert(9001, json!("20000"))], &|owner| owner != 5),
        0
    );
    assert_eq!(check(&[insert(9002, Json::Null)], &|_| false), everyone - 1);
    let back = [
        Write::Delete("b", json!([9002])),
        Write::Update("b", json!([9000, "7"])),
    ];
    assert_eq!(check(&back, &|owner| owner != 7), everyone - 1);
}

#[test]
fn exists_is_asked_once_for_a_crowd() {
    let (mut fixture, all) = crowd("EXISTS (SELECT id FROM b WHERE y < 0 OR y > 1000000)");
    let everyone = CROWD as usize;
    let mut check = |write: Write, shown: bool| check(&mut fixture, &all, &[write], &|_| shown);
    assert_eq!(check(Write::Insert("b", json!([9000, "5"])), false), 0);
    assert_eq!(
        check(Write::Insert("b", json!([9001, "-5"])), true),
        everyone
    );
    assert_eq!(check(Write::Insert("b", json!([9002, "2000000"])), true), 0);
    assert_eq!(check(Write::Delete("b", json!([9001])), true), 0);
    assert_eq!(check(Write::Delete("b", json!([9002])), false), everyone);
}
