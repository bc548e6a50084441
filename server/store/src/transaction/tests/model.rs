//! Random transactions on random schemas, against the oracle.

use proptest::prelude::*;
use syncline_protocol::abi::{BOUND_EXCLUDED, BOUND_INCLUDED, BOUND_NONE};
use syncline_protocol::{ChangeSet, IndexKind, TableId, packed};

use super::choices::{Choices, tables, value};
use super::oracle::Oracle;
use super::scans::Scan;
use crate::database::{Database, Recovery};
use crate::schema::tests::fixtures::{FIRST, database, schema};
use crate::transaction::Transaction;
use crate::view::ReadView;

const INSERT: u8 = 0;
const UPDATE: u8 = 1;
const DELETE: u8 = 2;
const COMMIT: u8 = 3;
const ROLLBACK: u8 = 4;
const VIEW: u8 = 5;
const OPEN_SCAN: u8 = 6;
const READ_SCAN: u8 = 7;
const ASK: u8 = 8;
const HIDE: u8 = 9;

fn step() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let kind = prop_oneof![
        12 => Just(INSERT),
        8 => Just(UPDATE),
        5 => Just(DELETE),
        2 => Just(COMMIT),
        1 => Just(ROLLBACK),
        1 => Just(VIEW),
        2 => Just(OPEN_SCAN),
        4 => Just(READ_SCAN),
        1 => Just(ASK),
        2 => Just(HIDE),
    ];
    (kind, proptest::collection::vec(any::<u8>(), 0..24))
}

struct Run {
    tx: Option<Transaction>,
    /// The oracles as they are, and as they were before the transaction.
    now: Vec<Oracle>,
    before: Vec<Oracle>,
    /// Keys written, in the order of their first write: table, memcomparable primary key.
    written: Vec<(usize, Vec<u8>)>,
    replica: Database,
    log: Vec<(ChangeSet, Vec<(TableId, u128)>)>,
    views: Vec<(ReadView, Vec<Oracle>)>,
    scans: Vec<Scan>,
    probes: Vec<Vec<Vec<u8>>>,
}

fn id(table: usize) -> TableId {
    TableId(FIRST.0 + table as u32)
}

impl Run {
    fn new(schema: &[u8]) -> Self {
        let defs = tables(&mut Choices(schema));
        let oracles: Vec<_> = defs.iter().cloned().map(Oracle::new).collect();
        Self {
            tx: Some(database(defs.clone()).begin()),
            before: oracles.clone(),
            written: Vec::new(),
            replica: database(defs),
            log: Vec::new(),
            views: Vec::new(),
            scans: Vec::new(),
            probes: vec![Vec::new(); oracles.len()],
            now: oracles,
        }
    }

    fn tx(&mut self) -> &mut Transaction {
        self.tx.as_mut().unwrap()
    }

    /// A row of any values, or with the key of a row that is there.
    fn row(&mut self, table: usize, known: bool, choices: &mut Choices<'_>) -> (Vec<u8>, Vec<u8>) {
        let oracle = &self.now[table];
        let types = oracle.layout.types();
        let mut values: Vec<_> = types.iter().map(|ty| value(ty, choices)).collect();
        let which = choices.below(oracle.rows.len());
        if known && let Some(row) = oracle.rows.values().nth(which) {
            for &column in &oracle.def.primary_key {
                let column = usize::from(column);
                let bytes = oracle.layout.column(row, column);
                values[column] = packed::decode(&types[column], bytes).unwrap();
            }
        }
        let (dirty, canonical) = oracle.row(&values, choices.below(2) == 1);
        let probes = &mut self.probes[table];
        if probes.len() < 4 {
            probes.push(canonical.clone());
        }
        (dirty, canonical)
    }

    fn note(&mut self, table: usize, key: Vec<u8>) {
        let entry = (table, key);
        if !self.written.contains(&entry) {
            self.written.push(entry);
        }
    }

