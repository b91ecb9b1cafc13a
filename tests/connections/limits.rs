//! How many connections there may be, how long anybody waits, and how sessions end.

use std::io::Read;
use std::net::TcpStream;

use super::common::Cluster;
use super::common::proxy::{Proxy, psql};
use super::{Held, ROLES, Raw, SSL, answer_to, as_app, url};

#[test]
fn connections_are_limited() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let proxy = Proxy::start(
        "limits",
        &url(&cluster),
        &["--max-connections-per-role", "1", "--max-unauthenticated", "2"],
    );
    let held = Held::open(&as_app(proxy.port, ""));
    let refused = psql(&as_app(proxy.port, ""), "SELECT 1").unwrap_err();
    assert!(refused.contains("too many connections for role \"app\""), "{refused}");
    let other = as_app(proxy.port, "").replace("user=app", "user=other");
    assert_eq!(psql(&other, "SELECT 1"), Ok("1".to_owned()));
    drop(held);

    let waiting: Vec<TcpStream> = (0..2)
        .map(|_| TcpStream::connect(("127.0.0.1", proxy.port)).unwrap())
        .collect();
    // The two are counted when they are accepted, which is in order: a third is hung up on.
    assert_eq!(answer_to(proxy.port, &SSL, 1), b"");
    drop(waiting);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while answer_to(proxy.port, &SSL, 1) != b"N" {
        assert!(std::time::Instant::now() < deadline, "those who left are still counted");
    }
}

#[test]
fn connections_in_all_are_limited() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let proxy = Proxy::start("in-all", &url(&cluster), &["--max-connections", "2"]);
    let other = as_app(proxy.port, "").replace("user=app", "user=other");
    let held = (Held::open(&as_app(proxy.port, "")), Held::open(&other));
    for connection in [as_app(proxy.port, ""), other] {
        let refused = psql(&connection, "SELECT 1").unwrap_err();
        assert!(refused.contains("too many clients"), "{refused}");
    }
    drop(held.0);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while psql(&as_app(proxy.port, ""), "SELECT 1").is_err() {
        assert!(std::time::Instant::now() < deadline, "who left is still counted");
    }
}

/// Nobody waits for ever: for a client that does not log in, for a statement, for a transaction that is left open.
#[test]
fn patience_ends() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let proxy = Proxy::start("patience", &url(&cluster), &["--login-timeout", "1"]);
    // Nothing at all, the question for TLS, half a start-up packet.
    for (sent, answered) in [(&b""[..], &b""[..]), (&SSL, b"N"), (b"\0\0\0\x20\0\x03\0\0user", b"")] {
        let said = answer_to(proxy.port, sent, 1000);
        let told = said.strip_prefix(answered);
        assert!(
            told.is_some_and(|told| told.is_empty() || told[0] == b'E'),
            "{sent:?}: {said:?}"
        );
    }
    let mut raw = Raw::connect(proxy.port);
    raw.query("SET statement_timeout = 50");
    assert!(
        raw.query("SELECT count(*) FROM generate_series(1, 1000000000000)")
            .0
            .ends_with("EZ")
    );
    assert!(
        raw.error.contains("57014") && raw.error.contains("statement timeout"),
        "{}",
        raw.error
    );
    assert_eq!(raw.query("SELECT 1").0, "TDCZ", "the session goes on");
    raw.query("SET idle_in_transaction_session_timeout = 50");
    assert_eq!(raw.query("BEGIN").0, "CZ");
    let said = last_words(raw);
    assert!(said.contains("25P03"), "{said:?}");
}

/// Whether the proxy's sockets ask a silent other side if it is there: the kernel shows a timer for each that does.
#[test]
fn silent_connections_are_kept_alive_on_both_sides() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    for (flag, timer) in [("30", "02"), ("0", "00")] {
        let proxy = Proxy::start(&format!("keep-alive-{flag}"), &url(&cluster), &["--keep-alive", flag]);
        let raw = Raw::connect(proxy.port);
        let sockets = std::fs::read_to_string(format!("/proc/{}/net/tcp", proxy.process.id())).unwrap();
        let own = own_sockets(proxy.process.id());
        let timers: Vec<&str> = sockets
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|fields| fields.get(3) == Some(&"01") && fields.get(9).is_some_and(|inode| own.contains(*inode)))
            .map(|fields| fields[5].split(':').next().unwrap())
            .collect();
        assert_eq!(
            timers, [timer; 2],
            "towards the client and the server, --keep-alive {flag}"
        );
        drop(raw);
    }
}

/// The inodes of a process's sockets.
fn own_sockets(process: u32) -> std::collections::HashSet<String> {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let targets = open.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
    let inode = |target: std::path::PathBuf| {
        let inner = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        Some(inner.to_owned())
    };
    targets.filter_map(inode).collect()
}

/// All that still comes, up to the end of the connection.
fn last_words(raw: Raw) -> String {
    let mut socket = raw.stream;
    let wait = Some(std::time::Duration::from_secs(60));
    socket.get_mut().set_read_timeout(wait).unwrap();
    let mut said = Vec::new();
    socket.read_to_end(&mut said).expect("an end");
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn sessions_end_when_either_side_does_or_says_nothing() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let silent = Proxy::start("silent", &url(&cluster), &["--idle-timeout", "1"]);
    let said = last_words(Raw::connect(silent.port));
    assert!(said.contains("57P05"), "{said:?}");
    let mut busy = Raw::connect(silent.port);
    assert_eq!(busy.query("BEGIN").0, "CZ");

    let proxy = Proxy::start("ends", &url(&cluster), &[]);
    drop((Raw::connect(proxy.port), busy));
    let left = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while cluster.psql("postgres", "postgres", left) != "0" {
        assert!(
            std::time::Instant::now() < deadline,
            "the server still serves who is gone"
        );
    }

    let orphan = Raw::connect(proxy.port);
    drop(cluster);
    let said = last_words(orphan);
    assert!(said.contains("FATAL"), "{said:?}");
    // It serves on: what comes next is told why it cannot be served.
    let refused = psql(&as_app(proxy.port, ""), "SELECT 1").unwrap_err();
    assert!(
        refused.contains("the connection to the database server failed"),
        "{refused}"
    );
}
