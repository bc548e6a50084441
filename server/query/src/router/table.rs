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
use crate::slab::Slab;

/// Signatures of a table: each is a probe for each changed row.
pub(crate) const SIGNATURES_MAX: usize = 64;

/// The instances that listen to one table.
#[derive(Debug, Default)]
pub(crate) struct TableRouter {
    signatures: Vec<Signature>,
    /// Instances without a route: looked at on every change.
    scanned: Vec<u32>,
    groups: Slab<Group>,
    /// Sites that every changed row concerns, by template.
    free: Vec<(u32, u16)>,
}

/// The instances of a template that listen to one key with one of its sites.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) template: u32,
    pub(crate) site: u16,
    pub(crate) members: SmallVec<[u32; 4]>,
}

/// Whom a changed row may concern.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'r> {
    Instance(u32),
    Group(&'r Group),
}

/// Marks a number in a bucket as that of a group.
const GROUP: u32 = 1 << 31;

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

    fn bucket(&mut self, hash: u64) -> &mut SmallVec<[u32; 4]> {
        let entry = self
            .buckets
            .entry(hash, |bucket| bucket.hash == hash, |bucket| bucket.hash);
        let bucket = entry.or_insert_with(|| Bucket {
            hash,
            instances: SmallVec::new(),
        });
        &mut bucket.into_mut().instances
    }

    fn get(&self, hash: u64) -> &[u32] {
        let bucket = self.buckets.find(hash, |bucket| bucket.hash == hash);
        bucket.map_or(&[], |bucket| &bucket.instances)
    }
}

impl TableRouter {
    /// Makes an instance listen. A cover without routes listens to nothing.
    pub(crate) fn insert(
        &mut self,
        cover: Option<&[Route]>,
        params: Params<'_>,
        instance: u32,
        hasher: &FixedState,
    ) -> Result<(), QueryError> {
        debug_assert!(instance < GROUP, "memory ends before that many");
        let Some(routes) = cover else {
            if self.scanned.len() >= SCANNED_INSTANCES_MAX {
                return Err(too_many_scanned());
            }
            self.scanned.push(instance);
            return Ok(());
        };
        self.make_room(routes)?;
        for route in routes {
            let Some(hash) = route_hash(route, params, hasher) else {
                continue;
            };
            let signature = self.signature(route);
            let instances = signature.bucket(hash);
            // Two routes of one instance may have one key; they come one after the other.
            if instances.last() != Some(&instance) {
                instances.push(instance);
                signature.entry_count += 1;
            }
        }
        Ok(())
    }

    /// Makes an instance of a template listen with one of its sites.
    pub(crate) fn insert_site(
        &mut self,
        routes: &[Route],
        params: Params<'_>,
        (template, site, instance): (u32, u16, u32),
        hasher: &FixedState,
    ) -> Result<(), QueryError> {
        self.make_room(routes)?;
        for route in routes {
            let Some(hash) = route_hash(route, params, hasher) else {
                continue;
            };
            let mut groups = std::mem::take(&mut self.groups);
            let signature = self.signature(route);
            let bucket = signature.bucket(hash);
            let number = find_group(bucket, &groups, template, site).unwrap_or_else(|| {
                let number = groups.insert(Group {
                    template,
                    site,
                    members: SmallVec::new(),
                });
                bucket.push(number | GROUP);
                number
            });
            let members = &mut groups.get_mut(number).members;
            if members.last() != Some(&instance) {
                members.push(instance);
                signature.entry_count += 1;
            }
            self.groups = groups;
        }
        Ok(())
    }

    /// Undoes [`Self::insert_site`] with the same arguments.
    pub(crate) fn remove_site(
        &mut self,
        routes: &[Route],
        params: Params<'_>,
        (template, site, instance): (u32, u16, u32),
        hasher: &FixedState,
    ) {
        for route in routes {
            let Some(hash) = route_hash(route, params, hasher) else {
                continue;
            };
            let Some(position) = self.position(route) else {
                continue;
            };
            let signature = &mut self.signatures[position];
            let found = signature
                .buckets
                .find_entry(hash, |bucket| bucket.hash == hash);
            let Ok(mut entry) = found else { continue };
            let bucket = &mut entry.get_mut().instances;
            let Some(number) = find_group(bucket, &self.groups, template, site) else {
                continue;
            };
            let members = &mut self.groups.get_mut(number).members;
            if let Some(at) = members.iter().position(|other| *other == instance) {
                members.swap_remove(at);
                signature.entry_count -= 1;
            }
            if members.is_empty() {
                self.groups.remove(number);
                bucket.retain(|other| *other != number | GROUP);
                if bucket.is_empty() {
                    entry.remove();
                }
            }
        }
    }

