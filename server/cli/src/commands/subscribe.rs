//! `syncline subscribe`.

use serde_json::{Value, json};
use syncline_client::protocol::message::ResultDescription;
use syncline_client::protocol::{ErrorCode, WireError, json as wire_json};
use syncline_client::{Client, ConnectionState, Error, Event, Param, Row, RowChange, Rows};

use super::query::grid;
use crate::api::Api;
use crate::args::{Common, Subscribe};
use crate::failure::{Failure, not_understood};
use crate::output::{self, cell, printable};
use crate::tls;

/// Prints the rows of a query and then every change, until Ctrl-C.
pub(crate) fn run(common: &Common, args: &Subscribe) -> Result<(), Failure> {
    let api = Api::new(common)?.anonymous(args.sql.who.anonymous);
    let params = params(args)?;
    // One thread: between two awaits the rows stand still.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(follow(&api, args, &params, common.json))
}

fn params(args: &Subscribe) -> Result<Vec<(&str, Param)>, Failure> {
    let read = |(name, value): &'_ (String, Value)| -> Result<Param, Failure> {
        serde_json::from_value(value.clone())
            .map_err(|error| Failure::usage(format!("parameter {name}: {error}")))
    };
    args.sql
        .params
        .iter()
        .map(|pair| Ok((pair.0.as_str(), read(pair)?)))
        .collect()
}

async fn follow(
    api: &Api,
    args: &Subscribe,
    params: &[(&str, Param)],
    as_json: bool,
) -> Result<(), Failure> {
    let explain = |error| failure(api, error);
    let mut builder = Client::builder(api.server(), &args.sql.database).roots(api.roots().clone());
    if let Some(token) = api.token() {
        builder = builder.token(token);
    }
    let client = builder.connect().await.map_err(explain)?;
    let subscription = client
        .subscribe(&args.sql.text, params)
        .await
        .map_err(explain)?;
    subscription.ready().await.map_err(explain)?;
    let (mut events, rows) = (subscription.events(), subscription.rows());
    let printer = Printer { as_json };
    printer.rows(&rows)?;
    let mut states = client.state_changes();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Changes(batch)) => {
                    for change in batch.iter() {
                        printer.change(rows.description(), batch.lsn().0, &change)?;
                    }
                }
                Some(Event::Lagged(_)) => printer.rows(&subscription.rows())?,
                None => return Ok(()),
            },
            changed = states.changed() => {
                let state = states.borrow_and_update().clone();
                match state {
                    ConnectionState::Offline => eprintln!("the connection is lost; trying again"),
                    ConnectionState::Online => eprintln!("connected again"),
                    ConnectionState::Closed { error } => {
                        return Err(explain(error.unwrap_or(Error::Closed)));
                    }
                    ConnectionState::Connecting => {}
                }
                if changed.is_err() {
                    return Err(explain(Error::Closed));
                }
            }
        }
        if let Some(error) = subscription.error() {
            return Err(explain(error));
        }
    }
}

fn failure(api: &Api, error: Error) -> Failure {
    match error {
        Error::Refused(error) | Error::Reducer(error) | Error::Server(error) => {
            api.explained(error)
        }
        Error::Arguments(message) => WireError::new(ErrorCode::BadArguments, message).into(),
        Error::Tls(error) => tls::explained(api.server(), &error),
        Error::Protocol(reason) => not_understood(reason),
        error => Failure::unreachable(format!("{}: {error}", api.server()))
            .hint("start a server with `syncline start`, or name one with --server"),
    }
}

struct Printer {
    as_json: bool,
}

impl Printer {
    /// The first rows, or all of them anew.
    fn rows(&self, rows: &Rows) -> Result<(), Failure> {
        if self.as_json {
            let columns: Vec<_> = rows.columns().collect();
            return output::line(&json!({
                "type": "rows",
                "lsn": rows.lsn(),
                "columns": columns,
                "rows": rows.json(),
            }));
        }
        let description = rows.description();
        let values = |row: Row| -> Vec<Value> {
            let columns = description.columns.iter().zip(row.values());
            columns
                .map(|(column, value)| wire_json::encode(&column.ty, &value))
                .collect()
        };
        let grid = grid(&description.columns, rows.iter().map(values).collect());
        for line in grid.lines() {
            output::line(&line)?;
        }
        let count = rows.len();
        output::line(&format_args!(
            "{count} {}",
            if count == 1 { "row" } else { "rows" }
        ))
    }

    fn change(
        &self,
        description: &ResultDescription,
        lsn: u64,
        change: &RowChange,
    ) -> Result<(), Failure> {
        if self.as_json {
            return output::line(&match change {
                RowChange::Insert(row) => json!({"type": "insert", "lsn": lsn, "row": row.json()}),
                RowChange::Delete(row) => json!({"type": "delete", "lsn": lsn, "row": row.json()}),
                RowChange::Update { old, new } => {
                    json!({"type": "update", "lsn": lsn, "old": old.json(), "new": new.json()})
                }
            });
        }
        output::line(&match change {
            RowChange::Insert(row) => format!("+ {}", members(description, row, None)),
            RowChange::Delete(row) => format!("- {}", members(description, row, None)),
            RowChange::Update { old, new } => {
                format!("~ {}", members(description, new, Some(old)))
            }
        })
    }
}

/// `id=1 text=hello`; where a row was another before, `text=hello -> hi`.
fn members(description: &ResultDescription, row: &Row, old: Option<&Row>) -> String {
    let (now, before) = (row.json(), old.map(Row::json));
    let columns = description.columns.iter().filter(|column| !column.hidden);
    let members = columns.map(|column| {
        let name = &column.name;
        let value = cell(&column.ty, &now[name]);
        match before.as_ref().map(|before| &before[name]) {
            Some(old) if *old != now[name] => {
                format!("{}={} -> {value}", printable(name), cell(&column.ty, old))
            }
            _ => format!("{}={value}", printable(name)),
        }
    });
    members.collect::<Vec<_>>().join("  ")
}
