#![allow(clippy::unwrap_used)]

use super::*;

/// Hands out so many bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let len = self.1.min(self.0.len()).min(into.len());
        into[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        Ok(len)
    }
}

/// Line, rows and text of each part of about so many bytes, after some rows.
fn parts(text: &str, format: RowFormat, part_bytes: usize, skip: u64) -> Vec<(u64, u64, String)> {
    let run = |pace: usize| {
        let mut parts = Parts::of(Slow(text.as_bytes(), pace), format, part_bytes).unwrap();
        parts.skip(skip).unwrap();
        let mut found = Vec::new();
        while let Some(part) = parts.next().unwrap() {
            found.push((part.line, part.rows, String::from_utf8(part.text).unwrap()));
        }
        found
    };
    let whole = run(usize::MAX);
    for pace in [1, 2, 5] {
        assert_eq!(run(pace), whole, "{pace} bytes at a time");
    }
    whole
}

fn part(line: u64, rows: u64, text: &str) -> (u64, u64, String) {
    (line, rows, text.to_owned())
}

#[test]
fn lines_of_json() {
    let text = "{\"a\":1}\n\n{\"a\":2}\r\n{\"a\":3}";
    assert_eq!(parts(text, RowFormat::Jsonl, 1000, 0), [part(1, 3, text)]);
    let cut = [
        part(1, 1, "{\"a\":1}\n\n"),
        part(3, 1, "{\"a\":2}\r\n"),
        part(4, 1, "{\"a\":3}"),
    ];
    assert_eq!(parts(text, RowFormat::Jsonl, 9, 0), cut);
    assert_eq!(parts(text, RowFormat::Jsonl, 9, 2), cut[2..]);
    assert!(parts("", RowFormat::Jsonl, 9, 0).is_empty());
    assert!(parts("\n \n", RowFormat::Jsonl, 9, 0).is_empty());
}

#[test]
fn records_of_csv() {
    let text = "\na,b\nx,\"1\n2\"\ny,\"\"\"\n\"\n5\" pipe,3\n";
    let whole = "a,b\nx,\"1\n2\"\ny,\"\"\"\n\"\n5\" pipe,3\n";
    assert_eq!(parts(text, RowFormat::Csv, 1000, 0), [part(3, 3, whole)]);
    let cut = [
        part(3, 1, "a,b\nx,\"1\n2\"\n"),
        part(5, 1, "a,b\ny,\"\"\"\n\"\n"),
        part(7, 1, "a,b\n5\" pipe,3\n"),
    ];
    assert_eq!(parts(text, RowFormat::Csv, 5, 0), cut);
    assert_eq!(parts(text, RowFormat::Csv, 5, 1), cut[1..]);
    assert!(parts("a,b\n", RowFormat::Csv, 5, 0).is_empty());
    // What is left of a line break goes with the next part, and is counted there.
    let crlf = parts("a\r\n1\r\n2\r\n", RowFormat::Csv, 3, 0);
    let rows: u64 = crlf.iter().map(|(_, rows, _)| rows).sum();
    assert_eq!(rows, 2, "{crlf:?}");
    for (line, _, text) in &crlf {
        let breaks = text["a\n".len()..].find(['1', '2']).unwrap();
        let before = text["a\n".len()..][..breaks].matches('\n').count() as u64;
        let expected = if text.contains('1') { 2 } else { 3 };
        assert_eq!(line + before, expected, "{crlf:?}");
    }
}

#[test]
fn a_row_without_an_end_is_not_read_to_the_end() {
    let endless = std::io::repeat(b'x');
    let mut parts = Parts::new(endless, RowFormat::Jsonl).unwrap();
    assert_eq!(parts.next().unwrap_err().exit_code(), 2);
}

#[test]
fn rows_of_an_export_are_counted() {
    let mut rows = RowCount::new(RowFormat::Csv);
    for piece in ["a,b\n1,\"x", "\n\"\"y\"\n2", ",\n"] {
        rows.add(piece.as_bytes());
    }
    assert_eq!(rows.rows(), 2);
    let mut rows = RowCount::new(RowFormat::Jsonl);
    rows.add(b"{\"a\":\"\\\"\"}\n{}\n");
    assert_eq!(rows.rows(), 2);
}
