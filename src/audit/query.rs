//! Searching audit files: records that a filter asks for, each statement with its completion.
//!
//! A stream: however large the files, a bounded number of statements waits for its completion.
//! Reads records as JSON objects, so that what later versions add is not lost.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::reader::{self, Line, Lines};

/// How many statements may wait for their completion; the oldest is then shown without.
const MOST_WAITING: usize = 4096;

/// What is asked for: all that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The database role.
    pub role: Option<String>,
    /// The purpose, or one above it.
    pub purpose: Option<String>,
    /// `pgpurpose.actor`
    pub actor: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The outcome; `error` also for a statement that was let pass and then failed.
    pub outcome: Option<String>,
    /// The code of a refusal.
    pub code: Option<String>,
    /// A table that a statement uses, with or without its schema.
    pub table: Option<String>,
    /// A column that a statement uses, with or without schema and table.
    pub column: Option<String>,
    /// A category that a statement uses, or one above it.
    pub category: Option<String>,
    /// The data subject's keyed hash.
    pub subject: Option<String>,
    /// The kind of event.
    pub event: Option<String>,
    /// Not before, in the form of `time`.
    pub since: Option<String>,
    /// Before, in the form of `time`.
    pub until: Option<String>,
}

/// A record, as written and as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The line, without its end.
    pub line: String,
    /// The object.
    pub value: Value,
}

impl Record {
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let value: Value = serde_json::from_str(line).ok()?;
        value.get("event")?.as_str()?;
        Some(Self {
            line: line.to_owned(),
            value,
        })
    }

    /// A text of the record; empty where it has none.
    pub fn text(&self, key: &str) -> &str {
        self.value.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the record.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.value.get(key)?.as_u64()
    }

    /// The texts of a list; none if it is no list.
    pub fn texts(&self, key: &str) -> Vec<String> {
        let list = self.value.get(key).and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// The uses of columns.
    pub fn fields(&self) -> impl Iterator<Item = &Value> {
        self.value.get("fields").and_then(Value::as_array).into_iter().flatten()
    }
}

/// A record that was asked for, and its completion if it is a statement that came to an end.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// `completed`
    pub completion: Option<Record>,
}

impl Found {
    /// The outcome after all: `error` for a statement that was let pass and then failed.
    pub fn outcome(&self) -> &str {
        let announced = self.record.text("outcome");
        let failed = self.completion.as_ref().is_some_and(|c| !c.text("sqlstate").is_empty());
        match announced {
            "allow" | "mask" | "filter" if failed => "error",
            other => other,
        }
    }
}

/// A line that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Which file.
    pub file: PathBuf,
    /// Which line.
    pub line: u64,
}

/// Whoever takes what is found.
pub trait Sink {
    /// A record that was asked for.
    ///
    /// # Errors
    /// Ends the search.
    fn found(&mut self, found: &Found) -> io::Result<()>;
    /// A line that is no record.
    fn skipped(&mut self, skipped: &Skipped);
}

/// Searches the files, in the order of their records.
///
/// # Errors
/// Those of the system, with the file's name; those of the sink.
pub fn query(files: &[PathBuf], filter: &Filter, sink: &mut dyn Sink) -> io::Result<()> {
    let mut search = Search {
        filter,
        waiting: VecDeque::new(),
        passed: 0,
        places: HashMap::new(),
    };
    for path in reader::in_order(files)? {
        search_file(&mut search, &path, sink)?;
    }
    search.finish(sink)
}

fn search_file(search: &mut Search<'_>, path: &Path, sink: &mut dyn Sink) -> io::Result<()> {
    let mut lines = Lines::open(path).map_err(|error| reader::named(path, &error))?;
    while let Some((number, line)) = lines.next_line().map_err(|error| reader::named(path, &error))? {
        let record = match line {
            Line::Whole(line) => Record::read(line),
            Line::Torn(_) | Line::TooLong | Line::Undecodable => None,
        };
        match record {
            Some(record) => search.next(record, sink)?,
            None => sink.skipped(&Skipped {
                file: path.to_owned(),
                line: number,
            }),
        }
    }
    Ok(())
}

