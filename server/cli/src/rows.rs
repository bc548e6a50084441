//! Rows in files, as far as the command line knows them: where one ends. What is in them the server reads.

use std::io::Read;

use syncline_protocol::limits::IMPORT_LINE_BYTES_MAX;

use crate::args::RowFormat;
use crate::failure::Failure;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes after which a part is sent.
const PART_BYTES: usize = 4 << 20;

/// Some rows of a file, whole, with the head before them if it is CSV.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) text: Vec<u8>,
    /// Number of the first line after the head.
    pub(crate) line: u64,
    pub(crate) rows: u64,
}

/// Cuts a file into parts.
pub(crate) struct Parts<R> {
    records: Records<R>,
    head: Vec<u8>,
    part_bytes: usize,
}

impl<R: Read> Parts<R> {
    /// Takes the head off if it is CSV.
    pub(crate) fn new(input: R, format: RowFormat) -> Result<Self, Failure> {
        Self::of(input, format, PART_BYTES)
    }

    fn of(input: R, format: RowFormat, part_bytes: usize) -> Result<Self, Failure> {
        let mut records = Records::new(input, format);
        let mut head = Vec::new();
        if format == RowFormat::Csv {
            while head.is_empty() {
                let Some(record) = records.next()? else { break };
                head.extend_from_slice(record.trim_ascii());
            }
            head.push(b'\n');
        }
        Ok(Self {
            records,
            head,
            part_bytes,
        })
    }

    /// The head, with its line break; nothing if it is not CSV.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Leaves out so many rows; how many there were to leave out.
    pub(crate) fn skip(&mut self, rows: u64) -> Result<u64, Failure> {
        let mut skipped = 0;
        while skipped < rows {
            match self.records.next()? {
                Some(record) => skipped += u64::from(!record.trim_ascii().is_empty()),
                None => break,
            }
        }
        Ok(skipped)
    }

    /// The next part, if there is anything left.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, Failure> {
        let mut part = Part {
            text: self.head.clone(),
            line: self.records.line,
            rows: 0,
        };
        while part.text.len() < self.part_bytes {
            let Some(record) = self.records.next()? else {
                break;
            };
            part.text.extend_from_slice(record);
            part.rows += u64::from(!record.trim_ascii().is_empty());
        }
        Ok((part.rows > 0).then_some(part))
    }
}

/// Finds where records end: lines, or in CSV what may have line breaks in quotes.
struct Records<R> {
    input: R,
    format: RowFormat,
    buffer: Vec<u8>,
    /// Where the next record begins.
    at: usize,
    /// How far its end was looked for.
    searched: usize,
    has_ended: bool,
    /// Number of the line at `at`.
    line: u64,
    csv: Box<csv_core::Reader>,
    /// What the reader of CSV makes of cells, which is of no interest.
    cells: Vec<u8>,
    ends: Vec<usize>,
}

impl<R: Read> Records<R> {
    fn new(input: R, format: RowFormat) -> Self {
        Self {
            input,
            format,
            buffer: Vec::new(),
            at: 0,
            searched: 0,
            has_ended: false,
            line: 1,
            csv: Box::new(csv_core::Reader::new()),
            cells: vec![0; PIECE_BYTES],
            ends: vec![0; 1024],
        }
    }

    /// The next record with its line break and, maybe, empty lines before it; at the end of the file what is
    /// left.
    fn next(&mut self) -> Result<Option<&[u8]>, Failure> {
        while !self.search() {
            if self.has_ended {
                self.searched = self.buffer.len();
                break;
            }
            if self.buffer.len() - self.at > IMPORT_LINE_BYTES_MAX {
                let (line, max) = (self.line, IMPORT_LINE_BYTES_MAX);
                let message = format!("line {line}: a row has more than {max} bytes");
                return Err(Failure::usage(message).hint(
                    "in CSV a quote that is never closed makes one row of all that follows",
                ));
            }
            self.read()?;
        }
        let start = std::mem::replace(&mut self.at, self.searched);
        let record = &self.buffer[start..self.searched];
        self.line += record.split(|&byte| byte == b'\n').count() as u64 - 1;
        Ok((!record.is_empty()).then_some(record))
    }

    /// Moves `searched` behind the record, or as far as there is text.
    fn search(&mut self) -> bool {
        let text = &self.buffer[self.searched..];
        if self.format == RowFormat::Jsonl {
            let found = text.iter().position(|&byte| byte == b'\n');
            self.searched += found.map_or(text.len(), |found| found + 1);
            return found.is_some();
        }
        loop {
            let text = &self.buffer[self.searched..];
            // To the reader no text means that there is no more.
            if text.is_empty() {
                return false;
            }
            let (cells, ends) = (&mut self.cells, &mut self.ends);
            let (result, read, ..) = self.csv.read_record(text, cells, ends);
            self.searched += read;
            if let csv_core::ReadRecordResult::Record = result {
                return true;
            }
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        self.buffer.drain(..self.at);
        self.searched -= self.at;
        self.at = 0;
        let len = self.buffer.len();
        self.buffer.resize(len + PIECE_BYTES, 0);
        let read = self.input.read(&mut self.buffer[len..]);
        self.buffer
            .truncate(len + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(read) => self.has_ended = read == 0,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Counts the rows of an export as it comes.
#[derive(Debug)]
pub(crate) struct RowCount {
    format: RowFormat,
    lines: u64,
    is_quoted: bool,
}

impl RowCount {
    pub(crate) fn new(format: RowFormat) -> Self {
        Self {
            format,
            lines: 0,
            is_quoted: false,
        }
    }

    pub(crate) fn add(&mut self, text: &[u8]) {
        for &byte in text {
            match byte {
                // The server puts quotes around cells, and doubles those in them.
                b'"' if self.format == RowFormat::Csv => self.is_quoted ^= true,
                b'\n' if !self.is_quoted => self.lines += 1,
                _ => {}
            }
        }
    }

    /// Rows so far; the head is none.
    pub(crate) fn rows(&self) -> u64 {
        match self.format {
            RowFormat::Jsonl => self.lines,
            RowFormat::Csv => self.lines.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests;
