//! Work that waits for the disk, on a thread of its own, and yet without chance: it stops before each call
//! that changes something on the disk until the scheduler lets it pass, and only one thread runs at a time.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

thread_local! {
    /// The gate of the actor that this thread is.
    static GATE: RefCell<Option<Gate>> = const { RefCell::new(None) };
}

/// The actor's side.
struct Gate {
    reached: Box<dyn Fn()>,
    open: Receiver<()>,
}

/// Stops here until the scheduler says so, if this thread is an actor's.
pub(crate) fn gate() {
    GATE.with_borrow(|gate| {
        if let Some(gate) = gate {
            (gate.reached)();
            // The scheduler is gone: it takes no interest in what comes of this.
            let _ = gate.open.recv();
        }
    });
}

type Job<W, T> = Box<dyn FnOnce(&mut W) -> T + Send>;

enum Said<T> {
    AtGate,
    Done(T),
}

/// Something with a state of type `W` whose jobs end with a `T`.
pub(crate) struct Actor<W, T> {
    jobs: Option<Sender<Job<W, T>>>,
    said: Receiver<Said<T>>,
    open: Sender<()>,
    is_at_gate: bool,
    thread: Option<JoinHandle<()>>,
}

/// The thread of an actor has panicked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;

impl<W: Send + 'static, T: Send + 'static> Actor<W, T> {
    pub(crate) fn new(mut work: W) -> Self {
        let (jobs, next_job) = channel::<Job<W, T>>();
        let (say, said) = channel();
        let (open, opened) = channel();
        let reached: Sender<Said<T>> = say.clone();
        let thread = std::thread::spawn(move || {
            GATE.set(Some(Gate {
                reached: Box::new(move || {
                    let _ = reached.send(Said::AtGate);
                }),
                open: opened,
            }));
            while let Ok(job) = next_job.recv() {
                let done = job(&mut work);
                if say.send(Said::Done(done)).is_err() {
                    break;
                }
            }
            // Nobody opens the gate any more.
            GATE.set(None);
            drop(work);
        });
        Self {
            jobs: Some(jobs),
            said,
            open,
            is_at_gate: false,
            thread: Some(thread),
        }
    }

    /// In the middle of a job.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_at_gate
    }

    /// Begins a job and runs it up to its first call to the disk. Returns what it ended with, if it did.
    pub(crate) fn begin(
        &mut self,
        job: impl FnOnce(&mut W) -> T + Send + 'static,
    ) -> Result<Option<T>, Panicked> {
        assert!(!self.is_at_gate, "one job at a time");
        let jobs = self.jobs.as_ref().ok_or(Panicked)?;
        jobs.send(Box::new(job)).map_err(|_| Panicked)?;
        self.listen()
    }

    /// Lets the call that it stands before pass, and runs the job up to the next one.
    pub(crate) fn go_on(&mut self) -> Result<Option<T>, Panicked> {
        assert!(self.is_at_gate, "it waits for a job");
        self.open.send(()).map_err(|_| Panicked)?;
        self.listen()
    }

    fn listen(&mut self) -> Result<Option<T>, Panicked> {
        match self.said.recv() {
            Ok(Said::AtGate) => {
                self.is_at_gate = true;
                Ok(None)
            }
            Ok(Said::Done(done)) => {
                self.is_at_gate = false;
                Ok(Some(done))
            }
            Err(_) => Err(Panicked),
        }
    }
}

/// Runs what is under way to its end, then drops the state on its own thread.
impl<W, T> Drop for Actor<W, T> {
    fn drop(&mut self) {
        self.jobs = None;
        while self.is_at_gate {
            let is_open = self.open.send(()).is_ok();
            self.is_at_gate = is_open && matches!(self.said.recv(), Ok(Said::AtGate));
        }
        if let Some(thread) = self.thread.take() {
            // A panic in it was seen as the end of what it says.
            let _ = thread.join();
        }
    }
}
