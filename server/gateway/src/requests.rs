//! From a client's message to a command of the engine.

use bytes::Bytes;
use syncline_engine::{CallArgs, Command, ConnKey, Connect, Origin, QueryText};
use syncline_protocol::message::{Args, ClientMessage, Encoding, QueryForm};
use syncline_protocol::param::Param;
use syncline_protocol::{Claims, ConnectionId, ErrorCode, Identity, WireError};

use crate::auth::Authenticated;
use crate::context::Context;

/// The command of a message after Hello. An error ends the connection.
pub(crate) fn request(
    conn: ConnKey,
    payload: &Bytes,
    message: ClientMessage<'_>,
) -> Result<Command, WireError> {
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
            let id = subscribe.id;
            match query_text(subscribe.sql, subscribe.params) {
                Ok(query) => Command::Subscribe { conn, id, query },
                Err(error) => reply(conn, id, Err(error)),
            }
        }
        ClientMessage::Unsubscribe(request) => Command::Unsubscribe {
            conn,
            id: request.id,
            subscription: request.subscription,
        },
        ClientMessage::Query(query) => {
            let origin = Origin::Connection { conn, id: query.id };
            match query_text(query.sql, query.params) {
                Ok(text) => Command::Query {
                    origin,
                    query: text,
                },
                Err(error) => reply(conn, query.id, Err(error)),
            }
        }
        ClientMessage::Ping(ping) => Command::Ping { conn, id: ping.id },
        ClientMessage::SetParams(request) => Command::SetParams {
            conn,
            id: request.id,
            subscription: request.subscription,
            params: request.params,
        },
        ClientMessage::Hello(_) | ClientMessage::Auth(_) => {
            return Err(WireError::new(
                ErrorCode::BadMessage,
                "Hello was said already",
            ));
        }
    })
}

/// Who says Hello. Anything but a Hello is refused.
pub(crate) fn greet(
    context: &Context,
    message: &ClientMessage<'_>,
) -> Result<Authenticated, WireError> {
    let ClientMessage::Hello(hello) = message else {
        return Err(WireError::new(
            ErrorCode::HelloExpected,
            "the first message must be Hello",
        ));
    };
    if hello.resume.is_some() {
        return Err(WireError::new(
            ErrorCode::NotSupported,
            "resuming at a position is not there yet",
        )
        .hint("leave `resume` out and subscribe again"));
    }
    let name = &context.shared.name;
    let token = hello.token.as_deref();
    context.authority.authenticate(name, token, crate::now_s())
}

/// The command of a Hello that [`greet`] let in.
pub(crate) fn connect(
    conn: ConnKey,
    connection: ConnectionId,
    encoding: Encoding,
    who: Authenticated,
    message: ClientMessage<'_>,
) -> Result<Command, WireError> {
    let ClientMessage::Hello(hello) = message else {
        return Err(WireError::new(
            ErrorCode::HelloExpected,
            "the first message must be Hello",
        ));
    };
    Ok(Command::Connect(Box::new(Connect {
        conn,
        connection,
        identity: who.identity,
        admin: who.admin,
        claims: who.claims,
        encoding,
        delivery: hello.delivery,
        token: who.token,
        schema_hash: hello.schema_hash.as_deref().map(str::to_owned),
    })))
}

/// When the new token of this identity ends. What is subscribed to is for the claims of the old one.
pub(crate) fn renew(
    context: &Context,
    (identity, claims): (Identity, &Claims),
    token: &str,
) -> Result<Option<u64>, WireError> {
    let name = &context.shared.name;
    let who = context
        .authority
        .authenticate(name, Some(token), crate::now_s())?;
    if who.identity != identity {
        return Err(
            WireError::new(ErrorCode::BadToken, "the token is of another identity")
                .hint("open a new connection for it"),
        );
    }
    if who.claims != *claims {
        return Err(
            WireError::new(ErrorCode::BadToken, "the token has other claims").hint(
                "open a new connection for it: what is subscribed to is for those of the first",
            ),
        );
    }
    Ok(who.expires)
}

/// Answers a request without the engine, at its place in the stream.
pub(crate) fn reply(conn: ConnKey, id: u32, outcome: Result<(), WireError>) -> Command {
    let outcome = outcome.map_err(Box::new);
    Command::Reply { conn, id, outcome }
}

fn refuse(conn: ConnKey, id: u32, what: &str) -> Command {
    let error = WireError::new(ErrorCode::NotSupported, format!("{what}: not there yet"));
    reply(conn, id, Err(error))
}

/// A query as the engine takes it; an error if it is JSON that is no query.
pub(crate) fn query_text(
    form: QueryForm<'_>,
    params: Vec<(String, Param)>,
) -> Result<Box<QueryText>, WireError> {
    let form = form.into_owned().map_err(|error| error.to_wire())?;
    let claims = Claims::NONE;
    Ok(Box::new(QueryText {
        form,
        params,
        claims,
    }))
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
