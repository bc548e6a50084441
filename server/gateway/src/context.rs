//! What the connections of a database share with its loop, on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use syncline_engine::{Command, ConnKey, Inbox};

use crate::auth::Authority;
use crate::shared::{Shared, Stats};

/// Where connections put what they have read, and note what they have to write.
pub(crate) struct Context {
    pub(crate) shared: Arc<Shared>,
    pub(crate) authority: Arc<Authority>,
    /// Where sockets are read into; one for all connections of the thread.
    pub(crate) scratch: Rc<RefCell<Vec<u8>>>,
    pub(crate) inbox: RefCell<Inbox>,
    /// Commands that came while the inbox was the engine's.
    pub(crate) late: RefCell<Vec<Command>>,
    /// Connections with something to write.
    pub(crate) dirty: RefCell<Vec<ConnKey>>,
    /// Connections that wait for room in the inbox.
    waiting: RefCell<Vec<Waker>>,
    stats: Cell<Stats>,
}

impl Context {
    pub(crate) fn new(
        shared: Arc<Shared>,
        authority: Arc<Authority>,
        scratch: Rc<RefCell<Vec<u8>>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            shared,
            authority,
            scratch,
            inbox: RefCell::default(),
            late: RefCell::default(),
            dirty: RefCell::default(),
            waiting: RefCell::default(),
            stats: Cell::default(),
        })
    }

    /// Queues a command that came from a message of so many bytes. While a step runs the inbox is the
    /// engine's: what happens then (a connection is closed for being slow) comes after it.
    pub(crate) fn push(&self, command: Command, bytes: usize) {
        match self.inbox.try_borrow_mut() {
            Ok(mut inbox) => inbox.push(command, bytes),
            Err(_) => self.late.borrow_mut().push(command),
        }
        self.shared.bell.notify_one();
    }

    /// Whether this connection may be read; if not, it is woken when it may.
    pub(crate) fn has_room(&self, conn: ConnKey, waker: &Waker) -> bool {
        let has_room = self.inbox.borrow().has_room_for(conn);
        if !has_room {
            self.waiting.borrow_mut().push(waker.clone());
        }
        has_room
    }

    /// Lets connections read again, if there is room.
    pub(crate) fn wake_waiting(&self) {
        if self.inbox.borrow().has_room() {
            for waker in self.waiting.borrow_mut().drain(..) {
                waker.wake();
            }
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.count(|stats| stats.bytes_sent += bytes as u64);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.count(|stats| stats.bytes_received += bytes as u64);
    }

    pub(crate) fn note_slow(&self) {
        self.count(|stats| stats.slow_clients += 1);
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Stats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }

    pub(crate) fn stats(&self) -> Stats {
        self.stats.get()
    }
}
