//! Connections of both sides: TLS, certificates, authentication by the proxy itself, limits, versions of the protocol.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use common::Cluster;
use common::proxy::{Certificates, Proxy, psql};

const SSL: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// A folder that the server's user may read, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/pgpurpose-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const ROLES: &str = "CREATE ROLE app LOGIN PASSWORD 'open sesame'; CREATE ROLE other LOGIN PASSWORD 'open barley';";

/// A cluster that speaks TLS with `server.pem` and asks for SCRAM of all but the superuser.
fn secured_cluster(certificates: &Certificates) -> Cluster {
    certificates.issue_for("server", &["localhost"]);
    let key = certificates.path("server.key");
    // Root may give the key to whom the server runs as; elsewhere we are that user.
    let _ = Command::new("chown").args(["postgres", &key]).output();
    let cluster = Cluster::start_with(&[
        "ssl=on",
        &format!("ssl_cert_file={}", certificates.path("server.pem")),
        &format!("ssl_key_file={key}"),
        &format!("ssl_ca_file={}", certificates.path("upstream-ca.pem")),
    ]);
    cluster.psql("postgres", "postgres", ROLES);
    ask_by_scram(&cluster);
    cluster
}

fn ask_by_scram(cluster: &Cluster) {
    let sql = "SELECT format('COPY (SELECT %L UNION ALL SELECT %L) TO %L', 'host all postgres all trust',
                             'host all all all scram-sha-256', current_setting('hba_file')) AS copy \\gset
               :copy;
               SELECT pg_reload_conf();";
    cluster.psql("postgres", "postgres", sql);
}

fn url(cluster: &Cluster) -> String {
    format!("postgres://127.0.0.1:{}", cluster.port())
}

fn as_app(port: u16, more: &str) -> String {
    format!("host=127.0.0.1 port={port} user=app dbname=postgres password='open sesame' {more}")
}

#[test]
fn clients_speak_tls_and_certificates_are_reloaded() {
    let folder = Folder::new("tls");
    let certificates = Certificates::new(&folder.0, "first");
    certificates.issue("proxy");
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let flags = [
        "--tls-cert",
        &certificates.path("proxy.pem"),
        "--tls-key",
        &certificates.path("proxy.key"),
    ];
    let proxy = Proxy::start("tls", &url(&cluster), &[&flags[..], &["--require-tls"]].concat());
    let known = |ca: &str| {
        as_app(
            proxy.port,
            &format!("sslmode=verify-full sslrootcert={}", certificates.path(ca)),
        )
    };
    assert_eq!(psql(&known("first-ca.pem"), "SELECT 1"), Ok("1".to_owned()));
    let refused = psql(&as_app(proxy.port, "sslmode=disable"), "SELECT 1").unwrap_err();
    assert!(refused.contains("connections to this proxy must use TLS"), "{refused}");

    Certificates::new(&folder.0, "second").issue("proxy");
    assert!(psql(&known("second-ca.pem"), "SELECT 1").is_err(), "not read yet");
    proxy.signal("HUP");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while psql(&known("second-ca.pem"), "SELECT 1").is_err() {
        assert!(std::time::Instant::now() < deadline, "the new certificate is not shown");
    }
    assert!(
        psql(&known("first-ca.pem"), "SELECT 1").is_err(),
        "the old one still is"
    );
}

/// What comes back for bytes, up to the end of the connection or the length of `answer`.
fn answer_to(port: u16, bytes: &[u8], most: usize) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    socket.write_all(bytes).unwrap();
    let mut answer = vec![0; most];
    let mut length = 0;
    while length < most {
        match socket.read(&mut answer[length..]).unwrap_or(0) {
            0 => break,
            n => length += n,
        }
    }
    answer.truncate(length);
    answer
}