    fn step(&mut self, kind: u8, choices: &mut Choices<'_>) {
        let table = choices.below(self.now.len());
        match kind {
            INSERT => {
                let (mut row, mut canonical) = self.row(table, false, choices);
                let expected = self.now[table].insert(&mut canonical);
                assert_eq!(self.tx().insert(id(table), &mut row), expected);
                if expected.is_ok() {
                    assert_eq!(row, canonical, "the caller gets the row as it is stored");
                    self.note(table, self.now[table].primary_key(&canonical));
                }
            }
            UPDATE => {
                let known = choices.below(4) > 0;
                let (mut row, canonical) = self.row(table, known, choices);
                let expected = self.now[table].update(&canonical);
                assert_eq!(self.tx().update(id(table), &mut row), expected);
                if expected.is_ok() {
                    self.note(table, self.now[table].primary_key(&canonical));
                }
            }
            DELETE => {
                let known = choices.below(4) > 0;
                let (row, canonical) = self.row(table, known, choices);
                let packed_key = self.now[table].packed(&row, &self.now[table].def.primary_key);
                let key = self.now[table].primary_key(&canonical);
                let is_there = self.now[table].rows.remove(&key).is_some();
                assert_eq!(self.tx().delete(id(table), &packed_key), Ok(is_there));
                if is_there {
                    self.note(table, key.clone());
                    if !self.before[table].rows.contains_key(&key) {
                        // It never was: if it comes again, it comes for the first time.
                        self.written.retain(|entry| *entry != (table, key.clone()));
                    }
                }
            }
            COMMIT => self.commit(),
            ROLLBACK => self.rollback(),
            VIEW => {
                let database = self.tx.take().unwrap().commit(&mut ChangeSet::new());
                self.views.push((database.read_view(), self.now.clone()));
                self.tx = Some(database.begin());
                // The changes were thrown away: the replica starts anew.
                self.rebuild_replica();
            }
            OPEN_SCAN => self.open_scan(table, choices),
            READ_SCAN => {
                let which = choices.below(self.scans.len());
                let cap_bytes = choices.pick(&[40, 100, 400, 5000, 10]);
                if let Some(scan) = self.scans.get_mut(which) {
                    let tx = self.tx.as_ref().unwrap();
                    scan.read(tx, &self.now, cap_bytes);
                }
            }
            HIDE => self.hide(table, choices),
            _ => self.check(),
        }
    }

    /// Adds a hidden index to a table, or drops one; in the middle of a transaction too.
    fn hide(&mut self, table: usize, choices: &mut Choices<'_>) {
        let columns = self.now[table].layout.types().len();
        let database = &mut self.tx.as_mut().unwrap().database;
        let hidden = database.table(id(table)).unwrap().indexes();
        let hidden: Vec<_> = hidden.filter(|index| index.id.is_hidden()).collect();
        if choices.below(3) == 0 {
            if let Some(gone) = hidden.get(choices.below(hidden.len())) {
                let gone = gone.id;
                database.drop_hidden_index(id(table), gone);
            }
            return;
        }
        let kind = choices.pick(&[IndexKind::Hash, IndexKind::Ordered]);
        let own: Vec<u16> = (0..=choices.below(2))
            .map(|_| choices.below(columns) as u16)
            .collect();
        database.add_hidden_index(id(table), &own, kind);
    }

    fn check(&self) {
        let tx = self.tx.as_ref().unwrap();
        for (table, oracle) in self.now.iter().enumerate() {
            oracle.check(tx.table(id(table)).unwrap(), &self.probes[table]);
        }
    }

    fn open_scan(&mut self, table: usize, choices: &mut Choices<'_>) {
        let oracle = &self.now[table];
        let index = choices.below(oracle.def.indexes.len() + 1);
        let columns = oracle.def.index_columns(index).unwrap().to_vec();
        let mut bounds = Vec::new();
        if choices.below(3) > 0 {
            let equal = choices.below(2) == 0;
            for _ in 0..2 {
                let kind = choices.pick(&[BOUND_INCLUDED, BOUND_EXCLUDED, BOUND_NONE]);
                let (row, _) = self.row(table, true, choices);
                let count = choices.below(columns.len() + 1);
                if equal {
                    let key = self.now[table].packed(&row, &columns);
                    for _ in 0..2 {
                        bounds.push(BOUND_INCLUDED);
                        packed::put_sized(&key, &mut bounds);
                    }
                    break;
                }
                bounds.push(kind);
                if kind != BOUND_NONE {
                    let prefix = self.now[table].packed(&row, &columns[..count]);
                    packed::put_sized(&prefix, &mut bounds);
                }
            }
        }
        let flags = choices.below(2) as u32;
        let tx = self.tx.as_ref().unwrap();
        if let Some(scan) = Scan::open(tx, &self.now, id(table), table, index, flags, &bounds) {
            self.scans.push(scan);
        }
    }

