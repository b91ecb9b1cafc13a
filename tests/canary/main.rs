//! No literal, parameter, row value, alias or made-up name is in the journal, a sink, a page, the metrics, or
//! the log at its most talkative: canaries are put wherever a client can put one, and looked for everywhere.
//!
//! What the record holds of a client's own words by design (purpose, reason, actor, application, role, database,
//! the known tags) has a word of its own here, which must stand in its field and nowhere else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod clients;
#[path = "../common/mod.rs"]
mod common;
mod listeners;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Cluster;

const CANARY: &[u8] = b"canary";

const SCHEMA: &str = "
CREATE ROLE app LOGIN PASSWORD 'canarypassword';
CREATE TABLE customers (id int PRIMARY KEY, name text, email text UNIQUE, note text);
INSERT INTO customers SELECT n, 'canaryname' || n, 'canary' || n || '@example.com', 'canarynote' FROM generate_series(1, 5) n;
CREATE FUNCTION speak(text) RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN RAISE NOTICE 'canarynotice %', $1; RETURN $1; END $$;
GRANT ALL ON customers TO app;
";

const RULES: &str = "
version: 1
contact: privacy@example.com
purposes:
  care: {reason: required}
  emergency: {reason: required, break_glass: {max_minutes: 30}}
  plain: {}
data_categories:
  system: {sensitivity: none}
  user: {sensitivity: personal, other_purpose: allow}
  user.contact.email: {mask: {email: {}}}
roles: {app: {purposes: [care, emergency, plain], default_purpose: plain}}
functions: {allow: ['public.speak(text)']}
tables:
  public.customers:
    data_subject: {key: id}
    collected_for: [care, emergency, plain]
    columns: {id: system, name: user, email: user.contact.email, note: user}
release:
  - {purposes: [plain], data_categories: [user], as: raw}
  - {purposes: [care], data_categories: [user.contact.email], as: {mask: {}}}
writes:
  - {purposes: [plain], tables: [public.customers], allow: [insert, update, delete]}
";

/// COPY with data, sound and not.
const COPIES: [&str; 2] = [
    "COPY customers (id, name, email, note) FROM STDIN;\n7\tcanarycopied\tcanary@x\tcanarynote\n\\.\n",
    "COPY customers (id, name, email, note) FROM STDIN;\ncanaryid\tcanarycopied\t\\N\n\\.\n",
];

struct Proxy {
    process: Child,
    port: u16,
    /// The admin face: its address and token.
    admin: (String, String),
    printed: std::thread::JoinHandle<Vec<u8>>,
}

fn start(cluster: &Cluster, folder: &Path, sinks: &[String]) -> Proxy {
    let mut process = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--audit-to",
            &sinks.join(","),
            "--upstream",
        ])
        .arg(format!("postgres://127.0.0.1:{}", cluster.port()))
        .arg("--rules")
        .arg(folder.join("rules.yaml"))
        .arg("--audit")
        .arg(folder.join("audit.jsonl"))
        .env("PGPURPOSE_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    let mut admin = (String::new(), String::new());
    let port = loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it listens");
        if let Some((_, url)) = line.split_once("audit page on http://") {
            admin.0 = url.trim().trim_end_matches('/').to_owned();
        }
        if let Some((_, token)) = line.split_once("audit page token ") {
            admin.1 = token.trim().to_owned();
        }
        if let Some((_, address)) = line.split_once("listening on ") {
            break address.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        }
    };
    let printed = std::thread::spawn(move || {
        let mut rest = Vec::new();
        lines.read_to_end(&mut rest).unwrap();
        rest
    });
    Proxy {
        process,
        port,
        admin,
        printed,
    }
}

fn holds(haystack: &[u8], needle: &[u8]) -> Option<String> {
    let at = haystack
        .windows(needle.len())
        .position(|window| window.eq_ignore_ascii_case(needle))?;
    let (from, to) = (at.saturating_sub(200), (at + 60).min(haystack.len()));
    Some(String::from_utf8_lossy(&haystack[from..to]).into_owned())
}

#[test]
fn no_canary_is_in_the_journal_a_sink_a_page_or_the_log() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", SCHEMA);
    let folder: PathBuf = std::env::temp_dir().join(format!("pgpurpose-words-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
    let collected = Arc::default();
    let syslog = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sinks = [
        "stdout".to_owned(),
        format!("ocsf:file:{}", folder.join("ocsf").display()),
        format!("syslog+udp://{}", syslog.local_addr().unwrap()),
        listeners::collector(&collected),
    ];
    let mut proxy = start(&cluster, &folder, &sinks);
    let received = std::thread::spawn(move || {
        syslog.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        while let Ok(read) = syslog.recv(&mut buffer) {
            all.extend_from_slice(&buffer[..read]);
            if buffer[..read].windows(8).any(|window| window == b" stop - ") {
                break;
            }
        }
        all
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(clients::work(proxy.port));
    drop(runtime);
    clients::bare(proxy.port);
    for copied in COPIES {
        common::psql_at(proxy.port, "postgres", "app", copied);
    }
    let pages = listeners::pages(&proxy.admin.0, &proxy.admin.1);
    let stories = pages.keys().filter(|path| path.starts_with("/events/")).count();
    assert!(stories > 50, "{stories} events are told of");
    for path in [
        "/", "/refused", "/gaps", "/rules", "/changes", "/log", "/report", "/metrics", "/healthz", "/readyz",
    ] {
        assert!(pages.contains_key(path), "{path} was looked at");
    }
    let ended = Command::new("kill")
        .arg(proxy.process.id().to_string())
        .status()
        .unwrap();
    assert!(ended.success());
    let deadline = Instant::now() + Duration::from_secs(60);
    while proxy.process.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let journal = read("audit.jsonl");
    let places = [
        ("journal", journal.clone()),
        ("stdout", proxy.printed.join().unwrap()),
        ("ocsf", read("ocsf")),
        ("syslog", received.join().unwrap()),
        ("otlp", collected.lock().unwrap().clone()),
        ("log", read("log")),
    ];
    for (place, bytes) in &places {
        let least = if *place == "log" { 100 } else { 1000 }; // at its most talkative it says little
        assert!(bytes.len() > least, "{place} has {} bytes", bytes.len());
        if let Some(around) = holds(bytes, CANARY) {
            panic!("a canary is in {place}: {around}");
        }
    }
    for (path, bytes) in &pages {
        if let Some(around) = holds(bytes, CANARY) {
            panic!("a canary is on {path}: {around}");
        }
    }
    // The client's words stand in their fields, each at least once, and nowhere else.
    let own = ["/metrics", "/healthz", "/readyz"].map(|path| (path, &pages[path]));
    for (place, bytes) in own.into_iter().chain([("log", &read("log"))]) {
        assert_eq!(holds(bytes, b"word"), None, "{place}");
    }
    let words = ["purpose", "reason", "actor", "application", "role", "database"];
    let mut found = BTreeSet::new();
    for line in String::from_utf8(journal).unwrap().lines() {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        for field in words {
            let is_word = record[field].as_str().is_some_and(|text| text.starts_with("word"));
            if is_word {
                found.insert(field);
                record[field] = serde_json::Value::Null;
            }
        }
        record["tags"] = serde_json::Value::Null;
        let rest = record.to_string();
        assert!(!rest.contains("word"), "{rest}");
    }
    assert_eq!(found, words.into(), "the record has them");
    std::fs::remove_dir_all(folder).unwrap();
}
