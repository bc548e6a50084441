//! Reads scripts. docs/corpus.md is about the format.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// A script.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) path: PathBuf,
    /// Name of the file without its ending.
    pub(crate) name: String,
    pub(crate) module: String,
    /// Sends frames that only a socket has.
    pub(crate) needs_socket: bool,
    /// Restarts the server.
    pub(crate) needs_restart: bool,
    pub(crate) steps: Vec<Step>,
}

/// A line that does something, and the lines below it that say what must come of it.
#[derive(Debug)]
pub(crate) struct Step {
    /// Of the file, from 1.
    pub(crate) line: usize,
    pub(crate) action: Action,
    pub(crate) expected: Vec<Expected>,
}

#[derive(Debug)]
pub(crate) enum Action {
    Connect {
        who: String,
        how: How,
    },
    Disconnect {
        who: String,
    },
    Call {
        who: String,
        reducer: String,
        args: Json,
    },
    Subscribe {
        who: String,
        subscription: String,
        query: Query,
    },
    Unsubscribe {
        who: String,
        subscription: String,
    },
    /// Other parameters; the text of the query is empty.
    Set {
        who: String,
        subscription: String,
        query: Query,
    },
    Query {
        who: String,
        query: Query,
    },
    /// What came for a subscription since the last look.
    Look {
        subscription: String,
    },
    /// A bare frame.
    Send {
        who: String,
        text: bool,
        bytes: Vec<u8>,
    },
    Publish {
        module: String,
    },
    Restart,
}

/// Options of a connection.
#[derive(Debug, Default)]
pub(crate) struct How {
    pub(crate) admin: bool,
    pub(crate) unconfirmed: bool,
    /// With the token of this client.
    pub(crate) like: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) sql: String,
    /// An object.
    pub(crate) params: Json,
}

#[derive(Debug)]
pub(crate) enum Expected {
    Value(Json),
    Error {
        code: String,
        part: String,
    },
    Rows(Vec<Json>),
    /// `["+", row]`, `["-", row]` or `["~", row]`.
    Change(Json),
    /// Nothing came.
    Nothing,
    Closed {
        code: String,
    },
}

/// All scripts of the folder, by name.
pub(crate) fn all(folder: &Path) -> Vec<Script> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension() == Some("script".as_ref()))
        .collect();
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Script {
    let text = std::fs::read_to_string(path).unwrap();
    parse(path, &text).unwrap_or_else(|(line, what)| panic!("{}:{line}: {what}", path.display()))
}

type Fault = (usize, String);

pub(crate) fn parse(path: &Path, text: &str) -> Result<Script, Fault> {
    let mut lines = joined(text).into_iter().peekable();
    let head = lines.next().filter(|(_, line)| line.starts_with("module "));
    let (_, head) = head.ok_or((1, "a script begins with `module NAME`".to_owned()))?;
    let mut script = Script {
        path: path.to_path_buf(),
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        module: head["module ".len()..].trim().to_owned(),
        needs_socket: false,
        needs_restart: false,
        steps: Vec::new(),
    };
    while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("needs ")) {
        script.needs_socket |= line == "needs socket";
        script.needs_restart |= line == "needs restart";
    }
    for (line, text) in lines {
        if let Some(expected) = text.strip_prefix("  ") {
            let step = script
                .steps
                .last_mut()
                .ok_or((line, "expects before it acts".to_owned()))?;
            step.expected
                .push(expectation(expected).map_err(|what| (line, what))?);
        } else {
            let (action, expected) = action(&text).map_err(|what| (line, what))?;
            script.steps.push(Step {
                line,
                action,
                expected,
            });
        }
    }
    Ok(script)
}

/// Lines without comments; what is indented by four spaces or more continues the line before it.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with("# ") || line.trim() == "#" {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if line.starts_with("    ") => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push((index + 1, line.trim_end().to_owned())),
        }
    }
    lines
}

fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim())
}

fn json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))
}

fn rows(text: &str) -> Result<Vec<Json>, String> {
    match json(text)? {
        Json::Array(rows) => Ok(rows),
        _ => Err("rows are an array".to_owned()),
    }
}

