//! No literal, parameter, row value, alias or made-up name is in the journal, a sink, or the log at its
//! most talkative: canaries are put wherever a client can put one, and looked for everywhere.
//!
//! What the record holds of a client's own words by design (purpose, reason, actor, application, the
//! known tags) has a word of its own here, which must stand in its field and nowhere else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::Cluster;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

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

/// Statements of one simple query each; what comes of them is of no interest here.
const STATEMENTS: &str = r#"
SELECT 'canaryliteral', E'canary\nescape', $$canarydollar$$, $canarytag$x$canarytag$, U&'canary\0041', B'1', 123456
SELECT name AS canaryalias, email AS "Canary Alias" FROM customers AS canarytable WHERE note = 'canarynote'
SELECT canarytable.* FROM customers canarytable (canary_a, canary_b) WHERE canary_a > 0
WITH canarycte AS (SELECT 'canary' AS canarycol) SELECT canarycol FROM canarycte
SELECT canarycolumn FROM customers
SELECT * FROM canaryrelation
SELECT canaryfunction('canary')
SELECT "Canary Column" FROM "Canary Schema"."Canary Table"
SELECT 'canary'::int
SELECT name::int FROM customers
SELECT 1/0 AS canarydivision
SELECT /* canarycomment */ 1 -- canarylinecomment
SELECT 1 /*canarykey='canaryvalue'*/
SELECT 1 /*purpose='wordpurpose'*/
SELECT 1 /*route='wordroute',action='wordaction',canary='canary'*/
SELECT 1 /*traceparent='00-canary7651916cd43dd8448eb211c8031-b7ad6b7169203331-01'*/
SELECT 1 /*purpose='care',reason='wordreason',actor='wordactor'*/
SELECT 1 /*subject='canarysubject'*/
SELECT email FROM customers /*purpose='care',reason='wordreason'*/
SELECT email FROM customers /*purpose='emergency',reason='wordreason'*/
BEGIN
SAVEPOINT canarysavepoint
ROLLBACK TO canarysavepoint
DECLARE canarycursor CURSOR FOR SELECT name FROM customers
FETCH 2 FROM canarycursor
MOVE 1 FROM canarycursor
CLOSE canarycursor
COMMIT
PREPARE canarystatement(text) AS SELECT $1, 'canaryprepared'
EXECUTE canarystatement('canaryargument')
EXECUTE canarynosuch('canary')
DEALLOCATE canarystatement
SET search_path = canarypath, public
RESET search_path
SET work_mem = 'canarymemory'
SET canary.setting = 'canaryset'
SET application_name = 'wordapplication'
SELECT set_config('canary.x', 'canaryconfig', false)
SHOW canary.setting
SELECT current_setting('canary.missing')
LISTEN canarychannel
NOTIFY canarychannel, 'canarypayload'
SELECT pg_notify('canarychannel', 'canarypayload')
INSERT INTO customers VALUES (6, 'canaryinsert', 'canary6@example.com', 'x') RETURNING name
INSERT INTO customers VALUES (6, 'canaryinsert', 'canary6@example.com', 'x')
UPDATE customers SET name = 'canaryupdate' WHERE email = 'canary6@example.com'
DELETE FROM customers WHERE note LIKE '%canary%' AND id = 6
SELECT speak('canaryspeech')
EXPLAIN SELECT * FROM customers WHERE name = 'canaryplan'
CREATE TABLE canarycreated (canarycolumn text DEFAULT 'canarydefault')
COMMENT ON TABLE customers IS 'canarycommenton'
DO $$ BEGIN RAISE EXCEPTION 'canarydo'; END $$
COPY (SELECT 'canarycopy' AS canarycopied) TO STDOUT
COPY customers TO '/tmp/canaryfile'
COPY customers FROM PROGRAM 'echo canary'
SELECT * FROM customers FOR UPDATE OF canarylock
SELECT $1 || 'canary
SELECT "canaryunterminated
SELECT canary canary canary FROM FROM
SELECT name FROM customers ORDER BY name COLLATE "canarycollation"
SELECT name FROM customers WHERE name ~ 'canary(' 
SELECT xmlparse(document '<canary>')
SELECT json 'canary'
SELECT CAST('canary' AS canarytype)
SELECT id FROM customers WINDOW canarywindow AS (PARTITION BY id)
VALUES ('canaryvalues'), ('canaryother')
TABLE canarybare
MERGE INTO customers canarymerge USING customers s ON canarymerge.id = s.id WHEN MATCHED THEN UPDATE SET name = 'canary'
GRANT SELECT ON customers TO canaryrole
SET ROLE canaryrole
SECURITY LABEL ON TABLE customers IS 'canary'
"#;

