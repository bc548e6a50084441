//! Rows that not everyone sees, and a view.

use syncline::prelude::*;

/// Seen by its owner and by those the owner shares with.
#[table(public, index(hash, columns(owner)))]
#[policy(
    "owner = :me OR EXISTS (SELECT 1 FROM share WHERE share.owner = letter.owner AND share.reader = :me)"
)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    /// Assigned.
    #[primary_key]
    #[auto_increment]
    pub(crate) id: u64,
    pub(crate) owner: Identity,
    pub(crate) text: String,
}

/// Who may read whose letters. Private: the policy reads it all the same.
#[table(primary_key(owner, reader), index(hash, columns(reader)))]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) owner: Identity,
    pub(crate) reader: Identity,
}

/// Seen by its owner alone.
#[table(public, index(hash, columns(owner)))]
#[policy("owner = :me")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Diary {
    /// Assigned.
    #[primary_key]
    #[auto_increment]
    pub(crate) id: u64,
    pub(crate) owner: Identity,
    pub(crate) text: String,
}

#[view(least: u64)]
const DIARY_SINCE: &str = "SELECT id, text FROM diary WHERE id >= :least";

#[reducer]
pub(crate) fn write_letter(ctx: &Context, text: String) -> Result<u64, WriteError> {
    let letter = ctx.db().letter().insert(Letter {
        id: 0,
        owner: ctx.caller(),
        text,
    })?;
    Ok(letter.id)
}

#[reducer]
pub(crate) fn write_diary(ctx: &Context, text: String) -> Result<u64, WriteError> {
    let entry = ctx.db().diary().insert(Diary {
        id: 0,
        owner: ctx.caller(),
        text,
    })?;
    Ok(entry.id)
}

/// Everyone who has written a letter shares with the caller.
#[reducer]
pub(crate) fn be_shared_with(ctx: &Context) -> Result<(), WriteError> {
    let letters: Vec<Letter> = ctx.db().letter().iter().collect();
    for Letter { owner, .. } in letters {
        ctx.db().share().upsert(Share {
            owner,
            reader: ctx.caller(),
        })?;
    }
    Ok(())
}
