//! The demo: a board of pixels that everybody paints on, with cursors, a chat and a table of the most
//! diligent painters.
//!
//! - `pixel`: what was painted, by whom. A pixel that nobody has painted is not there.
//! - `painter`: everybody who has been here, with how much they painted (the leaderboard reads the 10 first
//!   of `by_painted`) and over how many connections they are here.
//! - `cursor`: where each connection points at; gone when the connection is.
//! - `message`: what was said.
//!
//! The page says what went wrong with the text of the error, so the errors are written for people.

use syncline::prelude::*;

mod presence;

/// Pixels from left to right.
const WIDTH: u16 = 96;
/// Pixels from top to bottom.
const HEIGHT: u16 = 64;
/// Colors are numbers of the page's palette.
const COLORS: u8 = 16;
/// Pixels that one call may paint: a stroke between two frames, not a flood.
const PAINT_MANY_MAX: usize = 256;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 24;
/// Characters of a message.
const TEXT_CHARS_MAX: usize = 280;
/// Messages that are kept; the oldest ones go.
const MESSAGES_KEPT: u64 = 500;

/// A pixel somebody has painted.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Pixel {
    /// Row by row: `y * WIDTH + x`.
    #[primary_key]
    position: u32,
    x: u16,
    y: u16,
    color: u8,
    painter: Identity,
}

/// Somebody who has been here.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Painter {
    #[primary_key]
    identity: Identity,
    name: String,
    /// Color of the cursor and the name: a number of the page's palette.
    color: u8,
    /// Pixels painted so far.
    #[index(ordered)]
    painted: u64,
    #[index(hash)]
    online: bool,
    /// Open connections: tabs and devices.
    connections: u32,
}

/// Where a connection points at, in pixels of the board.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Cursor {
    #[primary_key]
    connection: ConnectionId,
    #[index(hash)]
    identity: Identity,
    x: f32,
    y: f32,
    /// The painter's, so that a page needs no join to draw it.
    name: String,
    color: u8,
    updated_at: Timestamp,
}

/// Something said.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Message {
    #[primary_key]
    #[auto_increment]
    id: u64,
    author: Identity,
    /// The author's name when it was said.
    name: String,
    text: String,
    #[index(ordered)]
    sent_at: Timestamp,
}

/// A pixel to paint.
#[derive(Type, Clone, Copy, Debug, PartialEq)]
struct Dot {
    x: u16,
    y: u16,
    color: u8,
}

/// Paints a pixel.
#[reducer]
fn paint(ctx: &Context, x: u16, y: u16, color: u8) -> Result<(), String> {
    paint_many(ctx, vec![Dot { x, y, color }])
}

/// Paints the pixels of a stroke in one transaction.
#[reducer]
fn paint_many(ctx: &Context, dots: Vec<Dot>) -> Result<(), String> {
    if dots.len() > PAINT_MANY_MAX {
        return Err(format!("one stroke has at most {PAINT_MANY_MAX} pixels"));
    }
    let painter = painter(ctx)?;
    for &Dot { x, y, color } in &dots {
        if x >= WIDTH || y >= HEIGHT {
            return Err(format!(
                "({x}, {y}) is beside the board, which has {WIDTH} x {HEIGHT} pixels"
            ));
        }
        if color >= COLORS {
            return Err(format!(
                "there is no color {color}: there are {COLORS}, from 0"
            ));
        }
        let position = u32::from(y) * u32::from(WIDTH) + u32::from(x);
        ctx.db().pixel().upsert(Pixel {
            position,
            x,
            y,
            color,
            painter: ctx.caller(),
        })?;
    }
    let painted = painter.painted + dots.len() as u64;
    ctx.db().painter().update(Painter { painted, ..painter })?;
    Ok(())
}

/// Says where this connection points at. Only a connection has a cursor.
#[reducer]
fn move_cursor(ctx: &Context, x: f32, y: f32) -> Result<(), String> {
    let connection = ctx.connection().ok_or("a cursor belongs to a connection")?;
    if !(0.0..=f32::from(WIDTH)).contains(&x) || !(0.0..=f32::from(HEIGHT)).contains(&y) {
        return Err("the cursor has left the board".to_owned());
    }
    let Painter {
        identity,
        name,
        color,
        ..
    } = painter(ctx)?;
    let updated_at = ctx.timestamp();
    ctx.db().cursor().upsert(Cursor {
        connection,
        identity,
        x,
        y,
        name,
        color,
        updated_at,
    })?;
    Ok(())
}

/// Takes the cursor away: the pointer has left the board.
#[reducer]
fn hide_cursor(ctx: &Context) -> Result<(), String> {
    let connection = ctx.connection().ok_or("a cursor belongs to a connection")?;
    ctx.db().cursor().delete(connection);
    Ok(())
}

/// Takes a name. Cursors carry it at once, messages from now on.
#[reducer]
fn set_name(ctx: &Context, name: String) -> Result<(), String> {
    let name = checked(&name, "a name", NAME_CHARS_MAX)?;
    let painter = painter(ctx)?;
    ctx.db().painter().update(Painter {
        name: name.clone(),
        ..painter
    })?;
    let cursors: Vec<_> = ctx
        .db()
        .cursor()
        .by_identity()
        .filter(ctx.caller())
        .collect();
    for cursor in cursors {
        ctx.db().cursor().update(Cursor {
            name: name.clone(),
            ..cursor
        })?;
    }
    Ok(())
}

/// Says something to everybody; the oldest messages go when there are too many.
#[reducer]
fn say(ctx: &Context, text: String) -> Result<(), String> {
    let text = checked(&text, "a message", TEXT_CHARS_MAX)?;
    let name = painter(ctx)?.name;
    let messages = ctx.db().message();
    let (author, sent_at) = (ctx.caller(), ctx.timestamp());
    messages.insert(Message {
        id: 0,
        author,
        name,
        text,
        sent_at,
    })?;
    let too_many = messages.count().saturating_sub(MESSAGES_KEPT) as usize;
    let oldest: Vec<_> = messages.by_sent_at().iter().take(too_many).collect();
    for message in oldest {
        messages.delete(message.id);
    }
    Ok(())
}

/// The caller, who is a painter since they connected. A call over HTTP makes one too.
fn painter(ctx: &Context) -> Result<Painter, WriteError> {
    match ctx.db().painter().find(ctx.caller()) {
        Some(painter) => Ok(painter),
        None => ctx.db().painter().insert(presence::stranger(ctx)),
    }
}

/// The text without space around it, if something printable is left and it is not too long.
fn checked(text: &str, what: &str, chars_max: usize) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{what} needs at least one character"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} is one line of plain text"));
    }
    let count = text.chars().count();
    if count > chars_max {
        return Err(format!(
            "{what} has at most {chars_max} characters, and this one has {count}"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
