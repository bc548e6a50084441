use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use syncline_protocol::message::{DeltaWriter, OrderColumn, ResultColumn};
use syncline_protocol::{Type, Value, packed};

use super::*;

/// The values beside the key: a text or nothing, and a number.
type Rest = (Option<String>, f64);
/// Rows of the model by key.
type Model = BTreeMap<i32, Rest>;

/// Columns id (the key), name, score; ordered by name and then the largest score, or not at all.
fn description(is_ordered: bool) -> ResultDescription {
    let column = |name: &str, ty| ResultColumn {
        name: name.into(),
        ty,
        hidden: false,
    };
    let order = vec![
        OrderColumn {
            column: 1,
            descending: false,
        },
        OrderColumn {
            column: 2,
            descending: true,
        },
    ];
    ResultDescription {
        columns: vec![
            column("score", Type::F64),
            column("name", Type::option(Type::String)),
            column("score", Type::F64),
            column("id", Type::I32),
        ],
        key: vec![3],
        order: if is_ordered { order } else { Vec::new() },
    }
}

fn pack(ty: &Type, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    packed::encode(ty, value, &mut out).unwrap();
    out
}

fn key(id: i32) -> Vec<u8> {
    id.to_le_bytes().to_vec()
}

/// The packed columns of a row.
fn columns(id: i32, (name, score): &Rest) -> [Vec<u8>; 4] {
    let name = Value::Option(name.clone().map(|name| Box::new(Value::String(name))));
    let score = pack(&Type::F64, &Value::F64(*score));
    [
        score.clone(),
        pack(&Type::option(Type::String), &name),
        score,
        key(id),
    ]
}

fn row(id: i32, rest: &Rest) -> Vec<u8> {
    columns(id, rest).concat()
}

/// The operations that turn one model into another.
fn ops(old: &Model, new: &Model) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = DeltaWriter::new(&mut out);
    for (&id, rest) in new {
        match old.get(&id) {
            None => writer.push(DeltaOp::Insert {
                row: &row(id, rest),
            }),
            Some(before) if before == rest => {}
            Some(before) => {
                let (before, after) = (columns(id, before), columns(id, rest));
                let changed = (0..4).filter(|&at| before[at] != after[at]);
                let mask = changed.clone().fold(0, |mask, at| mask | 1u8 << at);
                let values: Vec<u8> = changed.flat_map(|at| after[at].clone()).collect();
                writer.push(DeltaOp::Update {
                    key: &key(id),
                    mask: &[mask],
                    values: &values,
                });
            }
        }
    }
    for &id in old.keys().filter(|id| !new.contains_key(id)) {
        writer.push(DeltaOp::Delete { key: &key(id) });
    }
    out
}

/// Rows of the model in the order of the result, which is written down here a second time.
fn expected(model: &Model, is_ordered: bool) -> Vec<Vec<u8>> {
    let mut rows: Vec<_> = model.iter().collect();
    if is_ordered {
        rows.sort_by(|(left_id, left), (right_id, right)| {
            let by_name = match (&left.0, &right.0) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(left), Some(right)) => left.as_bytes().cmp(right.as_bytes()),
            };
            by_name
                .then(right.1.total_cmp(&left.1))
                .then(left_id.cmp(right_id))
        });
    }
    rows.into_iter().map(|(&id, rest)| row(id, rest)).collect()
}

fn visible(cache: &LiveResult) -> Vec<Vec<u8>> {
    cache.rows().map(|row| row.to_vec()).collect()
}

/// Applies changes to rows by key, checking that each fits.
fn fold(rows: &mut BTreeMap<Vec<u8>, PackedRow>, changes: &[Change]) {
    let key = |row: &PackedRow| row[row.len() - 4..].to_vec();
    for change in changes {
        match change {
            Change::Insert(row) => assert_eq!(rows.insert(key(row), row.clone()), None),
            Change::Update { old, new } => {
                assert_ne!(old, new);
                assert_eq!(rows.insert(key(new), new.clone()).as_ref(), Some(old));
            }
            Change::Delete(row) => assert_eq!(rows.remove(&key(row)).as_ref(), Some(row)),
        }
    }
}

