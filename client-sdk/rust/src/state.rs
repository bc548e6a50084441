//! Whether a client is connected.

use crate::Error;

/// State of a client's connection.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionState {
    /// Dialling.
    Connecting,
    /// Welcomed by the server.
    Online,
    /// The connection was lost; the next attempt comes by itself.
    Offline,
    /// Closed for good.
    Closed {
        /// Why, unless by the program's own wish.
        error: Option<Error>,
    },
}

impl ConnectionState {
    /// Whether requests are sent now.
    #[must_use]
    pub fn is_online(&self) -> bool {
        *self == Self::Online
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}
