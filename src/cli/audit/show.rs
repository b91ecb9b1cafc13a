//! Found events as text, as JSON lines, as CSV. What clients wrote is shown so that no terminal and
//! no spreadsheet takes it for anything but text.

use std::io::{self, Write};

use serde_json::Value;

use crate::admin::view::entry;
use crate::audit::is_unprintable;
use crate::audit::query::{Found, Record};

/// A way to print what is found.
pub(super) trait Show {
    /// Before the first.
    fn head(&mut self, out: &mut dyn Write) -> io::Result<()>;
    /// One.
    fn one(&mut self, out: &mut dyn Write, found: &Found) -> io::Result<()>;
}

/// A line for each, in columns.
pub(super) struct Text {
    fields: bool,
}

impl Text {
    pub(super) fn new(fields: bool) -> Self {
        Self { fields }
    }
}

/// How much of a statement a line shows.
const STATEMENT_CHARS: usize = 160;

impl Show for Text {
    fn head(&mut self, out: &mut dyn Write) -> io::Result<()> {
        line(out, ["time (UTC)", "event", "role", "purpose", "rows", "took"], "what")
    }

    fn one(&mut self, out: &mut dyn Write, found: &Found) -> io::Result<()> {
        let record = &found.record;
        let completion = found.completion.as_ref().unwrap_or(record);
        let event = match record.text("event") {
            "statement" => found.outcome(),
            other => other,
        };
        let rows = completion
            .number("rows")
            .map(|rows| rows.to_string())
            .unwrap_or_default();
        let took = completion.number("duration_us").map(duration).unwrap_or_default();
        line(
            out,
            [
                &time(record.text("time")),
                event,
                record.text("role"),
                record.text("purpose"),
                &rows,
                &took,
            ],
            &what(found),
        )?;
        if self.fields {
            for field in record.fields() {
                let text = |key| printable(field.get(key).and_then(Value::as_str).unwrap_or("-"), usize::MAX);
                let (column, position, form, rule) = (text("column"), text("position"), text("form"), text("rule"));
                writeln!(out, "    {column:<36} {position:<7} {form:<11} {rule}")?;
            }
            for change in entry::changes(record) {
                let role = if change.role.is_empty() { "all" } else { &change.role };
                let more = if change.more { " (more than before)" } else { "" };
                let (what, purpose, before, after) = (change.what, change.purpose, change.before, change.after);
                writeln!(out, "    {what:<36} {purpose:<20} {role:<14} {before} -> {after}{more}")?;
            }
        }
        Ok(())
    }
}

fn line(out: &mut dyn Write, columns: [&str; 6], what: &str) -> io::Result<()> {
    let [time, event, role, purpose, rows, took] = columns.map(|text| printable(text, 64));
    let line = format!("{time:<23}  {event:<14}  {role:<14}  {purpose:<20}  {rows:>6}  {took:>8}  {what}");
    writeln!(out, "{}", line.trim_end())
}

/// `2026-11-24T06:41:05.000120Z` as `2026-11-24 06:41:05.000`
fn time(text: &str) -> String {
    text.chars().take(23).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn duration(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros}us"),
        1_000..1_000_000 => format!("{}.{}ms", micros / 1_000, micros / 100 % 10),
        1_000_000..3_600_000_000 => format!("{}.{}s", micros / 1_000_000, micros / 100_000 % 10),
        3_600_000_000.. => format!("{}h{:02}m", micros / 3_600_000_000, micros / 60_000_000 % 60),
    }
}

fn what(found: &Found) -> String {
    let record = &found.record;
    let text = |key| printable(record.text(key), 256);
    let mut parts = Vec::new();
    match record.text("event") {
        "statement" => {
            let sqlstate = found
                .completion
                .as_ref()
                .map(|c| c.text("sqlstate"))
                .unwrap_or_default();
            parts.extend(nonempty(text("code")).map(|code| format!("({code})")));
            parts.extend(nonempty(printable(sqlstate, 5)).map(|state| format!("(SQLSTATE {state})")));
            parts.push(match record.value.get("statement").and_then(Value::as_str) {
                Some(statement) => printable(&one_line(statement), STATEMENT_CHARS),
                None => "(not parsed)".to_owned(),
            });
            parts.extend(nonempty(text("actor")).map(|actor| format!("-- actor {actor}")));
            parts.extend(nonempty(text("reason")).map(|reason| format!("-- reason {reason}")));
        }
        "completed" => {
            parts.push(format!("of {}", text("of")));
            parts.extend(nonempty(text("sqlstate")).map(|state| format!("(SQLSTATE {state})")));
        }
        "login" | "logout" => {
            parts.extend(nonempty(text("code")).map(|code| format!("({code})")));
            parts.extend(nonempty(text("sqlstate")).map(|state| format!("(SQLSTATE {state})")));
            parts.push(format!("{} from {}", text("database"), text("client")));
            parts.extend(nonempty(text("outcome")).filter(|outcome| outcome != "allow"));
        }
        "policy_changed" => parts.push(changed(record)),
        _ => parts.push(rest(record)),
    }
    parts.join(" ")
}

