#![allow(clippy::unwrap_used, reason = "tests")]

use syncline_protocol::ErrorCode;
use syncline_protocol::param::Param;

use super::parse;
use crate::syntax::{Body, Item, NodeKind, Position, Relation};

#[test]
fn clauses_arrive_in_their_places() {
    let query = parse(
        "SELECT a.x AS y, a.* FROM things a WHERE x > 1 GROUP BY x HAVING count(*) > 2 \
         ORDER BY x DESC, y LIMIT 5 OFFSET :skip;",
    )
    .unwrap();
    let Body::Select(select) = &query.body else {
        panic!("it is a select");
    };
    assert!(matches!(&select.from[0].relation, Relation::Table(name) if name.text == "things"));
    assert_eq!(select.from[0].alias.as_ref().unwrap().text, "a");
    assert!(matches!(&select.items[0], Item::One(_, Some(alias)) if alias.text == "y"));
    assert!(matches!(&select.items[1], Item::AllOf(name) if name.text == "a"));
    assert_eq!(
        query
            .order
            .iter()
            .map(|item| item.descending)
            .collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(query.limit.unwrap().kind, NodeKind::Literal(Param::Int(5)));
    assert_eq!(
        query.offset.unwrap().kind,
        NodeKind::Parameter("skip".into())
    );
    assert_eq!(
        select.filter.as_ref().unwrap().at,
        Position {
            line: 1,
            column: 42
        }
    );
}

#[test]
fn parameters_need_no_spaces() {
    for sql in [
        "x=:p",
        "x<:p",
        "x<>:p",
        "x>=:p",
        "x-:p>1",
        "x||:p = 'a'",
        "(:p)=x",
        "x IN(:p,:p)",
        "x BETWEEN:p AND:p",
        ":p=x",
        "x=:p::bigint",
    ] {
        let select =
            parse(&format!("SELECT * FROM t WHERE {sql}")).unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert!(
            format!("{:?}", select.body).contains("Parameter(\"p\")"),
            "{sql}"
        );
    }
}

#[test]
fn long_chains_are_flat_and_deep_nesting_is_refused() {
    let chain = vec!["x = 1"; 1000].join(" OR ");
    let select = parse(&format!("SELECT * FROM t WHERE {chain}")).unwrap();
    let Body::Select(select) = select.body else {
        panic!("it is a select");
    };
    assert!(matches!(select.filter.unwrap().kind, NodeKind::Or(items) if items.len() == 1000));

    // Everything that could overflow the stack, here or in a destructor.
    let open = "(".repeat(4000);
    let nested = format!("SELECT * FROM t WHERE {open}x{}", ")".repeat(4000));
    let sums = format!("SELECT {} FROM t", vec!["1"; 2000].join("+"));
    let more_sums = format!("SELECT {} FROM t", vec!["1"; 8000].join("+"));
    let nots = format!("SELECT * FROM t WHERE {} x", "NOT ".repeat(3000));
    let minuses = format!("SELECT {} 1 FROM t", "- ".repeat(3000));
    let cases = format!("SELECT {} 1 FROM t", "CASE WHEN ".repeat(1000));
    let selects = format!("SELECT * FROM {}", "(SELECT * FROM ".repeat(900));
    for sql in [
        &nested, &sums, &more_sums, &nots, &minuses, &cases, &selects, &open,
    ] {
        let error = parse(sql).unwrap_err();
        let code = error.code;
        assert!(
            matches!(code, ErrorCode::QueryLimit | ErrorCode::SqlSyntax),
            "{error}"
        );
    }
}

#[test]
fn no_bytes_make_it_panic() {
    // A cheap fuzz: every prefix and every single-byte damage of a text with a bit of everything.
    let sql = "SELECT a.x AS \"y\", x'00ff', -1.5e3 FROM t a WHERE b IN (:c, 'd''e') AND NOT f \
               LIKE 'g%' ESCAPE '!' OR h IS NOT DISTINCT FROM CASE i WHEN 1 THEN NULL END LIMIT 3";
    for end in 0..sql.len() {
        let _ = parse(&sql[..end]);
    }
    for at in 0..sql.len() {
        for byte in [b'(', b'\'', b':', b'$', b';', b'\\', 0, b'"', b'*'] {
            let mut damaged = sql.as_bytes().to_vec();
            damaged[at] = byte;
            let _ = parse(std::str::from_utf8(&damaged).unwrap());
        }
    }
}
