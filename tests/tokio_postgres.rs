//! tokio-postgres through the proxy: prepared statements under two purposes, refusals in their place, transactions,
//! pipelines, portals. Starts its own PostgreSQL (as user postgres when run as root) with the demo data, and the proxy.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // helpers of a test, outside #[test]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::Cluster;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

const EMAIL: &str = "ada.lindqvist@example.net";
const MASKED: &str = "a***@example.net";
const QUERY: &str = "SELECT email FROM care.customers WHERE customer_id = $1";

/// PostgreSQL with the demo data, and the proxy in front of it; both end with it.
struct Stack {
    proxy: Child,
    port: u16,
    audit: PathBuf,
    _cluster: Cluster,
}

impl Stack {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cluster = Cluster::start();
        cluster.psql("postgres", "postgres", "CREATE DATABASE care");
        let data = std::fs::read_to_string(root.join("tests/data/customer-care.sql")).unwrap();
        cluster.psql("care", "postgres", &data);

        let audit = std::env::temp_dir().join(format!("pgpurpose-tokio-postgres-{}.jsonl", std::process::id()));
        let mut proxy = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
            .args(["serve", "--listen", "127.0.0.1:0", "--upstream"])
            .arg(format!("postgres://127.0.0.1:{}", cluster.port()))
            .arg("--rules")
            .arg(root.join("rules"))
            .arg("--audit")
            .arg(&audit)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(proxy.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("listening on ")?;
            Some(address.trim().rsplit_once(':').unwrap().1.parse().unwrap())
        });
        let port = port.unwrap_or_else(|| panic!("the proxy ended before it listened"));
        // What else it prints must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            proxy,
            port,
            audit,
            _cluster: cluster,
        }
    }

    async fn connect(&self, user: &str, purpose: &str) -> Client {
        let settings = format!(
            "host=127.0.0.1 port={} user={user} dbname=care options='{purpose}'",
            self.port
        );
        let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
        let _ = std::fs::remove_file(&self.audit);
    }
}

#[track_caller]
fn refused<T>(result: Result<T, tokio_postgres::Error>, code: &str) {
    let Err(error) = result else {
        panic!("not refused, expected {code}")
    };
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code(), &SqlState::INSUFFICIENT_PRIVILEGE, "{error}");
    assert_eq!(error.constraint(), Some(code), "{error}");
    assert!(error.message().ends_with(&format!("({code})")), "{error}");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("privacy@example.com")),
        "{error:?}"
    );
}

async fn email(client: &Client, sql: &str) -> Option<String> {
    client.query_one(sql, &[&1_i32]).await.unwrap().get(0)
}

async fn purposes_of_a_prepared_statement(stack: &Stack) {
    let client = stack.connect("marketing_app", "-c pgpurpose.purpose=marketing").await;
    let statement = client.prepare(QUERY).await.unwrap();
    let get = async || {
        client
            .query_one(&statement, &[&1_i32])
            .await
            .unwrap()
            .get::<_, Option<String>>(0)
    };
    assert_eq!(get().await.as_deref(), Some(MASKED));
    client
        .batch_execute("SET pgpurpose.purpose = 'marketing.email'")
        .await
        .unwrap();
    assert_eq!(get().await.as_deref(), Some(EMAIL));
    client.batch_execute("RESET pgpurpose.purpose").await.unwrap();
    assert_eq!(get().await.as_deref(), Some(MASKED));
    let tagged = format!("{QUERY} /*purpose='marketing.email',actor='agent-17'*/");
    assert_eq!(email(&client, &tagged).await.as_deref(), Some(EMAIL));
    assert_eq!(get().await.as_deref(), Some(MASKED));
}

async fn refusal_leaves_the_connection(stack: &Stack) {
    let client = stack.connect("support_app", "").await;
    let tagged = format!("{QUERY} /*purpose='marketing'*/");
    refused(client.prepare(&tagged).await, "purpose_not_granted");
    assert_eq!(email(&client, QUERY).await.as_deref(), Some(EMAIL));
    refused(
        client.simple_query("SELECT 1 /*purpose='sale'*/").await,
        "purpose_prohibited",
    );
    assert_eq!(email(&client, QUERY).await.as_deref(), Some(EMAIL));
    let read_file = client.query("SELECT pg_read_file('/etc/passwd')", &[]).await;
    refused(read_file, "function_not_allowed");
    assert_eq!(email(&client, QUERY).await.as_deref(), Some(EMAIL));
}

async fn transactions(stack: &Stack) {
    let mut client = stack.connect("marketing_app", "-c pgpurpose.purpose=marketing").await;
    let transaction = client.transaction().await.unwrap();
    transaction
        .batch_execute("SET LOCAL pgpurpose.purpose = 'marketing.email'")
        .await
        .unwrap();
    let row = transaction.query_one(QUERY, &[&1_i32]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), EMAIL);
    let update = "UPDATE care.customers SET city = 'x' WHERE customer_id = $1";
    refused(transaction.execute(update, &[&1_i32]).await, "write_not_allowed");
    let after = transaction.query(QUERY, &[&1_i32]).await.unwrap_err();
    assert_eq!(after.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
    transaction.rollback().await.unwrap();
    assert_eq!(email(&client, QUERY).await.as_deref(), Some(MASKED));
}

async fn pipelined(stack: &Stack) {
    let client = stack.connect("support_app", "").await;
    let good = client.prepare(QUERY).await.unwrap();
    let (one, two): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&1_i32], [&3_i32]);
    let bad = "SELECT email FROM care.customers /*purpose='marketing'*/";
    let (first, refusal, last) = tokio::join!(
        client.query(&good, &one),
        client.query(bad, &[]),
        client.query(&good, &two)
    );
    assert_eq!(first.unwrap()[0].get::<_, &str>(0), EMAIL);
    refused(refusal, "purpose_not_granted");
    assert_eq!(last.unwrap()[0].get::<_, &str>(0), "chidi.okafor@example.com");
}

async fn portals(stack: &Stack) {
    let mut client = stack.connect("quality", "-c pgpurpose.purpose=care.quality").await;
    let transaction = client.transaction().await.unwrap();
    let portal = transaction
        .bind(
            "SELECT customer_id, email FROM care.customers WHERE customer_id < $1 ORDER BY 1",
            &[&5_i32],
        )
        .await
        .unwrap();
    let mut seen = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 2).await.unwrap();
        seen.extend(rows.iter().map(|row| (row.get::<_, i32>(0), row.get::<_, String>(1))));
        if rows.len() < 2 {
            break;
        }
    }
    let expected = [(1, MASKED), (3, "c***@example.com"), (4, "d***@example.net")];
    assert_eq!(seen, expected.map(|(id, mail)| (id, mail.to_owned())));
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokio_postgres_through_the_proxy() {
    let stack = Stack::start();
    purposes_of_a_prepared_statement(&stack).await;
    refusal_leaves_the_connection(&stack).await;
    transactions(&stack).await;
    pipelined(&stack).await;
    portals(&stack).await;
}
