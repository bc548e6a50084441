//! `syncline schema`.

use serde::Deserialize;
use serde_json::Value;
use syncline_protocol::{IndexKind, ReducerDef, ReducerKind, Schema, TableDef, Type};

use crate::api::Api;
use crate::args::{self, Common};
use crate::failure::{Failure, not_understood};
use crate::output;

#[derive(Deserialize)]
struct Answer {
    schema: Schema,
}

/// Prints tables and reducers.
pub(crate) fn run(common: &Common, args: &args::Schema) -> Result<(), Failure> {
    let answer = Api::new(common)?.get(&[&args.database, "schema"], "")?;
    if common.json {
        return output::line(&answer);
    }
    let schema = of_answer(answer)?;
    for table in &schema.tables {
        for line in table_lines(table) {
            output::line(&line)?;
        }
    }
    for reducer in &schema.reducers {
        output::line(&reducer_line(reducer))?;
    }
    Ok(())
}

/// The schema in the server's answer.
pub(crate) fn of_answer(answer: Value) -> Result<Schema, Failure> {
    let answer: Answer = serde_json::from_value(answer).map_err(not_understood)?;
    Ok(answer.schema)
}

fn table_lines(table: &TableDef) -> Vec<String> {
    let access = if table.public { "public" } else { "private" };
    let mut lines = vec![format!("table {} ({access})", table.name)];
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|column| column.name.chars().count())
        .collect();
    let width = names.into_iter().max().unwrap_or(0);
    for (position, column) in table.columns.iter().enumerate() {
        let mut line = format!("  {:<width$}  {}", column.name, type_name(&column.ty));
        if table.primary_key.len() == 1 && usize::from(table.primary_key[0]) == position {
            line += "  primary key";
        }
        if table.auto_increment.map(usize::from) == Some(position) {
            line += "  auto increment";
        }
        lines.push(line);
    }
    if table.primary_key.len() > 1 {
        lines.push(format!(
            "  primary key ({})",
            columns(table, &table.primary_key)
        ));
    }
    for index in &table.indexes {
        let kind = match index.kind {
            IndexKind::Hash => "hash",
            IndexKind::Ordered => "ordered",
            IndexKind::Counted => "ordered, counted",
        };
        let unique = if index.unique { "unique " } else { "" };
        let names = columns(table, &index.columns);
        lines.push(format!("  {unique}{kind} index {} ({names})", index.name));
    }
    lines.push(String::new());
    lines
}

fn columns(table: &TableDef, positions: &[u16]) -> String {
    let columns = positions
        .iter()
        .filter_map(|&position| table.columns.get(usize::from(position)));
    columns
        .map(|column| column.name.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

fn reducer_line(reducer: &ReducerDef) -> String {
    let params = reducer.params.iter();
    let params: Vec<_> = params
        .map(|param| format!("{}: {}", param.name, type_name(&param.ty)))
        .collect();
    let returns = reducer.returns.as_ref();
    let returns = returns.map_or_else(String::new, |ty| format!(" -> {}", type_name(ty)));
    let kind = match reducer.kind {
        ReducerKind::Call => "",
        ReducerKind::Init => "  (init: at the first publish)",
        ReducerKind::Connected => "  (connected: when a client has come)",
        ReducerKind::Disconnected => "  (disconnected: when a client is gone)",
    };
    format!(
        "reducer {}({}){returns}{kind}",
        reducer.name,
        params.join(", ")
    )
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Option(inner) => format!("option<{}>", type_name(inner)),
        Type::List(inner) => format!("list<{}>", type_name(inner)),
        Type::Struct(def) => def.name.clone(),
        Type::Enum(def) => def.name.clone(),
        scalar => match serde_json::to_value(scalar) {
            Ok(Value::String(name)) => name,
            _ => format!("{scalar:?}"),
        },
    }
}
