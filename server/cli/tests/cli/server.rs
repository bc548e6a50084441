//! A server of the built binary, and commands that talk to it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A process that serves; killed when dropped.
pub(crate) struct TestServer {
    process: Child,
    pub(crate) url: String,
    pub(crate) folder: Arc<TempDir>,
    data: PathBuf,
}

/// What a command left.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary, without what the environment of the tests may say.
pub(crate) fn syncline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    for variable in [
        "SYNCLINE_SERVER",
        "SYNCLINE_DATA",
        "SYNCLINE_TOKEN",
        "SYNCLINE_CACERT",
        "SYNCLINE_LOG",
    ] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Done {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Done {
        code: status.code().expect("it ends by itself"),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

impl Done {
    /// The output, after it went well.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// The error, after it ended with this code.
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "results are for stdout, errors are not");
        self.stderr
    }
}

impl TestServer {
    /// A server with its data in a new folder.
    pub(crate) fn start() -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()))
    }

    /// A server with its data in this folder.
    pub(crate) fn start_in(folder: Arc<TempDir>) -> Self {
        let data = folder.path().join("data");
        let mut command = syncline();
        command
            .args(["start", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data);
        Self::serve(command, folder, |_| data)
    }

    /// A server that this command starts; its data is where `data` says, who knows the process.
    pub(crate) fn serve(
        mut command: Command,
        folder: Arc<TempDir>,
        data: impl FnOnce(u32) -> PathBuf,
    ) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .expect("the line says where")
            .to_owned();
        Self {
            data: data(process.id()),
            process,
            url,
            folder,
        }
    }

    /// A server with the module `chat` published.
    pub(crate) fn with_chat() -> Self {
        let server = Self::start();
        let wasm = module("chat");
        server
            .run(&["publish", wasm.to_str().unwrap(), "--database", "chat"])
            .ok();
        server
    }

    /// Whether anything listens there.
    pub(crate) fn is_up(url: &str) -> bool {
        std::net::TcpStream::connect(url.trim_start_matches("http://")).is_ok()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// A command that knows server and data folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = syncline();
        command
            .args(args)
            .env("SYNCLINE_SERVER", &self.url)
            .env("SYNCLINE_DATA", self.data());
        command.current_dir(self.folder.path());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        run(&mut self.command(args))
    }

    /// What a command prints with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let text = run(self.command(args).arg("--json")).ok();
        serde_json::from_str(&text).unwrap()
    }

    /// Asks the server to end; its exit code and what else it printed.
    pub(crate) fn terminate(mut self) -> (i32, String) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut rest = String::new();
        self.process
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut rest)
            .unwrap();
        (status.code().expect("it ends by itself"), rest)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// A module of the repository, built if it is not there yet.
pub(crate) fn module(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let file = root().join(format!("target/modules/{name}.wasm"));
    BUILT.call_once(|| {
        if !file.is_file() {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let built = Command::new(cargo)
                .args(["xtask", "modules"])
                .current_dir(root())
                .status();
            assert!(built.unwrap().success(), "the modules do not build");
        }
    });
    file
}
