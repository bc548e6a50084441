//! Rows from outside: a batch of them is one transaction, without a reducer.

use syncline_protocol::{ConnectionId, ErrorCode, WireError};
use syncline_store::{IndexId, Transaction, TransactionRecord, WriteError};

use crate::command::{Import, ImportMode};
use crate::effect::{Answer, Imported};
use crate::engine::Engine;
use crate::refusal::refusal;

/// A row that cannot be written, so that none of its batch was.
struct RefusedRow {
    position: usize,
    error: WireError,
}

impl Engine {
    pub(crate) fn import(&mut self, import: Import) {
        let ticket = import.ticket;
        let answer = match self.try_import(import) {
            Ok(Ok(imported)) => Answer::Imported(imported),
            Ok(Err(RefusedRow { position, error })) => {
                Answer::RowRefused(position, Box::new(error))
            }
            Err(error) => Answer::Failed(Box::new(error)),
        };
        self.confirmed.answer(ticket, answer);
    }

    fn try_import(
        &mut self,
        mut import: Import,
    ) -> Result<Result<Imported, RefusedRow>, WireError> {
        self.log
            .reserve(import.rows.len())
            .map_err(|error| refusal(&error))?;
        let table = self.database().table(import.table);
        if table.is_none_or(|table| *table.def() != *import.def) {
            let name = &import.def.name;
            let message = format!("the table {name} is not the one that the rows were read for");
            return Err(WireError::new(ErrorCode::SchemaConflict, message)
                .hint("a module was published meanwhile: start the import again"));
        }
        let database = self
            .database
            .take()
            .expect("no transaction is open between two commands");
        let mut transaction = database.begin();
        let mut imported = match write(&mut transaction, &mut import) {
            Ok(imported) => imported,
            Err(refused) => {
                self.database = Some(transaction.rollback());
                return Ok(Err(refused));
            }
        };
        // Old rows are logged as well as new ones: what an update takes is known only now.
        if let Err(error) = self.log.reserve(transaction.written_bytes()) {
            self.database = Some(transaction.rollback());
            return Err(refusal(&error));
        }
        let record = TransactionRecord {
            time: self.now,
            caller: import.identity,
            connection: ConnectionId::default(),
            reducer: "",
            args: &[],
            seed: [0; 32],
        };
        imported.lsn = self.commit(transaction, &record);
        Ok(Ok(imported))
    }
}

fn write(transaction: &mut Transaction, import: &mut Import) -> Result<Imported, RefusedRow> {
    let mut imported = Imported::default();
    let mut start = 0;
    for (position, &end) in import.ends.iter().enumerate() {
        let row = &mut import.rows[start..end];
        start = end;
        let inserted = transaction.insert(import.table, row);
        let written = match (inserted, import.mode) {
            (Ok(_), _) => {
                imported.inserted += 1;
                continue;
            }
            (Err(WriteError::Unique { index }), ImportMode::Upsert)
                if index == IndexId::PRIMARY =>
            {
                transaction.update(import.table, row)
            }
            (Err(error), _) => Err(error),
        };
        match written {
            Ok(()) => imported.updated += 1,
            Err(error) => {
                let error = explained(error, import);
                return Err(RefusedRow { position, error });
            }
        }
    }
    Ok(imported)
}

/// The error of a row, with the names that the store does not say.
fn explained(error: WriteError, import: &Import) -> WireError {
    let WriteError::Unique { index } = error else {
        return WireError::new(ErrorCode::BadRow, error.to_string());
    };
    let columns = import.def.index_columns(usize::from(index.0));
    let columns = columns.unwrap_or_default().iter();
    let names = columns.filter_map(|&column| import.def.columns.get(usize::from(column)));
    let names: Vec<_> = names.map(|column| column.name.as_str()).collect();
    let names = names.join(", ");
    let error = |message: String| WireError::new(ErrorCode::BadRow, message);
    if index == IndexId::PRIMARY {
        error(format!("another row has the same primary key ({names})"))
            .hint("the mode `upsert` replaces rows that are there")
    } else {
        error(format!("another row has the same {names}, which is unique"))
            .hint("correct one of the two rows")
    }
}