fn action(text: &str) -> Result<(Action, Vec<Expected>), String> {
    let (first, rest) = word(text);
    let action = match first {
        "connect" => connect(rest)?,
        "restart" => Action::Restart,
        "publish" => Action::Publish {
            module: rest.to_owned(),
        },
        _ => {
            let (verb, rest) = word(rest);
            let who = first.to_owned();
            match verb {
                "disconnect" => Action::Disconnect { who },
                "call" => {
                    let (reducer, args) = word(rest);
                    let args = if args.is_empty() {
                        Json::Array(Vec::new())
                    } else {
                        json(args)?
                    };
                    Action::Call {
                        who,
                        reducer: reducer.to_owned(),
                        args,
                    }
                }
                "subscribe" => {
                    let (subscription, query) = word(rest);
                    let subscription = subscription.to_owned();
                    Action::Subscribe {
                        who,
                        subscription,
                        query: parse_query(query)?,
                    }
                }
                "unsubscribe" => Action::Unsubscribe {
                    who,
                    subscription: rest.to_owned(),
                },
                "set" => {
                    let (subscription, params) = word(rest);
                    Action::Set {
                        who,
                        subscription: subscription.to_owned(),
                        query: parse_query(&format!(" WITH {params}"))?,
                    }
                }
                "query" => Action::Query {
                    who,
                    query: parse_query(rest)?,
                },
                "send" => send(who, rest)?,
                "" => Action::Look { subscription: who },
                "none" => return Ok((Action::Look { subscription: who }, vec![Expected::Nothing])),
                other => return Err(format!("no action {other:?}")),
            }
        }
    };
    Ok((action, Vec::new()))
}

fn connect(rest: &str) -> Result<Action, String> {
    let (who, mut options) = word(rest);
    let mut how = How::default();
    while !options.is_empty() {
        let (option, rest) = word(options);
        options = rest;
        match option {
            "admin" => how.admin = true,
            "unconfirmed" => how.unconfirmed = true,
            "like" => {
                let (other, rest) = word(options);
                how.like = Some(other.to_owned());
                options = rest;
            }
            other => return Err(format!("no option {other:?}")),
        }
    }
    Ok(Action::Connect {
        who: who.to_owned(),
        how,
    })
}

fn parse_query(text: &str) -> Result<Query, String> {
    let (sql, params) = match text.split_once(" WITH {") {
        Some((sql, params)) => (sql, json(&format!("{{{params}"))?),
        None => (text, Json::Object(serde_json::Map::default())),
    };
    Ok(Query {
        sql: sql.trim().to_owned(),
        params,
    })
}

fn send(who: String, rest: &str) -> Result<Action, String> {
    let (form, content) = word(rest);
    let (text, bytes) = match form {
        "text" => (true, content.as_bytes().to_vec()),
        "hex" => {
            let digits: String = content.split_whitespace().collect();
            let pairs = (0..digits.len())
                .step_by(2)
                .map(|at| digits.get(at..at + 2));
            let bytes = pairs.map(|pair| u8::from_str_radix(pair.unwrap_or("x"), 16));
            (
                false,
                bytes
                    .collect::<Result<_, _>>()
                    .map_err(|error| error.to_string())?,
            )
        }
        other => return Err(format!("sends text or hex, not {other:?}")),
    };
    Ok(Action::Send { who, text, bytes })
}

fn expectation(text: &str) -> Result<Expected, String> {
    let (first, rest) = word(text);
    Ok(match first {
        "ok" => Expected::Value(if rest.is_empty() {
            Json::Null
        } else {
            json(rest)?
        }),
        "error" => {
            let (code, part) = word(rest);
            Expected::Error {
                code: code.to_owned(),
                part: part.to_owned(),
            }
        }
        "rows" => Expected::Rows(rows(rest)?),
        "+" | "-" | "~" => Expected::Change(Json::Array(vec![first.into(), json(rest)?])),
        "none" => Expected::Nothing,
        "closed" => Expected::Closed {
            code: rest.to_owned(),
        },
        other => return Err(format!("expects {other:?}, which nothing gives")),
    })
}
