//! What every [`CommitLog`] must do.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use syncline_protocol::packed::Reader;
use syncline_protocol::{ChangeSet, Lsn};

use super::fixture::{FOLDER, SMALL};
use crate::database::Database;
use crate::disk::{Disk, Fault, MemoryDisk};
use crate::log::commit_log::{AppendError, CommitLog, Entries};
use crate::log::file::FileLog;
use crate::log::group::GROUP_HEADER_BYTES;
use crate::log::handover::Batch;
use crate::log::record::{self, Encoder, LoggedRecord, Made, Parts};
use crate::log::recovery::{Base, Begin, begin_segment, recover, survey};
use crate::log::{OpenError, OpenRecord, TransactionRecord};

/// A kind of log, empty at the beginning, on something that can fail.
trait Backend {
    /// Opens it, as after the process that had it has died. The old value is of no use any more.
    fn open(&mut self) -> Box<dyn CommitLog>;
    /// The next append is ambiguous. `kept` says what has become of it, if anybody can say.
    fn fail_next_append(&mut self, kept: bool);
    /// There is room for about so many bytes more, or for as much as one likes.
    fn set_room(&mut self, bytes: Option<u64>);
    /// What the log had that is not durable is lost.
    fn lose_power(&mut self) {}
}

/// Segments on a disk in memory.
struct Files {
    disk: MemoryDisk,
    epoch: u64,
}

impl Backend for Files {
    fn open(&mut self) -> Box<dyn CommitLog> {
        let folder = Path::new(FOLDER).join("log");
        crate::disk::create_dir_all(&self.disk, &folder).unwrap();
        let survey = survey(&self.disk, &folder).unwrap();
        let base = Base {
            lsn: survey.start(),
            ..Base::default()
        };
        let recovered = recover(&self.disk, survey, base, &mut |_| Ok(())).unwrap();
        self.epoch += 1;
        let open = OpenRecord {
            epoch: syncline_protocol::Epoch(self.epoch),
            parent: recovered.epoch,
            start: recovered.last,
            time: 0,
            hash_seed: 0,
        };
        let begin = Begin {
            disk: &self.disk,
            folder: &folder,
            recovered: &recovered,
            open: &open,
            salt: 7,
        };
        let segment = begin_segment(&begin, &Database::new(0), &SMALL).unwrap();
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let log = FileLog::new(disk, &folder, segment, recovered.last, 4096);
        Box::new(log)
    }

    fn fail_next_append(&mut self, kept: bool) {
        // The write fails, or the sync after it: then a reader still sees it.
        let call = self.disk.calls() + u64::from(kept);
        self.disk.fault_at(call, Fault::Error(ErrorKind::Other));
    }

    fn set_room(&mut self, bytes: Option<u64>) {
        let files = self.disk.files();
        let used: usize = files
            .iter()
            .map(|path| self.disk.bytes(path).unwrap().len())
            .sum();
        self.disk
            .set_capacity(bytes.map(|bytes| bytes + used as u64));
    }

    fn lose_power(&mut self) {
        self.disk.crash(3);
    }
}

/// Records in memory, shared by all values that were opened: the place of a log that is elsewhere.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    records: Vec<Vec<u8>>,
    /// Lsn before the first of them.
    trimmed: u64,
    fails: Option<bool>,
    room: Option<u64>,
}

#[derive(Debug)]
struct MemoryLog {
    shared: Memory,
    tail: Lsn,
    is_uncertain: bool,
}

impl Shared {
    fn tail(&self) -> Lsn {
        Lsn(self.trimmed + self.records.len() as u64)
    }
}

impl Backend for Memory {
    fn open(&mut self) -> Box<dyn CommitLog> {
        Box::new(MemoryLog {
            tail: self.0.lock().tail(),
            shared: self.clone(),
            is_uncertain: false,
        })
    }

    fn fail_next_append(&mut self, kept: bool) {
        self.0.lock().fails = Some(kept);
    }

    fn set_room(&mut self, bytes: Option<u64>) {
        self.0.lock().room = bytes;
    }
}

impl CommitLog for MemoryLog {
    fn tail(&self) -> Lsn {
        self.tail
    }

