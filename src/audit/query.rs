//! Searching audit files: records that a filter asks for, each statement with its completion.
//!
//! A stream: however large the files, a bounded number of statements waits for its completion. Files
//! that end before the time asked for are not read, and lines that cannot match are not parsed.
//! Reads records as JSON objects, so that what later versions add is not lost.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::moment::timestamp;
use super::needles::{self, Needles};
use super::reader::{self, Line, Lines};

/// As [`Filter::form`]: any form but hidden and refuse.
pub const RELEASED: &str = "released";

/// How many statements may wait for their completion; the oldest is then shown without.
const MOST_WAITING: usize = 4096;

/// What is asked for: all that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The event.
    pub id: Option<String>,
    /// The database role.
    pub role: Option<String>,
    /// The purpose, or one above it.
    pub purpose: Option<String>,
    /// `pgpurpose.actor`
    pub actor: Option<String>,
    /// `application_name`
    pub application: Option<String>,
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
    /// The form in which it is released, or [`RELEASED`].
    pub form: Option<String>,
    /// Keyed hashes of data subjects, of which a statement names one; empty: whoever it names, if any.
    pub subjects: Vec<String>,
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
    /// Reads one; `None`: it is no record.
    pub fn read(line: &str) -> Option<Self> {
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
    let mut search = Search::new(filter);
    let files = reader::in_order(files)?;
    for (index, path) in files.iter().enumerate() {
        if !ends_before(files.get(index + 1), filter) {
            search_file(&mut search, path, sink)?;
        }
    }
    search.finish(sink)
}

/// The file that follows begins before the time asked for, and not only because a clock was set back for up to a day:
/// so this one ends before it.
pub(super) fn ends_before(following: Option<&PathBuf>, filter: &Filter) -> bool {
    let since = filter.since.as_deref().and_then(a_day_before);
    let (Some(following), Some(since)) = (following, since) else {
        return false;
    };
    let mut lines = Lines::open(following).ok();
    match lines.as_mut().map(Lines::next_line) {
        Some(Ok(Some((_, Line::Whole(line))))) => {
            let line = std::str::from_utf8(line).unwrap_or_default();
            needles::time_of(line).is_some_and(|time| time < since.as_str())
        }
        Some(Ok(_) | Err(_)) | None => false,
    }
}

fn a_day_before(time: &str) -> Option<String> {
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    time.checked_sub(Duration::days(1)).map(timestamp)
}

fn search_file(search: &mut Search, path: &Path, sink: &mut dyn Sink) -> io::Result<()> {
    let mut lines = Lines::open(path).map_err(|error| reader::named(path, &error))?;
    while let Some((number, line)) = lines.next_line().map_err(|error| reader::named(path, &error))? {
        let text = match line {
            Line::Whole(line) => std::str::from_utf8(line).ok(),
            Line::Torn(_) | Line::TooLong | Line::Undecodable => None,
        };
        let is_record = match text {
            Some(text) => search.line(text, sink)?,
            None => false,
        };
        if !is_record {
            sink.skipped(&Skipped {
                file: path.to_owned(),
                line: number,
            });
        }
    }
    Ok(())
}

/// A search that is handed lines in their order, from wherever they come.
#[derive(Debug)]
pub struct Search {
    filter: Filter,
    needles: Needles,
    waiting: VecDeque<Waiting>,
    /// How many have left `waiting` at its front.
    passed: usize,
    /// How many had come when [`Search::settle`] was called last.
    settled: usize,
    /// From the id of a statement that waits to its number, counted from the first that ever waited.
    places: HashMap<String, usize>,
}

#[derive(Debug)]
struct Waiting {
    found: Found,
    ready: bool,
}

impl Search {
    /// For what this filter asks.
    pub fn new(filter: &Filter) -> Self {
        Self {
            needles: Needles::of(filter),
            filter: filter.clone(),
            waiting: VecDeque::new(),
            passed: 0,
            settled: 0,
            places: HashMap::new(),
        }
    }

    /// The next line. `false`: it is no record.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn line(&mut self, line: &str, sink: &mut dyn Sink) -> io::Result<bool> {
        let wanted = match needles::completes(line) {
            Some(of) if !self.filter.asks_for_completions() => self.places.contains_key(of),
            Some(_) | None => self.needles.may_match(line),
        };
        if !wanted {
            return Ok(line.starts_with("{\"seq\":") && line.ends_with('}'));
        }
        match Record::read(line) {
            Some(record) => self.next(record, sink).map(|()| true),
            None => Ok(false),
        }
    }

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

    /// No more lines come for now: gives away what has waited since this was said before.
    ///
    /// # Errors
    /// Those of the sink.
    pub(super) fn settle(&mut self, sink: &mut dyn Sink) -> io::Result<()> {
        let come = self.passed + self.waiting.len();
        self.release(come.saturating_sub(self.settled), sink)?;
        self.settled = come;
        Ok(())
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

    /// No more lines come: statements that did not end are given away as they are.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self, sink: &mut dyn Sink) -> io::Result<()> {
        self.release(0, sink)
    }
}

impl Filter {
    /// It is asked for.
    pub fn accepts(&self, found: &Found) -> bool {
        self.may_match(&found.record) && self.matches(found)
    }

    fn asks_for_completions(&self) -> bool {
        self.event.as_deref() == Some("completed")
    }

    /// All but the outcome, which a statement's completion may change.
    fn may_match(&self, record: &Record) -> bool {
        let equal = |wanted: &Option<String>, key| wanted.as_deref().is_none_or(|wanted| record.text(key) == wanted);
        let time = record.text("time");
        equal(&self.id, "id")
            && equal(&self.role, "role")
            && equal(&self.actor, "actor")
            && equal(&self.application, "application")
            && equal(&self.session, "session")
            && equal(&self.code, "code")
            && self.names_subject(record)
            && equal(&self.event, "event")
            && self
                .purpose
                .as_deref()
                .is_none_or(|wanted| is_within(record.text("purpose"), wanted))
            && self.since.as_deref().is_none_or(|since| time >= since)
            && self.until.as_deref().is_none_or(|until| time < until)
            && self.matches_fields(record)
    }

    /// By `pgpurpose.subject`, or by a condition on its key.
    fn names_subject(&self, record: &Record) -> bool {
        let wanted = |hash: &str| self.subjects.iter().any(|subject| subject == hash);
        let pinned = record
            .value
            .get("subjects")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        self.subjects.is_empty() || wanted(record.text("subject")) || pinned.filter_map(Value::as_str).any(wanted)
    }

    /// One and the same use of a column must have all that is asked of columns.
    fn matches_fields(&self, record: &Record) -> bool {
        if self.table.is_none() && self.column.is_none() && self.category.is_none() && self.form.is_none() {
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
                && self.form.as_deref().is_none_or(|wanted| match wanted {
                    RELEASED => is_released(text("form")),
                    wanted => text("form") == wanted,
                })
        })
    }

    fn matches(&self, found: &Found) -> bool {
        match self.outcome.as_deref() {
            Some(wanted) => found.outcome() == wanted,
            None => true,
        }
    }
}

/// Something of the value leaves in this form.
pub fn is_released(form: &str) -> bool {
    !matches!(form, "hidden" | "refuse" | "")
}

/// `full` is `wanted`, or ends with it after a dot.
fn is_named(full: &str, wanted: &str) -> bool {
    full.strip_suffix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// `name` is `ancestor` or below it in a dotted tree.
pub fn is_within(name: &str, ancestor: &str) -> bool {
    name.strip_prefix(ancestor)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
