//! Names to tables and columns, and what someone may have meant by one that is not there.

use syncline_protocol::limits::NAME_BYTES_MAX;
use syncline_protocol::{ErrorCode, TableId};
use syncline_store::{Database, Table};

use crate::Caller;
use crate::error::QueryError;
use crate::syntax::Name;

/// The table of this name, if the caller may see it: to others a private table does not exist.
pub(super) fn table<'d>(
    db: &'d Database,
    name: &Name,
    caller: &Caller,
) -> Result<&'d Table, QueryError> {
    let schema = db.schema();
    let system = db
        .table(TableId::CONNECTIONS)
        .map(|table| (table.id(), table.def()));
    let visible = schema
        .tables()
        .chain(system)
        .filter(|(_, def)| def.public || caller.admin);
    let found = pick(
        name,
        visible.clone().map(|(id, def)| (def.name.as_str(), id)),
    );
    if let Some(table) = found.and_then(|id| db.table(id)) {
        return Ok(table);
    }
    let message = format!("there is no table `{}`", name.text);
    let error = QueryError::new(ErrorCode::SqlUnknownTable, message).at(name.at);
    let names: Vec<&str> = visible.map(|(_, def)| def.name.as_str()).collect();
    Err(match suggestion(&name.text, &names) {
        Some(hint) => error.hint(hint),
        None if names.is_empty() => error.hint("no table is public: mark one so in the module"),
        None => error,
    })
}

/// Whether a qualifier names this table, by its alias if it has one.
pub(super) fn is_same(name: &Name, other: &str) -> bool {
    name.text == other || !name.quoted && name.text.eq_ignore_ascii_case(other)
}

/// The thing with exactly this name, else the only one whose name differs in case alone.
pub(super) fn pick<'n, T>(
    name: &Name,
    all: impl Iterator<Item = (&'n str, T)> + Clone,
) -> Option<T> {
    if let Some((_, exact)) = all.clone().find(|(text, _)| *text == name.text) {
        return Some(exact);
    }
    if name.quoted {
        return None;
    }
    let mut similar = all.filter(|(text, _)| text.eq_ignore_ascii_case(&name.text));
    match (similar.next(), similar.next()) {
        (Some((_, only)), None) => Some(only),
        _ => None,
    }
}

/// "did you mean `x`?", if something is near enough.
pub(super) fn suggestion(text: &str, names: &[&str]) -> Option<String> {
    // The distance takes time in proportion to both lengths, and clients choose this one.
    if text.len() > NAME_BYTES_MAX {
        return None;
    }
    let text = text.to_lowercase();
    let near = |name: &&&str| {
        let distance = strsim::damerau_levenshtein(&text, &name.to_lowercase());
        (distance <= 1 + name.len() / 4).then_some(distance)
    };
    let best = names
        .iter()
        .filter_map(|name| Some((near(&name)?, *name)))
        .min()?;
    Some(format!("did you mean `{}`?", best.1))
}
