//! A proxy that is killed at any moment has a record for every row that a client received, and the next
//! one goes on with the chain.
//!
//! Clients speak the protocol on bare sockets, so that a row counts as received when its first byte is
//! there. Each statement carries its own number as its reason, which the record holds. Ten times, or as
//! often as PGPURPOSE_TEST_KILLS says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::Cluster;

const RULES: &str = "
version: 1
purposes: {care: {}}
data_categories: {system: {sensitivity: none}}
roles: {app: {purposes: [care], default_purpose: care}}
unclassified: {table: raw}
writes: [{purposes: [care], tables: [public.notes], allow: [insert]}]
tables: {public.notes: {columns: {'*': system}}}
";
const CLIENTS: usize = 6;

/// Reasons of which a client saw a row.
type Seen = Arc<Mutex<HashSet<String>>>;

fn start(cluster: &Cluster, folder: &Path, durability: &str) -> (Child, u16) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
        .args(["serve", "--listen", "127.0.0.1:0", "--audit-durability", durability])
        .args([
            "--audit-rotate-size",
            "64k",
            "--audit-checkpoint-records",
            "50",
            "--upstream",
        ])
        .arg(format!("postgres://127.0.0.1:{}", cluster.port()))
        .arg("--rules")
        .arg(folder.join("rules.yaml"))
        .arg("--audit")
        .arg(folder.join("audit.jsonl"))
        .arg("--audit-key")
        .arg(folder.join("audit.key"))
        .env("PGPURPOSE_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let port = line.trim().rsplit_once(':').expect("it listens").1.parse().unwrap();
    (process, port)
}

fn message(tag: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    tag.into_iter().chain(length).chain(body.iter().copied()).collect()
}

/// The next message of the server; `None`: it is gone.
fn next(stream: &mut TcpStream) -> Option<u8> {
    let mut header = [0; 5];
    stream.read_exact(&mut header[..1]).ok()?;
    if header[0] == b'D' {
        return Some(b'D'); // its first byte is enough; whoever asks reads on by `rest`
    }
    rest(stream)?;
    Some(header[0])
}

fn rest(stream: &mut TcpStream) -> Option<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()? - 4];
    stream.read_exact(&mut body).ok()
}

/// One client, until the proxy is gone: single statements and pipelines of several, reads and writes.
fn client(port: u16, name: &str, seen: &Seen, answered: &AtomicUsize) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_nodelay(true).ok()?;
    let startup = b"\0\x03\0\0user\0app\0database\0postgres\0\0";
    stream.write_all(&message(None, startup)).ok()?;
    while next(&mut stream)? != b'Z' {}
    for number in 0.. {
        let many = 1 + number % 3;
        let reasons: Vec<String> = (0..many).map(|part| format!("{name}-{number}-{part}")).collect();
        let mut sent = Vec::new();
        for (part, reason) in reasons.iter().enumerate() {
            let sql = match (number + part) % 4 {
                0 => format!("INSERT INTO notes (body) VALUES ('x') RETURNING body /*reason='{reason}'*/"),
                1 => format!("SELECT repeat('y', 20000) FROM generate_series(1, 3) /*reason='{reason}'*/"),
                _ => format!("SELECT 1 /*reason='{reason}'*/"),
            };
            sent.extend(message(Some(b'Q'), format!("{sql}\0").as_bytes()));
        }
        stream.write_all(&sent).ok()?;
        for reason in reasons {
            loop {
                match next(&mut stream)? {
                    b'D' => {
                        seen.lock().unwrap().insert(reason.clone());
                        answered.fetch_add(1, Ordering::Relaxed);
                        rest(&mut stream)?;
                    }
                    b'Z' => break,
                    b'E' => panic!("refused"),
                    _ => {}
                }
            }
        }
    }
    Some(())
}

fn recorded(folder: &Path) -> (HashSet<String>, usize) {
    let files = pgpurpose::audit::reader::with_rotated(&[folder.join("audit.jsonl")]).unwrap();
    let mut reasons = HashSet::new();
    let mut torn = 0;
    for path in files {
        let mut lines = pgpurpose::audit::reader::Lines::open(&path).unwrap();
        while let Some((_, line)) = lines.next_line().unwrap() {
            let pgpurpose::audit::reader::Line::Whole(line) = line else {
                continue; // cut off by the kill; the next start sets it aside
            };
            let value: serde_json::Value = serde_json::from_slice(line).expect("a record");
            if value["event"] == "statement" {
                reasons.insert(value["reason"].as_str().unwrap_or_default().to_owned());
            }
            torn += usize::from(value["cause"] == "torn");
        }
    }
    (reasons, torn)
}

fn verify(folder: &Path) {
    let verified = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
        .args(["audit", "verify"])
        .arg(folder.join("audit.jsonl"))
        .arg("--key")
        .arg(folder.join("audit.pub"))
        .output()
        .unwrap();
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}

#[test]
fn a_killed_proxy_has_a_record_for_every_row_that_a_client_received() {
    let kills: usize = std::env::var("PGPURPOSE_TEST_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE ROLE app LOGIN; CREATE TABLE notes (body text)",
    );
    cluster.psql("postgres", "postgres", "GRANT ALL ON notes TO app");
    let folder: PathBuf = std::env::temp_dir().join(format!("pgpurpose-killed-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
    let key = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
        .args(["audit", "key"])
        .arg(folder.join("audit.key"))
        .output()
        .unwrap();
    std::fs::write(folder.join("audit.pub"), key.stdout).unwrap();
    let seen: Seen = Seen::default();
    for kill in 0..kills {
        let (mut process, port) = start(&cluster, &folder, ["system", "disk"][kill % 2]);
        let answered = AtomicUsize::new(0);
        // Somewhere in the work: after so many rows, which fall at any moment of the other clients.
        let after = 20 + usize::from(rand::random::<u8>());
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (seen, answered) = (&seen, &answered);
                scope.spawn(move || client(port, &format!("{kill}-{number}"), seen, answered));
            }
            while answered.load(Ordering::Relaxed) < after {
                assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
                std::thread::park_timeout(std::time::Duration::from_millis(1));
            }
            process.kill().unwrap(); // SIGKILL
            process.wait().unwrap();
        });
        let (recorded, _) = recorded(&folder);
        let seen = seen.lock().unwrap();
        let missing: Vec<&String> = seen.iter().filter(|reason| !recorded.contains(*reason)).collect();
        assert!(missing.is_empty(), "rows without a record: {missing:?}");
        assert!(seen.len() > kill, "there was work");
    }
    // One more goes on with the chain, and ends in good order.
    let (mut process, _) = start(&cluster, &folder, "disk");
    let ended = Command::new("kill").arg(process.id().to_string()).status().unwrap();
    assert!(ended.success() && process.wait().unwrap().success());
    verify(&folder);
    let (_, torn) = recorded(&folder);
    println!(
        "{kills} kills, {} statements seen, {torn} torn ends",
        seen.lock().unwrap().len()
    );
    std::fs::remove_dir_all(folder).unwrap();
}
