//! The core against a real PostgreSQL, case by case (`*.txt` beside this file).
//!
//! Each statement is examined, and what comes out is run on the raw database. The answer must be
//! that of the client's own text on a database that holds the released relations as tables
//! (equivalence), and must not change when only what is not released changes (non-interference).
//!
//! A case is a line `> EXPECTATION`, then SQL up to the next. Expectations:
//! `same` (equivalence and non-interference; `untyped`: types of outputs aside; `ordered`: the
//! order of rows counts; `error`: both fail alike; `tickets`: what a write left behind is compared too), `refuse CODE`, `runs` (no comparison with the released database),
//! `fails STATE` (PostgreSQL refuses what comes out). `purpose=P` declares a purpose,
//! `path=a,b` sets the search_path.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../common/mod.rs"]
mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::Cluster;
use pgpurpose::catalog::{Catalog, SearchPath};
use pgpurpose::cli::rules_files;
use pgpurpose::pipeline::{self, Context, Plan, PreparedNames, Refusal, Standing};
use pgpurpose::policy::{Declaration, Policy};
use pgpurpose::sql::ClientSql;
use pgpurpose::upstream::{Target, loader};
use time::macros::datetime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// What a write did to the tickets that marketing sees, and that it did nothing to the others.
const TICKETS_AFTER: &str = "SELECT id, subject, state, open FROM tickets WHERE id % 3 <> 0 ORDER BY id;
    SELECT current_database() = 'released' OR count(*) = 3 AS untouched FROM tickets WHERE id % 3 = 0 AND state = 'new'";

struct SameNames;

impl PreparedNames for SameNames {
    fn upstream_name(&self, client_name: &str) -> Option<String> {
        Some(client_name.to_owned())
    }
}

struct World {
    policy: Arc<Policy>,
    catalog: Catalog,
}

#[derive(Default)]
struct Case {
    place: String,
    expectation: Vec<String>,
    sql: String,
}

impl Case {
    fn option<'c>(&'c self, name: &str) -> Option<&'c str> {
        self.expectation
            .iter()
            .find_map(|w| w.strip_prefix(name)?.strip_prefix('='))
    }
    fn has(&self, word: &str) -> bool {
        self.expectation.iter().any(|w| w == word)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn cases() -> Vec<Case> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "txt"));
    files.sort();
    let mut cases: Vec<Case> = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for (number, line) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
            if let Some(expectation) = line.strip_prefix("> ") {
                cases.push(Case {
                    place: format!("{name}:{}", number + 1),
                    expectation: expectation.split_whitespace().map(str::to_owned).collect(),
                    sql: String::new(),
                });
            } else if let (false, Some(case)) = (line.starts_with("##"), cases.last_mut()) {
                case.sql.push_str(line);
                case.sql.push('\n');
            }
        }
    }
    cases
}

impl World {
    fn examine(&self, case: &Case) -> Result<Plan, Box<Refusal>> {
        let declared = Declaration {
            purpose: Some(case.option("purpose").unwrap_or("marketing").to_owned()),
            reason: None,
            subject: None,
            actor: None,
        };
        let sql = ClientSql::new(case.sql.trim()).map_err(|e| Box::new(Refusal::unread(e.to_string())))?;
        let parsed = pipeline::parse(Arc::new(sql))?;
        let admission = self
            .policy
            .admit("app", &declared, datetime!(2026-06-01 0:00 UTC))
            .unwrap();
        let path: Vec<String> = case
            .option("path")
            .unwrap_or("$user,public")
            .split(',')
            .map(str::to_owned)
            .collect();
        let search_path = SearchPath::new(&path, "app", &self.catalog);
        let contexts: Vec<Context<'_>> = parsed
            .commands
            .iter()
            .map(|_| Context {
                policy: &self.policy,
                catalog: &self.catalog,
                role: "app",
                standing: Standing::Admitted(admission),
                search_path: &search_path,
                prepared: &SameNames,
            })
            .collect();
        Ok(pipeline::examine(&parsed, &contexts)?)
    }
}

/// What came back: lines of text, or an error.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Rows(Vec<String>),
    Error { state: String, message: String },
}

impl Answer {
    fn sorted(mut self) -> Self {
        if let Self::Rows(rows) = &mut self {
            rows.sort();
        }
        self
    }
    fn error(error: &tokio_postgres::Error) -> Self {
        let database = error.as_db_error().unwrap_or_else(|| panic!("{error}"));
        Self::Error {
            state: database.code().code().to_owned(),
            message: format!("{} {}", database.message(), database.detail().unwrap_or_default()),
        }
    }
}

struct Database {
    client: Client,
    port: u16,
    name: String,
}

