//! Steps: named pieces of a chore that show what they do while they do it.
//!
//! A terminal gets one moving line with every running step; a log gets a line now and then. The
//! output of a step is kept and shown only when it fails, whole. Progress goes to stderr, so that
//! results on stdout can be piped.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const TERMINAL_TICK: Duration = Duration::from_millis(120);
const LOG_TICK: Duration = Duration::from_secs(20);
const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// All steps of one chore: prints them and remembers how they ended.
#[derive(Clone)]
pub(crate) struct Steps {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Woken when a step begins or ends.
    changed: Condvar,
    cancelled: AtomicBool,
    is_terminal: bool,
}

#[derive(Default)]
struct State {
    running: Vec<Arc<Running>>,
    ended: Vec<Ended>,
    closed: bool,
}

struct Running {
    name: &'static str,
    start: Instant,
    log: Mutex<String>,
    child: Mutex<Option<Child>>,
}

/// How a step ended.
#[derive(Clone)]
pub(crate) struct Ended {
    pub(crate) name: &'static str,
    pub(crate) seconds: f64,
    pub(crate) passed: bool,
    /// A line of its output worth a place in the summary.
    pub(crate) note: Option<String>,
}

/// What the code of a step gets: runs commands into its log.
pub(crate) struct Step {
    running: Arc<Running>,
    shared: Arc<Shared>,
}

impl Steps {
    /// Starts the display.
    pub(crate) fn new() -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            cancelled: AtomicBool::new(false),
            is_terminal: std::io::stderr().is_terminal(),
        });
        let display = Arc::clone(&shared);
        std::thread::spawn(move || display.show());
        Self { shared }
    }

    /// Runs a step. A failed one prints its log and cancels the others.
    pub(crate) fn run(
        &self,
        name: &'static str,
        work: impl FnOnce(&Step) -> Result<()>,
    ) -> Result<()> {
        if self.is_cancelled() {
            bail!("{name} was not run");
        }
        let running = Arc::new(Running {
            name,
            start: Instant::now(),
            log: Mutex::default(),
            child: Mutex::default(),
        });
        lock(&self.shared.state).running.push(Arc::clone(&running));
        self.shared.print(&format!("▶ {name}"));
        let step = Step {
            running,
            shared: Arc::clone(&self.shared),
        };
        let outcome = work(&step);
        self.end(&step, outcome.as_ref().err());
        outcome.with_context(|| format!("{name} failed"))
    }

    fn end(&self, step: &Step, error: Option<&anyhow::Error>) {
        let elapsed = step.running.start.elapsed().as_secs_f64();
        let name = step.running.name;
        let log = std::mem::take(&mut *lock(&step.running.log));
        let mut state = lock(&self.shared.state);
        state
            .running
            .retain(|other| !Arc::ptr_eq(other, &step.running));
        let was_cancelled = error.is_some() && self.is_cancelled();
        state.ended.push(Ended {
            name,
            seconds: elapsed,
            passed: error.is_none(),
            note: if was_cancelled {
                Some("stopped".into())
            } else {
                note(&log)
            },
        });
        drop(state);
        match error {
            None => self.shared.print(&format!("✔ {name} {}", clock(elapsed))),
            Some(_) if was_cancelled => self.shared.print(&format!("◼ {name} stopped")),
            Some(error) => {
                self.cancel();
                self.shared
                    .print(&format!("{log}✘ {name} {}: {error:#}", clock(elapsed)));
            }
        }
    }

    /// Whether a step failed.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::SeqCst)
    }

    /// Ends the display and returns how each step ended, in the order of their ends.
    pub(crate) fn finish(self) -> Vec<Ended> {
        let mut state = lock(&self.shared.state);
        state.closed = true;
        self.shared.changed.notify_all();
        std::mem::take(&mut state.ended)
    }

    fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::SeqCst);
        for running in &lock(&self.shared.state).running {
            running.kill();
        }
    }
}

impl Running {
    fn kill(&self) {
        if let Some(child) = lock(&self.child).as_mut() {
            // It may have ended by itself in this moment; then there is nothing to stop.
            let _ = child.kill();
        }
    }
}

impl Step {
    /// Runs a command to its end; its output goes to the log of the step.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        let text = describe(command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start `{text}`"))?;
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("stdout is piped")),
            Box::new(child.stderr.take().expect("stderr is piped")),
        ];
        *lock(&self.running.child) = Some(child);
        if self.shared.cancelled.load(Ordering::SeqCst) {
            self.running.kill();
        }
        let readers = outputs.map(|output| {
            let running = Arc::clone(&self.running);
            std::thread::spawn(move || collect(output, &running.log))
        });
        for reader in readers {
            reader.join().expect("reading output does not panic");
        }
        let child = lock(&self.running.child).take();
        let status = child.expect("only this thread takes it").wait()?;
        if !status.success() {
            bail!("`{text}`: {status}");
        }
        Ok(())
    }
}

impl Shared {
    fn print(&self, text: &str) {
        let erase = if self.is_terminal { "\r\x1b[2K" } else { "" };
        // Nothing is left to tell anyone if stderr is closed.
        let _ = writeln!(std::io::stderr().lock(), "{erase}{text}");
        self.changed.notify_all();
    }

    fn show(&self) {
        let tick = if self.is_terminal {
            TERMINAL_TICK
        } else {
            LOG_TICK
        };
        let mut frame = 0;
        let mut state = lock(&self.state);
        while !state.closed {
            let next = Instant::now() + tick;
            while !state.closed && Instant::now() < next {
                let left = next.saturating_duration_since(Instant::now());
                let waited = self.changed.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            frame += 1;
            let mut line = String::new();
            for running in &state.running {
                let log = lock(&running.log);
                let last = log.trim_end().rsplit('\n').next().unwrap_or_default();
                let last: String = last.trim().chars().take(70).collect();
                let elapsed = clock(running.start.elapsed().as_secs_f64());
                let separator = if line.is_empty() { "" } else { "  |  " };
                write!(line, "{separator}{} {elapsed} {last}", running.name)
                    .expect("writing to memory cannot fail");
            }
            if line.is_empty() || state.closed {
                continue;
            }
            let mut stderr = std::io::stderr().lock();
            // As in `print`.
            let _ = if self.is_terminal {
                let line: String = line.chars().take(150).collect();
                write!(stderr, "\r\x1b[2K{} {line}", FRAMES[frame % FRAMES.len()])
            } else {
                writeln!(stderr, "… {line}")
            };
        }
    }
}

/// Minutes and seconds.
pub(crate) fn clock(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

fn collect(output: impl Read, log: &Mutex<String>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while reader
        .read_until(b'\n', &mut line)
        .is_ok_and(|bytes| bytes > 0)
    {
        lock(log).push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
}

/// The line in which a test runner says how many tests passed.
fn note(log: &str) -> Option<String> {
    let summary =
        |line: &&str| line.contains("tests run:") || line.trim_start().starts_with("Tests ");
    let line = log.lines().rev().find(summary)?;
    let start = line
        .find("tests run:")
        .map_or(0, |at| line[..at].rfind(']').map_or(0, |end| end + 1));
    Some(
        line[start..]
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
    )
}

fn describe(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    if let Some(name) = text.rsplit('/').next() {
        text = name.to_owned();
    }
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Locks what a panicking step may have left behind: the display must go on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
