//! What a module declares: tables, reducers, policies and views.

use crate::types::{Field, Type};

/// A module's schema. The position of a table or reducer is its number in the module ABI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct Schema {
    /// In declared order.
    pub tables: Vec<TableDef>,
    /// In declared order, lifecycle reducers among them.
    pub reducers: Vec<ReducerDef>,
    /// By table, ascending; at most one each. They stay on the server: a client need not know the rules.
    #[cfg_attr(feature = "wire", serde(skip))]
    pub policies: Vec<PolicyDef>,
    /// In declared order.
    #[cfg_attr(
        feature = "wire",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub views: Vec<ViewDef>,
}

/// Which rows of a table a client sees. Reducers and the admin see all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDef {
    /// Position of the table.
    pub table: u16,
    /// A condition in SQL over the table's columns, `:me`, claims (`auth.name`) and sub-queries; a row is seen if it
    /// is TRUE.
    pub condition: String,
}

/// A named query. It is read like a table, and is the only query that clients may ask where ad-hoc
/// queries are switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct ViewDef {
    /// Unique among tables and views.
    pub name: String,
    /// What `:name` stands for in the query.
    pub params: Vec<Field>,
    /// The query; it stays on the server.
    #[cfg_attr(feature = "wire", serde(skip))]
    pub sql: String,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct TableDef {
    /// Unique in the schema.
    pub name: String,
    /// In packed order.
    pub columns: Vec<ColumnDef>,
    /// Positions of the key columns; never empty.
    pub primary_key: Vec<u16>,
    /// Secondary indexes. In the ABI and in `store` index 0 is the primary key, `i + 1` is `indexes[i]`.
    pub indexes: Vec<IndexDef>,
    /// The integer column that the store fills when a row is inserted with 0 in it.
    pub auto_increment: Option<u16>,
    /// Readable by every client. Private tables are seen by reducers and the admin alone.
    pub public: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct ColumnDef {
    /// Unique in the table.
    pub name: String,
    /// Type of its values; nullable if an option.
    #[cfg_attr(feature = "wire", serde(rename = "type"))]
    pub ty: Type,
}

/// A secondary index.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct IndexDef {
    /// Unique in the table.
    pub name: String,
    /// Positions of its columns, in key order; never empty.
    pub columns: Vec<u16>,
    /// What it can answer.
    pub kind: IndexKind,
    /// At most one row per key. A key with a NULL in it is not constrained.
    pub unique: bool,
}

/// What an index can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum IndexKind {
    /// Equality on all its columns.
    Hash,
    /// Equality on a prefix of its columns, a range on the next one, and their order.
    Ordered,
    /// What an ordered one can, and how many rows lie before a key or between two, and the n-th row: each in the
    /// logarithm of the table. Writes cost a bit more.
    Counted,
}

/// A reducer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct ReducerDef {
    /// Unique in the schema.
    pub name: String,
    /// Arguments, packed in this order.
    pub params: Vec<Field>,
    /// What it returns when it succeeds.
    pub returns: Option<Type>,
    /// Who may call it.
    pub kind: ReducerKind,
}

/// Who calls a reducer. Lifecycle reducers have no parameters, return nothing and cannot be called
/// from outside; a schema has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "wire",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum ReducerKind {
    /// Clients.
    Call,
    /// The server, once, in the transaction of the first publish.
    Init,
    /// The server, when a connection has said Hello.
    Connected,
    /// The server, when a connection is gone.
    Disconnected,
}

impl Schema {
    /// Position and definition of a table.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<(usize, &TableDef)> {
        self.tables
            .iter()
            .enumerate()
            .find(|(_, table)| table.name == name)
    }

    /// Position and definition of a reducer.
    #[must_use]
    pub fn reducer(&self, name: &str) -> Option<(usize, &ReducerDef)> {
        self.reducers
            .iter()
            .enumerate()
            .find(|(_, reducer)| reducer.name == name)
    }

    /// The policy of the table at this position.
    #[must_use]
    pub fn policy(&self, table: usize) -> Option<&PolicyDef> {
        self.policies
            .iter()
            .find(|policy| usize::from(policy.table) == table)
    }

    /// Definition of a view.
    #[must_use]
    pub fn view(&self, name: &str) -> Option<&ViewDef> {
        self.views.iter().find(|view| view.name == name)
    }

    /// Position of the lifecycle reducer of this kind.
    #[must_use]
    pub fn lifecycle(&self, kind: ReducerKind) -> Option<usize> {
        self.reducers
            .iter()
            .position(|reducer| reducer.kind == kind)
    }
}

impl TableDef {
    /// Position of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Where its columns lie.
    #[must_use]
    pub fn layout(&self) -> crate::RowLayout {
        crate::RowLayout::new(
            self.columns
                .iter()
                .map(|column| column.ty.clone())
                .collect(),
        )
    }

    /// Columns of an index as the ABI numbers them: 0 is the primary key.
    #[must_use]
    pub fn index_columns(&self, index: usize) -> Option<&[u16]> {
        match index.checked_sub(1) {
            None => Some(&self.primary_key),
            Some(secondary) => Some(&self.indexes.get(secondary)?.columns),
        }
    }
}
