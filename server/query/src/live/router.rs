//! From a changed row to the instances that it may concern.
//!
//! Per table, one hash index for each set of columns that some instance compares with constants: its
//! signature. All instances with that signature share the index, so a changed row costs one probe a
//! signature, however many instances there are. An index holds hashes and no keys: a candidate's whole
//! filter is evaluated anyway, so a collision costs time and nothing else.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use syncline_protocol::limits::SCANNED_INSTANCES_MAX;
use syncline_protocol::{Changed, ErrorCode, RowLayout};

use super::cover::Route;
use crate::error::QueryError;
use crate::plan::expr::Params;

/// Signatures of a table: each is a probe for each changed row.
pub(super) const SIGNATURES_MAX: usize = 64;

/// The instances that listen to one table.
#[derive(Debug, Default)]
pub(super) struct TableRouter {
    signatures: Vec<Signature>,
    /// Instances without a route: looked at on every change.
    scanned: Vec<u32>,
}

/// A set of columns, and who listens to which values of them.
#[derive(Debug)]
struct Signature {
    /// Ascending.
    columns: SmallVec<[u16; 4]>,
    buckets: HashTable<Bucket>,
    entry_count: usize,
}

/// The instances that listen to one key.
#[derive(Debug)]
struct Bucket {
    hash: u64,
    instances: SmallVec<[u32; 4]>,
}

/// The key of a route with an instance's parameters; `None` if no row can have it.
fn route_hash(route: &Route, params: Params<'_>, hasher: &FixedState) -> Option<u64> {
    let mut state = hasher.build_hasher();
    for atom in &route.atoms {
        write_value(&mut state, atom.value(params)?);
    }
    Some(state.finish())
}

fn write_value(state: &mut impl Hasher, packed: &[u8]) {
    match <[u8; 8]>::try_from(packed) {
        Ok(word) => state.write_u64(u64::from_le_bytes(word)),
        Err(_) => state.write(packed),
    }
}

impl Signature {
    fn hash(&self, layout: &RowLayout, row: &[u8], hasher: &FixedState) -> u64 {
        let mut state = hasher.build_hasher();
        for &column in &self.columns {
            write_value(&mut state, layout.column(row, usize::from(column)));
        }
        state.finish()
    }

    fn is_same_key(&self, layout: &RowLayout, one: &[u8], other: &[u8]) -> bool {
        self.columns.iter().all(|&column| {
            let column = usize::from(column);
            layout.column(one, column) == layout.column(other, column)
        })
    }

    fn get(&self, hash: u64) -> &[u32] {
        let bucket = self.buckets.find(hash, |bucket| bucket.hash == hash);
        bucket.map_or(&[], |bucket| &bucket.instances)
    }
}

impl TableRouter {
    /// Makes an instance listen. A cover without routes listens to nothing.
    pub(super) fn insert(
        &mut self,
        cover: Option<&[Route]>,
        params: Params<'_>,
        instance: u32,
        hasher: &FixedState,
    ) -> Result<(), QueryError> {
        let Some(routes) = cover else {
            if self.scanned.len() >= SCANNED_INSTANCES_MAX {
                return Err(too_many_scanned());
            }
            self.scanned.push(instance);
            return Ok(());
        };
        let mut new: SmallVec<[&Route; 4]> = SmallVec::new();
        for route in routes {
            let is_known = self.position(route).is_some()
                || new.iter().any(|other| same_columns(other, route));
            if !is_known {
                new.push(route);
            }
        }
        if self.signatures.len() + new.len() > SIGNATURES_MAX {
            self.signatures
                .retain(|signature| signature.entry_count > 0);
        }
        if self.signatures.len() + new.len() > SIGNATURES_MAX {
            let message =
                format!("live queries compare over {SIGNATURES_MAX} sets of columns of the table");
            return Err(QueryError::new(ErrorCode::QueryLimit, message));
        }
        for route in routes {
            let Some(hash) = route_hash(route, params, hasher) else {
                continue;
            };
            let position = self.position(route).unwrap_or_else(|| {
                self.signatures.push(Signature {
                    columns: route.atoms.iter().map(|atom| atom.column).collect(),
                    buckets: HashTable::new(),
                    entry_count: 0,
                });
                self.signatures.len() - 1
            });
            let signature = &mut self.signatures[position];
            let entry =
                signature
                    .buckets
                    .entry(hash, |bucket| bucket.hash == hash, |bucket| bucket.hash);
            let mut bucket = entry.or_insert_with(|| Bucket {
                hash,
                instances: SmallVec::new(),
            });
            let instances = &mut bucket.get_mut().instances;
            // Two routes of one instance may have one key; they come one after the other.
            if instances.last() != Some(&instance) {
                instances.push(instance);
                signature.entry_count += 1;
            }
        }
        Ok(())
    }

