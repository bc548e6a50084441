//! Runs a script in a world.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use syncline_client::protocol::param::Param;
use syncline_protocol::message::Delivery;
use syncline_protocol::{ErrorCode, WireError};

use super::compare::{all_match, listed, matches, substitute};
use super::script::{Action, Expected, How, Query, Script, Step};
use super::world::World;
use crate::peer::{Answer, Peer};
use crate::socket::Event;

/// A run: the clients of a script, by name.
struct Run<'a> {
    world: &'a mut dyn World,
    clients: BTreeMap<String, Client>,
    /// Whose it is, and its id there.
    subscriptions: BTreeMap<String, (String, u32)>,
    /// Hex, of clients that are gone too.
    identities: BTreeMap<String, String>,
    tokens: BTreeMap<String, String>,
}

struct Client {
    link: usize,
    peer: Peer,
}

/// What came of a step.
#[derive(Debug)]
enum Outcome {
    Value(Json),
    Rows {
        rows: Vec<Json>,
        is_ordered: bool,
    },
    Failed(WireError),
    Looked {
        changes: Vec<Json>,
        rows: Vec<Json>,
        is_ordered: bool,
    },
    Closed {
        code: String,
    },
}

/// Runs all steps; the first that does not do what it should is the error.
pub(crate) fn run(script: &Script, world: &mut dyn World) -> Result<(), String> {
    world.publish(&script.module);
    let mut run = Run {
        world,
        clients: BTreeMap::new(),
        subscriptions: BTreeMap::new(),
        identities: BTreeMap::new(),
        tokens: BTreeMap::new(),
    };
    for step in &script.steps {
        run.step(step)
            .map_err(|what| format!("{}:{}: {what}", script.path.display(), step.line))?;
    }
    Ok(())
}

