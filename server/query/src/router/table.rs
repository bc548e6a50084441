//! From a changed row to the instances that it may concern.
//!
//! Per table, one index for each set of columns that some instance compares with constants: its
//! signature. All instances with that signature share the index, so a changed row costs one probe a
//! signature, however many instances there are. An index holds no values, but hashes and grid keys: a
//! candidate's whole filter is evaluated, so a collision costs time and nothing else. A filter that is nothing
//! but bounds of integers need not be: see [`Route::is_all_of`].

use foldhash::quality::FixedState;
use smallvec::SmallVec;
use syncline_protocol::limits::SCANNED_INSTANCES_MAX;
use syncline_protocol::{Changed, ErrorCode, RowLayout};

use super::cover::{Route, Routes, Shape};
use super::signature::{Place, Signature};
use crate::error::QueryError;
use crate::plan::expr::Params;
use crate::slab::Slab;

/// Signatures of a table: each is a probe for each changed row.
pub(crate) const SIGNATURES_MAX: usize = 64;

/// The instances that listen to one table.
#[derive(Debug, Default)]
pub(crate) struct TableRouter {
    signatures: Vec<Signature>,
    /// Instances without a route, and groups of sites that every row agrees with: looked at on every change.
    scanned: Vec<u32>,
    groups: Slab<Group>,
    /// Sites that every changed row concerns, by template.
    free: Vec<(u32, u16)>,
}

/// The instances of a template that listen to one key with one of its sites; between bounds it is one.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) template: u32,
    pub(crate) site: u16,
    pub(crate) members: SmallVec<[u32; 4]>,
}

/// Which rows of a change led to someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) old: bool,
    pub(crate) new: bool,
}

/// Whom a changed row may concern.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'r> {
    Instance(u32, Sides),
    Group(&'r Group),
}

/// Marks a number in a bucket as that of a group.
const GROUP: u32 = 1 << 31;

