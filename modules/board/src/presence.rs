//! Who is here: painters come and go with their connections.

use syncline::prelude::*;

use crate::{COLORS, CursorAccess, HEIGHT, MessageAccess, Painter, PainterAccess};
use crate::{Message, Pixel, PixelAccess, WIDTH};

/// First halves of the names of strangers.
const ADJECTIVES: [&str; 12] = [
    "Amber", "Brisk", "Calm", "Daring", "Eager", "Gentle", "Lucky", "Merry", "Nimble", "Quiet",
    "Sunny", "Witty",
];
/// Second halves.
const ANIMALS: [&str; 12] = [
    "Badger", "Crane", "Dolphin", "Finch", "Heron", "Ibex", "Lynx", "Marten", "Otter", "Puffin",
    "Robin", "Wren",
];
/// Painted at the first publish, so that the board is not empty: a heart, row by row.
const HEART: [&str; 6] = [
    ".##.##.", "#######", "#######", ".#####.", "..###..", "...#...",
];
/// The color of the heart.
const HEART_COLOR: u8 = 4;

/// Paints a heart in the middle and says hello.
#[reducer(init)]
pub(crate) fn init(ctx: &Context) -> Result<(), WriteError> {
    let left = WIDTH / 2 - 3;
    let top = HEIGHT / 2 - 3;
    for (y, row) in (top..).zip(HEART) {
        for (x, dot) in (left..).zip(row.bytes()) {
            if dot == b'#' {
                let position = u32::from(y) * u32::from(WIDTH) + u32::from(x);
                let (color, painter) = (HEART_COLOR, ctx.caller());
                ctx.db().pixel().insert(Pixel {
                    position,
                    x,
                    y,
                    color,
                    painter,
                })?;
            }
        }
    }
    ctx.db().message().insert(Message {
        id: 0,
        author: ctx.caller(),
        name: "Syncline".to_owned(),
        text: "Pick a color and paint. Open a second window to see both at once.".to_owned(),
        sent_at: ctx.timestamp(),
    })?;
    Ok(())
}

/// One more connection of a painter, who may be new.
#[reducer(connected)]
pub(crate) fn connected(ctx: &Context) -> Result<(), WriteError> {
    let painter = ctx
        .db()
        .painter()
        .find(ctx.caller())
        .unwrap_or_else(|| stranger(ctx));
    let connections = painter.connections + 1;
    ctx.db().painter().upsert(Painter {
        connections,
        online: true,
        ..painter
    })?;
    Ok(())
}

/// One connection less; its cursor goes. With the last one the painter is offline.
#[reducer(disconnected)]
pub(crate) fn disconnected(ctx: &Context) -> Result<(), WriteError> {
    if let Some(connection) = ctx.connection() {
        ctx.db().cursor().delete(connection);
    }
    let Some(painter) = ctx.db().painter().find(ctx.caller()) else {
        return Ok(());
    };
    let connections = painter.connections.saturating_sub(1);
    ctx.db().painter().update(Painter {
        connections,
        online: connections > 0,
        ..painter
    })
}

/// Someone who has not been here, with a random name and color.
pub(crate) fn stranger(ctx: &Context) -> Painter {
    let random = ctx.random();
    let adjective = random.choose(&ADJECTIVES).expect("there are adjectives");
    let animal = random.choose(&ANIMALS).expect("there are animals");
    Painter {
        identity: ctx.caller(),
        name: format!("{adjective} {animal}"),
        // Color 0 is the color of the board.
        color: random.range(1..COLORS),
        painted: 0,
        online: false,
        connections: 0,
    }
}