struct Search<'f> {
    filter: &'f Filter,
    waiting: VecDeque<Waiting>,
    /// How many have left `waiting` at its front.
    passed: usize,
    /// From the id of a statement that waits to its number, counted from the first that ever waited.
    places: HashMap<String, usize>,
}

struct Waiting {
    found: Found,
    ready: bool,
}

impl Search<'_> {
    fn next(&mut self, record: Record, sink: &mut dyn Sink) -> io::Result<()> {
        if record.text("event") == "completed" && !self.filter.asks_for_completions() {
            self.complete(record);
        } else if self.filter.may_match(&record) {
            self.hold(record);
        }
        self.release(MOST_WAITING, sink)
    }

    fn hold(&mut self, record: Record) {
        // A refusal never runs, so it need not wait; its completion, if any, tells nothing more.
        let runs = record.text("event") == "statement" && matches!(record.text("outcome"), "allow" | "mask" | "filter");
        if runs {
            self.places
                .insert(record.text("id").to_owned(), self.passed + self.waiting.len());
        }
        self.waiting.push_back(Waiting {
            found: Found {
                record,
                completion: None,
            },
            ready: !runs,
        });
    }

    fn complete(&mut self, completion: Record) {
        let place = self.places.remove(completion.text("of"));
        let index = place.and_then(|place| place.checked_sub(self.passed));
        if let Some(waiting) = index.and_then(|index| self.waiting.get_mut(index)) {
            waiting.found.completion = Some(completion);
            waiting.ready = true;
        }
    }

    /// Gives away what is ready, in order, and what is more than may wait.
    fn release(&mut self, most: usize, sink: &mut dyn Sink) -> io::Result<()> {
        while self.waiting.len() > most || self.waiting.front().is_some_and(|first| first.ready) {
            let Some(first) = self.waiting.pop_front() else { break };
            self.passed += 1;
            if !first.ready {
                self.places.remove(first.found.record.text("id"));
            }
            if self.filter.matches(&first.found) {
                sink.found(&first.found)?;
            }
        }
        Ok(())
    }

    fn finish(mut self, sink: &mut dyn Sink) -> io::Result<()> {
        self.release(0, sink)
    }
}

impl Filter {
    fn asks_for_completions(&self) -> bool {
        self.event.as_deref() == Some("completed")
    }

    /// All but the outcome, which a statement's completion may change.
    fn may_match(&self, record: &Record) -> bool {
        let equal = |wanted: &Option<String>, key| wanted.as_deref().is_none_or(|wanted| record.text(key) == wanted);
        let time = record.text("time");
        equal(&self.role, "role")
            && equal(&self.actor, "actor")
            && equal(&self.session, "session")
            && equal(&self.code, "code")
            && equal(&self.subject, "subject")
            && equal(&self.event, "event")
            && self
                .purpose
                .as_deref()
                .is_none_or(|wanted| is_within(record.text("purpose"), wanted))
            && self.since.as_deref().is_none_or(|since| time >= since)
            && self.until.as_deref().is_none_or(|until| time < until)
            && self.matches_fields(record)
    }

    /// One and the same use of a column must have all that is asked of columns.
    fn matches_fields(&self, record: &Record) -> bool {
        if self.table.is_none() && self.column.is_none() && self.category.is_none() {
            return true;
        }
        record.fields().any(|field| {
            let text = |key| field.get(key).and_then(Value::as_str).unwrap_or_default();
            let column = text("column");
            let table = column.rsplit_once('.').map_or("", |(table, _)| table);
            self.table.as_deref().is_none_or(|wanted| is_named(table, wanted))
                && self.column.as_deref().is_none_or(|wanted| is_named(column, wanted))
                && self
                    .category
                    .as_deref()
                    .is_none_or(|wanted| is_within(text("data_category"), wanted))
        })
    }

    fn matches(&self, found: &Found) -> bool {
        match self.outcome.as_deref() {
            Some(wanted) => found.outcome() == wanted,
            None => true,
        }
    }
}

/// `full` is `wanted`, or ends with it after a dot.
fn is_named(full: &str, wanted: &str) -> bool {
    full.strip_suffix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `name` is `ancestor` or below it in a dotted tree.
fn is_within(name: &str, ancestor: &str) -> bool {
    name.strip_prefix(ancestor)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
