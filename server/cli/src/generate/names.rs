//! Names of the declarations in generated code.

use std::collections::{HashMap, HashSet};

use syncline_protocol::{Schema, Type};

/// Gives every table and every declared type a name of its own.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// What the file imports or the language has.
    reserved: &'static [&'static str],
    rows: HashMap<String, String>,
    types: HashMap<Type, String>,
}

impl Names {
    /// Names for the rows of the public tables. They come before all types.
    pub(super) fn of_tables(schema: &Schema, reserved: &'static [&'static str]) -> Self {
        let mut names = Self {
            reserved,
            ..Self::default()
        };
        for table in schema.tables.iter().filter(|table| table.public) {
            let name = names.take(&pascal_case(&table.name), "Row");
            names.rows.insert(table.name.clone(), name);
        }
        names
    }

    /// The interface of a public table's rows.
    pub(super) fn row(&self, table: &str) -> &str {
        &self.rows[table]
    }

    /// The declaration of a struct or enum, if it was met already.
    pub(super) fn get(&self, ty: &Type) -> Option<&str> {
        self.types.get(ty).map(String::as_str)
    }

    /// Names a struct or enum that was not met before.
    pub(super) fn declare(&mut self, ty: &Type, name: &str) -> String {
        let name = self.take(name, "Type");
        self.types.insert(ty.clone(), name.clone());
        name
    }

    /// The name, or the name with the suffix, or with the suffix and 2, 3, ..: the first that is free.
    fn take(&mut self, name: &str, suffix: &str) -> String {
        let mut candidate = name.to_owned();
        let mut count = 1;
        while self.reserved.contains(&candidate.as_str()) || !self.taken.insert(candidate.clone()) {
            candidate = match count {
                1 => format!("{name}{suffix}"),
                _ => format!("{name}{suffix}{count}"),
            };
            count += 1;
        }
        candidate
    }
}

/// `chat_message` becomes `ChatMessage`.
fn pascal_case(name: &str) -> String {
    let mut text = String::new();
    for part in name.split('_') {
        let mut chars = part.chars();
        text.extend(chars.next().into_iter().flat_map(char::to_uppercase));
        text.push_str(chars.as_str());
    }
    text
}

/// The name of a member: as it is, or quoted if it is no plain identifier.
pub(super) fn member(name: &str) -> String {
    let is_start = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
    let mut chars = name.chars();
    let is_plain =
        chars.next().is_some_and(is_start) && chars.all(|c| is_start(c) || c.is_ascii_digit());
    if is_plain {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A text literal.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
