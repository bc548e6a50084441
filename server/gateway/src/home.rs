//! Home threads: each runs some databases with all their sockets, so that a call crosses no thread
//! between the socket and the engine.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use syncline_engine::{Engine, LogWriter};
use tokio::sync::mpsc;

use crate::auth::Authority;
use crate::database::DatabaseTask;
use crate::shared::Shared;

/// Bytes that one read of a socket takes at most.
const SCRATCH_BYTES: usize = 64 << 10;

/// A database that is to live on a home thread.
struct Adopt {
    shared: Arc<Shared>,
    engine: Engine,
}

/// A thread with a runtime of its own.
pub(crate) struct Home {
    sender: mpsc::UnboundedSender<Adopt>,
}

impl Home {
    /// Starts the thread. It ends when the last database and the `Home` are gone.
    pub(crate) fn start(number: usize, authority: Arc<Authority>) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name(format!("home-{number}"))
            .spawn(move || {
                let local = tokio::task::LocalSet::new();
                local.block_on(&runtime, run(receiver, authority));
            })?;
        Ok(Self { sender })
    }

    /// Gives a database to the thread, and its log a thread of its own.
    pub(crate) fn adopt(
        &self,
        shared: Arc<Shared>,
        engine: Engine,
        writer: LogWriter,
    ) -> std::io::Result<()> {
        start_log_thread(&shared, writer)?;
        // The thread lives as long as its sender.
        let _ = self.sender.send(Adopt { shared, engine });
        Ok(())
    }
}

async fn run(mut receiver: mpsc::UnboundedReceiver<Adopt>, authority: Arc<Authority>) {
    let scratch = Rc::new(RefCell::new(vec![0; SCRATCH_BYTES]));
    let mut databases = tokio::task::JoinSet::new();
    while let Some(Adopt { shared, engine }) = receiver.recv().await {
        let task = DatabaseTask::new(shared, authority.clone(), scratch.clone());
        databases.spawn_local(task.run(engine));
        while databases.try_join_next().is_some() {}
    }
    while databases.join_next().await.is_some() {}
}

/// Writes and syncs what the engine hands over, group by group, and rings when it is durable. Ends when
/// the engine is gone.
fn start_log_thread(shared: &Arc<Shared>, writer: LogWriter) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name(format!("log-{}", shared.name));
    let database = shared.clone();
    let handle = thread.spawn(move || {
        writer.run(|result| {
            if let Err(error) = result {
                tracing::error!(database = database.name, %error, "the commit log failed");
            }
            database.bell.notify_one();
        });
    })?;
    *shared.log_thread.lock() = Some(handle);
    Ok(())
}
