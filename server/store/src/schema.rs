//! The schema of a database: what its module declares, and the ids its tables have got.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use syncline_protocol::{ColumnDef, IndexDef, IndexKind, Schema, TableDef, TableId, Type};

/// A module's schema and the table ids that it has in one database. Ids are assigned when a publish
/// first names a table and are never used again for another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSchema {
    /// What the module declares.
    pub module: Schema,
    /// Ids of `module.tables`, by position.
    pub table_ids: Vec<TableId>,
    /// Every id from here on is free.
    pub next_table_id: u32,
    /// SHA-256 of the module's wasm; `None` before the first publish.
    pub module_hash: Option<[u8; 32]>,
}

/// One thing that a new schema would change about data that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDifference {
    /// The table that differs; empty if the schema itself is wrong.
    pub table: String,
    /// What differs, as a clause that names the place.
    pub text: String,
}

/// Why a schema could not be installed. The database is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Rows that are there have equal keys in a unique index.
    #[error("table `{table}`: rows with equal keys forbid the unique index `{index}`")]
    Unique {
        /// Name of the table.
        table: String,
        /// Name of the index.
        index: String,
    },
    /// A key of a row that is there is over the limit for keys.
    #[error("table `{table}`: a row has a key over the limit in index `{index}`")]
    KeyTooLarge {
        /// Name of the table.
        table: String,
        /// Name of the index.
        index: String,
    },
    /// The schema is not what [`DatabaseSchema::evolve`] makes of the installed one.
    #[error("the schema does not follow from the installed one: {0}")]
    Unrelated(SchemaDifference),
}

impl std::fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl SchemaDifference {
    pub(crate) fn gone(table: &TableDef) -> Self {
        difference(table, "is gone")
    }
}

impl DatabaseSchema {
    /// Of a database without a module.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            module: Schema::default(),
            table_ids: Vec::new(),
            next_table_id: TableId::FIRST_USER.0,
            module_hash: None,
        }
    }

    /// Id of a table of the module, or of the system (`__connections`).
    #[must_use]
    pub fn table_id(&self, name: &str) -> Option<TableId> {
        if name == connections().name {
            return Some(TableId::CONNECTIONS);
        }
        let (position, _) = self.module.table(name)?;
        self.table_ids.get(position).copied()
    }

    /// The module's tables with their ids, in declared order.
    pub fn tables(&self) -> impl ExactSizeIterator<Item = (TableId, &TableDef)> + Clone {
        self.table_ids.iter().copied().zip(&self.module.tables)
    }

    /// The schema after a publish of `new`. It may gain tables and indexes, in any order, and its
    /// reducers and the `public` marks are free; anything else is a difference, unless the data is
    /// cleared: then a table that differs gets a new id.
    pub fn evolve(
        &self,
        new: Schema,
        module_hash: [u8; 32],
        clear_data: bool,
    ) -> Result<Arc<Self>, Vec<SchemaDifference>> {
        let mut differences = Vec::new();
        let mut next_table_id = self.next_table_id;
        let mut table_ids = Vec::with_capacity(new.tables.len());
        for table in &new.tables {
            let kept = self.module.table(&table.name).and_then(|(position, old)| {
                let found = differences_between(old, table);
                let same = found.is_empty();
                if !clear_data {
                    differences.extend(found);
                }
                if same {
                    self.table_ids.get(position).copied()
                } else {
                    None
                }
            });
            table_ids.push(kept.unwrap_or_else(|| {
                next_table_id += 1;
                TableId(next_table_id - 1)
            }));
        }
        if !clear_data {
            let gone = self
                .module
                .tables
                .iter()
                .filter(|old| new.table(&old.name).is_none());
            differences.extend(gone.map(SchemaDifference::gone));
        }
        let module_hash = Some(module_hash);
        let evolved = Self {
            module: new,
            table_ids,
            next_table_id,
            module_hash,
        };
        differences.extend(evolved.check().err());
        if differences.is_empty() {
            Ok(Arc::new(evolved))
        } else {
            Err(differences)
        }
    }

    /// Whether it is a schema that a database can have at all.
    pub(crate) fn check(&self) -> Result<(), SchemaDifference> {
        let problem = |text: String| {
            Err(SchemaDifference {
                table: String::new(),
                text,
            })
        };
        if let Err(error) = self.module.validate() {
            return problem(error.to_string());
        }
        let mut ids = self.table_ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let is_own = |id: &TableId| (TableId::FIRST_USER.0..self.next_table_id).contains(&id.0);
        if ids.len() != self.module.tables.len() || ids.len() != self.table_ids.len() {
            return problem("it does not have one id for each table".to_owned());
        }
        if !ids.iter().all(is_own) {
            return problem("it has a table id that was never assigned".to_owned());
        }
        Ok(())
    }
}

