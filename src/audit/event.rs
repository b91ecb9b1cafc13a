//! The events of the audit log and their JSON, field by field as the log's format says.
//!
//! Pure: no clock, no file, no chain. An event holds no literal, parameter or row value: numbers,
//! codes and names have types of their own; a data subject is a [`SubjectHash`]; the texts that a
//! client writes freely (purpose, reason, actor, application) are bounded when they are written.

use std::net::SocketAddr;
use std::sync::Arc;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::pipeline::{Facts, FieldUse, Outcome, SharedFacts};
use crate::policy::{Code, LegalBasis};

use super::canonical::{CLIENT_TEXT_CHARS, Fields};
use super::chain::hex;
use super::checkpoint::Checkpoint;
use super::trace::TraceParent;

/// How many characters of a statement's text are kept.
const STATEMENT_CHARS: usize = 64 * 1024;

/// How many uses of columns one event tells of: a record stays shorter than what a reader takes.
const MOST_FIELDS: usize = 20_000;

/// How many characters of a rule's text are kept, as of a row filter's condition.
const RULE_TEXT_CHARS: usize = 500;

/// How many changes of a policy one event tells of.
const MOST_CHANGES: usize = 1000;

/// What one session is, from login on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// Its own number.
    pub id: Uuid,
    /// The database role that the client logged in as.
    pub role: String,
    /// `application_name`: the client's words.
    pub application: Option<String>,
    /// Whence it came.
    pub client: SocketAddr,
    /// The database.
    pub database: String,
    /// Its fields up to the actor, as every event of the session has them.
    before_actor: Box<[u8]>,
    /// And those after it.
    after_actor: Box<[u8]>,
}

impl SessionFacts {
    /// Of a session.
    pub fn new(id: Uuid, role: &str, application: Option<&str>, client: SocketAddr, database: &str) -> Self {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let mut f = Fields::following(&mut before);
        f.id("session", id);
        f.bounded("role", role, CLIENT_TEXT_CHARS);
        let mut f = Fields::following(&mut after);
        f.bounded_or_null("application", application, CLIENT_TEXT_CHARS);
        f.text("client", &client.to_string());
        f.bounded("database", database, CLIENT_TEXT_CHARS);
        Self {
            id,
            role: role.to_owned(),
            application: application.map(str::to_owned),
            client,
            database: database.to_owned(),
            before_actor: before.into(),
            after_actor: after.into(),
        }
    }
}

/// Which rules were in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStamp {
    /// `revision`
    pub revision: String,
    /// SHA-256 over the rules' files, hex.
    pub sha256: String,
}

/// `declared_via`: how the access purpose was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredVia {
    /// A tag in a comment.
    Comment,
    /// SET LOCAL, or set_config with `is_local`.
    SetLocal,
    /// SET, or set_config.
    Set,
    /// A start-up parameter or option.
    Startup,
    /// The role's `default_purpose`.
    RoleDefault,
}

impl DeclaredVia {
    /// The text of the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::SetLocal => "set_local",
            Self::Set => "set",
            Self::Startup => "startup",
            Self::RoleDefault => "role_default",
        }
    }
}

/// A data subject as the audit knows it: a keyed hash, which cannot be undone by trying all keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectHash([u8; 16]);

/// Under what data subjects are hashed: made once of a secret that never leaves the proxy.
#[derive(Clone)]
pub struct SubjectKey(Hmac<Sha256>);

impl SubjectKey {
    /// Of a secret.
    pub fn new(secret: &[u8]) -> Self {
        // A key of exactly one block makes a keyed hash that cannot fail.
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        for (to, from) in block.iter_mut().zip(Sha256::digest(secret)) {
            *to = from;
        }
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block);
        mac.update(b"pgpurpose audit subject\0");
        Self(mac)
    }

    /// The hash of `subject` (`key`, or `root:key`).
    pub fn hash(&self, subject: &str) -> SubjectHash {
        let mut mac = self.0.clone();
        mac.update(subject.as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(full) {
            *to = from;
        }
        SubjectHash(short)
    }
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey")
    }
}

impl SubjectHash {
    /// A key as it is hashed: integers in their shortest form, uuids in PostgreSQL's, all else as it is; what
    /// stands before the first colon is a root's name.
    pub fn canonical(subject: &str) -> String {
        let (root, key) = match subject.split_once(':') {
            Some((root, key)) => (format!("{root}:"), key),
            None => (String::new(), subject),
        };
        let trimmed = key.trim();
        if let Ok(number) = trimmed.parse::<i128>() {
            return format!("{root}{number}");
        }
        match Uuid::try_parse(trimmed) {
            Ok(id) => format!("{root}{id}"),
            Err(_) => subject.to_owned(),
        }
    }

