//! What a call costs, next to what wasmtime and the store cost alone:
//! `cargo run --release -p syncline-host --example call_speed [BANK.wasm]`.
//! Without a file it is a module written by hand, which costs next to nothing itself.

#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use syncline_host::{CallContext, Host, LogLine, Module, RunLimits, Runner};
use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Identity, ReducerDef, ReducerKind, Schema, TableDef,
    TableId, Type, abi, schema_codec,
};
use syncline_store::{Database, DatabaseSchema, IndexId};

const ACCOUNTS: u64 = 100_000;
const CALLS: u64 = 300_000;
/// Finds of one call of `find_many`.
const FINDS: u64 = 1000;

/// `account { id: u64, balance: i64 }`, rows of 16 bytes.
const REDUCERS: &str = r"
    (func $empty (param $args i32) (result i64) (i64.const 1))
    (func $find_many (param $args i32) (result i64) (local $i i64)
        (loop $again
            (i64.store (i32.const 0x9000) (i64.rem_u (i64.mul (local.get $i) (i64.const 7919))
                (i64.load offset=8 (local.get $args))))
            (drop (call $find (i32.const 0) (i32.const 0) (i32.const 0x9000) (i32.const 8)
                (i32.const 0x9010) (i32.const 64)))
            (local.set $i (i64.add (local.get $i) (i64.const 1)))
            (br_if $again (i64.lt_u (local.get $i) (i64.load (local.get $args)))))
        (i64.const 1))
    (func $transfer (param $args i32) (result i64)
        (if (i64.le_s (i64.load offset=16 (local.get $args)) (i64.const 0))
            (then (return (i64.const 0x1000000005))))
        (drop (call $find (i32.const 0) (i32.const 0) (local.get $args) (i32.const 8)
            (i32.const 0x9010) (i32.const 64)))
        (drop (call $find (i32.const 0) (i32.const 0) (i32.add (local.get $args) (i32.const 8))
            (i32.const 8) (i32.const 0x9050) (i32.const 64)))
        (i64.store offset=8 (i32.const 0x9010) (i64.sub (i64.load offset=8 (i32.const 0x9010))
            (i64.load offset=16 (local.get $args))))
        (i64.store offset=8 (i32.const 0x9050) (i64.add (i64.load offset=8 (i32.const 0x9050))
            (i64.load offset=16 (local.get $args))))
        (drop (call $update (i32.const 0) (i32.const 0x9010) (i32.const 16)))
        (drop (call $update (i32.const 0) (i32.const 0x9050) (i32.const 16)))
        (i64.const 1))
    (type $reducer (func (param i32) (result i64)))
    (table funcref (elem $empty $find_many $transfer))
";

fn main() {
    let host = Host::new(RunLimits::default()).expect("an engine");
    let wasm = match std::env::args().nth(1) {
        Some(path) => std::fs::read(path).expect("the file can be read"),
        None => wasm(),
    };
    let module = host.load(&wasm).expect("the module is good");
    let mut bank = Bank::new(&module);
    println!("{ACCOUNTS} accounts; nanoseconds");
    let floor = floor();
    let native = bank.native_empty();
    line("empty function of bare wasmtime", floor, None);
    line("empty transaction of the store", native, None);
    if let Some(ns) = bank.calls("empty", CALLS, |_| [0; 3]) {
        line("empty call", ns, Some(floor + native));
    }
    if let Some(ns) = bank.calls("find_many", CALLS / FINDS, |_| [FINDS, ACCOUNTS, 0]) {
        line(
            "find from a reducer",
            ns / FINDS as f64,
            Some(bank.native_find()),
        );
    }
    let transfer = bank.calls("transfer", CALLS, |call| {
        [call * 7919 % ACCOUNTS, call * 104_729 % ACCOUNTS, 1]
    });
    if let Some(ns) = transfer {
        line(
            "transfer: 2 find, 2 update, commit",
            ns,
            Some(bank.native_transfer()),
        );
    }
    if let Some(ns) = bank.calls("transfer", CALLS / 30, |_| [0, 1, 0]) {
        line("transfer that fails, and a fresh instance", ns, None);
    }
}

