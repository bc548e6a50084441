//! What a client does with deltas, and strictly: an operation that does not fit is a failure.

use std::collections::BTreeMap;

use syncline_protocol::RowLayout;
use syncline_protocol::message::{DeltaOp, DeltaReader, ResultDescription};
use syncline_protocol::packed::Reader;

/// Rows by their packed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folded(BTreeMap<Vec<u8>, Vec<u8>>);

fn key_of(description: &ResultDescription, row: &[u8]) -> Vec<u8> {
    let layout = RowLayout::new(description.types().cloned().collect());
    let mut key = Vec::new();
    layout.project(row, &description.key, &mut key);
    key
}

impl Folded {
    pub(crate) fn new(description: &ResultDescription, rows: &[Vec<u8>]) -> Self {
        let mut by_key = BTreeMap::new();
        for row in rows {
            let other = by_key.insert(key_of(description, row), row.clone());
            assert!(other.is_none(), "two rows of a result have one key");
        }
        Self(by_key)
    }

    pub(crate) fn fold(&mut self, description: &ResultDescription, ops: &[u8]) {
        let mut reader = DeltaReader::new(description, ops);
        let mut touched = Vec::new();
        while let Some(op) = reader.next_op().unwrap() {
            touched.push(match op {
                DeltaOp::Insert { row } => {
                    let key = key_of(description, row);
                    let old = self.0.insert(key.clone(), row.to_vec());
                    assert!(old.is_none(), "an insert of a row that is there");
                    key
                }
                DeltaOp::Delete { key } => {
                    assert!(
                        self.0.remove(key).is_some(),
                        "a delete of a row that is not there"
                    );
                    key.to_vec()
                }
                DeltaOp::Update { key, mask, values } => {
                    let row = self
                        .0
                        .get_mut(key)
                        .expect("an update of a row that is there");
                    let new = updated(description, row, mask, values);
                    assert_ne!(*row, new, "an update that changes nothing");
                    *row = new;
                    key.to_vec()
                }
            });
        }
        let count = touched.len();
        touched.sort();
        touched.dedup();
        assert_eq!(touched.len(), count, "a key occurs once in a delta");
    }
}

fn updated(description: &ResultDescription, old: &[u8], mask: &[u8], values: &[u8]) -> Vec<u8> {
    let (mut old, mut values) = (Reader::new(old), Reader::new(values));
    let mut new = Vec::new();
    for (position, ty) in description.types().enumerate() {
        let before = old.value(ty).unwrap();
        if mask[position / 8] >> (position % 8) & 1 == 1 {
            let after = values.value(ty).unwrap();
            assert_ne!(before, after, "the mask has a column that did not change");
            new.extend_from_slice(after);
        } else {
            new.extend_from_slice(before);
        }
    }
    values.finish().unwrap();
    new
}
