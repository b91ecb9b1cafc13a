//! The simple query protocol: one message, any number of statements, one answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use uuid::Uuid;

use crate::audit::{AuditUnavailable, Recorded, Ticket};
use crate::pipeline::{Outcome, Plan, Refusal, SharedFacts};
use crate::policy::Code;
use crate::sql::Command;

use super::planning::{Examined, Inner, cursor_of, tag_refusal};
use super::prepared::{Carried, Origin, Planned, Portal, Prepared};
use super::refusal::{self, unread};
use super::request::{Request, refused_facts};
use super::responses::{Gives, Running, Sent, What};
use super::text::{Text, as_served};
use super::{End, Session, subject};

impl Session {
    /// A Query message.
    pub(super) async fn query(&mut self, text: &str) -> Result<(), End> {
        let started = Instant::now();
        self.refresh().await?;
        self.watch_glass();
        let policy = Arc::clone(&self.rules.policy);
        let text = match Text::new(as_served(text)) {
            Ok(text) => text,
            Err(error) => {
                let refusal = tag_refusal(&error);
                let request = self.request(&policy, &self.settings, &[]);
                return self.refuse_simple(&refusal, None, &request);
            }
        };
        let Examined { requests, verdict } = self.examine(&text, &[], &policy).await?;
        let (plan, inner) = match verdict {
            Ok(answer) => answer,
            Err(refusal) => {
                let request = requests.into_iter().next_back();
                let request = request.unwrap_or_else(|| self.request(&policy, &self.settings, &[]));
                return self.refuse_simple(&refusal, Some(&text), &request);
            }
        };
        let subject = match subject::of_message(&requests) {
            Ok(subject) => subject.map(str::to_owned),
            Err(refusal) => {
                let request = requests.into_iter().next_back();
                let request = request.unwrap_or_else(|| self.request(&policy, &self.settings, &[]));
                return self.refuse_simple(&refusal, Some(&text), &request);
            }
        };
        for ((statement, inner), request) in plan.statements.iter().zip(&inner).zip(&requests) {
            if let Err(refusal) = self.spend(Some(statement), inner, request) {
                return self.refuse_simple(&refusal, Some(&text), request);
            }
        }
        requests.iter().for_each(|request| self.use_glass(request));
        match self.record(&plan, &inner, &requests, &text) {
            Ok((recorded, tickets)) => {
                self.await_writes(&plan, &inner, &tickets).await?;
                let running = self.running(&plan, inner, &requests, &text, &tickets, started);
                self.send_query(&recorded, running, subject.as_deref());
                Ok(())
            }
            Err(AuditUnavailable) => {
                self.fail_simple(&audit_unavailable());
                Ok(())
            }
        }
    }

