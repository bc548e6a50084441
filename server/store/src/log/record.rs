//! Records: what happened to a database, one after the other.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | length of what follows |
//! | 4 | 1 | kind: 1 open, 2 transaction, 3 publish, 4 seal |
//! | 5 | | body |
//!
//! | kind | body |
//! |---|---|
//! | open | u64 epoch; u64 parent epoch; u64 start Lsn; i64 time; u64 hash seed; [`sums`] |
//! | transaction | varint Lsn; i64 time; u8 parts: 1 audit, 2 sums; those parts; changes |
//! | audit | 32 caller; 16 connection; 32 seed; sized reducer name (UTF-8); sized packed arguments |
//! | publish | varint Lsn; i64 time; 32 caller; 32 module hash; u8 parts: 1 clear data, 2 sums; sums if so; varint next table id; varint count, then as many varint table ids; sized schema ([`schema_codec`]); changes |
//! | seal | u64 durable Lsn |
//!
//! Numbers are little-endian; varints and changes are those of `varint` and [`super::changes`];
//! "sized" is a varint length and bytes. Transactions and publishes have an Lsn, opens and seals have none.
//! Sums are those after the record's own changes. In version 1 no record has any.

use std::sync::Arc;

use syncline_protocol::packed::Reader;
use syncline_protocol::{
    ChangeSet, CodecError, ConnectionId, Epoch, Identity, Lsn, TableId, schema_codec,
};

use super::changes::{self, LoggedChanges, Marks};
use super::varint;
use crate::database::Database;
use crate::schema::DatabaseSchema;

pub mod sums;

pub use sums::{RowSum, RowSums};

/// Bytes before the body of a record.
const HEADER_BYTES: usize = 5;

const OPEN: u8 = 1;
const TRANSACTION: u8 = 2;
const PUBLISH: u8 = 3;
const SEAL: u8 = 4;

/// Bits of the byte that names parts: the audit of a transaction, or that a publish clears the data.
const FIRST_PART: u8 = 1;
const SUMS: u8 = 2;

/// Which parts a transaction's record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Who called what.
    pub(crate) audit: bool,
    /// What the tables hold after it.
    pub(crate) sums: bool,
}

/// A transaction, but for what it changed.
#[derive(Clone, Copy, Debug)]
pub struct TransactionRecord<'a> {
    /// Microseconds since the Unix epoch; not before that of the last record.
    pub time: i64,
    /// Who called.
    pub caller: Identity,
    /// Over which connection.
    pub connection: ConnectionId,
    /// What; empty for a change by the server itself.
    pub reducer: &'a str,
    /// With which packed arguments.
    pub args: &'a [u8],
    /// And which seed.
    pub seed: [u8; 32],
}

/// A publish, but for what `init` changed.
#[derive(Clone, Copy, Debug)]
pub struct PublishRecord<'a> {
    /// Microseconds since the Unix epoch; not before that of the last record.
    pub time: i64,
    /// Who published.
    pub caller: Identity,
    /// The schema from now on, with the hash of a module whose wasm was put before.
    pub schema: &'a Arc<DatabaseSchema>,
    /// Every row of the module's tables was thrown away first.
    pub clear_data: bool,
}

/// The database was opened. First record of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRecord {
    /// From now on.
    pub epoch: Epoch,
    /// Until now; 0 at the first open.
    pub parent: Epoch,
    /// The last Lsn that is the same in both epochs: those of the parent beyond it are lost.
    pub start: Lsn,
    /// Microseconds since the Unix epoch.
    pub time: i64,
    /// Seed of the database's hash tables, the same at every open.
    pub hash_seed: u64,
}

/// A record as it is read.
#[derive(Clone, Debug)]
pub enum LoggedRecord<'a> {
    /// The database was opened.
    Open(OpenRecord, RowSums<'a>),
    /// A transaction was committed.
    Transaction(LoggedTransaction<'a>),
    /// A module was published.
    Publish(LoggedPublish<'a>),
    /// Everything up to this Lsn had been synced.
    Seal(Lsn),
}

/// A transaction as it is read.
#[derive(Clone, Debug)]
pub struct LoggedTransaction<'a> {
    /// Its place in the log.
    pub lsn: Lsn,
    /// Microseconds since the Unix epoch.
    pub time: i64,
    /// Unless the log was told to leave it out.
    pub audit: Option<Audit<'a>>,
    /// What the tables held after it, now and then.
    pub sums: Option<RowSums<'a>>,
    /// What it did.
    pub changes: LoggedChanges<'a>,
}

/// A publish as it is read.
#[derive(Clone, Debug)]
pub struct LoggedPublish<'a> {
    /// Its place in the log.
    pub lsn: Lsn,
    /// Microseconds since the Unix epoch.
    pub time: i64,
    /// Who published.
    pub caller: Identity,
    /// The schema from there on.
    pub schema: DatabaseSchema,
    /// Every row of the module's tables was thrown away first.
    pub clear_data: bool,
    /// What the tables held after it.
    pub sums: Option<RowSums<'a>>,
    /// What `init` did.
    pub changes: LoggedChanges<'a>,
}

