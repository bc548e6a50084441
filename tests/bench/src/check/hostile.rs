//! The bad inputs. Each fails unless the server reacts as it should, and returns how it did.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use syncline_protocol::message::{
    ClientMessage, Delivery, Hello, Query, QueryForm, ServerMessage, Subscribe,
};
use syncline_protocol::{Value, limits};

use crate::bank::{Accounts, Bank};
use crate::server::Server;
use crate::socket::{Link, Target, frame};

/// One kind of bad input.
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) run: fn(&Server, &Target) -> Result<String>,
}

/// Against sockets, codecs and parsers.
pub(super) const ON_SERVER: &[Attack] = &[
    Attack {
        name: "random bytes as HTTP",
        run: random_http,
    },
    Attack {
        name: "random bytes as frames",
        run: random_frames,
    },
    Attack {
        name: "random bytes as messages",
        run: random_messages,
    },
    Attack {
        name: "random bytes as wasm",
        run: random_wasm,
    },
    Attack {
        name: "random bytes as token",
        run: random_tokens,
    },
    Attack {
        name: "random text as SQL",
        run: random_sql,
    },
    Attack {
        name: "frames that are too large",
        run: oversize_frames,
    },
    Attack {
        name: "clients that never say Hello",
        run: never_hello,
    },
    Attack {
        name: "a client that never reads",
        run: never_reads,
    },
];

/// Through reducers of the module `scripted`.
pub(super) const ON_MODULE: &[Attack] = &[
    Attack {
        name: "a reducer that loops",
        run: |_, t| call(t, "loop_forever", &[], "CALL_DEADLINE"),
    },
    Attack {
        name: "a reducer that scans for ever",
        run: |_, t| call(t, "scan_forever", &[], "CALL_DEADLINE"),
    },
    Attack {
        name: "a reducer that allocates",
        run: |_, t| {
            call(
                t,
                "allocate_forever",
                &[],
                "CALL_LIMIT REDUCER_TRAP REDUCER_PANIC",
            )
        },
    },
    Attack {
        name: "a reducer that recurses",
        run: |_, t| call(t, "recurse_forever", &[], "REDUCER_TRAP"),
    },
    Attack {
        name: "a reducer that panics",
        run: panics,
    },
    Attack {
        name: "a reducer that writes too much",
        run: writes_too_much,
    },
];

const TRIES: usize = 50;
const REACTION_MAX: Duration = Duration::from_secs(20);

fn random_bytes(random: &mut Accounts, len_max: u64) -> Vec<u8> {
    (0..=random.next() % len_max)
        .map(|_| random.next() as u8)
        .collect()
}

/// Collects codes; every try must give one.
fn codes(mut each: impl FnMut(&mut Accounts) -> Result<String>) -> Result<String> {
    let mut random = Accounts::new(7);
    let codes = (0..TRIES)
        .map(|_| each(&mut random))
        .collect::<Result<BTreeSet<_>>>()?;
    Ok(codes.into_iter().collect::<Vec<_>>().join(" "))
}

fn random_http(_: &Server, target: &Target) -> Result<String> {
    codes(|random| {
        let mut stream = std::net::TcpStream::connect(target.address)?;
        stream.set_read_timeout(Some(REACTION_MAX))?;
        let mut bytes = random_bytes(random, 4000);
        bytes.extend_from_slice(b"\r\n\r\n");
        // The server may answer and close before it has all of it.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => bail!("no answer to {} bytes of noise: {error}", bytes.len()),
        }
        let line = String::from_utf8_lossy(&answer);
        Ok(line.split(' ').nth(1).unwrap_or("closed").to_owned())
    })
}

fn random_frames(_: &Server, target: &Target) -> Result<String> {
    codes(|random| {
        let mut link = Link::silent(target)?;
        let mut bytes = random_bytes(random, 4000);
        // A first byte with a reserved bit: noise that could be a frame would wait for its rest.
        bytes[0] |= 0x70;
        let _ = link.send_bytes(&bytes);
        link.reaction(REACTION_MAX)
    })
}

fn random_messages(_: &Server, target: &Target) -> Result<String> {
    codes(|random| {
        let mut link = Link::open(target)?;
        let mut out = Vec::new();
        frame::put(
            frame::BINARY,
            &random_bytes(random, 4000),
            [1, 2, 3, 4],
            &mut out,
        );
        // And noise in the shape of a message.
        let mut message = vec![0x92, (random.next() % 10) as u8];
        message.extend(random_bytes(random, 200));
        frame::put(frame::BINARY, &message, [5, 6, 7, 8], &mut out);
        frame::put(frame::TEXT, b"{", [9, 9, 9, 9], &mut out);
        let _ = link.send_bytes(&out);
        link.reaction(REACTION_MAX)
    })
}

