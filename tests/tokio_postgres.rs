//! tokio-postgres through the proxy: prepared statements under two purposes, refusals in their place, transactions,
//! pipelines, portals. Starts its own PostgreSQL (as user postgres when run as root) with the demo data, and the proxy.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

const EMAIL: &str = "ada.lindqvist@example.net";
const MASKED: &str = "a***@example.net";
const QUERY: &str = "SELECT email FROM care.customers WHERE customer_id = $1";

/// PostgreSQL and the proxy; both end with it.
struct Stack {
    dir: PathBuf,
    bin: PathBuf,
    port: u16,
    proxy: Child,
}

/// A command without the caller's PG… environment.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PG") && !name.starts_with("PGPURPOSE_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// A program of PostgreSQL's, which does not run as root.
fn postgres(dir: &Path, program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = command("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        command(program)
    };
    command.current_dir(dir);
    command
}

fn run(mut command: Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?} failed");
}

fn newest_postgres() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    let newest = versions.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    PathBuf::from(format!("/usr/lib/postgresql/{}/bin", newest.max().unwrap()))
}

impl Stack {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = std::env::temp_dir().join(format!("pgpurpose-tokio-{}", std::process::id()));
        let data = dir.join("pg");
        std::fs::create_dir_all(&data).unwrap();
        if is_root() {
            let mut chown = command("chown");
            chown.arg("postgres").arg(&data);
            run(chown);
        }
        let bin = newest_postgres();
        let upstream = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

        let mut initdb = postgres(&data, &bin.join("initdb"));
        initdb.args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ]);
        initdb.arg(data.join("d"));
        run(initdb);
        let options = format!(
            "-p {upstream} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off -c timezone=UTC",
            data.display()
        );
        let mut start = postgres(&data, &bin.join("pg_ctl"));
        start.arg("-D").arg(data.join("d")).arg("-l").arg(data.join("log"));
        start.args(["-w", "-o", &options, "start"]);
        run(start);

        let psql = |database: &str| {
            let mut psql = command("psql");
            let port = upstream.to_string();
            psql.args([
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "postgres",
                "-d",
                database,
            ]);
            psql
        };
        let mut create = psql("postgres");
        create.args(["-c", "CREATE DATABASE care"]);
        run(create);
        let mut load = psql("care");
        load.arg("-f").arg(root.join("tests/data/customer-care.sql"));
        run(load);

        let mut serve = command(env!("CARGO_BIN_EXE_pgpurpose"));
        serve.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            &format!("postgres://127.0.0.1:{upstream}"),
        ]);
        serve
            .arg("--rules")
            .arg(root.join("rules"))
            .arg("--audit")
            .arg(dir.join("audit.jsonl"));
        let mut proxy = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(proxy.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let address = line.unwrap().split_once("listening on ")?.1.trim().to_owned();
            Some(address.rsplit_once(':').unwrap().1.parse().unwrap())
        });
        let port = port.expect("the proxy ended before it listened");
        Self { dir, bin, port, proxy }
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
        let data = self.dir.join("pg");
        let mut stop = postgres(&data, &self.bin.join("pg_ctl"));
        let _ = stop
            .arg("-D")
            .arg(data.join("d"))
            .args(["-m", "immediate", "stop"])
            .status();
        let _ = std::fs::remove_dir_all(&self.dir);
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
