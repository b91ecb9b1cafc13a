//! What clients send, with a canary in every place that is theirs to fill: by a driver, and on a bare socket
//! what no driver sends.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

/// Statements of one simple query each; what comes of them is of no interest here.
const STATEMENTS: &str = include_str!("statements.sql");

async fn connect(port: u16, options: &str) -> Option<Client> {
    let config: tokio_postgres::Config =
        format!("host=127.0.0.1 port={port} user=app dbname=postgres application_name=wordapplication {options}")
            .parse()
            .unwrap();
    let (client, connection) = config.connect(NoTls).await.ok()?;
    tokio::spawn(connection);
    Some(client)
}

pub async fn work(port: u16) {
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

/// Names of statements and portals, values in both formats, COPY data, and messages out of place.
pub fn bare(port: u16) {
    let text = |parts: &[&str]| {
        parts
            .iter()
            .flat_map(|part| [part.as_bytes(), b"\0"].concat())
            .collect()
    };
    let parse = |name, sql| [text(&[name, sql]), vec![0, 0]].concat();
    let bind = |portal, name| {
        let value = b"canaryvalue";
        let length = u32::try_from(value.len()).unwrap().to_be_bytes();
        // One parameter, in binary; results in text.
        [
            text(&[portal, name]),
            vec![0, 1, 0, 1, 0, 1],
            length.to_vec(),
            value.to_vec(),
            vec![0, 0],
        ]
        .concat()
    };
    let execute = |portal, rows: u8| [text(&[portal]), vec![0, 0, 0, rows]].concat();
    let named = |kind: u8, name| [vec![kind], text(&[name])].concat();
    let sync = (b'S', Vec::new());
    let copy = (b'Q', text(&["COPY customers (id, name, email, note) FROM STDIN"]));
    let sql = "SELECT name, $1::text AS canarycolumn FROM customers";
    let conversations = [
        vec![
            (b'P', parse("canarystatement", sql)),
            (b'B', bind("canaryportal", "canarystatement")),
            (b'D', named(b'S', "canarystatement")),
            (b'D', named(b'P', "canaryportal")),
            (b'E', execute("canaryportal", 2)),
            (b'E', execute("canaryportal", 0)),
            (b'C', named(b'P', "canaryportal")),
            (b'C', named(b'S', "canarystatement")),
            sync.clone(),
        ],
        vec![
            (b'P', parse("canarybroken", "SELECT canary FROM 'canary'")),
            sync.clone(),
        ],
        vec![
            (b'P', parse("canarytwice", sql)),
            (b'P', parse("canarytwice", sql)),
            sync.clone(),
        ],
        vec![(b'B', bind("canaryportal", "canarymissing")), sync.clone()],
        vec![(b'E', execute("canarymissing", 0)), sync.clone()],
        vec![(b'D', named(b'S', "canarymissing")), sync.clone()],
        vec![(b'D', named(b'X', "canarykind")), sync.clone()],
        vec![
            copy.clone(),
            (b'd', b"8\tcanary\tcanary8\tcanary\n".to_vec()),
            (b'c', Vec::new()),
        ],
        vec![copy.clone(), (b'd', b"canary\tcanary\n".to_vec()), (b'c', Vec::new())],
        vec![copy.clone(), (b'f', text(&["canaryfailure"]))],
        vec![copy, (b'Q', text(&["SELECT 'canary'"]))],
        vec![(b'd', b"canarystray".to_vec()), sync.clone()],
        vec![(b'p', text(&["canarypassword"])), sync.clone()],
        vec![(b'F', b"canaryfunction".to_vec()), sync.clone()],
        vec![(b'z', b"canaryunknown".to_vec()), sync.clone()],
        vec![(b'Q', b"SELECT 'canary\xff'\0".to_vec())],
        vec![(b'Q', b"SELECT 'canary' AS unended".to_vec())],
        vec![(b'B', b"canaryshort".to_vec()), sync],
    ];
    let usual = [("user", "app"), ("database", "postgres")];
    for conversation in conversations {
        let sent: Vec<u8> = conversation
            .iter()
            .flat_map(|(tag, body)| message(Some(*tag), body))
            .collect();
        speak(port, &startup(&usual), &sent);
    }
    for settings in [
        &[("user", "worduser"), ("database", "postgres")][..],
        &[("user", "app"), ("database", "worddatabase")],
        &[usual[0], usual[1], ("canary_parameter", "canaryvalue")],
        &[usual[0], usual[1], ("canary.parameter", "canaryvalue")],
        &[usual[0], usual[1], ("_pq_.canary", "canaryvalue")],
        &[usual[0], usual[1], ("client_encoding", "canaryencoding")],
        &[usual[0], usual[1], ("DateStyle", "canarystyle")],
        &[usual[0], usual[1], ("replication", "canaryreplication")],
        &[usual[0], usual[1], ("options", "--canary=canaryoption -c canary")],
    ] {
        speak(port, &startup(settings), &message(Some(b'Q'), b"SELECT 'canary'\0"));
    }
    speak(port, b"GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n", b"canary");
}

fn startup(settings: &[(&str, &str)]) -> Vec<u8> {
    let pairs = settings
        .iter()
        .flat_map(|(name, value)| [name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    let body: Vec<u8> = [0, 3, 0, 0].into_iter().chain(pairs).chain([0]).collect();
    message(None, &body)
}

fn message(tag: Option<u8>, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    tag.into_iter().chain(length).chain(body.iter().copied()).collect()
}

/// Logs in, sends, and reads until the proxy, which sees the end of what is sent, has no more to say.
fn speak(port: u16, startup: &[u8], sent: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(startup).unwrap();
    // Until it waits for a statement: the status of a session without a transaction. Or until it hangs up.
    let mut said = Vec::new();
    while !said.ends_with(b"Z\0\0\0\x05I") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => said.extend(byte),
            Ok(_) | Err(_) => return,
        }
    }
    let _ = stream.write_all(sent); // which it may cut short
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut said);
}
