//! What ends by itself while a session goes on: a purpose, an assurance, a broken glass, a day's number of queries.
//! The proxy is served in this process, and its clock is the test's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use common::Cluster;
use pgpurpose::audit::{Journal, JournalConfig, SubjectKey};
use pgpurpose::session::{Options, Phase, Plans, Rules, Shared};
use pgpurpose::upstream::catalogs::Catalogs;
use pgpurpose::upstream::{Server, Target};
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Statement};

const SCHEMA: &str = "
CREATE ROLE app LOGIN; CREATE ROLE dialer LOGIN;
CREATE TABLE people (id int PRIMARY KEY, name text);
INSERT INTO people SELECT i, 'name ' || i FROM generate_series(1, 5) i;
GRANT SELECT ON people TO app, dialer;
";

const RULES: &str = r#"
version: 1
purposes:
  care: {}
  season: {expires: 2030-01-02}
  glass: {break_glass: {max_minutes: 20}}
  count: {output: aggregate, min_group_size: 2, max_queries_per_day: 3}
recipients:
  dialer: {kind: processor, assurances: [{kind: certification, expires: 2030-01-02}]}
data_categories: {system: {sensitivity: none}, user: {sensitivity: personal, other_purpose: allow}}
roles:
  app: {purposes: [care, season, glass, count]}
  dialer: {purposes: [care], default_purpose: care, recipient: dialer}
tables: {public.people: {data_subject: {key: id}, collected_for: [care], columns: {id: system, name: user}}}
release: [{purposes: [care, season, glass], data_categories: [user], as: raw}]
"#;

struct World {
    _cluster: Cluster,
    port: u16,
    audit: PathBuf,
    seconds: Arc<AtomicI64>,
    shared: Arc<Shared>,
    _phase: watch::Sender<Phase>,
}

fn rules(version: u64, text: &str) -> Rules {
    let set = pgpurpose::rules::load(&[("rules.yaml".into(), text.into())]).unwrap();
    Rules { version, set }
}

async fn world() -> World {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", SCHEMA);
    let audit = std::env::temp_dir().join(format!("pgpurpose-by-itself-{}.jsonl", std::process::id()));
    let target: Target = format!("postgres://127.0.0.1:{}", cluster.port()).parse().unwrap();
    let (phase, watched) = watch::channel(Phase::Serving);
    let seconds = Arc::new(AtomicI64::new(datetime!(2030-01-01 23:30 UTC).unix_timestamp()));
    let clock = Arc::clone(&seconds);
    let shared = Arc::new(Shared {
        options: Options {
            clock: Arc::new(move || OffsetDateTime::from_unix_timestamp(clock.load(Ordering::SeqCst)).unwrap()),
            ..Options::new(Server::of(&target).unwrap())
        },
        rules: ArcSwap::from_pointee(rules(1, RULES)),
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
    tokio::spawn(pgpurpose::downstream::serve(listener, Arc::clone(&shared)));
    World {
        _cluster: cluster,
        port,
        audit,
        seconds,
        shared,
        _phase: phase,
    }
}

impl World {
    async fn connect(&self, role: &str) -> Client {
        let url = format!("host=127.0.0.1 port={} user={role} dbname=postgres", self.port);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    fn pass(&self, minutes: i64) {
        self.seconds.fetch_add(minutes * 60, Ordering::SeqCst);
    }

    /// Waits until the audit has so many lines with all of these.
    async fn recorded(&self, parts: &[&str], times: usize) {
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let log = std::fs::read_to_string(&self.audit).unwrap();
            let found = log
                .lines()
                .filter(|line| parts.iter().all(|p| line.contains(p)))
                .count();
            if found == times {
                return;
            }
            assert!(
                tokio::time::Instant::now() < end,
                "{parts:?}: {found}, not {times}\n{log}"
            );
            tokio::task::yield_now().await;
        }
    }
}

/// The number of rows, or the refusal's code; by both protocols alike.
async fn run(client: &Client, sql: &str, prepared: Option<&Statement>) -> String {
    let code = |e: tokio_postgres::Error| e.as_db_error().unwrap().constraint().unwrap_or("none").to_owned();
    let is_row = |m: &&SimpleQueryMessage| matches!(m, SimpleQueryMessage::Row(_));
    let simple = match client.simple_query(sql).await {
        Ok(messages) => messages.iter().filter(is_row).count().to_string(),
        Err(e) => code(e),
    };
    if let Some(prepared) = prepared {
        let extended = match client.query(prepared, &[]).await {
            Ok(rows) => rows.len().to_string(),
            Err(e) => code(e),
        };
        assert_eq!(simple, extended, "{sql}");
    }
    simple
}

const ALL: &str = "SELECT name FROM people";

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_by_itself() {
    let world = world().await;
    let set = async |client: &Client, purpose: &str| {
        let sql = format!("SET pgpurpose.purpose = '{purpose}'; SET pgpurpose.reason = 'T-1'");
        client.batch_execute(&sql).await.unwrap();
    };
    let (season, dialer) = (world.connect("app").await, world.connect("dialer").await);
    set(&season, "season").await;
    let of_season = season.prepare(ALL).await.unwrap();
    let of_dialer = dialer.prepare(ALL).await.unwrap();
    assert_eq!(run(&season, ALL, Some(&of_season)).await, "5");
    assert_eq!(run(&dialer, ALL, Some(&of_dialer)).await, "5");

    let glass = world.connect("app").await;
    set(&glass, "glass").await;
    let of_glass = glass.prepare(ALL).await.unwrap();
    assert_eq!(run(&glass, ALL, Some(&of_glass)).await, "5");
    world.recorded(&["\"event\":\"break_glass\"", "\"began\""], 1).await;
    world.pass(19);
    assert_eq!(run(&glass, ALL, Some(&of_glass)).await, "5");
    world.pass(1);
    assert_eq!(run(&glass, ALL, Some(&of_glass)).await, "purpose_expired");
    world.recorded(&["\"event\":\"break_glass\"", "\"ended\""], 1).await;
    set(&glass, "glass").await;
    assert_eq!(run(&glass, ALL, Some(&of_glass)).await, "5", "declared anew");

    // Ten to twelve.
    let counting = world.connect("app").await;
    set(&counting, "count").await;
    let count = "SELECT count(*) FROM people";
    assert_eq!(run(&counting, count, None).await, "1");
    assert_eq!(
        run(&counting, ALL, None).await,
        "aggregate_required",
        "what is refused does not count"
    );
    let another = world.connect("app").await;
    set(&another, "count").await;
    let of_count = another.prepare(count).await.unwrap();
    assert_eq!(run(&another, count, Some(&of_count)).await, "1");
    assert_eq!(run(&counting, count, None).await, "too_many_queries");
    world
        .shared
        .rules
        .store(Arc::new(rules(2, &format!("{RULES}\n# new rules"))));
    assert_eq!(run(&another, count, Some(&of_count)).await, "too_many_queries");
    world
        .recorded(&["\"outcome\":\"refuse\"", "\"code\":\"too_many_queries\""], 3)
        .await;

    assert_eq!(run(&season, ALL, Some(&of_season)).await, "5");
    assert_eq!(run(&dialer, ALL, Some(&of_dialer)).await, "5");
    world.pass(10);
    assert_eq!(run(&season, ALL, Some(&of_season)).await, "purpose_expired");
    assert_eq!(run(&dialer, ALL, Some(&of_dialer)).await, "recipient_not_assured");
    assert_eq!(run(&counting, count, None).await, "1", "another day");
    std::fs::remove_file(&world.audit).unwrap();
}
