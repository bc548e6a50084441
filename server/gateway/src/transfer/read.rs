//! From text, in pieces as it comes, to packed rows.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use syncline_protocol::limits::{COLUMNS_MAX, IMPORT_LINE_BYTES_MAX};
use syncline_protocol::{TableDef, Type, json};

use super::{Format, cell};

mod records;

use records::{Csv, Lines, Taken};

/// A row of the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where it begins; the first line is 1.
    pub(crate) line: u64,
    /// Position of its table in what the reader was given.
    pub(crate) table: usize,
}

/// What is wrong with the text, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    pub(crate) line: u64,
    pub(crate) column: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// What [`RowReader::next`] has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Row(Row),
    /// The next row is not there as a whole: give it more text, or the end.
    More,
    /// All rows were read.
    End,
}

/// Reads rows of some tables. It holds at most one line beside the text that it was given last.
#[derive(Debug)]
pub(crate) struct RowReader {
    tables: Vec<Arc<TableDef>>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// `names_table`: a line is `{"table": .., "row": ..}`.
    Jsonl { lines: Lines, names_table: bool },
    Csv {
        csv: Csv,
        /// Column of each cell, once the head was read.
        columns: Option<Vec<usize>>,
        /// Cell of each column that has one.
        cells: Vec<Option<usize>>,
    },
}

impl RowReader {
    /// Reads rows of one table. `line` is the number of the first line; in CSV, of that after the head.
    pub(crate) fn of_table(table: Arc<TableDef>, format: Format, line: u64) -> Self {
        let source = match format {
            Format::Jsonl => Source::Jsonl {
                lines: Lines::new(line),
                names_table: false,
            },
            Format::Csv => Source::Csv {
                csv: Csv::new(line.saturating_sub(1)),
                columns: None,
                cells: vec![None; table.columns.len()],
            },
        };
        Self {
            tables: vec![table],
            source,
        }
    }

    /// Reads JSON Lines that name their tables.
    pub(crate) fn of_tables(tables: Vec<Arc<TableDef>>, line: u64) -> Self {
        Self {
            tables,
            source: Source::Jsonl {
                lines: Lines::new(line),
                names_table: true,
            },
        }
    }

    /// Takes more of the text.
    pub(crate) fn feed(&mut self, text: &[u8]) {
        match &mut self.source {
            Source::Jsonl { lines, .. } => lines.feed(text),
            Source::Csv { csv, .. } => csv.feed(text),
        }
    }

    /// There is no more text.
    pub(crate) fn end(&mut self) {
        match &mut self.source {
            Source::Jsonl { lines, .. } => lines.end(),
            Source::Csv { csv, .. } => csv.end(),
        }
    }

    /// Appends the next row to `out`, packed. After an error there is no going on.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> Result<Next, BadRow> {
        let tables = &self.tables;
        match &mut self.source {
            Source::Jsonl { lines, names_table } => {
                let (line, text) = match lines.next()? {
                    Taken::Record(line, text) => (line, text),
                    Taken::More => return Ok(Next::More),
                    Taken::End => return Ok(Next::End),
                };
                let table =
                    of_json(tables, *names_table, text, out).map_err(|problem| problem.at(line))?;
                Ok(Next::Row(Row { line, table }))
            }
            Source::Csv {
                csv,
                columns,
                cells,
            } => loop {
                let (line, record) = match csv.next()? {
                    Taken::Record(line, record) => (line, record),
                    Taken::More => return Ok(Next::More),
                    Taken::End if columns.is_none() => return Err(no_head().at(csv.line())),
                    Taken::End => return Ok(Next::End),
                };
                let def = &tables[0];
                let Some(columns) = columns else {
                    let found = head(def, &record, cells).map_err(|problem| problem.at(line))?;
                    *columns = Some(found);
                    continue;
                };
                of_cells(def, columns, cells, &record, out).map_err(|problem| problem.at(line))?;
                return Ok(Next::Row(Row { line, table: 0 }));
            },
        }
    }
}

