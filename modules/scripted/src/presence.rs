//! Connections, counted.

use syncline::prelude::*;

use crate::tables::{Session, SessionAccess, Visit, VisitAccess, Word, WordAccess};

/// Leaves a word, to show that it ran, and once.
#[reducer(init)]
pub(crate) fn init(ctx: &Context) -> Result<(), WriteError> {
    let meaning = Some("written by init".to_owned());
    ctx.db().word().insert(Word {
        word: "init".to_owned(),
        meaning,
    })?;
    Ok(())
}

/// A session begins.
#[reducer(connected)]
pub(crate) fn connected(ctx: &Context) -> Result<(), String> {
    let connection = ctx.connection().ok_or("connected without a connection")?;
    let (identity, since) = (ctx.caller(), ctx.timestamp());
    ctx.db().session().insert(Session {
        connection,
        identity,
        since,
    })?;
    let visit = visit(ctx);
    ctx.db().visit().upsert(Visit {
        connected: visit.connected + 1,
        ..visit
    })?;
    Ok(())
}

/// A session ends.
#[reducer(disconnected)]
pub(crate) fn disconnected(ctx: &Context) -> Result<(), String> {
    let connection = ctx
        .connection()
        .ok_or("disconnected without a connection")?;
    if !ctx.db().session().delete(connection) {
        return Err("disconnected a connection that was not there".to_owned());
    }
    let visit = visit(ctx);
    ctx.db().visit().upsert(Visit {
        disconnected: visit.disconnected + 1,
        ..visit
    })?;
    Ok(())
}

fn visit(ctx: &Context) -> Visit {
    let identity = ctx.caller();
    let nobody = Visit {
        identity,
        connected: 0,
        disconnected: 0,
    };
    ctx.db().visit().find(identity).unwrap_or(nobody)
}
