//! The macros of the Syncline module SDK: `#[table]`, `#[reducer]`, `#[view]` and `#[derive(Type)]`. Use them through the
//! crate `syncline`, which they refer to.
//!
//! Each parses into a description (`table::Table`, `reducer::Reducer`, ..), reports everything that is wrong with it
//! at once, where it is wrong, and expands to an implementation of the SDK's traits and an entry that registers
//! itself (`register`).

use proc_macro::TokenStream;

mod attributes;
mod column_type;
mod derive;
mod expand;
mod names;
mod reducer;
mod register;
mod table;
mod view;

/// Declares a table; its rows are the values of the struct.
///
/// ```ignore
/// #[table(public, name = orders, primary_key(shop, number), index(ordered, columns(shop, placed_at)))]
/// pub struct Order { shop: u32, number: u32, placed_at: Timestamp, #[unique] code: Option<String> }
/// ```
///
/// | in `#[table(..)]` | meaning |
/// |---|---|
/// | `public` | every client may read it; without, only reducers and the admin |
/// | `name = orders` | its name, if not the struct's in snake_case |
/// | `primary_key(a, b)` | a primary key of several columns |
/// | `index(kind, columns(a, b))` | an index; kind is `hash` (equality on all columns) or `ordered` (equality on the first columns, ranges, order), or `ordered, counted` (ranks and counts in it are quick, writes a bit slower) |
/// | `index(kind, unique, name = by_ab, columns(a, b))` | with at most one row per key; with a name of its own |
///
/// | before a field | meaning |
/// |---|---|
/// | `#[primary_key]` | the primary key is this column |
/// | `#[auto_increment]` | an integer that the store fills when a row is inserted with 0 |
/// | `#[unique]` | at most one row per value; rows with `None` are not constrained |
/// | `#[index(hash)]`, `#[index(ordered)]`, `#[index(ordered, counted)]` | an index of this column; with `#[unique]`, a unique one of that kind |
///
/// `#[policy("owner = :me")]` after `#[table(..)]` is a condition in SQL over the table's columns, `:me`, claims of the
/// caller's token (`auth.name`) and sub-queries. A client sees the rows for which it is TRUE, in every query; reducers and the admin see all.
///
/// Indexes are named `by_` and their columns. The struct becomes a row (`syncline::Row`) and a type for columns
/// and parameters; the tables get a method named like the table, whose handle has a method named like each index.
#[proc_macro_attribute]
pub fn table(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(args.into(), item.into()).into()
}

/// Declares a reducer: a function that clients can call, and a transaction.
///
/// ```ignore
/// #[reducer]
/// pub fn rename(ctx: &Context, name: String) -> Result<(), String> { .. }
///
/// #[reducer(connected)]
/// fn joined(ctx: &Context) { .. }
/// ```
///
/// The first parameter is `ctx: &Context`, the others any Syncline types. It returns nothing, a Syncline type,
/// or a `Result` of either; an error, or a panic, rolls back what it wrote and reaches the caller as text.
///
/// | form | called |
/// |---|---|
/// | `#[reducer]` | by clients |
/// | `#[reducer(init)]` | once, when the module is published for the first time |
/// | `#[reducer(connected)]` | when a client has connected |
/// | `#[reducer(disconnected)]` | when a client is gone, after a crash of the server too |
///
/// The last three have no parameters but the context, return nothing or `Result<(), E>`, and cannot be called
/// from outside.
#[proc_macro_attribute]
pub fn reducer(args: TokenStream, item: TokenStream) -> TokenStream {
    reducer::expand(&args.into(), item.into()).into()
}

/// Declares a view: a named query that clients read like a table, live or once.
///
/// ```ignore
/// #[view(room: u64)]
/// const ROOM_MESSAGES: &str = "SELECT id, text FROM message WHERE room = :room ORDER BY id DESC LIMIT 50";
/// ```
///
/// It is named like the constant, in lower case; the arguments are its parameters and their types. The server checks the
/// query when the module is published.
#[proc_macro_attribute]
pub fn view(args: TokenStream, item: TokenStream) -> TokenStream {
    view::expand(args.into(), item.into()).into()
}

/// Makes a struct or an enum a type for columns, parameters and results.
///
/// Fields are named; a struct with one unnamed field travels as that field. A variant of an enum carries
/// nothing, one value, or named fields.
#[proc_macro_derive(Type)]
pub fn derive_type(item: TokenStream) -> TokenStream {
    derive::expand(item.into()).into()
}
