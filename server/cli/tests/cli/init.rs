//! `init` outside of the checkout: the project builds, publishes, and its page has types.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use syncline_server::{Config, Data, Server};

use crate::server::{TestServer, root, run, syncline};

/// Built modules are kept between runs, so that only the first one takes long.
fn target() -> std::path::PathBuf {
    root().join("target/cli-tests")
}

#[test]
fn a_new_project_builds_publishes_and_has_types() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        !folder.path().starts_with(root()),
        "outside of the checkout"
    );
    let project = folder.path().join("my-tasks");
    let made = run(syncline().arg("init").arg(&project)).ok();
    assert!(made.starts_with("made project my-tasks in "), "{made}");

    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: Data::Memory,
        ..Config::default()
    };
    let server = Server::start(config).unwrap();
    let here = |args: &[&str]| {
        let mut command = syncline();
        command
            .args(args)
            .current_dir(&project)
            .env("CARGO_TARGET_DIR", target());
        command.args(["--server", &server.url(), "--token", server.admin_token()]);
        command
    };
    let published = run(&mut here(&["publish"])).ok();
    assert!(published.contains("published to my-tasks"), "{published}");
    assert!(published.contains("+ tables   task\n"), "{published}");
    assert_eq!(
        run(&mut here(&["call", "my-tasks", "add", "tea"])).ok(),
        "1\n"
    );
    let rows = run(&mut here(&[
        "query",
        "my-tasks",
        "SELECT id, text, done FROM task",
    ]))
    .ok();
    assert_eq!(
        rows,
        "id  text  done\n--  ----  -----\n 1  tea   false\n1 row\n"
    );
    // The types that the template brings are those of its module.
    let types = run(&mut here(&["generate"])).ok();
    assert_eq!(types, "client/src/module.generated.ts: unchanged\n");
    server.shut_down();

    let again = run(syncline().arg("init").arg(&project)).ok();
    assert!(again.contains("its SDK is up to date"), "{again}");
    typecheck(&project);
}

/// With the checkout's compiler, but the client that was unpacked.
fn typecheck(project: &Path) {
    let tsc = root().join("node_modules/typescript/bin/tsc");
    if !tsc.is_file() {
        eprintln!("no npm packages here: the page's types are not checked");
        return;
    }
    let scope = project.join("node_modules/@syncline");
    std::fs::create_dir_all(&scope).unwrap();
    std::os::unix::fs::symlink("../../.syncline/npm/client", scope.join("client")).unwrap();
    let checked = run(Command::new("node")
        .arg(tsc)
        .args(["-p", "client"])
        .current_dir(project));
    checked.ok();
}

#[test]
fn init_refuses_what_it_would_overwrite_and_renews_the_sdk() {
    let folder = tempfile::tempdir().unwrap();
    let full = folder.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("notes.txt"), "mine").unwrap();
    let error = run(syncline().arg("init").arg(&full)).failed(2);
    assert!(error.contains("is not empty"), "{error}");
    let error = run(syncline()
        .args(["init", "x", "--name", "No Good"])
        .current_dir(&folder))
    .failed(2);
    assert!(error.contains("--name"), "{error}");

    let project = folder.path().join("renewed");
    run(syncline().arg("init").arg(&project)).ok();
    let (stamp, stray) = (
        project.join(".syncline/stamp"),
        project.join(".syncline/rust/stray"),
    );
    std::fs::write(&stamp, "0.0.0 of another binary").unwrap();
    std::fs::write(&stray, "").unwrap();
    let renewed = run(syncline().arg("init").arg(&project)).ok();
    assert!(renewed.contains("its SDK is renewed"), "{renewed}");
    assert!(!stray.exists());
    assert!(
        std::fs::read_to_string(&stamp)
            .unwrap()
            .starts_with(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn dev_starts_a_server_publishes_changes_and_survives_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("live");
    run(syncline().arg("init").arg(&project)).ok();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    // One pipe for both, so that lines come in their order.
    let (reader, writer) = std::io::pipe().unwrap();
    let dev = syncline()
        .args(["dev", "--server", &url])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", target())
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let mut dev = Killed(dev);
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    wait(&lines, "started a server at");
    wait(&lines, "+ tables   task");
    wait(&lines, "ready after");

    let source = project.join("module/src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, text.replace("fn add(ctx", "fn add(ctx ctx")).unwrap();
    wait(&lines, "the module does not build");
    let more = "\n/// Says how many tasks there are.\n#[reducer]\nfn count(ctx: &Context) -> u64 {\n    ctx.db().task().count()\n}\n";
    std::fs::write(&source, text + more).unwrap();
    wait(&lines, "+ reducers count");
    wait(&lines, "module.generated.ts: written");
    let types = std::fs::read_to_string(project.join("client/src/module.generated.ts")).unwrap();
    assert!(types.contains("  count: Reducer<{}, bigint>;\n"), "{types}");
    let counted = syncline()
        .args(["call", "live", "count", "--server", &url])
        .current_dir(&project)
        .output();
    assert_eq!(counted.unwrap().stdout, b"0\n");

    assert!(
        Command::new("kill")
            .args(["-TERM", &dev.0.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert!(dev.0.wait().unwrap().success());
    assert!(!TestServer::is_up(&url), "the server ends with it");
}

/// A process that does not outlive a test that fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It has ended already, if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait(lines: &Receiver<String>, text: &str) {
    let mut seen = Vec::new();
    // A build of all that a module needs, on a machine with other things to do.
    while let Ok(line) = lines.recv_timeout(Duration::from_mins(5)) {
        if line.contains(text) {
            return;
        }
        seen.push(line);
    }
    panic!("no line with {text:?}, but\n{}", seen.join("\n"));
}
