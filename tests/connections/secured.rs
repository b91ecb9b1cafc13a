//! TLS towards clients and towards the server, certificates, authentication by the proxy itself.

use std::process::Command;

use super::common::Cluster;
use super::common::proxy::{Certificates, Proxy, psql};
use super::{Folder, GSS, ROLES, Raw, SSL, answer_to, as_app, url};

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

/// libpq waits for the end of a cancel's connection, and takes one that TLS does not say for a broken one.
#[tokio::test]
async fn a_cancel_ends_as_tls_ends() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = Folder::new("cancel-ends");
    let certificates = Certificates::new(&folder.0, "x");
    certificates.issue("proxy");
    let flags = [
        "--tls-cert",
        &certificates.path("proxy.pem"),
        "--tls-key",
        &certificates.path("proxy.key"),
    ];
    let cluster = Cluster::start();
    let proxy = Proxy::start("cancel-ends", &url(&cluster), &flags);
    let mut stream = tls_at_once(&proxy, &certificates, vec![b"postgresql".to_vec()])
        .await
        .unwrap();
    let request = [0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 1];
    stream.write_all(&request).await.unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

/// Of a client that knows the authority and speaks these protocols.
fn client_config(certificates: &Certificates, protocols: Vec<Vec<u8>>) -> std::sync::Arc<rustls::ClientConfig> {
    use rustls::pki_types::pem::PemObject;
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
    std::sync::Arc::new(config)
}

/// TLS from the first byte on.
async fn tls_at_once(
    proxy: &Proxy,
    certificates: &Certificates,
    protocols: Vec<Vec<u8>>,
) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
    let socket = tokio::net::TcpStream::connect(("127.0.0.1", proxy.port)).await?;
    let connector = tokio_rustls::TlsConnector::from(client_config(certificates, protocols));
    connector.connect("localhost".try_into().unwrap(), socket).await
}

/// What a start-up packet without a user is answered with, over TLS that begins at once.
async fn first_bytes(proxy: &Proxy, certificates: &Certificates, protocols: Vec<Vec<u8>>) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let Ok(mut stream) = tls_at_once(proxy, certificates, protocols).await else {
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

#[test]
fn the_server_may_be_spoken_to_by_tls_at_once() {
    let folder = Folder::new("tls-at-once");
    let certificates = Certificates::new(&folder.0, "x");
    certificates.issue("server");
    for (protocols, spoken_to) in [(vec![b"postgresql".to_vec()], true), (vec![], false)] {
        let (port, server) = tls_server(&certificates, protocols);
        let ca = certificates.path("x-ca.pem");
        let upstream =
            format!("postgres://localhost:{port}?sslmode=verify-full&sslnegotiation=direct&sslrootcert={ca}");
        let proxy = Proxy::start("direct-server", &upstream, &[]);
        assert!(psql(&as_app(proxy.port, ""), "SELECT 1").is_err(), "it only listens");
        let first = server.join().unwrap().ok();
        assert_eq!(
            first.map(|bytes| [bytes[4], bytes[5]]),
            spoken_to.then_some([0, 3]),
            "a start-up packet"
        );
    }
    // PostgreSQL before 17 does not know it.
    let secured = secured_cluster(&Certificates::new(&folder.0, "upstream"));
    let proxy = Proxy::start(
        "not-asked",
        &format!("{}?sslmode=require&sslnegotiation=direct", url(&secured)),
        &[],
    );
    assert!(psql(&as_app(proxy.port, ""), "SELECT 1").is_err());
    for weak in ["", "&sslmode=prefer", "&sslmode=disable"] {
        let target = format!("postgres://localhost?sslnegotiation=direct{weak}")
            .parse()
            .unwrap();
        assert!(pgpurpose::upstream::Server::of(&target).is_err(), "{weak}");
    }
}

/// Listens to one client over TLS, for the first bytes that it says.
fn tls_server(
    certificates: &Certificates,
    protocols: Vec<Vec<u8>>,
) -> (u16, std::thread::JoinHandle<std::io::Result<[u8; 8]>>) {
    use rustls::pki_types::pem::PemObject;
    let chain = rustls::pki_types::CertificateDer::from_pem_file(certificates.path("server.pem")).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::from_pem_file(certificates.path("server.key")).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    config.alpn_protocols = protocols;
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let connection = rustls::ServerConnection::new(std::sync::Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, listener.accept()?.0);
        let mut first = [0; 8];
        std::io::Read::read_exact(&mut stream, &mut first)?;
        Ok(first)
    });
    (port, server)
}

/// A client that begins TLS at once.
fn over_tls(
    port: u16,
    certificates: &Certificates,
) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    let name = "localhost".try_into().unwrap();
    let connection = rustls::ClientConnection::new(client_config(certificates, vec![b"postgresql".to_vec()]), name);
    rustls::StreamOwned::new(
        connection.unwrap(),
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap(),
    )
}

#[test]
fn a_query_is_cancelled_through_tls_on_both_sides() {
    let folder = Folder::new("tls-cancel");
    let certificates = Certificates::new(&folder.0, "x");
    certificates.issue("proxy");
    certificates.issue_for("server", &["localhost"]);
    let key = certificates.path("server.key");
    let _ = Command::new("chown").args(["postgres", &key]).output();
    let certificate = certificates.path("server.pem");
    let cluster = Cluster::start_with(&[
        "ssl=on",
        &format!("ssl_cert_file={certificate}"),
        &format!("ssl_key_file={key}"),
    ]);
    cluster.psql("postgres", "postgres", ROLES);
    let flags = [
        "--tls-cert",
        &certificates.path("proxy.pem"),
        "--tls-key",
        &certificates.path("proxy.key"),
        "--require-tls",
    ];
    let proxy = Proxy::start("cancel", &format!("{}?sslmode=require", url(&cluster)), &flags);
    let mut raw = Raw::over(over_tls(proxy.port, &certificates));
    raw.message(b'Q', &[b"SELECT count(*) FROM generate_series(1, 1000000000000)\0"]);
    let running = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while cluster.psql("postgres", "postgres", running) == "0" {
        assert!(std::time::Instant::now() < deadline, "it does not run");
    }
    let request = [
        &(raw.key.len() as u32 + 8).to_be_bytes()[..],
        &80877102_u32.to_be_bytes(),
        &raw.key,
    ]
    .concat();
    std::io::Write::write_all(&mut over_tls(proxy.port, &certificates), &request).unwrap();
    assert!(
        raw.answers().0.ends_with("EZ") && raw.error.contains("57014"),
        "{}",
        raw.error
    );
    assert_eq!(raw.query("SELECT 1").0, "TDCZ", "the session goes on");
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
