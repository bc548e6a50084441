//! Why nothing is done now, or not any more.

use syncline_protocol::{ErrorCode, WireError};
use syncline_store::LogError;

/// Nothing is done any more.
pub(crate) fn poisoned() -> WireError {
    WireError::new(
        ErrorCode::Poisoned,
        "the disk failed; the database refuses work",
    )
    .hint("restart the server; it recovers everything that was confirmed")
}

/// A request about a subscription that is not there.
pub(crate) fn no_subscription(subscription: u32) -> WireError {
    let message = format!("no subscription {subscription} on this connection");
    WireError::new(ErrorCode::NoSubscription, message)
}

/// Why the log takes no transaction now.
pub(crate) fn refusal(error: &LogError) -> WireError {
    match error {
        LogError::DiskFull => WireError::new(ErrorCode::DiskFull, "no room on the disk for writes")
            .hint("reads go on; free some space, nothing needs a restart"),
        LogError::Busy => WireError::new(ErrorCode::Overloaded, "the disk cannot keep up")
            .hint("try again a little later"),
        _ => poisoned(),
    }
}
