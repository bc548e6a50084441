//! How a database takes over a schema.

use std::sync::Arc;

use syncline_protocol::{TableDef, TableId};

use super::{Database, Inner};
use crate::index::BuildError;
use crate::schema::{self, DatabaseSchema, SchemaDifference, SchemaError};
use crate::table::{IndexId, Table};

impl Database {
    /// Adds the tables and builds the indexes that `schema` has and the installed one has not. Tables
    /// that it has not go, if they are empty, as they are after [`Self::clear_user_tables`]. On an error
    /// nothing changed.
    pub fn install(&mut self, schema: Arc<DatabaseSchema>) -> Result<(), SchemaError> {
        self.install_with(schema, true)
    }

    /// The same rows and tables, with no module that belongs to them.
    pub(crate) fn without_module(mut self) -> Self {
        let schema = &mut self.inner.schema;
        Arc::make_mut(schema).module_hash = None;
        self
    }

    /// With or without secondary indexes.
    pub(super) fn install_with(
        &mut self,
        schema: Arc<DatabaseSchema>,
        with_indexes: bool,
    ) -> Result<(), SchemaError> {
        let inner = &mut *self.inner;
        inner.check_follows(&schema)?;
        let mut steps = Vec::new();
        for (id, def) in schema.tables() {
            let def = Arc::new(def.clone());
            let built = match inner.table(id) {
                Some(table) if with_indexes => Some(
                    table
                        .build_indexes(&def)
                        .map_err(|error| refuse(&def, error))?,
                ),
                Some(_) => Some(Vec::new()),
                None => None,
            };
            steps.push((id, def, built));
        }
        let is_kept = |table: &Table| {
            table.id() < TableId::FIRST_USER || schema.table_ids.contains(&table.id())
        };
        inner.tables.retain(is_kept);
        for (id, def, built) in steps {
            let Some(built) = built else {
                let mut table = Table::new(id, def, inner.hash_seed);
                if !with_indexes {
                    table.drop_indexes();
                }
                inner.tables.push(table);
                continue;
            };
            let table = inner.tables.iter_mut().find(|table| table.id() == id);
            table
                .expect("tables of the schema are kept")
                .evolve(def, built);
        }
        inner.tables.sort_by_key(Table::id);
        inner.ids = inner.tables.iter().map(Table::id).collect();
        inner.schema = schema;
        Ok(())
    }
}

impl Inner {
    /// Whether the schema is sound and nothing in it contradicts a table that is there.
    fn check_follows(&self, schema: &DatabaseSchema) -> Result<(), SchemaError> {
        schema.check().map_err(SchemaError::Unrelated)?;
        for table in self
            .tables
            .iter()
            .filter(|table| table.id() >= TableId::FIRST_USER)
        {
            let new = schema.tables().find(|(id, _)| *id == table.id());
            let difference = match new {
                Some((_, new)) => schema::differences_between(table.def(), new)
                    .into_iter()
                    .next(),
                None if table.is_empty() => None,
                None => Some(SchemaDifference::gone(table.def())),
            };
            if let Some(difference) = difference {
                return Err(SchemaError::Unrelated(difference));
            }
        }
        Ok(())
    }
}

fn refuse(def: &TableDef, (index, error): (IndexId, BuildError)) -> SchemaError {
    let table = def.name.clone();
    let index = index
        .position()
        .and_then(|position| def.indexes.get(position));
    let index = index.map(|index| index.name.clone()).unwrap_or_default();
    match error {
        BuildError::Unique => SchemaError::Unique { table, index },
        BuildError::KeyTooLarge => SchemaError::KeyTooLarge { table, index },
    }
}
