//! One event as a line of a list, and as its whole story.

use serde_json::Value;

use crate::audit::query::{Found, Record};

use super::words::{self, visible};

/// A line of the list of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its record's number.
    pub seq: u64,
    /// The address of its story; empty for what has none.
    pub link: String,
    /// Its day.
    pub day: String,
    /// It is the first of its day in the list.
    pub new_day: bool,
    /// Its time of day.
    pub clock: String,
    /// The outcome of a statement, else the kind of event: what its mark is coloured by.
    pub mark: String,
    /// The same as a word for style sheets.
    pub class: String,
    /// The code of a refusal.
    pub code: String,
    /// The purpose.
    pub purpose: String,
    /// The role.
    pub role: String,
    /// The actor, as the client gave it.
    pub actor: String,
    /// A statement's text, or what else happened.
    pub what: String,
    /// `what` is a statement's text.
    pub is_statement: bool,
    /// Rows and duration, where it came to an end.
    pub measure: String,
    /// It ran under a break-glass purpose, or is the use of one.
    pub glass: bool,
}

/// A list of what was found.
pub fn entries<'f>(found: impl Iterator<Item = &'f Found>, is_glass: &dyn Fn(&str) -> bool) -> Vec<Entry> {
    let mut day = String::new();
    let each = found.map(|found| {
        let mut entry = entry(found, is_glass);
        entry.new_day = entry.day != day;
        day.clone_from(&entry.day);
        entry
    });
    each.collect()
}

/// A list of records that have no completions.
pub fn alone<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<Entry> {
    let found: Vec<Found> = records
        .map(|record| Found {
            record: record.clone(),
            completion: None,
        })
        .collect();
    entries(found.iter(), &|_| false)
}

/// Of what was found.
pub fn entry(found: &Found, is_glass: &dyn Fn(&str) -> bool) -> Entry {
    let record = &found.record;
    let text = |key| visible(record.text(key));
    let (day, clock) = words::day_and_clock(record.text("time"));
    let is_statement = record.text("event") == "statement";
    let id = record.text("id");
    let measure = found.completion.as_ref().map(|completion| {
        let rows = completion.number("rows").unwrap_or_default();
        let took = completion.number("duration_us").unwrap_or_default();
        format!("{}, {}", words::counted(rows, "row"), words::duration(took))
    });
    let mark = if is_statement {
        found.outcome()
    } else {
        record.text("event")
    };
    Entry {
        seq: record.number("seq").unwrap_or_default(),
        link: uuid::Uuid::parse_str(id).map_or_else(|_| String::new(), |id| format!("/events/{id}")),
        day,
        new_day: false,
        clock,
        class: mark
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect(),
        mark: visible(mark).replace('_', " "),
        code: text("code"),
        purpose: text("purpose"),
        role: text("role"),
        actor: text("actor"),
        what: what(record),
        is_statement: is_statement && !record.text("statement").is_empty(),
        measure: measure.unwrap_or_default(),
        glass: record.text("event") == "break_glass" || (is_statement && is_glass(record.text("purpose"))),
    }
}

/// A statement, or what else happened, in a line.
pub fn what(record: &Record) -> String {
    let text = |key| visible(record.text(key));
    match record.text("event") {
        "statement" => match record.text("statement") {
            "" => "a text that could not be read".to_owned(),
            statement => words::one_line(&visible(statement), 240),
        },
        "login" => match record.text("outcome") {
            "allow" => format!("to {} from {}", text("database"), text("client")),
            _ => format!("to {} from {}, not let in", text("database"), text("client")),
        },
        "logout" => format!("of {} from {}", text("database"), text("client")),
        "break_glass" => match record.text("phase") {
            "began" => format!(
                "began, reason {}, until {}",
                quoted(&text("reason")),
                words::time(record.text("until"))
            ),
            _ => format!("ended, reason {}", quoted(&text("reason"))),
        },
        "policy_changed" => {
            let (before, after) = (revision(record, "before"), revision(record, "policy"));
            let cells = record.number("changes_total").unwrap_or_default();
            format!(
                "revision {after} after {before}: {} of the matrix",
                words::counted(cells, "cell")
            )
        }
        "reload" => match record.value.get("accepted").and_then(Value::as_bool) {
            Some(true) => "the rules were read again".to_owned(),
            Some(false) | None => "the rules have errors; the old ones stay in force".to_owned(),
        },
        "start" => format!("pgpurpose {}", text("version")),
        "recovered" => recovered(record),
        _ => String::new(),
    }
}