    /// Records every statement of a plan. What goes out is one text, so any of the records carries it.
    fn record(
        &self,
        plan: &Arc<Plan>,
        inner: &[Inner],
        requests: &[Request<'_>],
        text: &Text,
    ) -> Result<(Recorded, Vec<Ticket>), AuditUnavailable> {
        let mut recorded = None;
        let mut tickets: Vec<Ticket> = Vec::with_capacity(inner.len());
        for ((index, inner), request) in inner.iter().enumerate().zip(requests) {
            let ids: Vec<Option<Uuid>> = tickets.iter().map(|t| Some(t.id())).collect();
            let facts = facts_of(plan, index, inner);
            let subjects = self.trail.subjects(plan.statements.get(index), text, None);
            let cursor = cursor_of(inner, &ids);
            let (proof, ticket) =
                self.trail
                    .statement(&plan.verified, request, (&facts, &subjects), &self.rules.stamp, cursor)?;
            recorded = Some(proof);
            tickets.push(ticket);
        }
        match recorded {
            Some(recorded) => Ok((recorded, tickets)),
            // An empty query: nothing runs.
            None => Ok((self.trail.prepare(&plan.verified)?, tickets)),
        }
    }

    /// What writes is on record before it is sent.
    async fn await_writes(&self, plan: &Arc<Plan>, inner: &[Inner], tickets: &[Ticket]) -> Result<(), End> {
        for ((index, inner), ticket) in inner.iter().enumerate().zip(tickets) {
            if writes(plan, index, inner) {
                self.trail.journal().written(*ticket).await?;
            }
        }
        Ok(())
    }

    fn running(
        &self,
        plan: &Arc<Plan>,
        inner: Vec<Inner>,
        requests: &[Request<'_>],
        text: &Text,
        tickets: &[Ticket],
        started: Instant,
    ) -> VecDeque<Running> {
        let statements = plan.statements.iter().zip(inner).zip(requests).zip(tickets);
        statements
            .enumerate()
            .map(|(index, (((statement, inner), request), ticket))| {
                let planned = Planned {
                    plan: Arc::clone(plan),
                    index,
                };
                Running {
                    gives: self.gives(&statement.command, &planned, request, text, Some(ticket.id())),
                    command: statement.command.clone(),
                    cursor: inner.cursor().cloned(),
                    rows_of: rows_of(plan, inner),
                    planned: Some(planned),
                    text: Some(text.clone()),
                    ticket: Some(*ticket),
                    started,
                    rows: 0,
                    bytes: 0,
                    left_out: 0,
                }
            })
            .collect()
    }

    /// What a name will mean when the command that gives it has completed.
    pub(super) fn gives(
        &self,
        command: &Command,
        planned: &Planned,
        request: &Request<'_>,
        text: &Text,
        event: Option<Uuid>,
    ) -> Gives {
        let ground = request.declared.ground();
        match command {
            Command::Prepare { .. } => Gives::Prepared(Arc::new(Prepared {
                text: text.clone(),
                origin: Origin::Sql(carried(planned, text)),
                base: planned.clone(),
                ground,
                versions: (self.rules.version, self.catalog.current().version),
                search_path: self.path_entries(),
                variants: Mutex::default(),
                last: Mutex::default(),
            })),
            Command::Declare { hold, .. } => {
                let mut portal = Portal::new(text.clone(), planned.clone(), ground, self.rules.version);
                portal.hold = *hold;
                if let Some(event) = event {
                    portal.opened.get_or_init(|| event);
                }
                Gives::Cursor(Arc::new(portal))
            }
            _ => Gives::Nothing,
        }
    }

    fn send_query(&mut self, recorded: &Recorded, running: VecDeque<Running>, subject: Option<&str>) {
        self.end_own_pipeline();
        let is_set = self.set_subject(subject);
        self.upstream.sender.query(recorded);
        let sent = Sent::new(What::Query(VecDeque::new())).running(running.iter().map(|r| &r.command));
        let sent = Sent {
            what: What::Query(running),
            // Where it fails, the subject that was set with it is not in force any more.
            changes: sent.changes || is_set,
            ..sent
        };
        self.responses.push(sent.counting());
        self.unflushed = false;
    }

    /// A Parse of ours, sent outside a pipeline of the client's, gets its own Sync.
    fn end_own_pipeline(&mut self) {
        if std::mem::take(&mut self.own_unsynced) && !self.unsynced {
            self.upstream.sender.sync();
            self.responses.push(Sent::new(What::Sync).own());
            self.statements.synced();
            self.portals.synced();
        }
    }

    fn refuse_simple(&mut self, refusal: &Refusal, text: Option<&Text>, request: &Request<'_>) -> Result<(), End> {
        let (recorded, _) = self.trail.refused(request, &refusal.facts, &self.rules.stamp);
        self.send_failing_query(&recorded, refusal, text);
        Ok(())
    }

    /// A message that is answered with an error in its place and has no event.
    pub(super) fn fail_simple(&mut self, refusal: &Refusal) {
        self.send_failing_query(&Recorded::refusal(), refusal, None);
    }

    fn send_failing_query(&mut self, recorded: &Recorded, refusal: &Refusal, text: Option<&Text>) {
        self.end_own_pipeline();
        self.upstream.sender.query(recorded);
        let fields = self.error_fields(refusal, text);
        self.responses
            .push(Sent::new(What::Query(VecDeque::new())).failing(fields));
        self.unflushed = false;
    }
}

/// The refusal of a statement that cannot be put on record.
pub(super) fn audit_unavailable() -> Box<Refusal> {
    let facts = unread(Outcome::Refuse, Some(Code::AuditUnavailable));
    refusal::own(Code::AuditUnavailable, "the audit cannot be written", None, facts)
}

/// What the audit says of a statement: of EXECUTE and FETCH, what it says of the inner one.
pub(super) fn facts_of(plan: &Arc<Plan>, index: usize, inner: &Inner) -> SharedFacts {
    let own = plan.statements.get(index).map(|s| &s.facts);
    let whose = match inner {
        Inner::Itself => own,
        Inner::Prepared(planned) => planned.statement().map(|s| &s.facts),
        Inner::Cursor(portal) => portal.planned.statement().map(|s| &s.facts),
        Inner::Earlier(earlier) => plan.statements.get(*earlier).map(|s| &s.facts),
    };
    match whose.or(own) {
        Some(facts) => facts.clone(),
        None => refused_facts(&unread(Outcome::Error, None), Code::NotUnderstood).into(),
    }
}

/// Whether a statement, or the one it executes, writes.
pub(super) fn writes(plan: &Arc<Plan>, index: usize, inner: &Inner) -> bool {
    let own = plan.statements.get(index).is_some_and(|s| s.writes);
    own || match inner {
        Inner::Itself => false,
        Inner::Prepared(planned) => planned.statement().is_some_and(|s| s.writes),
        Inner::Cursor(portal) => portal.planned.statement().is_some_and(|s| s.writes),
        Inner::Earlier(earlier) => plan.statements.get(*earlier).is_some_and(|s| s.writes),
    }
}

/// The statement whose rows come back, where it is not the statement itself.
pub(super) fn rows_of(plan: &Arc<Plan>, inner: Inner) -> Option<Planned> {
    match inner {
        Inner::Itself => None,
        Inner::Prepared(planned) => Some(planned),
        Inner::Cursor(portal) => Some(portal.planned.clone()),
        Inner::Earlier(index) => Some(Planned {
            plan: Arc::clone(plan),
            index,
        }),
    }
}

/// The statement that a PREPARE carries, ready to be prepared again.
fn carried(planned: &Planned, text: &Text) -> Option<Carried> {
    let prepares = planned.statement()?.prepares.as_ref()?;
    let text = text.part(prepares.range.clone(), prepares.statement.clone())?;
    let types = prepares.parameters.clone();
    Some(Carried { text, types })
}
