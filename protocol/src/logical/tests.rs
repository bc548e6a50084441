#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::limits::{LOGICAL_BYTES_MAX, LOGICAL_NESTING_MAX, LOGICAL_VALUES_MAX};
use crate::strategies::scalar;

fn param() -> impl Strategy<Value = Param> {
    prop_oneof![
        Just(Param::Null),
        any::<bool>().prop_map(Param::Bool),
        any::<i32>().prop_map(|v| Param::Int(v.into())),
        (-1e9..1e9f64).prop_map(|v| Param::Float(v + 0.5)),
        "[a-zé\"]{0,6}".prop_map(Param::Text),
    ]
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_]{1,6}"
}

fn unary(kind: u8, x: Box<Expr>) -> Expr {
    match kind % 5 {
        0 => Expr::Not(x),
        1 => Expr::Negate(x),
        2 => Expr::IsNull(x),
        3 => Expr::IsTrue(x),
        _ => Expr::IsFalse(x),
    }
}

fn binary(kind: u8, x: Box<Expr>, y: Box<Expr>) -> Expr {
    match kind % 16 {
        0 => Expr::Eq(x, y),
        1 => Expr::Ne(x, y),
        2 => Expr::Lt(x, y),
        3 => Expr::Le(x, y),
        4 => Expr::Gt(x, y),
        5 => Expr::Ge(x, y),
        6 => Expr::Add(x, y),
        7 => Expr::Subtract(x, y),
        8 => Expr::Multiply(x, y),
        9 => Expr::Divide(x, y),
        10 => Expr::Remainder(x, y),
        11 => Expr::Concat(x, y),
        12 => Expr::Same(x, y),
        13 => Expr::Get(x, y),
        14 => Expr::GetText(x, y),
        _ => Expr::Like(x, y),
    }
}

/// A query around an expression.
fn around(expr: Expr, alias: Option<String>, flag: bool) -> Query {
    let table = Relation::Table("t".into());
    let mut query = Query::new(Source { of: table, alias });
    if flag {
        query.distinct = true;
        query.select = vec![Item::All, Item::AllOf("t".into()), Item::Expr(expr)];
    } else {
        query.filter = Some(expr);
    }
    query
}

fn expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        param().prop_map(Expr::Value),
        name().prop_map(Expr::Param),
        (option::of(name()), name()).prop_map(|(of, name)| Expr::Column(of, name)),
        Just(Expr::CountRows),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let query = || {
            (inner.clone(), option::of(name()), any::<bool>())
                .prop_map(|(expr, alias, flag)| Box::new(around(expr, alias, flag)))
        };
        let list = || vec(inner.clone(), 0..3);
        prop_oneof![
            (any::<u8>(), boxed()).prop_map(|(kind, x)| unary(kind, x)),
            (any::<u8>(), boxed(), boxed()).prop_map(|(kind, x, y)| binary(kind, x, y)),
            list().prop_map(Expr::And),
            list().prop_map(Expr::Or),
            (boxed(), boxed(), boxed()).prop_map(|(x, y, z)| Expr::Between(x, y, z)),
            (boxed(), list()).prop_map(|(x, list)| Expr::In(x, list)),
            (boxed(), query()).prop_map(|(x, query)| Expr::InQuery(x, query)),
            query().prop_map(Expr::Exists),
            query().prop_map(Expr::Scalar),
            (boxed(), boxed(), any::<char>()).prop_map(|(x, y, c)| Expr::LikeEscape(x, y, c)),
            (boxed(), scalar()).prop_map(|(x, ty)| Expr::Cast(x, ty)),
            (name(), list()).prop_map(|(name, list)| Expr::Call(name, list)),
            (name(), list()).prop_map(|(name, list)| Expr::CallDistinct(name, list)),
            (
                option::of(boxed()),
                vec((inner.clone(), inner.clone()), 0..3),
                option::of(boxed())
            )
                .prop_map(|(operand, arms, otherwise)| Expr::Case(Case {
                    operand,
                    arms,
                    otherwise,
                })),
        ]
    })
}