#[test]
fn nothing_in_the_clear_is_taken_for_protected() {
    let folder = Folder::new("slipped");
    let certificates = Certificates::new(&folder.0, "x");
    certificates.issue("proxy");
    let flags = [
        "--tls-cert",
        &certificates.path("proxy.pem"),
        "--tls-key",
        &certificates.path("proxy.key"),
    ];
    let proxy = Proxy::start("slipped", "postgres://127.0.0.1:1", &flags);
    assert_eq!(answer_to(proxy.port, &SSL, 1), b"S");
    assert_eq!(answer_to(proxy.port, &GSS, 1), b"N");
    let slipped = [&SSL[..], b"\0\0\0\x09\0\x03\0\0\0"].concat();
    assert_eq!(answer_to(proxy.port, &slipped, 1), b"", "a packet behind the request");
    assert_eq!(
        answer_to(proxy.port, &[GSS, GSS].concat(), 2),
        b"",
        "two requests at once"
    );
    let without = Proxy::start("no-tls", "postgres://127.0.0.1:1", &[]);
    assert_eq!(answer_to(without.port, &SSL, 1), b"N");
    assert_eq!(
        answer_to(without.port, &[0x16, 3, 1, 0, 5], 1),
        b"",
        "TLS where there is none"
    );
}

#[tokio::test]
async fn tls_may_begin_at_once_and_names_the_protocol() {
    let folder = Folder::new("direct");
    let certificates = Certificates::new(&folder.0, "x");
    certificates.issue("proxy");
    let flags = [
        "--tls-cert",
        &certificates.path("proxy.pem"),
        "--tls-key",
        &certificates.path("proxy.key"),
    ];
    let proxy = Proxy::start("direct", "postgres://127.0.0.1:1", &flags);
    for (protocols, served) in [
        (vec![b"postgresql".to_vec()], true),
        (vec![], false),
        (vec![b"h2".to_vec()], false),
    ] {
        let answered = first_bytes(&proxy, &certificates, protocols.clone()).await;
        assert_eq!(answered.first() == Some(&b'E'), served, "{protocols:?}: {answered:?}");
    }
}

/// What a start-up packet without a user is answered with, over TLS that begins at once.
async fn first_bytes(proxy: &Proxy, certificates: &Certificates, protocols: Vec<Vec<u8>>) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut roots = rustls::RootCertStore::empty();
    let path = certificates.path("x-ca.pem");
    roots
        .add(rustls::pki_types::CertificateDer::from_pem_file(path).unwrap())
        .unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols;
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let Ok(mut stream) = connector.connect("localhost".try_into().unwrap(), socket).await else {
        return Vec::new();
    };
    let mut answer = Vec::new();
    if stream.write_all(b"\0\0\0\x09\0\x03\0\0\0").await.is_ok() {
        let _ = stream.read_to_end(&mut answer).await;
    }
    answer
}

#[test]
fn certificates_say_which_roles_clients_may_be() {
    let folder = Folder::new("certificates");
    let certificates = Certificates::new(&folder.0, "clients");
    for name in ["proxy", "app", "crm"] {
        certificates.issue(name);
    }
    Certificates::new(&folder.0, "strangers").issue("stranger");
    std::fs::write(folder.0.join("map"), "crm other\n").unwrap();
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let flags = [
        "--tls-cert",
        &certificates.path("proxy.pem"),
        "--tls-key",
        &certificates.path("proxy.key"),
        "--tls-client-ca",
        &certificates.path("clients-ca.pem"),
    ];
    let shown = |port: u16, role: &str, name: &str| {
        let (cert, key) = (
            certificates.path(&format!("{name}.pem")),
            certificates.path(&format!("{name}.key")),
        );
        let how = format!(
            "host=127.0.0.1 port={port} user={role} dbname=postgres sslmode=require sslcert={cert} sslkey={key}"
        );
        psql(&how, "SELECT current_user")
    };
    let plain = Proxy::start("by-name", &url(&cluster), &flags);
    assert_eq!(shown(plain.port, "app", "app"), Ok("app".to_owned()));
    let refused = shown(plain.port, "other", "app").unwrap_err();
    assert!(
        refused.contains("certificate authentication failed for user \"other\""),
        "{refused}"
    );
    assert!(shown(plain.port, "app", "stranger").is_err(), "of another authority");
    let map = certificates.path("map");
    let more = ["--tls-client-map", &map, "--tls-client-required"];
    let mapped = Proxy::start("by-map", &url(&cluster), &[&flags[..], &more].concat());
    assert_eq!(shown(mapped.port, "other", "crm"), Ok("other".to_owned()));
    assert!(shown(mapped.port, "app", "app").is_err(), "a map speaks alone");
    assert!(psql(&as_app(mapped.port, "sslmode=require sslcert=/nowhere"), "SELECT 1").is_err());
}

