//! Queries in Rust instead of SQL text, with the types of their rows.
//!
//! [`from`] begins a query over a source: a table that `syncline generate --lang rust` has written a type
//! for, [`table`] by its name alone, or another query. The methods of [`Query`] are its clauses; their
//! closures get the columns of the sources. It goes wherever SQL text goes, as structure: text and
//! structure of one query are one live query on the server, which checks both alike.
//!
//! ```no_run
//! # async fn example(client: syncline_client::Client) -> Result<(), syncline_client::Error> {
//! use syncline_client::protocol::Identity;
//! use syncline_client::query::{from, me, param, table};
//!
//! let unread = from(table("message"))
//!     .join(table("member"), |m, b| m.col::<u32>("room").eq(b.col::<u32>("room")))
//!     .filter(|(_, b)| b.col::<Identity>("user").eq(me()))
//!     .filter(|(m, _)| m.col::<u64>("id").gt(param::<u64>("last")))
//!     .select(|(m, b)| (m.col::<u64>("id"), m.col::<String>("text"), b.col::<u32>("room")))
//!     .order_by(|(m, _)| m.col::<u64>("id").desc())
//!     .limit(50);
//! let live = client.subscribe(unread, &[("last", 7.into())]).await?;
//! live.ready().await?;
//! for (id, text, room) in live.all()? {
//!     println!("{room} {id}: {text}");
//! }
//! # Ok(())
//! # }
//! ```

mod builder;
mod expr;
mod functions;
mod names;
mod select;
mod source;
#[cfg(test)]
mod tests;
mod types;
mod values;

pub use builder::{Count, IntoQuery, Keys, Orders, Query, SubQuery, Unselected, from};
pub use expr::{Condition, Expr, lit, me, named, param};
pub use functions::{count, exists, max, min};
pub use select::{Fields, FromFields, Named, Select, row};
pub use source::{
    Alias, AnyColumns, ByName, Columns, Maybe, Reader, Scope, Source, Table, With, table,
};
pub use types::{Meet, Number, Numeric, NumericOperand, Operand, SqlType};
pub use values::{CastType, greatest, least};
