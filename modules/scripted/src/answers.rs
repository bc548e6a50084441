//! What reducers return.

use syncline::prelude::*;

use crate::tables::{
    BookAccess, Everything, EverythingAccess, PriceAccess, Reading, ReadingAccess, Shape,
    WordAccess,
};

/// Returns what it was given.
#[reducer]
pub(crate) fn echo(_ctx: &Context, row: Everything) -> Everything {
    row
}

/// Returns what it was given: an option, a list of lists and an enum.
#[reducer]
pub(crate) fn echo_nested(
    _ctx: &Context,
    option: Option<Shape>,
    lists: Vec<Vec<i64>>,
) -> Vec<Shape> {
    let count = lists.iter().map(Vec::len).sum::<usize>();
    vec![option.unwrap_or(Shape::Nothing); count]
}

/// All rows of `everything`.
#[reducer]
pub(crate) fn return_everything(ctx: &Context) -> Vec<Everything> {
    ctx.db().everything().iter().collect()
}

/// Who calls.
#[reducer]
pub(crate) fn who_am_i(ctx: &Context) -> Identity {
    ctx.caller()
}

/// Over which connection.
#[reducer]
pub(crate) fn which_connection(ctx: &Context) -> Option<ConnectionId> {
    ctx.connection()
}

/// The time of the transaction.
#[reducer]
pub(crate) fn what_time(ctx: &Context) -> Timestamp {
    ctx.timestamp()
}

/// Rolls dice; the rolls are the same whenever the transaction is repeated.
#[reducer]
pub(crate) fn roll(ctx: &Context, dice: u32, sides: u32) -> Result<Vec<u32>, String> {
    if sides == 0 || dice > 1000 {
        return Err("at most 1000 dice, each with a side".to_owned());
    }
    Ok((0..dice).map(|_| ctx.random().range(1..=sides)).collect())
}

/// The sum of all readings: a scan of the table.
#[reducer]
pub(crate) fn scan_sum(ctx: &Context) -> i64 {
    ctx.db()
        .reading()
        .iter()
        .fold(0, |sum, reading| sum.wrapping_add(reading.value))
}

/// The number of readings: kept by the host, and counted.
#[reducer]
pub(crate) fn count_readings(ctx: &Context) -> Vec<u64> {
    let readings = ctx.db().reading();
    vec![readings.count(), readings.iter().count() as u64]
}

/// The readings of a sensor from a time on, oldest or newest first: a prefix and a range of an index.
#[reducer]
pub(crate) fn readings_since(
    ctx: &Context,
    sensor: u32,
    since: Timestamp,
    newest_first: bool,
    limit: u32,
) -> Vec<Reading> {
    let index = ctx.db().reading().by_sensor_at();
    let index = if newest_first { index.rev() } else { index };
    index
        .range((sensor, since..))
        .take(limit as usize)
        .collect()
}

/// Ids of the readings of a sensor with a value in a range, by value: two columns given, the third in order.
#[reducer]
pub(crate) fn readings_between(ctx: &Context, sensor: u32, low: i64, high: i64) -> Vec<u64> {
    let index = ctx.db().reading().by_all();
    index
        .range((sensor, low..=high))
        .map(|reading| reading.id)
        .collect()
}

/// Ids of the readings of at least this quality; the ones without quality are not among them.
#[reducer]
pub(crate) fn readings_of_quality(ctx: &Context, least: i16) -> Vec<u64> {
    let index = ctx.db().reading().by_quality();
    index
        .range(Some(least)..)
        .map(|reading| reading.id)
        .collect()
}

/// Words from one up to another, without it, from the end.
#[reducer]
pub(crate) fn words_between(ctx: &Context, from: String, to: String) -> Vec<String> {
    ctx.db()
        .word()
        .by_word()
        .rev()
        .range(&from..&to)
        .map(|word| word.word)
        .collect()
}

/// The id of the book with this code, on this place, and with this serial number.
#[reducer]
pub(crate) fn find_book(
    ctx: &Context,
    code: String,
    shelf: u16,
    place: u16,
    serial: i64,
) -> Vec<Option<u32>> {
    let books = ctx.db().book();
    let by_code = books.by_code().find(&*code);
    let by_place = books.by_place().find((shelf, place));
    let by_serial = books.by_serial().find(serial);
    [by_code, by_place, by_serial]
        .into_iter()
        .map(|book| book.map(|book| book.id))
        .collect()
}

/// What the operations on decimals give; nothing where there is no result.
#[derive(Type, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Calculation {
    sum: Option<Decimal>,
    difference: Option<Decimal>,
    product: Option<Decimal>,
    quotient: Option<Decimal>,
    remainder: Option<Decimal>,
}

/// Reckons with two decimals.
#[reducer]
pub(crate) fn calculate(_ctx: &Context, one: Decimal, other: Decimal) -> Calculation {
    Calculation {
        sum: one.checked_add(other),
        difference: one.checked_sub(other),
        product: one.checked_mul(other),
        quotient: one.checked_div(other),
        remainder: one.checked_rem(other),
    }
}

/// The value at the end of a path of names and positions, with what it is beside it.
#[reducer]
pub(crate) fn json_at(_ctx: &Context, json: Json, path: Vec<String>) -> Result<Json, String> {
    let mut value = json.view();
    for step in &path {
        let found = match step.parse() {
            Ok(position) => value.at(position),
            Err(_) => value.get(step),
        };
        value = found.ok_or_else(|| format!("nothing at `{step}`"))?;
    }
    let kind = Json::try_from(format!("{:?}", value.kind()).as_str());
    let members = [
        ("value", value.to_json()),
        ("kind", kind.map_err(|e| e.to_string())?),
    ];
    Json::object(members).map_err(|error| error.to_string())
}

/// Names of the prices of a rate whose amount is in a range, in order of the amount.
#[reducer]
pub(crate) fn prices_between(ctx: &Context, low: Decimal, high: Decimal) -> Vec<String> {
    let prices = ctx.db().price();
    let found = prices.by_amount().range(Some(low)..=Some(high));
    found.map(|price| price.name).collect()
}
