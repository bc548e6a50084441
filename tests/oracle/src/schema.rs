//! Random tables with small domains, so that keys collide and filters flip.

use syncline_protocol::{
    ColumnDef, Decimal, Identity, IndexDef, IndexKind, TableDef, Type, Value, packed,
};

use crate::random::Random;
use crate::text::Constant;

/// Texts that rows and constants are made of.
pub(crate) const TEXTS: [&str; 8] = ["", "a", "b", "ab", "ba", "A", "a%", "abc"];

/// What the generator of queries knows of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Int,
    Float,
    Text,
    Bool,
    Decimal,
    Id,
    Bytes,
}

pub(crate) struct Table {
    pub(crate) def: TableDef,
    /// Values of a column of its key.
    key_values: usize,
}

pub(crate) struct Tables {
    pub(crate) list: Vec<Table>,
}

pub(crate) fn domain(ty: &Type) -> Domain {
    match ty.non_null() {
        Type::F64 | Type::F32 => Domain::Float,
        Type::String => Domain::Text,
        Type::Bool => Domain::Bool,
        Type::Decimal => Domain::Decimal,
        Type::Identity => Domain::Id,
        Type::Bytes => Domain::Bytes,
        _ => Domain::Int,
    }
}

fn random_type(random: &mut Random, is_key: bool) -> Type {
    let types = [
        Type::U8,
        Type::I32,
        Type::I64,
        Type::U64,
        Type::String,
        Type::Identity,
        Type::Bytes,
        Type::Decimal,
        Type::F64,
        Type::F32,
        Type::Bool,
    ];
    let ty = random.pick(&types[..if is_key { 8 } else { 11 }]).clone();
    if !is_key && random.chance(50) {
        Type::option(ty)
    } else {
        ty
    }
}

impl Tables {
    pub(crate) fn random(random: &mut Random) -> Self {
        let list = (0..=random.below(3))
            .map(|number| Table::random(random, number))
            .collect();
        Self { list }
    }

    /// Gives every column an index, so that most queries have their ways.
    pub(crate) fn index_all(&mut self) {
        for table in &mut self.list {
            let columns = 0..table.def.columns.len() as u16;
            table.def.indexes.extend(columns.map(|column| IndexDef {
                name: format!("x{column}"),
                columns: vec![column],
                kind: if column % 2 == 0 {
                    IndexKind::Ordered
                } else {
                    IndexKind::Hash
                },
                unique: false,
            }));
        }
    }
}

impl Table {
    fn random(random: &mut Random, number: usize) -> Self {
        let key_count = random.below(2) + 1;
        let column_count = key_count + random.below(4) + 2;
        let columns = (0..column_count)
            .map(|position| ColumnDef {
                name: format!("c{position}"),
                ty: random_type(random, position < key_count),
            })
            .collect();
        let indexes = (0..=random.below(4))
            .map(|position| {
                let mut columns = Vec::new();
                for _ in 0..=random.below(3) {
                    let column = random.below(column_count) as u16;
                    if !columns.contains(&column) {
                        columns.push(column);
                    }
                }
                let kind = match random.below(100) {
                    0..40 => IndexKind::Ordered,
                    40..75 => IndexKind::Counted,
                    _ => IndexKind::Hash,
                };
                IndexDef {
                    name: format!("i{position}"),
                    columns,
                    kind,
                    unique: random.chance(8),
                }
            })
            .collect();
        // The key's columns are the first ones, in either order.
        let mut primary_key: Vec<u16> = (0..key_count as u16).collect();
        if random.chance(30) {
            primary_key.reverse();
        }
        let name = format!("t{number}");
        let auto_increment = None;
        Self {
            key_values: 7,
            def: TableDef {
                name,
                columns,
                primary_key,
                indexes,
                auto_increment,
                public: true,
            },
        }
    }

    /// Makes room for many rows.
    pub(crate) fn widen(&mut self) {
        let first = usize::from(self.def.primary_key[0]);
        self.def.columns[first].ty = Type::I64;
        self.key_values = 2000;
    }

    /// A packed row.
    pub(crate) fn random_row(&self, random: &mut Random) -> Vec<u8> {
        let mut row = Vec::new();
        for (position, column) in self.def.columns.iter().enumerate() {
            let is_key = self.def.primary_key.contains(&(position as u16));
            let values = if is_key { self.key_values } else { 5 };
            let value = random_value(random, &column.ty, values);
            packed::encode(&column.ty, &value, &mut row).expect("the value has the type");
        }
        row
    }
}

fn random_value(random: &mut Random, ty: &Type, values: usize) -> Value {
    let number = random.below(values);
    match ty {
        Type::Option(_) if random.chance(15) => Value::Option(None),
        Type::Option(inner) => Value::Option(Some(Box::new(random_value(random, inner, 5)))),
        Type::U8 if values < 7 && random.chance(5) => Value::U8(255),
        Type::U8 => Value::U8(number as u8),
        Type::I32 => Value::I32(number as i32 - 2),
        Type::I64 => Value::I64(number as i64 - 2),
        Type::U64 => Value::U64(number as u64),
        // Quarters are exact in both widths and in decimal.
        Type::F64 => Value::F64(number as f64 / 4.0 - 0.5),
        Type::F32 => Value::F32(number as f32 / 4.0 - 0.5),
        Type::Decimal => {
            let text = format!("{:?}", random.below(9) as f64 / 4.0 - 0.5);
            Value::Decimal(
                text.parse::<Decimal>()
                    .expect("quarters are decimal numbers"),
            )
        }
        Type::Bool => Value::Bool(random.chance(50)),
        Type::String => Value::String((*random.pick(&TEXTS)).to_owned()),
        Type::Identity => Value::Identity(person(random.below(3))),
        Type::Bytes => Value::Bytes(random_bytes(random)),
        other => unreachable!("no {other} in this generator"),
    }
}

/// One of those who ask.
pub(crate) fn person(number: usize) -> Identity {
    Identity([number as u8 + 1; 32])
}

fn random_bytes(random: &mut Random) -> Vec<u8> {
    (0..random.below(3))
        .map(|_| *random.pick(&[0, 1, 255]))
        .collect()
}

/// A constant that rows may have.
pub(crate) fn random_constant(random: &mut Random, domain: Domain) -> Constant {
    match domain {
        Domain::Int => Constant::Int(random.below(6) as i64 - 1),
        Domain::Float | Domain::Decimal => Constant::Float(random.below(9) as f64 / 4.0 - 0.5),
        Domain::Text => Constant::Text((*random.pick(&TEXTS)).to_owned()),
        Domain::Bool => Constant::Bool(random.chance(50)),
        Domain::Id => Constant::Bytes(person(random.below(3)).0.to_vec()),
        Domain::Bytes => Constant::Bytes(random_bytes(random)),
    }
}

/// The packed primary key of a row.
pub(crate) fn packed_key(def: &TableDef, row: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    def.layout().project(row, &def.primary_key, &mut key);
    key
}
