//! A proxy served in this process: what is read once and kept, indexes that still serve, and a
//! catalog that follows the database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use common::Cluster;
use pgpurpose::audit::{Journal, JournalConfig, SubjectKey};
use pgpurpose::session::{EXAMINED, Options, Phase, Plans, Rules, Shared};
use pgpurpose::upstream::catalogs::Catalogs;
use pgpurpose::upstream::{Server, Target};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_postgres::{Client, NoTls};

const SCHEMA: &str = "
CREATE ROLE app LOGIN;
CREATE TABLE people (id int PRIMARY KEY, name text, region text, agreed bool);
INSERT INTO people SELECT i, 'name ' || i, (ARRAY['north','south'])[1 + i % 2], i % 3 <> 0 FROM generate_series(1, 20000) i;
CREATE INDEX ON people (region, id);
ANALYZE people;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO app;
";

const RULES: &str = r#"
version: 1
purposes: {care: {explain: true}, marketing: {explain: true}, few: {max_rows: 3}}
data_categories: {system: {sensitivity: none}, user: {sensitivity: personal, other_purpose: allow}}
roles: {app: {purposes: [care, marketing, few], default_purpose: care}}
tables:
  public.people:
    data_subject: {key: id}
    collected_for: [care]
    columns: {id: system, name: user, region: system, agreed: system}
    row_filters: [{purposes: [marketing], where: "agreed"}]
  public.later: {columns: {"*": system}}
release: [{purposes: [care], data_categories: [user], as: raw}]
"#;

struct Served {
    cluster: Cluster,
    port: u16,
    audit: std::path::PathBuf,
    _phase: watch::Sender<Phase>,
}

