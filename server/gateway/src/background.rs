//! Work of a database beside its home thread: one thread, which ends early when nobody waits for it any more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A thread that works; dropping it stops it and waits for the step that is under way.
pub(crate) struct Background<T> {
    thread: Option<JoinHandle<T>>,
    stop: Arc<AtomicBool>,
}

impl<T: Send + 'static> Background<T> {
    /// Starts the thread. `work` looks at its argument between two steps, and ends when that is true.
    pub(crate) fn start(
        name: String,
        work: impl FnOnce(&AtomicBool) -> T + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name(name);
        let thread = thread.spawn(move || work(&stopped))?;
        Ok(Self {
            thread: Some(thread),
            stop,
        })
    }
}

impl<T> Background<T> {
    pub(crate) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end: what came of it, unless it panicked, which was reported already.
    pub(crate) fn finish(mut self) -> Option<T> {
        self.thread.take()?.join().ok()
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported already.
            let _ = thread.join();
        }
    }
}
