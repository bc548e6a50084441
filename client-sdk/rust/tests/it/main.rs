//! The client against a server whose every word is in the test's hands.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod generated;
mod lost;
mod moves;
mod rows;
mod server;

use std::time::Duration;

use syncline_client::{Client, ConnectionState, Rows};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Fails instead of hanging.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it happens soon")
}

/// Waits until the client is in a state.
async fn until(client: &Client, state: ConnectionState) {
    let mut states = client.state_changes();
    soon(states.wait_for(|now| *now == state))
        .await
        .expect("the client is there");
}

fn players(rows: &Rows) -> Vec<(u64, String)> {
    rows.parse().expect("players have an id and a name")
}

fn player(id: u64, name: &str) -> (u64, String) {
    (id, name.into())
}
