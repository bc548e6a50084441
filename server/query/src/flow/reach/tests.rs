#![allow(clippy::unwrap_used, reason = "tests")]

use syncline_protocol::IndexKind;
use syncline_store::IndexId;

use super::{KeyPart, Reach};
use crate::plan::expr::{Expr, Slot};
use crate::syntax::CompareOp;
use crate::tests::{Fixture, table, ty, with_index};

/// A key that NULL is a value of finds rows that an equality does not accept.
#[test]
fn only_a_key_without_null_implies_an_equality() {
    let def = with_index(table("one", "id u32, x u32?", 1), "x", IndexKind::Hash);
    let fixture = Fixture::new(vec![def]);
    let id = fixture.db().schema().table_id("one").unwrap();
    let own = fixture.db().table(id).unwrap();
    let nullable = ty("u32?");
    let column = |source| Expr::Column(Slot::of(source, 1, &nullable));
    let equality = Expr::Compare(CompareOp::Equal, Box::new(column(0)), Box::new(column(1)));
    for accepts_null in [false, true] {
        let part = KeyPart::new(column(1), nullable.clone(), accepts_null);
        let (index, key) = (IndexId::secondary(0), vec![part]);
        let reach = Reach::Exact { index, key };
        assert_eq!(reach.implies(own, 0, &equality), !accepts_null);
        assert!(!reach.implies(own, 1, &equality));
    }
}
