//! What can go wrong.

use syncline_protocol::{ErrorCode, WireError};

use crate::cache::CacheError;

/// An error of a client.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address or the name of the database is malformed.
    #[error("bad address: {0}")]
    Address(String),
    /// The server cannot be reached, or what is there is no Syncline server.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// No TLS connection came about, so nothing was sent.
    #[error("no TLS connection: {0}")]
    Tls(TlsError),
    /// The server refused the connection: a bad token, no such database, ..
    #[error("connection refused: {0}")]
    Refused(WireError),
    /// There is no connection at the moment; nothing was sent.
    #[error("offline: nothing was sent")]
    Offline,
    /// The connection was lost before the answer came. The request changes nothing: ask again.
    #[error("the connection was lost before the answer came")]
    Lost,
    /// The connection was lost before the reply to a call came: it took effect or it did not, never
    /// in part. Look at the data before calling again.
    #[error("the connection was lost during `{reducer}`: whether it took effect is not known")]
    OutcomeUnknown {
        /// The reducer that was called.
        reducer: String,
    },
    /// The arguments are not those of the reducer; nothing was sent.
    #[error("bad arguments: {0}")]
    Arguments(String),
    /// The reducer returned an error, which is the message; its changes are undone.
    #[error("{}", .0.message)]
    Reducer(WireError),
    /// The server refused a request.
    #[error("{0}")]
    Server(WireError),
    /// A row or a result does not fit the Rust type it should become.
    #[error("cannot read the value: {0}")]
    Decode(String),
    /// The server broke the protocol.
    #[error("protocol: {0}")]
    Protocol(String),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// Why no TLS connection came about: a sentence, and what kind of trouble it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TlsError {
    problem: TlsProblem,
    message: String,
}

/// What is wrong with a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProblem {
    /// Nobody who is trusted has signed the server's certificate.
    UntrustedIssuer,
    /// The server's certificate is for other names.
    WrongName,
    /// The server's certificate has expired or is not valid yet.
    OutOfDate,
    /// The server shows the certificate of an authority as its own.
    AuthorityAsServer,
    /// Nobody is trusted: there are no certificates of authorities.
    NoRoots,
    /// What should be a certificate of an authority is none.
    BadRoot,
    /// The address asks for TLS, and the server does not speak it.
    PlainServer,
    /// The server speaks TLS, and the address does not ask for it.
    TlsServer,
    /// The client was built without TLS.
    NotBuilt,
    /// Anything else; the message says what.
    Other,
}

impl TlsError {
    pub(crate) fn new(problem: TlsProblem, message: String) -> Self {
        Self { problem, message }
    }

    /// What kind of trouble it is.
    #[must_use]
    pub fn problem(&self) -> TlsProblem {
        self.problem
    }
}

impl TlsProblem {
    /// What a program can do about it.
    fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::UntrustedIssuer => {
                "give the authority's certificate with `Builder::roots`, or let the server have one \
                 of an authority that the platform trusts"
            }
            Self::WrongName => "connect to a name that the certificate is for",
            Self::OutOfDate => "renew the certificate, or set the clock of this machine",
            Self::AuthorityAsServer => {
                "make a certificate for the server with basicConstraints=CA:FALSE, signed by the authority"
            }
            Self::NoRoots => {
                "install the platform's certificates (ca-certificates), or give some with `Builder::roots`"
            }
            Self::BadRoot => "it is like -----BEGIN CERTIFICATE-----",
            Self::PlainServer => {
                "write http:// or ws:// for a server without TLS, or the port of the proxy in front of it"
            }
            Self::TlsServer => "write https:// or wss:// for a server with TLS",
            Self::NotBuilt => "build syncline-client with its feature `tls`",
            Self::Other => return None,
        })
    }
}

impl Error {
    /// The server's code, if the error came from it.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(error) | Self::Reducer(error) | Self::Server(error) => error.known_code(),
            Self::OutcomeUnknown { .. } => Some(ErrorCode::OutcomeUnknown),
            Self::Arguments(_) => Some(ErrorCode::BadArguments),
            _ => None,
        }
    }

    /// What to do about it, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Refused(error) | Self::Reducer(error) | Self::Server(error) => {
                error.hint.as_deref()
            }
            Self::Tls(error) => error.problem.hint(),
            _ => None,
        }
    }

    /// The answer to a request was this error.
    pub(crate) fn answered(error: WireError) -> Self {
        match error.known_code() {
            Some(ErrorCode::ReducerError) => Self::Reducer(error),
            _ => Self::Server(error),
        }
    }

    /// Whether connecting again with the same token can help.
    pub(crate) fn is_final(&self) -> bool {
        let Self::Refused(error) = self else {
            return matches!(self, Self::Address(_));
        };
        matches!(
            error.known_code(),
            Some(
                ErrorCode::BadToken
                    | ErrorCode::TokenExpired
                    | ErrorCode::AdminRequired
                    | ErrorCode::OriginRefused
                    | ErrorCode::NotSupported
            )
        )
    }
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        Self::Protocol(error.to_string())
    }
}