async fn serve(name: &str) -> Served {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", SCHEMA);
    let audit = std::env::temp_dir().join(format!("pgpurpose-{name}-{}.jsonl", std::process::id()));
    let target: Target = format!("postgres://127.0.0.1:{}", cluster.port()).parse().unwrap();
    let (phase, watched) = watch::channel(Phase::Serving);
    let shared = Arc::new(Shared {
        options: Options {
            catalog_age: Duration::from_secs(3600),
            ..Options::new(Server::of(&target).unwrap())
        },
        rules: ArcSwap::from_pointee(Rules {
            version: 1,
            set: pgpurpose::rules::load(&[("rules.yaml".into(), RULES.into())]).unwrap(),
        }),
        journal: Journal::open(JournalConfig::new(&audit)).unwrap(),
        subject_key: SubjectKey::new(&[1; 32]),
        nobody_key: vec![1; 32],
        catalogs: Catalogs::default(),
        plans: Plans::default(),
        secrets: Box::new(|_, _| Vec::new()),
        phase: watched,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(pgpurpose::downstream::serve(listener, shared));
    Served {
        cluster,
        port,
        audit,
        _phase: phase,
    }
}

impl Served {
    async fn connect(&self) -> Client {
        let url = format!("host=127.0.0.1 port={} user=app dbname=postgres", self.port);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

async fn plan_of(client: &Client, sql: &str) -> String {
    let rows = client.query(&format!("EXPLAIN (COSTS OFF) {sql}"), &[]).await.unwrap();
    rows.iter().map(|r| r.get::<_, String>(0) + "\n").collect()
}

/// One test: the counter is the process's own.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_served() {
    let served = serve("served").await;
    let client = served.connect().await;
    a_repeated_statement_is_read_once(&served, &client).await;
    constants_that_make_no_difference_are_filled_in(&served, &client).await;
    an_index_on_a_raw_column_is_used(&client).await;
    a_table_made_elsewhere_is_found(&served, &client).await;
    what_a_bounded_result_showed_is_recorded(&served).await;
    what_is_decided_is_explained_and_does_not_run(&served).await;
    what_a_lost_session_was_shown_is_recorded(&served).await;
}

/// `EXPLAIN (PGPURPOSE)` by both protocols: of what is served, of what is refused, and of writes.
async fn what_is_decided_is_explained_and_does_not_run(served: &Served) {
    let client = served.connect().await;
    let lines = async |sql: &str| {
        let said = client
            .simple_query(&format!("EXPLAIN (PGPURPOSE) {sql}"))
            .await
            .unwrap();
        let lines = said.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get("QUERY PLAN").map(str::to_owned),
            _ => None,
        });
        lines.collect::<Vec<String>>().join("\n")
    };
    let served_raw = lines("SELECT name FROM people WHERE id = 7 AND name = 'it''s'").await;
    assert!(served_raw.contains("public.people.name  output  raw"), "{served_raw}");
    let other = lines("SELECT 1 FROM people WHERE id = 8 AND name = 'that'").await;
    assert!(!other.contains("output  raw"), "{other}");
    client
        .batch_execute("SET pgpurpose.purpose = 'marketing'")
        .await
        .unwrap();
    let hidden = lines("SELECT name FROM people WHERE id = 7").await;
    assert!(hidden.contains("output  hidden"), "{hidden}");
    assert!(
        hidden.contains("Rows of public.people: filtered by row_filters  rule rules.yaml:"),
        "{hidden}"
    );
    assert!(
        !hidden.contains("agreed"),
        "the text of a row filter is shown: {hidden}"
    );
    let write = lines("DELETE FROM people").await;
    assert!(write.contains("(write_not_allowed)"), "{write}");
    let sql = "EXPLAIN (PGPURPOSE, FORMAT JSON) SELECT name FROM people WHERE id = $1";
    let types = [tokio_postgres::types::Type::INT4];
    let prepared = client.prepare_typed(sql, &types).await.unwrap();
    assert_eq!(prepared.columns()[0].type_(), &tokio_postgres::types::Type::JSON);
    assert_eq!(client.query(&prepared, &[&7]).await.unwrap().len(), 1);
    client
        .batch_execute("SET pgpurpose.purpose = 'nonsense'")
        .await
        .unwrap();
    let refused = lines("SELECT name FROM people").await;
    assert!(refused.contains("(purpose_unknown)"), "{refused}");
    client.batch_execute("RESET pgpurpose.purpose").await.unwrap();
    let count = client.query_one("SELECT count(*) FROM people", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 20000);
    let log = std::fs::read_to_string(&served.audit).unwrap();
    let explained = log.lines().filter(|line| line.contains("\"statement\":\"EXPLAIN ("));
    assert!(explained.count() >= 3, "{log}");
}

/// A result that is cut off has disclosed rows: the record says how many. The session goes on.
async fn what_a_bounded_result_showed_is_recorded(served: &Served) {
    let client = served.connect().await;
    client.batch_execute("SET pgpurpose.purpose = 'few'").await.unwrap();
    let ended = client.simple_query("SELECT id FROM people").await.unwrap_err();
    let told = ended.as_db_error().unwrap();
    assert_eq!(told.constraint(), Some("too_many_rows"));
    let recorded = completed(served, |e| e["sqlstate"] == "42501").await;
    assert_eq!(recorded["rows"], 3);
    client.simple_query("SELECT id FROM people LIMIT 3").await.unwrap();
}

/// So has a session that is lost in the midst of one.
async fn what_a_lost_session_was_shown_is_recorded(served: &Served) {
    let client = served.connect().await;
    let query = tokio::spawn(async move {
        client
            .simple_query("SELECT p.id FROM people p, people q")
            .await
            .map(drop)
    });
    let writing = "FROM pg_stat_activity WHERE usename = 'app' AND state = 'active' AND wait_event = 'ClientWrite'";
    let ended = format!("SELECT pg_terminate_backend(pid) {writing}");
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while served.cluster.psql("postgres", "postgres", &ended).trim() != "t" {
        assert!(
            tokio::time::Instant::now() < end,
            "the server never waits for its reader"
        );
    }
    query.await.unwrap().unwrap_err();
    let recorded = completed(served, |e| e["sqlstate"] == "08006" || e["sqlstate"] == "57P01").await;
    assert!(recorded["rows"].as_u64() > Some(0), "{recorded}");
}

/// The first record of a completion that is wanted.
async fn completed(served: &Served, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let found = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let log = std::fs::read_to_string(&served.audit).unwrap();
            let events = log
                .lines()
                .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let mut completed = events.filter(|e| e["event"] == "completed" && wanted(e));
            if let Some(event) = completed.next() {
                return event;
            }
            tokio::task::yield_now().await;
        }
    });
    found.await.expect("a record of what was shown")
}