fn query() -> impl Strategy<Value = LogicalQuery> {
    let join = (0..3u8, option::of(name()), option::of(expr()), expr());
    let join = join.prop_map(|(kind, alias, on, arg)| Join {
        kind: [JoinKind::Inner, JoinKind::Left, JoinKind::Cross][usize::from(kind)],
        of: match kind {
            0 => Relation::Table("u".into()),
            1 => Relation::View("v".into(), vec![arg]),
            _ => Relation::Query(Box::new(around(arg, None, true))),
        },
        alias,
        on,
    });
    let order = (expr(), any::<bool>()).prop_map(|(by, descending)| Order { by, descending });
    let union = (expr(), any::<bool>()).prop_map(|(expr, all)| Union {
        all,
        query: around(expr, None, all),
    });
    let limits = (option::of(expr()), option::of(expr()), vec(expr(), 0..2));
    (
        (expr(), name(), any::<bool>()),
        vec(join, 0..2),
        vec(expr(), 0..2),
        vec(union, 0..2),
        vec(order, 0..2),
        limits,
    )
        .prop_map(
            |(head, joins, group, union, order, (limit, offset, after))| {
                let (expr, alias, flag) = head;
                let mut query = around(expr.clone(), Some(alias.clone()), flag);
                query.select.push(Item::As(alias, expr));
                query.joins = joins;
                query.having = group.first().cloned();
                (query.group, query.union, query.order) = (group, union, order);
                (query.limit, query.offset, query.after) = (limit, offset, after);
                LogicalQuery::new(query)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read(query in query()) {
        match LogicalQuery::decode(&query.encode()) {
            Ok(read) => prop_assert_eq!(&read, &query),
            Err(error) => prop_assert_eq!(error, LogicalError::Nesting),
        }
        match LogicalQuery::from_json(query.to_json()) {
            Ok(read) => prop_assert_eq!(&read, &query),
            Err(error) => prop_assert_eq!(error, LogicalError::Nesting),
        }
    }

    #[test]
    fn any_bytes_are_a_query_or_an_error(bytes in vec(any::<u8>(), 0..64)) {
        if let Ok(read) = LogicalQuery::decode(&bytes) {
            prop_assert_eq!(LogicalQuery::decode(&read.encode()), Ok(read));
        }
    }

    #[test]
    fn a_damaged_query_is_a_query_or_an_error(
        query in query(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = query.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
            prop_assert!(LogicalQuery::decode(&bytes).is_err());
        }
        if let Ok(read) = LogicalQuery::decode(&bytes) {
            prop_assert!(LogicalQuery::decode(&read.encode()).is_ok());
        }
    }
}

/// `NOT NOT .. x`
fn nested(levels: usize) -> LogicalQuery {
    let mut expr = Expr::Param("p".into());
    for _ in 0..levels {
        expr = Expr::Not(Box::new(expr));
    }
    LogicalQuery::new(around(expr, None, false))
}

#[test]
fn too_much_is_refused_in_both_forms() {
    // Two objects around the condition, one that the parameter is.
    let deepest = nested(LOGICAL_NESTING_MAX - 3);
    assert_eq!(
        LogicalQuery::decode(&deepest.encode()).as_ref(),
        Ok(&deepest)
    );
    assert_eq!(
        LogicalQuery::from_json(deepest.to_json()).as_ref(),
        Ok(&deepest)
    );
    let deeper = nested(LOGICAL_NESTING_MAX + 1);
    assert_eq!(
        LogicalQuery::decode(&deeper.encode()),
        Err(LogicalError::Nesting)
    );
    assert_eq!(
        LogicalQuery::from_json(deeper.to_json()),
        Err(LogicalError::Nesting)
    );

    let wide = Expr::And(vec![Expr::CountRows; LOGICAL_VALUES_MAX]);
    let wide = LogicalQuery::new(around(wide, None, false));
    let error = LogicalQuery::from_json(wide.to_json());
    assert_eq!(error, Err(LogicalError::Values));
    let nils = [vec![0xdc, 0xff, 0xff], vec![0xc0; 0xffff]].concat();
    let error = LogicalQuery::decode(&nils[..LOGICAL_BYTES_MAX]);
    assert_eq!(error, Err(LogicalError::Values));
    let error = LogicalQuery::decode(&nils);
    assert_eq!(error, Err(LogicalError::Bytes(nils.len())));

    // A count that promises more than there is costs nothing.
    let promise = [0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0];
    assert!(matches!(
        LogicalQuery::decode(&promise),
        Err(LogicalError::Malformed(_))
    ));
}

#[test]
fn errors_say_what_is_wrong() {
    let from = json!({"of": {"table": "t"}});
    for (json, expected) in [
        (
            json!({"version": 2, "query": {"new": 1}}),
            "the query has version 2; this server reads version 1",
        ),
        (
            json!({"query": {"from": from}}),
            "the query does not decode: missing field `version`",
        ),
        (json!(null), "the query does not decode: "),
        (
            json!({"version": 1, "query": {}}),
            "the query does not decode: missing field `from`",
        ),
        (
            json!({"version": 1, "query": {"from": from, "wher": {}}}),
            "the query does not decode: unknown field `wher`",
        ),
        (
            json!({"version": 1, "query": {"from": from, "where": {"equals": []}}}),
            "the query does not decode: unknown variant `equals`",
        ),
    ] {
        let error = LogicalQuery::from_json(json).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(error.len() < 300);
    }
}

#[test]
fn the_form_is_an_object_with_named_members() {
    let json = json!({"version": 1, "query": {
        "distinct": true,
        "select": ["all", {"all_of": "m"}, {"as": ["n", "count_rows"]},
                   {"expr": {"call": ["lower", [{"column": [null, "text"]}]]}}],
        "from": {"of": {"table": "message"}, "as": "m"},
        "joins": [{"kind": "left", "of": {"view": ["mine", [{"param": "me"}]]}, "as": "v",
                   "on": {"eq": [{"column": ["m", "id"]}, {"column": ["v", "id"]}]}}],
        "where": {"and": [{"like_escape": [{"column": [null, "text"]}, {"value": "a!%%"}, "!"]},
                          {"in_query": [{"value": 1}, {"from": {"of": {"table": "t"}}}]},
                          {"cast": [{"value": 1.5}, "i64"]}]},
        "union": [{"all": true, "query": {"from": {"of": {"table": "t"}}}}],
        "order": [{"by": {"column": [null, "n"]}, "descending": true}],
        "limit": {"value": 5},
        "after": [{"value": null}],
    }});
    let query = LogicalQuery::from_json(json.clone()).unwrap();
    // The kind of a join is always written.
    assert_eq!(query.to_json(), json);
}