/// Who made a transaction, and how to make it again. Recovery does not need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit<'a> {
    /// Who called.
    pub caller: Identity,
    /// Over which connection.
    pub connection: ConnectionId,
    /// With which seed.
    pub seed: [u8; 32],
    /// What; empty for a change by the server itself.
    pub reducer: &'a str,
    /// With which packed arguments.
    pub args: &'a [u8],
}

fn begin(kind: u8, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind]);
    start
}

fn finish(start: usize, out: &mut [u8]) {
    // `LogAppender` refuses what is over `log_record_bytes_max`, far below 4 GiB.
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_le_bytes());
}

/// What is written beside a record itself.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    /// As the record leaves it.
    pub(crate) database: &'a Database,
    /// How it got there.
    pub(crate) changes: &'a ChangeSet,
}

/// What encoding keeps from record to record.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    marks: Marks,
    /// Room to work in.
    key: Vec<u8>,
}

impl Encoder {
    fn put_changes(&mut self, made: &Made<'_>, out: &mut Vec<u8>) {
        changes::put(
            made.changes,
            made.database,
            &mut self.marks,
            &mut self.key,
            out,
        );
    }
}

/// Appends a transaction.
pub(crate) fn put_transaction(
    lsn: Lsn,
    record: &TransactionRecord<'_>,
    parts: Parts,
    made: &Made<'_>,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) {
    let start = begin(TRANSACTION, out);
    varint::put(u128::from(lsn.0), out);
    out.extend_from_slice(&record.time.to_le_bytes());
    out.push((u8::from(parts.audit) * FIRST_PART) | (u8::from(parts.sums) * SUMS));
    if parts.audit {
        out.extend_from_slice(&record.caller.0);
        out.extend_from_slice(&record.connection.0);
        out.extend_from_slice(&record.seed);
        varint::put_sized(record.reducer.as_bytes(), out);
        varint::put_sized(record.args, out);
    }
    if parts.sums {
        sums::put(RowSum::of(made.database), out);
    }
    encoder.put_changes(made, out);
    finish(start, out);
}

/// Appends a publish.
///
/// # Panics
/// If the schema has no module hash.
pub(crate) fn put_publish(
    lsn: Lsn,
    record: &PublishRecord<'_>,
    made: &Made<'_>,
    encoder: &mut Encoder,
    out: &mut Vec<u8>,
) {
    let start = begin(PUBLISH, out);
    varint::put(u128::from(lsn.0), out);
    out.extend_from_slice(&record.time.to_le_bytes());
    out.extend_from_slice(&record.caller.0);
    let hash = record.schema.module_hash.as_ref();
    out.extend_from_slice(hash.expect("what is published has a module"));
    out.push((u8::from(record.clear_data) * FIRST_PART) | SUMS);
    sums::put(RowSum::of(made.database), out);
    varint::put(u128::from(record.schema.next_table_id), out);
    varint::put(record.schema.table_ids.len() as u128, out);
    for id in &record.schema.table_ids {
        varint::put(u128::from(id.0), out);
    }
    varint::put_sized(&schema_codec::encode(&record.schema.module), out);
    encoder.put_changes(made, out);
    finish(start, out);
}

/// Appends an open of this database.
pub(crate) fn put_open(record: &OpenRecord, database: &Database, out: &mut Vec<u8>) {
    let start = begin(OPEN, out);
    for number in [record.epoch.0, record.parent.0, record.start.0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&record.time.to_le_bytes());
    out.extend_from_slice(&record.hash_seed.to_le_bytes());
    sums::put(RowSum::of(database), out);
    finish(start, out);
}

/// Appends a seal.
pub(crate) fn put_seal(durable: Lsn, out: &mut Vec<u8>) {
    let start = begin(SEAL, out);
    out.extend_from_slice(&durable.0.to_le_bytes());
    finish(start, out);
}

/// Bytes of the record at the front, with its header.
pub(crate) fn len_of_first(records: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(*records.first_chunk()?);
    4usize.checked_add(len as usize)
}

