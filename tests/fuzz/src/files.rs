//! A small database on a disk in memory, to be damaged in ways that its checksums do not show.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Identity, IndexDef, IndexKind, Schema, TableDef, TableId,
    Type,
};
use syncline_store::{
    Disk, MemoryDisk, Opened, Options, PublishRecord, TransactionRecord, checkpoint, open,
};

/// Where it lies.
pub const FOLDER: &str = "/data/board";

/// Segments so small that filling them with zeros takes no time.
pub const OPTIONS: Options = Options {
    segment_bytes: 1 << 16,
    first_segment_bytes: 1 << 12,
    audit: true,
    pending_bytes_max: 1 << 20,
    checkpoint_bytes: u64::MAX,
    checkpoints_min: 2,
    history_bytes: u64::MAX,
};

/// The files of a database with some transactions, a checkpoint in the middle, and its module.
pub fn database() -> Vec<(PathBuf, Vec<u8>)> {
    static FILES: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(make).clone()
}

fn make() -> Vec<(PathBuf, Vec<u8>)> {
    let disk = MemoryDisk::new();
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut opened = open(shared, Path::new(FOLDER), 1, 2, OPTIONS).expect("it is new");
    let wasm = b"\0asm";
    let hash = sha2::Digest::finalize(sha2::Digest::chain_update(
        <sha2::Sha256 as sha2::Digest>::new(),
        wasm,
    ))
    .into();
    let _stored = opened
        .log
        .put_module(&hash, wasm)
        .expect("there is room");
    let schema = opened.database.schema().evolve(schema(), hash, false);
    let schema = schema.expect("there was nothing before");
    opened
        .database
        .install(Arc::clone(&schema))
        .expect("there are no rows");
    let publish = PublishRecord {
        time: 3,
        caller: Identity([0; 32]),
        schema: &schema,
        clear_data: false,
    };
    let none = ChangeSet::new();
    opened.log.append_publish(&publish, &opened.database, &none);
    for id in 0..12 {
        opened = transact(opened, id);
        opened
            .log
            .flush_inline(&mut opened.writer)
            .expect("there is room");
        if id == 6 {
            let mut writer = checkpoint::begin(&mut opened.log, &opened.database);
            writer.run().expect("everything is durable");
        }
    }
    drop(opened);
    let bytes = |path: PathBuf| {
        let bytes = disk.bytes(&path).unwrap_or_default();
        let used = bytes.iter().rposition(|&b| b != 0).map_or(0, |at| at + 16);
        let len = used.min(bytes.len());
        (path, bytes[..len].to_vec())
    };
    disk.files().into_iter().map(bytes).collect()
}

fn schema() -> Schema {
    let column = |name: &str, ty| ColumnDef {
        name: name.to_owned(),
        ty,
    };
    let table = TableDef {
        name: "item".to_owned(),
        columns: vec![column("id", Type::U64), column("name", Type::String)],
        primary_key: vec![0],
        indexes: vec![IndexDef {
            name: "name".to_owned(),
            columns: vec![1],
            kind: IndexKind::Ordered,
            unique: true,
        }],
        auto_increment: None,
        public: true,
    };
    Schema {
        tables: vec![table],
        ..Schema::default()
    }
}

fn transact(opened: Opened, id: u64) -> Opened {
    let Opened {
        database,
        mut log,
        writer,
        epoch,
        epochs,
        last,
        last_time,
        wasm,
        report,
    } = opened;
    let mut transaction = database.begin();
    let mut row = id.to_le_bytes().to_vec();
    let name = format!("name {id}");
    row.extend_from_slice(&(name.len() as u32).to_le_bytes());
    row.extend_from_slice(name.as_bytes());
    let table = TableId::FIRST_USER;
    transaction.insert(table, &mut row).expect("it is new");
    if id % 3 == 2 {
        let old = (id - 2).to_le_bytes();
        transaction.delete(table, &old).expect("the table is there");
    }
    let mut changes = ChangeSet::new();
    let database = transaction.commit(&mut changes);
    let record = TransactionRecord {
        time: 4,
        caller: Identity([1; 32]),
        connection: ConnectionId([2; 16]),
        reducer: "add",
        args: &[1, 2, 3],
        seed: [4; 32],
    };
    log.append(&record, &database, &changes);
    Opened {
        database,
        log,
        writer,
        epoch,
        epochs,
        last,
        last_time,
        wasm,
        report,
    }
}

/// Puts the files on a disk of their own.
pub fn disk_of(files: &[(PathBuf, Vec<u8>)]) -> MemoryDisk {
    let disk = MemoryDisk::new();
    for (path, bytes) in files {
        let folder = path.parent().expect("a file is in a folder");
        syncline_store::disk::create_dir_all(&disk, folder).expect("there is room");
        syncline_store::disk::replace_file(&disk, path, bytes).expect("there is room");
    }
    disk
}

/// Changes bytes of a file: each four bytes of `edits` are an offset of 24 bits and a mask.
pub fn edit(bytes: &mut [u8], edits: &[u8]) {
    for edit in edits.as_chunks::<4>().0 {
        let offset = u32::from_le_bytes([edit[0], edit[1], edit[2], 0]) as usize;
        let len = bytes.len();
        if len > 0 {
            bytes[offset % len] ^= edit[3];
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

fn crc_of(salt: [u8; 8], bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt), bytes)
}

/// Makes the checksums of a segment, or of a checkpoint, right again, as far as its lengths make sense.
pub fn checksum_again(bytes: &mut [u8]) {
    if bytes.len() < 128 {
        return;
    }
    let is_segment = bytes.starts_with(b"SYNCLOG\n");
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..128]);
    put(bytes, 12, crc);
    let salt_at = if is_segment { 48 } else { 32 };
    let salt = *bytes[salt_at..].first_chunk().expect("it has 128 bytes");
    let header = if is_segment { 72 } else { 32 };
    let mut at = 128;
    while let Some(len) = u32_at(bytes, at + 8) {
        let (start, end) = (at + header, (at + header).saturating_add(len as usize));
        if end > bytes.len() {
            return;
        }
        let crc = crc32c::crc32c(&bytes[start..end]);
        put(bytes, at + 12, crc);
        let crc = crc_of(salt, &bytes[at + 8..start]);
        put(bytes, at + 4, crc);
        at = end.next_multiple_of(8);
    }
}
