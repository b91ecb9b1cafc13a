//! What happened, counted: the ground of the compliance report and of the audit page.
//!
//! A sink for a search. Holds numbers, names and the newest few of what is told one by one; words that
//! clients choose freely cannot make it grow without bound.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;
use time::{Date, Month};

use super::query::{Found, Record, Sink, Skipped, is_released};

/// So many different keys are told apart in each list; the rest is counted under [`OTHERS`].
const MOST_KEYS: usize = 2_000;
/// So many of the newest are kept of what is told one by one.
const MOST_KEPT: usize = 500;
/// Stands for all that is not told apart.
pub const OTHERS: &str = "(others)";

/// The outcomes in the order in which they are shown.
pub const OUTCOMES: [&str; 6] = ["allow", "mask", "filter", "gap", "refuse", "error"];

/// Statements by outcome, in the order of [`OUTCOMES`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes(pub [u64; 6]);

impl Outcomes {
    fn add(&mut self, outcome: &str) {
        let index = OUTCOMES.iter().position(|o| *o == outcome);
        if let Some(count) = index.and_then(|index| self.0.get_mut(index)) {
            *count += 1;
        }
    }

    /// Of one outcome.
    pub fn of(&self, outcome: &str) -> u64 {
        let index = OUTCOMES.iter().position(|o| *o == outcome);
        index.and_then(|index| self.0.get(index)).copied().unwrap_or_default()
    }

    /// Of all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// How often each of some names occurred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub BTreeMap<String, u64>);

impl Names {
    fn add(&mut self, name: &str) {
        *slot(&mut self.0, name) += 1;
    }

    /// The most frequent first.
    pub fn by_count(&self) -> Vec<(&str, u64)> {
        let mut names: Vec<_> = self.0.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        names.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        names
    }
}

/// The place of a key, or of all others where there are too many.
fn slot<'m, V: Default>(map: &'m mut BTreeMap<String, V>, key: &str) -> &'m mut V {
    let key = if map.len() < MOST_KEYS || map.contains_key(key) {
        key
    } else {
        OTHERS
    };
    map.entry(key.to_owned()).or_default()
}

/// What was done for one purpose, or by one actor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Statements.
    pub outcomes: Outcomes,
    /// Rows that left.
    pub rows: u64,
    /// Bytes that left.
    pub bytes: u64,
    /// `legal_basis`
    pub legal_bases: Names,
    /// `recipient`
    pub recipients: Names,
    /// Roles.
    pub roles: Names,
    /// Actors, as clients gave them.
    pub actors: Names,
    /// Purposes.
    pub purposes: Names,
    /// Statements by category that they used, and of these by the form in which it was released.
    pub categories: BTreeMap<String, Names>,
    /// Codes of refusals.
    pub codes: Names,
    /// Statements that named a data subject or pinned one.
    pub with_subject: u64,
}

/// Refusals alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    /// How many.
    pub count: u64,
    /// When the last was.
    pub last: String,
    /// The id of the last.
    pub example: String,
    /// The text of the last; empty where it could not be parsed.
    pub statement: String,
    /// The rule behind it, `file:line`; empty where none is.
    pub rule: String,
    /// Columns it names, with the rule that refused them.
    pub columns: Names,
    /// Actors.
    pub actors: Names,
}

/// What tells refusals apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusalKey {
    /// The code.
    pub code: String,
    /// The role.
    pub role: String,
    /// The purpose; empty: none was declared.
    pub purpose: String,
    /// The rule behind it.
    pub rule: String,
}

/// A name that no rule speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GapUse {
    /// How many statements used it.
    pub count: u64,
    /// When the last did.
    pub last: String,
    /// The id of the last.
    pub example: String,
    /// Roles.
    pub roles: Names,
    /// Purposes.
    pub purposes: Names,
    /// The database.
    pub database: String,
}

