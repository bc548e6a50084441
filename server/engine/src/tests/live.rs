//! Live queries of many clients: shared first answers, budgets, quotas. Rows come by imports.

use std::collections::BTreeMap;

use syncline_protocol::limits::IDENTITY_SCANNED_MAX;
use syncline_protocol::message::{OwnedQueryForm, Snapshot};
use syncline_protocol::param::Param;
use syncline_protocol::{ColumnDef, IndexDef, IndexKind, Schema, TableDef, Type, ViewDef};

use super::*;
use crate::{Budgets, Import, ImportMode, QueryText};

const GROUPS: &str = "SELECT room, COUNT(*) AS n FROM message GROUP BY room";

fn table(name: &str, columns: &[(&str, Type)], indexed: u16) -> TableDef {
    let column = |(name, ty): &(&str, Type)| ColumnDef {
        name: (*name).into(),
        ty: ty.clone(),
    };
    let index = IndexDef {
        name: "own".into(),
        columns: vec![indexed],
        kind: IndexKind::Hash,
        unique: false,
    };
    TableDef {
        name: name.into(),
        columns: columns.iter().map(column).collect(),
        primary_key: vec![0],
        indexes: vec![index],
        auto_increment: None,
        public: true,
    }
}

/// An engine with messages and members, both by room.
pub(super) fn chat(budgets: Budgets) -> Bench {
    let mut bench = Bench::new();
    let columns = [("id", Type::U32), ("room", Type::U32)];
    let view = ViewDef {
        name: "newest".into(),
        params: vec![],
        sql: "SELECT id FROM message ORDER BY id DESC LIMIT 10".into(),
    };
    let schema = Schema {
        tables: vec![
            table("message", &columns, 1),
            table("member", &columns, 1),
            table("note", &[("id", Type::U32), ("text", Type::String)], 0),
        ],
        reducers: vec![],
        views: vec![view],
        ..Schema::default()
    };
    let database = bench.engine.database.as_mut().unwrap();
    let schema = database.schema().evolve(schema, [0; 32], false).unwrap();
    database.install(schema.clone()).unwrap();
    bench.engine.set_schema(&schema);
    bench.engine.budgets = budgets;
    bench.engine.live.set_budgets(budgets);
    bench
}

pub(super) fn join(index: u32, identity: u8, admin: bool, encoding: Encoding) -> Command {
    let Command::Connect(mut command) = connect(0, Delivery::Unconfirmed) else {
        unreachable!()
    };
    command.conn = conn(index);
    command.connection.0[..4].copy_from_slice(&index.to_le_bytes());
    command.identity = Identity([identity; 32]);
    (command.admin, command.encoding) = (admin, encoding);
    Command::Connect(command)
}

pub(super) fn subscribe(index: u32, id: u32, sql: &str, params: &[(&str, i128)]) -> Command {
    let params = params
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Param::Int(*value)));
    let query = QueryText {
        form: OwnedQueryForm::Sql(sql.into()),
        params: params.collect(),
        claims: syncline_protocol::Claims::NONE,
    };
    Command::Subscribe {
        conn: conn(index),
        id,
        query: Box::new(query),
    }
}

pub(super) fn write(bench: &mut Bench, table: &str, rows: impl Iterator<Item = (u32, u32)>) {
    let id = bench.engine.database().schema().table_id(table).unwrap();
    let def = bench.engine.database().table(id).unwrap().def().clone();
    let (mut packed, mut ends) = (Vec::new(), Vec::new());
    for (id, room) in rows {
        packed.extend_from_slice(&id.to_le_bytes());
        packed.extend_from_slice(&room.to_le_bytes());
        ends.push(packed.len());
    }
    bench.step([Command::Import(Box::new(Import {
        ticket: Ticket(1),
        identity: Identity([1; 32]),
        table: id,
        def: Arc::new(def),
        rows: packed,
        ends,
        mode: ImportMode::Insert,
    }))]);
    let answer = bench.answers.pop();
    assert!(answer.is_none_or(|(_, answer)| matches!(answer, Answer::Imported(_))));
}

impl Bench {
    /// The code of each error by connection and request.
    pub(super) fn errors(&self) -> BTreeMap<(u32, u32), String> {
        let errors = self
            .sent
            .iter()
            .filter_map(|(conn, message)| match message {
                ServerMessage::Reply(reply) => {
                    let error = reply.error.as_ref()?;
                    Some(((conn.index, reply.id), error.code.clone()))
                }
                _ => None,
            });
        errors.collect()
    }

    pub(super) fn snapshots(&self) -> Vec<&Snapshot> {
        let snapshots = self.sent.iter().filter_map(|(_, message)| match message {
            ServerMessage::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        });
        snapshots.collect()
    }
}

