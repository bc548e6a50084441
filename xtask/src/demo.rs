//! `cargo xtask demo`: from a fresh clone to a page that works.
//!
//! After the builds the process becomes the server, so that Ctrl-C and signals reach it directly;
//! a child ([`publish`]) waits for it, publishes the demo's module and prints the address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::step::Steps;
use crate::workspace::Workspace;
use crate::{bench, modules, tools};

const DATABASE: &str = "board";
const DATA: &str = "data/demo";
const START_SECONDS_MAX: u64 = 60;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Listen on all addresses, so that a phone on the same network can open the page.
    #[arg(long)]
    lan: bool,
    /// Port of the page.
    #[arg(long, default_value_t = 4510)]
    port: u16,
}

/// Options of the child that publishes.
#[derive(clap::Args)]
pub(crate) struct PublishOptions {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    lan: bool,
    /// The server, stopped if it cannot be published to.
    #[arg(long)]
    server: u32,
}

/// Builds, then becomes the server.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let ip = if options.lan {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    let listen = SocketAddr::from((ip, options.port));
    // Before minutes of building, not after them.
    if let Err(error) = TcpListener::bind(listen) {
        bail!(
            "cannot listen on {listen}: {error}; try `cargo xtask demo --port {}`",
            options.port ^ 1
        );
    }
    let workspace = Workspace::find()?;
    let steps = Steps::new();
    eprintln!(
        "The first build takes some minutes: it is a release build with a WASM compiler in it."
    );
    std::thread::scope(|scope| {
        let page = scope.spawn(|| {
            steps.run("npm packages", |step| tools::npm_ci(&workspace.root, step))?;
            // The server carries the page, so the page comes first.
            steps.run("page", |step| {
                step.run(&mut tools::npm(&workspace.root, &["run", "build"]))
            })
        });
        steps.run("modules", |step| modules::build(&workspace, step))?;
        page.join().expect("steps do not panic")
    })?;
    steps.run("server (release)", |step| {
        bench::release(&workspace, step, &["syncline-cli"])
    })?;
    drop(steps.finish());

    let mut publisher = Command::new(std::env::current_exe()?);
    publisher
        .arg("publish-demo")
        .arg(format!("--port={}", options.port));
    publisher.arg(format!("--server={}", std::process::id()));
    let mut server = Command::new(workspace.release_binary("syncline"));
    server.arg("start").arg("--listen").arg(listen.to_string());
    server.arg("--data").arg(workspace.root.join(DATA));
    if options.lan {
        publisher.arg("--lan");
        if let Some(address) = lan_address() {
            server
                .arg("--allow-origin")
                .arg(format!("http://{address}:{}", options.port));
        }
        server
            .arg("--allow-origin")
            .arg(format!("http://localhost:{}", options.port));
        server
            .arg("--allow-origin")
            .arg(format!("http://127.0.0.1:{}", options.port));
    }
    publisher
        .stdin(Stdio::null())
        .spawn()
        .context("cannot start the publisher")?;
    Err(anyhow!(server.exec()).context("the server does not start"))
}

/// Waits for the server, publishes, says where the page is.
pub(crate) fn publish(options: &PublishOptions) -> Result<ExitCode> {
    let outcome = publish_to(options);
    if outcome.is_err() {
        let process = options.server.to_string();
        // If the server is gone already there is nothing to stop.
        let _ = Command::new("kill")
            .arg(process)
            .stderr(Stdio::null())
            .status();
    }
    outcome
}

fn publish_to(options: &PublishOptions) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let url = format!("http://127.0.0.1:{}", options.port);
    wait_for(&url)?;
    let token = std::fs::read_to_string(workspace.root.join(DATA).join("admin.token"))
        .context("the server made no admin.token")?;
    let wasm = std::fs::read(workspace.modules_folder().join(format!("{DATABASE}.wasm")))?;
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .new_agent();
    let mut answer = agent
        .post(format!("{url}/v1/databases/{DATABASE}/publish"))
        .header("Authorization", format!("Bearer {}", token.trim()))
        .header("Content-Type", "application/wasm")
        .send(&wasm[..])?;
    if !answer.status().is_success() {
        bail!(
            "publishing the demo failed: {}",
            answer.body_mut().read_to_string()?
        );
    }
    println!("\n  The demo is at  {url}");
    if options.lan {
        if let Some(address) = lan_address() {
            println!("  On the network  http://{address}:{}", options.port);
        }
    } else {
        println!("  On a phone      cargo xtask demo --lan");
    }
    println!("  Open it in two windows. Ctrl-C stops the server; the data stays in {DATA}.\n");
    Ok(ExitCode::SUCCESS)
}

fn wait_for(url: &str) -> Result<()> {
    let start = Instant::now();
    loop {
        match ureq::get(format!("{url}/v1/health")).call() {
            Ok(_) => return Ok(()),
            Err(error) if start.elapsed().as_secs() >= START_SECONDS_MAX => {
                bail!("no server at {url} after {START_SECONDS_MAX} s: {error}")
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The address that this machine would use towards other ones. No packet is sent.
fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // TEST-NET-1: never routed, and connecting a UDP socket only picks the interface.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}
