//! A quick look at a record's text before it is read as JSON: what a filter asks for must stand in it.
//!
//! Rests on the canonical form in which records are written: no space between tokens, and plain texts
//! unescaped. May only ever let too much pass.

use super::query::Filter;

/// What must stand in a record's line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needles {
    /// Each must occur.
    texts: Vec<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Needles {
    /// Of what a filter asks for.
    pub fn of(filter: &Filter) -> Self {
        let mut texts = Vec::new();
        let mut whole = |key: &str, wanted: &Option<String>| {
            texts.extend(plain(wanted).map(|text| format!("\"{key}\":\"{text}\"")));
        };
        whole("id", &filter.id);
        whole("event", &filter.event);
        whole("role", &filter.role);
        whole("actor", &filter.actor);
        whole("application", &filter.application);
        whole("session", &filter.session);
        whole("code", &filter.code);
        // What is let pass may turn out an error, by its completion.
        if matches!(filter.outcome.as_deref(), Some("refuse" | "gap")) {
            whole("outcome", &filter.outcome);
        }
        if let [only] = filter.subjects.as_slice() {
            texts.push(only.clone());
        }
        let mut start = |key: &str, wanted: &Option<String>| {
            texts.extend(plain(wanted).map(|text| format!("\"{key}\":\"{text}")));
        };
        start("purpose", &filter.purpose);
        start("data_category", &filter.category);
        if filter.form.as_deref() != Some(super::query::RELEASED) {
            whole_form(&mut texts, filter);
        }
        texts.extend(plain(&filter.table).map(|table| format!("{table}.")));
        texts.extend(plain(&filter.column).map(|column| format!("{column}\"")));
        Self {
            texts,
            since: filter.since.clone(),
            until: filter.until.clone(),
        }
    }

    /// The record may be one that is asked for.
    pub fn may_match(&self, line: &str) -> bool {
        if self.since.is_some() || self.until.is_some() {
            let time = time_of(line).unwrap_or_default();
            if self.since.as_deref().is_some_and(|since| time < since)
                || self.until.as_deref().is_some_and(|until| time >= until)
            {
                return time.is_empty();
            }
        }
        self.texts.iter().all(|text| line.contains(text.as_str()))
    }
}

fn whole_form(texts: &mut Vec<String>, filter: &Filter) {
    texts.extend(plain(&filter.form).map(|form| format!("\"form\":\"{form}\"")));
}

/// A text that stands in a record as it is.
fn plain(text: &Option<String>) -> Option<&str> {
    let text = text.as_deref()?;
    let sound = text.len() < 200 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.: ".contains(&b));
    sound.then_some(text)
}

/// The text of a key that stands among the first of a record: `time`, `event`.
fn early<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    // Of a character that stands across the end, all is left out.
    let head = (156..=160).rev().find_map(|end| line.get(..end.min(line.len())))?;
    let from = head.find(key)? + key.len();
    let rest = line.get(from..)?;
    rest.get(..rest.find('"')?)
}

/// The record's `time`, without reading all of it.
pub fn time_of(line: &str) -> Option<&str> {
    early(line, "\"time\":\"")
}

/// What a record completes, without reading all of it: `None` if it is no completion.
pub fn completes(line: &str) -> Option<&str> {
    (early(line, "\"event\":\"")? == "completed").then(|| early(line, "\"of\":\""))?
}