#[test]
fn ten_thousand_who_open_one_page_cost_one_evaluation() {
    let mut bench = chat(Budgets {
        idle_ticks: u64::MAX,
        ..Budgets::default()
    });
    write(&mut bench, "message", (0..50).map(|id| (id, id % 5)));
    let count = 10_000;
    for start in (0..count).step_by(500) {
        let range = start..start + 500;
        let joins = range
            .clone()
            .map(|n| join(n, n as u8, false, Encoding::MessagePack));
        bench.step(joins);
        bench.step(range.map(|n| subscribe(n, n + 1, GROUPS, &[])));
    }
    let counters = bench.engine.counters();
    assert_eq!((counters.snapshots, counters.evaluations), (10_000, 1));
    let snapshots = bench.snapshots();
    assert_eq!(snapshots.len(), 10_000);
    for (snapshot, id) in snapshots.iter().zip(1..) {
        assert_eq!(snapshot.id, id);
        let lsn = snapshots[0].lsn.max(snapshot.lsn);
        assert_eq!(snapshot.lsn, lsn, "as new as the last transaction");
        let same = Snapshot {
            id,
            lsn,
            ..snapshots[0].clone()
        };
        assert_eq!(**snapshot, same);
    }
    assert_eq!(snapshots[0].row_count, 5);
    // A change makes the next one pay, and those behind it not.
    bench.sent.clear();
    write(&mut bench, "message", [(50, 9)].into_iter());
    let commits = bench.sent.drain(..);
    assert_eq!(commits.count(), 10_000);
    bench.step([
        join(count, 1, false, Encoding::MessagePack),
        join(count + 1, 1, false, Encoding::MessagePack),
    ]);
    bench.step([
        subscribe(count, 1, GROUPS, &[]),
        subscribe(count + 1, 1, GROUPS, &[]),
    ]);
    let rows: Vec<u32> = bench.snapshots().iter().map(|s| s.row_count).collect();
    assert_eq!(rows, [6, 6]);
    assert_eq!(bench.engine.counters().evaluations, 2);
}

#[test]
fn a_kept_answer_is_the_same_in_json() {
    let mut bench = chat(Budgets {
        idle_ticks: u64::MAX,
        ..Budgets::default()
    });
    write(&mut bench, "message", (0..50).map(|id| (id, id % 5)));
    let mut texts: Vec<String> = Vec::new();
    for n in 0..3 {
        let commands = [
            join(n, 1, false, Encoding::Json),
            subscribe(n, 1, GROUPS, &[]),
        ];
        let mut inbox: Inbox = commands.into_iter().collect();
        bench
            .engine
            .step(&mut inbox, 2_000, &mut |effects: &mut Effects| {
                for effect in effects.iter() {
                    if let EffectRef::Send { message, .. } = effect {
                        let text = String::from_utf8(message.to_vec()).unwrap();
                        if text.contains("snapshot") {
                            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                            texts.push(value["rows"].to_string());
                        }
                    }
                }
            });
    }
    assert_eq!(texts.len(), 3);
    assert!(
        texts[0].len() > 20 && texts.iter().all(|text| *text == texts[0]),
        "{texts:?}"
    );
    assert_eq!(bench.engine.counters().evaluations, 1);
}

#[test]
fn a_runaway_step_sends_a_reset() {
    let sql = "SELECT b.id, m.id AS message FROM member b JOIN message m ON m.room = b.room WHERE b.id = :me_";
    let mut bench = chat(Budgets::default());
    write(&mut bench, "message", (0..200).map(|id| (id, 1)));
    bench.step([0, 1].map(|n| join(n, n as u8, false, Encoding::MessagePack)));
    bench.step([0, 1].map(|n| subscribe(n, 1, sql, &[("me_", n.into())])));
    let handle = bench.snapshots()[1].handle;
    bench.engine.live.set_budgets(Budgets {
        step_rows: 100,
        ..Budgets::default()
    });
    bench.sent.clear();
    write(&mut bench, "member", [(1, 1)].into_iter());
    let [(to, ServerMessage::Reset(reset))] = bench.sent.as_slice() else {
        panic!("{:?}", bench.sent)
    };
    assert_eq!(
        (to.index, reset.handle, reset.row_count, reset.last),
        (1, handle, 200, true)
    );
    bench.sent.clear();
    write(&mut bench, "message", [(500, 1)].into_iter());
    let [(to, ServerMessage::Commit(commit))] = bench.sent.as_slice() else {
        panic!("{:?}", bench.sent)
    };
    assert_eq!((to.index, commit.deltas[0].handle), (1, handle));
    assert_eq!(bench.engine.counters().resets, 1);
}