async fn a_repeated_statement_is_read_once(served: &Served, client: &Client) {
    let sql = "SELECT name FROM people WHERE id = 7";
    let tagged = format!("{sql} /*purpose='care',traceparent='00-1-2-01'*/");
    client.simple_query(sql).await.unwrap();
    let before = EXAMINED.load(Ordering::Relaxed);
    for _ in 0..5 {
        client.simple_query(sql).await.unwrap();
        client.simple_query(&tagged).await.unwrap();
    }
    let other = served.connect().await;
    other.simple_query(sql).await.unwrap();
    assert_eq!(EXAMINED.load(Ordering::Relaxed), before, "a known text was read again");
    client
        .simple_query("SELECT name FROM people WHERE id = 8")
        .await
        .unwrap();
    assert_eq!(EXAMINED.load(Ordering::Relaxed), before + 1, "a new text was not read");
}

/// Two texts of a shape are read; then any constants get the answer, and the error's position, that they
/// get directly. The condition is not total: under marketing it is copied behind a fence, constants too.
async fn constants_that_make_no_difference_are_filled_in(served: &Served, client: &Client) {
    let direct = format!("host=127.0.0.1 port={} user=app dbname=postgres", served.cluster.port());
    let (direct, connection) = tokio_postgres::connect(&direct, NoTls).await.unwrap();
    tokio::spawn(connection);
    for (purpose, rows) in [
        ("care", "people"),
        ("marketing", "(SELECT * FROM people WHERE agreed) people"),
    ] {
        client
            .batch_execute(&format!("SET pgpurpose.purpose = '{purpose}'"))
            .await
            .unwrap();
        let text = |from: &str, region: &str, id: &str| {
            format!("SELECT count(*) FROM {from} WHERE region = '{region}' AND id < {id} AND 100 / id < 3")
        };
        let mut read = 0;
        for (region, id) in [
            ("north", "5"),
            ("south", "14000"),
            ("no''where", "1"),
            ("south", "77"),
            ("n\"o", "4"),
        ] {
            let before = EXAMINED.load(Ordering::Relaxed);
            let ours = client.simple_query(&text("people", region, id)).await.unwrap();
            let theirs = direct.simple_query(&text(rows, region, id)).await.unwrap();
            assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{purpose}: {region}, {id}");
            read += EXAMINED.load(Ordering::Relaxed) - before;
        }
        assert_eq!(read, 2, "{purpose}");
    }
    client.batch_execute("RESET pgpurpose.purpose").await.unwrap();
    for (region, id) in [
        ("a", "b"),
        ("bcd", "efg"),
        ("", "longer than the others"),
        ("x", "'' 1"),
    ] {
        let text = format!("SELECT name FROM people WHERE region = '{region}' AND id = '{id}'");
        let ours = client.simple_query(&text).await.unwrap_err();
        let theirs = direct.simple_query(&text).await.unwrap_err();
        let position = |e: &tokio_postgres::Error| e.as_db_error().unwrap().position().cloned();
        assert_eq!(ours.code(), theirs.code());
        assert_eq!(position(&ours), position(&theirs), "{text}");
    }
}

async fn an_index_on_a_raw_column_is_used(client: &Client) {
    for purpose in ["care", "marketing"] {
        client
            .batch_execute(&format!("SET pgpurpose.purpose = '{purpose}'"))
            .await
            .unwrap();
        let plan = plan_of(client, "SELECT name FROM people WHERE id = 7").await;
        assert!(plan.contains("people_pkey"), "{purpose}: {plan}");
        // Not total, so there is a fence; the comparison with the key is copied inside.
        let plan = plan_of(client, "SELECT name FROM people WHERE id = 7 AND region::int > 1").await;
        assert!(plan.contains("people_pkey"), "{purpose}: {plan}");
        let fenced = "SELECT name FROM people WHERE region = 'north' AND id < 50 AND length(region) / 2 = 1";
        let plan = plan_of(client, fenced).await;
        assert!(plan.contains("Index"), "{purpose}: {plan}");
    }
    client.batch_execute("RESET pgpurpose.purpose").await.unwrap();
}

async fn a_table_made_elsewhere_is_found(served: &Served, client: &Client) {
    let missing = client.simple_query("SELECT x FROM later").await.unwrap_err();
    assert_eq!(missing.code().unwrap().code(), "42P01");
    served
        .cluster
        .psql("postgres", "postgres", "CREATE TABLE later AS SELECT 1 AS x");
    let rows = client.query("SELECT x FROM later", &[]).await.unwrap();
    assert_eq!(rows[0].get::<_, i32>(0), 1);
}
