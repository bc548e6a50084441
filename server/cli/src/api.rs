//! The server's HTTP API, as commands use it.

use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use syncline_client::tls::Roots;
use syncline_protocol::{ErrorCode, WireError};
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};

use crate::args::Common;
use crate::failure::{Failure, at, not_understood};
use crate::tls;

const CONNECT_S_MAX: u64 = 10;
/// Where `syncline start` keeps its data if it is not told.
pub(crate) const DEFAULT_DATA: &str = "syncline-data";

/// A server, and the token to come with.
#[derive(Debug)]
pub(crate) struct Api {
    server: String,
    token: Option<String>,
    /// The file that the token is from, if it was not given.
    token_file: Option<PathBuf>,
    /// Who vouches for the server, if it has TLS.
    roots: Roots,
    agent: Agent,
}

#[derive(Deserialize)]
struct Refusal {
    error: WireError,
}

impl Api {
    /// The server that the command line names, with the token that it names or the admin token.
    pub(crate) fn new(common: &Common) -> Result<Self, Failure> {
        let server = checked_url(&common.server)?;
        let (token, token_file) = match &common.token {
            Some(token) => (Some(token.trim().to_owned()), None),
            None => found_token(common, &server)?,
        };
        let roots = tls::roots(common, &server)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(CONNECT_S_MAX)))
            // A token goes to the server that was named, and to no other one.
            .max_redirects(0)
            .tls_config(tls::config(&roots))
            // Not for the network, but for servers of this machine: no proxy knows them.
            .proxy(if is_local(&server) {
                None
            } else {
                ureq::Proxy::try_from_env()
            })
            .build();
        Ok(Self {
            server,
            token,
            token_file,
            roots,
            agent: config.new_agent(),
        })
    }

    /// A server of this process or one that was just started.
    pub(crate) fn with_token(server: &str, token: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        Self {
            server: server.to_owned(),
            token: Some(token.to_owned()),
            token_file: None,
            roots: Roots::none(),
            agent: config.new_agent(),
        }
    }

    /// The same without a token.
    #[must_use]
    pub(crate) fn anonymous(mut self, anonymous: bool) -> Self {
        if anonymous {
            self.token = None;
            self.token_file = None;
        }
        self
    }

    /// `http://` or `https://` and the address.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The token, if there is one.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Who vouches for the server, if it has TLS.
    pub(crate) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Whether a Syncline server answers, and if not, why.
    pub(crate) fn health(&self) -> Result<(), Failure> {
        let answer = self.agent.get(format!("{}/v1/health", self.server)).call();
        self.checked(answer).map(|_| ())
    }

    /// GET below `/v1/databases/`.
    pub(crate) fn get(&self, path: &[&str], query: &str) -> Result<Value, Failure> {
        json_of(self.open(path, query)?)
    }

    /// GET whose body is read as it comes.
    pub(crate) fn open(&self, path: &[&str], query: &str) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(self.url(path, query));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        self.checked(request.call())
    }

    /// POST of JSON below `/v1/databases/`.
    pub(crate) fn post(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.post_bytes(path, "", "application/json", body.to_string().as_bytes())
    }

    /// POST of bytes below `/v1/databases/`.
    pub(crate) fn post_bytes(
        &self,
        path: &[&str],
        query: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Value, Failure> {
        json_of(self.checked(self.send(path, query, content_type, body))?)
    }

    /// The same, for answers that have more to say beside an error.
    pub(crate) fn post_whole(
        &self,
        path: &[&str],
        query: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Value, Failure> {
        let answer = self.send(path, query, content_type, body);
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_redirection() {
            return json_of(self.checked(Ok(answer))?);
        }
        json_of(answer)
    }

    /// POST of what is read as it is sent.
    pub(crate) fn post_stream(
        &self,
        path: &[&str],
        query: &str,
        body: &mut dyn Read,
        len: u64,
    ) -> Result<Value, Failure> {
        let mut request = self
            .agent
            .post(self.url(path, query))
            .content_type("application/octet-stream")
            .header("Content-Length", len.to_string());
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut body = body;
        json_of(self.checked(request.send(SendBody::from_reader(&mut body)))?)
    }

    /// Names of all databases of the server.
    pub(crate) fn databases(&self) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Names {
            databases: Vec<String>,
        }
        let mut request = self.agent.get(format!("{}/v1/databases", self.server));
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = json_of(self.checked(request.call())?)?;
        let names: Names = serde_json::from_value(answer).map_err(not_understood)?;
        Ok(names.databases)
    }

    fn send(
        &self,
        path: &[&str],
        query: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = self
            .agent
            .post(self.url(path, query))
            .content_type(content_type);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.send(body)
    }

    fn url(&self, path: &[&str], query: &str) -> String {
        let path: Vec<_> = path.iter().map(|part| encoded(part)).collect();
        format!("{}/v1/databases/{}{query}", self.server, path.join("/"))
    }

    fn checked(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, Failure> {
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        if let Some(place) = answer.headers().get("location") {
            let place = String::from_utf8_lossy(place.as_bytes()).into_owned();
            return Err(
                Failure::unreachable(format!("{} sends us to {place}", self.server))
                    .hint("name the server where it is, with --server or SYNCLINE_SERVER"),
            );
        }
        let text = text_of(answer)?;
        let refusal: Refusal =
            serde_json::from_str(&text).map_err(|_| not_understood(format!("status {status}")))?;
        Err(self.explained(refusal.error))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        if let Some(failure) = tls::failure(&self.server, error) {
            return failure;
        }
        Failure::unreachable(format!("cannot reach {}: {error}", self.server)).hint(
            "start a server with `syncline start`, or name one with --server or SYNCLINE_SERVER",
        )
    }

    /// The server's hint knows nothing of where the token is from.
    pub(crate) fn explained(&self, error: WireError) -> Failure {
        let hint = match (error.known_code(), &self.token_file, &self.token) {
            (Some(ErrorCode::BadToken | ErrorCode::AdminRequired), Some(file), _) => format!(
                "the token of {} is not of this server; name its data folder with --data, or give \
                 --token",
                file.display()
            ),
            (Some(ErrorCode::AdminRequired), None, None) => format!(
                "it is in admin.token of the server's data folder: name the folder with --data \
                 (looked for in ./{DEFAULT_DATA}), or give --token or SYNCLINE_TOKEN"
            ),
            _ => return Failure::Refused(error),
        };
        Failure::Refused(error).hint(hint)
    }
}

/// The data folder of the command line or the environment, if either names one.
pub(crate) fn named_data(common: &Common) -> Option<PathBuf> {
    let from_environment = || std::env::var_os("SYNCLINE_DATA").filter(|data| !data.is_empty());
    common
        .data
        .clone()
        .or_else(|| from_environment().map(PathBuf::from))
}

/// The admin token of the data folder. That of the default folder is for servers of this machine alone:
/// no other one should see it because somebody stands in the wrong folder.
fn found_token(
    common: &Common,
    server: &str,
) -> Result<(Option<String>, Option<PathBuf>), Failure> {
    let named = named_data(common);
    if named.is_none() && !is_local(server) {
        return Ok((None, None));
    }
    let file = named
        .unwrap_or_else(|| DEFAULT_DATA.into())
        .join("admin.token");
    match std::fs::read_to_string(&file) {
        Ok(token) => Ok((Some(token.trim().to_owned()), Some(file))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((None, None)),
        Err(error) => Err(at(&file)(error)),
    }
}

fn checked_url(server: &str) -> Result<String, Failure> {
    let server = server.trim_end_matches('/');
    if !server.contains("://") {
        return Ok(format!("http://{server}"));
    }
    if server.starts_with("http://") || server.starts_with("https://") {
        return Ok(server.to_owned());
    }
    Err(
        Failure::usage(format!("{server} is no address of a server"))
            .hint("it is like http://127.0.0.1:4510 or https://app.example.com"),
    )
}

fn is_local(server: &str) -> bool {
    let authority = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A part of a path, with what has a meaning there escaped.
pub(crate) fn encoded(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            text.push(byte.into());
        } else {
            text.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    text
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16)
        .expect("four bits")
        .to_ascii_uppercase()
}

fn text_of(answer: Response<Body>) -> Result<String, Failure> {
    let mut text = String::new();
    answer
        .into_body()
        .into_reader()
        .read_to_string(&mut text)
        .map_err(not_understood)?;
    Ok(text)
}

fn json_of(answer: Response<Body>) -> Result<Value, Failure> {
    serde_json::from_str(&text_of(answer)?).map_err(not_understood)
}

#[cfg(test)]
mod tests;