fn changed(record: &Record) -> String {
    let revision = |key| {
        let stamp = record.value.get(key).and_then(|stamp| stamp.get("revision"));
        printable(stamp.and_then(Value::as_str).unwrap_or("none"), 256)
    };
    let cells = record.number("changes_total").unwrap_or_default();
    format!(
        "revision {} after {}, {cells} cells differ",
        revision("policy"),
        revision("before")
    )
}

/// Of an event without a line of its own: what only it has.
fn rest(record: &Record) -> String {
    const SHOWN: &[&str] = &[
        "seq",
        "time",
        "event",
        "id",
        "session",
        "role",
        "application",
        "client",
        "database",
        "purpose",
        "policy",
        "prev",
        "hash",
    ];
    let object = record.value.as_object().into_iter().flatten();
    let parts = object.filter(|(key, value)| !SHOWN.contains(&key.as_str()) && !value.is_null());
    let parts = parts.map(|(key, value)| match value.as_str() {
        Some(text) => format!("{} {}", printable(key, 64), printable(text, 256)),
        None => format!("{} {}", printable(key, 64), printable(&value.to_string(), 256)),
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn nonempty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `limit` characters, of which none moves a cursor or hides.
fn printable(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(1024));
    for (i, c) in text.chars().enumerate() {
        if i == limit {
            out.push('…');
            break;
        }
        if is_unprintable(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// The records as they stand.
pub(super) struct Json;

impl Show for Json {
    fn head(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn one(&mut self, out: &mut dyn Write, found: &Found) -> io::Result<()> {
        writeln!(out, "{}", found.record.line)?;
        match &found.completion {
            Some(completion) => writeln!(out, "{}", completion.line),
            None => Ok(()),
        }
    }
}

/// Comma-separated (RFC 4180), a line for each event; a statement's line tells how it ended.
pub(super) struct Csv;

const OF_RECORD: &[&str] = &[
    "seq",
    "time",
    "event",
    "id",
    "session",
    "role",
    "actor",
    "application",
    "client",
    "database",
    "purpose",
    "declared_via",
    "reason",
    "legal_basis",
    "recipient",
    "subject",
    "outcome",
    "code",
    "statement",
    "fingerprint",
    "cursor_of",
];
const OF_COMPLETION: &[&str] = &["rows", "bytes", "duration_us", "sqlstate", "groups_left_out"];

impl Show for Csv {
    fn head(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let names = OF_RECORD
            .iter()
            .chain(&["fields", "row_filters", "policy"])
            .chain(OF_COMPLETION);
        csv_line(out, names.map(ToString::to_string))
    }

    fn one(&mut self, out: &mut dyn Write, found: &Found) -> io::Result<()> {
        let record = &found.record;
        let completion = found.completion.as_ref().unwrap_or(record);
        let fields = record.fields().map(|field| {
            let text = |key| field.get(key).and_then(Value::as_str).unwrap_or_default();
            format!("{} {} {}", text("column"), text("position"), text("form"))
        });
        let filters = record
            .value
            .get("row_filters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let filters = filters.filter_map(Value::as_str);
        let revision = record.value.get("policy").and_then(|policy| policy.get("revision"));
        let mut cells: Vec<String> = OF_RECORD.iter().map(|key| plain(record.value.get(*key))).collect();
        cells.push(fields.collect::<Vec<_>>().join("; "));
        cells.push(filters.collect::<Vec<_>>().join("; "));
        cells.push(plain(revision));
        cells.extend(OF_COMPLETION.iter().map(|key| plain(completion.value.get(*key))));
        csv_line(out, cells.into_iter())
    }
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn csv_line(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let cells: Vec<String> = cells.map(|cell| csv_cell(&cell)).collect();
    write!(out, "{}\r\n", cells.join(","))
}

fn csv_cell(text: &str) -> String {
    let text = printable(text, usize::MAX);
    // A spreadsheet runs what begins so; an apostrophe makes it text.
    let formula = text.starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\'', ';']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