#[test]
fn the_server_is_spoken_to_as_sslmode_says() {
    let folder = Folder::new("upstream");
    let certificates = Certificates::new(&folder.0, "upstream");
    Certificates::new(&folder.0, "wrong");
    let secured = secured_cluster(&certificates);
    let plain = Cluster::start();
    plain.psql("postgres", "postgres", ROLES);
    let try_with = |cluster: &Cluster, host: &str, mode: &str, ca: Option<&str>| {
        let ca = ca
            .map(|ca| format!("&sslrootcert={}", certificates.path(ca)))
            .unwrap_or_default();
        let url = format!("postgres://{host}:{}?sslmode={mode}{ca}", cluster.port());
        let proxy = Proxy::start("sslmode", &url, &[]);
        psql(&as_app(proxy.port, "sslmode=disable"), "SELECT 1").is_ok()
    };
    let right = Some("upstream-ca.pem");
    let cases = [
        (&secured, "127.0.0.1", "disable", None, true),
        (&secured, "127.0.0.1", "prefer", None, true),
        (&secured, "127.0.0.1", "require", None, true),
        (&secured, "127.0.0.1", "require", Some("wrong-ca.pem"), false),
        (&secured, "127.0.0.1", "verify-ca", right, true),
        (&secured, "127.0.0.1", "verify-ca", Some("wrong-ca.pem"), false),
        // The certificate is for localhost.
        (&secured, "127.0.0.1", "verify-full", right, false),
        (&secured, "localhost", "verify-full", right, true),
        (&secured, "localhost", "verify-full", Some("wrong-ca.pem"), false),
        (&plain, "127.0.0.1", "prefer", None, true),
        (&plain, "127.0.0.1", "require", None, false),
    ];
    for (cluster, host, mode, ca, works) in cases {
        assert_eq!(try_with(cluster, host, mode, ca), works, "{host} {mode} {ca:?}");
    }
}

/// The verifier that the server keeps of a role.
fn verifier(cluster: &Cluster, role: &str) -> String {
    let sql = format!("SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'");
    cluster.psql("postgres", "postgres", &sql)
}

#[test]
fn with_tls_on_both_sides_the_proxy_authenticates_clients_itself() {
    let folder = Folder::new("scram");
    let certificates = Certificates::new(&folder.0, "upstream");
    let cluster = secured_cluster(&certificates);
    certificates.issue("proxy");
    let tls = [
        "--tls-cert",
        &certificates.path("proxy.pem"),
        "--tls-key",
        &certificates.path("proxy.key"),
    ];
    let upstream = format!(
        "postgres://localhost:{}?sslmode=verify-full&sslrootcert={}",
        cluster.port(),
        certificates.path("upstream-ca.pem")
    );
    let bound = |port, more: &str| {
        let ca = certificates.path("upstream-ca.pem");
        as_app(port, &format!("sslmode=verify-full sslrootcert={ca} {more}"))
    };

    let passing = Proxy::start("passing", &upstream, &tls);
    let refused = psql(&bound(passing.port, ""), "SELECT 1").unwrap_err();
    assert!(
        refused.contains("SCRAM cannot be passed through this proxy with TLS on both sides"),
        "{refused}"
    );
    assert_eq!(
        psql(&bound(passing.port, "channel_binding=disable"), "SELECT 1"),
        Ok("1".to_owned())
    );

    let file = certificates.path("verifiers");
    std::fs::write(&file, format!("\"app\" \"{}\"\n", verifier(&cluster, "app"))).unwrap();
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE ROLE asks LOGIN PASSWORD 'who'; GRANT SELECT ON pg_authid TO asks",
    );
    let query = format!("postgres://asks:who@127.0.0.1:{}/postgres", cluster.port());
    for (name, how) in [("file", ["--auth-file", &file]), ("query", ["--auth-query", &query])] {
        let flags = [&tls[..], &how, &["--max-login-failures", "2"]].concat();
        let proxy = Proxy::start(name, &upstream, &flags);
        assert_eq!(
            psql(&bound(proxy.port, "channel_binding=require"), "SELECT 1"),
            Ok("1".to_owned()),
            "{name}"
        );
        assert_eq!(
            psql(&bound(proxy.port, "channel_binding=disable"), "SELECT 1"),
            Ok("1".to_owned()),
            "{name}"
        );
        assert_eq!(
            psql(&as_app(proxy.port, "sslmode=disable"), "SELECT 1"),
            Ok("1".to_owned()),
            "{name}"
        );
        let wrong = as_app(proxy.port, "sslmode=disable").replace("sesame", "barley");
        for told in [
            "password authentication failed for user \"app\"",
            "password authentication failed",
            "too many failed logins",
        ] {
            let refused = psql(&wrong, "SELECT 1").unwrap_err();
            assert!(refused.contains(told), "{name}: {refused}");
        }
        let nobody = wrong.replace("user=app", "user=other").replace("barley", "sesame");
        let refused = psql(&nobody, "SELECT 1").unwrap_err();
        assert!(
            refused.contains("password authentication failed for user \"other\""),
            "{name}: {refused}"
        );
    }
}

