//! The audit from statements to answers: `audit query --follow`, `audit subject` and `audit verify` against a
//! proxy that runs, whose files are rotated and whose rules change meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use std::time::Instant;

use common::Cluster;
use common::proxy::Proxy;
use pgpurpose::audit::checkpoint::Signer;
use pgpurpose::audit::{
    DeclaredVia, Event, Journal, JournalConfig, PolicyStamp, SessionFacts, StatementEvent, SubjectKey,
};
use pgpurpose::pipeline::{Facts, FieldUse, Outcome, Position, SharedFacts};
use pgpurpose::session::keys;
use serde_json::Value;

const SCHEMA: &str = "
CREATE ROLE app LOGIN;
CREATE TABLE customers (id int PRIMARY KEY, name text, note text);
INSERT INTO customers SELECT n, 'name ' || n, 'note' FROM generate_series(1, 50) n;
GRANT ALL ON customers TO app;
";

const RULES: &str = "
version: 1
revision: first
purposes: {care: {}, access: {scope: one_subject}}
data_categories: {system: {sensitivity: none}, user: {sensitivity: personal}, user.health: {}}
roles: {app: {purposes: [care, access], default_purpose: care}}
tables:
  public.customers:
    data_subject: {key: id}
    collected_for: [care]
    columns: {id: system, name: user, note: user.health}
release:
  - {purposes: [care, access], data_categories: [user], as: raw}
";

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// So many people does the long log speak of.
const PEOPLE: usize = 500;

