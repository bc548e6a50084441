//! A module in WAT whose reducers do what their arguments say, and a database to run it on.

use std::fmt::Write as _;

use syncline_protocol::{
    ChangeSet, ColumnDef, ConnectionId, Field, Identity, IndexDef, IndexKind, ReducerDef,
    ReducerKind, Schema, TableDef, TableId, Type, abi, schema_codec,
};
use syncline_store::{Database, DatabaseSchema};

use crate::imports::SIGNATURES;
use crate::{CallContext, CallError, Host, LogLine, Module, RunLimits, Runner};

/// Where the fixture's `syncline_alloc` puts the call block.
pub(super) const BLOCK: u32 = 0x2_0000;
/// First byte of the arguments.
pub(super) const ARGS: u32 = BLOCK + abi::CALL_HEADER_BYTES as u32;
/// Memory that nothing else uses.
pub(super) const FREE: u32 = 0x3_0000;
/// Size of the fixture's memory.
pub(super) const MEMORY: u32 = 0x10_0000;

/// Numbers of the fixture's tables.
pub(super) const ACCOUNT: u32 = 0;
pub(super) const NOTE: u32 = 1;

/// `account { id: u64, balance: i64 }` and `note { id: u64 auto, text: string unique, weight: f64
/// ordered }`.
pub(super) fn tables() -> Vec<TableDef> {
    let column = |name: &str, ty| ColumnDef {
        name: name.into(),
        ty,
    };
    let index = |name: &str, column, kind, unique| IndexDef {
        name: name.into(),
        columns: vec![column],
        kind,
        unique,
    };
    vec![
        TableDef {
            name: "account".into(),
            columns: vec![column("id", Type::U64), column("balance", Type::I64)],
            primary_key: vec![0],
            indexes: vec![],
            auto_increment: None,
            public: true,
        },
        TableDef {
            name: "note".into(),
            columns: vec![
                column("id", Type::U64),
                column("text", Type::String),
                column("weight", Type::F64),
            ],
            primary_key: vec![0],
            indexes: vec![
                index("by_text", 1, IndexKind::Hash, true),
                index("by_weight", 2, IndexKind::Ordered, false),
            ],
            auto_increment: Some(0),
            public: true,
        },
    ]
}

/// A reducer: its name, what it returns, and its body, which leaves an outcome on the stack. `$ptr` and
/// `$len` are the call block, `$args` the arguments.
pub(super) struct ReducerText {
    pub(super) name: String,
    pub(super) returns: Option<Type>,
    pub(super) body: String,
}

pub(super) fn reducer(name: &str, returns: Option<Type>, body: &str) -> ReducerText {
    ReducerText {
        name: name.into(),
        returns,
        body: body.into(),
    }
}

/// Outcomes as constants: no value; the error `nope`.
pub(super) const OK: &str = "(i64.const 1)";
pub(super) const NOPE: &str = "(i64.const 0x1000000005)";

/// Stores an i64 and returns it: 0x200 holds the outcome's tag.
pub(super) fn returning_i64(value: &str) -> String {
    format!("(i64.store (i32.const 0x201) {value}) (i64.const 0x20000000009)")
}

/// One reducer for every host function: it calls it with the u32s in its arguments and returns the
/// result.
fn raw_reducers() -> Vec<ReducerText> {
    let raw = |name: &str, params: usize, has_result: bool| {
        let mut call = format!("(call ${name}");
        for param in 0..params {
            write!(call, " (i32.load offset={} (local.get $args))", 4 * param).unwrap();
        }
        call.push(')');
        if has_result {
            reducer(name, Some(Type::I64), &returning_i64(&call))
        } else {
            reducer(name, None, &format!("{call} {OK}"))
        }
    };
    SIGNATURES
        .iter()
        .map(|known| raw(known.name, known.params, known.has_result))
        .collect()
}

/// Reducers that most tests use.
fn common_reducers() -> Vec<ReducerText> {
    let copy_out = "(memory.copy (i32.const 0x80000) (i32.load (local.get $args))
            (i32.load offset=4 (local.get $args)))
        (i32.store8 (i32.const 0x7fffb) (i32.const 0))
        (i32.store (i32.const 0x7fffc) (i32.load offset=4 (local.get $args)))
        (i64.or (i64.const 0x7fffb00000000)
            (i64.add (i64.const 5) (i64.load32_u offset=4 (local.get $args))))";
    vec![
        reducer("ok", None, OK),
        reducer("nope", None, NOPE),
        // (ptr, len): the bytes there.
        reducer("peek", Some(Type::Bytes), copy_out),
    ]
}

