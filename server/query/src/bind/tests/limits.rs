//! Small questions that would be large expressions.

use serde_json::{Value as Json, json};
use syncline_protocol::logical::LogicalQuery;

use super::chat;
use crate::tests::me;
use crate::{QueryError, QueryRef};

/// Asks once with a structure.
fn ask_structure(query: Json) -> Result<(), QueryError> {
    let whole = [("version", 1.into()), ("query", query)].map(|(name, v)| (name.to_owned(), v));
    let query = LogicalQuery::from_json(Json::Object(whole.into_iter().collect())).unwrap();
    let fixture = chat();
    let asked = QueryRef::Logical(&query.encode());
    crate::query_once(fixture.db(), asked, &[], &me(), &mut |_: &[u8]| ()).map(drop)
}

/// Runs on a stack as small as that of a thread may be.
fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    thread.spawn(run).unwrap().join().unwrap()
}

#[test]
fn a_long_concat_is_not_deep() {
    let rows = on_a_small_stack(|| {
        let mut fixture = chat();
        fixture.insert("messages", &[json!([1, 1, 1, "x"])]);
        let args = vec!["1"; 2000].join(", ");
        let sql = format!("SELECT concat({args}) AS c FROM messages WHERE room = 1");
        let live = fixture.subscribe(&sql, json!({})).unwrap();
        fixture.live.unsubscribe(live.handle);
        fixture.once(&sql, json!({})).unwrap()
    });
    assert_eq!(rows, json!([["1".repeat(2000)]]));
    on_a_small_stack(|| {
        ask_structure(json!({
            "from": {"of": {"table": "messages"}},
            "select": [{"as": ["c", {"call": ["concat", vec![json!({"value": 1}); 5000]]}]}],
        }))
    })
    .unwrap();
}
