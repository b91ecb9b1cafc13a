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