/// COPY with data, sound and not.
const COPIES: [&str; 2] = [
    "COPY customers (id, name, email, note) FROM STDIN;\n7\tcanarycopied\tcanary@x\tcanarynote\n\\.\n",
    "COPY customers (id, name, email, note) FROM STDIN;\ncanaryid\tcanarycopied\t\\N\n\\.\n",
];

struct Proxy {
    process: Child,
    port: u16,
    printed: std::thread::JoinHandle<Vec<u8>>,
}

fn start(cluster: &Cluster, folder: &Path, sinks: &[String]) -> Proxy {
    let mut process = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
        .args([
            "serve",
            "--listen",
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
    let port = loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it listens");
        if let Some((_, address)) = line.split_once("listening on ") {
            break address.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        }
    };
    let printed = std::thread::spawn(move || {
        let mut rest = Vec::new();
        lines.read_to_end(&mut rest).unwrap();
        rest
    });
    Proxy { process, port, printed }
}

/// Takes whatever is sent, and answers every request with 200.
fn collector(taken: &Arc<Mutex<Vec<u8>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("otlp+http://{}", listener.local_addr().unwrap());
    let taken = Arc::clone(taken);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, taken) = (stream.unwrap(), Arc::clone(&taken));
            std::thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    taken.lock().unwrap().extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&buffer[..read]).to_lowercase();
                    if text.starts_with("post ") {
                        let length = text.split("content-length: ").nth(1).and_then(|l| l.split('\r').next());
                        let length: usize = length.unwrap().parse().unwrap();
                        let head = text.find("\r\n\r\n").map_or(read, |head| head + 4);
                        let mut rest = vec![0; (head + length).saturating_sub(read)];
                        stream.read_exact(&mut rest).unwrap();
                        taken.lock().unwrap().extend_from_slice(&rest);
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                            .unwrap();
                    }
                }
            });
        }
    });
    url
}

async fn connect(port: u16, options: &str) -> Option<Client> {
    let config: tokio_postgres::Config =
        format!("host=127.0.0.1 port={port} user=app dbname=postgres application_name=wordapplication {options}")
            .parse()
            .unwrap();
    let (client, connection) = config.connect(NoTls).await.ok()?;
    tokio::spawn(connection);
    Some(client)
}

async fn work(port: u16) {
    let client = connect(port, "").await.unwrap();
    let rows = client
        .simple_query("SELECT name FROM customers WHERE id = 1")
        .await
        .unwrap();
    assert!(format!("{rows:?}").contains("canaryname"), "canaries fly");
    let mut answered = 0;
    for statement in STATEMENTS.lines().filter(|line| !line.is_empty()) {
        if client.is_closed() {
            panic!("the session ended before: {statement}");
        }
        answered += usize::from(client.simple_query(statement).await.is_ok());
        let in_block = statement.starts_with("BEGIN") || statement.contains("canarysavepoint");
        if !in_block && !statement.contains("canarycursor") {
            client.simple_query("ROLLBACK").await.unwrap();
        }
    }
    assert!(answered > 20, "{answered}");
    // The extended protocol: parameters in binary and text, names, portals.
    let statement = client
        .prepare("SELECT $1::text AS canaryout, name FROM customers WHERE note = $2")
        .await
        .unwrap();
    let parameters: [&(dyn ToSql + Sync); 2] = [&"canaryparameter", &"canarynote"];
    assert_eq!(client.query(&statement, &parameters).await.unwrap().len(), 5);
    let wrong: [&(dyn ToSql + Sync); 1] = [&"canarynumber"];
    let _ = client.query("SELECT ($1::text)::int", &wrong).await.unwrap_err();
    // Starts of sessions that fail or carry words of their own.
    for options in [
        "options='-c canary.option=canaryoption'",
        "options='-c work_mem=canary'",
        "options='-c pgpurpose.purpose=wordpurpose'",
        "options='-c search_path=canarypath'",
        "options='-c pgpurpose.subject=canarysubject'",
        "password=canarywrong",
    ] {
        if let Some(client) = connect(port, options).await {
            let _ = client.simple_query("SELECT 'canary' AS canary").await;
        }
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
fn no_canary_is_in_the_journal_a_sink_or_the_log() {
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
        collector(&collected),
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
    runtime.block_on(work(proxy.port));
    drop(runtime);
    for copied in COPIES {
        common::psql_at(proxy.port, "postgres", "app", copied);
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
    // The client's words stand in their fields, and nowhere else.
    for line in String::from_utf8(journal).unwrap().lines() {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        for (field, word) in [
            ("purpose", "wordpurpose"),
            ("reason", "wordreason"),
            ("actor", "wordactor"),
            ("application", "wordapplication"),
        ] {
            if record[field] == word {
                record[field] = serde_json::Value::Null;
            }
        }
        record["tags"] = serde_json::Value::Null;
        let rest = record.to_string();
        assert!(!rest.contains("word"), "{rest}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
