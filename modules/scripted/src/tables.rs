//! Tables of every shape.

use syncline::prelude::*;

/// A struct as a column.
#[derive(Type, Clone, Debug, PartialEq)]
pub(crate) struct Point {
    /// Right.
    pub(crate) x: f64,
    /// Up.
    pub(crate) y: f64,
    /// Text within a struct, and an option.
    pub(crate) label: Option<String>,
}

/// An enum as a column, with every kind of variant.
#[derive(Type, Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Carries nothing.
    Nothing,
    /// Carries a scalar.
    Circle(f64),
    /// Carries named fields.
    Rectangle {
        /// From left to right.
        width: f64,
        /// From top to bottom.
        height: f64,
    },
    /// Carries a list of structs.
    Polygon(Vec<Point>),
}

/// An enum that carries nothing: one byte.
#[derive(Type, Clone, Copy, Debug, PartialEq)]
pub(crate) enum Color {
    Red,
    Green,
    Blue,
}

/// A struct around one value: travels as the value.
#[derive(Type, Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cents(pub(crate) i64);

/// A column of every type.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Everything {
    #[primary_key]
    #[auto_increment]
    pub(crate) id: u64,
    pub(crate) v_bool: bool,
    pub(crate) v_i8: i8,
    pub(crate) v_i16: i16,
    pub(crate) v_i32: i32,
    pub(crate) v_i64: i64,
    pub(crate) v_i128: i128,
    pub(crate) v_u8: u8,
    pub(crate) v_u16: u16,
    pub(crate) v_u32: u32,
    pub(crate) v_u64: u64,
    pub(crate) v_u128: u128,
    pub(crate) v_f32: f32,
    pub(crate) v_f64: f64,
    pub(crate) v_string: String,
    pub(crate) v_bytes: Vec<u8>,
    pub(crate) v_identity: Identity,
    pub(crate) v_connection: ConnectionId,
    pub(crate) v_timestamp: Timestamp,
    pub(crate) v_duration: Duration,
    pub(crate) v_uuid: Uuid,
    pub(crate) v_decimal: Decimal,
    pub(crate) v_json: Json,
    pub(crate) v_option: Option<i32>,
    pub(crate) v_list: Vec<String>,
    pub(crate) v_struct: Point,
    pub(crate) v_enum: Shape,
    pub(crate) v_color: Color,
    pub(crate) v_cents: Cents,
}

/// A primary key of two columns, whose order is not the order of the columns.
#[table(public, primary_key(right, left))]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    /// Second in the key.
    pub(crate) left: u32,
    /// Not in the key, between its columns.
    pub(crate) value: i64,
    /// First in the key.
    pub(crate) right: String,
}

/// A primary key of text.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Word {
    /// Text of any length, empty too.
    #[primary_key]
    #[index(ordered)]
    pub(crate) word: String,
    /// May be missing.
    pub(crate) meaning: Option<String>,
}

/// Unique keys: nullable, of several columns, ordered.
#[table(public, index(hash, unique, name = by_place, columns(shelf, place)))]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Book {
    /// Given by the author of the row.
    #[primary_key]
    pub(crate) id: u32,
    /// Unique where there is one.
    #[unique]
    pub(crate) code: Option<String>,
    /// Unique together with `place`.
    pub(crate) shelf: u16,
    /// Unique together with `shelf`.
    pub(crate) place: u16,
    /// Unique, and in order.
    #[unique]
    #[index(ordered)]
    pub(crate) serial: i64,
}

/// Indexes: ordered of two columns, counted of three and of one, hash, ordered of a nullable column.
#[table(
    public,
    index(ordered, columns(sensor, at)),
    index(ordered, counted, name = by_all, columns(sensor, value, at))
)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// Assigned.
    #[primary_key]
    #[auto_increment]
    pub(crate) id: u64,
    /// Groups readings.
    #[index(hash)]
    pub(crate) sensor: u32,
    /// Anything, negative too.
    pub(crate) value: i64,
    /// When.
    pub(crate) at: Timestamp,
    /// Missing sorts first.
    #[index(ordered)]
    pub(crate) quality: Option<i16>,
    /// Floats sort too, and can be counted.
    #[index(ordered, counted)]
    pub(crate) level: f64,
}

/// Exact amounts, in order and as a key, beside JSON.
#[table(public, primary_key(rate, name))]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Price {
    /// First in the key.
    pub(crate) rate: Decimal,
    /// Second in the key.
    pub(crate) name: String,
    /// In order.
    #[index(ordered)]
    pub(crate) amount: Option<Decimal>,
    /// Anything.
    pub(crate) terms: Json,
    /// Anything, or nothing.
    pub(crate) note: Option<Json>,
}

/// A table that clients do not see.
#[table]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Secret {
    /// Whose secret.
    #[primary_key]
    pub(crate) owner: Identity,
    /// What nobody else may read.
    pub(crate) text: String,
}

/// The smallest auto-increment column: 127 rows, and it has no numbers left.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tiny {
    /// 1 to 127.
    #[primary_key]
    #[auto_increment]
    pub(crate) id: i8,
}

/// How often somebody came and went.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Visit {
    /// Who.
    #[primary_key]
    pub(crate) identity: Identity,
    /// Calls of `connected`.
    pub(crate) connected: u64,
    /// Calls of `disconnected`.
    pub(crate) disconnected: u64,
}

/// A connection that is open.
#[table(public)]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    /// Which.
    #[primary_key]
    pub(crate) connection: ConnectionId,
    /// Whose.
    #[index(hash)]
    pub(crate) identity: Identity,
    /// Since when.
    pub(crate) since: Timestamp,
}