    /// Makes every changed row concern a site, or no longer.
    pub(crate) fn set_free(&mut self, template: u32, site: u16, is_free: bool) {
        self.free.retain(|other| *other != (template, site));
        if is_free {
            self.free.push((template, site));
        }
    }

    /// Adds the instances of a template that listen with one of its sites to this row.
    pub(crate) fn probe(
        &self,
        layout: &RowLayout,
        row: &[u8],
        routes: &[Route],
        (template, site): (u32, u16),
        hasher: &FixedState,
        out: &mut SmallVec<[u32; 8]>,
    ) {
        for (at, route) in routes.iter().enumerate() {
            if routes[..at].iter().any(|other| same_columns(other, route)) {
                continue;
            }
            let Some(position) = self.position(route) else {
                continue;
            };
            let signature = &self.signatures[position];
            let bucket = signature.get(signature.hash(layout, row, hasher));
            if let Some(number) = find_group(bucket, &self.groups, template, site) {
                out.extend_from_slice(&self.groups.get(number).members);
            }
        }
        if routes.len() > 1 {
            out.sort_unstable();
            out.dedup();
        }
    }

    /// As [`Self::probe`] for each of the rows: their positions with the instances.
    pub(crate) fn probe_all(
        &self,
        layout: &RowLayout,
        rows: &[&[u8]],
        routes: &[Route],
        target: (u32, u16),
        hasher: &FixedState,
    ) -> SmallVec<[(u32, u32); 64]> {
        let mut out = SmallVec::new();
        let signature = match routes {
            [route] => self.position(route).map(|at| &self.signatures[at]),
            _ => None,
        };
        let Some(signature) = signature else {
            let mut found = SmallVec::new();
            for (at, row) in (0..).zip(rows) {
                found.clear();
                self.probe(layout, row, routes, target, hasher, &mut found);
                out.extend(found.iter().map(|number| (at, *number)));
            }
            return out;
        };
        // In passes, so that the memory which one look-up waits for does not keep the others waiting.
        let hashes = rows.iter().map(|row| signature.hash(layout, row, hasher));
        let hashes: SmallVec<[u64; 64]> = hashes.collect();
        let buckets = hashes.iter().map(|hash| signature.get(*hash));
        let buckets: SmallVec<[&[u32]; 64]> = buckets.collect();
        let group = |bucket: &&[u32]| {
            find_group(bucket, &self.groups, target.0, target.1).map(|at| self.groups.get(at))
        };
        let groups: SmallVec<[Option<&Group>; 64]> = buckets.iter().map(group).collect();
        for (at, group) in (0..).zip(groups) {
            let members = group.into_iter().flat_map(|group| &group.members);
            out.extend(members.map(|number| (at, *number)));
        }
        out
    }

    fn signature(&mut self, route: &Route) -> &mut Signature {
        let position = self.position(route).unwrap_or_else(|| {
            self.signatures.push(Signature {
                columns: route.atoms.iter().map(|atom| atom.column).collect(),
                buckets: HashTable::new(),
                entry_count: 0,
            });
            self.signatures.len() - 1
        });
        &mut self.signatures[position]
    }

    /// Sees to it that the signatures of the routes are not too many.
    fn make_room(&mut self, routes: &[Route]) -> Result<(), QueryError> {
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
        Ok(())
    }

    /// Undoes [`Self::insert`] with the same arguments.
    pub(crate) fn remove(
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
    pub(crate) fn route(
        &self,
        layout: &RowLayout,
        change: Changed<'_>,
        hasher: &FixedState,
        probe_count: &mut u64,
        mut visit: impl FnMut(Target<'_>),
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
                for &number in signature.get(hash) {
                    visit(match number & GROUP {
                        0 => Target::Instance(number),
                        _ => Target::Group(self.groups.get(number ^ GROUP)),
                    });
                }
            }
        }
        for &instance in &self.scanned {
            visit(Target::Instance(instance));
        }
    }

    /// Sites that every changed row concerns.
    pub(crate) fn free(&self) -> &[(u32, u16)] {
        &self.free
    }

    /// Signatures, entries of all of them, and instances without a route.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
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

fn find_group(bucket: &[u32], groups: &Slab<Group>, template: u32, site: u16) -> Option<u32> {
    let numbers = bucket.iter().filter(|number| **number & GROUP != 0);
    numbers.map(|number| number ^ GROUP).find(|number| {
        let group = groups.get(*number);
        (group.template, group.site) == (template, site)
    })
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
