//! Lines and records of text that comes in pieces.

use csv_core::{ReadRecordResult, Reader};
use syncline_protocol::limits::{COLUMNS_MAX, IMPORT_LINE_BYTES_MAX};

use super::{BadRow, too_long, too_many_cells};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A record, if there is one.
#[derive(Debug)]
pub(super) enum Taken<T> {
    /// With the number of its first line.
    Record(u64, T),
    More,
    End,
}

/// Text that was not read yet.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Where what is not read yet begins.
    at: usize,
    has_ended: bool,
    /// Whether the first bytes were looked at for a byte order mark.
    has_begun: bool,
}

impl Buffer {
    fn feed(&mut self, text: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(text);
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Skips a byte order mark. False: too little is there to tell.
    fn begin(&mut self) -> bool {
        if self.has_begun {
            return true;
        }
        let rest = &self.bytes[self.at..];
        if rest.len() < BOM.len() && BOM.starts_with(rest) && !self.has_ended {
            return false;
        }
        if rest.starts_with(BOM) {
            self.at += BOM.len();
        }
        self.has_begun = true;
        true
    }
}

/// Splits text into lines, and leaves out those without anything in them.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: Buffer,
    /// Bytes of the rest that are known to have no line break.
    searched: usize,
    /// Number of the next line.
    line: u64,
}

impl Lines {
    pub(super) fn new(line: u64) -> Self {
        Self {
            buffer: Buffer::default(),
            searched: 0,
            line,
        }
    }

    pub(super) fn feed(&mut self, text: &[u8]) {
        self.buffer.feed(text);
    }

    pub(super) fn end(&mut self) {
        self.buffer.has_ended = true;
    }

    pub(super) fn next(&mut self) -> Result<Taken<&[u8]>, BadRow> {
        if !self.buffer.begin() {
            return Ok(Taken::More);
        }
        loop {
            let rest = self.buffer.rest();
            let found = rest[self.searched..].iter().position(|&b| b == b'\n');
            let len = match found {
                Some(found) => self.searched + found,
                None if self.buffer.has_ended => rest.len(),
                None => {
                    self.searched = rest.len();
                    if rest.len() > IMPORT_LINE_BYTES_MAX {
                        return Err(too_long(self.line));
                    }
                    return Ok(Taken::More);
                }
            };
            if len > IMPORT_LINE_BYTES_MAX {
                return Err(too_long(self.line));
            }
            if found.is_none() && len == 0 {
                return Ok(Taken::End);
            }
            let (start, line) = (self.buffer.at, self.line);
            let taken = (len + 1).min(rest.len());
            self.buffer.at += taken;
            self.searched = 0;
            self.line += 1;
            if !self.buffer.bytes[start..start + len]
                .trim_ascii()
                .is_empty()
            {
                return Ok(Taken::Record(line, &self.buffer.bytes[start..start + len]));
            }
        }
    }
}

/// Splits text into records of cells (RFC 4180), and leaves out empty lines.
pub(super) struct Csv {
    buffer: Buffer,
    reader: Box<Reader>,
    /// The record that is being read: bytes of its cells, without quotes, and where each of them ends.
    cells: Vec<u8>,
    ends: Vec<usize>,
    cells_len: usize,
    ends_len: usize,
    /// Its first line, once it has begun.
    began: Option<u64>,
}

/// Cells of a record.
#[derive(Debug)]
pub(super) struct Record<'a> {
    cells: &'a [u8],
    ends: &'a [usize],
}

impl Csv {
    /// `line` is the number of the first line.
    pub(super) fn new(line: u64) -> Self {
        let mut reader = Box::new(Reader::new());
        reader.set_line(line);
        Self {
            buffer: Buffer::default(),
            reader,
            cells: vec![0; 4096],
            ends: vec![0; 64],
            cells_len: 0,
            ends_len: 0,
            began: None,
        }
    }

    pub(super) fn feed(&mut self, text: &[u8]) {
        self.buffer.feed(text);
    }

    pub(super) fn end(&mut self) {
        self.buffer.has_ended = true;
    }

    /// Where it is.
    pub(super) fn line(&self) -> u64 {
        self.reader.line()
    }

    pub(super) fn next(&mut self) -> Result<Taken<Record<'_>>, BadRow> {
        if !self.buffer.begin() {
            return Ok(Taken::More);
        }
        if self.began.is_none() {
            self.skip_breaks();
            if self.buffer.rest().is_empty() && !self.buffer.has_ended {
                return Ok(Taken::More);
            }
            self.began = Some(self.reader.line());
            (self.cells_len, self.ends_len) = (0, 0);
        }
        let began = self.began.unwrap_or_default();
        loop {
            let rest = self.buffer.rest();
            // To give it nothing means that there is no more.
            if rest.is_empty() && !self.buffer.has_ended {
                return Ok(Taken::More);
            }
            let (result, read, written, ended) = self.reader.read_record(
                rest,
                &mut self.cells[self.cells_len..],
                &mut self.ends[self.ends_len..],
            );
            self.buffer.at += read;
            self.cells_len += written;
            self.ends_len += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.cells.len() > IMPORT_LINE_BYTES_MAX => {
                    return Err(too_long(began));
                }
                ReadRecordResult::OutputFull => self.cells.resize(2 * self.cells.len(), 0),
                ReadRecordResult::OutputEndsFull if self.ends.len() > COLUMNS_MAX => {
                    return Err(too_many_cells(began));
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => {
                    self.began = None;
                    let record = Record {
                        cells: &self.cells[..self.cells_len],
                        ends: &self.ends[..self.ends_len],
                    };
                    return Ok(Taken::Record(began, record));
                }
                ReadRecordResult::End => return Ok(Taken::End),
            }
        }
    }

    /// Skips line breaks between records: the second half of CR LF, and empty lines. The reader would do so as
    /// well, but then the next record would be said to begin with them.
    fn skip_breaks(&mut self) {
        while let Some(&byte) = self.buffer.rest().first() {
            match byte {
                b'\n' => self.reader.set_line(self.reader.line() + 1),
                b'\r' => {}
                _ => break,
            }
            self.buffer.at += 1;
        }
    }
}

impl std::fmt::Debug for Csv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Csv")
            .field("line", &self.reader.line())
            .finish_non_exhaustive()
    }
}

impl<'a> Record<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cell at this position, if it is UTF-8. There must be one.
    pub(super) fn cell(&self, position: usize) -> Result<&'a str, ()> {
        let start = position
            .checked_sub(1)
            .map_or(0, |before| self.ends[before]);
        std::str::from_utf8(&self.cells[start..self.ends[position]]).map_err(|_| ())
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = Result<&'a str, ()>> + '_ {
        (0..self.len()).map(|position| self.cell(position))
    }
}