/// All that was counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Records of all kinds, completions left out.
    pub records: u64,
    /// `time` of the first.
    pub first: String,
    /// `time` of the last.
    pub last: String,
    /// Records by kind of event, completions left out.
    pub kinds: Names,
    /// Statements.
    pub all: Account,
    /// By purpose; empty: none was declared.
    pub purposes: BTreeMap<String, Account>,
    /// By role and actor, the actor empty where none was given.
    pub actors: BTreeMap<(String, String), Account>,
    /// Statements by minute since 1970.
    pub minutes: BTreeMap<i64, Outcomes>,
    /// Refusals alike.
    pub refusals: BTreeMap<RefusalKey, Refusals>,
    /// Tables and columns that no rule speaks of.
    pub gaps: BTreeMap<String, GapUse>,
    /// Logins by outcome.
    pub logins: Outcomes,
    /// Uses of break-glass purposes, the newest last.
    pub break_glass: Vec<Record>,
    /// Changes of the rules, the newest last.
    pub changes: Vec<Record>,
    /// Starts, stops, failed reloads and recoveries, the newest last.
    pub life: Vec<Record>,
    /// Lines that are no records.
    pub skipped: u64,
}

impl Sink for Tally {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        self.add(found);
        Ok(())
    }

    fn skipped(&mut self, _: &Skipped) {
        self.skipped += 1;
    }
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, found: &Found) {
        let record = &found.record;
        self.records += 1;
        self.kinds.add(record.text("event"));
        let time = record.text("time");
        if self.first.is_empty() || time < self.first.as_str() {
            time.clone_into(&mut self.first);
        }
        if time > self.last.as_str() {
            time.clone_into(&mut self.last);
        }
        match record.text("event") {
            "statement" => self.statement(found),
            "login" => self.logins.add(record.text("outcome")),
            "break_glass" => keep(&mut self.break_glass, record),
            "policy_changed" => keep(&mut self.changes, record),
            "start" | "stop" | "reload" | "recovered" => keep(&mut self.life, record),
            _ => {}
        }
    }

    fn statement(&mut self, found: &Found) {
        let record = &found.record;
        let outcome = found.outcome();
        let (role, actor) = (record.text("role"), record.text("actor"));
        self.all.add(found);
        slot(&mut self.purposes, record.text("purpose")).add(found);
        let key = (role.to_owned(), actor.to_owned());
        let known = self.actors.len() < MOST_KEYS || self.actors.contains_key(&key);
        let key = if known { key } else { (OTHERS.to_owned(), String::new()) };
        self.actors.entry(key).or_default().add(found);
        if let Some(minute) = minute(record.text("time")) {
            self.minutes.entry(minute).or_default().add(outcome);
        }
        match outcome {
            "refuse" => self.refusal(record),
            "gap" => self.gap(record),
            _ => {}
        }
    }

    fn refusal(&mut self, record: &Record) {
        let text = |key| record.text(key).to_owned();
        let key = RefusalKey {
            code: text("code"),
            role: text("role"),
            purpose: text("purpose"),
            rule: text("rule"),
        };
        if self.refusals.len() >= MOST_KEYS && !self.refusals.contains_key(&key) {
            return;
        }
        let refusals = self.refusals.entry(key).or_default();
        refusals.count += 1;
        refusals.last = text("time");
        refusals.example = text("id");
        refusals.statement = text("statement");
        refusals.rule = text("rule");
        for field in record.fields().filter(|f| of(f, "form") == "refuse") {
            refusals.columns.add(of(field, "column"));
        }
        refusals.actors.add(record.text("actor"));
    }

    fn gap(&mut self, record: &Record) {
        let named = record.value.get("gaps").and_then(Value::as_array).into_iter().flatten();
        let named = named.filter_map(Value::as_str);
        // What has a category has a rule.
        let unclassified = record.fields().filter(|f| of(f, "data_category").is_empty());
        let mut names: Vec<&str> = named.chain(unclassified.map(|f| of(f, "column"))).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let gap = slot(&mut self.gaps, name);
            gap.count += 1;
            record.text("time").clone_into(&mut gap.last);
            record.text("id").clone_into(&mut gap.example);
            record.text("database").clone_into(&mut gap.database);
            gap.roles.add(record.text("role"));
            gap.purposes.add(record.text("purpose"));
        }
    }

    /// Statements over time: at most `most` spans of equal length that cover all, each with its first
    /// minute; the length is in minutes.
    pub fn over_time(&self, most: usize) -> (i64, Vec<(i64, Outcomes)>) {
        let (Some((first, _)), Some((last, _))) = (self.minutes.first_key_value(), self.minutes.last_key_value())
        else {
            return (1, Vec::new());
        };
        let steps = [
            1,
            2,
            5,
            10,
            15,
            30,
            60,
            120,
            180,
            360,
            720,
            1440,
            2 * 1440,
            7 * 1440,
            28 * 1440,
        ];
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        let fits = |step: &i64| last.div_euclid(*step) - first.div_euclid(*step) < most;
        let step = steps.into_iter().find(fits).unwrap_or(365 * 1440);
        let mut spans: Vec<(i64, Outcomes)> = (first.div_euclid(step)..=last.div_euclid(step))
            .take(4096)
            .map(|n| (n * step, Outcomes::default()))
            .collect();
        for (minute, outcomes) in &self.minutes {
            let index = usize::try_from(minute.div_euclid(step) - first.div_euclid(step)).unwrap_or(usize::MAX);
            if let Some((_, span)) = spans.get_mut(index) {
                for (to, from) in span.0.iter_mut().zip(outcomes.0) {
                    *to += from;
                }
            }
        }
        (step, spans)
    }
}