fn random_wasm(server: &Server, _: &Target) -> Result<String> {
    codes(|random| {
        let mut wasm = random_bytes(random, 20_000);
        if random.next().is_multiple_of(2) {
            wasm.splice(..0, *b"\0asm\x01\0\0\0");
        }
        let (status, body) = server.publish_bytes(Bank::MODULE, &wasm)?;
        ensure!(
            (400..500).contains(&status),
            "noise was published: {status} {body}"
        );
        error_code(&body)
    })
}

fn random_tokens(_: &Server, target: &Target) -> Result<String> {
    codes(|random| {
        let mut link = Link::silent(target)?;
        let noise = random_bytes(random, 300);
        let token: String = noise
            .iter()
            .map(|byte| char::from(b'-' + byte % 78))
            .collect();
        let token = if random.next().is_multiple_of(2) {
            token
        } else {
            format!("eyJhbGciOiJub25lIn0.{token}.")
        };
        let delivery = Delivery::Confirmed;
        link.send(&ClientMessage::Hello(Hello {
            token: Some(token.into()),
            delivery,
            ..Hello::default()
        }))?;
        let reaction = link.reaction(REACTION_MAX)?;
        ensure!(reaction == "BAD_TOKEN", "noise as a token gives {reaction}");
        Ok(reaction)
    })
}

/// Noise, a salad of words, or a good query with a word or two exchanged.
fn bad_sql(random: &mut Accounts) -> String {
    const GOOD: &str =
        "SELECT id , balance FROM account WHERE id = 1 AND balance < 2 ORDER BY id LIMIT 3";
    const WORDS: [&str; 26] = [
        "SELECT", "*", "FROM", "account", "WHERE", "id", "=", "1", "AND", "(", ")", "OR", "NOT",
        "'x'", ",", "ORDER", "BY", "LIMIT", ":p", "JOIN", "balance", "<", "--", ";", "nobody",
        "1e99",
    ];
    let word = |random: &mut Accounts| WORDS[random.next() as usize % WORDS.len()];
    match random.next() % 4 {
        0 => String::from_utf8_lossy(&random_bytes(random, 2000)).into_owned(),
        1 => {
            let words: Vec<_> = (0..random.next() % 60).map(|_| word(random)).collect();
            format!("SELECT {}", words.join(" "))
        }
        _ => {
            let mut words: Vec<_> = GOOD.split(' ').collect();
            for _ in 0..=random.next() % 2 {
                let place = random.next() as usize % words.len();
                words[place] = word(random);
            }
            words.join(" ")
        }
    }
}

