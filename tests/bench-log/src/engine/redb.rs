//! redb 4, a transaction a batch, as durable as it is by default: at once.

use std::path::Path;

use ::redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use anyhow::{Result, ensure};

use super::{Engine, payload};

const ITEMS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("item");

pub(super) struct Redb {
    db: Database,
    row: Vec<u8>,
}

impl Redb {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let db = Database::create(folder.join("db.redb"))?;
        let row = Vec::new();
        Ok(Self { db, row })
    }

    fn put(&mut self, ids: impl Iterator<Item = u64>, salt: u64, row_bytes: usize) -> Result<()> {
        let transaction = self.db.begin_write()?;
        {
            let mut items = transaction.open_table(ITEMS)?;
            for id in ids {
                payload(id ^ salt, row_bytes - 8, &mut self.row);
                items.insert(id, &*self.row)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Engine for Redb {
    fn insert(&mut self, ids: std::ops::Range<u64>, row_bytes: usize) -> Result<()> {
        self.put(ids, 0, row_bytes)
    }

    fn update(&mut self, ids: &[u64], row_bytes: usize) -> Result<()> {
        self.put(ids.iter().copied(), 1 << 60, row_bytes)
    }

    fn count(&mut self) -> Result<u64> {
        let transaction = self.db.begin_read()?;
        let items = transaction.open_table(ITEMS)?;
        let mut count = 0;
        for row in items.iter()? {
            row?;
            count += 1;
        }
        ensure!(count == items.len()?, "redb has lost count");
        Ok(count)
    }
}