/// A session that stays.
struct Held(std::process::Child);

impl Held {
    fn open(connection: &str) -> Self {
        let mut child = Command::new("psql")
            .args(["-X", "-A", "-t", connection])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(b"SELECT 1;\n").unwrap();
        let mut said = [0; 1];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"1");
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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
fn versions_and_options_of_the_protocol_are_negotiated() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    let proxy = Proxy::start("versions", &url(&cluster), &[]);
    let packet = |version: [u8; 4], options: &[u8]| {
        let body = [&version[..], b"user\0app\0database\0postgres\0", options, b"\0"].concat();
        [&(body.len() as u32 + 4).to_be_bytes()[..], &body].concat()
    };
    let said = |version, options: &[u8]| answer_to(proxy.port, &packet(version, options), 9);
    assert_eq!(said([0, 3, 0, 0], b"")[0], b'R');
    assert_eq!(said([0, 3, 0, 2], b"")[0], b'R', "3.2 is spoken");
    assert_eq!(said([0, 3, 0, 9], b""), b"v\0\0\0\x0c\0\x03\0\x02");
    assert_eq!(said([0, 3, 0, 0], b"_pq_.new\0on\0"), b"v\0\0\0\x15\0\x03\0\0");
    assert_eq!(said([0, 2, 0, 0], b"")[0], b'E');
}

/// A client of bytes, logged in.
struct Raw(std::io::BufReader<TcpStream>);

impl Raw {
    fn connect(port: u16) -> Self {
        let mut raw = Self(std::io::BufReader::new(
            TcpStream::connect(("127.0.0.1", port)).unwrap(),
        ));
        let body = b"\0\x03\0\0user\0app\0database\0postgres\0\0";
        raw.send(&[&(body.len() as u32 + 4).to_be_bytes()[..], body].concat());
        raw.answers();
        raw
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// A message of these parts.
    fn message(&mut self, tag: u8, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        self.send(&[tag]);
        self.send(&(length as u32 + 4).to_be_bytes());
        parts.iter().for_each(|part| self.send(part));
    }

    /// The types of what comes up to ReadyForQuery or a request for COPY data, and the length of the largest body; no
    /// body is kept.
    fn answers(&mut self) -> (String, u64) {
        let (mut types, mut largest) = (String::new(), 0);
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head).unwrap();
            let length = u64::from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])) - 4;
            std::io::copy(&mut self.0.by_ref().take(length), &mut std::io::sink()).unwrap();
            types.push(char::from(head[0]));
            largest = largest.max(length);
            if matches!(head[0], b'Z' | b'G') {
                return (types, largest);
            }
        }
    }

    fn query(&mut self, sql: &str) -> (String, u64) {
        self.message(b'Q', &[sql.as_bytes(), b"\0"]);
        self.answers()
    }
}

