//! Tables as `syncline generate --lang rust` writes them, in queries of the builder.

mod board;
mod types;

use serde_json::json;
use syncline_client::protocol::Identity;
use syncline_client::protocol::logical::LogicalQuery;
use syncline_client::protocol::message::OwnedQueryForm;
use syncline_client::query::{IntoQuery, count, from, max, me, param};

fn written(query: impl IntoQuery) -> serde_json::Value {
    match query.form() {
        OwnedQueryForm::Logical(bytes) => {
            LogicalQuery::decode(&bytes).unwrap().to_json()["query"].take()
        }
        OwnedQueryForm::Sql(sql) => sql.into(),
    }
}

/// What rows are read as.
fn rows_of<Q: IntoQuery<Row = R>, R>(query: Q) -> Q {
    query
}

#[test]
fn tables_have_typed_columns() {
    let mine = rows_of::<_, board::Pixel>(
        from(board::tables::pixel)
            .filter(|p| p.painter.eq(me()) & p.x.between(param::<u16>("low"), 9)),
    );
    assert_eq!(
        written(mine),
        json!({
            "from": {"of": {"table": "pixel"}, "as": "t0"},
            "where": {"and": [
                {"eq": [{"column": ["t0", "painter"]}, {"param": "me"}]},
                {"between": [{"column": ["t0", "x"]}, {"param": "low"}, {"value": 9}]},
            ]},
        })
    );
    let painters = from(board::tables::pixel)
        .join(board::tables::painter, |pixel, painter| {
            pixel.painter.eq(painter.identity)
        })
        .group_by(|(_, painter)| painter.identity)
        .select(|(pixel, painter)| (painter.identity, count(), max(pixel.color), pixel.x.sum()));
    let painters = rows_of::<_, (Identity, i64, Option<u8>, Option<i64>)>(painters);
    assert_eq!(
        written(painters)["joins"][0]["of"],
        json!({"table": "painter"})
    );
    let missing = from(board::tables::pixel)
        .left_join(board::tables::cursor, |pixel, cursor| {
            pixel.painter.eq(cursor.identity)
        })
        .select(|(pixel, cursor)| (pixel.position, cursor.get(|cursor| cursor.x.clone())));
    written(rows_of::<_, (u32, Option<f32>)>(missing));
    written(rows_of::<_, types::EveryType>(from(
        types::tables::every_type,
    )));
}