#[test]
fn what_would_be_told_anew_after_too_much_else_ends() {
    let mut bench = chat(Budgets::default());
    bench.step([join(0, 1, false, Encoding::MessagePack)]);
    bench.step([1, 2].map(|id| {
        subscribe(
            0,
            id,
            "SELECT id FROM message WHERE room = :r",
            &[("r", id.into())],
        )
    }));
    let handles: Vec<u64> = bench.snapshots().iter().map(|one| one.handle).collect();
    write(&mut bench, "message", (0..30).map(|id| (id, 1 + id % 2)));
    bench.sent.clear();
    let lsn = bench.engine.log.last();
    bench.engine.tell_all_anew(&handles, 10, lsn);
    bench.step([]);
    let [(_, ServerMessage::Reset(reset)), _] = bench.sent.as_slice() else {
        panic!("{:?}", bench.sent)
    };
    assert_eq!((reset.handle, reset.row_count), (handles[0], 15));
    assert_eq!(
        bench.errors(),
        BTreeMap::from([((0, 2), "LIVE_LIMIT".to_owned())])
    );
    assert_eq!(bench.engine.live.stats().instances, 1);
}

/// What had no first answer is not kept for who comes back.
#[test]
fn without_a_first_answer_nothing_stays() {
    let mut bench = chat(Budgets {
        idle_ticks: u64::MAX,
        ..Budgets::default()
    });
    write(&mut bench, "message", (0..1100).map(|id| (id, 1)));
    bench.step([join(0, 1, false, Encoding::MessagePack)]);
    let sql = "SELECT a.id, b.id AS other FROM message a JOIN message b ON a.room = b.room";
    bench.step([subscribe(0, 1, sql, &[])]);
    assert_eq!(
        bench.errors(),
        BTreeMap::from([((0, 1), "QUERY_LIMIT".to_owned())])
    );
    assert_eq!(bench.engine.live.stats().instances, 0);
    assert_eq!(bench.engine.counters().subscriptions, 0);
}

#[test]
fn what_grows_over_the_budget_ends_with_an_error() {
    let mut bench = chat(Budgets {
        bytes: 10_000,
        ..Budgets::default()
    });
    bench.step([
        join(0, 1, false, Encoding::MessagePack),
        join(1, 2, false, Encoding::MessagePack),
    ]);
    let plain = "SELECT id FROM message WHERE room = 3";
    bench.step([
        subscribe(0, 7, GROUPS, &[]),
        subscribe(1, 8, GROUPS, &[]),
        subscribe(1, 9, plain, &[]),
    ]);
    write(&mut bench, "message", (0..1000).map(|id| (id, id)));
    let limit = "LIVE_LIMIT".to_owned();
    let expected = [((0, 7), limit.clone()), ((1, 8), limit)];
    assert_eq!(bench.errors(), BTreeMap::from(expected));
    assert_eq!(bench.engine.counters().subscriptions, 1);
    // The others go on, and who is ended can ask for less.
    bench.sent.clear();
    write(&mut bench, "message", [(5000, 3)].into_iter());
    assert!(matches!(&bench.sent[..], [(to, ServerMessage::Commit(_))] if to.index == 1));
    bench.step([subscribe(0, 10, plain, &[])]);
    assert!(bench.errors().is_empty());
}

#[test]
fn one_identity_leaves_room_for_others() {
    let scan = "SELECT * FROM message WHERE id + 0 > :n";
    let mut bench = chat(Budgets::default());
    bench.step(
        [(0, 1), (1, 1), (2, 2)]
            .map(|(n, identity)| join(n, identity, false, Encoding::MessagePack)),
    );
    let half = IDENTITY_SCANNED_MAX as u32 / 2;
    let many = |n: u32, from: u32| {
        (from..from + half).map(move |id| subscribe(n, id, scan, &[("n", id.into())]))
    };
    bench.step(many(0, 1).chain(many(1, 1 + half)));
    assert!(bench.errors().is_empty());
    // A known one costs nothing more; a new one is too many, on whatever connection; others are not concerned.
    bench.step([
        subscribe(1, 500, scan, &[("n", 1)]),
        subscribe(0, 501, scan, &[("n", 999)]),
        subscribe(1, 502, scan, &[("n", 999)]),
        subscribe(2, 503, scan, &[("n", 999)]),
    ]);
    let codes: Vec<_> = bench.errors().into_iter().collect();
    let limit = "LIVE_LIMIT".to_owned();
    assert_eq!(codes, [((0, 501), limit.clone()), ((1, 502), limit)]);
    // What ends gives back, and so does who goes.
    bench.sent.clear();
    let unsubscribe = Command::Unsubscribe {
        conn: conn(0),
        id: 600,
        subscription: 2,
    };
    bench.step([unsubscribe, subscribe(1, 601, scan, &[("n", 999)])]);
    assert!(bench.errors().is_empty());
    bench.step([Command::Disconnect(conn(0)), Command::Disconnect(conn(1))]);
    bench.step([join(3, 1, false, Encoding::MessagePack)]);
    bench.step(many(3, 1).chain(many(3, 1 + half)));
    assert!(bench.errors().is_empty());
}

