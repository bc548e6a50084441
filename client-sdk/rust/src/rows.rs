//! Rows and results, and the three ways to look at them: packed bytes, values, and JSON or a Rust type.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use syncline_protocol::message::{ResultColumn, ResultDescription};
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{Lsn, Type, Value, json};

use crate::cache::PackedRow;
use crate::{Error, decode};

/// Rows of a query as of one transaction. A clone shares the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    description: Arc<ResultDescription>,
    lsn: Lsn,
    packed: Vec<PackedRow>,
}

impl Rows {
    pub(crate) fn new(
        description: Arc<ResultDescription>,
        lsn: Lsn,
        packed: Vec<PackedRow>,
    ) -> Self {
        Self {
            description,
            lsn,
            packed,
        }
    }

    /// What the rows are; without columns as long as a subscription is not ready.
    #[must_use]
    pub fn description(&self) -> &Arc<ResultDescription> {
        &self.description
    }

    /// The transaction that the rows are as of.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packed.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.packed.is_empty()
    }

    /// Names of the visible columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        visible(&self.description).map(|column| column.name.as_str())
    }

    /// The row at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<Row> {
        let row = self.packed.get(position)?;
        Some(Row::new(self.description.clone(), row.clone()))
    }

    /// The rows in the order of the query; without one, of a subscription in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Row> {
        self.packed
            .iter()
            .map(|row| Row::new(self.description.clone(), row.clone()))
    }

    /// The visible columns as an array of objects.
    #[must_use]
    pub fn json(&self) -> Json {
        self.iter().map(|row| row.json()).collect()
    }

    /// Every row as a Rust type, see [`Row::parse`].
    pub fn parse<T: DeserializeOwned>(&self) -> Result<Vec<T>, Error> {
        self.iter().map(|row| row.parse()).collect()
    }
}

fn visible(description: &ResultDescription) -> impl Iterator<Item = &ResultColumn> {
    description.columns.iter().filter(|column| !column.hidden)
}

/// A row of a result. A clone shares its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    description: Arc<ResultDescription>,
    bytes: PackedRow,
}

impl Row {
    /// The bytes were checked against the description.
    pub(crate) fn new(description: Arc<ResultDescription>, bytes: PackedRow) -> Self {
        Self { description, bytes }
    }

    /// All columns of the description, packed: the hidden ones too.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.bytes
    }

    /// Values of all columns of the description.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let mut reader = Reader::new(&self.bytes);
        let types = self.description.types();
        types
            .map(|ty| packed::decode_from(ty, &mut reader).expect("rows are checked on arrival"))
            .collect()
    }

    /// Value of the visible column of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Value> {
        let is_named = |column: &ResultColumn| !column.hidden && column.name == name;
        let position = self.description.columns.iter().position(is_named)?;
        let mut reader = Reader::new(&self.bytes);
        for ty in self.description.types().take(position) {
            reader.value(ty).expect("rows are checked on arrival");
        }
        packed::decode_from(&self.description.columns[position].ty, &mut reader).ok()
    }

    /// The visible columns as an object.
    #[must_use]
    pub fn json(&self) -> Json {
        let values = self.values();
        let columns = self.description.columns.iter().zip(&values);
        let columns = columns.filter(|(column, _)| !column.hidden);
        let members = columns.map(|(column, v)| (column.name.clone(), json::encode(&column.ty, v)));
        Json::Object(members.collect())
    }

    /// The visible columns as a Rust type: a struct by the columns' names, a tuple by their positions.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        decode::row(&self.description.columns, &self.values())
    }
}

/// What a call that succeeded returned.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    lsn: Lsn,
    ty: Option<Type>,
    bytes: Vec<u8>,
}

impl Outcome {
    /// Fails if the bytes are not a value of the type.
    pub(crate) fn new(lsn: Lsn, ty: Option<Type>, bytes: Vec<u8>) -> Result<Self, Error> {
        packed::validate(&ty, &bytes).map_err(|error| Error::Protocol(error.to_string()))?;
        Ok(Self { lsn, ty, bytes })
    }

    /// The transaction of the call.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The packed value; empty if the reducer returns nothing.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.bytes
    }

    /// The value; `None` if the reducer returns nothing.
    #[must_use]
    pub fn value(&self) -> Option<Value> {
        packed::decode(self.ty.as_ref()?, &self.bytes).ok()
    }

    /// The value as JSON; null if the reducer returns nothing.
    #[must_use]
    pub fn json(&self) -> Json {
        let ty = self.ty.as_ref();
        ty.and_then(|ty| json::encode_packed(ty, &self.bytes).ok())
            .unwrap_or_default()
    }

    /// The value as a Rust type; `()` if the reducer returns nothing.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        match (&self.ty, self.value()) {
            (Some(ty), Some(value)) => decode::value(ty, &value),
            _ => serde_json::from_value(Json::Null).map_err(|e| Error::Decode(e.to_string())),
        }
    }
}
