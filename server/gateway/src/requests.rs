//! From a client's message to a command of the engine.

use bytes::Bytes;
use syncline_engine::{CallArgs, Command, Connect, Origin, QueryText};
use syncline_protocol::message::{Args, ClientMessage, Hello};
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, WireError};

use crate::connection::{Connection, Phase};
use crate::database::DatabaseTask;

/// What a message asks for.
pub(crate) struct Received {
    pub(crate) command: Command,
    /// An answer will come, so the request counts as in flight until then.
    pub(crate) in_flight: bool,
}

/// Reads one message. An error ends the connection.
pub(crate) fn receive(
    connection: &Connection,
    database: &DatabaseTask,
    payload: &Bytes,
) -> Result<Received, WireError> {
    let message = ClientMessage::decode(connection.encoding, payload)
        .map_err(|reason| WireError::new(ErrorCode::BadMessage, reason))?;
    if let Phase::Greeting(_) = connection.phase.get() {
        let ClientMessage::Hello(hello) = message else {
            return Err(WireError::new(
                ErrorCode::HelloExpected,
                "the first message must be Hello",
            ));
        };
        return greet(connection, database, &hello);
    }
    Ok(Received {
        command: request(connection, database, payload, message)?,
        in_flight: true,
    })
}

/// A message after Hello; every one is answered.
fn request(
    connection: &Connection,
    database: &DatabaseTask,
    payload: &Bytes,
    message: ClientMessage<'_>,
) -> Result<Command, WireError> {
    let conn = connection.key;
    Ok(match message {
        ClientMessage::Call(call) if call.idempotency_key.is_some() => {
            refuse(conn, call.id, "idempotency keys")
        }
        ClientMessage::Call(call) => {
            let origin = Origin::Connection { conn, id: call.id };
            let reducer = slice_of(payload, call.reducer.as_bytes());
            let args = match call.args {
                Args::Packed(bytes) => CallArgs::Packed(slice_of(payload, &bytes)),
                Args::Json(json) => CallArgs::Json(json),
            };
            Command::Call {
                origin,
                reducer,
                args,
            }
        }
        ClientMessage::Subscribe(subscribe) => {
            let query = query_text(subscribe.sql.into_owned(), subscribe.params);
            Command::Subscribe {
                conn,
                id: subscribe.id,
                query: Box::new(query),
            }
        }
        ClientMessage::Unsubscribe(request) => Command::Unsubscribe {
            conn,
            id: request.id,
            subscription: request.subscription,
        },
        ClientMessage::Query(query) => {
            let origin = Origin::Connection { conn, id: query.id };
            let query = query_text(query.sql.into_owned(), query.params);
            let query = Box::new(query);
            Command::Query { origin, query }
        }
        ClientMessage::Ping(ping) => Command::Ping { conn, id: ping.id },
        ClientMessage::Auth(auth) => {
            let outcome = renew(connection, database, &auth.token).map_err(Box::new);
            Command::Reply {
                conn,
                id: auth.id,
                outcome,
            }
        }
        ClientMessage::SetParams(request) => {
            refuse(conn, request.id, "moving the parameters of a live query")
        }
        ClientMessage::Hello(_) => {
            return Err(WireError::new(
                ErrorCode::BadMessage,
                "Hello was said already",
            ));
        }
    })
}

fn greet(
    connection: &Connection,
    database: &DatabaseTask,
    hello: &Hello<'_>,
) -> Result<Received, WireError> {
    if hello.resume.is_some() {
        return Err(WireError::new(
            ErrorCode::NotSupported,
            "resuming at a position is not there yet",
        )
        .hint("leave `resume` out and subscribe again"));
    }
    let token = hello.token.as_deref();
    let who = database
        .authority
        .authenticate(&database.shared.name, token, crate::now_s())?;
    connection.identity.set(who.identity);
    connection.expires.set(who.expires);
    connection.phase.set(Phase::Open);
    connection.is_known.set(true);
    let command = Command::Connect(Box::new(Connect {
        conn: connection.key,
        connection: connection.id,
        identity: who.identity,
        admin: who.admin,
        encoding: connection.encoding,
        delivery: hello.delivery,
        token: who.token,
        schema_hash: hello.schema_hash.as_deref().map(str::to_owned),
    }));
    Ok(Received {
        command,
        in_flight: false,
    })
}

fn renew(connection: &Connection, database: &DatabaseTask, token: &str) -> Result<(), WireError> {
    let name = &database.shared.name;
    let who = database
        .authority
        .authenticate(name, Some(token), crate::now_s())?;
    if who.identity != connection.identity.get() {
        return Err(
            WireError::new(ErrorCode::BadToken, "the token is of another identity")
                .hint("open a new connection for it"),
        );
    }
    connection.expires.set(who.expires);
    Ok(())
}

fn refuse(conn: syncline_engine::ConnKey, id: u32, what: &str) -> Command {
    let error = WireError::new(ErrorCode::NotSupported, format!("{what}: not there yet"));
    Command::Reply {
        conn,
        id,
        outcome: Err(Box::new(error)),
    }
}

fn query_text(sql: String, params: Vec<(String, Param)>) -> QueryText {
    QueryText { sql, params }
}

/// The same bytes without a copy, if they lie in the payload; JSON text with escapes does not.
fn slice_of(payload: &Bytes, part: &[u8]) -> Bytes {
    let inside = payload.as_ptr_range();
    if part.is_empty() || !inside.contains(&part.as_ptr()) {
        return Bytes::copy_from_slice(part);
    }
    payload.slice_ref(part)
}

/// Status code of the close frame that follows an error.
pub(crate) fn close_code(error: &WireError) -> u16 {
    match error.known_code() {
        Some(ErrorCode::BadFrame | ErrorCode::BadMessage) => 1002,
        Some(ErrorCode::FrameTooLarge) => 1009,
        Some(ErrorCode::ServerShutdown | ErrorCode::SchemaConflict) => 1001,
        Some(ErrorCode::Internal | ErrorCode::Poisoned) => 1011,
        Some(ErrorCode::TooManyConnections | ErrorCode::Overloaded) => 1013,
        _ => 1008,
    }
}
