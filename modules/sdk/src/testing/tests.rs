use super::Database;
use crate::log;
use crate::prelude::*;

#[table]
#[derive(Clone, Debug, PartialEq)]
struct Note {
    #[primary_key]
    #[auto_increment]
    id: u32,
    text: String,
}

fn write(ctx: &Context, text: &str) -> Result<u32, WriteError> {
    Ok(ctx
        .db()
        .note()
        .insert(Note {
            id: 0,
            text: text.to_owned(),
        })?
        .id)
}

#[test]
fn an_error_rolls_back_and_keeps_the_log() {
    let mut database = Database::new();
    assert_eq!(database.call(|ctx| write(ctx, "kept")), Ok(1));
    let failed: Result<(), String> = database.call(|ctx| {
        write(ctx, "lost")?;
        log::warn!("about to fail with {}", 2);
        log::error!("constant");
        Err("failed".to_owned())
    });
    assert_eq!(failed, Err("failed".to_owned()));
    let log = [
        (log::Level::Warn, "about to fail with 2"),
        (log::Level::Error, "constant"),
    ];
    assert_eq!(
        database.take_log(),
        log.map(|(level, line)| (level, line.to_owned()))
    );
    assert_eq!(database.take_log(), []);
    assert_eq!(database.run(|ctx| ctx.db().note().count()), 1);
    assert_eq!(
        database.call(|ctx| write(ctx, "next")),
        Ok(2),
        "the number was not used"
    );
}

#[test]
fn calls_differ_in_time_and_seed() {
    let draw = |ctx: &Context| (ctx.timestamp(), ctx.random().next_u64());
    let mut database = Database::new();
    let (first, second) = (database.run(draw), database.run(draw));
    assert_eq!(second.0 - first.0, Duration::from_millis(1));
    assert_ne!(first.1, second.1);
    let mut again = Database::new();
    assert_eq!(again.run(draw), first, "but not from run to run");
}

#[test]
fn long_rows_and_many_rows_come_back() {
    let mut database = Database::new();
    let lengths: Vec<_> = (0..40).map(|n| (n * n * n * n) % 200_000).collect();
    for &len in &lengths {
        database
            .call(|ctx| write(ctx, &"x".repeat(len)))
            .expect("there is room");
    }
    let read = |ctx: &Context| {
        let by_scan: Vec<_> = ctx.db().note().iter().map(|note| note.text.len()).collect();
        let by_key: Vec<_> = (1..=40)
            .filter_map(|id: u32| Some(ctx.db().note().find(id)?.text.len()))
            .collect();
        assert_eq!(by_scan, by_key);
        by_key
    };
    assert_eq!(database.run(read), lengths);
    assert_eq!(database.run(|ctx| ctx.db().note().iter().count()), 40);
    assert_eq!(database.run(|ctx| ctx.db().note().clear()), 40);
    assert!(database.run(|ctx| ctx.db().note().iter().next().is_none()));
}

#[test]
#[should_panic(expected = "tables exist inside a Syncline server")]
fn there_are_no_tables_outside_a_transaction() {
    let context = Context::new(
        Identity::default(),
        ConnectionId::default(),
        Timestamp::UNIX_EPOCH,
        [0; 32],
    );
    context.db().note().count();
}
