//! TLS: whose certificates are believed, and why a connection did not come about.
//!
//! The cryptography is that of aws-lc-rs; nothing is installed for the whole process, so a program that
//! uses rustls in its own way goes on doing so.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as RustlsError, RootCertStore};

use crate::error::{Error, TlsError, TlsProblem};

/// Certificates of authorities: a server is believed if one of them has signed its certificate.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    certificates: Vec<CertificateDer<'static>>,
}

impl Roots {
    /// Those of the platform; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others. There may be none: many
    /// containers have no `ca-certificates`.
    #[must_use]
    pub fn platform() -> Self {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "a certificate of the platform is left out");
        }
        Self {
            certificates: found.certs,
        }
    }

    /// None yet: only what [`Self::with_pem`] adds is believed.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Believes these as well: one or more certificates as PEM, that of an authority of one's own or one
    /// that a server has signed itself.
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, Error> {
        let bad = |reason: String| Error::Tls(TlsError::new(TlsProblem::BadRoot, reason));
        let count = self.certificates.len();
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| bad(error.to_string()))?;
            store
                .add(certificate.clone())
                .map_err(|error| bad(error.to_string()))?;
            self.certificates.push(certificate);
        }
        if self.certificates.len() == count {
            return Err(bad("there is no CERTIFICATE in it".into()));
        }
        Ok(self)
    }

    /// The certificates as DER.
    pub fn der(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(AsRef::as_ref)
    }
}

/// Makes TLS of TCP.
#[derive(Clone)]
pub(crate) struct Connector(TlsConnector);

impl Connector {
    pub(crate) fn new(roots: &Roots) -> Result<Self, Error> {
        let mut store = RootCertStore::empty();
        // A certificate that this version cannot read makes no other one worse.
        store.add_parsable_certificates(roots.certificates.iter().cloned());
        if store.is_empty() {
            let reason = "there are no certificates of authorities".into();
            return Err(Error::Tls(TlsError::new(TlsProblem::NoRoots, reason)));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls(told(&error)))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// The handshake. `host` is a name or an IP address, without a port.
    pub(crate) async fn connect(
        &self,
        host: &str,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            Error::Address(format!("`{host}` is no name that a certificate can have"))
        })?;
        let shaken = self.0.connect(name, tcp).await;
        shaken.map_err(|error| match explain(&error) {
            Some(error) => Error::Tls(error),
            None => Error::Connect(format!("{host}: the TLS handshake failed: {error}")),
        })
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

/// Finds what TLS has to say in an error of a library that uses it, as of an HTTP client.
#[must_use]
pub fn explain(error: &(dyn StdError + 'static)) -> Option<TlsError> {
    if let Some(error) = error.downcast_ref::<RustlsError>() {
        return Some(told(error));
    }
    // An I/O error does not name what is in it as its source.
    let within = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match within {
        Some(within) => explain(within),
        None => explain(error.source()?),
    }
}

fn told(error: &RustlsError) -> TlsError {
    let (problem, message) = match error {
        RustlsError::InvalidCertificate(error) => distrust(error),
        RustlsError::InvalidMessage(_) => (
            TlsProblem::PlainServer,
            "what answers there does not speak TLS".into(),
        ),
        error => (TlsProblem::Other, error.to_string()),
    };
    TlsError::new(problem, message)
}

/// Why a certificate is not believed.
fn distrust(error: &CertificateError) -> (TlsProblem, String) {
    use CertificateError as E;
    match error {
        E::UnknownIssuer => (
            TlsProblem::UntrustedIssuer,
            "nobody who is trusted here has signed the server's certificate".into(),
        ),
        // An authority that was made anew has its old name and another key.
        E::BadSignature => (
            TlsProblem::UntrustedIssuer,
            "the server's certificate is signed with another key than that of the authority which \
             is trusted here"
                .into(),
        ),
        E::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<_> = presented.iter().map(|name| bare(name)).collect();
            let names = if names.is_empty() {
                "no name".into()
            } else {
                names.join(", ")
            };
            let expected = expected.to_str();
            let message = format!("the server's certificate is for {names}, not for {expected}");
            (TlsProblem::WrongName, message)
        }
        E::NotValidForName => (
            TlsProblem::WrongName,
            "the server's certificate is for another name".into(),
        ),
        E::Expired | E::ExpiredContext { .. } => (
            TlsProblem::OutOfDate,
            "the server's certificate has expired".into(),
        ),
        E::NotValidYet | E::NotValidYetContext { .. } => (
            TlsProblem::OutOfDate,
            "the server's certificate is not valid yet".into(),
        ),
        // The verifier's own error is not of our crates: it is known by its text.
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => (
            TlsProblem::AuthorityAsServer,
            "the server's certificate is one of an authority (CA:TRUE), not of a server".into(),
        ),
        other => (
            TlsProblem::Other,
            format!("the server's certificate is not believed: {other}"),
        ),
    }
}

/// `DnsName("a.example")` as `a.example`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_end_matches(')').trim_matches('"')
}

#[cfg(test)]
mod tests;
