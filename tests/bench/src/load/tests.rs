use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::echo::Echo;
use super::fan_out::fan_out;
use super::{Gate, measure, pump};
use crate::clock::ProcessClock;

/// Bytes of every message in these tests.
const BYTES: usize = 16;

/// Accepts `count` connections and hands them to `serve`.
fn server(count: usize, serve: impl FnOnce(Vec<TcpStream>) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        serve((0..count).map(|_| listener.accept().unwrap().0).collect());
    });
    address
}

/// Echoes, but for messages of which `keep` says no. Ends when the client does.
fn echo(mut stream: TcpStream, keep: impl Fn(u32) -> usize) {
    let mut message = [0; BYTES];
    for number in 0.. {
        if stream.read_exact(&mut message).is_err() {
            return;
        }
        for _ in 0..keep(number) {
            stream.write_all(&message).unwrap();
        }
    }
}

fn itself() -> ProcessClock {
    ProcessClock::new(std::process::id())
}

#[test]
fn every_request_of_a_pump_is_answered_once() {
    let address = server(3, |streams| {
        for stream in streams {
            std::thread::spawn(move || echo(stream, |_| 1));
        }
    });
    let lanes = Echo::lanes(address, 3).unwrap();
    let gate = Gate::default();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| pump(lanes, 5, Echo::new(BYTES), &gate));
        let window = measure(&gate, itself(), 0.2).unwrap();
        let pumped = load.join().unwrap().unwrap();
        let answered: u32 = pumped.answered.iter().sum();
        assert!(u64::from(answered) >= window.ops && window.ops > 0);
        assert!(pumped.latency.len() <= u64::from(answered));
        assert!(pumped.answered.iter().all(|count| *count >= 5));
    });
}

#[test]
fn an_answer_that_comes_twice_fails_the_pump() {
    let address = server(1, |mut streams| {
        echo(streams.remove(0), |number| 1 + usize::from(number == 7));
    });
    let lanes = Echo::lanes(address, 1).unwrap();
    let gate = Gate::default();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| pump(lanes, 1, Echo::new(BYTES), &gate));
        let window = measure(&gate, itself(), 30.0);
        assert!(window.is_err(), "the measuring thread did not hear of it");
        let error = load.join().unwrap().err().unwrap().to_string();
        assert!(error.contains("answered"), "{error}");
    });
}

/// A writer and two subscribers; the second gets `copies(number)` of each message.
fn fan_out_to_two(copies: impl Fn(u32) -> usize + Send + 'static) -> anyhow::Result<u32> {
    let address = server(3, move |mut streams| {
        let mut message = [0; BYTES];
        for number in 0.. {
            if streams[0].read_exact(&mut message).is_err() {
                return;
            }
            // Closed by a client that has seen enough.
            let _ = streams[1].write_all(&message);
            for _ in 0..copies(number) {
                let _ = streams[2].write_all(&message);
            }
        }
    });
    let mut lanes = Echo::lanes(address, 3)?;
    let writer = (lanes.remove(0), Echo::new(BYTES));
    let gate = Gate::default();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| fan_out(writer, lanes, 2, Echo::new(BYTES), &gate));
        let window = measure(&gate, itself(), 0.2);
        let delivered = load.join().unwrap()?;
        assert!(window?.ops > 0);
        Ok(delivered.transactions)
    })
}

#[test]
fn a_fan_out_reaches_every_subscriber() {
    assert!(fan_out_to_two(|_| 1).unwrap() > 2);
}

#[test]
fn a_row_that_comes_twice_or_not_at_all_fails_the_fan_out() {
    for bad in [0, 2] {
        let outcome = fan_out_to_two(move |number| if number == 3 { bad } else { 1 });
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("subscriber 1 got transaction"), "{error}");
    }
}
