//! What the module declares, gathered from where it is declared.
//!
//! `#[table]` and `#[reducer]` leave a static entry and a constructor in `.init_array` that registers it.
//! Linkers order constructors as they like, so the entries are kept sorted by name: the position is the
//! number in the ABI, and the same source always gives the same schema.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use syncline_protocol::packed::Reader;
use syncline_protocol::{
    CodecError, ColumnDef, IndexDef, IndexKind, PolicyDef, ReducerDef, ReducerKind, Schema,
    TableDef, Type, ViewDef,
};

use super::context::Context;
use crate::packed::{FieldEntry, fields};

/// What `#[table]` says of a table.
#[doc(hidden)]
#[derive(Debug)]
pub struct TableEntry {
    pub name: &'static str,
    pub public: bool,
    pub columns: &'static [FieldEntry],
    pub primary_key: &'static [u16],
    pub auto_increment: Option<u16>,
    pub indexes: &'static [IndexEntry],
    /// Condition for the rows that a client sees.
    pub policy: Option<&'static str>,
    /// The table's number in the ABI, once it is known.
    pub number: TableNumber,
}

/// What `#[table]` says of a secondary index.
#[doc(hidden)]
#[derive(Debug)]
pub struct IndexEntry {
    pub name: &'static str,
    pub columns: &'static [u16],
    pub ordered: bool,
    pub counted: bool,
    pub unique: bool,
}

/// What `#[reducer]` says of a reducer.
#[doc(hidden)]
#[derive(Debug)]
pub struct ReducerEntry {
    pub name: &'static str,
    pub kind: ReducerKind,
    pub params: &'static [FieldEntry],
    pub returns: fn() -> Option<Type>,
    /// Takes the arguments, calls the function, writes the outcome.
    pub run: fn(&Context, Reader<'_>, &mut Vec<u8>) -> Result<(), CodecError>,
}

/// What `#[view]` says of a view.
#[doc(hidden)]
#[derive(Debug)]
pub struct ViewEntry {
    pub name: &'static str,
    pub params: &'static [FieldEntry],
    pub sql: &'static str,
}

/// A number that is known once everything has registered.
#[doc(hidden)]
#[derive(Debug)]
pub struct TableNumber(AtomicU32);

impl TableNumber {
    const UNKNOWN: u32 = u32::MAX;

    pub const fn unknown() -> Self {
        Self(AtomicU32::new(Self::UNKNOWN))
    }
}

impl TableEntry {
    /// The table's number in the ABI.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        let number = self.number.0.load(Ordering::Relaxed);
        if number == TableNumber::UNKNOWN {
            self.number_late()
        } else {
            number
        }
    }

    #[cold]
    fn number_late(&self) -> u32 {
        registry();
        let number = self.number.0.load(Ordering::Relaxed);
        let name = self.name;
        assert!(
            number != TableNumber::UNKNOWN,
            "table `{name}` did not register: tables belong in the module's own crate"
        );
        number
    }

    fn define(&self) -> TableDef {
        let columns = fields(self.columns)
            .into_iter()
            .map(|field| ColumnDef {
                name: field.name,
                ty: field.ty,
            })
            .collect();
        let indexes = self
            .indexes
            .iter()
            .map(|index| IndexDef {
                name: index.name.to_owned(),
                columns: index.columns.to_vec(),
                kind: match (index.ordered, index.counted) {
                    (true, true) => IndexKind::Counted,
                    (true, false) => IndexKind::Ordered,
                    (false, _) => IndexKind::Hash,
                },
                unique: index.unique,
            })
            .collect();
        TableDef {
            name: self.name.to_owned(),
            columns,
            primary_key: self.primary_key.to_vec(),
            indexes,
            auto_increment: self.auto_increment,
            public: self.public,
        }
    }
}

impl ReducerEntry {
    fn define(&self) -> ReducerDef {
        ReducerDef {
            name: self.name.to_owned(),
            params: fields(self.params),
            returns: (self.returns)(),
            kind: self.kind,
        }
    }
}

impl ViewEntry {
    fn define(&self) -> ViewDef {
        ViewDef {
            name: self.name.to_owned(),
            params: fields(self.params),
            sql: self.sql.to_owned(),
        }
    }
}

/// Everything declared, sorted by name.
struct Registry {
    tables: Vec<&'static TableEntry>,
    reducers: Vec<&'static ReducerEntry>,
    views: Vec<&'static ViewEntry>,
}

static DECLARED: Mutex<Registry> = Mutex::new(Registry {
    tables: Vec::new(),
    reducers: Vec::new(),
    views: Vec::new(),
});
static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// Called by the constructor of a table.
#[doc(hidden)]
pub fn register_table(entry: &'static TableEntry) {
    let tables = &mut DECLARED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .tables;
    let position = tables.partition_point(|other| other.name < entry.name);
    tables.insert(position, entry);
}

/// Called by the constructor of a reducer.
#[doc(hidden)]
pub fn register_reducer(entry: &'static ReducerEntry) {
    let reducers = &mut DECLARED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .reducers;
    let position = reducers.partition_point(|other| other.name < entry.name);
    reducers.insert(position, entry);
}

/// Called by the constructor of a view.
#[doc(hidden)]
pub fn register_view(entry: &'static ViewEntry) {
    let views = &mut DECLARED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .views;
    let position = views.partition_point(|other| other.name < entry.name);
    views.insert(position, entry);
}

fn registry() -> &'static Registry {
    REGISTRY.get_or_init(|| {
        #[cfg(target_arch = "wasm32")]
        super::host::start();
        let mut declared = DECLARED.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = core::mem::take(&mut declared.tables);
        let reducers = core::mem::take(&mut declared.reducers);
        let views = core::mem::take(&mut declared.views);
        for (number, table) in (0..).zip(&tables) {
            table.number.0.store(number, Ordering::Relaxed);
        }
        Registry {
            tables,
            reducers,
            views,
        }
    })
}

/// The reducer of that number, if there is one.
pub(super) fn reducer(number: u32) -> Option<&'static ReducerEntry> {
    registry().reducers.get(number as usize).copied()
}

/// The schema that this module declares: its tables, reducers and views, each sorted by name, and the
/// policies of the tables. This is what the server reads when the module is published.
pub fn schema() -> Schema {
    let registry = registry();
    let policies = (0..).zip(&registry.tables).filter_map(|(table, entry)| {
        let condition = entry.policy?.to_owned();
        Some(PolicyDef { table, condition })
    });
    Schema {
        tables: registry.tables.iter().map(|entry| entry.define()).collect(),
        reducers: registry
            .reducers
            .iter()
            .map(|entry| entry.define())
            .collect(),
        policies: policies.collect(),
        views: registry.views.iter().map(|entry| entry.define()).collect(),
    }
}

#[cfg(test)]
mod tests;
