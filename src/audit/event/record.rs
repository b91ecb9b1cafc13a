//! An event's record: its JSON from `time` on, field by field as the log's format says.
//!
//! Knows no chain: number, hash and predecessor are put around it when it is written.

use time::OffsetDateTime;
use uuid::Uuid;

use super::super::canonical::{CLIENT_TEXT_CHARS, Fields};
use super::super::moment::{timestamp, write_timestamp};
use super::{
    BreakGlassPhase, CellChange, DeclaredVia, Event, PolicyStamp, Recovery, SessionFacts, SqlState, StatementEvent,
};
use crate::pipeline::{Facts, FieldUse};
use crate::policy::{Code, LegalBasis};

/// How many characters of a statement's text are kept.
const STATEMENT_CHARS: usize = 64 * 1024;

/// How many uses of columns one event tells of: a record stays shorter than what a reader takes.
pub(super) const MOST_FIELDS: usize = 20_000;

/// How many characters of a rule's text are kept, as of a row filter's condition.
const RULE_TEXT_CHARS: usize = 500;

/// How many changes of a policy one event tells of.
const MOST_CHANGES: usize = 1000;

impl StatementEvent<'_> {
    /// The record's fields from `time` on, each with a comma before it.
    pub(in crate::audit) fn body(&self, id: Uuid, time: OffsetDateTime) -> Vec<u8> {
        let facts = self.facts.rendered(rendered);
        let mut out = Vec::with_capacity(facts.len() + 768);
        let mut fields = head(&mut out, time, "statement");
        fields.id("id", id);
        fields.written(&self.session.before_actor);
        fields.bounded_or_null("actor", self.actor, CLIENT_TEXT_CHARS);
        fields.written(&self.session.after_actor);
        fields.bounded_or_null("purpose", self.purpose, CLIENT_TEXT_CHARS);
        fields.text_or_null("declared_via", self.declared_via.map(DeclaredVia::as_str));
        fields.bounded_or_null("reason", self.reason, CLIENT_TEXT_CHARS);
        fields.text_or_null("legal_basis", self.legal_basis.map(LegalBasis::as_str));
        fields.text("recipient", self.recipient.unwrap_or("controller"));
        match self.subject {
            Some(subject) => fields.text("subject", &subject.to_string()),
            None => fields.null("subject"),
        }
        match self.cursor_of {
            Some(id) => fields.id("cursor_of", id),
            None => fields.null("cursor_of"),
        }
        if let Some(trace) = self.trace {
            fields.text("traceparent", &trace.to_string());
        }
        if !self.tags.is_empty() {
            fields.object("tags", |f| {
                for (key, value) in self.tags {
                    f.bounded(key, value, CLIENT_TEXT_CHARS);
                }
            });
        }
        fields.written(facts);
        if !self.subjects.is_empty() {
            let subjects: Vec<String> = self.subjects.iter().map(ToString::to_string).collect();
            fields.texts("subjects", subjects.iter().map(String::as_str));
        }
        fields.object("policy", |f| policy(f, self.policy));
        out
    }
}

/// The part of a record that is the same for all executions of a plan.
fn rendered(facts: &Facts) -> Box<[u8]> {
    let mut out = Vec::with_capacity(512);
    let mut fields = Fields::following(&mut out);
    if facts.observed {
        fields.text("mode", "observe");
    }
    fields.text("outcome", facts.outcome.as_str());
    fields.text_or_null("code", facts.code.map(Code::as_str));
    if let Some(rule) = &facts.rule {
        fields.text("rule", &rule.to_string());
    }
    fields.bounded_or_null("statement", facts.statement.as_deref(), STATEMENT_CHARS);
    fields.text_or_null("fingerprint", facts.fingerprint.as_deref());
    fields.objects("fields", facts.fields.iter().take(MOST_FIELDS), field);
    if let Some(more) = facts.fields.len().checked_sub(MOST_FIELDS + 1) {
        fields.number("fields_left_out", more as u64 + 1);
    }
    if !facts.gaps.is_empty() {
        fields.texts("gaps", facts.gaps.iter().take(MOST_FIELDS).map(String::as_str));
    }
    fields.texts("row_filters", facts.row_filters.iter().copied());
    out.into()
}

