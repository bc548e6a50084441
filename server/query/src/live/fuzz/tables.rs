//! Three small tables and random rows of them.

use std::sync::OnceLock;

use syncline_protocol::{ColumnDef, IndexDef, IndexKind, Schema, TableDef, Type, Value, packed};
use syncline_store::Database;

/// A sequence of numbers that a seed decides.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % end as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

fn column(name: &str, ty: Type) -> ColumnDef {
    ColumnDef {
        name: name.into(),
        ty,
    }
}

fn table(name: &str, types: &[Type], key: &[u16], indexes: &[(&[u16], IndexKind)]) -> TableDef {
    let names = ["a", "b", "c", "d", "e"];
    let columns = names.iter().zip(types);
    TableDef {
        name: name.into(),
        columns: columns.map(|(name, ty)| column(name, ty.clone())).collect(),
        primary_key: key.to_vec(),
        indexes: indexes
            .iter()
            .enumerate()
            .map(|(number, (columns, kind))| IndexDef {
                name: format!("i{number}"),
                columns: columns.to_vec(),
                kind: *kind,
                unique: false,
            })
            .collect(),
        auto_increment: None,
        public: true,
    }
}

pub(super) fn tables() -> &'static [TableDef] {
    static TABLES: OnceLock<Vec<TableDef>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let int = Type::I64;
        let some = || Type::option(Type::I64);
        let (hash, ordered) = (IndexKind::Hash, IndexKind::Ordered);
        vec![
            table(
                "t",
                &[int.clone(), some(), int.clone(), Type::Bool],
                &[0],
                &[(&[1], hash), (&[2], ordered)],
            ),
            table(
                "u",
                &[int.clone(), int.clone(), some(), Type::F64],
                &[0, 1],
                &[(&[1], hash), (&[2, 0], ordered), (&[0], ordered)],
            ),
            table(
                "v",
                &[int.clone(), int, some(), Type::String],
                &[0],
                &[(&[1], ordered), (&[2], hash)],
            ),
        ]
    })
}

pub(super) fn database() -> Database {
    let mut db = Database::new(1);
    let schema = Schema {
        tables: tables().to_vec(),
        ..Schema::default()
    };
    let schema = db
        .schema()
        .evolve(schema, [0; 32], false)
        .expect("it is the first");
    db.install(schema).expect("there are no rows");
    db
}

pub(super) fn random_value(random: &mut Random, ty: &Type) -> Value {
    match ty {
        Type::Option(_) if random.chance(20) => Value::Option(None),
        Type::Option(inner) => Value::Option(Some(Box::new(random_value(random, inner)))),
        Type::I128 => Value::I128(random.below(9) as i128),
        Type::I64 => Value::I64(random.below(5) as i64),
        Type::Bool => Value::Bool(random.chance(50)),
        Type::F64 => Value::F64(random.below(9) as f64 / 4.0),
        Type::String => Value::String(random.pick(&["", "a", "ab", "b"]).to_owned()),
        other => panic!("no {other:?} here"),
    }
}

pub(super) fn random_row(random: &mut Random, number: usize) -> Vec<u8> {
    let mut row = Vec::new();
    for column in &tables()[number].columns {
        let value = random_value(random, &column.ty);
        packed::encode(&column.ty, &value, &mut row).expect("the value has the type");
    }
    row
}
