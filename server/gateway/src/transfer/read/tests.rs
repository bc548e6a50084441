#![allow(clippy::unwrap_used)]

use syncline_protocol::{ColumnDef, json as wire_json, packed};

use super::*;

/// `id` counts up, `name` is a text, `age` may be NULL.
fn table(name: &str) -> Arc<TableDef> {
    let columns = [
        ("id", Type::U64),
        ("name", Type::String),
        ("age", Type::option(Type::U8)),
    ];
    Arc::new(TableDef {
        name: name.into(),
        columns: columns
            .map(|(name, ty)| ColumnDef {
                name: name.into(),
                ty,
            })
            .into(),
        primary_key: vec![0],
        indexes: Vec::new(),
        auto_increment: Some(0),
        public: false,
    })
}

/// Line, table and values of each row, with the text in pieces of this length.
fn rows(mut reader: RowReader, text: &[u8], piece: usize) -> Result<Vec<String>, BadRow> {
    let mut pieces = text.chunks(piece);
    let mut rows = Vec::new();
    loop {
        let mut packed = Vec::new();
        match reader.next(&mut packed)? {
            Next::Row(Row { line, table: at }) => {
                let mut bytes = packed::Reader::new(&packed);
                let mut values = Vec::new();
                for column in &table("").columns {
                    wire_json::write_packed(&column.ty, &mut bytes, &mut values).unwrap();
                    values.push(b' ');
                }
                bytes.finish().unwrap();
                rows.push(format!(
                    "{line}: {at} {}",
                    String::from_utf8(values).unwrap().trim()
                ));
            }
            Next::More => match pieces.next() {
                Some(piece) => reader.feed(piece),
                None => reader.end(),
            },
            Next::End => return Ok(rows),
        }
    }
}

fn in_pieces(reader: impl Fn() -> RowReader, text: &str) -> Result<Vec<String>, BadRow> {
    let whole = rows(reader(), text.as_bytes(), usize::MAX);
    for piece in [1, 2, 3, 7] {
        assert_eq!(
            rows(reader(), text.as_bytes(), piece),
            whole,
            "pieces of {piece}"
        );
    }
    whole
}

fn of_jsonl(text: &str) -> Result<Vec<String>, BadRow> {
    in_pieces(
        || RowReader::of_table(table("user"), Format::Jsonl, 1),
        text,
    )
}

fn of_csv(text: &str) -> Result<Vec<String>, BadRow> {
    in_pieces(|| RowReader::of_table(table("user"), Format::Csv, 2), text)
}

fn of_tables(text: &str) -> Result<Vec<String>, BadRow> {
    in_pieces(
        || RowReader::of_tables(vec![table("a"), table("b")], 1),
        text,
    )
}

#[test]
fn lines_of_json() {
    let text = "\u{feff}{\"id\": 1, \"name\": \"x\", \"age\": 7}\r\n\n  \n\
                {\"name\": \"\\n\"}\n{\"age\": null, \"name\": \"z\", \"id\": \"3\"}";
    let expected = [
        "1: 0 \"1\" \"x\" 7",
        "4: 0 \"0\" \"\\n\" null",
        "5: 0 \"3\" \"z\" null",
    ];
    assert_eq!(of_jsonl(text).unwrap(), expected);
    assert!(of_jsonl("").unwrap().is_empty());
    let text =
        "{\"table\":\"b\",\"row\":{\"name\":\"x\"}}\n{\"table\":\"a\",\"row\":{\"name\":\"y\"}}\n";
    let expected = ["1: 1 \"0\" \"x\" null", "2: 0 \"0\" \"y\" null"];
    assert_eq!(of_tables(text).unwrap(), expected);
}

#[test]
fn records_of_csv() {
    let text = "\u{feff}name,id,age\nx,1,7\r\n\r\n\"a,\n\"\"b\"\"\",2,\n\n\"\",3,\"9\"\ny,,";
    let expected = [
        "2: 0 \"1\" \"x\" 7",
        "4: 0 \"2\" \"a,\\n\\\"b\\\"\" null",
        "7: 0 \"3\" \"\" 9",
        "8: 0 \"0\" \"y\" null",
    ];
    assert_eq!(of_csv(text).unwrap(), expected);
    // Columns that may be left out.
    assert_eq!(of_csv("name\nx").unwrap(), ["2: 0 \"0\" \"x\" null"]);
    assert!(of_csv("name\n").unwrap().is_empty());
}

