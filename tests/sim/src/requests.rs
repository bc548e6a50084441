//! What the outside asks of an engine, and what the model makes of it.

use syncline_engine::{
    CallArgs, Command, ConnKey, Connect, Inspect, Origin, Publish, QueryText, Ticket,
};
use syncline_protocol::message::{Delivery, Encoding, OwnedQueryForm};
use syncline_protocol::{ConnectionId, Identity};

use crate::client::Client;
use crate::expected::Expected;
use crate::model::calls::Call;
use crate::model::queries::{QUERIES, answer};
use crate::model::{ConnectionBytes, IdentityBytes, ModuleName, Outcome};
use crate::modules::Modules;
use crate::tickets::Due;
use crate::world::World;

/// A request on its way. `client` is a position in the life's list.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Connect {
        client: usize,
        is_confirmed: bool,
    },
    Disconnect {
        client: usize,
    },
    Call {
        client: usize,
        id: u32,
        call: Call,
    },
    Subscribe {
        client: usize,
        id: u32,
        query: usize,
    },
    Unsubscribe {
        client: usize,
        id: u32,
        subscription: u32,
    },
    Query {
        client: usize,
        id: u32,
        query: usize,
    },
    Ping {
        client: usize,
        id: u32,
    },
    TicketCall {
        ticket: u64,
        call: Call,
    },
    Publish {
        ticket: u64,
        module: ModuleName,
        clear_data: bool,
    },
    View {
        ticket: u64,
    },
}

pub(crate) const PUBLISHER: IdentityBytes = [99; 32];

impl Request {
    /// Whose it is; requests of one client may go into one step.
    pub(crate) fn client(&self) -> Option<usize> {
        match self {
            Self::Connect { client, .. }
            | Self::Disconnect { client }
            | Self::Call { client, .. }
            | Self::Subscribe { client, .. }
            | Self::Unsubscribe { client, .. }
            | Self::Query { client, .. }
            | Self::Ping { client, .. } => Some(*client),
            Self::TicketCall { .. } | Self::Publish { .. } | Self::View { .. } => None,
        }
    }

    pub(crate) fn command(&self, clients: &[Client]) -> Command {
        let key = |client: usize| clients[client].key;
        match self.clone() {
            Self::Connect {
                client,
                is_confirmed,
            } => connect(&clients[client], is_confirmed),
            Self::Disconnect { client } => Command::Disconnect(key(client)),
            Self::Call { client, id, call } => command_of(
                &call,
                Origin::Connection {
                    conn: key(client),
                    id,
                },
            ),
            Self::Subscribe { client, id, query } => Command::Subscribe {
                conn: key(client),
                id,
                query: Box::new(text(query)),
            },
            Self::Unsubscribe {
                client,
                id,
                subscription,
            } => Command::Unsubscribe {
                conn: key(client),
                id,
                subscription,
            },
            Self::Query { client, id, query } => Command::Query {
                origin: Origin::Connection {
                    conn: key(client),
                    id,
                },
                query: Box::new(text(query)),
            },
            Self::Ping { client, id } => Command::Ping {
                conn: key(client),
                id,
            },
            Self::TicketCall { ticket, call } => command_of(
                &call,
                Origin::Ticket {
                    ticket: Ticket(ticket),
                    identity: Identity(PUBLISHER),
                    admin: true,
                },
            ),
            Self::Publish {
                ticket,
                module,
                clear_data,
            } => {
                let (module, wasm) = Modules::get().of(module);
                Command::Publish(Box::new(Publish {
                    ticket: Ticket(ticket),
                    identity: Identity(PUBLISHER),
                    module,
                    wasm,
                    clear_data,
                }))
            }
            Self::View { ticket } => Command::Inspect {
                ticket: Ticket(ticket),
                what: Inspect::View,
            },
        }
    }
}

fn connect(client: &Client, is_confirmed: bool) -> Command {
    let delivery = if is_confirmed {
        Delivery::Confirmed
    } else {
        Delivery::Unconfirmed
    };
    Command::Connect(Box::new(Connect {
        conn: client.key,
        connection: ConnectionId(client.id),
        identity: Identity(client.identity),
        admin: true,
        claims: syncline_protocol::Claims::NONE,
        encoding: Encoding::MessagePack,
        delivery,
        token: None,
        schema_hash: None,
    }))
}

