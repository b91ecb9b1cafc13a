//! The data subject of one statement, which its tag names.
//!
//! SQL reads the subject from settings. That of a tag has a setting of its own, which no client can reach, so
//! that it does not get mixed up with what the client sets and resets. It is set by fixed text with a
//! parameter, before each statement that needs it otherwise than it is, in the statement's own transaction:
//! where it fails, PostgreSQL passes over the statement too.

use bytes::{BufMut, BytesMut};

use crate::pipeline::Refusal;
use crate::policy::{Code, Denial};
use crate::sql::{Command, ConfigCall, ConfigValue};
use crate::wire::BackendKind;
use crate::wire::frontend::Target;

use super::Session;
use super::refusal::{self, unread};
use super::request::Request;
use super::responses::{Sent, SubjectStep, What};
use super::settings::{Block, Followed};
use crate::pipeline::Outcome;

/// Of the statement and the portal. A client that prepared a statement of this name gets PostgreSQL's error.
const NAME: &str = "pgpurpose_subject";

/// Gives no row.
const TEXT: &str = "SELECT WHERE pg_catalog.set_config('pgpurpose.statement_subject', $1, false) IS NULL";

impl Session {
    /// Makes the statement that is sent next run for the subject that its tag names; true where something was
    /// sent for that.
    pub(super) fn set_subject(&mut self, needed: Option<&str>) -> bool {
        let Some(needed) = needed else { return false };
        let in_force = self.settings.get(Followed::StatementSubject).as_text();
        if in_force == needed || self.settings.block() == Block::Failed {
            return false;
        }
        let sender = &mut self.upstream.sender;
        sender.parse_fixed(NAME, TEXT);
        let needed_there = sender.encoding.encode(needed).unwrap_or_default();
        sender.bind(NAME, NAME, &one_text(&needed_there));
        sender.execute_fixed(NAME);
        sender.close(Target::Portal, NAME);
        sender.close(Target::Statement, NAME);
        let command = Command::SetConfig(vec![ConfigCall {
            name: Followed::StatementSubject.name().to_owned(),
            value: ConfigValue::List(vec![needed.to_owned()]),
            local: false,
        }]);
        let steps = [
            SubjectStep::Parse,
            SubjectStep::Bind,
            SubjectStep::Execute(command),
            SubjectStep::Close,
            SubjectStep::Close,
        ];
        for step in steps {
            let mut sent = Sent::new(What::Subject(step)).own();
            sent.changes = true;
            self.responses.push(sent);
        }
        self.unflushed = true;
        true
    }

    /// A subject that the server would not read as it was read here: tags are URL-encoded UTF-8.
    pub(super) fn cannot_set_subject(&self, request: &Request<'_>) -> Option<Denial> {
        let needed = request.statement_subject()?;
        self.encoding().encode(needed).is_none().then(|| Denial {
            code: Code::SubjectMissing,
            message: "the data subject has characters that are not in the client's encoding".to_owned(),
            detail: None,
            hint: None,
            rule: None,
        })
    }

    /// The server says that the subject is set.
    pub(super) fn subject_is_set(&mut self, kind: BackendKind) -> bool {
        let Some(Sent {
            what: What::Subject(SubjectStep::Execute(command)),
            ..
        }) = self.responses.front()
        else {
            return false;
        };
        if kind != BackendKind::CommandComplete {
            return false;
        }
        self.settings.completed(command, &|_| None);
        self.responses.pop();
        true
    }
}

/// The one subject that all statements of a message need.
///
/// # Errors
/// They need different ones: one text runs under one setting.
pub(super) fn of_message<'r>(requests: &'r [Request<'_>]) -> Result<Option<&'r str>, Box<Refusal>> {
    let mut needed = requests.iter().filter_map(Request::statement_subject);
    let first = needed.next();
    if needed.all(|other| Some(other) == first) {
        return Ok(first);
    }
    Err(refusal::own(
        Code::SubjectMissing,
        "the statements of one message name different data subjects in their tags",
        Some("send each statement in a message of its own, or SET pgpurpose.subject between them"),
        unread(Outcome::Refuse, Some(Code::SubjectMissing)),
    ))
}

/// The rest of a Bind with one parameter, in text and in the client's encoding.
fn one_text(value: &[u8]) -> BytesMut {
    let mut rest = BytesMut::new();
    rest.put_i16(0);
    rest.put_i16(1);
    rest.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
    rest.put_slice(value);
    rest.put_i16(0);
    rest
}