impl Event {
    /// The record's fields from `time` on, each with a comma before it.
    pub(in crate::audit) fn body(&self, id: Uuid, time: OffsetDateTime) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut fields = head(&mut out, time, self.name());
        // A completion is known by what it completes.
        if !matches!(self, Self::Completed { .. }) {
            fields.id("id", id);
        }
        self.rest(&mut fields);
        out
    }

    fn rest(&self, f: &mut Fields<'_>) {
        match self {
            Self::Start { version } => f.text("version", version),
            Self::Stop => {}
            Self::Login {
                session: who,
                outcome,
                code,
                sqlstate,
                policy,
            } => {
                session(f, who, None);
                f.text("outcome", outcome.as_str());
                f.text_or_null("code", code.map(Code::as_str));
                f.text_or_null("sqlstate", sqlstate.as_ref().map(SqlState::as_str));
                policy_or_null(f, "policy", policy.as_deref());
            }
            Self::Logout {
                session: who,
                duration_us,
            } => {
                session(f, who, None);
                f.number("duration_us", *duration_us);
            }
            Self::Reload { accepted, errors } => {
                f.truth("accepted", *accepted);
                f.number("errors", *errors);
            }
            Self::PolicyChanged {
                database,
                before,
                after,
                changes,
            } => {
                f.text_or_null("database", database.as_deref());
                policy_or_null(f, "before", before.as_deref());
                f.object("policy", |f| policy(f, after));
                f.number("changes_total", changes.len() as u64);
                f.objects("changes", changes.iter().take(MOST_CHANGES), change);
            }
            Self::Completed {
                of,
                rows,
                bytes,
                duration_us,
                sqlstate,
                groups_left_out,
            } => {
                f.id("of", *of);
                f.number("rows", *rows);
                f.number("bytes", *bytes);
                f.number("duration_us", *duration_us);
                f.text_or_null("sqlstate", sqlstate.as_ref().map(SqlState::as_str));
                f.number_or_null("groups_left_out", *groups_left_out);
            }
            Self::BreakGlass {
                session: who,
                actor,
                purpose,
                reason,
                phase,
                policy: rules,
            } => {
                session(f, who, Some(actor.as_deref()));
                f.bounded("purpose", purpose, CLIENT_TEXT_CHARS);
                f.bounded_or_null("reason", reason.as_deref(), CLIENT_TEXT_CHARS);
                break_glass(f, *phase);
                f.object("policy", |f| policy(f, rules));
            }
            Self::Recovered(recovery) => recovered(f, recovery),
            Self::Checkpoint(checkpoint) => checkpoint.write(f),
            Self::Stopped {
                session: who,
                of,
                table,
                column,
            } => {
                session(f, who, None);
                match of {
                    Some(of) => f.id("of", *of),
                    None => f.null("of"),
                }
                f.text("cause", "hidden_column_came_back_raw");
                f.number("table_oid", u64::from(*table));
                f.number("column_number", u64::from(column.unsigned_abs()));
            }
            Self::SinkDropped { sink, records } => {
                f.text("sink", sink);
                f.number("records", *records);
            }
        }
    }
}

fn head<'a>(out: &'a mut Vec<u8>, time: OffsetDateTime, event: &str) -> Fields<'a> {
    out.extend_from_slice(b",\"time\":\"");
    write_timestamp(out, time);
    out.push(b'"');
    let mut fields = Fields::following(out);
    fields.text("event", event);
    fields
}

/// `actor`: `None` where the event has no such field.
fn session(f: &mut Fields<'_>, session: &SessionFacts, actor: Option<Option<&str>>) {
    f.written(&session.before_actor);
    if let Some(actor) = actor {
        f.bounded_or_null("actor", actor, CLIENT_TEXT_CHARS);
    }
    f.written(&session.after_actor);
}

fn field(f: &mut Fields<'_>, field: &FieldUse) {
    f.text("column", &field.column);
    f.text_or_null("data_category", field.data_category.as_deref());
    f.text("position", field.position.as_str());
    f.text("form", field.form);
    f.text_or_null("rule", field.rule.as_ref().map(ToString::to_string).as_deref());
}

fn policy(f: &mut Fields<'_>, stamp: &PolicyStamp) {
    f.bounded("revision", &stamp.revision, CLIENT_TEXT_CHARS);
    f.text("sha256", &stamp.sha256);
}

fn policy_or_null(f: &mut Fields<'_>, key: &'static str, stamp: Option<&PolicyStamp>) {
    match stamp {
        Some(stamp) => f.object(key, |f| policy(f, stamp)),
        None => f.null(key),
    }
}

fn change(f: &mut Fields<'_>, change: &CellChange) {
    f.text_or_null("purpose", change.purpose.as_deref());
    f.text_or_null("role", change.role.as_deref());
    f.text("what", change.what);
    f.text_or_null("name", change.name.as_deref());
    f.bounded("before", &change.before, RULE_TEXT_CHARS);
    f.bounded("after", &change.after, RULE_TEXT_CHARS);
    f.truth("sees_more", change.sees_more);
}

fn break_glass(f: &mut Fields<'_>, phase: BreakGlassPhase) {
    match phase {
        BreakGlassPhase::Began { until } => {
            f.text("phase", "began");
            f.text("until", &timestamp(until));
        }
        BreakGlassPhase::Ended => {
            f.text("phase", "ended");
            f.null("until");
        }
    }
}

fn recovered(f: &mut Fields<'_>, recovery: &Recovery) {
    match recovery {
        Recovery::Torn { bytes } => {
            f.text("cause", "torn");
            f.number("torn_bytes", *bytes);
        }
        Recovery::FileGone => f.text("cause", "file_gone"),
        Recovery::Overflow { refused, lost } => {
            f.text("cause", "overflow");
            f.number("refused", *refused);
            f.number("lost", *lost);
        }
        Recovery::WriteFailed {
            error,
            since,
            refused,
            lost,
        } => {
            f.text("cause", "write_failed");
            f.bounded("error", error, CLIENT_TEXT_CHARS);
            f.text("since", &timestamp(*since));
            f.number("refused", *refused);
            f.number("lost", *lost);
        }
    }
}
