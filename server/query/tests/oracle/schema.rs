//! Random tables with small domains, so that keys collide and filters flip.

use syncline_protocol::{ColumnDef, IndexDef, IndexKind, Schema, TableDef, Type, Value, packed};

use crate::random::Random;

/// Texts that rows and constants are made of.
pub(crate) const TEXTS: [&str; 8] = ["", "a", "b", "ab", "ba", "A", "a%", "abc"];

/// What the generator of queries knows of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Int,
    Float,
    Text,
    Bool,
}

pub(crate) struct Table {
    pub(crate) def: TableDef,
}

pub(crate) struct Tables {
    pub(crate) list: Vec<Table>,
}

pub(crate) fn domain(ty: &Type) -> Domain {
    match ty.non_null() {
        Type::F64 | Type::F32 => Domain::Float,
        Type::String => Domain::Text,
        Type::Bool => Domain::Bool,
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
        Type::F64,
        Type::F32,
        Type::Bool,
    ];
    let ty = random.pick(&types[..if is_key { 5 } else { 8 }]).clone();
    if !is_key && random.chance(50) {
        Type::option(ty)
    } else {
        ty
    }
}

impl Tables {
    pub(crate) fn random(random: &mut Random) -> Self {
        let list = (0..=random.below(2))
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

    pub(crate) fn schema(&self) -> Schema {
        let tables = self.list.iter().map(|table| table.def.clone()).collect();
        Schema {
            tables,
            reducers: Vec::new(),
            ..Schema::default()
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
                let kind = if random.chance(75) {
                    IndexKind::Ordered
                } else {
                    IndexKind::Hash
                };
                IndexDef {
                    name: format!("i{position}"),
                    columns,
                    kind,
                    unique: false,
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

    /// A packed row.
    pub(crate) fn random_row(&self, random: &mut Random) -> Vec<u8> {
        let mut row = Vec::new();
        for (position, column) in self.def.columns.iter().enumerate() {
            let is_key = self.def.primary_key.contains(&(position as u16));
            let value = random_value(random, &column.ty, is_key);
            packed::encode(&column.ty, &value, &mut row).unwrap();
        }
        row
    }
}

fn random_value(random: &mut Random, ty: &Type, is_key: bool) -> Value {
    let number = random.below(if is_key { 7 } else { 5 });
    match ty {
        Type::Option(_) if random.chance(15) => Value::Option(None),
        Type::Option(inner) => Value::Option(Some(Box::new(random_value(random, inner, false)))),
        Type::U8 if !is_key && random.chance(5) => Value::U8(255),
        Type::U8 => Value::U8(number as u8),
        Type::I32 => Value::I32(number as i32 - 2),
        Type::I64 => Value::I64(number as i64 - 2),
        Type::U64 => Value::U64(number as u64),
        // Quarters are exact in both widths and in decimal.
        Type::F64 => Value::F64(number as f64 / 4.0 - 0.5),
        Type::F32 => Value::F32(number as f32 / 4.0 - 0.5),
        Type::Bool => Value::Bool(random.chance(50)),
        Type::String => Value::String((*random.pick(&TEXTS)).to_owned()),
        other => panic!("no {other} in this generator"),
    }
}

/// The packed primary key of a row.
pub(crate) fn packed_key(def: &TableDef, row: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    def.layout().project(row, &def.primary_key, &mut key);
    key
}