impl Account {
    fn add(&mut self, found: &Found) {
        let record = &found.record;
        let outcome = found.outcome();
        self.outcomes.add(outcome);
        if let Some(completion) = &found.completion {
            self.rows += completion.number("rows").unwrap_or_default();
            self.bytes += completion.number("bytes").unwrap_or_default();
        }
        let name = |names: &mut Names, key| {
            if !record.text(key).is_empty() {
                names.add(record.text(key));
            }
        };
        name(&mut self.legal_bases, "legal_basis");
        name(&mut self.roles, "role");
        name(&mut self.actors, "actor");
        name(&mut self.purposes, "purpose");
        name(&mut self.codes, "code");
        // What was refused went to nobody.
        if outcome != "refuse" {
            name(&mut self.recipients, "recipient");
            self.categories(record);
        }
        let pins = record.value.get("subjects").and_then(Value::as_array);
        if !record.text("subject").is_empty() || pins.is_some_and(|pins| !pins.is_empty()) {
            self.with_subject += 1;
        }
    }

    /// Each category counts once for each form in which a statement released it.
    fn categories(&mut self, record: &Record) {
        let used = record.fields().filter(|f| of(f, "position") != "write");
        let mut used: Vec<_> = used.map(|f| (of(f, "data_category"), of(f, "form"))).collect();
        used.sort_unstable();
        used.dedup();
        for (category, form) in used.into_iter().filter(|(category, _)| !category.is_empty()) {
            slot(&mut self.categories, category).add(form);
        }
    }

    /// Categories of which something was released, with how many uses of that kind, the most used first.
    pub fn released(&self) -> Vec<(&str, u64)> {
        let count = |forms: &Names| {
            forms
                .0
                .iter()
                .filter(|(form, _)| is_released(form))
                .map(|(_, n)| n)
                .sum()
        };
        let all = self
            .categories
            .iter()
            .map(|(name, forms)| (name.as_str(), count(forms)));
        let mut some: Vec<(&str, u64)> = all.filter(|(_, count)| *count > 0).collect();
        some.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        some
    }
}

/// A text of one use of a column.
fn of<'a>(field: &'a Value, key: &str) -> &'a str {
    field.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn keep(kept: &mut Vec<Record>, record: &Record) {
    if kept.len() >= MOST_KEPT {
        kept.remove(0);
    }
    kept.push(record.clone());
}

/// Minutes since 1970 of a record's `time`.
pub fn minute(time: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| time.get(range)?.parse::<u16>().ok();
    let month = Month::try_from(u8::try_from(number(5..7)?).ok()?).ok()?;
    let date = Date::from_calendar_date(number(0..4)?.into(), month, u8::try_from(number(8..10)?).ok()?).ok()?;
    let days = i64::from(date.to_julian_day()) - i64::from(time::macros::date!(1970 - 01 - 01).to_julian_day());
    Some(days * 1440 + i64::from(number(11..13)?) * 60 + i64::from(number(14..16)?))
}

/// The beginning of that minute, in the form of a record's `time`.
pub fn time_of_minute(minute: i64) -> String {
    let seconds = minute.saturating_mul(60);
    time::OffsetDateTime::from_unix_timestamp(seconds).map_or_else(|_| String::new(), super::timestamp)
}

#[cfg(test)]
mod tests;
