//! A query as two texts, ours and SQLite's, and as a tree, so that a failing one can be made smaller.

use serde::{Deserialize, Serialize};
use syncline_protocol::Identity;
use syncline_protocol::param::Param;

/// A constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Constant {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    Bool(bool),
    Bytes(Vec<u8>),
}

/// A piece of both texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Text {
    Same(String),
    Both {
        ours: String,
        lite: String,
    },
    /// The parameter of this number.
    Given(u16),
    /// Who asks.
    Me,
    /// The table of this number; for SQLite those of its rows that the caller sees.
    Table(u16),
    /// One after the other.
    Seq(Vec<Text>),
    /// For SQLite alone, and for us alone.
    Lite(Box<Text>),
    Ours(Box<Text>),
    /// With something between; one of them is enough.
    List(Vec<Text>, String),
    /// The condition of the outermost select, where that lets rows through or not and no more.
    Filter(Box<Text>),
}

/// What SQLite's text depends on.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) params: &'a [Constant],
    pub(crate) me: Identity,
    /// Names of the tables, and the conditions of those that have a policy for this caller.
    pub(crate) tables: &'a [(String, Option<Text>)],
}

impl Constant {
    pub(crate) fn param(&self) -> Param {
        match self {
            Self::Null => Param::Null,
            Self::Int(value) => Param::Int((*value).into()),
            Self::Float(value) => Param::Float(*value),
            Self::Text(value) => Param::Text(value.clone()),
            Self::Bool(value) => Param::Bool(*value),
            Self::Bytes(value) => Param::Bytes(value.clone()),
        }
    }

    /// As a literal of both dialects.
    pub(crate) fn literal(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => format!("{value:?}"),
            Self::Text(value) => format!("'{value}'"),
            Self::Bool(value) => value.to_string(),
            Self::Bytes(value) => blob(value),
        }
    }
}

fn blob(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{}'", digits.concat())
}

pub(crate) fn same(text: impl Into<String>) -> Text {
    Text::Same(text.into())
}

/// Different words for one thing.
pub(crate) fn both(ours: impl Into<String>, lite: impl Into<String>) -> Text {
    Text::Both {
        ours: ours.into(),
        lite: lite.into(),
    }
}

/// Puts pieces into the `{}` of a pattern.
pub(crate) fn fill(pattern: &str, pieces: &[&Text]) -> Text {
    let mut out = Vec::new();
    for (position, part) in pattern.split("{}").enumerate() {
        if let Some(before) = position.checked_sub(1) {
            out.push(pieces[before].clone());
        }
        if !part.is_empty() {
            out.push(same(part));
        }
    }
    Text::Seq(out)
}

pub(crate) fn join(pieces: &[Text], with: &str) -> Text {
    Text::List(pieces.to_vec(), with.to_owned())
}

impl Text {
    /// What we are asked.
    pub(crate) fn ours(&self, names: &[(String, Option<Text>)]) -> String {
        let mut out = String::new();
        self.write(names, None, &mut out);
        out
    }

    /// What SQLite is asked.
    pub(crate) fn lite(&self, around: Around<'_>) -> String {
        let mut out = String::new();
        self.write(around.tables, Some(around), &mut out);
        out
    }

