//! `syncline query`.

use serde::Deserialize;
use serde_json::{Value, json};
use syncline_protocol::message::ResultColumn;

use crate::api::Api;
use crate::args::{Common, Query};
use crate::failure::{Failure, not_understood};
use crate::output::{self, Grid, cell};

#[derive(Deserialize)]
struct Answer {
    columns: Vec<ResultColumn>,
    rows: Vec<Vec<Value>>,
}

/// Evaluates a query once and prints its rows.
pub(crate) fn run(common: &Common, args: &Query) -> Result<(), Failure> {
    let sql = &args.sql;
    let api = Api::new(common)?.anonymous(sql.who.anonymous);
    let params: serde_json::Map<_, _> = sql.params.iter().cloned().collect();
    let mut body = json!({ "sql": sql.text, "params": params });
    if let Some(as_of) = &args.as_of {
        body["as_of"] = as_of.clone();
    }
    let answer = api.post(&[&sql.database, "query"], &body)?;
    if common.json {
        return output::line(&answer);
    }
    let answer: Answer = serde_json::from_value(answer).map_err(not_understood)?;
    let count = answer.rows.len();
    for line in grid(&answer.columns, answer.rows).lines() {
        output::line(&line)?;
    }
    output::line(&format_args!(
        "{count} {}",
        if count == 1 { "row" } else { "rows" }
    ))
}

/// Rows as a table. Columns that travel only for the key or the order are left out.
pub(crate) fn grid(columns: &[ResultColumn], rows: Vec<Vec<Value>>) -> Grid {
    let visible = || columns.iter().filter(|column| !column.hidden);
    let mut grid = Grid::new(visible().map(|column| (column.name.as_str(), &column.ty)));
    for row in rows {
        let cells = columns
            .iter()
            .zip(&row)
            .filter(|(column, _)| !column.hidden);
        grid.push(
            cells
                .map(|(column, value)| cell(&column.ty, value))
                .collect(),
        );
    }
    grid
}