/// Values of any size pass without being held: rows, parameters and COPY data of 200 MB take no such memory here.
#[test]
fn large_values_are_not_held() {
    const LARGE: usize = 200_000_000;
    /// KiB
    const ROOM: u64 = 48 << 10;
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE TABLE large (v text); GRANT ALL ON large TO app",
    );
    let proxy = Proxy::start("large", &url(&cluster), &[]);
    let mut raw = Raw::connect(proxy.port);
    raw.query("SELECT 1");
    let before = proxy.peak_memory();
    let small = |what: &str| {
        let grown = proxy.peak_memory().saturating_sub(before);
        assert!(grown < ROOM, "{what} took {grown} KiB");
    };

    let (types, largest) = raw.query(&format!("SELECT repeat('x', {LARGE})"));
    assert_eq!((types.as_str(), largest), ("TDCZ", LARGE as u64 + 6));
    small("a row");

    let value = "y".repeat(LARGE);
    raw.message(b'P', &[b"s\0SELECT length($1::text)\0\0\0"]);
    let length = (LARGE as u32).to_be_bytes();
    let bind = [&b"\0s\0\0\0\0\x01"[..], &length, value.as_bytes(), b"\0\0"];
    raw.message(b'B', &bind);
    raw.message(b'E', &[b"\0\0\0\0\0"]);
    raw.message(b'S', &[]);
    assert_eq!(raw.answers().0, "12DCZ");
    small("a parameter");

    // What is refused, or skipped after an error, is passed over: the next pipeline is served.
    raw.message(b'B', &[&b"\0none\0\0\0\0\x01"[..], &length, value.as_bytes(), b"\0\0"]);
    raw.message(b'B', &bind);
    raw.message(b'd', &[value.as_bytes()]);
    raw.message(b'S', &[]);
    assert_eq!(raw.answers().0, "EZ");
    small("a parameter of nothing");

    assert_eq!(raw.query("COPY large FROM STDIN").0, "G");
    raw.message(b'd', &[value.as_bytes(), b"\n"]);
    raw.message(b'c', &[]);
    assert_eq!(raw.answers().0, "CZ");
    small("COPY data in");

    let (types, largest) = raw.query("COPY large TO STDOUT");
    assert_eq!((types.as_str(), largest), ("HdcCZ", LARGE as u64 + 1));
    small("COPY data out");
}

/// A client's encoding is PostgreSQL's to convert; statements beyond ASCII are served in UTF8 alone.
#[test]
fn encodings_are_converted_by_the_server() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", ROLES);
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE TABLE words (w text); INSERT INTO words VALUES ('é'); GRANT ALL ON words TO app",
    );
    let proxy = Proxy::start("encodings", &url(&cluster), &[]);
    let script = |sql: &[u8]| {
        let mut child = Command::new("psql")
            .args(["-X", "-A", "-t", "-q", &as_app(proxy.port, "client_encoding=UTF8")])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(sql).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (out, errors) = script(
        b"SET client_encoding = 'LATIN1'; SELECT w FROM words; SELECT count(*) FROM words WHERE w = U&'\\00e9';",
    );
    assert_eq!(
        (&out[..], errors.contains("ERROR")),
        (&b"\xe9\n1\n"[..], false),
        "{errors}"
    );
    let (out, errors) = script("SET client_encoding = 'LATIN1'; SELECT 'é'; SELECT 2;".as_bytes());
    assert!(
        out == b"2\n" && errors.contains("client_encoding UTF8 only"),
        "{out:?} {errors}"
    );
    // What is undone is undone: the text that follows is read as UTF-8 again.
    let (out, errors) = script("BEGIN; SET LOCAL client_encoding = 'LATIN1'; COMMIT; SELECT 'é';".as_bytes());
    assert_eq!((&out[..], errors.as_str()), ("é\n".as_bytes(), ""));
    let (out, errors) = script("BEGIN; SET client_encoding = 'SJIS'; ROLLBACK; SELECT 'é';".as_bytes());
    assert_eq!((&out[..], errors.as_str()), ("é\n".as_bytes(), ""));
}

/// All that still comes, up to the end of the connection.
fn last_words(raw: Raw) -> String {
    let mut socket = raw.0;
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
