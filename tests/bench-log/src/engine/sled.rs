//! sled 0.34. Its flush writes and asks for no fdatasync, so its file is synced here as well: all promise the same.

use std::fs::File;
use std::path::Path;

use anyhow::Result;

use super::{Engine, payload};

pub(super) struct Sled {
    db: ::sled::Db,
    file: File,
    row: Vec<u8>,
}

impl Sled {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        // Nobody flushes but the one who waits for it.
        let config = ::sled::Config::new().flush_every_ms(None);
        let db = config.path(folder).open()?;
        let file = File::open(folder.join("db"))?;
        let row = Vec::new();
        Ok(Self { db, file, row })
    }

    fn put(&mut self, id: u64, salt: u64, row_bytes: usize) -> Result<()> {
        payload(id ^ salt, row_bytes - 8, &mut self.row);
        self.db.insert(id.to_be_bytes(), &*self.row)?;
        Ok(())
    }

    fn settle(&mut self) -> Result<()> {
        self.db.flush()?;
        self.file.sync_data()?;
        Ok(())
    }
}

impl Engine for Sled {
    fn insert(&mut self, ids: std::ops::Range<u64>, row_bytes: usize) -> Result<()> {
        for id in ids {
            self.put(id, 0, row_bytes)?;
        }
        self.settle()
    }

    fn update(&mut self, ids: &[u64], row_bytes: usize) -> Result<()> {
        for id in ids {
            self.put(*id, 1 << 60, row_bytes)?;
        }
        self.settle()
    }

    fn count(&mut self) -> Result<u64> {
        let mut count = 0;
        for row in self.db.iter() {
            row?;
            count += 1;
        }
        Ok(count)
    }
}