struct Followed {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Followed {
    fn start(proxy: &Proxy, arguments: &[&str]) -> Self {
        let mut process = pgpurpose(proxy, "query", &["--follow", "--format", "json"], arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Waits for the next record.
    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().expect("it goes on").unwrap()).unwrap()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a journal of so many records: statements of a few people, each with its end.
fn long_journal(file: &std::path::Path, records: usize) {
    let mut config = JournalConfig::new(file);
    config.rotate_bytes = 32 << 20;
    config.compress = true;
    config.signer = Some(Signer::from_seed(&[7; 32]));
    let journal = Journal::open(config).unwrap();
    let key = SubjectKey::new(&keys::derive(SECRET.as_bytes(), keys::AUDIT_SUBJECT));
    let client = "10.0.0.7:5".parse().unwrap();
    let session = SessionFacts::new(uuid::Uuid::now_v7(), "support_app", Some("crm"), client, "care");
    let policy = PolicyStamp {
        revision: "2026-11-24".into(),
        sha256: "0".repeat(64),
    };
    let field = |column: &str, category: &str| FieldUse {
        column: format!("care.customers.{column}"),
        data_category: Some(category.into()),
        position: Position::Output,
        form: "raw",
        condition: None,
        rule: None,
    };
    let facts = |fields| {
        SharedFacts::from(Facts {
            outcome: Outcome::Allow,
            statement: Some("SELECT full_name, email FROM care.customers WHERE customer_id = $1".into()),
            fingerprint: Some("0123456789abcdef".into()),
            fields,
            ..Facts::unread()
        })
    };
    let usual = facts(vec![
        field("full_name", "user.name"),
        field("email", "user.contact.email"),
    ]);
    let health = facts(vec![field("health_note", "user.health_and_medical")]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in 0..records / 2 {
        let event = StatementEvent {
            session: &session,
            actor: Some("agent-17"),
            purpose: Some("care.support"),
            declared_via: Some(DeclaredVia::Comment),
            reason: None,
            admitted: true,
            legal_basis: None,
            recipient: None,
            subject: Some(key.hash(&(number % PEOPLE).to_string())),
            subjects: &[],
            cursor_of: None,
            trace: None,
            tags: &[],
            facts: if number % 1000 == 0 { &health } else { &usual },
            policy: &policy,
        };
        let (_, ticket) = journal.refuse(&event).unwrap();
        journal.note(Event::Completed {
            of: ticket.id(),
            rows: 1,
            bytes: 120,
            duration_us: 800,
            sqlstate: None,
            groups_left_out: None,
        });
        if number % 500 == 0 {
            runtime.block_on(journal.written(ticket)).unwrap();
        }
    }
    journal.close();
}

/// As many as PGPURPOSE_TEST_EVENTS says; it prints how long each command takes.
#[test]
fn a_long_log_is_searched_reported_and_verified() {
    let records: usize = std::env::var("PGPURPOSE_TEST_EVENTS").map_or(20_000, |records| records.parse().unwrap());
    let folder = Proxy::folder("long");
    let (file, secret) = (folder.join("audit.jsonl"), folder.join("secret"));
    std::fs::write(&secret, SECRET).unwrap();
    long_journal(&file, records);
    let (file, secret) = (file.to_str().unwrap(), secret.to_str().unwrap());
    let run = |arguments: &[&str]| {
        let begun = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
            .arg("audit")
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("{} of {records} records: {:?}", arguments[0], begun.elapsed());
        String::from_utf8(output.stdout).unwrap()
    };
    let health = [
        "query",
        file,
        "--category",
        "user.health_and_medical",
        "--form",
        "released",
        "--since",
        "7d",
    ];
    assert_eq!(run(&health).lines().count(), 1 + (records / 2).div_ceil(1000));
    let report: Value = serde_json::from_str(&run(&["report", file, "--format", "json"])).unwrap();
    assert_eq!(report["statements"], records / 2);
    let person = ["subject", file, "7", "--secret-file", secret, "--format", "json"];
    let person: Value = serde_json::from_str(&run(&person)).unwrap();
    assert_eq!(person["statements"], (records / 2 - 8) / PEOPLE + 1);
    assert!(run(&["verify", file]).contains("holds"));
    std::fs::remove_dir_all(folder).unwrap();
}

fn pgpurpose(proxy: &Proxy, command: &str, before: &[&str], after: &[&str]) -> Command {
    let mut run = Command::new(env!("CARGO_BIN_EXE_pgpurpose"));
    run.args(["audit", command])
        .args(before)
        .arg(proxy.path("audit.jsonl"))
        .args(after);
    run
}

/// What a command says in JSON.
fn said(mut command: Command) -> Value {
    let output = command.args(["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ask(proxy: &Proxy, sql: &str) {
    let said = common::psql_at(proxy.port, "postgres", "app", sql);
    assert!(said.success, "{}", said.stderr);
}

#[test]
fn what_is_asked_of_a_living_log_is_answered() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", SCHEMA);
    let upstream = format!("postgres://127.0.0.1:{}", cluster.port());
    let folder = Proxy::folder("audit");
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let secret = secret.to_str().unwrap().to_owned();
    let flags = ["--secret-file", &secret, "--audit-rotate-size", "8k"];
    let proxy = Proxy::start_with("audit", RULES, &upstream, &flags);

    // Statements come as they are made, over many rotations.
    let mut statements = Followed::start(&proxy, &["--event", "statement", "--category", "user.health"]);
    let mut last = 0;
    for round in 0..25 {
        ask(
            &proxy,
            "SELECT count(note) FROM customers /*actor='agent-17',reason='T-1'*/",
        );
        let record = statements.next();
        assert_eq!(record["event"], "statement", "{round}");
        assert_eq!(record["actor"], "agent-17");
        assert!(record["seq"].as_u64().unwrap() > last, "in order");
        last = record["seq"].as_u64().unwrap();
        assert_eq!(statements.next()["of"], record["id"], "with its end");
    }
    let files = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert!(
        files.filter(|name| name.starts_with("audit-")).count() > 2,
        "it was rotated"
    );

    // One person: by a constant, a parameter, and the request's own word.
    for sql in [
        "SELECT name, note FROM customers WHERE id = 42",
        "PREPARE one(int) AS SELECT name FROM customers WHERE id = $1; EXECUTE one(42)",
        "SET pgpurpose.purpose = 'access'; SET pgpurpose.subject = '42'; SELECT name FROM customers",
        "SELECT name FROM customers WHERE id = 7",
        "SELECT name FROM customers WHERE name = 'name 42'",
    ] {
        ask(&proxy, sql);
    }
    let person = |key: &str| said(pgpurpose(&proxy, "subject", &[], &[key, "--secret-file", &secret]));
    let found = person("42");
    let texts: Vec<&str> = found["records"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["statement"].as_str())
        .collect();
    assert!(
        texts.contains(&"SELECT name, note FROM customers WHERE id = $1"),
        "{texts:?}"
    );
    assert!(texts.contains(&"SELECT name FROM customers"), "{texts:?}");
    assert_eq!(found["purposes"]["access"], 1, "{found}");
    assert_eq!(found["released"]["user.health"], 1, "{found}");
    assert_eq!(person("7")["statements"], 1);
    assert_eq!(person("8")["statements"], 0);
    let only = ["42", "--secret-file", &secret, "--category", "user.health"];
    assert_eq!(
        said(pgpurpose(&proxy, "subject", &[], &only))["statements"],
        1,
        "of health data"
    );

    // Other rules: what changed for whom.
    let mut changes = Followed::start(&proxy, &["--event", "policy_changed"]);
    let hidden = RULES.replace("revision: first", "revision: second").replace(
        "data_categories: [user], as: raw}",
        "data_categories: [user], as: raw}\n  - {purposes: [care], data_categories: [user.health], as: hidden}",
    );
    std::fs::write(proxy.path("rules.yaml"), hidden).unwrap();
    let change = changes.next();
    assert_eq!(
        (&change["before"]["revision"], &change["policy"]["revision"]),
        (&"first".into(), &"second".into())
    );
    let cell = &change["changes"][0];
    assert_eq!(cell["name"], "public.customers.note", "{change}");
    assert_eq!((&cell["before"], &cell["after"]), (&"raw".into(), &"hidden".into()));
    let mut printed = pgpurpose(&proxy, "query", &["--event", "policy_changed", "--fields"], &[]);
    let printed = String::from_utf8(printed.output().unwrap().stdout).unwrap();
    let line = printed
        .lines()
        .find(|line| line.contains("public.customers.note"))
        .expect("the column");
    assert!(
        line.contains("care") && line.contains("app") && line.ends_with("raw -> hidden"),
        "{line}"
    );
    assert_eq!(
        said(pgpurpose(&proxy, "verify", &[], &[]))["faults"],
        Value::Array(Vec::new())
    );
}
