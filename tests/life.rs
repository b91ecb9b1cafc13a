//! A proxy's life as its clients see it: logins by each method that the server may ask for, cancels,
//! and an end that lets transactions finish.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use common::Cluster;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

const RULES: &str = "
version: 1
purposes: {care: {}}
data_categories: {system: {sensitivity: none}}
roles: {app: {purposes: [care], default_purpose: care}}
unclassified: {table: raw}
";

struct Proxy {
    cluster: Cluster,
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Proxy {
    fn start(name: &str) -> Self {
        let cluster = Cluster::start();
        cluster.psql("postgres", "postgres", "CREATE ROLE app LOGIN PASSWORD 'open sesame'");
        let folder = std::env::temp_dir().join(format!("pgpurpose-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
            .args(["serve", "--listen", "127.0.0.1:0", "--upstream"])
            .arg(format!("postgres://127.0.0.1:{}", cluster.port()))
            .arg("--rules")
            .arg(folder.join("rules.yaml"))
            .arg("--audit")
            .arg(folder.join("audit.jsonl"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("listening on ")?;
            address.trim().rsplit_once(':').unwrap().1.parse().ok()
        });
        std::thread::spawn(move || lines.for_each(drop)); // what else it prints must find a reader
        Self {
            cluster,
            process,
            port: port.expect("it listens"),
            folder,
        }
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
        config.host("127.0.0.1").port(self.port).user("app").dbname("postgres");
        config.password(password);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn terminate(&self) {
        let status = Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn one(client: &Client) -> i32 {
    client.query_one("SELECT 1", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_are_the_servers_to_judge() {
    let proxy = Proxy::start("logins");
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
async fn a_cancel_reaches_the_statement_that_runs() {
    let proxy = Proxy::start("cancel");
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
    let mut proxy = Proxy::start("end");
    let working = proxy.connect("").await.unwrap();
    working.batch_execute("BEGIN; SELECT 1").await.unwrap();
    proxy.terminate();
    // New logins are turned away as soon as the signal is seen.
    while proxy.connect("").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(one(&working).await, 1, "a transaction goes on");
    working.batch_execute("COMMIT").await.unwrap();
    let exit = tokio::task::spawn_blocking(move || proxy.process.wait().map(|status| status.code()))
        .await
        .unwrap();
    assert_eq!(exit.unwrap(), Some(0));
}