    fn commit(&mut self) {
        self.check();
        let mut changes = ChangeSet::new();
        let tx = self.tx.take().unwrap();
        let high_water: Vec<_> = tx.high_water().collect();
        let database = tx.commit(&mut changes);
        self.expect_net(&changes);
        for (table, (now, before)) in self.now.iter().zip(&self.before).enumerate() {
            let raised = (now.mark != before.mark).then_some(now.mark);
            let told = high_water
                .iter()
                .find(|(own, _)| *own == id(table))
                .map(|(_, mark)| *mark);
            assert_eq!(told, raised);
        }
        self.replica.apply(&changes).unwrap();
        for &(table, mark) in &high_water {
            self.replica.set_auto_increment(table, mark);
        }
        for (table, oracle) in self.now.iter().enumerate() {
            oracle.check(self.replica.table(id(table)).unwrap(), &self.probes[table]);
        }
        self.log.push((changes, high_water));
        self.before = self.now.clone();
        self.written.clear();
        self.tx = Some(database.begin());
    }

    /// The changes are those between before and now, by table, in the order of first writes.
    fn expect_net(&self, changes: &ChangeSet) {
        let mut written = self.written.clone();
        written.sort_by_key(|(table, _)| *table);
        let mut found = changes.iter();
        for (table, key) in written {
            let old = self.before[table].rows.get(&key).map(Vec::as_slice);
            let new = self.now[table].rows.get(&key).map(Vec::as_slice);
            if old == new {
                continue;
            }
            let change = found.next().unwrap();
            assert_eq!(
                (change.table, change.old, change.new),
                (id(table), old, new)
            );
        }
        assert!(found.next().is_none());
    }

    fn rollback(&mut self) {
        let database = self.tx.take().unwrap().rollback();
        self.now = self.before.clone();
        self.written.clear();
        self.scans.clear();
        self.tx = Some(database.begin());
        self.check();
    }

    fn rebuild_replica(&mut self) {
        self.log.clear();
        let defs: Vec<_> = self.now.iter().map(|oracle| oracle.def.clone()).collect();
        let mut recovery = Recovery::new(Database::new(9));
        recovery.install(schema(defs)).unwrap();
        for (table, oracle) in self.now.iter().enumerate() {
            oracle
                .rows
                .values()
                .for_each(|row| recovery.put(id(table), row).unwrap());
            recovery.set_auto_increment(id(table), oracle.mark);
        }
        self.replica = recovery.finish().unwrap();
        self.before = self.now.clone();
        self.written.clear();
    }

    /// Everything that was committed since the last view, read again without indexes.
    fn finish(mut self) {
        self.commit();
        let (views, tx) = (std::mem::take(&mut self.views), self.tx.take());
        for (view, then) in &views {
            for (table, oracle) in then.iter().enumerate() {
                let mut rows: Vec<_> = view.rows(id(table)).map(<[u8]>::to_vec).collect();
                rows.sort_by_key(|row| oracle.primary_key(row));
                assert!(
                    rows.iter().eq(oracle.rows.values()),
                    "a view stays as it was"
                );
                assert_eq!(view.auto_increment(id(table)), oracle.mark);
            }
        }
        drop(tx);
        if views.is_empty() {
            let defs: Vec<_> = self.now.iter().map(|oracle| oracle.def.clone()).collect();
            let mut recovery = Recovery::new(database(defs));
            for (changes, high_water) in &self.log {
                recovery.apply(changes).unwrap();
                for &(table, mark) in high_water {
                    recovery.set_auto_increment(table, mark);
                }
            }
            let recovered = recovery.finish().unwrap();
            for (table, oracle) in self.now.iter().enumerate() {
                oracle.check(recovered.table(id(table)).unwrap(), &self.probes[table]);
            }
        }
    }
}

proptest! {
    // More with PROPTEST_CASES.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(400)))]
    #[test]
    fn a_database_is_a_map(
        schema in proptest::collection::vec(any::<u8>(), 0..60),
        steps in proptest::collection::vec(step(), 0..120),
    ) {
        let mut run = Run::new(&schema);
        for (kind, choices) in &steps {
            run.step(*kind, &mut Choices(choices));
        }
        run.finish();
    }
}