impl Database {
    async fn connect(cluster: &Cluster, name: &str) -> Self {
        let target = format!("host=127.0.0.1 port={} user=app dbname={name}", cluster.port());
        let (client, connection) = tokio_postgres::connect(&target, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self {
            client,
            port: cluster.port(),
            name: name.to_owned(),
        }
    }

    /// Runs a text in a transaction of its own, undone.
    async fn run(&self, case: &Case, sql: &str) -> Answer {
        self.client
            .batch_execute("ROLLBACK; DEALLOCATE ALL; BEGIN")
            .await
            .unwrap();
        if let Some(path) = case.option("path") {
            self.client
                .batch_execute(&format!("SET LOCAL search_path = {path}"))
                .await
                .unwrap();
        }
        let is_copy = sql
            .trim_start()
            .get(..4)
            .is_some_and(|w| w.eq_ignore_ascii_case("copy"));
        let mut answer = if is_copy {
            self.copy(sql)
        } else {
            self.simple(case, sql).await
        };
        if let (Answer::Rows(rows), true) = (&mut answer, case.has("tickets"))
            && let Answer::Rows(after) = self.simple(&Case::default(), TICKETS_AFTER).await
        {
            rows.extend(after);
        }
        self.client.batch_execute("ROLLBACK").await.unwrap();
        answer
    }

    /// By psql, since COPY needs more of a client.
    fn copy(&self, sql: &str) -> Answer {
        let said = common::psql_at(self.port, &self.name, "app", sql);
        if said.success {
            return Answer::Rows(said.stdout.lines().map(str::to_owned).collect());
        }
        let message = said.stderr.lines().next().unwrap_or_default().to_owned();
        Answer::Error {
            state: String::new(),
            message,
        }
    }

    async fn simple(&self, case: &Case, sql: &str) -> Answer {
        let mut rows = Vec::new();
        if case.has("same") && !case.has("untyped") && !sql.contains(';') && !sql.contains("EXECUTE") {
            match self.client.prepare(sql).await {
                Ok(statement) => {
                    let columns: Vec<String> = statement
                        .columns()
                        .iter()
                        .map(|c| format!("{} {}", c.name(), c.type_()))
                        .collect();
                    rows.push(format!("columns: {}", columns.join(", ")));
                }
                Err(error) => return Answer::error(&error),
            }
        }
        match self.client.simple_query(sql).await {
            Err(error) => return Answer::error(&error),
            Ok(messages) => {
                for message in messages {
                    match message {
                        SimpleQueryMessage::Row(row) => {
                            let mut line = String::new();
                            for (i, column) in row.columns().iter().enumerate() {
                                let _ = write!(line, "{}={} | ", column.name(), row.get(i).unwrap_or("NULL"));
                            }
                            rows.push(line);
                        }
                        SimpleQueryMessage::CommandComplete(n) => rows.push(format!("complete {n}")),
                        SimpleQueryMessage::RowDescription(_) => {}
                        _ => panic!("an unknown message"),
                    }
                }
            }
        }
        Answer::Rows(rows)
    }
}

struct Databases {
    raw: Database,
    twin: Database,
    released: Database,
}

impl Databases {
    /// What is wrong with a case, if anything.
    async fn check(&self, world: &World, case: &Case) -> Option<String> {
        let examined = world.examine(case);
        if case.has("refuse") {
            return match examined {
                Err(refusal) if case.has(refusal.code.as_str()) => None,
                Err(refusal) => Some(format!("refused as {}: {}", refusal.code, refusal.message)),
                Ok(plan) => Some(format!("served: {}", plan.verified.text())),
            };
        }
        let text = match examined {
            Err(refusal) => return Some(format!("refused as {}: {}", refusal.code, refusal.message)),
            Ok(plan) => plan.verified.text().to_owned(),
        };
        let tidy = |answer: Answer| if case.has("ordered") { answer } else { answer.sorted() };
        let raw = tidy(self.raw.run(case, &text).await);
        let twin = tidy(self.twin.run(case, &text).await);
        if let Some(state) = case
            .expectation
            .iter()
            .position(|w| w == "fails")
            .map(|i| &case.expectation[i + 1])
        {
            return match &raw {
                Answer::Error { state: found, .. } if found == state => None,
                other => Some(format!("no error {state}: {other:?}\n{text}")),
            };
        }
        // What a write leaves behind holds unreleased rows: it is compared by `then` views only.
        if raw != twin {
            return Some(format!("tells of what is not released:\n  {raw:?}\n  {twin:?}\n{text}"));
        }
        if case.has("runs") {
            return match raw {
                Answer::Rows(_) => None,
                Answer::Error { state, message } => Some(format!("fails with {state} {message}\n{text}")),
            };
        }
        let released = tidy(self.released.run(case, case.sql.trim()).await);
        let equal = match (&raw, &released) {
            (Answer::Error { state: a, .. }, Answer::Error { state: b, .. }) => a == b && case.has("error"),
            (a, b) => a == b && !case.has("error"),
        };
        (!equal).then(|| format!("differs from the released relations:\n  {raw:?}\n  {released:?}\n{text}"))
    }
}

fn prepare() -> (Cluster, World) {
    let cluster = Cluster::start();
    cluster.psql("postgres", "postgres", "CREATE DATABASE raw");
    cluster.psql("raw", "postgres", &read("schema.sql"));
    for name in ["twin", "released"] {
        cluster.psql("postgres", "postgres", &format!("CREATE DATABASE {name} TEMPLATE raw"));
        cluster.psql(name, "postgres", &read(&format!("{name}.sql")));
    }
    let target: Target = format!("postgres://app@127.0.0.1:{}/raw", cluster.port())
        .parse()
        .unwrap();
    let catalog = loader::load_blocking(&target).unwrap();
    let set = rules_files::load(&folder().join("rules.yaml")).unwrap_or_else(|e| panic!("{e}"));
    let policy = set.for_database("raw").unwrap();
    (cluster, World { policy, catalog })
}

fn run() {
    let (cluster, world) = prepare();
    let only = std::env::var("PGPURPOSE_TEST_CASE").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (count, failures) = runtime.block_on(async {
        let databases = Databases {
            raw: Database::connect(&cluster, "raw").await,
            twin: Database::connect(&cluster, "twin").await,
            released: Database::connect(&cluster, "released").await,
        };
        let (mut count, mut failures) = (0, Vec::new());
        for case in cases().iter().filter(|c| c.place.contains(&only)) {
            count += 1;
            if let Some(why) = databases.check(&world, case).await {
                failures.push(format!(
                    "{} > {}\n{}{why}\n",
                    case.place,
                    case.expectation.join(" "),
                    case.sql
                ));
            }
        }
        (count, failures)
    });
    let mutants = std::env::var("PGPURPOSE_TEST_MUTANTS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1500);
    let failures = [failures, runtime.block_on(mutants_hold(&cluster, &world, mutants))].concat();
    assert!(count > 0, "no case");
    assert!(
        failures.is_empty(),
        "{} of {count} cases fail\n\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// Statements made of the cases' tokens at random: none may panic, and what is served must not tell
/// of what is not released. Where the order of rows decides what comes out, no more than that.
async fn mutants_hold(cluster: &Cluster, world: &World, count: usize) -> Vec<String> {
    const BY_ORDER: [&str; 12] = [
        "limit",
        "offset",
        "fetch",
        "row_number",
        "string_agg",
        "array_agg",
        "jsonb_agg",
        "random",
        "now",
        "nextval",
        "order by",
        "distinct on",
    ];
    let raw = Database::connect(cluster, "raw").await;
    let twin = Database::connect(cluster, "twin").await;
    for database in [&raw, &twin] {
        database
            .client
            .batch_execute("SET statement_timeout = '2s'")
            .await
            .unwrap();
    }
    let cases = cases();
    let tokens: Vec<Vec<String>> = cases.iter().map(|c| words(&c.sql)).collect();
    let all: Vec<&String> = tokens.iter().flatten().collect();
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ count as u64);
    let mut failures = Vec::new();
    for _ in 0..count {
        let mut mutant = tokens[random.below(tokens.len())].clone();
        for _ in 0..=random.below(3) {
            let (at, other) = (random.below(mutant.len().max(1)), all[random.below(all.len())].clone());
            match random.below(4) {
                0 if at < mutant.len() => mutant[at] = other,
                1 if at < mutant.len() => drop(mutant.remove(at)),
                2 => mutant.insert(at.min(mutant.len()), other),
                _ => {
                    let from = &tokens[random.below(tokens.len())];
                    let start = random.below(from.len());
                    let end = (start + 1 + random.below(8)).min(from.len());
                    mutant.splice(at..at, from[start..end].iter().cloned());
                }
            }
        }
        let case = Case {
            sql: mutant.join(" "),
            ..Case::default()
        };
        let examined = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.examine(&case)));
        let text = match examined {
            Err(_) => {
                failures.push(format!("panics: {}", case.sql));
                continue;
            }
            Ok(Err(refusal)) if refusal.code.as_str() == "not_verified" => {
                failures.push(format!("not verified: {}\n{}", refusal.message, case.sql));
                continue;
            }
            Ok(Err(_)) => continue,
            Ok(Ok(plan)) => plan.verified.text().to_owned(),
        };
        let lower = text.to_ascii_lowercase();
        if BY_ORDER.iter().any(|word| case.sql.to_ascii_lowercase().contains(word)) || lower.contains("rollback") {
            continue;
        }
        let (a, b) = (
            raw.run(&case, &text).await.sorted(),
            twin.run(&case, &text).await.sorted(),
        );
        let timed_out = |x: &Answer| matches!(x, Answer::Error { state, .. } if state == "57014");
        if a != b && !timed_out(&a) && !timed_out(&b) {
            failures.push(format!(
                "tells of what is not released: {}\n  {a:?}\n  {b:?}\n{text}",
                case.sql
            ));
        }
    }
    failures
}

fn words(sql: &str) -> Vec<String> {
    let tokens = pgpurpose::sql::lexer::significant(sql).unwrap();
    tokens.iter().map(|t| t.text(sql).to_owned()).collect()
}

/// The same numbers in every run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }
}

/// On a stack as large as the server's.
#[test]
fn every_case_holds() {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(run).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
