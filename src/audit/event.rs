//! The events of the audit log.
//!
//! Pure: no clock, no file, no chain. An event holds no literal, parameter or row value: numbers,
//! codes and names have types of their own; a data subject is a [`SubjectHash`]; the texts that a
//! client writes freely (purpose, reason, actor, application) are bounded when they are written.

mod record;
mod subject;

use std::net::SocketAddr;
use std::sync::Arc;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::pipeline::{Outcome, SharedFacts};
use crate::policy::{Code, LegalBasis};

use super::canonical::{CLIENT_TEXT_CHARS, Fields};
use super::checkpoint::Checkpoint;
use super::trace::TraceParent;

pub use subject::{SubjectHash, SubjectKey};

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

impl Event {
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

#[cfg(test)]
pub(super) mod tests;