fn line(what: &str, ns: f64, floor: Option<f64>) {
    print!("{what:<42}{ns:>10.1}");
    if let Some(floor) = floor {
        print!(
            "   without the host {floor:>8.1}, ratio {:>6.2}",
            ns / floor
        );
    }
    println!();
}

/// Nanoseconds a run, the best of five rounds.
fn measure(runs: u64, mut run: impl FnMut(u64)) -> f64 {
    let rounds = (0..5).map(|_| {
        let start = Instant::now();
        for call in 0..runs {
            run(call);
        }
        start.elapsed().as_nanos() as f64 / runs as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// A wasm call with nothing around it.
fn floor() -> f64 {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true);
    let engine = wasmtime::Engine::new(&config).expect("an engine");
    let text = r#"(module (func (export "f") (param i32 i32 i32) (result i64) (i64.const 1)))"#;
    let wasm = wat::parse_str(text).expect("the text is good");
    let module = wasmtime::Module::from_binary(&engine, &wasm).expect("the module is good");
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("it has no imports");
    let function = instance.get_typed_func::<(u32, u32, u32), u64>(&mut store, "f");
    let function = function.expect("it has this type");
    store.set_epoch_deadline(100);
    measure(CALLS, |_| {
        let result = function
            .call(&mut store, (0, 0, 0))
            .expect("it does nothing");
        black_box(result);
    })
}

struct Bank {
    runner: Runner,
    database: Option<Database>,
    tables: Vec<TableId>,
    accounts: TableId,
    changes: ChangeSet,
    context: CallContext,
    log: Vec<LogLine>,
}

impl Bank {
    fn new(module: &Module) -> Self {
        let schema = DatabaseSchema::empty()
            .evolve(module.schema().clone(), module.hash(), false)
            .expect("an empty database takes any schema");
        let tables = schema.table_ids.clone();
        let accounts = schema.table_id("account").expect("the module is a bank");
        let mut database = Database::new(1);
        database.install(schema).expect("the tables are empty");
        let mut bank = Self {
            runner: Runner::new(module),
            database: Some(database),
            accounts,
            tables,
            changes: ChangeSet::new(),
            context: CallContext {
                caller: Identity([1; 32]),
                connection: ConnectionId([1; 16]),
                time: 1,
                seed: [1; 32],
            },
            log: Vec::new(),
        };
        bank.fill();
        bank
    }

    fn fill(&mut self) {
        let mut transaction = self
            .database
            .take()
            .expect("no transaction is open")
            .begin();
        let mut row = Vec::new();
        for id in 0..ACCOUNTS {
            row.clear();
            row.extend_from_slice(&id.to_le_bytes());
            row.extend_from_slice(&1000_i64.to_le_bytes());
            transaction
                .insert(self.tables[0], &mut row)
                .expect("the id is new");
        }
        self.database = Some(transaction.commit(&mut self.changes));
    }

    /// Calls a reducer often, each time with three u64s. A call of `transfer` with amount 0 fails.
    fn calls(&mut self, name: &str, runs: u64, next: impl Fn(u64) -> [u64; 3]) -> Option<f64> {
        let (reducer, def) = self.runner.module().schema().reducer(name)?;
        let args_len = if def.params.is_empty() && name == "empty" {
            0
        } else {
            24
        };
        Some(measure(runs, |call| {
            let words = next(call);
            let mut args = [0; 24];
            for (slot, word) in args.chunks_exact_mut(8).zip(words) {
                slot.copy_from_slice(&word.to_le_bytes());
            }
            let transaction = self
                .database
                .take()
                .expect("no transaction is open")
                .begin();
            let (transaction, result) = self.runner.call(
                transaction,
                &self.tables,
                reducer,
                &self.context,
                &args[..args_len],
                &mut self.log,
            );
            let is_failing = name == "transfer" && words[2] == 0;
            assert_eq!(result.is_err(), is_failing, "{name}: {result:?}");
            self.database = Some(match result {
                Ok(_) => transaction.commit(&mut self.changes),
                Err(_) => transaction.rollback(),
            });
        }))
    }

    fn native_empty(&mut self) -> f64 {
        measure(CALLS, |_| {
            let transaction = self
                .database
                .take()
                .expect("no transaction is open")
                .begin();
            self.database = Some(transaction.commit(&mut self.changes));
        })
    }

    fn native_find(&mut self) -> f64 {
        let database = self.database.as_ref().expect("no transaction is open");
        let table = database.table(self.accounts).expect("it is installed");
        measure(CALLS, |call| {
            let key = (call % FINDS * 7919 % ACCOUNTS).to_le_bytes();
            black_box(table.find(IndexId::PRIMARY, &key));
        })
    }

    fn native_transfer(&mut self) -> f64 {
        let id = self.accounts;
        measure(CALLS, |call| {
            let mut transaction = self
                .database
                .take()
                .expect("no transaction is open")
                .begin();
            let mut rows = [[0; 16]; 2];
            for (row, factor) in rows.iter_mut().zip([7919, 104_729]) {
                let key = (call * factor % ACCOUNTS).to_le_bytes();
                let table = transaction.table(id).expect("it is installed");
                let found = table
                    .find(IndexId::PRIMARY, &key)
                    .expect("the account is there");
                row.copy_from_slice(found);
            }
            for (row, amount) in rows.iter_mut().zip([-1, 1]) {
                let (_, balance) = row.split_last_chunk_mut::<8>().expect("a row has 16 bytes");
                *balance = (i64::from_le_bytes(*balance) + amount).to_le_bytes();
                transaction.update(id, row).expect("the account is there");
            }
            self.database = Some(transaction.commit(&mut self.changes));
        })
    }
}

/// The module, with a description of its schema.
fn wasm() -> Vec<u8> {
    let column = |name: &str, ty| ColumnDef {
        name: name.into(),
        ty,
    };
    let reducer = |name: &str| ReducerDef {
        name: name.into(),
        params: Vec::new(),
        returns: None,
        kind: ReducerKind::Call,
    };
    let schema = Schema {
        tables: vec![TableDef {
            name: "account".into(),
            columns: vec![column("id", Type::U64), column("balance", Type::I64)],
            primary_key: vec![0],
            indexes: Vec::new(),
            auto_increment: None,
            public: true,
        }],
        reducers: ["empty", "find_many", "transfer"].map(reducer).into(),
        ..Schema::default()
    };
    let mut description = abi::VERSION.to_le_bytes().to_vec();
    description.extend(schema_codec::encode(&schema));
    let mut data = String::new();
    for byte in &description {
        write!(data, "\\{byte:02x}").expect("a string takes everything");
    }
    let text = format!(
        r#"(module
        (import "syncline_1" "find" (func $find (param i32 i32 i32 i32 i32 i32) (result i64)))
        (import "syncline_1" "update" (func $update (param i32 i32 i32) (result i64)))
        (memory (export "memory") 2)
        (data (i32.const 16) "\01nope")
        (data (i32.const 0x1000) "{data}")
        {REDUCERS}
        (func (export "syncline_describe") (result i64) (i64.const {description}))
        (func (export "syncline_alloc") (param i32) (result i32) (i32.const 0x10000))
        (func (export "syncline_call") (param i32 i32 i32) (result i64)
            (call_indirect (type $reducer) (i32.add (local.get 1) (i32.const {header}))
                (local.get 0))))"#,
        description = (0x1000_u64 << 32) | description.len() as u64,
        header = abi::CALL_HEADER_BYTES,
    );
    wat::parse_str(text).expect("the text is good")
}