/// The whole module. `extra` goes in as it is.
pub(super) fn module_text(schema: &Schema, reducers: &[ReducerText], extra: &str) -> String {
    let mut text = String::from("(module\n");
    for known in &SIGNATURES {
        let params = "i32 ".repeat(known.params);
        let result = if known.has_result { "(result i64)" } else { "" };
        let name = known.name;
        writeln!(
            text,
            "(import \"{}\" \"{name}\" (func ${name} (param {params}) {result}))",
            abi::IMPORT_MODULE
        )
        .unwrap();
    }
    let mut description = abi::VERSION.to_le_bytes().to_vec();
    description.extend(schema_codec::encode(schema));
    let description_len = description.len();
    assert!(
        description_len < 0x1000,
        "the description fits below 0x2000"
    );
    let escaped = escape(&description);
    write!(
        text,
        r#"(memory (export "memory") {pages})
        (data (i32.const 16) "\01nope")
        (data (i32.const 0x1000) "{escaped}")
        (type $reducer (func (param i32 i32) (result i64)))
        (func (export "syncline_describe") (result i64) (i64.const {description}))
        (func (export "syncline_alloc") (param i32) (result i32) (i32.const {BLOCK}))
        (func (export "syncline_call") (param $reducer i32) (param $ptr i32) (param $len i32)
            (result i64)
            (call_indirect (type $reducer) (local.get $ptr) (local.get $len)
                (local.get $reducer)))
        "#,
        pages = MEMORY / 0x1_0000,
        description = (0x1000_u64 << 32) | description_len as u64,
    )
    .unwrap();
    let mut elements = String::new();
    for (position, reducer) in reducers.iter().enumerate() {
        writeln!(
            text,
            "(func $r{position} (param $ptr i32) (param $len i32) (result i64) (local $args i32)
                (local $i i32) (local $chunk i64)
                (local.set $args (i32.add (local.get $ptr) (i32.const {})))
                {})",
            abi::CALL_HEADER_BYTES,
            reducer.body
        )
        .unwrap();
        write!(elements, " $r{position}").unwrap();
    }
    writeln!(text, "(table funcref (elem{elements}))\n{extra})").unwrap();
    text
}

/// The schema of a module with these reducers. Arguments are not described: the host takes them as they
/// are.
pub(super) fn schema(reducers: &[ReducerText]) -> Schema {
    let reducers = reducers.iter().map(|reducer| ReducerDef {
        name: reducer.name.clone(),
        params: Vec::<Field>::new(),
        returns: reducer.returns.clone(),
        kind: ReducerKind::Call,
    });
    Schema {
        tables: tables(),
        reducers: reducers.collect(),
        ..Schema::default()
    }
}

/// The wasm of a module with the fixture's reducers and `more`.
pub(super) fn wasm(more: Vec<ReducerText>, extra: &str) -> Vec<u8> {
    wat::parse_str(wasm_text(more, extra)).unwrap()
}

/// The same as text, for tests that edit it.
pub(super) fn wasm_text(more: Vec<ReducerText>, extra: &str) -> String {
    let mut reducers = raw_reducers();
    reducers.extend(common_reducers());
    reducers.extend(more);
    module_text(&schema(&reducers), &reducers, extra)
}

pub(super) fn host() -> Host {
    Host::new(RunLimits::default()).unwrap()
}

/// A module, a runner for it and a database that has its tables.
pub(super) struct World {
    pub(super) host: Host,
    pub(super) runner: Runner,
    pub(super) log: Vec<LogLine>,
    /// Of the last call that succeeded.
    pub(super) changes: ChangeSet,
    pub(super) context: CallContext,
    database: Option<Database>,
    tables: Vec<TableId>,
}

impl World {
    pub(super) fn new(more: Vec<ReducerText>) -> Self {
        Self::with_limits(more, "", RunLimits::default())
    }

