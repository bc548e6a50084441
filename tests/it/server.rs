//! A server inside the test, and its HTTP side.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use syncline_server::{Config, DEFAULT_PORT, Data, Server};

/// A server on a free port that is shut down when it is dropped.
pub(crate) struct TestServer {
    server: Option<Server>,
}

/// Status and body of an HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// Of the header `syncline-token`.
    pub(crate) token: Option<String>,
}

impl TestServer {
    /// With its data in memory.
    pub(crate) fn start() -> Self {
        Self::with(Config::default())
    }

    /// With its data in this folder.
    pub(crate) fn on(folder: &Path) -> Self {
        let data = Data::Folder(folder.to_path_buf());
        Self::with(Config {
            data,
            ..Config::default()
        })
    }

    /// With its data in this folder, at an address that a server before it had.
    pub(crate) fn again(folder: &Path, listen: SocketAddr) -> Self {
        let data = Data::Folder(folder.to_path_buf());
        Self::with(Config {
            data,
            listen,
            ..Config::default()
        })
    }

    /// With these settings, but if the port is the default one, on a free port of this machine.
    pub(crate) fn with(config: Config) -> Self {
        let listen = match config.listen.port() {
            DEFAULT_PORT => ([127, 0, 0, 1], 0).into(),
            _ => config.listen,
        };
        let server = Server::start(Config { listen, ..config }).unwrap();
        Self {
            server: Some(server),
        }
    }

    /// With one module published under its own name.
    pub(crate) fn of(module: &str) -> Self {
        let server = Self::start();
        server.publish(module, module);
        server
    }

    pub(crate) fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs until it is dropped")
    }

    /// The graceful end.
    pub(crate) fn shut_down(mut self) {
        self.server.take().expect("it runs until now").shut_down();
    }

    /// Publishes `target/modules/<module>.wasm`, which must work.
    pub(crate) fn publish(&self, database: &str, module: &str) -> Json {
        let answer = self.publish_bytes(database, &wasm(module));
        assert_eq!(answer.status, 200, "publishing {module}: {}", answer.text);
        answer.json()
    }

    /// Publishes any bytes as the admin; the database's name may be followed by a query string.
    pub(crate) fn publish_bytes(&self, database: &str, wasm: &[u8]) -> Answer {
        self.publish_as(database, wasm, Some(self.server().admin_token()))
    }

    pub(crate) fn publish_as(&self, database: &str, wasm: &[u8], token: Option<&str>) -> Answer {
        let (name, query) = database.split_once('?').unwrap_or((database, ""));
        let path = format!("/v1/databases/{name}/publish?{query}");
        self.post(&path, wasm, token)
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>, token: Option<&str>) -> Answer {
        post(
            &format!("{}{path}", self.server().url()),
            body.as_ref(),
            token,
        )
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(format!("{}{path}", self.server().url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.call().unwrap())
    }

    /// The value of a metric, the sum over its labels; 0 if it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").text;
        let lines = text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        lines
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as u64)
            .sum()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shut_down();
        }
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// Code of the error in it.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

pub(crate) fn post(url: &str, body: &[u8], token: Option<&str>) -> Answer {
    let mut request = agent().post(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    read(request.send(body).unwrap())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let header = response.headers().get("syncline-token");
    let token = header.map(|token| token.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    Answer {
        status,
        text: response.body_mut().read_to_string().unwrap(),
        token,
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Where cargo puts what it builds: this test lies in `<target>/debug/deps`.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_path_buf()
}

/// A module that `cargo xtask modules` has built.
pub(crate) fn wasm(module: &str) -> Vec<u8> {
    let folder = std::env::var_os("SYNCLINE_MODULES").map(PathBuf::from);
    let path = folder
        .unwrap_or_else(|| target().join("modules"))
        .join(format!("{module}.wasm"));
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask modules`", path.display()))
}
