//! How a client is made.

use std::sync::Arc;
use std::time::Duration;

use syncline_protocol::message::Delivery;
use tokio::sync::mpsc;

use crate::connection::{self, Address, Backoff, Dialler, Tls};
use crate::shared::Shared;
#[cfg(feature = "tls")]
use crate::tls::Roots;
use crate::{Client, Error};

/// Requests that wait for the connection to take them.
const COMMANDS_MAX: usize = 1024;

/// Says how to connect. Made by [`Client::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    url: String,
    database: String,
    token: Option<String>,
    delivery: Delivery,
    timeout: Duration,
    keep_alive: Duration,
    backoff: Option<Backoff>,
    /// `None`: those of the platform.
    #[cfg(feature = "tls")]
    roots: Option<Roots>,
}

impl Client {
    /// Starts to describe a client of a database. The address is that of the server, as
    /// `http://127.0.0.1:4510`, or `https://app.example.com` for one behind a proxy that does TLS.
    pub fn builder(url: &str, database: &str) -> Builder {
        Builder::new(url, database)
    }
}

impl Builder {
    pub(crate) fn new(url: &str, database: &str) -> Self {
        let backoff = Backoff {
            first: Duration::from_millis(100),
            max: Duration::from_secs(10),
        };
        Self {
            url: url.into(),
            database: database.into(),
            token: None,
            delivery: Delivery::default(),
            timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(20),
            backoff: Some(backoff),
            #[cfg(feature = "tls")]
            roots: None,
        }
    }

    /// Who vouches for servers with TLS; if nothing is said, those whom the platform trusts. An authority of
    /// one's own beside them: `Roots::platform().with_pem(pem)?`.
    #[cfg(feature = "tls")]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = Some(roots);
        self
    }

    /// What makes TLS of TCP, if the address asks for it.
    #[cfg(feature = "tls")]
    fn connector(&self, address: &Address) -> Result<Option<Tls>, Error> {
        // To read the platform's certificates takes milliseconds: nobody waits who has no use for them.
        let roots = || self.roots.clone().unwrap_or_else(Roots::platform);
        address.is_tls.then(|| Tls::new(&roots())).transpose()
    }

    /// What makes TLS of TCP: nothing here does.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "the other one has a use for it")]
    fn connector(&self, address: &Address) -> Result<Option<Tls>, Error> {
        use crate::error::{TlsError, TlsProblem};
        if address.is_tls {
            let message = "this program was built without TLS".into();
            return Err(Error::Tls(TlsError::new(TlsProblem::NotBuilt, message)));
        }
        Ok(None)
    }

    /// The token to come with: of an earlier [`Client::token`], of an issuer, or the admin token. Without
    /// one the server makes a new identity.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Whether to hear of transactions when they are durable (the default) or when they are committed.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// How long an attempt to connect may take; 10 s if nothing is said.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Silence of the server after which it is asked for a sign of life, and given up after as much
    /// again; 20 s if nothing is said.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive.max(Duration::from_millis(1));
        self
    }

    /// Waits before a lost connection is dialled again: about `first`, doubled with each attempt up to
    /// `max`; 100 ms and 10 s if nothing is said.
    pub fn reconnect(mut self, first: Duration, max: Duration) -> Self {
        self.backoff = Some(Backoff { first, max });
        self
    }

    /// A lost connection closes the client.
    pub fn no_reconnect(mut self) -> Self {
        self.backoff = None;
        self
    }

    /// Connects for the first time, which is tried once. Needs a tokio runtime with time and I/O.
    pub async fn connect(self) -> Result<Client, Error> {
        let address = Address::parse(&self.url, &self.database)?;
        let dialler = Dialler {
            tls: self.connector(&address)?,
            address,
            delivery: self.delivery,
            timeout: self.timeout,
            keep_alive: self.keep_alive,
            backoff: self.backoff,
        };
        let shared = Arc::new(Shared::new(self.token));
        let connection = dialler.connect(&shared).await?;
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(connection::run(
            dialler,
            shared.clone(),
            commands,
            connection,
        ));
        Ok(Client::new(shared, sender))
    }
}
