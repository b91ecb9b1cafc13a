//! Questions to a small audit, by arguments as on the command line.

use clap::Parser;

use super::*;
use crate::audit::chain::{Head, seal};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn statement(id: &str, role: &str, purpose: &str, outcome: &str, rest: &str) -> String {
    format!(
        r#","time":"2026-11-24T06:00:0{id}.000000Z","event":"statement","id":"{id}","role":"{role}","purpose":"{purpose}","outcome":"{outcome}"{rest}"#
    )
}

fn completed(of: &str, rows: u64, sqlstate: &str) -> String {
    format!(
        r#","time":"2026-11-24T07:00:00.000000Z","event":"completed","of":"{of}","rows":{rows},"bytes":9,"duration_us":1234,"sqlstate":{sqlstate}"#
    )
}

const EMAIL: &str = r#","statement":"SELECT email\n  FROM care.customers","fields":[{"column":"care.customers.email","data_category":"user.contact.email","position":"output","form":"email","rule":"r.yaml:4"},{"column":"care.orders.total","data_category":"system","position":"filter","form":"raw","rule":null}],"row_filters":["consent"],"policy":{"revision":"7","sha256":"0"}"#;

fn file() -> File {
    let bodies = [
        r#","time":"2026-11-24T06:00:00.000000Z","event":"login","role":"support","client":"10.0.0.7:5","database":"care","outcome":"allow""#.to_owned(),
        statement("1", "support", "care.support", "mask", EMAIL),
        statement("2", "dialer", "care", "refuse", r#","code":"column_refused","statement":null,"reason":"=cmd|' /C calc'!A0","actor":"\u001b[2J\u202e""#),
        statement("3", "support", "careless", "allow", r#","statement":"SELECT 1""#),
        statement("4", "support", "care", "allow", r#","statement":"SELECT 2""#),
        completed("3", 7, "\"22P02\""),
        completed("1", 3, "null"),
        r#","time":"2026-11-24T08:00:00.000000Z","event":"recovered","cause":"torn","torn_bytes":5"#.to_owned(),
    ];
    let mut bytes = Vec::new();
    let mut head = Head::GENESIS;
    for body in bodies {
        head = seal(&mut bytes, head, body.as_bytes());
    }
    let path = std::env::temp_dir().join(format!("pgpurpose-query-{}.jsonl", uuid::Uuid::now_v7()));
    std::fs::write(&path, bytes).expect("file");
    File(path)
}

fn ask(file: &File, arguments: &str) -> String {
    let path = file.0.to_string_lossy();
    let arguments = ["query", &path].into_iter().chain(arguments.split_whitespace());
    let line = Line::try_parse_from(arguments).expect("arguments");
    let mut out = Vec::new();
    assert_eq!(print(&line.args, &mut out).expect("prints"), 0);
    String::from_utf8(out).expect("UTF-8")
}

fn seqs(file: &File, arguments: &str) -> Vec<u64> {
    let out = ask(file, &format!("{arguments} --format json"));
    let values = out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    values.map(|value| value["seq"].as_u64().expect("seq")).collect()
}

#[test]
fn filters() {
    let file = file();
    for (arguments, expected) in [
        ("", &[1, 2, 7, 3, 4, 6, 5, 8][..]),
        ("--role dialer", &[3]),
        ("--purpose care", &[2, 7, 3, 5]),
        ("--purpose care.support", &[2, 7]),
        ("--outcome refuse", &[3]),
        ("--outcome error", &[4, 6]),
        ("--outcome allow --event statement", &[5]),
        ("--code column_refused", &[3]),
        ("--table customers", &[2, 7]),
        ("--table care.customers", &[2, 7]),
        ("--table omers", &[]),
        ("--column email", &[2, 7]),
        ("--column customers.email", &[2, 7]),
        ("--category user.contact", &[2, 7]),
        ("--category user.con", &[]),
        ("--table orders --category user", &[]),
        ("--form email", &[2, 7]),
        ("--form released --category user", &[2, 7]),
        ("--form raw --category user", &[]),
        ("--form hidden", &[]),
        ("--application nobody", &[]),
        ("--event completed", &[6, 7]),
        ("--event login", &[1]),
        ("--since 2026-11-24T06:00:03Z", &[4, 6, 5, 8]),
        ("--until 2026-11-24T06:00:02Z", &[1, 2, 7]),
        ("--since 2026-11-25", &[]),
        ("--since 2026-11-24T08:00:02+02:00 --until 2026-11-24T06:00:03Z", &[3]),
        ("--actor nobody", &[]),
    ] {
        assert_eq!(seqs(&file, arguments), expected, "{arguments}");
    }
}

#[test]
fn text_joins_a_statement_with_its_end() {
    let file = file();
    let expected = "\
time (UTC)               event           role            purpose                 rows      took  what
2026-11-24 06:00:00.000  login           support                                                 care from 10.0.0.7:5
2026-11-24 06:00:01.000  mask            support         care.support               3     1.2ms  SELECT email FROM care.customers
    care.customers.email                 output  email       r.yaml:4
    care.orders.total                    filter  raw         -
2026-11-24 06:00:02.000  refuse          dialer          care                                    (column_refused) (not parsed) -- actor \\u{1b}[2J\\u{202e} -- reason =cmd|' /C calc'!A0
2026-11-24 06:00:03.000  error           support         careless                   7     1.2ms  (SQLSTATE 22P02) SELECT 1
2026-11-24 06:00:04.000  allow           support         care                                    SELECT 2
2026-11-24 08:00:00.000  recovered                                                               cause torn, torn_bytes 5
";
    assert_eq!(ask(&file, "--fields"), expected);
}

#[test]
fn csv_is_one_line_each_and_runs_nowhere() {
    let file = file();
    let out = ask(&file, "--format csv --event statement");
    let lines: Vec<&str> = out.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 5);
    assert!(lines[0].starts_with("seq,time,event,id,session,role,actor,"));
    assert!(
        lines[1].contains(r#"SELECT email\u{a}  FROM care.customers"#),
        "{}",
        lines[1]
    );
    assert!(
        lines[1].ends_with(r#""care.customers.email output email; care.orders.total filter raw",consent,7,3,9,1234,,"#),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains(r#","'=cmd|' /C calc'!A0","#), "{}", lines[2]);
    assert!(!out.replace("\r\n", "").chars().any(crate::audit::is_unprintable));
}

#[test]
fn what_is_no_record_is_counted() {
    let file = file();
    let mut bytes = std::fs::read(&file.0).expect("file");
    bytes.extend_from_slice(b"{}\nnot json\n{\"seq\":9,\"event\":\"sto");
    std::fs::write(&file.0, bytes).expect("file");
    let line = Line::try_parse_from(["query", &file.0.to_string_lossy()]).expect("arguments");
    assert_eq!(print(&line.args, &mut Vec::new()).expect("prints"), 3);
}
