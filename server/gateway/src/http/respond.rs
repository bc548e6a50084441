//! How errors and answers become HTTP responses.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use serde_json::json;
use syncline_protocol::{ErrorCode, WireError};

/// A [`WireError`] as a response: `{"error": {"code", "message", "hint"}}` and a fitting status.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) WireError);

/// What handlers return.
pub(crate) type Answered = Result<Response, Failure>;

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (status(&self.0), Json(json!({ "error": self.0 }))).into_response()
    }
}

pub(crate) fn status(error: &WireError) -> StatusCode {
    use ErrorCode as Code;
    match error.known_code() {
        Some(Code::NoDatabase | Code::NoReducer | Code::NotFound | Code::NoModule) => {
            StatusCode::NOT_FOUND
        }
        Some(Code::BadToken | Code::TokenExpired | Code::AdminRequired) => StatusCode::UNAUTHORIZED,
        Some(Code::OriginRefused | Code::LifecycleReducer | Code::AdhocLiveOff) => {
            StatusCode::FORBIDDEN
        }
        Some(Code::SchemaConflict | Code::DatabaseExists) => StatusCode::CONFLICT,
        Some(Code::NotKept) => StatusCode::GONE,
        Some(Code::FrameTooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
        Some(
            Code::ReducerError
            | Code::ReducerPanic
            | Code::ReducerTrap
            | Code::CallDeadline
            | Code::CallLimit
            | Code::InitFailed
            | Code::ModuleInvalid
            | Code::ModuleAbi
            | Code::ModuleSchema
            | Code::BadRow
            | Code::BadBackup,
        ) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(
            Code::TooManyConnections
            | Code::Overloaded
            | Code::ServerShutdown
            | Code::DatabaseClosed,
        ) => StatusCode::SERVICE_UNAVAILABLE,
        Some(Code::DiskFull) => StatusCode::INSUFFICIENT_STORAGE,
        Some(Code::Internal | Code::Poisoned | Code::OutcomeUnknown) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Time between two parts of a request's body.
const BODY_PAUSE: std::time::Duration = std::time::Duration::from_secs(15);

/// The body of a request, or why it cannot be had. As much again as is allowed is read and thrown away:
/// most clients look for an answer only when they have sent everything.
pub(crate) async fn read_body(request: Request, bytes_max: usize) -> Result<Bytes, Failure> {
    let mut body = request.into_body();
    let mut bytes = Vec::new();
    let mut len = 0;
    loop {
        // A peer that stops in the middle does not hold its place for ever.
        let frame = tokio::time::timeout(BODY_PAUSE, body.frame()).await;
        let frame = frame.map_err(|_| bad_request("the body stopped for too long"))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| bad_request(format!("the body broke off: {error}")))?;
        // Trailers are of no interest.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        len += data.len();
        if len <= bytes_max {
            bytes.extend_from_slice(&data);
        } else if len > 2 * bytes_max {
            break;
        } else {
            bytes = Vec::new();
        }
    }
    if len > bytes_max {
        let message = format!("a body is over the limit of {bytes_max} bytes");
        return Err(WireError::new(ErrorCode::FrameTooLarge, message).into());
    }
    Ok(bytes.into())
}

/// The next piece of a body that is read as it comes, if there is one.
pub(crate) async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, WireError> {
    let bad = |message: String| WireError::new(ErrorCode::BadRequest, message);
    loop {
        let frame = tokio::time::timeout(BODY_PAUSE, body.frame()).await;
        let frame = frame.map_err(|_| bad("the body stopped for too long".into()))?;
        let Some(frame) = frame else {
            return Ok(None);
        };
        let frame = frame.map_err(|error| bad(format!("the body broke off: {error}")))?;
        // Trailers are of no interest.
        if let Ok(piece) = frame.into_data() {
            return Ok(Some(piece));
        }
    }
}

/// A body that is no JSON of the expected shape.
pub(crate) fn bad_request(message: impl Into<String>) -> Failure {
    Failure(WireError::new(ErrorCode::BadRequest, message))
}
