//! SQL to live queries: parser, binder, router, instances and their deltas.
//!
//! A SQL text is parsed (`parse`), a query as structure converted (`logical`) to the same syntax; that is bound against the schema for one caller (`bind`) and becomes a
//! `plan` of typed expressions (`plan::expr`) over packed rows. [`query_once`] evaluates a plan (`execute`).
//! [`LiveQueries`] (`live`) lifts a plan's literals into parameters: the plan without them is a
//! template, a template with its parameters an instance. A router finds the instances that a changed
//! row may concern by hashing a few of its columns; [`LiveQueries::step`] turns a transaction's change
//! set into one delta for each affected instance, and does nothing for the others.
//!
//! What is not a filter of one table is compiled to a `flow`.
//!
//! Nothing here knows a socket, a file, a clock or a client.
//!
//! ```
//! use syncline_protocol::{ChangeSet, Claims, ColumnDef, Identity, Schema, TableDef, TableId, Type};
//! use syncline_query::{Caller, Deltas, LiveQueries};
//! use syncline_store::Database;
//!
//! let mut db = Database::new(1);
//! let column = |name: &str, ty| ColumnDef { name: name.into(), ty };
//! let table = TableDef {
//!     name: "pixels".into(),
//!     columns: vec![column("id", Type::U32), column("color", Type::U8)],
//!     primary_key: vec![0],
//!     indexes: vec![],
//!     auto_increment: None,
//!     public: true,
//! };
//! let schema = Schema { tables: vec![table], reducers: vec![], ..Schema::default() };
//! let schema = db.schema().evolve(schema, [0; 32], false).expect("the first schema fits");
//! db.install(schema).expect("there are no rows");
//!
//! let mut live = LiveQueries::new();
//! let caller = Caller { identity: Identity([7; 32]), admin: false, claims: Claims::NONE };
//! let red = live.subscribe(&mut db, "SELECT * FROM pixels WHERE color = 1", &[], &caller);
//! let handle = red.expect("the query is live").handle;
//!
//! let mut transaction = db.begin();
//! transaction.insert(TableId::FIRST_USER, &mut vec![9, 0, 0, 0, 1]).expect("the key is free");
//! let mut changes = ChangeSet::new();
//! let db = transaction.commit(&mut changes);
//! let mut deltas = Deltas::new();
//! live.step(&db, &changes, &mut deltas);
//! let insert: &[u8] = &[1, 9, 0, 0, 0, 1];
//! assert_eq!(deltas.iter().collect::<Vec<_>>(), [(handle, insert)]);
//! ```

// From the ground up: each floor knows those above it.
mod error;
mod failures;
mod syntax;

mod parse;

mod logical;

mod asked;
mod declared;

mod plan;
mod row;
mod scalar;
mod sums;

mod bind;

mod check;
mod execute;

mod slab;

mod router;

mod flow;

mod explain;

mod live;

#[cfg(test)]
mod tests;

pub use asked::QueryRef;
pub use check::check_declarations;
pub use error::QueryError;
pub use execute::{RowSink, query_once};
pub use failures::count as failures_of_thread;
pub use live::{
    Budgets, CostClass, Counters, Deltas, How, LiveQueries, Load, Moved, NewRows, Rebound, Settled,
    Statement, Stats, Subscribed,
};
pub use syntax::Position;

use syncline_protocol::{Claims, Identity};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What `:me` is.
    pub identity: Identity,
    /// Sees private tables.
    pub admin: bool,
    /// What `auth.name` is.
    pub claims: Claims,
}