    /// Undoes [`Self::insert`] with the same arguments.
    pub(super) fn remove(
        &mut self,
        cover: Option<&[Route]>,
        params: Params<'_>,
        instance: u32,
        hasher: &FixedState,
    ) {
        let Some(routes) = cover else {
            self.scanned.retain(|other| *other != instance);
            return;
        };
        for route in routes {
            let Some(hash) = route_hash(route, params, hasher) else {
                continue;
            };
            let Some(position) = self.position(route) else {
                continue;
            };
            let signature = &mut self.signatures[position];
            let Ok(mut entry) = signature
                .buckets
                .find_entry(hash, |bucket| bucket.hash == hash)
            else {
                continue;
            };
            let instances = &mut entry.get_mut().instances;
            if let Some(at) = instances.iter().position(|other| *other == instance) {
                instances.swap_remove(at);
                signature.entry_count -= 1;
                if instances.is_empty() {
                    entry.remove();
                }
            }
        }
    }

    fn position(&self, route: &Route) -> Option<usize> {
        let columns = route.atoms.iter().map(|atom| atom.column);
        self.signatures
            .iter()
            .position(|signature| signature.columns.iter().copied().eq(columns.clone()))
    }

    /// Calls `visit` with every instance whose filter may accept the old or the new row; with some of
    /// them more than once.
    pub(super) fn route(
        &self,
        layout: &RowLayout,
        change: Changed<'_>,
        hasher: &FixedState,
        probe_count: &mut u64,
        mut visit: impl FnMut(u32),
    ) {
        for signature in &self.signatures {
            if signature.entry_count == 0 {
                continue;
            }
            // An update that keeps the key is one probe.
            let new = change.new.filter(|new| {
                change
                    .old
                    .is_none_or(|old| !signature.is_same_key(layout, old, new))
            });
            for row in [change.old, new].into_iter().flatten() {
                *probe_count += 1;
                let hash = signature.hash(layout, row, hasher);
                signature.get(hash).iter().copied().for_each(&mut visit);
            }
        }
        self.scanned.iter().copied().for_each(visit);
    }

    /// Signatures, entries of all of them, and instances without a route.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let used = self
            .signatures
            .iter()
            .filter(|signature| signature.entry_count > 0);
        let entries = self
            .signatures
            .iter()
            .map(|signature| signature.entry_count)
            .sum();
        (used.count(), entries, self.scanned.len())
    }
}

fn same_columns(one: &Route, other: &Route) -> bool {
    one.atoms
        .iter()
        .map(|atom| atom.column)
        .eq(other.atoms.iter().map(|atom| atom.column))
}

fn too_many_scanned() -> QueryError {
    let message = format!(
        "the table has {SCANNED_INSTANCES_MAX} live queries that must look at every change"
    );
    QueryError::new(ErrorCode::QueryLimit, message)
        .hint("compare a column with a parameter in WHERE: owner = :owner, or x IN (:list)")
}