impl Run<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let outcome = self.act(&step.action)?;
        if let (Action::Look { .. }, []) = (&step.action, &step.expected[..]) {
            return Err("a look that expects nothing in particular".to_owned());
        }
        let expects_changes = step
            .expected
            .iter()
            .any(|e| matches!(e, Expected::Change(_)));
        if expects_changes {
            self.check_changes(&step.expected, &outcome)?;
        }
        for expected in &step.expected {
            self.check(expected, &outcome)?;
        }
        match outcome {
            Outcome::Failed(error) if step.expected.is_empty() => Err(format!("failed: {error:?}")),
            _ => Ok(()),
        }
    }

    fn act(&mut self, action: &Action) -> Result<Outcome, String> {
        match action {
            Action::Connect { who, how } => self.connect(who, how),
            Action::Disconnect { who } => {
                let client = self
                    .clients
                    .remove(who)
                    .ok_or(format!("nobody named {who}"))?;
                self.subscriptions.retain(|_, (owner, _)| owner != who);
                self.world.close(client.link);
                Ok(Outcome::Value(Json::Null))
            }
            Action::Call { who, reducer, args } => {
                let args = self.fill(args);
                self.world.before_call();
                match self.client(who)?.peer.call(reducer, args) {
                    Ok((id, message)) => self.ask(who, id, &message),
                    Err(reason) => Ok(Outcome::Failed(WireError::new(
                        ErrorCode::BadArguments,
                        reason,
                    ))),
                }
            }
            Action::Subscribe {
                who,
                subscription,
                query,
            } => {
                let params = self.params(query)?;
                let (id, message) = self.client(who)?.peer.subscribe(&query.sql, &params);
                let outcome = self.ask(who, id, &message)?;
                if !matches!(outcome, Outcome::Failed(_)) {
                    self.subscriptions
                        .insert(subscription.clone(), (who.clone(), id));
                }
                Ok(outcome)
            }
            Action::Unsubscribe { who, subscription } => {
                let (_, subscribed) = self.subscriptions[subscription];
                let (id, message) = self.client(who)?.peer.unsubscribe(subscribed);
                self.ask(who, id, &message)
            }
            Action::Set {
                who,
                subscription,
                query,
            } => {
                let params = self.params(query)?;
                let (_, subscribed) = self.subscriptions[subscription];
                let (id, message) = self.client(who)?.peer.set_params(subscribed, &params);
                self.ask(who, id, &message)
            }
            Action::Query { who, query } => {
                let params = self.params(query)?;
                let (id, message) = self.client(who)?.peer.query(&query.sql, &params);
                self.ask(who, id, &message)
            }
            Action::Look { subscription } => self.look(subscription),
            Action::Send { who, text, bytes } => self.send(who, *text, bytes),
            Action::Publish { module } => {
                self.world.publish(module);
                Ok(Outcome::Value(Json::Null))
            }
            Action::Restart => {
                self.clients.clear();
                self.subscriptions.clear();
                self.world.restart();
                Ok(Outcome::Value(Json::Null))
            }
        }
    }

    fn connect(&mut self, who: &str, how: &How) -> Result<Outcome, String> {
        let delivery = if how.unconfirmed {
            Delivery::Unconfirmed
        } else {
            Delivery::Confirmed
        };
        let token = match &how.like {
            Some(other) => Some(self.tokens[other].clone()),
            None => how.admin.then(|| self.world.admin_token()),
        };
        let mut peer = Peer::new(self.world.encoding());
        let hello = peer.hello(token.as_deref(), delivery);
        let link = self.world.open(who, &hello);
        while peer.welcome.is_none() {
            match self.world.receive(link) {
                Event::Message(bytes) => peer.receive(&bytes),
                end => {
                    return Err(format!(
                        "{who} was not welcomed: {end:?} {:?}",
                        peer.last_error
                    ));
                }
            }
        }
        let welcome = peer.welcome.as_ref().expect("it has just come");
        self.identities
            .insert(who.to_owned(), welcome.identity.to_hex());
        if let Some(token) = welcome.token.clone().or(token) {
            self.tokens.insert(who.to_owned(), token);
        }
        self.clients.insert(who.to_owned(), Client { link, peer });
        Ok(Outcome::Value(Json::Null))
    }

    /// Sends a request and waits for its answer.
    fn ask(&mut self, who: &str, id: u32, message: &[u8]) -> Result<Outcome, String> {
        let link = self.client(who)?.link;
        self.world.send(link, message);
        loop {
            let client = self.clients.get_mut(who).expect("it was there above");
            if let Some(answer) = client.peer.answers.remove(&id) {
                return Ok(match answer {
                    Answer::Value(_, value) => Outcome::Value(value),
                    Answer::Rows { rows, is_ordered } => Outcome::Rows { rows, is_ordered },
                    Answer::Failed(error) => Outcome::Failed(error),
                    Answer::Pong => Outcome::Value(Json::Null),
                    Answer::Subscribed => {
                        let (rows, is_ordered) = client.peer.subscriptions[&id].rows();
                        Outcome::Rows { rows, is_ordered }
                    }
                });
            }
            match self.world.receive(link) {
                Event::Message(bytes) => client.peer.receive(&bytes),
                end => return Err(format!("{who} lost: {end:?} {:?}", client.peer.last_error)),
            }
        }
    }

    fn look(&mut self, subscription: &str) -> Result<Outcome, String> {
        let known = self.subscriptions.get(subscription).cloned();
        let (who, id) = known.ok_or(format!("no subscription {subscription}"))?;
        let (ping, message) = self.client(&who)?.peer.ping();
        self.ask(&who, ping, &message)?;
        let subscribed = self.client(&who)?.peer.subscriptions.get_mut(&id);
        let subscribed = subscribed.ok_or(format!("{subscription} was ended by the server"))?;
        let changes = subscribed.take_changes();
        let (rows, is_ordered) = subscribed.rows();
        Ok(Outcome::Looked {
            changes,
            rows,
            is_ordered,
        })
    }

    fn send(&mut self, who: &str, text: bool, bytes: &[u8]) -> Result<Outcome, String> {
        let link = self.client(who)?.link;
        self.world.send_frame(link, text, bytes);
        let mut client = self.clients.remove(who).expect("it was there above");
        loop {
            match self.world.receive(link) {
                Event::Message(bytes) => client.peer.receive(&bytes),
                Event::Closed(_) => {
                    let error = client.peer.last_error.ok_or("closed without a reason")?;
                    return Ok(Outcome::Closed { code: error.code });
                }
                Event::Lost => return Err("cut without a word".to_owned()),
            }
        }
    }

    fn check(&self, expected: &Expected, outcome: &Outcome) -> Result<(), String> {
        let is_right = match (expected, outcome) {
            (Expected::Value(value), Outcome::Value(found)) => matches(&self.fill(value), found),
            (Expected::Error { code, part }, Outcome::Failed(error)) => {
                let hint = error.hint.as_deref().unwrap_or_default();
                let text = format!("{} ({hint})", error.message);
                error.code == *code && text.contains(&**part)
            }
            (
                Expected::Rows(rows),
                Outcome::Rows {
                    rows: found,
                    is_ordered,
                }
                | Outcome::Looked {
                    rows: found,
                    is_ordered,
                    ..
                },
            ) => {
                let rows: Vec<_> = rows.iter().map(|row| self.fill(row)).collect();
                all_match(&rows, found, *is_ordered)
            }
            (Expected::Nothing, Outcome::Looked { changes, .. }) => changes.is_empty(),
            (Expected::Closed { code }, Outcome::Closed { code: found }) => code == found,
            // All of them at once, elsewhere.
            (Expected::Change(_), Outcome::Looked { .. }) => true,
            _ => false,
        };
        if is_right {
            Ok(())
        } else {
            Err(format!("expected {expected:?}, found {}", shown(outcome)))
        }
    }

    fn check_changes(&self, expected: &[Expected], outcome: &Outcome) -> Result<(), String> {
        let changes = expected.iter().filter_map(|expected| match expected {
            Expected::Change(change) => Some(self.fill(change)),
            _ => None,
        });
        let changes: Vec<_> = changes.collect();
        match outcome {
            Outcome::Looked { changes: found, .. } if all_match(&changes, found, false) => Ok(()),
            _ => Err(format!(
                "expected {}, found {}",
                listed(&changes),
                shown(outcome)
            )),
        }
    }

    fn client(&mut self, who: &str) -> Result<&mut Client, String> {
        self.clients
            .get_mut(who)
            .ok_or(format!("nobody named {who}"))
    }

    fn fill(&self, json: &Json) -> Json {
        substitute(json, &|name| self.identities.get(name).cloned())
    }

    fn params(&self, query: &Query) -> Result<Vec<(String, Param)>, String> {
        let Json::Object(members) = self.fill(&query.params) else {
            return Err("parameters are an object".to_owned());
        };
        let params = members.into_iter().map(|(name, value)| {
            let param = serde_json::from_value(value).map_err(|error| error.to_string())?;
            Ok((name, param))
        });
        params.collect()
    }
}

fn shown(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Value(value) => format!("ok {value}"),
        Outcome::Rows { rows, .. } => format!("rows {}", listed(rows)),
        Outcome::Failed(error) => format!("{error:?}"),
        Outcome::Looked { changes, rows, .. } => {
            format!("{} and rows {}", listed(changes), listed(rows))
        }
        Outcome::Closed { code } => format!("closed {code}"),
    }
}
