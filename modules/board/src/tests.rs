use syncline::prelude::*;
use syncline::testing::Database;

use super::presence::{connected, disconnected, init};
use super::{CursorAccess, Dot, MESSAGES_KEPT, MessageAccess, PainterAccess, PixelAccess};
use super::{hide_cursor, move_cursor, paint, paint_many, say, set_name};

fn open() -> Database {
    let mut database = Database::new();
    database.call(init).expect("the tables are empty");
    database.call(connected).expect("nobody is there yet");
    database
}

#[test]
fn painting_counts() {
    let mut database = open();
    assert_eq!(database.call(|ctx| paint(ctx, 95, 63, 15)), Ok(()));
    let stroke = vec![
        Dot {
            x: 0,
            y: 0,
            color: 1,
        },
        Dot {
            x: 0,
            y: 0,
            color: 2,
        },
    ];
    assert_eq!(database.call(|ctx| paint_many(ctx, stroke)), Ok(()));
    let pixel = database
        .run(|ctx| ctx.db().pixel().find(0))
        .expect("it was painted");
    assert_eq!((pixel.color, pixel.painter), (2, database.caller));
    assert!(database.run(|ctx| ctx.db().pixel().contains(64 * 96 - 1_u32)));

    let dots = vec![
        Dot {
            x: 5,
            y: 5,
            color: 1,
        },
        Dot {
            x: 96,
            y: 0,
            color: 1,
        },
    ];
    assert!(
        database
            .call(|ctx| paint_many(ctx, dots))
            .is_err_and(|text| text.contains("(96, 0)"))
    );
    assert!(database.call(|ctx| paint(ctx, 0, 64, 1)).is_err());
    assert!(database.call(|ctx| paint(ctx, 0, 0, 16)).is_err());
    let flood = vec![
        Dot {
            x: 0,
            y: 0,
            color: 1
        };
        257
    ];
    assert!(database.call(|ctx| paint_many(ctx, flood)).is_err());
    assert!(
        !database.run(|ctx| ctx.db().pixel().contains(5 * 96 + 5_u32)),
        "all or nothing"
    );

    let leader = database.run(|ctx| ctx.db().painter().by_painted().rev().iter().next());
    assert_eq!(leader.map(|painter| painter.painted), Some(3));
}

#[test]
fn presence_follows_connections() {
    let mut database = open();
    let state = |ctx: &Context| {
        let painter = ctx
            .db()
            .painter()
            .find(ctx.caller())
            .expect("they have connected");
        (
            painter.online,
            painter.connections,
            ctx.db().cursor().count(),
        )
    };
    database.connection = ConnectionId([2; 16]);
    database.call(connected).expect("a second tab");
    assert_eq!(database.call(|ctx| move_cursor(ctx, 1.5, 2.0)), Ok(()));
    assert_eq!(database.run(state), (true, 2, 1));
    database.call(disconnected).expect("the second tab goes");
    assert_eq!(database.run(state), (true, 1, 0), "its cursor goes with it");
    database.connection = ConnectionId([1; 16]);
    assert_eq!(database.call(|ctx| move_cursor(ctx, 1.5, 2.0)), Ok(()));
    assert_eq!(database.call(hide_cursor), Ok(()));
    database.call(disconnected).expect("the first tab goes");
    assert_eq!(database.run(state), (false, 0, 0));
    for (x, y) in [
        (-1.0, 0.0),
        (0.0, 64.5),
        (f32::NAN, 0.0),
        (f32::INFINITY, 0.0),
    ] {
        assert!(
            database.call(|ctx| move_cursor(ctx, x, y)).is_err(),
            "({x}, {y})"
        );
    }
    database.connection = ConnectionId::default();
    assert!(
        database.call(|ctx| move_cursor(ctx, 1.0, 1.0)).is_err(),
        "HTTP has no cursor"
    );
}

#[test]
fn names_and_messages_are_checked() {
    let mut database = open();
    assert_eq!(database.call(|ctx| move_cursor(ctx, 1.0, 1.0)), Ok(()));
    assert_eq!(
        database.call(|ctx| set_name(ctx, "  Ada ".to_owned())),
        Ok(())
    );
    let cursor = database
        .run(|ctx| ctx.db().cursor().iter().next())
        .expect("it was moved");
    assert_eq!(cursor.name, "Ada");
    for name in ["", "   ", "two\nlines", &"x".repeat(25)] {
        assert!(
            database.call(|ctx| set_name(ctx, name.to_owned())).is_err(),
            "{name:?}"
        );
    }
    assert_eq!(database.call(|ctx| say(ctx, "ä".repeat(280))), Ok(()));
    assert!(database.call(|ctx| say(ctx, "ä".repeat(281))).is_err());
    let latest = database.run(|ctx| ctx.db().message().by_sent_at().rev().iter().next());
    assert_eq!(latest.map(|message| message.name), Some("Ada".to_owned()));
}

#[test]
fn old_messages_go() {
    let mut database = open();
    for number in 0..MESSAGES_KEPT + 5 {
        assert_eq!(database.call(|ctx| say(ctx, number.to_string())), Ok(()));
    }
    assert_eq!(
        database.run(|ctx| ctx.db().message().count()),
        MESSAGES_KEPT
    );
    let oldest = database.run(|ctx| ctx.db().message().by_sent_at().iter().next());
    assert_eq!(oldest.map(|message| message.text), Some("5".to_owned()));
}