    fn write(
        &self,
        tables: &[(String, Option<Text>)],
        around: Option<Around<'_>>,
        out: &mut String,
    ) {
        match (self, around) {
            (Self::Same(text), _)
            | (Self::Both { ours: text, .. }, None)
            | (Self::Both { lite: text, .. }, Some(_)) => out.push_str(text),
            (Self::Given(number), None) => out.extend([":p", &number.to_string()]),
            (Self::Given(number), Some(around)) => {
                let constant = around.params.get(usize::from(*number));
                out.push_str(&constant.unwrap_or(&Constant::Null).literal());
            }
            (Self::Me, None) => out.push_str(":me"),
            (Self::Me, Some(around)) => out.push_str(&blob(&around.me.0)),
            (Self::Table(number), around) => {
                let (name, policy) = &tables[usize::from(*number)];
                match (policy, around) {
                    (Some(policy), Some(around)) => {
                        // A policy reads other tables as they are.
                        let raw: Vec<_> = tables
                            .iter()
                            .map(|(name, _)| (name.clone(), None))
                            .collect();
                        let inner = Around {
                            tables: &raw,
                            params: &[],
                            ..around
                        };
                        let condition = policy.lite(inner);
                        out.extend(["(SELECT * FROM ", name, " WHERE ", &condition, ")"]);
                    }
                    _ => out.push_str(name),
                }
            }
            (Self::Lite(part), Some(_)) | (Self::Ours(part), None) => {
                part.write(tables, around, out);
            }
            (Self::Lite(_), None) | (Self::Ours(_), Some(_)) => {}
            (Self::Filter(part), _) => part.write(tables, around, out),
            (Self::Seq(parts), _) => {
                for part in parts {
                    part.write(tables, around, out);
                }
            }
            (Self::List(parts, with), _) => {
                for (position, part) in parts.iter().enumerate() {
                    if position > 0 {
                        out.push_str(with);
                    }
                    part.write(tables, around, out);
                }
            }
        }
    }

    /// Whether it names a column of a source.
    pub(crate) fn is_column(&self) -> bool {
        matches!(self, Self::Same(text) if text.starts_with('s') && text.contains('.'))
    }

    /// Parameters that are used.
    pub(crate) fn given(&self, out: &mut Vec<u16>) {
        self.visit(&mut |part| {
            if let Self::Given(number) = part
                && !out.contains(number)
            {
                out.push(*number);
            }
        });
    }

    /// Visits all of the tree.
    pub(crate) fn visit<'t>(&'t self, each: &mut dyn FnMut(&'t Text)) {
        each(self);
        match self {
            Self::Ours(part) | Self::Lite(part) | Self::Filter(part) => part.visit(each),
            Self::Seq(parts) | Self::List(parts, _) => {
                for part in parts {
                    part.visit(each);
                }
            }
            _ => {}
        }
    }

    /// With other words in some places: `change` gives what stands for a part, if not its parts changed.
    pub(crate) fn changed(&self, change: &dyn Fn(&Text) -> Option<Text>) -> Text {
        if let Some(other) = change(self) {
            return other;
        }
        let inner = |part: &Text| part.changed(change);
        match self {
            Self::Seq(parts) => Self::Seq(parts.iter().map(inner).collect()),
            Self::List(parts, with) => Self::List(parts.iter().map(inner).collect(), with.clone()),
            Self::Filter(part) => Self::Filter(Box::new(inner(part))),
            Self::Ours(part) => Self::Ours(Box::new(inner(part))),
            Self::Lite(part) => Self::Lite(Box::new(inner(part))),
            other => other.clone(),
        }
    }

    /// Trees that say less: a part in place of the whole, a list without an item. The whole comes first.
    pub(crate) fn smaller(&self) -> Vec<Text> {
        let mut found = Vec::new();
        let (parts, with) = match self {
            Self::Seq(parts) => {
                let inner = parts.iter().filter(|part| !matches!(part, Self::Same(_)));
                found.extend(inner.cloned());
                (parts, None)
            }
            Self::List(parts, with) => {
                if parts.len() > 1 {
                    for gone in 0..parts.len() {
                        let mut fewer = parts.clone();
                        fewer.remove(gone);
                        found.push(Self::List(fewer, with.clone()));
                    }
                }
                (parts, Some(with))
            }
            Self::Filter(part) => {
                let less = part.smaller().into_iter();
                return less.map(|less| Self::Filter(Box::new(less))).collect();
            }
            _ => return found,
        };
        for (position, part) in parts.iter().enumerate() {
            for less in part.smaller() {
                let mut all = parts.clone();
                all[position] = less;
                found.push(match with {
                    Some(with) => Self::List(all, with.clone()),
                    None => Self::Seq(all),
                });
            }
        }
        found
    }
}