fn recovered(record: &Record) -> String {
    let number = |key| record.number(key).unwrap_or_default();
    let refused = || words::counted(number("refused"), "statement");
    match record.text("cause") {
        "torn" => format!(
            "{} of a record that was cut off were set aside",
            words::counted(number("torn_bytes"), "byte")
        ),
        "file_gone" => "the file was moved away; a new one was begun".to_owned(),
        "overflow" => format!("more was told than could be written; refused: {}", refused()),
        "write_failed" => format!("the file could not be written for a time; refused: {}", refused()),
        cause => visible(cause),
    }
}

fn quoted(text: &str) -> String {
    format!("“{text}”")
}

/// The revision of a stamp in a record.
pub fn revision(record: &Record, key: &str) -> String {
    let stamp = record.value.get(key).and_then(|stamp| stamp.get("revision"));
    visible(stamp.and_then(Value::as_str).unwrap_or("none"))
}

/// A use of a column, in a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub column: String,
    /// Its category.
    pub category: String,
    /// Where it is used.
    pub position: String,
    /// In which form.
    pub form: String,
    /// `raw`, `masked`, `hidden`, `refuse`: what the mark is coloured by.
    pub heat: &'static str,
    /// The rule that decided, `file:line`.
    pub rule: String,
}

/// A fact of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its words.
    pub label: &'static str,
    /// What it is.
    pub value: String,
    /// The key by which others like it are found; empty where they are not.
    pub key: &'static str,
}

/// The columns that a statement uses.
pub fn fields(record: &Record) -> Vec<Field> {
    let each = record.fields().map(|field| {
        let text = |key| visible(field.get(key).and_then(Value::as_str).unwrap_or_default());
        let form = text("form");
        Field {
            column: text("column"),
            category: text("data_category"),
            position: text("position"),
            heat: match form.as_str() {
                "raw" => "raw",
                "hidden" => "hidden",
                "refuse" => "refuse",
                _ => "masked",
            },
            form,
            rule: text("rule"),
        }
    });
    each.collect()
}

/// Who, for what, whence: what is set of it.
pub fn facts(record: &Record) -> Vec<Fact> {
    const KEYS: [(&str, &str, &str); 14] = [
        ("role", "Role", "role"),
        ("actor", "Actor, as the client says", "actor"),
        ("application", "Application, as the client says", "application"),
        ("client", "Client", ""),
        ("database", "Database", ""),
        ("purpose", "Purpose", "purpose"),
        ("declared_via", "Declared by", ""),
        ("reason", "Reason, as the client says", ""),
        ("legal_basis", "Legal basis", ""),
        ("recipient", "Recipient", ""),
        ("subject", "Data subject, hashed", "subject"),
        ("session", "Session", "session"),
        ("phase", "Phase", ""),
        ("until", "Until", ""),
    ];
    let each = KEYS.iter().map(|(key, label, filter)| Fact {
        label,
        value: visible(record.text(key)),
        key: filter,
    });
    each.filter(|fact| !fact.value.is_empty()).collect()
}

/// Texts of a list in a record.
pub fn texts(record: &Record, key: &str) -> Vec<String> {
    let list = record.value.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(visible).collect()
}

/// A cell that a change of the rules changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// For which purpose.
    pub purpose: String,
    /// For which role; empty: for all that have the purpose.
    pub role: String,
    /// Which column; of a table its rows or writes; or what else of the rules.
    pub what: String,
    /// Somebody sees, or may do, more than before.
    pub more: bool,
    /// Its form before; empty: it was not there.
    pub before: String,
    /// Its form now; empty: it is not there any more.
    pub after: String,
}

/// The cells that a change of the rules changed.
pub fn changes(record: &Record) -> Vec<Change> {
    let list = record
        .value
        .get("changes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let each = list.map(|change| {
        let text = |key| visible(change.get(key).and_then(Value::as_str).unwrap_or_default());
        let (kind, name) = (text("what"), text("name"));
        Change {
            purpose: text("purpose"),
            role: text("role"),
            what: match kind.as_str() {
                "column" => name,
                _ if name.is_empty() => kind,
                _ => format!("{name}: {kind}"),
            },
            more: change.get("sees_more").and_then(Value::as_bool) == Some(true),
            before: text("before"),
            after: text("after"),
        }
    });
    each.collect()
}
