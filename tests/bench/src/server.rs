//! The server under test: a release build, its own process, started and stopped by the bench.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use syncline_protocol::message::Delivery;

use crate::clock::ProcessClock;
use crate::socket::Target;

/// Replay of a big log included.
const START_MAX: Duration = Duration::from_mins(1);
const STOP_MAX: Duration = Duration::from_secs(30);

/// Where the parts are; `cargo xtask bench` sets them.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The binary `syncline`.
    pub(crate) binary: PathBuf,
    /// Folder with `bank.wasm` and the others.
    pub(crate) modules: PathBuf,
    /// Folder in which data folders are made.
    pub(crate) data: PathBuf,
}

/// A running server. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    site: Site,
    data: PathBuf,
}

impl Site {
    /// A fresh data folder, removed when it is dropped.
    pub(crate) fn folder(&self) -> Result<tempfile::TempDir> {
        std::fs::create_dir_all(&self.data)?;
        Ok(tempfile::tempdir_in(&self.data)?)
    }
}

impl Server {
    /// Starts on a data folder (which may have data) and waits until it answers.
    pub(crate) fn start(site: &Site, data: &Path) -> Result<Self> {
        // Free now; nothing else on the machine takes ports at random in this moment.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(data.join("server.log"))?;
        let child = Command::new(&site.binary)
            .args(["start", "--listen", &address.to_string(), "--data"])
            .arg(data.join("data"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", site.binary.display()))?;
        let mut server = Self {
            child,
            address,
            site: site.clone(),
            data: data.to_path_buf(),
        };
        let start = Instant::now();
        let health = format!("http://{address}/v1/health");
        while ureq::get(&health).call().is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", server.last_words());
            }
            ensure!(
                start.elapsed() < START_MAX,
                "no answer at {health}:\n{}",
                server.last_words()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Publishes `<module>.wasm` as the database of the same name.
    pub(crate) fn publish(&self, module: &str) -> Result<()> {
        let wasm = self.site.modules.join(format!("{module}.wasm"));
        let wasm = std::fs::read(&wasm).with_context(|| format!("no {}", wasm.display()))?;
        let (status, body) = self.publish_bytes(module, &wasm)?;
        ensure!(status == 200, "publishing {module}: {status} {body}");
        Ok(())
    }

    /// Publishes any bytes: status and body of the answer.
    pub(crate) fn publish_bytes(&self, database: &str, wasm: &[u8]) -> Result<(u16, String)> {
        let token = std::fs::read_to_string(self.data.join("data/admin.token"))?;
        let url = format!("http://{}/v1/databases/{database}/publish", self.address);
        let mut answer = lenient()
            .post(url)
            .header("Authorization", format!("Bearer {}", token.trim()))
            .header("Content-Type", "application/wasm")
            .send(wasm)?;
        Ok((
            answer.status().as_u16(),
            answer.body_mut().read_to_string()?,
        ))
    }

    /// POSTs JSON: status and body of the answer.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> Result<(u16, String)> {
        let mut answer = lenient()
            .post(format!("http://{}{path}", self.address))
            .send_json(body)?;
        Ok((
            answer.status().as_u16(),
            answer.body_mut().read_to_string()?,
        ))
    }

    /// How to connect to a database.
    pub(crate) fn target(&self, database: &str, confirmed: bool) -> Target {
        let delivery = if confirmed {
            Delivery::Confirmed
        } else {
            Delivery::Unconfirmed
        };
        Target {
            address: self.address,
            database: database.to_owned(),
            delivery,
        }
    }

    /// Its CPU time and memory.
    pub(crate) fn clock(&self) -> ProcessClock {
        ProcessClock::new(self.child.id())
    }

    /// Whether the process runs.
    pub(crate) fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// SIGKILL: no goodbye, no flush.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the graceful end.
    pub(crate) fn stop(mut self) -> Result<()> {
        let status = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        ensure!(
            status.success(),
            "the server was gone already:\n{}",
            self.last_words()
        );
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(
                    status.success(),
                    "the server ended with {status}:\n{}",
                    self.last_words()
                );
                return Ok(());
            }
            ensure!(
                start.elapsed() < STOP_MAX,
                "the server does not stop:\n{}",
                self.last_words()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.data.join("server.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it was waited for already, which is how most servers end here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lenient() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent()
}