    /// The forms in which a key may have been hashed: its canonical one, and as it was given.
    pub fn spellings(subject: &str) -> Vec<String> {
        let mut spellings = vec![Self::canonical(subject), subject.to_owned()];
        spellings.dedup();
        spellings
    }
}

impl std::fmt::Display for SubjectHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(std::str::from_utf8(&hex::<16, 32>(&self.0)).unwrap_or_default())
    }
}

/// Five digits or upper-case letters: nothing else fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// Reads one; what is none becomes `XX000` (internal_error).
    pub fn new(text: &str) -> Self {
        match <[u8; 5]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()) => Self(code),
            Ok(_) | Err(_) => Self(*b"XX000"),
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

/// Keys of sqlcommenter that the audit keeps beside those that it reads; of others nothing is kept.
const KNOWN_TAGS: [&str; 6] = ["action", "controller", "db_driver", "framework", "job", "route"];

/// The key of a tag that is kept, if it is one.
pub fn known_tag(key: &str) -> Option<&'static str> {
    KNOWN_TAGS.into_iter().find(|known| *known == key)
}

/// One execution of a statement: what is about to be disclosed, or was refused.
#[derive(Debug, Clone)]
pub struct StatementEvent<'a> {
    /// Whose.
    pub session: &'a SessionFacts,
    /// `pgpurpose.actor`: the client's words.
    pub actor: Option<&'a str>,
    /// The access purpose as declared.
    pub purpose: Option<&'a str>,
    /// How it was declared.
    pub declared_via: Option<DeclaredVia>,
    /// `pgpurpose.reason`: the client's words.
    pub reason: Option<&'a str>,
    /// Somebody was admitted to the purpose: it is one of the rules.
    pub admitted: bool,
    /// The purpose's legal basis.
    pub legal_basis: Option<LegalBasis>,
    /// The recipient's name; none is the controller itself.
    pub recipient: Option<&'a str>,
    /// The data subject that the request names.
    pub subject: Option<SubjectHash>,
    /// Data subjects that the statement's conditions name.
    pub subjects: &'a [SubjectHash],
    /// The event of the statement that opened the cursor or portal which this one reads.
    pub cursor_of: Option<Uuid>,
    /// The trace that it is a part of.
    pub trace: Option<TraceParent>,
    /// What else its tags say, by keys of [`known_tag`]: the client's words.
    pub tags: &'a [(&'static str, String)],
    /// What the core says of the statement.
    pub facts: &'a SharedFacts,
    /// The rules in force.
    pub policy: &'a PolicyStamp,
}

/// What a change of the rules means in one cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellChange {
    /// For which purpose; none: for all.
    pub purpose: Option<String>,
    /// For which role; none: for all.
    pub role: Option<String>,
    /// `column`, `rows`, `writes`, `admission` or `rules`.
    pub what: &'static str,
    /// `schema.table.column`, a table, or a key of the rules.
    pub name: Option<String>,
    /// How it was.
    pub before: String,
    /// How it is now.
    pub after: String,
    /// More may be seen, or done, than before.
    pub sees_more: bool,
}

/// A declaration of a `break_glass` purpose begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakGlassPhase {
    /// It holds until then.
    Began {
        /// When it ends by itself.
        until: OffsetDateTime,
    },
    /// It ended.
    Ended,
}