fn random_sql(server: &Server, target: &Target) -> Result<String> {
    let mut link = Link::open(target)?;
    let reactions = codes(|random| {
        let id = link.fresh_id();
        let sql = QueryForm::Sql(bad_sql(random).into());
        link.send(&if random.next().is_multiple_of(2) {
            ClientMessage::Query(Query {
                id,
                sql,
                params: Vec::new(),
            })
        } else {
            ClientMessage::Subscribe(Subscribe {
                id,
                sql,
                params: Vec::new(),
            })
        })?;
        loop {
            match link.receive()? {
                ServerMessage::Reply(reply) if reply.id == id => {
                    return Ok(reply
                        .error
                        .map_or_else(|| "answered".into(), |error| error.code));
                }
                ServerMessage::Rows(rows) if rows.id == id && rows.last => {
                    return Ok("answered".into());
                }
                ServerMessage::Snapshot(rows) if rows.id == id && rows.last => {
                    return Ok("answered".into());
                }
                ServerMessage::Error(message) => {
                    bail!("SQL ended the connection: {}", message.error)
                }
                _ => {}
            }
        }
    })?;
    // Deep nesting, which a parser that recurses would feel.
    let deep = format!(
        "SELECT * FROM account WHERE {}id = 1{}",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    let path = format!("/v1/databases/{}/query", target.database);
    let (status, body) = server.post(&path, &serde_json::json!({ "sql": deep }))?;
    ensure!(
        (400..500).contains(&status),
        "deep nesting gives {status} {body}"
    );
    Ok(format!("{reactions}; deep: {}", error_code(&body)?))
}

fn oversize_frames(_: &Server, target: &Target) -> Result<String> {
    let mut link = Link::open(target)?;
    // The length of the announcement is all that is sent.
    let mut head = vec![0x82, 0xff];
    head.extend_from_slice(&(1_u64 << 40).to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    link.send_bytes(&head)?;
    let announced = link.reaction(REACTION_MAX)?;
    let mut link = Link::open(target)?;
    let mut out = Vec::new();
    frame::put(
        frame::BINARY,
        &vec![0x92; limits::FRAME_BYTES_MAX + 1],
        [1, 1, 1, 1],
        &mut out,
    );
    // The server may close before it has all of it.
    let _ = link.send_bytes(&out);
    let sent = link.reaction(REACTION_MAX)?;
    Ok(format!("announced: {announced}; sent: {sent}"))
}

fn never_hello(_: &Server, target: &Target) -> Result<String> {
    let start = Instant::now();
    let mut links = (0..TRIES)
        .map(|_| Link::silent(target))
        .collect::<Result<Vec<_>>>()?;
    let patience = Duration::from_millis(limits::HELLO_MS_MAX) + REACTION_MAX;
    let codes = links.iter_mut().map(|link| link.reaction(patience));
    let codes = codes.collect::<Result<BTreeSet<_>>>()?;
    let codes = codes.into_iter().collect::<Vec<_>>().join(" ");
    Ok(format!(
        "{codes} after {:.1} s",
        start.elapsed().as_secs_f64()
    ))
}

/// More than its outbox and the socket's buffers hold, posted by another connection.
fn never_reads(_: &Server, target: &Target) -> Result<String> {
    let mut slow = Link::open(target)?;
    slow.subscribe(Bank::EVENTS, Vec::new())?;
    let mut writer = Link::open(target)?;
    let schema = writer.schema()?;
    let payload = "x".repeat(64 << 10);
    let count = 3 * limits::OUTBOX_BYTES_MAX / payload.len();
    for number in 0..count {
        let id = (1 << 40) + number as u64;
        let args = [Value::U64(id), Value::String(payload.clone())];
        writer.must_call(&schema, "post", &args)?;
    }
    // Long enough for the server to lose patience with it, then it reads again.
    std::thread::sleep(Duration::from_millis(limits::SLOW_CLIENT_MS_MAX + 1000));
    let mut commits = 0;
    slow.set_patience(REACTION_MAX)?;
    loop {
        match slow.receive() {
            Ok(ServerMessage::Commit(_)) => commits += 1,
            Ok(ServerMessage::Reset(_)) => return Ok(format!("Reset after {commits} Commits")),
            Ok(ServerMessage::Error(message)) => {
                ensure!(message.error.code == "SLOW_CLIENT", "{}", message.error);
                return Ok(format!("SLOW_CLIENT after {commits} Commits"));
            }
            Ok(_) => {}
            Err(error) => {
                ensure!(commits < count, "all {count} Commits were kept for it");
                return Ok(format!("closed after {commits} Commits ({error:#})"));
            }
        }
    }
}

/// The reducer must fail with one of these codes, each of several times.
fn call(target: &Target, reducer: &str, args: &[Value], expected: &str) -> Result<String> {
    let mut link = Link::open(target)?;
    let schema = link.schema()?;
    let mut code = String::new();
    for _ in 0..3 {
        let reply = link.call(&schema, reducer, args)?;
        code = reply
            .error
            .map_or_else(|| "success".into(), |error| error.code);
        ensure!(
            expected.split(' ').any(|one| one == code),
            "{reducer} gave {code}"
        );
    }
    Ok(code)
}

fn panics(_: &Server, target: &Target) -> Result<String> {
    call(
        target,
        "panic_now",
        &[Value::String("on purpose".into())],
        "REDUCER_PANIC",
    )
}

fn writes_too_much(_: &Server, target: &Target) -> Result<String> {
    let rows = limits::CALL_ROWS_MAX as u64 + 1;
    call(
        target,
        "write_many",
        &[Value::U64(rows), Value::U32(1)],
        "CALL_LIMIT CALL_DEADLINE",
    )
}

fn error_code(body: &str) -> Result<String> {
    let json: serde_json::Value = serde_json::from_str(body)?;
    match json["error"]["code"].as_str() {
        Some(code) => Ok(code.to_owned()),
        None => bail!("no code in {body}"),
    }
}