pub(super) fn set_params(
    index: u32,
    id: u32,
    subscription: u32,
    name: &str,
    value: Param,
) -> Command {
    Command::SetParams {
        conn: conn(index),
        id,
        subscription,
        params: vec![(name.to_owned(), value)],
    }
}

#[test]
fn other_parameters_are_within_the_quotas() {
    let scan = "SELECT * FROM message WHERE id + 0 > :n";
    let mut bench = chat(Budgets::default());
    bench.step([join(0, 1, false, Encoding::MessagePack)]);
    let most = IDENTITY_SCANNED_MAX as u32;
    bench.step((1..=most).map(|id| subscribe(0, id, scan, &[("n", id.into())])));
    // A second one of the same instance costs nothing, until it moves to one of its own.
    bench.step([subscribe(0, 200, scan, &[("n", 1)])]);
    assert!(bench.errors().is_empty());
    bench.sent.clear();
    bench.step([set_params(0, 300, 200, "n", Param::Int(999))]);
    let limit = "LIVE_LIMIT".to_owned();
    assert_eq!(bench.errors(), BTreeMap::from([((0, 300), limit)]));
    bench.sent.clear();
    write(&mut bench, "message", [(600, 1)].into_iter());
    let [(_, ServerMessage::Commit(commit))] = bench.sent.as_slice() else {
        panic!("{:?}", bench.sent)
    };
    assert_eq!(commit.deltas.len(), most as usize, "all go on as they were");
    // Who leaves its instance alone takes its place along, and others are known.
    bench.sent.clear();
    bench.step([
        set_params(0, 301, 5, "n", Param::Int(999)),
        set_params(0, 302, 200, "n", Param::Int(999)),
        set_params(0, 303, 200, "n", Param::Int(7)),
    ]);
    assert!(bench.errors().is_empty(), "{:?}", bench.errors());
    bench.step([set_params(0, 304, 200, "n", Param::Int(5))]);
    assert_eq!(bench.errors().len(), 1);
    bench.step([Command::Disconnect(conn(0))]);
    assert_eq!(bench.engine.live.stats().instances, 0);
}

/// By what it compares a subscription is found, and by what with it is not.
#[test]
fn values_that_leave_nothing_out_count_as_well() {
    let sql = "SELECT id FROM note WHERE text LIKE :t";
    let mut bench = chat(Budgets::default());
    bench.step([join(0, 1, false, Encoding::MessagePack)]);
    let ask = |id: u32, text: String| {
        let query = QueryText {
            form: OwnedQueryForm::Sql(sql.into()),
            params: vec![("t".to_owned(), Param::Text(text))],
            claims: syncline_protocol::Claims::NONE,
        };
        let query = Box::new(query);
        let conn = conn(0);
        Command::Subscribe { conn, id, query }
    };
    let most = IDENTITY_SCANNED_MAX as u32;
    bench.step((1..=most).map(|id| ask(id, format!("%{id}"))));
    bench.step([ask(500, "a%".into())]);
    assert!(bench.errors().is_empty());
    bench.step([
        ask(501, "%x".into()),
        set_params(0, 502, 500, "t", Param::Text("%y".into())),
        set_params(0, 503, 500, "t", Param::Text("b%".into())),
    ]);
    let limit = "LIVE_LIMIT".to_owned();
    let expected = [((0, 501), limit.clone()), ((0, 502), limit)];
    assert_eq!(bench.errors(), BTreeMap::from(expected));
}

#[test]
fn without_adhoc_queries_only_views_are_live() {
    let mut bench = chat(Budgets {
        allow_adhoc: false,
        ..Budgets::default()
    });
    bench.step([
        join(0, 1, false, Encoding::MessagePack),
        join(1, 2, true, Encoding::MessagePack),
    ]);
    bench.step([
        subscribe(0, 1, "SELECT * FROM newest", &[]),
        subscribe(0, 2, "SELECT * FROM newest()", &[]),
        subscribe(0, 3, "SELECT id FROM newest", &[]),
        subscribe(0, 4, "SELECT * FROM newest WHERE id > 3", &[]),
        subscribe(0, 5, "SELECT * FROM message", &[]),
        subscribe(1, 6, "SELECT * FROM message", &[]),
    ]);
    let off = "ADHOC_LIVE_OFF".to_owned();
    let expected = [3, 4, 5].map(|id| ((0, id), off.clone()));
    assert_eq!(bench.errors(), BTreeMap::from(expected));
    assert_eq!(bench.snapshots().len(), 3);
}
