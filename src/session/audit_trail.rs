//! The session's side of the journal: builds events, remembers nothing.

use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use crate::audit::{
    AuditUnavailable, BreakGlassPhase, Event, Journal, PolicyStamp, Recorded, SessionFacts, SqlState, StatementEvent,
    SubjectHash, SubjectKey, Ticket,
};
use crate::pipeline::{Facts, HiddenOrigin, PlannedStatement, SharedFacts};
use crate::verify::Verified;
use crate::wire::frontend::Bind;

use super::break_glass::Glass;
use super::request::Request;
use super::responses::Running;
use super::subjects;
use super::text::Text;

/// One session's way to the journal.
#[derive(Debug)]
pub struct Trail {
    journal: Journal,
    session: Arc<SessionFacts>,
    subject_key: SubjectKey,
    since: Instant,
}

impl Trail {
    /// A session's.
    pub fn new(journal: Journal, session: Arc<SessionFacts>, subject_key: SubjectKey) -> Self {
        Self {
            journal,
            session,
            subject_key,
            since: Instant::now(),
        }
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// A statement that is about to run.
    ///
    /// # Errors
    /// The audit cannot be written.
    pub fn statement(
        &self,
        verified: &Arc<Verified>,
        request: &Request<'_>,
        (facts, subjects): (&SharedFacts, &[SubjectHash]),
        policy: &PolicyStamp,
        cursor_of: Option<Uuid>,
    ) -> Result<(Recorded, Ticket), AuditUnavailable> {
        let event = StatementEvent {
            subjects,
            ..self.event(request, facts, policy, cursor_of)
        };
        self.journal.record(Arc::clone(verified), &event)
    }

    /// The data subjects that a planned statement names, parameters out of `bind`.
    pub fn subjects(&self, planned: Option<&PlannedStatement>, text: &Text, bind: Option<&Bind>) -> Vec<SubjectHash> {
        let pins = planned
            .map(|statement| statement.subjects.as_slice())
            .unwrap_or_default();
        subjects::hashes(pins, text.sql.text(), bind, &self.subject_key)
    }

    /// A statement that is refused. What stands in its place may be sent whatever the journal says.
    pub fn refused(&self, request: &Request<'_>, facts: &Facts, policy: &PolicyStamp) -> (Recorded, Option<Ticket>) {
        let facts = SharedFacts::from(facts.clone());
        match self.journal.refuse(&self.event(request, &facts, policy, None)) {
            Ok((recorded, ticket)) => (recorded, Some(ticket)),
            Err(AuditUnavailable) => (Recorded::refusal(), None),
        }
    }

    /// A text that is parsed and does not run.
    ///
    /// # Errors
    /// The audit cannot be written.
    pub fn prepare(&self, verified: &Arc<Verified>) -> Result<Recorded, AuditUnavailable> {
        self.journal.prepare(Arc::clone(verified))
    }

    /// A statement failed, or was passed over.
    pub fn failed(&self, running: &Running, sqlstate: &str) {
        self.completed(running, Some(sqlstate), None);
    }

    /// A statement ended; how many groups were left out, where that is known.
    pub fn completed(&self, running: &Running, sqlstate: Option<&str>, groups_left_out: Option<u64>) {
        let Some(ticket) = running.ticket else { return };
        self.journal.note(Event::Completed {
            of: ticket.id(),
            rows: running.rows,
            bytes: running.bytes,
            duration_us: microseconds(running.started),
            sqlstate: sqlstate.map(SqlState::new),
            groups_left_out,
        });
    }

    /// A `break_glass` purpose begins to be used, or is over.
    pub fn break_glass(&self, glass: &Glass, phase: BreakGlassPhase, policy: &Arc<PolicyStamp>) {
        self.journal.note(Event::BreakGlass {
            session: Arc::clone(&self.session),
            actor: glass.actor.clone(),
            purpose: glass.purpose.clone(),
            reason: glass.reason.clone(),
            phase,
            policy: Arc::clone(policy),
        });
    }

    /// The session is ended: a hidden column came back as it is stored.
    pub fn stopped(&self, of: Option<Ticket>, origin: &HiddenOrigin) {
        self.journal.note(Event::Stopped {
            session: Arc::clone(&self.session),
            of: of.map(|ticket| ticket.id()),
            table: origin.table,
            column: origin.column,
        });
    }

    /// The client left.
    pub fn logout(&self) {
        self.journal.note(Event::Logout {
            session: Arc::clone(&self.session),
            duration_us: microseconds(self.since),
        });
    }

    fn event<'a>(
        &'a self,
        request: &'a Request<'_>,
        facts: &'a SharedFacts,
        policy: &'a PolicyStamp,
        cursor_of: Option<Uuid>,
    ) -> StatementEvent<'a> {
        let declaration = &request.declared.declaration;
        let admission = request.admission();
        StatementEvent {
            session: &self.session,
            actor: declaration.actor.as_deref(),
            purpose: declaration.purpose.as_deref(),
            declared_via: request.declared.via,
            reason: declaration.reason.as_deref(),
            admitted: admission.is_some(),
            legal_basis: admission.and_then(|a| a.purpose().legal_basis),
            recipient: admission.and_then(|a| a.recipient()).map(|r| r.name.as_str()),
            subject: declaration.subject.as_deref().map(|s| self.subject_key.hash(s)),
            subjects: &[],
            cursor_of,
            trace: request.declared.trace,
            tags: &request.declared.tags,
            facts,
            policy,
        }
    }
}

fn microseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