#[test]
fn lines_are_counted_from_where_they_are_told() {
    let json = || RowReader::of_table(table("user"), Format::Jsonl, 100);
    assert_eq!(in_pieces(json, "\n{}").unwrap_err().line, 101);
    let csv = || RowReader::of_table(table("user"), Format::Csv, 100);
    assert_eq!(in_pieces(csv, "name,age\nx,\nx,x\n").unwrap_err().line, 101);
}

type Read = fn(&str) -> Result<Vec<String>, BadRow>;

/// Each text, where it is wrong, and words of what is.
fn check(cases: &[(Read, &str, u64, Option<&str>, &str)]) {
    for (read, text, line, column, words) in cases {
        let bad = read(text).unwrap_err();
        let place = (bad.line, bad.column.as_deref());
        assert_eq!(place, (*line, *column), "{text:?}: {bad:?}");
        assert!(bad.message.contains(words), "{text:?}: {bad:?}");
    }
}

#[test]
fn what_is_wrong_with_json_and_where() {
    let good = "{\"name\": \"x\"}\n";
    check(&[
        (
            of_jsonl,
            "{\"name\": 1}",
            1,
            Some("name"),
            "expected string, found 1",
        ),
        (
            of_jsonl,
            &format!("{good}{{\"age\": 1}}"),
            2,
            Some("name"),
            "it is missing",
        ),
        (
            of_jsonl,
            "{\"name\": \"x\", \"nam\": 1}",
            1,
            None,
            "user has no column \"nam\"",
        ),
        (of_jsonl, &format!("{good}\n{{"), 3, None, "not JSON"),
        (of_jsonl, "[1]", 1, None, "no object"),
        (
            of_jsonl,
            "{\"name\": \"x\", \"age\": 256}",
            1,
            Some("age"),
            "out of the range",
        ),
        (of_tables, good, 1, None, "does not name a table"),
        (
            of_tables,
            "{\"table\":\"c\",\"row\":{}}",
            1,
            None,
            "no table named c",
        ),
        (
            of_tables,
            "{\"table\":\"a\",\"row\":{}}",
            1,
            Some("name"),
            "missing",
        ),
    ]);
}

#[test]
fn what_is_wrong_with_csv_and_where() {
    check(&[
        (of_csv, "", 1, None, "no head"),
        (of_csv, "name,nam\n", 1, None, "no column \"nam\""),
        (of_csv, "name,name\n", 1, Some("name"), "twice"),
        (of_csv, "id,age\n", 1, Some("name"), "missing"),
        (
            of_csv,
            "name,age\nx,1\ny\n",
            3,
            None,
            "expected 2 cells as in the head, found 1",
        ),
        (of_csv, "name,age\n\"\n\n\",1\ny,1,2\n", 5, None, "found 3"),
        (
            of_csv,
            "name,age\nx,1\ny,old\n",
            3,
            Some("age"),
            "expected u8, found \"old\"",
        ),
        (
            of_csv,
            "name,id\nx,-1\n",
            2,
            Some("id"),
            "out of the range of u64",
        ),
    ]);
    let latin = b"name\n\xe9\n";
    let bad = rows(RowReader::of_table(table("user"), Format::Csv, 2), latin, 4).unwrap_err();
    assert_eq!((bad.line, bad.column.as_deref()), (2, Some("name")));
}

#[test]
fn a_line_without_an_end_takes_no_memory_without_an_end() {
    let piece = vec![b'x'; 1 << 20];
    for (format, begin) in [(Format::Jsonl, "\""), (Format::Csv, "name\n\"")] {
        let mut reader = RowReader::of_table(table("user"), format, 1);
        reader.feed(begin.as_bytes());
        let pieces = (0..64).find(|_| {
            reader.feed(&piece);
            matches!(reader.next(&mut Vec::new()), Err(bad) if bad.message.contains("more than"))
        });
        assert!(
            pieces.is_some_and(|pieces| pieces < 20),
            "{format:?}: {pieces:?}"
        );
    }
    let commas = vec![b','; 1 << 20];
    let mut reader = RowReader::of_table(table("user"), Format::Csv, 1);
    reader.feed(&commas);
    assert!(
        reader
            .next(&mut Vec::new())
            .unwrap_err()
            .message
            .contains("cells")
    );
}
