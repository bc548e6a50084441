//! A server inside another program: data in memory, a free port, and a module from a file.
//!
//! ```sh
//! cargo xtask modules
//! cargo run -p syncline-server --example embed -- target/modules/chat.wasm
//! ```

use std::io::{Read, Write};
use std::net::TcpStream;

use syncline_server::{Config, Data, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        data: Data::Memory,
        ..Config::default()
    };
    let server = Server::start(config)?;
    println!("listening on {}", server.url());
    if let Some(path) = std::env::args().nth(1) {
        let answer = publish(&server, "chat", &std::fs::read(path)?)?;
        println!("{answer}");
        println!("databases: {:?}", server.databases());
    }
    server.shut_down();
    Ok(())
}

/// Publishes over HTTP, as any program would.
fn publish(server: &Server, name: &str, wasm: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(server.address())?;
    write!(
        stream,
        "POST /v1/databases/{name}/publish HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        server.address(),
        server.admin_token(),
        wasm.len()
    )?;
    stream.write_all(wasm)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
