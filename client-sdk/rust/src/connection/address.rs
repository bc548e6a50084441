//! Where a database is.

use crate::Error;

/// A database of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `host:port`, as it is dialled and as the Host header has it.
    pub(crate) authority: String,
    /// Path of the WebSocket.
    pub(crate) path: String,
    /// Whether the connection is to be TLS.
    pub(crate) is_tls: bool,
}

impl Address {
    /// Reads `http://host:port/prefix`, or with `ws`, `https` or `wss`, the scheme being optional.
    pub(crate) fn parse(url: &str, database: &str) -> Result<Self, Error> {
        let bad = |problem: &str| Error::Address(format!("`{url}`: {problem}"));
        let (is_tls, rest) = match url.split_once("://") {
            None => (false, url),
            Some(("http" | "ws", rest)) => (false, rest),
            Some(("https" | "wss", rest)) => (true, rest),
            Some(_) => return Err(bad("expected http://, https://, ws:// or wss://")),
        };
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |c: char| c.is_ascii_graphic() && !"@?#<>\"\\^`{|}".contains(c);
        if authority.is_empty() || !rest.chars().all(is_plain) {
            return Err(bad("expected a host, a port and nothing else"));
        }
        let has_port = authority.rfind(':') > authority.rfind(']');
        let authority = if has_port {
            authority.into()
        } else {
            format!("{authority}:{}", if is_tls { 443 } else { 80 })
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if database.is_empty() || !database.chars().all(is_name) {
            return Err(Error::Address(format!(
                "`{database}` is no name of a database"
            )));
        }
        let prefix = prefix.trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        let path = format!("{slash}{prefix}/v1/databases/{database}/connect");
        Ok(Self {
            authority,
            path,
            is_tls,
        })
    }

    /// The host alone: a name or an IP address.
    #[cfg(feature = "tls")]
    pub(crate) fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':');
        let host = host.map_or(self.authority.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

#[cfg(test)]
mod tests;
