//! The clock of the proxy's machine is set back and forward while it runs: what has ended stays so, what was counted stays
//! counted, and the audit goes on. By libfaketime, which must be installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a test fails loudly

mod common;

use std::process::Command;

use common::proxy::Proxy;
use common::{Cluster, psql_at};

const RULES: &str = "
version: 1
purposes:
  care: {}
  campaign: {expires: TOMORROW}
  statistics: {max_queries_per_day: 2}
  emergency: {break_glass: {max_minutes: 30}, reason: required}
data_categories: {system: {sensitivity: none}, user: {sensitivity: personal, other_purpose: allow}}
roles: {app: {purposes: [care, campaign, statistics, emergency], default_purpose: care}}
tables: {public.people: {data_subject: {key: id}, collected_for: [care, emergency], columns: {id: user}}}
release: [{purposes: [care, campaign, statistics, emergency], data_categories: [user], as: raw}]
";

/// What psql does in one session; `\\! …` sets the clock. `-- …` is what comes of the statement: a code, or `ok`.
const SESSION: &str = r"
\set ON_ERROR_STOP 0
SET pgpurpose.purpose = 'statistics';
SELECT id FROM people; -- ok
SELECT id FROM people; -- ok
SELECT id FROM people; -- too_many_queries
\! echo '-1d' > CLOCK
SELECT id FROM people; -- too_many_queries
\! echo '+0' > CLOCK
SELECT id FROM people; -- too_many_queries
SET pgpurpose.reason = 'T-1';
SET pgpurpose.purpose = 'emergency';
SELECT id FROM people; -- ok
\! echo '-5h' > CLOCK
SELECT id FROM people; -- ok
\! echo '+31m' > CLOCK
SELECT id FROM people; -- purpose_expired
\! echo '-5h' > CLOCK
SELECT id FROM people; -- purpose_expired
SET pgpurpose.purpose = 'campaign';
SELECT id FROM people; -- ok
\! echo '+2d' > CLOCK
SELECT id FROM people; -- purpose_expired
\! echo '+0' > CLOCK
SELECT id FROM people; -- purpose_expired
";

/// And in another, later.
const LATER: &str = r"
\set ON_ERROR_STOP 0
\! echo '-400d' > CLOCK
SET pgpurpose.purpose = 'campaign';
SELECT id FROM people; -- purpose_expired
SET pgpurpose.purpose = 'care';
SELECT id FROM people; -- ok
";

fn library() -> std::path::PathBuf {
    let folders = std::fs::read_dir("/usr/lib")
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let mut found = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    found
        .find(|path| path.exists())
        .expect("libfaketime: apt-get install libfaketime")
}

/// Runs a session; each statement is answered as its comment says. How many there were.
fn check(proxy: &Proxy, session: &str) -> usize {
    let said = psql_at(proxy.port, "postgres", "app", session);
    let expected: Vec<&str> = session
        .lines()
        .filter_map(|line| line.split_once("; -- ").map(|(_, what)| what))
        .collect();
    let refused: Vec<&str> = said
        .stderr
        .lines()
        .filter(|line| line.contains("ERROR:"))
        .map(|line| line.rsplit_once('(').expect("a code").1.trim_end_matches(')'))
        .collect();
    let wanted: Vec<&str> = expected.iter().copied().filter(|what| *what != "ok").collect();
    assert_eq!(refused, wanted, "{said:?}");
    assert_eq!(said.stdout.lines().count(), expected.len() - wanted.len(), "{said:?}");
    expected.len()
}

#[test]
fn a_clock_that_jumps_prolongs_nothing_and_loses_no_record() {
    let cluster = Cluster::start();
    cluster.psql(
        "postgres",
        "postgres",
        "CREATE ROLE app LOGIN; CREATE TABLE people AS SELECT 7 AS id; GRANT SELECT ON people TO app",
    );
    let folder = Proxy::folder("clock");
    let clock = folder.join("clock");
    std::fs::write(&clock, "+0\n").unwrap();
    let tomorrow = (time::OffsetDateTime::now_utc().date() + time::Duration::days(1)).to_string();
    let rules = RULES.replace("TOMORROW", &tomorrow);
    let (library, path) = (library(), clock.to_str().unwrap());
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", path),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let upstream = format!("postgres://127.0.0.1:{}", cluster.port());
    let flags = ["--audit-rotate-after", "24h", "--audit-rotate-size", "1k"];
    let proxy = Proxy::start_in(&environment, "clock", &rules, &upstream, &flags);
    let script = |text: &str| check(&proxy, &text.replace("CLOCK", path));
    let mut asked = script(SESSION);

    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pgpurpose"))
            .args(arguments)
            .arg(proxy.path("audit.jsonl"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // Two days ahead for a moment: what was recorded then is found, though later files begin earlier.
    let soon = time::OffsetDateTime::now_utc() + time::Duration::hours(20);
    let soon = soon.format(&time::format_description::well_known::Rfc3339).unwrap();
    // That something is refused may be told before it is written.
    let begun = std::time::Instant::now();
    while !run(&["audit", "query", "--format", "json", "--since", &soon]).contains("purpose_expired") {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "never recorded");
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    asked += script(LATER);
    run(&["audit", "verify"]);
    let records = run(&["audit", "query", "--format", "json"]);
    let statement = |line: &&str| line.contains(r#""event":"statement""#) && line.contains("SELECT id FROM people");
    assert_eq!(records.lines().filter(statement).count(), asked, "{records}");
}
