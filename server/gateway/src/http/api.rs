//! The API under `/v1`: publish, call, query, schema, logs, tokens, health.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State as Shares};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Json_, json};
use syncline_engine::{
    Answer, CallArgs, Command, Inspect, LogEntry, Origin, Publish, store_module,
};
use syncline_protocol::limits::{FRAME_BYTES_MAX, MODULE_BYTES_MAX};
use syncline_protocol::message::QueryForm;
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, WireError};

use super::origin;
use super::past::{self, AsOf};
use super::respond::{Answered, Failure, bad_request, read_body};
use crate::auth::Authenticated;
use crate::requests::query_text;
use crate::state::State;

pub(super) type Server = Shares<Arc<State>>;

/// How many databases are served, and how many are not as they should be. Names are not for everyone.
pub(crate) async fn health(Shares(state): Server) -> Response {
    let health = state.health();
    let is_well = health.closed + health.failed + health.poisoned + health.full == 0;
    let body = json!({
        "status": if is_well { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "databases": health.served,
        "closed": health.closed,
        "failed": health.failed,
        "poisoned": health.poisoned,
        "full": health.full,
    });
    Json(body).into_response()
}

/// The page that Prometheus scrapes.
pub(crate) async fn metrics(Shares(state): Server, headers: HeaderMap) -> Answered {
    if !is_trusted(&state, &headers) {
        require_admin(&state, &headers)?;
    }
    Ok(crate::metrics::page(&state).await)
}

pub(crate) async fn databases(Shares(state): Server, headers: HeaderMap) -> Answered {
    require_admin(&state, &headers)?;
    let names: Vec<_> = state
        .all_databases()
        .iter()
        .map(|shared| shared.name.clone())
        .collect();
    Ok(Json(json!({ "databases": names })).into_response())
}

#[derive(Deserialize)]
pub(crate) struct PublishOptions {
    #[serde(default)]
    clear_data: bool,
}

pub(crate) async fn publish(
    Shares(state): Server,
    Path(name): Path<String>,
    options: Query<PublishOptions>,
    request: Request,
) -> Answered {
    // First of all: nobody else may make the server read a module.
    let admin = require_admin(&state, request.headers())?;
    let wasm = read_body(request, MODULE_BYTES_MAX).await?;
    let clear_data = options.clear_data;
    // Compiling and opening block: not on a thread that serves others.
    let (host, code) = (state.host.clone(), wasm.clone());
    let loaded = tokio::task::spawn_blocking(move || host.load(&code)).await;
    let module = loaded
        .map_err(|error| internal(&error))?
        .map_err(|error| error.to_wire())?;
    let identity = admin.identity;
    let asked = tokio::task::spawn_blocking(move || {
        let shared = state.database_or_create(&name)?;
        let modules = shared.modules.clone();
        let stored = store_module(&modules, &module, &wasm)?;
        let asked = shared.ask(move |ticket| {
            Command::Publish(Box::new(Publish {
                ticket,
                identity,
                module,
                wasm,
                clear_data,
            }))
        });
        Ok::<_, WireError>((modules, stored, asked))
    });
    // All of it, even if nobody waits for the answer any more: what is stored is published, or removed.
    let answered = tokio::spawn(async move {
        let (modules, stored, asked) = asked.await.map_err(|error| internal(&error))??;
        let answer = match asked {
            Ok(asked) => asked.wait().await,
            Err(error) => Err(error),
        };
        drop(stored);
        if answer.is_err() {
            let removed = tokio::task::spawn_blocking(move || modules.remove_refused());
            removed.await.map_err(|error| internal(&error))?;
        }
        Ok::<_, Failure>(answer?)
    });
    let answer = answered.await.map_err(|error| internal(&error))??;
    let Answer::Published(published) = answer else {
        return Err(unexpected());
    };
    Ok(Json(json!({
        "lsn": published.lsn,
        "module_hash": published.module_hash,
        "tables_added": published.tables_added,
        "indexes_added": published.indexes_added,
        "reducers_added": published.reducers_added,
        "reducers_removed": published.reducers_removed,
        "data_cleared": published.data_cleared,
    }))
    .into_response())
}

pub(crate) async fn call(
    Shares(state): Server,
    Path((name, reducer)): Path<(String, String)>,
    request: Request,
) -> Answered {
    let shared = state.find(&name, is_trusted(&state, request.headers()))?;
    let who = authenticate(&state, &name, request.headers())?;
    let body = read_body(request, FRAME_BYTES_MAX).await?;
    let args = if body.is_empty() {
        json!([])
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| bad_request(format!("the body is not JSON: {error}")))?
    };
    let (identity, admin) = (who.identity, who.admin);
    let answer = shared
        .request(move |ticket| Command::Call {
            origin: Origin::Ticket {
                ticket,
                identity,
                admin,
            },
            reducer: reducer.into(),
            args: CallArgs::Json(args),
        })
        .await?;
    let Answer::Called(lsn, value) = answer else {
        return Err(unexpected());
    };
    Ok(with_token(
        &who,
        Json(json!({ "lsn": lsn, "value": value })),
    ))
}

#[derive(Deserialize)]
struct QueryBody<'a> {
    #[serde(borrow)]
    sql: QueryForm<'a>,
    /// An object by name.
    #[serde(default)]
    params: std::collections::BTreeMap<String, Param>,
    /// The database as it was then, for the admin.
    as_of: Option<AsOf>,
}

