//! A proxy's life as its clients see it: logins by each method that the server may ask for, cancels,
//! and an end that lets transactions finish.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use common::Cluster;
use common::proxy::Proxy;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

struct Proxied {
    cluster: Cluster,
    proxy: Proxy,
}

impl Proxied {
    fn start(name: &str, flags: &[&str]) -> Self {
        let cluster = Cluster::start();
        cluster.psql("postgres", "postgres", "CREATE ROLE app LOGIN PASSWORD 'open sesame'");
        let proxy = Proxy::start(name, &format!("postgres://127.0.0.1:{}", cluster.port()), flags);
        Self { cluster, proxy }
    }

    /// The server asks for logins by this method from now on.
    fn ask_by(&self, method: &str) {
        let encryption = if method == "md5" { "md5" } else { "scram-sha-256" };
        let sql = format!(
            "SET password_encryption = '{encryption}'; ALTER ROLE app PASSWORD 'open sesame';
             SELECT format('COPY (SELECT %L UNION ALL SELECT %L) TO %L',
                           'host all postgres all trust', 'host all app all {method}', current_setting('hba_file')) AS copy \\gset
             :copy;
             SELECT pg_reload_conf();"
        );
        self.cluster.psql("postgres", "postgres", &sql);
    }

    async fn connect(&self, password: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.proxy.port)
            .user("app")
            .dbname("postgres");
        config.password(password);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

async fn one(client: &Client) -> i32 {
    client.query_one("SELECT 1", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_the_servers_to_judge() {
    let proxy = Proxied::start("logins", &["--allow-md5", "--allow-password"]);
    assert_eq!(one(&proxy.connect("whatever").await.unwrap()).await, 1, "trust");
    for method in ["scram-sha-256", "md5", "password"] {
        proxy.ask_by(method);
        assert_eq!(one(&proxy.connect("open sesame").await.unwrap()).await, 1, "{method}");
        let Err(error) = proxy.connect("open barley").await else {
            panic!("{method}: a wrong password is let in")
        };
        let told = error.as_db_error().unwrap();
        assert_eq!(told.code(), &SqlState::INVALID_PASSWORD, "{method}");
        assert_eq!(
            told.message(),
            "password authentication failed for user \"app\"",
            "{method}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_ways_to_log_in_are_not_passed_on_unless_they_are_allowed() {
    let proxy = Proxied::start("old-ways", &[]);
    for (method, flag) in [("md5", "--allow-md5"), ("password", "--allow-password")] {
        proxy.ask_by(method);
        let Err(error) = proxy.connect("open sesame").await else {
            panic!("{method} is passed on")
        };
        let told = error.as_db_error().unwrap();
        assert_eq!(told.code(), &SqlState::INVALID_AUTHORIZATION_SPECIFICATION, "{method}");
        assert!(told.hint().unwrap().contains(flag), "{method}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_the_statement_that_runs() {
    let proxy = Proxied::start("cancel", &[]);
    let client = proxy.connect("").await.unwrap();
    let cancel = client.cancel_token();
    let endless = client.query("SELECT count(*) FROM generate_series(1, 100000000000)", &[]);
    let canceller = async {
        // A cancel that comes before the statement runs is lost, as in PostgreSQL: so again until it ends.
        loop {
            cancel.cancel_query(NoTls).await.unwrap();
        }
    };
    let ended = tokio::select! {
        ended = endless => ended,
        () = canceller => unreachable!("it goes on for ever"),
    };
    assert_eq!(ended.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    assert_eq!(one(&client).await, 1, "the connection lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_transactions() {
    let mut proxy = Proxied::start("end", &[]);
    let working = proxy.connect("").await.unwrap();
    working.batch_execute("BEGIN; SELECT 1").await.unwrap();
    proxy.proxy.signal("TERM");
    // New logins are turned away as soon as the signal is seen.
    while proxy.connect("").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(one(&working).await, 1, "a transaction goes on");
    working.batch_execute("COMMIT").await.unwrap();
    let exit = tokio::task::spawn_blocking(move || proxy.proxy.process.wait().map(|status| status.code()))
        .await
        .unwrap();
    assert_eq!(exit.unwrap(), Some(0));
}

/// A server that lets nobody write stands in for a standby, and a port where nobody listens for one that is down.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_servers_one_that_will_do_is_found() {
    let reads = Cluster::start_with(&["default_transaction_read_only=on"]);
    let writes = Cluster::start();
    for cluster in [&reads, &writes] {
        let sql = "SET default_transaction_read_only = off; CREATE ROLE app LOGIN PASSWORD 'open sesame'";
        cluster.psql("postgres", "postgres", sql);
    }
    let down = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (attributes, expected) in [("any", &reads), ("read-write", &writes), ("read-only", &reads)] {
        let hosts = [down, reads.port(), writes.port()]
            .map(|port| format!("127.0.0.1:{port}"))
            .join(",");
        let upstream = format!("postgres://{hosts}/?target_session_attrs={attributes}");
        let proxy = Proxy::start(&format!("hosts-{attributes}"), &upstream, &[]);
        let config = format!("host=127.0.0.1 port={} user=app dbname=postgres", proxy.port);
        // Who came to the wrong one is told to come again, and does not come there a second time.
        let mut refused = 0;
        let client = loop {
            match tokio_postgres::connect(&config, NoTls).await {
                Ok((client, connection)) => break (client, tokio::spawn(connection)).0,
                Err(error) => assert_eq!(error.code(), Some(&SqlState::CANNOT_CONNECT_NOW)),
            }
            refused += 1;
        };
        assert_eq!(refused, usize::from(attributes == "read-write"), "{attributes}");
        let there = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'";
        assert_eq!(expected.psql("postgres", "postgres", there), "1", "{attributes}");
        // A cancel finds the one that knows its key.
        let (cancel, endless) = (
            client.cancel_token(),
            "SELECT count(*) FROM generate_series(1, 100000000000)",
        );
        let ended = tokio::select! {
            ended = client.query(endless, &[]) => ended,
            () = async { while cancel.cancel_query(NoTls).await.is_ok() {} } => unreachable!("it goes on for ever"),
        };
        assert_eq!(
            ended.unwrap_err().code(),
            Some(&SqlState::QUERY_CANCELED),
            "{attributes}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_follows_another_and_no_session_is_dropped() {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", "CREATE ROLE app LOGIN");
    let upstream = format!("postgres://127.0.0.1:{}", cluster.port());
    let mut old = Proxy::start("old", &upstream, &["--reuse-port"]);
    let config = format!("host=127.0.0.1 port={} user=app dbname=postgres", old.port);
    let connect = || async {
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.expect("always served");
        tokio::spawn(connection);
        client
    };
    let session = connect().await;
    session.batch_execute("SET application_name = 'stays'").await.unwrap();
    let address = format!("127.0.0.1:{}", old.port);
    let new = Proxy::start("new", &upstream, &["--reuse-port", "--listen", &address]);
    old.signal("USR2");
    let logins = || {
        std::fs::read_to_string(new.path("audit.jsonl"))
            .unwrap()
            .matches("\"event\":\"login\"")
            .count()
    };
    let mut made = 0;
    while logins() < 20 {
        assert_eq!(one(&connect().await).await, 1);
        made += 1;
    }
    assert!(made < 1000, "the old one takes no more: {made}");
    assert_eq!(one(&session).await, 1, "it goes on where it was");
    drop(session);
    let exit = tokio::task::spawn_blocking(move || old.process.wait()).await.unwrap();
    assert_eq!(exit.unwrap().code(), Some(0), "its last client has left");
}

/// What a service manager is told: sd_notify(3).
#[test]
fn whoever_started_it_is_told_when_it_serves_and_when_it_ends() {
    let cluster = Cluster::start();
    let folder = Proxy::folder("supervised");
    let socket = folder.join("notify");
    let supervisor = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    supervisor
        .set_read_timeout(Some(std::time::Duration::from_secs(60)))
        .unwrap();
    let told = || {
        let mut words = [0; 64];
        let length = supervisor.recv(&mut words).expect("it is told");
        String::from_utf8_lossy(&words[..length]).into_owned()
    };
    let upstream = format!("postgres://127.0.0.1:{}", cluster.port());
    let environment = [("NOTIFY_SOCKET", socket.to_str().unwrap())];
    let mut proxy = Proxy::start_in(&environment, "supervised", common::proxy::RULES, &upstream, &[]);
    assert_eq!(told(), "READY=1");
    proxy.signal("TERM");
    assert_eq!(told(), "STOPPING=1");
    assert!(proxy.process.wait().unwrap().success());
}

#[test]
fn its_memory_is_kept_out_of_core_dumps() {
    let forbidden = [("PGPURPOSE_ALLOW_CORE_DUMPS", "false")];
    for (environment, limit) in [(&forbidden[..], Some("0")), (&[][..], None)] {
        let proxy = Proxy::start_in(
            environment,
            "dumps",
            common::proxy::RULES,
            "postgres://127.0.0.1:1",
            &[],
        );
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", proxy.process.id())).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        let hard = line.split_whitespace().nth(5).unwrap();
        assert!(limit.is_none_or(|limit| limit == hard), "{line}");
    }
}
