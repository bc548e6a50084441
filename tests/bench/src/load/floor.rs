//! Servers that do nothing: what the sockets alone cost, measured as the real server is.
//!
//! They run in their own process (`syncline-bench floor-echo` and `floor-fan-out`), one thread each,
//! and print the address they listen on.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use super::{Traffic, echo::Echo, histogram};
use crate::clock::ProcessClock;
use crate::socket::{Lane, READ_BYTES};

const LISTENER: Token = Token(usize::MAX);

/// A floor server as a child process; stopped when it is dropped.
pub(crate) struct Floor {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) clock: ProcessClock,
}

impl Floor {
    /// Starts `syncline-bench <name>`.
    pub(crate) fn start(name: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().expect("stdout is piped");
        let clock = ProcessClock::new(child.id());
        // From here on Drop ends the child, whatever fails.
        let mut floor = Self {
            child,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            clock,
        };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        floor.address = line
            .trim()
            .parse()
            .context("the floor printed no address")?;
        Ok(floor)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed: echoes. With `fan_out`, what the first connection sends goes to all
/// others instead.
pub(crate) fn serve(fan_out: bool) -> Result<()> {
    // Its parent holds the other end: if that dies without a word, so do we.
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    listener.set_nonblocking(true)?;
    let mut listener = mio::net::TcpListener::from_std(listener);
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut lanes: Vec<Option<Lane>> = Vec::new();
    let mut events = Events::with_capacity(1024);
    let mut scratch: Box<[u8; READ_BYTES]> = vec![0; READ_BYTES]
        .try_into()
        .expect("the length is that of the array");
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut lanes)?;
                continue;
            }
            let token = event.token().0;
            let Some(lane) = &mut lanes[token] else {
                continue;
            };
            if event.is_writable() {
                lane.flush()?;
            }
            if event.is_readable() {
                if lane.read(&mut scratch).is_err() {
                    lanes[token] = None;
                    continue;
                }
                let bytes = whole_messages(lane)?;
                if fan_out && token == 0 {
                    for lane in lanes.iter_mut().skip(1).flatten() {
                        lane.output.extend_from_slice(&bytes);
                        lane.flush()?;
                    }
                } else {
                    lane.output.extend_from_slice(&bytes);
                    lane.flush()?;
                }
            }
        }
    }
}

fn accept(
    listener: &mio::net::TcpListener,
    poll: &Poll,
    lanes: &mut Vec<Option<Lane>>,
) -> Result<()> {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nodelay(true)?;
        let mut lane = Lane::new(stream.into(), Vec::new(), [0; 4])?;
        lane.register(poll.registry(), lanes.len())?;
        lanes.push(Some(lane));
    }
    Ok(())
}

/// Takes all complete messages off the input.
fn whole_messages(lane: &mut Lane) -> Result<Vec<u8>> {
    let mut echo = Echo::new(0);
    let mut end = 0;
    while let Some((len, _)) = echo.take(0, &lane.input()[end..])? {
        end += len;
    }
    let bytes = lane.input()[..end].to_vec();
    lane.consume(end);
    Ok(bytes)
}

/// The floor of a lone confirmed transaction: nanoseconds of one small write and fdatasync each, into
/// a file of zeros on the same filesystem.
pub(crate) fn lone_sync(folder: &Path, seconds: f64) -> Result<Histogram<u64>> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&vec![0; 4 << 20])?;
    file.sync_all()?;
    let start = Instant::now();
    let mut histogram = histogram();
    let mut at = 0;
    while start.elapsed().as_secs_f64() < seconds {
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(at))?;
        let begin = Instant::now();
        file.write_all(&[0xa5; 128])?;
        file.sync_data()?;
        histogram.record(begin.elapsed().as_nanos() as u64)?;
        at = (at + 128) % (4 << 20);
    }
    if histogram.is_empty() {
        bail!("no sync in {seconds} s");
    }
    Ok(histogram)
}
