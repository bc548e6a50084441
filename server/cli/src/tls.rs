//! TLS of commands: whom they trust, and what to do if that is not enough.

use std::io::ErrorKind;
use std::sync::Arc;

use syncline_client::tls::{self, Roots};
use syncline_client::{Error, TlsError, TlsProblem};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::args::Common;
use crate::failure::{Failure, at};

/// Who vouches for the server; nobody is needed if its address does not ask for TLS.
pub(crate) fn roots(common: &Common, server: &str) -> Result<Roots, Failure> {
    if !server.starts_with("https://") {
        return Ok(Roots::none());
    }
    let Some(file) = &common.cacert else {
        return Ok(Roots::platform());
    };
    let pem = std::fs::read(file).map_err(at(file))?;
    Roots::platform().with_pem(&pem).map_err(|error| {
        let reason = match error {
            Error::Tls(error) => error.to_string(),
            error => error.to_string(),
        };
        Failure::usage(format!("{}: {reason}", file.display()))
            .hint("--cacert (or SYNCLINE_CACERT) names a PEM file: -----BEGIN CERTIFICATE-----")
    })
}

/// How the HTTP client does TLS. The provider is named: without one, nor a default of the process, it panics.
pub(crate) fn config(roots: &Roots) -> TlsConfig {
    let certificates = roots.der().map(|der| Certificate::from_der(der).to_owned());
    TlsConfig::builder()
        .root_certs(RootCerts::from(certificates))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build()
}

/// Why the HTTP client could not reach a server, as far as it has to do with TLS.
pub(crate) fn failure(server: &str, error: &ureq::Error) -> Option<Failure> {
    let found = match error {
        ureq::Error::Io(error) => tls::explain(error),
        ureq::Error::Rustls(error) => tls::explain(error),
        // A server of TLS answers plain HTTP with an alert.
        ureq::Error::Protocol(_) if server.starts_with("http://") => {
            return Some(unreachable(
                server,
                "what answers there does not speak plain HTTP",
                Some(hint(TlsProblem::TlsServer)),
            ));
        }
        _ => None,
    };
    if let (None, ureq::Error::Io(error), true) = (&found, error, server.starts_with("http://"))
        && matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
        )
    {
        let message = "it hung up without an answer";
        return Some(unreachable(
            server,
            message,
            Some(hint(TlsProblem::TlsServer)),
        ));
    }
    found.map(|error| explained(server, &error))
}

/// An error of TLS with what helps on the command line.
pub(crate) fn explained(server: &str, error: &TlsError) -> Failure {
    let hint = match error.problem() {
        TlsProblem::Other => None,
        problem => Some(hint(problem)),
    };
    unreachable(server, &error.to_string(), hint)
}

fn unreachable(server: &str, message: &str, hint: Option<&str>) -> Failure {
    let failure = Failure::unreachable(format!("cannot reach {server}: {message}"));
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(problem: TlsProblem) -> &'static str {
    match problem {
        TlsProblem::UntrustedIssuer | TlsProblem::NoRoots | TlsProblem::BadRoot => {
            "name the certificate of the authority that signed it with --cacert FILE or SYNCLINE_CACERT, \
             or install the platform's (ca-certificates)"
        }
        TlsProblem::WrongName => "name the server as its certificate does",
        TlsProblem::OutOfDate => "renew the certificate, or set the clock of this machine",
        TlsProblem::AuthorityAsServer => {
            "make a certificate for the server with basicConstraints=CA:FALSE, signed by the authority"
        }
        TlsProblem::TlsServer => "if the server speaks TLS, write https:// before its address",
        _ => "write http:// before its address, or name the port of the proxy in front of it",
    }
}
