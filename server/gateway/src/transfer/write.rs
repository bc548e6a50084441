//! From packed rows to lines.

use std::sync::Arc;

use syncline_protocol::packed::Reader;
use syncline_protocol::{CodecError, TableDef, json};

use super::{Format, cell};

/// Writes the rows of one table.
#[derive(Debug)]
pub(crate) struct RowWriter {
    def: Arc<TableDef>,
    format: Format,
    /// Begins a line: the table, if lines name it, and the brace.
    head: Vec<u8>,
    /// What comes before each value of an object: `"name":` with a comma, but for the first.
    names: Vec<Vec<u8>>,
    tail: &'static [u8],
    /// A cell before it is known whether it needs quotes.
    cell: Vec<u8>,
}

impl RowWriter {
    /// Lines of JSON name the table if asked to: `{"table": .., "row": ..}`.
    pub(crate) fn new(def: Arc<TableDef>, format: Format, names_table: bool) -> Self {
        let text = |text: &str| serde_json::to_vec(text).expect("a text is JSON");
        let mut head = Vec::new();
        if names_table {
            head.extend_from_slice(b"{\"table\":");
            head.extend(text(&def.name));
            head.extend_from_slice(b",\"row\":");
        }
        head.push(b'{');
        let names = def.columns.iter().enumerate().map(|(position, column)| {
            let mut name = Vec::new();
            if position > 0 {
                name.push(b',');
            }
            name.extend(text(&column.name));
            name.push(b':');
            name
        });
        Self {
            names: names.collect(),
            def,
            format,
            head,
            tail: if names_table { b"}}\n" } else { b"}\n" },
            cell: Vec::new(),
        }
    }

    /// What stands before the first row.
    pub(crate) fn begin(&self, out: &mut Vec<u8>) {
        if self.format == Format::Csv {
            let names = self.def.columns.iter();
            put_record(names.map(|column| column.name.as_bytes()), out);
        }
    }

    /// Appends a row. The store's rows are valid: an error means that one is damaged.
    pub(crate) fn row(&mut self, row: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut reader = Reader::new(row);
        match self.format {
            Format::Jsonl => {
                out.extend_from_slice(&self.head);
                for (column, name) in self.def.columns.iter().zip(&self.names) {
                    out.extend_from_slice(name);
                    json::write_packed(&column.ty, &mut reader, out)?;
                }
                out.extend_from_slice(self.tail);
            }
            Format::Csv => {
                let is_alone = self.def.columns.len() == 1;
                for (position, column) in self.def.columns.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    self.cell.clear();
                    cell::write(&column.ty, &mut reader, &mut self.cell)?;
                    put_cell(&self.cell, is_alone, out);
                }
                out.push(b'\n');
            }
        }
        reader.finish()
    }
}

fn put_record<'a>(cells: impl ExactSizeIterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let is_alone = cells.len() == 1;
    for (position, cell) in cells.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        put_cell(cell, is_alone, out);
    }
    out.push(b'\n');
}

/// A cell in quotes if it needs them. One that is empty and alone does: else its line is an empty one, which is
/// no record.
fn put_cell(cell: &[u8], is_alone: bool, out: &mut Vec<u8>) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b',' | b'\n' | b'\r');
    let needs_quotes = cell.iter().any(is_special) || (is_alone && cell.is_empty());
    if !needs_quotes {
        out.extend_from_slice(cell);
        return;
    }
    out.push(b'"');
    for &byte in cell {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