/// All events but statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The proxy started.
    Start {
        /// `pgpurpose.version`
        version: &'static str,
    },
    /// The proxy ended in good order; written by [`super::Journal::close`].
    Stop,
    /// A client logged in, or was refused.
    Login {
        /// Who.
        session: Arc<SessionFacts>,
        /// Allow, refuse or error.
        outcome: Outcome,
        /// The reason of a refusal.
        code: Option<Code>,
        /// PostgreSQL's, where the server refused.
        sqlstate: Option<SqlState>,
        /// The rules in force, where there are any for the database.
        policy: Option<Arc<PolicyStamp>>,
    },
    /// A client left.
    Logout {
        /// Who.
        session: Arc<SessionFacts>,
        /// Since login.
        duration_us: u64,
    },
    /// The rules were read again.
    Reload {
        /// `false`: they have errors, and the old ones stay in force.
        accepted: bool,
        /// How many errors.
        errors: u64,
    },
    /// Other rules are in force for a database.
    PolicyChanged {
        /// Which database; none: all.
        database: Option<String>,
        /// The rules before.
        before: Option<Arc<PolicyStamp>>,
        /// The rules now.
        after: Arc<PolicyStamp>,
        /// What changed for whom.
        changes: Vec<CellChange>,
    },
    /// What a statement event announced came to its end.
    Completed {
        /// The statement event's id.
        of: Uuid,
        /// Rows that left.
        rows: u64,
        /// Bytes that left.
        bytes: u64,
        /// From the statement's arrival on.
        duration_us: u64,
        /// Of the error that ended it.
        sqlstate: Option<SqlState>,
        /// Groups smaller than `min_group_size`, under an aggregate-only purpose.
        groups_left_out: Option<u64>,
    },
    /// A `break_glass` purpose was declared, or its time is over.
    BreakGlass {
        /// Who.
        session: Arc<SessionFacts>,
        /// `pgpurpose.actor`
        actor: Option<String>,
        /// The purpose.
        purpose: String,
        /// `pgpurpose.reason`
        reason: Option<String>,
        /// Begin or end.
        phase: BreakGlassPhase,
        /// The rules in force.
        policy: Arc<PolicyStamp>,
    },
    /// The journal can be written again; written by the journal itself.
    Recovered(Recovery),
    /// All records up to here, signed; written by the journal itself.
    Checkpoint(Checkpoint),
    /// Output of the server was stopped: a hidden column came back as it is stored.
    Stopped {
        /// Whose session was ended.
        session: Arc<SessionFacts>,
        /// The statement's event.
        of: Option<Uuid>,
        /// `pg_class.oid` of the table.
        table: u32,
        /// The column's number.
        column: i16,
    },
    /// A sink could not be given all records.
    SinkDropped {
        /// Which: its kind and where it goes, as the settings name it.
        sink: String,
        /// How many records.
        records: u64,
    },
}

/// What the journal came back from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// A record was cut off when the last writer ended; what there was of it was set aside.
    Torn {
        /// How many bytes.
        bytes: u64,
    },
    /// The file was moved away or removed; a new one was begun.
    FileGone,
    /// More was to be told than could be written in time.
    Overflow {
        /// Statements that were refused.
        refused: u64,
        /// Other events that could not be kept.
        lost: u64,
    },
    /// Writing failed for a time.
    WriteFailed {
        /// What the system said, without a path.
        error: String,
        /// Since when.
        since: OffsetDateTime,
        /// Statements that were refused meanwhile.
        refused: u64,
        /// Other events that could not be kept.
        lost: u64,
    },
}

impl StatementEvent<'_> {
    /// The record's fields from `time` on, each with a comma before it.
    pub(super) fn body(&self, id: Uuid, time: OffsetDateTime) -> Vec<u8> {
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
    pub(super) fn body(&self, id: Uuid, time: OffsetDateTime) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut fields = head(&mut out, time, self.name());
        // A completion is known by what it completes.
        if !matches!(self, Self::Completed { .. }) {
            fields.id("id", id);
        }
        self.rest(&mut fields);
        out
    }

    /// The text of `event`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Stop => "stop",
            Self::Login { .. } => "login",
            Self::Logout { .. } => "logout",
            Self::Reload { .. } => "reload",
            Self::PolicyChanged { .. } => "policy_changed",
            Self::Completed { .. } => "completed",
            Self::BreakGlass { .. } => "break_glass",
            Self::Recovered(_) => "recovered",
            Self::Checkpoint(_) => Checkpoint::EVENT,
            Self::Stopped { .. } => "stopped",
            Self::SinkDropped { .. } => "sink_dropped",
        }
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

/// RFC 3339, UTC, always with six digits of a second: `2026-11-24T06:41:05.000120Z`.
pub fn timestamp(time: OffsetDateTime) -> String {
    let mut out = Vec::with_capacity(27);
    write_timestamp(&mut out, time);
    String::from_utf8(out).unwrap_or_default()
}

fn write_timestamp(out: &mut Vec<u8>, time: OffsetDateTime) {
    let time = time.to_offset(time::UtcOffset::UTC);
    padded::<4>(out, u32::try_from(time.year()).unwrap_or(0));
    out.push(b'-');
    padded::<2>(out, u32::from(u8::from(time.month())));
    out.push(b'-');
    padded::<2>(out, u32::from(time.day()));
    out.push(b'T');
    padded::<2>(out, u32::from(time.hour()));
    out.push(b':');
    padded::<2>(out, u32::from(time.minute()));
    out.push(b':');
    padded::<2>(out, u32::from(time.second()));
    out.push(b'.');
    padded::<6>(out, time.microsecond());
    out.push(b'Z');
}

/// The last `N` digits of a number.
fn padded<const N: usize>(out: &mut Vec<u8>, number: u32) {
    let mut digits = [b'0'; N];
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
pub(super) mod tests;
