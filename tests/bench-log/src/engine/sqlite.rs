//! SQLite with a write-ahead log that is synced at each commit.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use rusqlite::{Connection, params};

use super::{Engine, payload};

/// A connection to a database of one table.
pub(crate) struct Sqlite {
    db: Connection,
    row: Vec<u8>,
}

fn connect(folder: &Path) -> Result<Connection> {
    let db = Connection::open(folder.join("db.sqlite"))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(db)
}

impl Sqlite {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let db = connect(folder)?;
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, text BLOB NOT NULL)",
        )?;
        let row = Vec::new();
        Ok(Self { db, row })
    }

    /// Leaves checkpoints to somebody else.
    pub(crate) fn stop_checkpoints(&self) -> Result<()> {
        Ok(self.db.pragma_update(None, "wal_autocheckpoint", 0)?)
    }

    fn put(
        &mut self,
        ids: impl Iterator<Item = u64>,
        sql: &str,
        salt: u64,
        row_bytes: usize,
    ) -> Result<()> {
        let transaction = self.db.transaction()?;
        {
            let mut put = transaction.prepare_cached(sql)?;
            for id in ids {
                payload(id ^ salt, row_bytes - 8, &mut self.row);
                let count = put.execute(params![id as i64, &self.row])?;
                ensure!(count == 1, "row {id} is not there");
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Engine for Sqlite {
    fn insert(&mut self, ids: std::ops::Range<u64>, row_bytes: usize) -> Result<()> {
        let sql = "INSERT INTO item (id, text) VALUES (?1, ?2)";
        self.put(ids, sql, 0, row_bytes)
    }

    fn update(&mut self, ids: &[u64], row_bytes: usize) -> Result<()> {
        let sql = "UPDATE item SET text = ?2 WHERE id = ?1";
        self.put(ids.iter().copied(), sql, 1 << 60, row_bytes)
    }

    fn count(&mut self) -> Result<u64> {
        // Not count(*), which would not look at the rows.
        let mut rows = self.db.prepare("SELECT id, text FROM item")?;
        let mut rows = rows.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            row.get_ref(1)?.as_blob()?;
            count += 1;
        }
        Ok(count)
    }
}

/// Moves what is in the write-ahead log into the database, on a connection of its own.
pub(crate) fn checkpointer(folder: &Path) -> impl FnOnce() -> Result<()> + Send + use<> {
    let folder: PathBuf = folder.to_owned();
    move || {
        let db = connect(&folder)?;
        db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }
}