/// What happens to a cache: the model moves on, and the cache hears of it in one of these ways.
#[derive(Clone, Debug)]
enum Step {
    Commit(Model),
    /// New rows of the same instance, in chunks; between two chunks the model moves on again.
    Reset(Model, Model),
    /// The connection is lost in the middle of a Reset; a new Snapshot follows.
    Reconnect(Model),
}

fn model() -> impl Strategy<Value = Model> {
    let name = proptest::option::of(proptest::sample::select(vec!["", "a", "a\0", "b", "ä"]));
    let score = proptest::sample::select(vec![-1.5, 0.0, 1.0, 1e9, f64::INFINITY]);
    let rest = (name.prop_map(|name| name.map(String::from)), score);
    btree_map(-3..5i32, rest, 0..6)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => model().prop_map(Step::Commit),
        1 => (model(), model()).prop_map(|(first, second)| Step::Reset(first, second)),
        1 => model().prop_map(Step::Reconnect),
    ]
}

/// Packed rows of a model and their number, split in two.
fn halves(model: &Model) -> [(Vec<u8>, u32); 2] {
    let rows: Vec<_> = model.iter().map(|(&id, rest)| row(id, rest)).collect();
    let (left, right) = rows.split_at(rows.len() / 2);
    [left, right].map(|rows| (rows.concat(), rows.len() as u32))
}

fn chunk(lsn: Lsn, (rows, row_count): &(Vec<u8>, u32), last: bool) -> Chunk<'_> {
    Chunk {
        lsn,
        rows,
        row_count: *row_count,
        last,
    }
}

/// A cache, the model it should equal, and what its changes add up to.
struct Run {
    is_ordered: bool,
    cache: LiveResult,
    model: Model,
    folded: BTreeMap<Vec<u8>, PackedRow>,
    lsn: Lsn,
}

impl Run {
    fn new(is_ordered: bool) -> Self {
        Self {
            is_ordered,
            cache: LiveResult::new(),
            model: Model::new(),
            folded: BTreeMap::new(),
            lsn: Lsn(10),
        }
    }

    fn snapshot(&mut self, model: Model) {
        let mut changes = Vec::new();
        let [first, second] = halves(&model);
        let own = Some(description(self.is_ordered));
        let before = visible(&self.cache);
        let is_done = self
            .cache
            .snapshot(own, chunk(self.lsn, &first, false), &mut changes);
        assert_eq!((is_done, changes.len()), (Ok(false), 0));
        assert_eq!(
            visible(&self.cache),
            before,
            "nothing shows before the last chunk"
        );
        let is_done = self
            .cache
            .snapshot(None, chunk(self.lsn, &second, true), &mut changes);
        assert_eq!(is_done, Ok(true));
        self.check(model, &changes);
    }

    fn commit(&mut self, model: Model) {
        let ops = ops(&self.model, &model);
        self.lsn = self.lsn.next();
        let mut changes = Vec::new();
        self.cache.commit(self.lsn, &ops, &mut changes).unwrap();
        // What the rows hold already is left out.
        self.cache.commit(self.lsn, &ops, &mut changes).unwrap();
        self.check(model, &changes);
    }

    fn reset(&mut self, model: &Model, later: Model) {
        let [first, second] = halves(model);
        let ops = ops(model, &later);
        let lsn = self.lsn.next();
        self.lsn = lsn.next();
        let mut changes = Vec::new();
        assert_eq!(
            self.cache.reset(chunk(lsn, &first, false), &mut changes),
            Ok(false)
        );
        self.cache.commit(lsn, b"left out", &mut changes).unwrap();
        self.cache.commit(self.lsn, &ops, &mut changes).unwrap();
        assert_eq!(changes.len(), 0);
        assert_eq!(
            self.cache.reset(chunk(lsn, &second, true), &mut changes),
            Ok(true)
        );
        self.check(later, &changes);
    }

    fn check(&mut self, model: Model, changes: &[Change]) {
        fold(&mut self.folded, changes);
        let rows = expected(&model, self.is_ordered);
        assert_eq!(visible(&self.cache), rows);
        assert_eq!(self.cache.len(), rows.len());
        assert_eq!(self.cache.lsn(), self.lsn);
        for (id, rest) in &model {
            let row = row(*id, rest);
            assert_eq!(
                self.cache.get(&key(*id)).map(|row| &row[..]),
                Some(&row[..])
            );
            assert_eq!(
                self.folded.get(&key(*id)).map(|row| &row[..]),
                Some(&row[..])
            );
        }
        assert_eq!(self.folded.len(), rows.len());
        self.model = model;
    }
}