    pub(super) fn with_limits(more: Vec<ReducerText>, extra: &str, limits: RunLimits) -> Self {
        Self::of(&wasm(more, extra), limits)
    }

    /// A world of any module with the fixture's tables.
    pub(super) fn of(wasm: &[u8], limits: RunLimits) -> Self {
        Self::on(host(), wasm, limits)
    }

    /// The same with a host of the caller's.
    pub(super) fn on(host: Host, wasm: &[u8], limits: RunLimits) -> Self {
        let module = host.load(wasm).unwrap();
        let (database, tables) = database(&module);
        Self {
            host,
            runner: Runner::with_limits(&module, limits),
            log: Vec::new(),
            changes: ChangeSet::new(),
            context: CallContext {
                caller: Identity([1; 32]),
                connection: ConnectionId([2; 16]),
                time: 3,
                seed: [4; 32],
            },
            database: Some(database),
            tables,
        }
    }

    /// Calls a reducer; commits or rolls back.
    pub(super) fn call(&mut self, reducer: &str, args: &[u8]) -> Result<Vec<u8>, CallError> {
        let (position, _) = self.runner.module().schema().reducer(reducer).unwrap();
        let transaction = self.database.take().unwrap().begin();
        let (transaction, result) = self.runner.call(
            transaction,
            &self.tables,
            position,
            &self.context,
            args,
            &mut self.log,
        );
        self.database = Some(match result {
            Ok(_) => transaction.commit(&mut self.changes),
            Err(_) => transaction.rollback(),
        });
        result
    }

    /// Calls a reducer that returns an i64, with these u32s and then bytes as arguments.
    pub(super) fn raw(
        &mut self,
        reducer: &str,
        args: &[u32],
        tail: &[u8],
    ) -> Result<i64, CallError> {
        let mut packed: Vec<u8> = args.iter().flat_map(|arg| arg.to_le_bytes()).collect();
        packed.extend(tail);
        let value = self.call(reducer, &packed)?;
        Ok(value
            .first_chunk()
            .map_or(0, |value| i64::from_le_bytes(*value)))
    }

    /// The text of the trap that a raw call ends with.
    pub(super) fn trap(&mut self, reducer: &str, args: &[u32], tail: &[u8]) -> String {
        match self.raw(reducer, args, tail) {
            Err(CallError::Trap(text)) => text,
            other => panic!("{reducer} {args:?} should trap, not {other:?}"),
        }
    }

    /// Inserts a row through the host function; it lies right behind the arguments.
    pub(super) fn insert(&mut self, table: u32, row: &[u8]) -> Result<i64, CallError> {
        self.raw("insert", &[table, ARGS + 16, row.len() as u32, FREE], row)
    }

    /// Bytes of the instance's memory.
    pub(super) fn peek(&mut self, ptr: u32, len: u32) -> Vec<u8> {
        let args = [ptr.to_le_bytes(), len.to_le_bytes()].concat();
        let value = self.call("peek", &args).unwrap();
        value[4..].to_vec()
    }

    /// All rows of a table, packed.
    pub(super) fn rows(&self, table: u32) -> Vec<Vec<u8>> {
        let database = self.database.as_ref().unwrap();
        let table = database.table(self.tables[table as usize]).unwrap();
        table.rows().map(<[u8]>::to_vec).collect()
    }
}

/// A database with the module's tables, and their ids.
pub(super) fn database(module: &Module) -> (Database, Vec<TableId>) {
    let schema = DatabaseSchema::empty()
        .evolve(module.schema().clone(), module.hash(), false)
        .unwrap();
    let tables = schema.table_ids.clone();
    let mut database = Database::new(7);
    database.install(schema).unwrap();
    (database, tables)
}

/// Bytes as a WAT string takes them.
pub(super) fn escape(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "\\{byte:02x}").unwrap();
        text
    })
}

/// A packed `account` row.
pub(super) fn account(id: u64, balance: i64) -> Vec<u8> {
    [id.to_le_bytes(), balance.to_le_bytes()].concat()
}

/// A packed `note` row.
pub(super) fn note(id: u64, text: &str, weight: f64) -> Vec<u8> {
    let mut row = id.to_le_bytes().to_vec();
    row.extend((text.len() as u32).to_le_bytes());
    row.extend(text.as_bytes());
    row.extend(weight.to_le_bytes());
    row
}