fn command_of(call: &Call, origin: Origin) -> Command {
    let (reducer, args) = call.packed();
    Command::Call {
        origin,
        reducer: reducer.into(),
        args: CallArgs::Packed(args.into()),
    }
}

fn text(query: usize) -> QueryText {
    let form = OwnedQueryForm::Sql(QUERIES[query].to_owned());
    let params = Vec::new();
    let claims = syncline_protocol::Claims::NONE;
    QueryText {
        form,
        params,
        claims,
    }
}

pub(crate) fn key(index: usize) -> ConnKey {
    ConnKey {
        index: u32::try_from(index).expect("connections are few"),
        generation: 0,
    }
}

pub(crate) fn connection_id(number: u64) -> ConnectionBytes {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    id
}

/// What the log took of a request that a step has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// What the model says.
    Everything,
    /// The disk is full, and nothing was committed.
    Unknown,
    /// It has failed.
    Nothing,
}

/// The model's part of a request that a step has run.
#[expect(clippy::too_many_lines, reason = "one arm a request")]
pub(crate) fn apply(world: &mut World, clients: &mut [Client], request: &Request, log: Takes) {
    let is_unknown = request
        .client()
        .is_some_and(|client| !clients[client].is_known);
    if is_unknown && !matches!(request, Request::Connect { .. }) {
        // The engine takes no notice.
        return;
    }
    let now = world.now;
    let commit = |world: &mut World, outcome: Outcome| match outcome {
        // Whether a full disk takes a call that needs no room is its affair.
        Outcome::Nothing if log == Takes::Unknown => Expected::Unsure,
        _ if log != Takes::Everything => Expected::Error,
        Outcome::Fails => Expected::Error,
        Outcome::Nothing => Expected::Value {
            lsn: world.history.last(),
        },
        Outcome::Changes(state) => {
            world.history.push(state);
            let lsn = world.history.last();
            Expected::Value { lsn }
        }
    };
    match request {
        Request::Connect { client, .. } => {
            let client = &mut clients[*client];
            if log == Takes::Everything {
                client.is_known = true;
                let state = world.history.now().connect(client.id, client.identity, now);
                world.history.push(state);
            } else {
                client.may_close = Some("the log took no connection");
            }
        }
        Request::Disconnect { client } => {
            clients[*client].is_known = false;
            let is_there = world
                .history
                .now()
                .connections
                .contains_key(&clients[*client].id);
            if is_there && log == Takes::Everything {
                let state = world.history.now().disconnect(clients[*client].id);
                world.history.push(state);
            }
        }
        Request::Call { client, id, call } => {
            let outcome = world.history.now().call(call, now);
            let expected = commit(world, outcome);
            clients[*client].expect(*id, expected);
        }
        Request::Subscribe { client, id, query } => {
            let is_there = answer(*query, world.history.now()).is_some();
            let expected = if is_there {
                Expected::Rows(*query)
            } else {
                Expected::Error
            };
            clients[*client].expect(*id, expected);
        }
        Request::Unsubscribe { client, id, .. } => {
            let lsn = world.history.last();
            clients[*client].expect(*id, Expected::Value { lsn });
        }
        Request::Query { client, id, query } => {
            let is_there = answer(*query, world.history.now()).is_some();
            let expected = if is_there {
                Expected::Answer(*query)
            } else {
                Expected::Error
            };
            clients[*client].expect(*id, expected);
        }
        Request::Ping { client, id } => clients[*client].expect(*id, Expected::Pong),
        Request::TicketCall { ticket, call } => {
            let outcome = world.history.now().call(call, now);
            let expected = commit(world, outcome);
            world.tickets.expect(*ticket, Due::Reply(expected));
        }
        Request::Publish {
            ticket,
            module,
            clear_data,
        } => {
            let clears = *clear_data && world.history.now().module.is_some();
            let outcome = world.history.now().publish(*module, *clear_data);
            let expected = commit(world, outcome);
            world.tickets.expect(*ticket, Due::Reply(expected));
            let is_done = matches!(expected, Expected::Value { .. });
            if clears && is_done {
                world.tally.count("data cleared", 1);
                for client in clients {
                    client.may_close = Some("the data was cleared");
                }
            }
            world.tally.count("publishes", u64::from(is_done));
        }
        Request::View { ticket } => world.tickets.expect(*ticket, Due::View),
    }
}
