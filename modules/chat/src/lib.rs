//! A chat: people with names, rooms, messages. The smallest module that does something real.
//!
//! Who is here is kept by the lifecycle reducers: a person may have several connections (two tabs, a phone),
//! and is online as long as one of them is there.

use syncline::prelude::*;

/// Someone who has been here.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct User {
    #[primary_key]
    identity: Identity,
    /// None until they choose one.
    #[unique]
    name: Option<String>,
    /// How many connections they have; 0 is offline.
    connections: u32,
}

/// A place to talk.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Room {
    #[primary_key]
    #[auto_increment]
    id: u32,
    #[unique]
    name: String,
}

/// Something said.
#[table(public, index(ordered, columns(room, sent_at)))]
#[derive(Clone, Debug, PartialEq)]
struct Message {
    #[primary_key]
    #[auto_increment]
    id: u64,
    room: u32,
    author: Identity,
    text: String,
    sent_at: Timestamp,
}

#[reducer(init)]
fn init(ctx: &Context) -> Result<(), WriteError> {
    ctx.db().room().insert(Room {
        id: 0,
        name: "lobby".to_owned(),
    })?;
    Ok(())
}

#[reducer(connected)]
fn connected(ctx: &Context) -> Result<(), WriteError> {
    let users = ctx.db().user();
    match users.find(ctx.caller()) {
        Some(user) => users.update(User {
            connections: user.connections + 1,
            ..user
        }),
        None => users
            .insert(User {
                identity: ctx.caller(),
                name: None,
                connections: 1,
            })
            .map(|_user| ()),
    }
}

#[reducer(disconnected)]
fn disconnected(ctx: &Context) -> Result<(), WriteError> {
    let users = ctx.db().user();
    let Some(user) = users.find(ctx.caller()) else {
        return Ok(());
    };
    users.update(User {
        connections: user.connections.saturating_sub(1),
        ..user
    })
}

/// Takes a name that nobody else has.
#[reducer]
fn set_name(ctx: &Context, name: String) -> Result<(), String> {
    let name = checked(&name, "a name", 32)?;
    let users = ctx.db().user();
    let user = users
        .find(ctx.caller())
        .ok_or("connect before you choose a name")?;
    if users
        .by_name()
        .find(name)
        .is_some_and(|other| other.identity != user.identity)
    {
        return Err(format!("{name} is taken"));
    }
    users.update(User {
        name: Some(name.to_owned()),
        ..user
    })?;
    Ok(())
}

/// Opens a room and returns its id.
#[reducer]
fn open_room(ctx: &Context, name: String) -> Result<u32, String> {
    let name = checked(&name, "a room's name", 32)?.to_owned();
    let room = ctx.db().room().insert(Room { id: 0, name })?;
    log::info!("room {} is {}", room.id, room.name);
    Ok(room.id)
}

/// Says something in a room and returns the message's id.
#[reducer]
fn send(ctx: &Context, room: u32, text: String) -> Result<u64, String> {
    let text = checked(&text, "a message", 1000)?.to_owned();
    if !ctx.db().room().contains(room) {
        return Err(format!("there is no room {room}"));
    }
    let (author, sent_at) = (ctx.caller(), ctx.timestamp());
    let message = ctx.db().message().insert(Message {
        id: 0,
        room,
        author,
        text,
        sent_at,
    })?;
    Ok(message.id)
}

/// Takes back a message of one's own.
#[reducer]
fn take_back(ctx: &Context, id: u64) -> Result<(), String> {
    let message = ctx
        .db()
        .message()
        .find(id)
        .ok_or("there is no such message")?;
    if message.author != ctx.caller() {
        return Err("only its author can take a message back".to_owned());
    }
    ctx.db().message().delete(id);
    Ok(())
}

/// The text without space around it, if something is left and it is not too long.
fn checked<'a>(text: &'a str, what: &str, chars_max: usize) -> Result<&'a str, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(format!("{what} needs a text")),
        count if count > chars_max => Err(format!("{what} has at most {chars_max} characters")),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests;
