//! Faults of servers, wires, clients, disks and people: after each the proxy serves as before, has no session,
//! socket or memory left over from it, and a record of all that was shown, with its end.
//!
//! Once, or as often as PGPURPOSE_TEST_FAULTS says; then memory must have stopped growing as well.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

#[path = "../common/mod.rs"]
mod common;
mod relay;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use common::Cluster;
use common::proxy::{Proxy, RULES};
use relay::{Mode, Relay};
use serde_json::Value;

struct World {
    cluster: Cluster,
    relay: Relay,
    proxy: Proxy,
    /// Open files and sockets of a proxy that nobody uses.
    at_rest: usize,
}

/// A name and what happens.
type Fault = (&'static str, fn(&World));

const FAULTS: [Fault; 11] = [
    ("a server process is killed", killed),
    ("a server process stands still", stopped),
    ("the server is frozen", frozen),
    ("the server is slow", slow),
    ("the wire breaks within a row", reset),
    ("a client vanishes within a result", vanished_reading),
    ("a client vanishes before its result", vanished_waiting),
    ("clients stop in the middle of what they say", half_open),
    ("many clients come at once", crowd),
    ("a client does not read", unread),
    ("rules are broken while they are in force", broken_rules),
];

/// A client of the protocol, as bare as can be, and how many rows it saw the beginning of.
struct Client(TcpStream, u64);

impl Client {
    /// Logged in; or why not.
    fn connect(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut client = Self(stream, 0);
        let body = b"\0\x03\0\0user\0app\0database\0postgres\0\0";
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        client
            .0
            .write_all(&[&length, body.as_slice()].concat())
            .map_err(|error| error.to_string())?;
        client.answer().map(|_| client)
    }

    fn send(&mut self, sql: &str) {
        let length = u32::try_from(sql.len() + 5).unwrap().to_be_bytes();
        // Who has hung up meanwhile shows when the answer is read.
        let _ = self
            .0
            .write_all(&[b"Q", length.as_slice(), sql.as_bytes(), b"\0"].concat());
    }

    /// How many bytes of rows came until ReadyForQuery; or the error, or the end.
    fn answer(&mut self) -> Result<usize, String> {
        let (mut rows, mut error) = (0, None);
        loop {
            let mut header = [0; 5];
            match self.0.read_exact(&mut header) {
                Ok(()) => {}
                Err(ended) => return Err(error.unwrap_or_else(|| ended.to_string())),
            }
            self.1 += u64::from(header[0] == b'D');
            let length = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4;
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).map_err(|ended| ended.to_string())?;
            match header[0] {
                b'D' => rows += length,
                b'E' => error = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                b'Z' => return error.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    fn ask(&mut self, sql: &str) -> Result<usize, String> {
        self.send(sql);
        self.answer()
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

impl World {
    fn start() -> Self {
        let cluster = Cluster::start();
        cluster.psql("postgres", "postgres", "CREATE ROLE app LOGIN");
        let relay = Relay::start(cluster.port());
        let upstream = format!("postgres://127.0.0.1:{}", relay.port);
        // Long enough for the last of a crowd.
        let login = if std::env::var_os("PGPURPOSE_TEST_FAULTS").is_some() {
            "30"
        } else {
            "10"
        };
        let patience = [
            "--login-timeout",
            login,
            "--connect-timeout",
            "10",
            "--max-unauthenticated",
            "0",
        ];
        let proxy = Proxy::start("faults", &upstream, &patience);
        let mut world = Self {
            cluster,
            relay,
            proxy,
            at_rest: 0,
        };
        world.serves();
        until("nobody is there", || world.backends() == "0");
        world.at_rest = world.proxy.descriptors();
        world
    }

    fn client(&self) -> Client {
        Client::connect(self.proxy.port).expect("logged in")
    }

    /// Somebody is served, at last.
    fn serves(&self) {
        until("served", || {
            Client::connect(self.proxy.port).is_ok_and(|mut client| client.ask("SELECT 1").is_ok())
        });
    }

    /// Sessions of clients in the server, unless it is just coming back.
    fn backends(&self) -> String {
        let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
        self.cluster.try_psql("postgres", "postgres", count).stdout
    }

    /// Nothing is left over.
    fn settles(&self, after: &str) {
        self.serves();
        until(&format!("nobody is there after: {after}"), || self.backends() == "0");
        until(&format!("all is closed after: {after}"), || {
            self.proxy.descriptors() <= self.at_rest
        });
    }

    fn records(&self) -> Vec<Value> {
        let journal = std::fs::read_to_string(self.proxy.path("audit.jsonl")).unwrap();
        journal
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Sends a signal to the server process that runs this statement.
fn signal(world: &World, name: &str, part: &str) -> String {
    let running = format!("SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND query LIKE '%{part}%'");
    let mut pid = String::new();
    until("the statement runs", || {
        pid = world.cluster.try_psql("postgres", "postgres", &running).stdout;
        !pid.is_empty()
    });
    assert!(
        Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap()
            .success()
    );
    pid
}

fn stopped(world: &World) {
    let mut client = world.client();
    client.send("SELECT count(*) FROM generate_series(1, 3000000)");
    let pid = signal(world, "STOP", "generate_series");
    for _ in 0..20 {
        world.serves(); // others are
    }
    assert!(
        Command::new("kill")
            .args(["-s", "CONT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(client.answer().map(|rows| rows > 0), Ok(true), "it was only late");
}

fn killed(world: &World) {
    let mut client = world.client();
    client.send("SELECT count(*) FROM generate_series(1, 100000000000)");
    signal(world, "KILL", "generate_series");
    let told = client.answer().unwrap_err();
    assert!(told.contains("FATAL"), "{told}");
}

fn frozen(world: &World) {
    let mut waiting = world.client();
    world.relay.set(Mode::Freeze);
    waiting.send("SELECT 1");
    let told = Client::connect(world.proxy.port).err().expect("nobody logs in");
    assert!(told.contains("FATAL") || told.contains("fill"), "{told}");
    world.relay.set(Mode::Pass);
    assert_eq!(waiting.answer().map(|rows| rows > 0), Ok(true), "it was only late");
}

fn slow(world: &World) {
    world.relay.set(Mode::Slow);
    let rows = world
        .client()
        .ask("SELECT repeat('x', 1000) FROM generate_series(1, 200)");
    world.relay.set(Mode::Pass);
    assert!(rows.unwrap() > 200_000, "all of it");
}

fn reset(world: &World) {
    let mut client = world.client();
    world.relay.set(Mode::Cut(250_000));
    let told = client.ask("SELECT repeat('x', 100000) FROM generate_series(1, 5) /*reason='reset'*/");
    world.relay.set(Mode::Pass);
    assert!(told.is_err(), "what cannot be said within a row is said by hanging up");
    // No row left before its record was written; that it failed may be told before.
    let mut id = Value::Null;
    until("it is recorded", || {
        let records = world.records();
        let record = records.iter().rfind(|record| record["reason"] == "reset");
        id = record.map(|record| record["id"].clone()).unwrap_or_default();
        !id.is_null()
    });
    let mut end = Value::Null;
    until("its end is recorded", || {
        end = world
            .records()
            .into_iter()
            .rfind(|record| record["of"] == id)
            .unwrap_or_default();
        !end.is_null()
    });
    assert_eq!(end["sqlstate"], "08006", "{end}");
    let rows = end["rows"].as_u64().unwrap();
    assert!((client.1..=3).contains(&rows), "{rows} rows, {} seen", client.1);
}

fn vanished_reading(world: &World) {
    let mut client = world.client();
    client.send("SELECT generate_series(1, 100000000000)");
    client.0.read_exact(&mut [0; 100_000]).unwrap();
}

fn vanished_waiting(world: &World) {
    world.client().send("SELECT count(*) FROM generate_series(1, 3000000)");
}

fn half_open(world: &World) {
    let silent = TcpStream::connect(("127.0.0.1", world.proxy.port)).unwrap();
    let mut stuttering = TcpStream::connect(("127.0.0.1", world.proxy.port)).unwrap();
    stuttering.write_all(b"\0\0\0\x20\0\x03").unwrap();
    let mut within = world.client();
    within.0.write_all(b"Q\0\0\x10\0SELECT").unwrap();
    // The first two are hung up on when their login takes too long; the third may take its time.
    for mut socket in [silent, stuttering] {
        let _ = socket.read_to_end(&mut Vec::new());
    }
    world.serves();
}

fn crowd(world: &World) {
    let many = if std::env::var_os("PGPURPOSE_TEST_FAULTS").is_some() {
        1000
    } else {
        200
    };
    let served = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..many)
            .map(|_| {
                let one = || Client::connect(world.proxy.port).and_then(|mut client| client.ask("SELECT 1"));
                std::thread::Builder::new()
                    .stack_size(128 << 10)
                    .spawn_scoped(scope, one)
                    .unwrap()
            })
            .collect();
        let answers = threads.into_iter().map(|thread| thread.join().unwrap());
        answers
            .filter(|answer| {
                // What the server itself says to more than it takes.
                assert!(
                    answer.as_ref().err().is_none_or(|told| told.contains("53300")),
                    "{answer:?}"
                );
                answer.is_ok()
            })
            .count()
    });
    assert!(served > 0, "some are served");
}

fn unread(world: &World) {
    let before = world.proxy.memory();
    let mut client = world.client();
    client.send("SELECT repeat('x', 1000000) FROM generate_series(1, 200)");
    client.0.read_exact(&mut [0; 100_000]).unwrap();
    for _ in 0..20 {
        world.serves(); // others are
    }
    let grown = world.proxy.memory().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB for what nobody reads");
}

fn broken_rules(world: &World) {
    let rules = world.proxy.path("rules.yaml");
    let reloads = || {
        world
            .records()
            .iter()
            .filter(|record| record["event"] == "reload")
            .count()
    };
    let before = reloads();
    std::fs::write(&rules, "version: 1\npurposes: [").unwrap();
    until("they are looked at", || reloads() > before);
    assert_eq!(
        world.records().iter().rfind(|r| r["event"] == "reload").unwrap()["accepted"],
        false
    );
    world.serves();
    std::fs::write(&rules, RULES).unwrap();
    world.proxy.signal("HUP");
    until("they are in force again", || {
        world.records().iter().rfind(|r| r["event"] == "reload").unwrap()["accepted"] == true
    });
}

/// Somebody puts another file in the audit's place: nobody is served until it is gone.
fn audit_taken(world: &World) -> PathBuf {
    let (path, kept) = (world.proxy.path("audit.jsonl"), world.proxy.path("kept.jsonl"));
    let mut client = world.client();
    std::fs::rename(&path, &kept).unwrap();
    std::fs::write(&path, "").unwrap();
    let told = client.ask("SELECT 1").unwrap_err();
    assert!(told.contains("audit_unavailable"), "{told}");
    std::fs::remove_file(&path).unwrap();
    world.serves();
    kept
}

fn ends_are_recorded(records: &[Value]) -> bool {
    let mut ends: HashMap<&str, usize> = HashMap::new();
    for record in records.iter().filter(|record| record["event"] == "completed") {
        *ends.entry(record["of"].as_str().unwrap()).or_default() += 1;
    }
    let mut statements = records
        .iter()
        .filter(|record| record["event"] == "statement" && record["outcome"] == "allow");
    statements.all(|statement| ends.get(statement["id"].as_str().unwrap()) == Some(&1))
}

#[test]
fn nothing_is_left_over_of_a_fault() {
    let rounds: usize = std::env::var("PGPURPOSE_TEST_FAULTS").map_or(1, |rounds| rounds.parse().unwrap());
    let world = World::start();
    let mut memory = Vec::new();
    for _ in 0..rounds {
        for (name, fault) in FAULTS {
            fault(&world);
            world.settles(name);
        }
        memory.push(world.proxy.memory());
    }
    println!("{rounds} rounds, KiB after each: {memory:?}");
    if let ([_, _, ..], Some(half), Some(last)) = (&memory[..], memory.get(rounds / 2), memory.last()) {
        assert!(*last < half + (16 << 10), "memory grows: {memory:?}");
    }
    // The last ends are written behind the sessions' own.
    until("each statement has its end, once", || {
        ends_are_recorded(&world.records())
    });
    let kept = audit_taken(&world);
    let verified = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
        .args(["audit", "verify"])
        .arg(kept)
        .arg(world.proxy.path("audit.jsonl"))
        .output()
        .unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}