/// What is wrong with a row, before it is said where it is.
struct Problem {
    column: Option<String>,
    message: String,
    hint: Option<String>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self {
            column: None,
            message: message.into(),
            hint: None,
        }
    }

    fn of(column: &str, message: String) -> Self {
        Self {
            column: Some(column.to_owned()),
            ..Self::new(message)
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    fn at(self, line: u64) -> BadRow {
        BadRow {
            line,
            column: self.column,
            message: self.message,
            hint: self.hint,
        }
    }
}

/// Packs a line of JSON; position of its table.
fn of_json(
    tables: &[Arc<TableDef>],
    names_table: bool,
    text: &[u8],
    out: &mut Vec<u8>,
) -> Result<usize, Problem> {
    let value: Json = serde_json::from_slice(text).map_err(|error| {
        Problem::new(format!("it is not JSON: {error}")).hint("one object a line")
    })?;
    let Json::Object(members) = value else {
        return Err(Problem::new("it is no object").hint("one object a line, by column"));
    };
    if !names_table {
        of_members(&tables[0], &members, out)?;
        return Ok(0);
    }
    let shape = "without a table to import into, a line is {\"table\": .., \"row\": {..}}";
    match (members.get("table"), members.get("row"), members.len()) {
        (Some(Json::String(name)), Some(Json::Object(row)), 2) => {
            let found = tables.iter().position(|def| def.name == *name);
            let table = found.ok_or_else(|| Problem::new(format!("no table named {name}")))?;
            of_members(&tables[table], row, out)?;
            Ok(table)
        }
        _ => Err(Problem::new("it does not name a table").hint(shape)),
    }
}

fn of_members(
    def: &TableDef,
    members: &Map<String, Json>,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    if let Some(name) = members.keys().find(|name| def.column(name).is_none()) {
        return Err(no_column(def, name));
    }
    for (position, column) in def.columns.iter().enumerate() {
        let left_out;
        let value = match members.get(&column.name) {
            Some(value) => value,
            None if is_optional(def, position) => {
                left_out = default(&column.ty);
                &left_out
            }
            None => return Err(missing(def, position)),
        };
        json::pack(&column.ty, value, out).map_err(|message| Problem::of(&column.name, message))?;
    }
    Ok(())
}

/// A column that a row may leave out: NULL, or the next number.
fn is_optional(def: &TableDef, column: usize) -> bool {
    let is_numbered = def.auto_increment.map(usize::from) == Some(column);
    is_numbered || matches!(def.columns[column].ty, Type::Option(_))
}

/// What stands for a column that was left out.
fn default(ty: &Type) -> Json {
    match ty {
        Type::Option(_) => Json::Null,
        _ => 0.into(),
    }
}

fn no_column(def: &TableDef, name: &str) -> Problem {
    let names: Vec<_> = def.columns.iter().map(|c| c.name.as_str()).collect();
    Problem::new(format!("{} has no column {name:?}", def.name))
        .hint(format!("its columns are {}", names.join(", ")))
}

fn missing(def: &TableDef, column: usize) -> Problem {
    let column = &def.columns[column];
    Problem::of(
        &column.name,
        format!("it is missing; it is a {}", column.ty),
    )
}

fn no_head() -> Problem {
    Problem::new("there is no head").hint("the first record of CSV has the names of the columns")
}

/// Reads the head: the column of each cell, and in `cells` the cell of each column.
fn head(
    def: &TableDef,
    record: &records::Record<'_>,
    cells: &mut [Option<usize>],
) -> Result<Vec<usize>, Problem> {
    let mut columns = Vec::with_capacity(record.len());
    for (position, name) in record.cells().enumerate() {
        let name = name.map_err(|()| Problem::new("a name in the head is not UTF-8"))?;
        let column = def.column(name).ok_or_else(|| no_column(def, name))?;
        if cells[column].replace(position).is_some() {
            return Err(Problem::of(name, "it is there twice".into()));
        }
        columns.push(column);
    }
    let left_out = (0..def.columns.len()).filter(|&column| cells[column].is_none());
    match left_out
        .into_iter()
        .find(|&column| !is_optional(def, column))
    {
        Some(column) => Err(missing(def, column)),
        None => Ok(columns),
    }
}

/// Packs a record of CSV.
fn of_cells(
    def: &TableDef,
    columns: &[usize],
    cells: &[Option<usize>],
    record: &records::Record<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Problem> {
    if record.len() != columns.len() {
        let (expected, found) = (columns.len(), record.len());
        let message = format!("expected {expected} cells as in the head, found {found}");
        return Err(Problem::new(message)
            .hint("a cell with a comma, a quote or a line break in it stands in quotes"));
    }
    for (position, column) in def.columns.iter().enumerate() {
        let cell = match cells[position] {
            Some(cell) => record.cell(cell),
            None => Ok(""),
        };
        let cell = cell.map_err(|()| Problem::of(&column.name, "it is not UTF-8".to_owned()))?;
        let is_numbered = def.auto_increment.map(usize::from) == Some(position);
        let cell = if is_numbered && cell.is_empty() {
            "0"
        } else {
            cell
        };
        cell::read(&column.ty, cell, out).map_err(|message| Problem::of(&column.name, message))?;
    }
    Ok(())
}

/// A line that is longer than any row can be.
fn too_long(line: u64) -> BadRow {
    let message = format!("a line has more than {IMPORT_LINE_BYTES_MAX} bytes");
    Problem::new(message)
        .hint("in CSV a quote that is never closed makes one record of all that follows")
        .at(line)
}

/// A record with more cells than a table can have columns.
fn too_many_cells(line: u64) -> BadRow {
    Problem::new(format!("a record has more than {COLUMNS_MAX} cells")).at(line)
}

#[cfg(test)]
mod tests;