pub(crate) async fn query(
    Shares(state): Server,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let shared = state.find(&name, is_trusted(&state, request.headers()))?;
    let who = authenticate(&state, &name, request.headers())?;
    let as_admin = require_admin(&state, request.headers());
    let body = read_body(request, FRAME_BYTES_MAX).await?;
    let body: QueryBody<'_> = serde_json::from_slice(&body).map_err(|error| {
        bad_request(format!(
            "the body is not {{\"sql\": .., \"params\": {{..}}}}: {error}"
        ))
    })?;
    let (identity, admin) = (who.identity, who.admin);
    let mut query = query_text(body.sql, body.params.into_iter().collect())?;
    query.claims = who.claims.clone();
    if let Some(as_of) = body.as_of {
        return past::query(&state, &name, as_of, query, as_admin?.identity).await;
    }
    let answer = shared
        .request(move |ticket| Command::Query {
            origin: Origin::Ticket {
                ticket,
                identity,
                admin,
            },
            query,
        })
        .await?;
    let Answer::Rows(rows) = answer else {
        return Err(unexpected());
    };
    Ok(with_token(&who, Json(*rows)))
}

pub(crate) async fn schema(
    Shares(state): Server,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Answered {
    let shared = state.find(&name, is_trusted(&state, &headers))?;
    let answer = shared
        .request(|ticket| Command::Inspect {
            ticket,
            what: Inspect::Schema,
        })
        .await?;
    let Answer::Schema(text, hash) = answer else {
        return Err(unexpected());
    };
    let schema: Json_ = serde_json::from_str(&text).map_err(|error| internal(&error))?;
    Ok(Json(json!({ "hash": hash, "schema": schema })).into_response())
}

#[derive(Deserialize)]
pub(crate) struct LogOptions {
    #[serde(default)]
    follow: bool,
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// Lines of the module's log as JSON, one object a line; with `follow` the response does not end.
pub(crate) async fn logs(
    Shares(state): Server,
    Path(name): Path<String>,
    Query(options): Query<LogOptions>,
    headers: HeaderMap,
) -> Answered {
    require_admin(&state, &headers)?;
    let shared = state.database(&name)?;
    let start = (0, options.limit, false);
    let lines = futures_util::stream::unfold(start, move |(after, limit, waits)| {
        let shared = shared.clone();
        async move {
            if waits {
                if !options.follow {
                    return None;
                }
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            let what = Inspect::Logs { after, limit };
            let answer = shared
                .request(move |ticket| Command::Inspect { ticket, what })
                .await;
            let Ok(Answer::Logs(lines)) = answer else {
                return None;
            };
            let last = lines.last().map_or(after, |line| line.sequence);
            let text: String = lines.iter().map(line_json).collect();
            Some((Ok::<_, std::io::Error>(text), (last, usize::MAX, true)))
        }
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

fn line_json(line: &LogEntry) -> String {
    let json = json!({
        "sequence": line.sequence,
        "time": line.time.to_string(),
        "level": line.level,
        "reducer": line.reducer,
        "text": line.text,
    });
    format!("{json}\n")
}

#[derive(Deserialize)]
struct TokenBody {
    subject: String,
    ttl_s: Option<u64>,
    #[serde(default)]
    claims: serde_json::Map<String, Json_>,
}

pub(crate) async fn tokens(
    Shares(state): Server,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    require_admin(&state, request.headers())?;
    state.database(&name)?;
    let body = read_body(request, FRAME_BYTES_MAX).await?;
    let body: TokenBody = serde_json::from_slice(&body).map_err(|error| {
        bad_request(format!(
            "the body is not {{\"subject\": .., \"ttl_s\": .., \"claims\": {{..}}}}: {error}"
        ))
    })?;
    if body.ttl_s == Some(0) {
        return Err(bad_request("a token with ttl_s 0 would have ended already"));
    }
    let now = crate::now_s();
    let token = state
        .authority
        .issue_with(&name, &body.subject, now, body.ttl_s, body.claims)?;
    let who = state.authority.authenticate(&name, Some(&token), now)?;
    Ok(Json(json!({ "token": token, "identity": who.identity })).into_response())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // A token that is empty is a bad one, and not the wish to be somebody new.
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn authenticate(
    state: &State,
    database: &str,
    headers: &HeaderMap,
) -> Result<Authenticated, WireError> {
    state
        .authority
        .authenticate(database, bearer(headers), crate::now_s())
}

/// Whether this comes from the admin or from this machine alone: only they learn which databases there are.
pub(super) fn is_trusted(state: &State, headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|token| state.authority.is_admin(token))
        || origin::is_local(state, headers)
}

pub(super) fn require_admin(
    state: &State,
    headers: &HeaderMap,
) -> Result<Authenticated, WireError> {
    match bearer(headers) {
        Some(token) if state.authority.is_admin(token) => {
            state
                .authority
                .authenticate("", Some(token), crate::now_s())
        }
        _ => Err(
            WireError::new(ErrorCode::AdminRequired, "this needs the admin token").hint(
                "send it as `Authorization: Bearer ..`; it is in admin.token of the data folder",
            ),
        ),
    }
}

/// Who came without a token gets the one of its new identity in a header, to come back with.
fn with_token(who: &Authenticated, body: Json<Json_>) -> Response {
    let mut response = body.into_response();
    if let Some(token) = who.token.as_deref().and_then(|token| token.parse().ok()) {
        response.headers_mut().insert("syncline-token", token);
    }
    response
}

pub(super) fn internal(error: &dyn std::fmt::Display) -> Failure {
    tracing::error!(%error, "a request failed inside the server");
    Failure(WireError::new(
        ErrorCode::Internal,
        "the server failed; its log has more",
    ))
}

pub(super) fn unexpected() -> Failure {
    internal(&"the engine gave an answer of another kind")
}

/// For requests that match nothing.
pub(crate) fn not_found(path: &str) -> Response {
    let error = WireError::new(ErrorCode::NotFound, format!("nothing at {path}"))
        .hint("the API is under /v1/databases/{name}/");
    let mut response = Failure(error).into_response();
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
