//! What the macros write is accepted where unsafe code is forbidden and warnings are errors.
#![forbid(unsafe_code)]
#![deny(warnings)]

use syncline::prelude::*;

#[derive(Clone)]
#[table(public, index(ordered, columns(owner, id)))]
pub struct Item {
    #[primary_key]
    #[auto_increment]
    pub id: u64,
    /// Whose.
    pub owner: Identity,
    pub size: Size,
}

#[derive(Type, Clone)]
pub enum Size {
    Small,
    Other { width: u32, height: u32 },
}

#[reducer]
pub fn put(ctx: &Context, size: Size) -> Result<u64, WriteError> {
    let item = ctx.db().item().insert(Item { id: 0, owner: ctx.caller(), size })?;
    Ok(item.id)
}

#[reducer(init)]
fn init(_ctx: &Context) {}

fn main() {
    let schema = syncline::schema();
    assert_eq!((schema.tables.len(), schema.reducers.len()), (1, 2));
}