    fn append(&mut self, after: Lsn, entries: &mut Entries) -> Result<Lsn, AppendError> {
        let mut shared = self.shared.0.lock();
        let lost = || AppendError::Ambiguous(io::Error::other("no answer"));
        if self.is_uncertain {
            return Err(lost());
        }
        let tail = shared.tail();
        if tail != after || entries.first() != after.next() && !entries.is_empty() {
            return Err(AppendError::Conflict { tail });
        }
        let room = usize::try_from(shared.room.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let (len, count) = entries.prefix(room);
        if count == 0 && !entries.is_empty() {
            return Err(AppendError::Full);
        }
        let fails = shared.fails.take();
        if fails != Some(false) {
            let mut rest = &entries.records()[..len];
            while let Some(len) = record::len_of_first(rest) {
                let (record, after) = rest.split_at(len);
                shared.records.push(record.to_vec());
                rest = after;
            }
            if let Some(room) = &mut shared.room {
                *room -= len as u64;
            }
        }
        if fails.is_some() {
            self.is_uncertain = true;
            return Err(lost());
        }
        entries.advance(len, count);
        self.tail = shared.tail();
        Ok(self.tail)
    }

    fn read_from(
        &self,
        from: Lsn,
        visit: &mut dyn FnMut(LoggedRecord<'_>) -> Result<(), String>,
    ) -> Result<Lsn, OpenError> {
        let shared = self.shared.0.lock();
        let Some(skipped) = from.0.checked_sub(shared.trimmed + 1) else {
            return Err(OpenError::NotKept);
        };
        for record in shared.records.iter().skip(skipped as usize) {
            visit(record::take(&mut Reader::new(record)).unwrap()).unwrap();
        }
        Ok(shared.tail())
    }

    fn trim(&mut self, keep: Lsn) -> Result<Lsn, AppendError> {
        let mut shared = self.shared.0.lock();
        let count = keep.0.saturating_sub(1).min(shared.tail().0) - shared.trimmed;
        shared.records.drain(..count as usize);
        shared.trimmed += count;
        Ok(Lsn(shared.trimmed + 1))
    }
}

/// Transactions with the Lsns after `after`, their time their Lsn.
fn entries(after: Lsn, count: u64) -> Entries {
    let database = Database::new(0);
    let made = Made {
        database: &database,
        changes: &ChangeSet::new(),
    };
    let mut batch = Batch::new();
    batch.first = after.next();
    let parts = Parts {
        audit: true,
        sums: false,
    };
    for lsn in after.0 + 1..=after.0 + count {
        let record = TransactionRecord {
            time: lsn as i64,
            caller: syncline_protocol::Identity([1; 32]),
            connection: syncline_protocol::ConnectionId([2; 16]),
            reducer: "add",
            args: &[0; 40],
            seed: [3; 32],
        };
        let out = &mut batch.bytes;
        record::put_transaction(
            Lsn(lsn),
            &record,
            parts,
            &made,
            &mut Encoder::default(),
            out,
        );
        batch.count += 1;
    }
    assert_eq!(batch.bytes.len() > GROUP_HEADER_BYTES, count > 0);
    let mut entries = Entries::default();
    entries.take(&mut batch);
    entries
}

fn append_all(log: &mut dyn CommitLog, count: u64) {
    let mut entries = entries(log.tail(), count);
    while !entries.is_empty() {
        let before = entries.count();
        let tail = log.append(log.tail(), &mut entries).unwrap();
        assert_eq!(tail, log.tail());
        assert!(
            entries.count() < before,
            "an append takes something or fails"
        );
        log.prepare().unwrap();
    }
}

/// Lsns of the transactions from `from` on.
fn read(log: &dyn CommitLog, from: u64) -> Vec<u64> {
    let mut lsns = Vec::new();
    let last = log.read_from(Lsn(from), &mut |record| {
        if let LoggedRecord::Transaction(transaction) = record {
            assert_eq!(transaction.lsn.0 as i64, transaction.time);
            lsns.push(transaction.lsn.0);
        }
        Ok(())
    });
    assert_eq!(last.unwrap(), log.tail());
    lsns
}

fn appends_and_reads(backend: &mut dyn Backend) {
    let mut log = backend.open();
    assert_eq!(log.tail(), Lsn::ZERO);
    assert_eq!(read(&*log, 1), [] as [u64; 0]);
    for count in [1, 1, 10, 100, 3] {
        append_all(&mut *log, count);
    }
    assert_eq!(log.tail(), Lsn(115));
    for from in [1, 2, 50, 115, 116, 200] {
        assert!(read(&*log, from).into_iter().eq(from..116), "from {from}");
    }
    let mut none = entries(Lsn(115), 0);
    assert_eq!(log.append(Lsn(115), &mut none).unwrap(), Lsn(115));
    log.seal().unwrap();
    drop(log);
    backend.lose_power();
    let mut log = backend.open();
    assert_eq!(log.tail(), Lsn(115));
    append_all(&mut *log, 5);
    assert!(read(&*log, 1).into_iter().eq(1..121));
}

fn expects_the_last(backend: &mut dyn Backend) {
    let mut log = backend.open();
    append_all(&mut *log, 10);
    for after in [0, 9, 11, 50] {
        let mut entries = entries(Lsn(after), 3);
        let error = log.append(Lsn(after), &mut entries).unwrap_err();
        assert!(
            matches!(error, AppendError::Conflict { tail: Lsn(10) }),
            "{error}"
        );
        assert_eq!(entries.count(), 3, "nothing was taken");
    }
    // Entries that do not follow what they say they follow.
    let mut wrong = entries(Lsn(20), 3);
    assert!(matches!(
        log.append(Lsn(10), &mut wrong).unwrap_err(),
        AppendError::Conflict { tail: Lsn(10) }
    ));
    assert!(read(&*log, 1).into_iter().eq(1..11));
    append_all(&mut *log, 1);
    assert_eq!(log.tail(), Lsn(11));
}

fn ambiguous_appends(backend: &mut dyn Backend) {
    let mut acknowledged = 0;
    for round in 0..6 {
        let mut log = backend.open();
        let tail = log.tail().0;
        // All, some or none of what was ambiguous, and all that was acknowledged.
        assert!(
            tail >= acknowledged,
            "round {round}: {tail}, {acknowledged}"
        );
        assert!(read(&*log, 1).into_iter().eq(1..=tail), "round {round}");
        append_all(&mut *log, 2);
        acknowledged = log.tail().0;
        backend.fail_next_append(round % 2 == 0);
        let mut lost = entries(log.tail(), 3);
        let error = log.append(log.tail(), &mut lost).unwrap_err();
        assert!(matches!(error, AppendError::Ambiguous(_)), "{error}");
        assert_eq!(log.tail(), Lsn(acknowledged), "nothing is acknowledged");
        let again = log.append(log.tail(), &mut lost).unwrap_err();
        assert!(
            matches!(again, AppendError::Ambiguous(_)),
            "it is never tried again"
        );
        if round == 4 {
            backend.lose_power();
        }
    }
}

fn trims(backend: &mut dyn Backend) {
    let mut log = backend.open();
    append_all(&mut *log, 200);
    drop(log);
    let mut log = backend.open();
    assert_eq!(log.trim(Lsn(1)).unwrap(), Lsn(1));
    let first = log.trim(Lsn(150)).unwrap();
    assert!(first > Lsn(1) && first <= Lsn(150), "{first}");
    assert!(read(&*log, 150).into_iter().eq(150..201));
    let error = log.read_from(Lsn(first.0 - 1), &mut |_| Ok(()));
    assert!(matches!(error, Err(OpenError::NotKept)));
    append_all(&mut *log, 10);
    // All of it may go, and it goes on with the next Lsn.
    let first = log.trim(Lsn(1000)).unwrap();
    assert!(first <= Lsn(211), "{first}");
    drop(log);
    backend.lose_power();
    let mut log = backend.open();
    assert_eq!(log.tail(), Lsn(210));
    append_all(&mut *log, 2);
    assert!(read(&*log, first.0).into_iter().eq(first.0..213));
}

fn runs_full(backend: &mut dyn Backend) {
    let mut log = backend.open();
    append_all(&mut *log, 3);
    backend.set_room(Some(3000));
    let mut all = entries(log.tail(), 100);
    let error = loop {
        match log.append(log.tail(), &mut all) {
            Ok(_) => assert!(!all.is_empty(), "there is no end to the room"),
            Err(error) => break error,
        }
        let _ = log.prepare();
    };
    assert!(matches!(error, AppendError::Full), "{error}");
    let taken = log.tail().0;
    assert_eq!(all.first(), Lsn(taken + 1));
    assert!(taken > 3, "what room there was is used");
    backend.set_room(None);
    log.prepare().unwrap();
    while !all.is_empty() {
        log.append(log.tail(), &mut all).unwrap();
    }
    assert!(read(&*log, 1).into_iter().eq(1..104));
}

#[test]
fn every_log_does_what_a_log_must() {
    let checks = [
        appends_and_reads,
        expects_the_last,
        ambiguous_appends,
        trims,
        runs_full,
    ];
    for check in checks {
        check(&mut Files {
            disk: MemoryDisk::new(),
            epoch: 0,
        });
        check(&mut Memory::default());
    }
}

/// Two who both believe that they are the one writer: a log that is elsewhere tells the second.
#[test]
fn the_second_writer_is_told() {
    let mut memory = Memory::default();
    let (mut one, mut two) = (memory.open(), memory.open());
    append_all(&mut *one, 5);
    let mut late = entries(Lsn::ZERO, 1);
    let error = two.append(Lsn::ZERO, &mut late).unwrap_err();
    assert!(matches!(error, AppendError::Conflict { tail: Lsn(5) }));
}