/// Definition of [`TableId::CONNECTIONS`].
pub fn connections() -> &'static Arc<TableDef> {
    static TABLE: LazyLock<Arc<TableDef>> = LazyLock::new(|| {
        let column = |name: &str, ty| ColumnDef {
            name: name.to_owned(),
            ty,
        };
        Arc::new(TableDef {
            name: "__connections".to_owned(),
            columns: vec![
                column("connection_id", Type::ConnectionId),
                column("identity", Type::Identity),
                column("connected_at", Type::Timestamp),
            ],
            primary_key: vec![0],
            indexes: Vec::new(),
            auto_increment: None,
            public: false,
        })
    });
    &TABLE
}

fn difference(table: &TableDef, what: impl std::fmt::Display) -> SchemaDifference {
    SchemaDifference {
        table: table.name.clone(),
        text: format!("table `{}` {what}", table.name),
    }
}

/// What differs between two definitions of a table beyond gained indexes and the `public` mark.
pub(crate) fn differences_between(old: &TableDef, new: &TableDef) -> Vec<SchemaDifference> {
    let mut found = Vec::new();
    for (position, column) in old.columns.iter().enumerate() {
        let name = &column.name;
        match new.column(name) {
            None => found.push(difference(old, format_args!("loses the column `{name}`"))),
            Some(other) if new.columns[other].ty != column.ty => {
                let (was, is) = (&column.ty, &new.columns[other].ty);
                found.push(difference(
                    old,
                    format_args!("changes the type of column `{name}` from {was} to {is}"),
                ));
            }
            Some(other) if other != position => {
                found.push(difference(
                    old,
                    format_args!("moves the column `{name}` from place {position} to {other}"),
                ));
            }
            Some(_) => {}
        }
    }
    for column in new
        .columns
        .iter()
        .filter(|column| old.column(&column.name).is_none())
    {
        found.push(difference(
            old,
            format_args!("gains the column `{}`", column.name),
        ));
    }
    if !found.is_empty() {
        return found;
    }
    if old.primary_key != new.primary_key {
        let (was, is) = (names(old, &old.primary_key), names(new, &new.primary_key));
        found.push(difference(
            old,
            format_args!("changes its primary key from ({was}) to ({is})"),
        ));
    }
    if old.auto_increment != new.auto_increment {
        let name = |column: Option<u16>| {
            column.map_or("no column".to_owned(), |c| {
                format!("`{}`", names(old, &[c]))
            })
        };
        let (was, is) = (name(old.auto_increment), name(new.auto_increment));
        found.push(difference(
            old,
            format_args!("changes auto_increment from {was} to {is}"),
        ));
    }
    for index in &old.indexes {
        let name = &index.name;
        match new.indexes.iter().find(|other| other.name == *name) {
            None => found.push(difference(old, format_args!("loses the index `{name}`"))),
            Some(other) if !is_same_index(index, other) => {
                let (was, is) = (describe(old, index), describe(new, other));
                found.push(difference(
                    old,
                    format_args!("changes the index `{name}` from {was} to {is}"),
                ));
            }
            Some(_) => {}
        }
    }
    found
}

/// Whether an index may become the other one: an ordered one may begin to count, or stop.
fn is_same_index(old: &IndexDef, new: &IndexDef) -> bool {
    let plain = |index: &IndexDef| IndexDef {
        kind: match index.kind {
            IndexKind::Counted => IndexKind::Ordered,
            kind => kind,
        },
        ..index.clone()
    };
    plain(old) == plain(new)
}

fn names(table: &TableDef, columns: &[u16]) -> String {
    let name = |&c: &u16| {
        table
            .columns
            .get(usize::from(c))
            .map_or("?", |column| &column.name)
    };
    columns.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn describe(table: &TableDef, index: &IndexDef) -> String {
    let unique = if index.unique { "unique " } else { "" };
    let kind = match index.kind {
        IndexKind::Hash => "hash",
        IndexKind::Ordered => "ordered",
        IndexKind::Counted => "counted",
    };
    format!("{unique}{kind} ({})", names(table, &index.columns))
}

#[cfg(test)]
pub(crate) mod tests;