/// Whether the first record is an open.
pub(crate) fn starts_with_open(records: &[u8]) -> bool {
    records.get(4) == Some(&OPEN)
}

/// Takes a record off the front. [`CodecError::Unknown`] for a kind of a later version.
pub(crate) fn take<'a>(reader: &mut Reader<'a>) -> Result<LoggedRecord<'a>, CodecError> {
    let mut reader = Reader::new(reader.sized()?);
    let [kind] = reader.array()?;
    match kind {
        OPEN => take_open(reader).map(|(open, sums)| LoggedRecord::Open(open, sums)),
        TRANSACTION => take_transaction(reader).map(LoggedRecord::Transaction),
        PUBLISH => take_publish(reader).map(LoggedRecord::Publish),
        SEAL => {
            let durable = Lsn(u64::from_le_bytes(reader.array()?));
            reader.finish()?;
            Ok(LoggedRecord::Seal(durable))
        }
        _ => Err(CodecError::Unknown),
    }
}

fn take_open(mut reader: Reader<'_>) -> Result<(OpenRecord, RowSums<'_>), CodecError> {
    let mut number = || reader.array().map(u64::from_le_bytes);
    let record = OpenRecord {
        epoch: Epoch(number()?),
        parent: Epoch(number()?),
        start: Lsn(number()?),
        time: number()?.cast_signed(),
        hash_seed: number()?,
    };
    // Version 1 ends here.
    let sums = if reader.rest().is_empty() {
        RowSums::default()
    } else {
        sums::take(&mut reader)?
    };
    reader.finish()?;
    Ok((record, sums))
}

/// Takes the byte that names the parts that follow: whether the first one does, and whether sums do.
fn take_parts(reader: &mut Reader<'_>) -> Result<(bool, bool), CodecError> {
    let [parts] = reader.array()?;
    if parts & !(FIRST_PART | SUMS) != 0 {
        return Err(CodecError::BadTag);
    }
    Ok((parts & FIRST_PART != 0, parts & SUMS != 0))
}

fn take_sums<'a>(
    are_there: bool,
    reader: &mut Reader<'a>,
) -> Result<Option<RowSums<'a>>, CodecError> {
    are_there.then(|| sums::take(reader)).transpose()
}

fn take_transaction(mut reader: Reader<'_>) -> Result<LoggedTransaction<'_>, CodecError> {
    let lsn = Lsn(varint::take_u64(&mut reader)?);
    let time = i64::from_le_bytes(reader.array()?);
    let (has_audit, has_sums) = take_parts(&mut reader)?;
    let audit = if has_audit {
        Some(Audit {
            caller: Identity(reader.array()?),
            connection: ConnectionId(reader.array()?),
            seed: reader.array()?,
            reducer: core::str::from_utf8(varint::take_sized(&mut reader)?)
                .map_err(|_| CodecError::NotUtf8)?,
            args: varint::take_sized(&mut reader)?,
        })
    } else {
        None
    };
    let sums = take_sums(has_sums, &mut reader)?;
    let changes = LoggedChanges::new(reader.rest());
    Ok(LoggedTransaction {
        lsn,
        time,
        audit,
        sums,
        changes,
    })
}

fn take_publish(mut reader: Reader<'_>) -> Result<LoggedPublish<'_>, CodecError> {
    let lsn = Lsn(varint::take_u64(&mut reader)?);
    let time = i64::from_le_bytes(reader.array()?);
    let caller = Identity(reader.array()?);
    let module_hash = Some(reader.array()?);
    let (clear_data, has_sums) = take_parts(&mut reader)?;
    let sums = take_sums(has_sums, &mut reader)?;
    let next_table_id = varint::take_u32(&mut reader)?;
    let count = varint::take_u32(&mut reader)? as usize;
    if count > reader.rest().len() {
        return Err(CodecError::TooLong);
    }
    let ids = (0..count).map(|_| varint::take_u32(&mut reader).map(TableId));
    let table_ids: Vec<_> = ids.collect::<Result<_, _>>()?;
    let module = schema_codec::decode(varint::take_sized(&mut reader)?)?;
    if module.tables.len() != count {
        return Err(CodecError::TypeMismatch);
    }
    let changes = LoggedChanges::new(reader.rest());
    let schema = DatabaseSchema {
        module,
        table_ids,
        next_table_id,
        module_hash,
    };
    Ok(LoggedPublish {
        lsn,
        time,
        caller,
        schema,
        clear_data,
        sums,
        changes,
    })
}

/// Room that a record takes beside its arguments and rows, generously.
pub(crate) const OVERHEAD_BYTES: usize = HEADER_BYTES + 512;