proptest! {
    #[test]
    fn folded_messages_equal_the_model(
        is_ordered in any::<bool>(),
        first in model(),
        steps in vec(step(), 0..12),
    ) {
        let mut run = Run::new(is_ordered);
        run.snapshot(first);
        for step in steps {
            match step {
                Step::Commit(model) => run.commit(model),
                Step::Reset(model, later) => run.reset(&model, later),
                Step::Reconnect(model) => {
                    let lost = chunk(Lsn(u64::MAX), &(Vec::new(), 0), false).lsn;
                    let empty = (Vec::new(), 0);
                    run.cache.reset(chunk(lost, &empty, false), &mut Vec::new()).unwrap();
                    run.cache.abandon();
                    // Another epoch: the server may have less than what was shown.
                    run.lsn = Lsn(run.lsn.0 / 2);
                    run.snapshot(model);
                }
            }
        }
    }

    #[test]
    fn random_bytes_are_applied_or_refused(
        is_ordered in any::<bool>(),
        first in model(),
        ops in vec(0..4u8, 0..64),
    ) {
        let mut run = Run::new(is_ordered);
        run.snapshot(first);
        let mut changes = Vec::new();
        if run.cache.commit(Lsn(11), &ops, &mut changes).is_ok() {
            prop_assert_eq!(run.cache.lsn(), Lsn(11));
        }
        let chunk = Chunk { lsn: Lsn(12), rows: &ops, row_count: 3, last: true };
        let _ = run.cache.reset(chunk, &mut changes);
    }
}

fn ready() -> LiveResult {
    let mut run = Run::new(true);
    run.snapshot(Model::from([(1, (None, 1.0))]));
    run.cache
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let none = &mut Vec::new();
    let empty = (Vec::new(), 0);
    let mut fresh = LiveResult::new();
    assert_eq!(fresh.commit(Lsn(1), &[], none), Err(CacheError::NoRows));
    assert_eq!(
        fresh.reset(chunk(Lsn(1), &empty, true), none),
        Err(CacheError::NoRows)
    );
    let found = fresh.snapshot(None, chunk(Lsn(1), &empty, true), none);
    assert_eq!(found, Err(CacheError::Description));
    let mut keyless = description(false);
    keyless.key = vec![4];
    let found = fresh.snapshot(Some(keyless), chunk(Lsn(1), &empty, true), none);
    assert_eq!(found, Err(CacheError::Description));

    let two = Model::from([(1, (None, 1.0)), (2, (None, 2.0))]);
    let empty_model = Model::new();
    let found = ready().commit(Lsn(11), &ops(&empty_model, &two), none);
    assert_eq!(found, Err(CacheError::Duplicate));
    let found = ready().commit(Lsn(11), &ops(&two, &empty_model), none);
    assert_eq!(found, Err(CacheError::Missing));
    let found = ready().commit(Lsn(11), &[9], none);
    assert_eq!(found, Err(CacheError::Codec(CodecError::BadTag)));
    let mut cache = ready();
    cache.reset(chunk(Lsn(11), &empty, false), none).unwrap();
    let found = cache.reset(chunk(Lsn(12), &empty, true), none);
    assert_eq!(found, Err(CacheError::Chunk));
}

#[test]
fn rows_of_another_shape_take_the_place_of_all() {
    let mut cache = ready();
    let mut narrow = description(false);
    narrow.columns.remove(0);
    narrow.key = vec![2];
    let [_, name, score, id] = columns(1, &(None, 1.0));
    let row = [name, score, id].concat();
    let mut changes = Vec::new();
    let rows = Chunk {
        lsn: Lsn(20),
        rows: &row,
        row_count: 1,
        last: true,
    };
    assert_eq!(cache.snapshot(Some(narrow), rows, &mut changes), Ok(true));
    let [Change::Delete(_), Change::Insert(new)] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(new[..], row);
    assert_eq!(cache.description().unwrap().columns.len(), 3);
}
