//! The layers of the crate, held by reading its sources: arrows go one way, and the pure core knows
//! of no socket, file or clock.
//!
//! Reads every `crate::…` path and a few names of the outside, comments and strings of a line aside;
//! test modules may do as they like.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A module of the crate and the others that it may name.
const MAY_NAME: [(&str, &[&str]); 19] = [
    ("catalog", &[]),
    ("policy", &["catalog"]),
    ("rules", &["catalog", "policy", "pipeline"]),
    // `sql` takes words from its neighbours (`policy::Code` and `Verb`, `pipeline::Position`) and
    // nothing that decides: see `sql_takes_only_words`.
    ("sql", &["catalog", "policy", "pipeline"]),
    ("rewrite", &["catalog", "policy", "sql", "pipeline"]),
    ("verify", &["catalog", "sql", "rewrite"]),
    (
        "examine",
        &["catalog", "policy", "sql", "rewrite", "verify", "pipeline"],
    ),
    (
        "pipeline",
        &["catalog", "policy", "sql", "rewrite", "verify", "examine"],
    ),
    ("password", &[]),
    ("tls", &[]),
    ("check", &["catalog", "policy", "rules", "sql", "rewrite", "pipeline"]),
    ("pages", &["catalog", "policy"]),
    ("wire", &[]),
    ("audit", &["policy", "pipeline", "verify"]),
    ("upstream", &["catalog", "password", "tls", "wire", "audit"]),
    ("downstream", &["password", "tls", "wire", "audit", "session"]),
    (
        "session",
        &[
            "catalog",
            "policy",
            "rules",
            "sql",
            "rewrite",
            "verify",
            "pipeline",
            "password",
            "tls",
            "wire",
            "audit",
            "upstream",
            "downstream",
        ],
    ),
    (
        "admin",
        &[
            "catalog", "policy", "rules", "sql", "audit", "upstream", "session", "pages",
        ],
    ),
    (
        "cli",
        &[
            "admin",
            "catalog",
            "policy",
            "rules",
            "check",
            "pages",
            "sql",
            "rewrite",
            "verify",
            "pipeline",
            "tls",
            "wire",
            "audit",
            "upstream",
            "downstream",
            "session",
        ],
    ),
];

const PURE: [&str; 9] = [
    "catalog", "policy", "rules", "sql", "rewrite", "verify", "examine", "pipeline", "check",
];

/// What does I/O or reads a clock. (`std::net::IpAddr` is a value.)
const IMPURE: [&str; 12] = [
    "tokio",
    "pgwire",
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "SystemTime",
    "Instant",
    "now_utc",
];

/// Names of the outside that one module alone may name.
const ONLY_IN: [(&str, &str); 3] = [("pgwire", "wire"), ("serde_yaml", "rules"), ("sqlparser", "sql")];

struct Line {
    place: String,
    module: String,
    text: String,
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// Every line of code outside test modules, each with the module of the crate that it is in.
fn lines() -> Vec<Line> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut lines = Vec::new();
    for file in files {
        let within = file.strip_prefix(&root).unwrap();
        let module = within
            .iter()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                break; // test modules stand at the end of a file
            }
            let text = line.split("//").next().unwrap_or_default().to_owned();
            lines.push(Line {
                place: format!("src/{}:{}", within.display(), number + 1),
                module: module.clone(),
                text,
            });
        }
    }
    lines
}

/// The names directly behind each `crate::` of a line.
fn crate_paths(text: &str) -> Vec<String> {
    let first_word = |path: &str| {
        path.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    text.split("crate::")
        .skip(1)
        .map(first_word)
        .filter(|w| !w.is_empty())
        .collect()
}

fn names(text: &str, name: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name).any(|(at, _)| {
        let (before, behind) = (text.get(..at).unwrap(), text.get(at + name.len()..).unwrap());
        !is_part(before.chars().next_back()) && !is_part(behind.chars().next())
    })
}

#[test]
fn modules_name_only_those_below_them() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for line in lines() {
        seen.insert(line.module.clone());
        if matches!(line.module.as_str(), "lib" | "main") {
            continue;
        }
        let Some((_, may)) = MAY_NAME.iter().find(|(module, _)| *module == line.module) else {
            wrong.push(format!(
                "{}: module {} has no place among the layers",
                line.place, line.module
            ));
            continue;
        };
        for named in crate_paths(&line.text) {
            if named != line.module && named != "{" && !may.contains(&named.as_str()) {
                wrong.push(format!("{}: {} names {named}", line.place, line.module));
            }
        }
        if line.text.contains("crate::{") {
            wrong.push(format!(
                "{}: one `use crate::…` for each module, so that it can be read",
                line.place
            ));
        }
    }
    assert!(
        MAY_NAME.iter().all(|(module, _)| seen.contains(*module)),
        "a module is gone"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_does_no_io_and_knows_no_clock() {
    let mut wrong = Vec::new();
    for line in lines().iter().filter(|l| PURE.contains(&l.module.as_str())) {
        wrong.extend(
            IMPURE
                .iter()
                .filter(|n| names(&line.text, n))
                .map(|n| format!("{}: names {n}", line.place)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_behind_their_module() {
    let mut wrong = Vec::new();
    for line in lines() {
        for (library, module) in ONLY_IN {
            if names(&line.text, library) && line.module != module {
                wrong.push(format!("{}: only {module} names {library}", line.place));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sql_takes_only_words() {
    let mut wrong = Vec::new();
    for line in lines().iter().filter(|l| l.module == "sql") {
        for above in ["policy", "pipeline"] {
            for path in line.text.split(&format!("crate::{above}::")).skip(1) {
                let list = path
                    .trim_start_matches('{')
                    .split(['}', ';'])
                    .next()
                    .unwrap_or_default();
                let taken = list
                    .split(',')
                    .map(|n| n.trim().split("::").next().unwrap_or_default().to_owned());
                let other = taken.filter(|n| !matches!(n.as_str(), "Code" | "Verb" | "Position"));
                wrong.extend(other.map(|n| format!("{}: sql names {above}::{n}", line.place)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn sockets_are_opened_in_two_places() {
    let mut wrong = Vec::new();
    for line in lines() {
        let opens = (names(&line.text, "TcpStream::connect") || names(&line.text, "TcpStream::connect_timeout"))
            || names(&line.text, "UnixStream::connect");
        let elsewhere = line.place.starts_with("src/audit/sink/syslog.rs:");
        if opens && line.module != "upstream" && !elsewhere {
            wrong.push(format!(
                "{}: only upstream connects to a server, and syslog to its own",
                line.place
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