/// Where the routes of an instance lead.
enum Places<'r> {
    /// To every row.
    Everywhere,
    Some(SmallVec<[(&'r Route, Place); 2]>),
}

impl<'r> Places<'r> {
    /// What has no cover listens to every row. A route that no row can agree with has no place.
    fn of(cover: Option<&'r [Route]>, params: Params<'_>, hasher: &FixedState) -> Self {
        let Some(routes) = cover else {
            return Self::Everywhere;
        };
        let places = routes
            .iter()
            .filter_map(|route| Some((route, Place::of(route, params, hasher)?)));
        let places: SmallVec<[(&Route, Place); 2]> = places.collect();
        if places.iter().any(|(_, place)| place.is_everywhere()) {
            return Self::Everywhere;
        }
        Self::Some(places)
    }
}

/// Entries of a table's router, by what they are looked up by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouterCounts {
    pub(crate) signatures: usize,
    /// All of them.
    pub(crate) entries: usize,
    pub(crate) beginnings: usize,
    pub(crate) intervals: usize,
    pub(crate) boxes: usize,
    /// Looked at on every change.
    pub(crate) scanned: usize,
}

/// Whether a cover with these parameters leads to no place, so that every change is looked at: a bound or
/// the beginning of a text may be one that leaves nothing out.
pub(crate) fn is_scanned(cover: Option<&[Route]>, params: Params<'_>, hasher: &FixedState) -> bool {
    matches!(Places::of(cover, params, hasher), Places::Everywhere)
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
        let places = Places::of(cover, params, hasher);
        self.make_room(&places)?;
        self.put(&places, instance, hasher);
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
        self.take(&Places::of(cover, params, hasher), instance, hasher);
    }

    /// Makes an instance that listens with parameters do so with others. If that fails it listens to what
    /// it did.
    pub(crate) fn replace(
        &mut self,
        cover: Option<&[Route]>,
        (from, to): (Params<'_>, Params<'_>),
        instance: u32,
        hasher: &FixedState,
    ) -> Result<(), QueryError> {
        let Some(routes) = cover else { return Ok(()) };
        let before = Places::of(cover, from, hasher);
        let after = Places::of(cover, to, hasher);
        if let ([route], Places::Some(before), Places::Some(after)) = (routes, &before, &after)
            && let ([(_, before)], [(_, after)]) = (before.as_slice(), after.as_slice())
            && let Some(at) = self.position(route)
        {
            self.signatures[at].replace((before, after), instance, hasher);
            return Ok(());
        }
        self.take(&before, instance, hasher);
        let room = self.make_room(&after);
        // What it had it can have again: nobody else came in between.
        let places = if room.is_ok() { &after } else { &before };
        self.put(places, instance, hasher);
        room
    }

    /// Makes a number listen where there is room for it.
    fn put(&mut self, places: &Places<'_>, number: u32, hasher: &FixedState) {
        match places {
            Places::Everywhere => self.scanned.push(number),
            Places::Some(places) => {
                for (route, place) in places {
                    self.signature(route).insert(place, number, hasher);
                }
            }
        }
    }

    /// Undoes [`Self::put`].
    fn take(&mut self, places: &Places<'_>, number: u32, hasher: &FixedState) {
        match places {
            Places::Everywhere => self.scanned.retain(|other| *other != number),
            Places::Some(places) => {
                for (route, place) in places {
                    if let Some(at) = self.position(route) {
                        self.signatures[at].remove(place, number, hasher);
                    }
                }
            }
        }
    }

    /// Makes an instance of a template listen with one of its sites.
    pub(crate) fn insert_site(
        &mut self,
        routes: &[Route],
        params: Params<'_>,
        (template, site, instance): (u32, u16, u32),
        hasher: &FixedState,
    ) -> Result<(), QueryError> {
        let new_group = |members| Group {
            template,
            site,
            members,
        };
        let places = Places::of(Some(routes), params, hasher);
        self.make_room(&places)?;
        let Places::Some(places) = places else {
            let group = new_group(SmallVec::from_iter([instance]));
            self.scanned.push(self.groups.insert(group) | GROUP);
            return Ok(());
        };
        for (route, place) in places {
            let mut groups = std::mem::take(&mut self.groups);
            let signature = self.signature(route);
            let is_own = |number| is_group(&groups, number, (template, site));
            let shared = signature.find(&place, hasher, is_own);
            match shared {
                Some(number) if is_shared(route) => {
                    let members = &mut groups.get_mut(number ^ GROUP).members;
                    if members.last() != Some(&instance) {
                        members.push(instance);
                        signature.entry_count += 1;
                    }
                }
                _ => {
                    let number = groups.insert(new_group(SmallVec::from_iter([instance])));
                    signature.insert(&place, number | GROUP, hasher);
                }
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
        let groups = &self.groups;
        let is_own = |number| {
            is_group(groups, number, (template, site))
                && groups.get(number ^ GROUP).members.contains(&instance)
        };
        let Places::Some(places) = Places::of(Some(routes), params, hasher) else {
            if let Some(at) = self.scanned.iter().position(|number| is_own(*number)) {
                let number = self.scanned.swap_remove(at);
                self.groups.remove(number ^ GROUP);
            }
            return;
        };
        for (route, place) in places {
            let groups = &self.groups;
            let is_own = |number| {
                is_group(groups, number, (template, site))
                    && groups.get(number ^ GROUP).members.contains(&instance)
            };
            let Some(at) = self.position(route) else {
                continue;
            };
            let Some(number) = self.signatures[at].find(&place, hasher, is_own) else {
                continue;
            };
            let members = &mut self.groups.get_mut(number ^ GROUP).members;
            members.retain(|other| *other != instance);
            if members.is_empty() {
                self.groups.remove(number ^ GROUP);
                self.signatures[at].remove(&place, number, hasher);
            } else {
                self.signatures[at].entry_count -= 1;
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
        routes: &Routes,
        (template, site): (u32, u16),
        hasher: &FixedState,
        out: &mut SmallVec<[u32; 8]>,
    ) {
        let mut add = |number| {
            if is_group(&self.groups, number, (template, site)) {
                out.extend_from_slice(&self.groups.get(number ^ GROUP).members);
            }
        };
        for kind in routes.kinds() {
            if let Some(at) = self.position(kind) {
                self.signatures[at].visit(layout, row, hasher, &mut add);
            }
        }
        self.scanned.iter().for_each(|number| add(*number));
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
        routes: &Routes,
        target: (u32, u16),
        hasher: &FixedState,
    ) -> SmallVec<[(u32, u32); 64]> {
        let mut out = SmallVec::new();
        let signature = match &**routes {
            [route] if route.shape() == Shape::Equality => {
                self.position(route).map(|at| &self.signatures[at])
            }
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
        let buckets = hashes.iter().map(|hash| signature.equal(*hash));
        let buckets: SmallVec<[&[u32]; 64]> = buckets.collect();
        let group = |bucket: &&[u32]| {
            let mut numbers = bucket.iter();
            let number = numbers.find(|number| is_group(&self.groups, **number, target))?;
            Some(self.groups.get(number ^ GROUP))
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
            self.signatures.push(Signature::of(route));
            self.signatures.len() - 1
        });
        &mut self.signatures[position]
    }

    /// Sees to it that [`Self::put`] makes neither too many signatures nor too many that are looked at on
    /// every change.
    fn make_room(&mut self, places: &Places<'_>) -> Result<(), QueryError> {
        let Places::Some(places) = places else {
            return if self.scanned.len() < SCANNED_INSTANCES_MAX {
                Ok(())
            } else {
                Err(too_many_scanned())
            };
        };
        if self.signatures.len() + self.new_count(places) > SIGNATURES_MAX {
            self.signatures
                .retain(|signature| signature.entry_count > 0);
        }
        // Counted anew: one that is wanted may have been among the empty ones.
        if self.signatures.len() + self.new_count(places) > SIGNATURES_MAX {
            let message =
                format!("live queries compare over {SIGNATURES_MAX} sets of columns of the table");
            return Err(QueryError::new(ErrorCode::LiveLimit, message)
                .hint("compare the same columns in more of them"));
        }
        Ok(())
    }

    /// How many signatures these need that there are not; of too many the first ones.
    fn new_count(&self, places: &[(&Route, Place)]) -> usize {
        let mut new: SmallVec<[&Route; 4]> = SmallVec::new();
        for (route, _) in places {
            let is_known = new.iter().any(|other| other.is_like(route));
            if !is_known && self.position(route).is_none() {
                new.push(route);
            }
            if new.len() > SIGNATURES_MAX {
                break;
            }
        }
        new.len()
    }

    fn position(&self, route: &Route) -> Option<usize> {
        let mut signatures = self.signatures.iter();
        signatures.position(|signature| signature.is_of(route))
    }

    /// Calls `visit` with every instance whose filter may accept the old or the new row, and which of them; with
    /// some of them more than once.
    pub(crate) fn route<'r>(
        &'r self,
        layout: &RowLayout,
        change: Changed<'_>,
        hasher: &FixedState,
        probe_count: &mut u64,
        mut visit: impl FnMut(Target<'r>),
    ) {
        let mut name = |number, sides| {
            visit(match number & GROUP {
                0 => Target::Instance(number, sides),
                _ => Target::Group(self.groups.get(number ^ GROUP)),
            });
        };
        let there = Sides {
            old: change.old.is_some(),
            new: change.new.is_some(),
        };
        let (old, new) = (
            Sides {
                new: false,
                ..there
            },
            Sides {
                old: false,
                ..there
            },
        );
        for signature in &self.signatures {
            if signature.entry_count == 0 {
                continue;
            }
            let mut probe = |row: &[u8], sides| {
                *probe_count += 1;
                signature.visit(layout, row, hasher, &mut |number| name(number, sides));
            };
            match (change.old, change.new) {
                // An update that keeps the key is one probe.
                (Some(before), Some(after)) if signature.is_same_key(layout, before, after) => {
                    probe(after, there);
                }
                (before, after) => {
                    for (row, sides) in [(before, old), (after, new)] {
                        if let Some(row) = row {
                            probe(row, sides);
                        }
                    }
                }
            }
        }
        self.scanned.iter().for_each(|number| name(*number, there));
    }

    /// Sites that every changed row concerns.
    pub(crate) fn free(&self) -> &[(u32, u16)] {
        &self.free
    }

    pub(crate) fn counts(&self) -> RouterCounts {
        let mut counts = RouterCounts {
            scanned: self.scanned.len(),
            ..RouterCounts::default()
        };
        for signature in &self.signatures {
            let entries = signature.entry_count;
            counts.signatures += usize::from(entries > 0);
            counts.entries += entries;
            match signature.shape() {
                Shape::Equality => {}
                Shape::Beginning => counts.beginnings += entries,
                Shape::Interval => counts.intervals += entries,
                Shape::Box => counts.boxes += entries,
            }
        }
        counts
    }
}

/// Whether a number is that of a group of a site.
fn is_group(groups: &Slab<Group>, number: u32, place: (u32, u16)) -> bool {
    number & GROUP != 0 && {
        let group = groups.get(number ^ GROUP);
        (group.template, group.site) == place
    }
}

/// Whether those who listen to one key of a route are one group.
fn is_shared(route: &Route) -> bool {
    matches!(route.shape(), Shape::Equality | Shape::Beginning)
}

fn too_many_scanned() -> QueryError {
    let message = format!(
        "the table has {SCANNED_INSTANCES_MAX} live queries that must look at every change"
    );
    QueryError::new(ErrorCode::LiveLimit, message)
        .hint("compare a column with a parameter in WHERE: owner = :owner, x IN (:list), x BETWEEN :a AND :b")
}
