//! What was recorded: each different statement once, with who ran it for what, how often, and what was decided.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::audit::query::{Filter, Found, Sink, Skipped, query};

/// For what a record does not tell.
pub(super) struct Defaults {
    pub(super) role: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) database: String,
}

/// Who ran what, for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) statement: String,
    pub(super) role: String,
    pub(super) purpose: Option<String>,
    /// A reason was given.
    pub(super) reason: bool,
    /// A data subject was named; the log tells only its hash.
    pub(super) subject: bool,
}

/// A decision, as far as it can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) outcome: String,
    pub(super) code: Option<String>,
    /// Columns and their forms, each once.
    pub(super) forms: BTreeMap<String, String>,
    pub(super) row_filters: Vec<String>,
}

/// All that was recorded.
#[derive(Default)]
pub(super) struct Log {
    /// How often, and what was decided last.
    pub(super) statements: BTreeMap<Key, (u64, Decision)>,
    /// Records without a statement or a role, and lines that are no records.
    pub(super) left_out: u64,
    /// Decisions are recorded.
    pub(super) decided: bool,
}

/// Reads an audit log, or a CSV.
pub(super) fn read(path: &Path, defaults: &Defaults) -> Result<Log, String> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
        return read_csv(path, defaults).map_err(|e| format!("{}: {e}", path.display()));
    }
    let mut log = Log {
        decided: true,
        ..Log::default()
    };
    let filter = Filter {
        event: Some("statement".to_owned()),
        ..Filter::default()
    };
    let mut taker = Taker {
        log: &mut log,
        defaults,
    };
    query(&[PathBuf::from(path)], &filter, &mut taker).map_err(|e| e.to_string())?;
    if log.statements.is_empty() && log.left_out > 0 {
        return Err(format!("{} holds no statements of an audit log", path.display()));
    }
    Ok(log)
}

struct Taker<'a> {
    log: &'a mut Log,
    defaults: &'a Defaults,
}

impl Sink for Taker<'_> {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        let record = &found.record;
        let said = |key: &str| {
            Some(record.text(key))
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        if said("database").is_some_and(|database| database != self.defaults.database) {
            return Ok(());
        }
        let (Some(statement), Some(role)) = (said("statement"), said("role")) else {
            self.log.left_out += 1;
            return Ok(());
        };
        let text = |field: &Value, key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let forms = record
            .fields()
            .map(|field| (text(field, "column"), text(field, "form")));
        let decision = Decision {
            outcome: record.text("outcome").to_owned(),
            code: said("code"),
            forms: forms.collect(),
            row_filters: record.texts("row_filters"),
        };
        let key = Key {
            statement,
            role,
            purpose: said("purpose").or_else(|| self.defaults.purpose.clone()),
            reason: said("reason").is_some(),
            subject: said("subject").is_some(),
        };
        self.log.add(key, 1, decision);
        Ok(())
    }

    fn skipped(&mut self, _: &Skipped) {
        self.log.left_out += 1;
    }
}

impl Log {
    fn add(&mut self, key: Key, calls: u64, decision: Decision) {
        match self.statements.entry(key) {
            Entry::Vacant(new) => {
                new.insert((calls, decision));
            }
            Entry::Occupied(mut known) => {
                let (count, last) = known.get_mut();
                *count += calls;
                *last = decision;
            }
        }
    }
}

fn read_csv(path: &Path, defaults: &Defaults) -> Result<Log, csv::Error> {
    let mut reader = csv::Reader::from_path(path)?;
    let headers = reader.headers()?.clone();
    let column = |names: &[&str]| headers.iter().position(|header| names.contains(&header));
    let statement = column(&["statement", "query"]);
    let role = column(&["role", "rolname", "usename"]);
    let purpose = column(&["purpose"]);
    let database = column(&["database", "datname"]);
    let calls = column(&["calls"]);
    let mut log = Log::default();
    for row in reader.records() {
        let row = row?;
        let said = |at: Option<usize>| {
            at.and_then(|at| row.get(at))
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        if said(database).is_some_and(|database| database != defaults.database) {
            continue;
        }
        match (said(statement), said(role).or_else(|| defaults.role.clone())) {
            (Some(statement), Some(role)) => {
                let key = Key {
                    statement,
                    role,
                    purpose: said(purpose).or_else(|| defaults.purpose.clone()),
                    reason: false,
                    subject: false,
                };
                let calls = said(calls).and_then(|calls| calls.parse().ok()).unwrap_or(1);
                log.add(key, calls, Decision::default());
            }
            _ => log.left_out += 1,
        }
    }
    Ok(log)
}
