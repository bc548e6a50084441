//! A bank: accounts and transfers, and what else the benchmark measures.
//!
//! | work | reducers | tables |
//! |---|---|---|
//! | transfer | `open_accounts`, `transfer`, `total` | `account` |
//! | exactly once after a crash | `transfer_marked` | `account`, `marker` |
//! | empty call | `empty` | |
//! | fan-out | `post`, `update_tick` | `event`, `tick` |
//! | many subscriptions | `put_item` | `item` |

use syncline::prelude::*;

/// Money of one owner. The sum over all accounts never changes after they were opened.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Account {
    #[primary_key]
    id: u64,
    balance: i64,
}

/// One per transfer that was marked: a second transfer with the same marker is refused, so a client that lost
/// the answer can look whether its transfer happened.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Marker {
    #[primary_key]
    id: u64,
    from: u64,
    to: u64,
    amount: i64,
}

/// A row that everybody receives, once.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Event {
    #[primary_key]
    id: u64,
    payload: String,
}

/// A row that everybody receives again and again.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Tick {
    #[primary_key]
    id: u64,
    count: u64,
    at: Timestamp,
}

/// A row that concerns its owner alone: `SELECT * FROM item WHERE owner = :owner`.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
struct Item {
    #[primary_key]
    #[auto_increment]
    id: u64,
    #[index(hash)]
    owner: u64,
    n: u64,
}

/// Opens `count` more accounts with this balance; their ids go on where the last ones ended. Returns how
/// many there are then. Many accounts are opened in several calls, each within the limits of one.
#[reducer]
fn open_accounts(ctx: &Context, count: u64, balance: i64) -> Result<u64, WriteError> {
    let accounts = ctx.db().account();
    let first = accounts.count();
    let end = first.saturating_add(count);
    for id in first..end {
        accounts.insert(Account { id, balance })?;
    }
    Ok(end)
}

/// Moves money: two reads and two updates.
#[reducer]
fn transfer(ctx: &Context, from: u64, to: u64, amount: i64) -> Result<(), String> {
    if amount <= 0 {
        return Err("the amount must be positive".to_owned());
    }
    let accounts = ctx.db().account();
    let source = accounts
        .find(from)
        .ok_or("there is no such account to take from")?;
    if source.balance < amount {
        return Err("the balance is too low".to_owned());
    }
    if from == to {
        return Ok(());
    }
    let target = accounts
        .find(to)
        .ok_or("there is no such account to give to")?;
    let balance = target
        .balance
        .checked_add(amount)
        .ok_or("the account is full")?;
    accounts.update(Account {
        id: from,
        balance: source.balance - amount,
    })?;
    accounts.update(Account { id: to, balance })?;
    Ok(())
}

/// [`transfer`], once per marker.
#[reducer]
fn transfer_marked(
    ctx: &Context,
    marker: u64,
    from: u64,
    to: u64,
    amount: i64,
) -> Result<(), String> {
    ctx.db().marker().insert(Marker {
        id: marker,
        from,
        to,
        amount,
    })?;
    transfer(ctx, from, to, amount)
}

/// The sum of all balances.
#[reducer]
fn total(ctx: &Context) -> i64 {
    ctx.db()
        .account()
        .iter()
        .map(|account| account.balance)
        .sum()
}

/// Does nothing: what is left is the cost of a call.
#[reducer]
fn empty(_ctx: &Context) {}

/// Adds an event for everybody.
#[reducer]
fn post(ctx: &Context, id: u64, payload: String) -> Result<(), WriteError> {
    ctx.db().event().insert(Event { id, payload })?;
    Ok(())
}

/// Counts one of the ticks up and returns the count.
#[reducer]
fn update_tick(ctx: &Context, id: u64) -> Result<u64, WriteError> {
    let ticks = ctx.db().tick();
    let count = ticks.find(id).map_or(0, |tick| tick.count) + 1;
    ticks.upsert(Tick {
        id,
        count,
        at: ctx.timestamp(),
    })?;
    Ok(count)
}

/// Writes an item; with id 0 a new one. Returns its id.
#[reducer]
fn put_item(ctx: &Context, id: u64, owner: u64, n: u64) -> Result<u64, WriteError> {
    let item = ctx.db().item().upsert(Item { id, owner, n })?;
    Ok(item.id)
}

#[cfg(test)]
mod tests;
