//! What other threads see of a database: a queue into its home thread, and a bell.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use syncline_engine::{Answer, Command, Counters, ModuleStore, Ticket};
use syncline_protocol::limits::INBOX_COMMANDS_MAX;
use syncline_protocol::message::Encoding;
use syncline_protocol::{ErrorCode, WireError};
use tokio::sync::{Notify, oneshot};

/// Makes a command once the ticket that names its answer is known.
pub(crate) type MakeCommand = Box<dyn FnOnce(Ticket) -> Command + Send>;

/// What comes to a database from other threads.
pub(crate) enum Outside {
    /// A socket after its upgrade.
    Socket(Socket),
    /// A request over HTTP.
    Request {
        make: MakeCommand,
        answer: oneshot::Sender<Answer>,
    },
    /// A question about its counters.
    Stats(oneshot::Sender<Stats>),
    /// End: close the connections, settle, and say so.
    Shutdown(std::sync::mpsc::Sender<()>),
}

/// A socket that speaks WebSocket from here on.
pub(crate) struct Socket {
    pub(crate) stream: std::net::TcpStream,
    /// Bytes that were read together with the upgrade request.
    pub(crate) leftover: Vec<u8>,
    pub(crate) encoding: Encoding,
    pub(crate) permit: Permit,
}

/// Numbers of a database for the metrics page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) engine: Counters,
    pub(crate) sockets: u64,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) inbox: u64,
    pub(crate) slow_clients: u64,
}

/// What all scrubs of a database have found so far.
#[derive(Debug, Default)]
pub(crate) struct ScrubCounts {
    /// Scrubs that came to their end.
    pub(crate) finished: AtomicU64,
    /// Bytes that they read.
    pub(crate) bytes: AtomicU64,
    /// Damaged places that they found, each time that they found them.
    pub(crate) problems: AtomicU64,
}

/// A database as other threads know it.
pub(crate) struct Shared {
    pub(crate) name: String,
    queue: Mutex<Queue>,
    /// Rung by whoever gives the database something to do: connections, the log thread, other threads.
    pub(crate) bell: Notify,
    /// Ends some time after the engine, and has the folder locked until then.
    pub(crate) log_thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// How often it is scrubbed.
    pub(crate) scrub_every: Option<Duration>,
    pub(crate) scrubs: ScrubCounts,
    /// Where modules are stored before they are published.
    pub(crate) modules: ModuleStore,
    /// Whether its disk has failed: it refuses all work.
    pub(crate) is_poisoned: AtomicBool,
    /// Whether its disk is full: it refuses writes.
    pub(crate) is_full: AtomicBool,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Outside>,
    /// Nobody takes anything out any more.
    is_closed: bool,
}

impl Shared {
    pub(crate) fn new(
        name: &str,
        scrub_every: Option<Duration>,
        modules: ModuleStore,
    ) -> Arc<Self> {
        Arc::new(Self {
            name: name.to_owned(),
            queue: Mutex::default(),
            bell: Notify::new(),
            log_thread: Mutex::default(),
            scrub_every,
            scrubs: ScrubCounts::default(),
            modules,
            is_poisoned: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
        })
    }

    /// Whether it has ended: by itself, unless the server does too.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.lock().is_closed
    }

    /// Queues something, unless the queue is full.
    pub(crate) fn send(&self, item: Outside) -> Result<(), WireError> {
        {
            let mut queue = self.queue.lock();
            if queue.is_closed {
                return Err(WireError::new(
                    ErrorCode::ServerShutdown,
                    "the database does not run any more",
                )
                .hint("the server is going down; if it is not, its log says what failed"));
            }
            let is_bounded = !matches!(item, Outside::Shutdown(_));
            if is_bounded && queue.items.len() >= INBOX_COMMANDS_MAX {
                return Err(WireError::new(
                    ErrorCode::Overloaded,
                    "the database has too much to do",
                )
                .hint("try again a little later"));
            }
            queue.items.push_back(item);
        }
        self.bell.notify_one();
        Ok(())
    }

    /// Takes what is queued; without `requests`, those stay for later.
    pub(crate) fn take(&self, requests: bool, into: &mut Vec<Outside>) {
        let mut queue = self.queue.lock();
        if requests {
            into.extend(queue.items.drain(..));
            return;
        }
        for item in std::mem::take(&mut queue.items) {
            match item {
                Outside::Request { .. } => queue.items.push_back(item),
                _ => into.push(item),
            }
        }
    }

    /// The database has ended: whoever waits for it learns so, and nobody waits any more.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.is_closed = true;
        let items = std::mem::take(&mut queue.items);
        drop(queue);
        drop(items);
    }

    /// Asks and waits for the answer.
    pub(crate) async fn request(
        &self,
        make: impl FnOnce(Ticket) -> Command + Send + 'static,
    ) -> Result<Answer, WireError> {
        self.ask(make)?.wait().await
    }

    /// Asks: the answer will be there whether somebody waits for it or not.
    pub(crate) fn ask(
        &self,
        make: impl FnOnce(Ticket) -> Command + Send + 'static,
    ) -> Result<Asked, WireError> {
        let (answer, receiver) = oneshot::channel();
        self.send(Outside::Request {
            make: Box::new(make),
            answer,
        })?;
        Ok(Asked(receiver))
    }
}

/// An answer that is to come.
pub(crate) struct Asked(oneshot::Receiver<Answer>);

impl Asked {
    pub(crate) async fn wait(self) -> Result<Answer, WireError> {
        match self.0.await {
            Ok(Answer::Failed(error)) => Err(*error),
            Ok(answer) => Ok(answer),
            Err(_) => Err(WireError::new(
                ErrorCode::OutcomeUnknown,
                "the database ended before it answered",
            )),
        }
    }
}

/// One of the places for connections that a server has; given back when dropped.
pub(crate) struct Permit {
    open: Arc<AtomicUsize>,
}

impl Permit {
    /// A place, if there is one.
    pub(crate) fn take(open: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let taken = open.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            (count < max).then_some(count + 1)
        });
        taken.ok().map(|_| Self { open: open.clone() })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}
