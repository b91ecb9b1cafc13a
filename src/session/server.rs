//! What the server sends: told apart by what was sent to it, in order. Rows pass in bulk, undecoded.

use bytes::Buf;

use crate::audit::Ticket;
use crate::pipeline::HiddenOrigin;
use crate::sql::{Command, DiscardTarget};
use crate::wire::backend::{self, TransactionStatus};
use crate::wire::frontend::Target;
use crate::wire::{BackendKind, Frame, ProtocolError, frame};

use super::audit_trail::Trail;
use super::prepared::Planned;
use super::refusal::fatal;
use super::responses::{Gives, Over, Running, Sent, SubjectStep, What};
use super::settings::Followed;
use super::too_many::is_copy_trailer;
use super::{End, Session};

impl Session {
    /// Takes what the server has sent.
    pub(super) fn read_server(&mut self) -> Result<(), End> {
        loop {
            self.pass_rows()?;
            if self.passing > 0 {
                return Ok(());
            }
            let Some(frame) = frame::take(&mut self.upstream.receiver.buffer, frame::server_limit)? else {
                return Ok(());
            };
            self.answer(frame)?;
        }
    }

    /// The execution that the server's rows are of.
    pub(super) fn row_owner(&mut self) -> Option<&mut Running> {
        match self.responses.front() {
            Some(Sent {
                what: What::Execute(running, _),
                own: false,
                ..
            }) => Some(&mut **running),
            Some(Sent {
                what: What::Query(running),
                own: false,
                ..
            }) => running.front_mut(),
            Some(_) | None => None,
        }
    }

    /// Hands on whole runs of rows, and the part of a row that has arrived.
    fn pass_rows(&mut self) -> Result<(), End> {
        if self.responses.front().is_some_and(|sent| sent.over.is_some()) {
            return self.drop_rows();
        }
        let left = self.row_owner().and_then(|running| running.rows_left());
        let buffer = &self.upstream.receiver.buffer;
        let mut end = self.passing.min(buffer.len());
        self.passing -= end;
        let mut rows = 0;
        let mut too_many = false;
        while self.passing == 0 {
            let rest = buffer.get(end..).unwrap_or_default();
            let Some(header) = frame::peek(rest)? else {
                break;
            };
            if !matches!(header.tag, b'D' | b'd') {
                break;
            }
            let is_row = !is_copy_trailer(rest);
            if is_row && left == Some(rows) {
                too_many = true;
                break;
            }
            rows += u64::from(is_row);
            let here = header.total.min(buffer.len() - end);
            end += here;
            self.passing = header.total - here;
        }
        if end > 0 {
            let Some(running) = self.row_owner() else {
                return Err(unexpected(BackendKind::DataRow));
            };
            running.forwarded(rows, end as u64);
            if let Some(ticket) = running.ticket {
                self.client.sender.hold_for(ticket);
            }
            let rows = self.upstream.receiver.buffer.get(..end).unwrap_or_default();
            self.client.sender.buffer.extend_from_slice(rows);
            self.upstream.receiver.buffer.advance(end);
        }
        match self.responses.front().filter(|_| too_many) {
            None => Ok(()),
            Some(sent) => {
                sent.over = Some(Over::Untold);
                self.drop_rows()
            }
        }
    }

    /// A whole message that is no row.
    fn answer(&mut self, frame: Frame) -> Result<(), End> {
        let kind = BackendKind::of(frame.tag)?;
        match kind {
            BackendKind::ParseComplete
            | BackendKind::BindComplete
            | BackendKind::CloseComplete
            | BackendKind::NoData
            | BackendKind::ParameterDescription
            | BackendKind::RowDescription => self.described(kind, &frame),
            BackendKind::CommandComplete | BackendKind::EmptyQueryResponse | BackendKind::PortalSuspended => {
                self.completed(kind, &frame)
            }
            BackendKind::CopyInResponse => {
                self.copying_in = true;
                self.responses.copy_has_begun();
                self.pass(&frame);
                Ok(())
            }
            BackendKind::CopyOutResponse | BackendKind::CopyDone => {
                if !self.is_over() {
                    self.pass(&frame);
                }
                Ok(())
            }
            BackendKind::ReadyForQuery => self.ready(&frame),
            BackendKind::ErrorResponse => self.failed(&frame),
            BackendKind::NoticeResponse => self.noticed(&frame),
            BackendKind::ParameterStatus => self.parameter(&frame),
            BackendKind::NotificationResponse => {
                self.pass(&frame);
                Ok(())
            }
            BackendKind::Authentication
            | BackendKind::BackendKeyData
            | BackendKind::CopyData
            | BackendKind::CopyBothResponse
            | BackendKind::DataRow
            | BackendKind::FunctionCallResponse
            | BackendKind::NegotiateProtocolVersion => Err(unexpected(kind)),
        }
    }

    fn pass(&mut self, frame: &Frame) {
        self.client.sender.buffer.extend_from_slice(&frame.bytes);
    }

    /// Answers that tell of names and forms.
    fn described(&mut self, kind: BackendKind, frame: &Frame) -> Result<(), End> {
        let Some(sent) = self.responses.front() else {
            return Err(unexpected(kind));
        };
        let own = sent.own;
        let done = match (&sent.what, kind) {
            (
                What::Parse {
                    statement: Some(_),
                    named,
                    ..
                },
                BackendKind::ParseComplete,
            ) => {
                if *named {
                    self.statements.confirm();
                }
                true
            }
            (What::Bind(_), BackendKind::BindComplete) => {
                self.portals.confirm();
                true
            }
            (What::Close { target, named }, BackendKind::CloseComplete) => {
                match (target, named) {
                    (Target::Statement, true) => self.statements.confirm(),
                    (Target::Portal, true) => self.portals.confirm(),
                    (Target::Statement | Target::Portal, false) => {}
                }
                true
            }
            (What::DescribeStatement { .. }, BackendKind::ParameterDescription) => false,
            (What::DescribeStatement { .. } | What::DescribePortal(_), BackendKind::NoData) => true,
            (What::DescribeStatement { planned, rows_of, .. }, BackendKind::RowDescription) => {
                check_origins(&self.trail, None, frame, [Some(planned), rows_of.as_ref()])?;
                true
            }
            (What::DescribePortal(portal), BackendKind::RowDescription) => {
                check_origins(
                    &self.trail,
                    None,
                    frame,
                    [Some(&portal.planned), portal.inner.planned()],
                )?;
                true
            }
            (What::Query(running), BackendKind::RowDescription) => {
                let Some(running) = running.front() else {
                    return Err(unexpected(kind));
                };
                let statements = [running.planned.as_ref(), running.rows_of.as_ref()];
                check_origins(&self.trail, running.ticket, frame, statements)?;
                false
            }
            (What::Subject(SubjectStep::Parse), BackendKind::ParseComplete)
            | (What::Subject(SubjectStep::Bind), BackendKind::BindComplete)
            | (What::Subject(SubjectStep::Close), BackendKind::CloseComplete) => true,
            (
                What::Parse { .. }
                | What::Bind(_)
                | What::Close { .. }
                | What::DescribeStatement { .. }
                | What::DescribePortal(_)
                | What::Execute(..)
                | What::Query(_)
                | What::Sync
                | What::Subject(_),
                _,
            ) => return Err(unexpected(kind)),
        };
        if done {
            self.responses.pop();
        }
        if !own && !self.is_over() {
            self.pass(frame);
        }
        Ok(())
    }

    /// A statement ended, or paused.
    fn completed(&mut self, kind: BackendKind, frame: &Frame) -> Result<(), End> {
        self.copying_in = false;
        if self.is_over() {
            return self.completed_over(kind);
        }
        if self.subject_is_set(kind) {
            return Ok(());
        }
        self.pass(frame);
        let Some(sent) = self.responses.front() else {
            return Err(unexpected(kind));
        };
        match &mut sent.what {
            What::Execute(..) => {
                let Some(Sent {
                    what: What::Execute(running, portal),
                    ..
                }) = self.responses.pop()
                else {
                    return Err(unexpected(kind));
                };
                if kind != BackendKind::EmptyQueryResponse && portal.first_effect() {
                    self.settings.completed(&running.command, &|n| portal.parameter(n));
                    self.effect(&running);
                    self.declared_anew(&running.command);
                }
                self.trail.completed(&running, None, self.left_out(&running));
                Ok(())
            }
            What::Query(statements) => match (statements.pop_front(), kind) {
                (Some(running), BackendKind::CommandComplete) => {
                    self.settings.completed(&running.command, &|_| None);
                    self.effect(&running);
                    self.declared_anew(&running.command);
                    self.trail.completed(&running, None, self.left_out(&running));
                    Ok(())
                }
                (None, BackendKind::EmptyQueryResponse) => Ok(()),
                (Some(_) | None, _) => Err(unexpected(kind)),
            },
            What::Parse { .. }
            | What::Bind(_)
            | What::Close { .. }
            | What::DescribeStatement { .. }
            | What::DescribePortal(_)
            | What::Sync
            | What::Subject(_) => Err(unexpected(kind)),
        }
    }

    /// What a completed command means for names and the catalog.
    pub(super) fn effect(&mut self, running: &Running) {
        match (&running.command, &running.gives) {
            (Command::Prepare { name }, Gives::Prepared(prepared)) => {
                self.statements.insert(name.clone(), prepared.clone());
            }
            (Command::Declare { name, .. }, Gives::Cursor(portal)) => {
                self.portals.insert(name.clone(), portal.clone());
            }
            (Command::Deallocate(Some(name)), _) => {
                self.statements.remove(name);
            }
            (Command::Deallocate(None), _) => self.deallocated_all(),
            (Command::Close(Some(name)), _) => {
                self.portals.remove(name);
            }
            (Command::Close(None), _) => self.portals.retain(|_, _| false),
            (Command::Discard(DiscardTarget::All), _) => {
                self.deallocated_all();
                self.portals.retain(|_, _| false);
                self.catalog.changed();
            }
            (Command::Discard(DiscardTarget::Temp) | Command::CreateAs | Command::Ddl, _) => self.catalog.changed(),
            _ => {}
        }
    }

    /// All names are gone but that of the unnamed statement (`DropAllPreparedStatements`), ours for it among them.
    fn deallocated_all(&mut self) {
        self.statements.retain(|name, _| name.is_empty());
        if let Some(unnamed) = self.statements.get("") {
            unnamed.drop_variants();
        }
    }

    fn ready(&mut self, frame: &Frame) -> Result<(), End> {
        let Some(sent) = self.responses.pop() else {
            return Err(unexpected(BackendKind::ReadyForQuery));
        };
        match &sent.what {
            What::Sync => {}
            What::Query(left) if left.is_empty() || sent.failed => {}
            What::Query(_)
            | What::Parse { .. }
            | What::Bind(_)
            | What::Close { .. }
            | What::DescribeStatement { .. }
            | What::DescribePortal(_)
            | What::Execute(..)
            | What::Subject(_) => return Err(unexpected(BackendKind::ReadyForQuery)),
        }
        let status = TransactionStatus::read(&frame.body())?;
        self.settings.ready(status)?;
        self.check_encoding()?;
        if status == TransactionStatus::Idle {
            self.portals.retain(|_, portal| portal.hold);
            self.catalog.transaction_ended();
        }
        if sent.over.is_some() && status == TransactionStatus::InTransaction {
            self.fail_transaction();
        } else if !sent.own {
            self.pass(frame);
        }
        Ok(())
    }

    /// How many groups of too few people a statement left out; none: nobody told.
    fn left_out(&self, running: &Running) -> Option<u64> {
        let is_told = !matches!(
            self.settings.get(Followed::Messages).as_text(),
            "warning" | "error" | "fatal" | "panic"
        );
        (is_told && running.counts_groups()).then_some(running.left_out)
    }

    /// What all reading of statements rests on must not change.
    fn parameter(&mut self, frame: &Frame) -> Result<(), End> {
        let (name, value) = backend::parameter_status(frame.body())?;
        match (name.as_str(), value.as_str()) {
            ("standard_conforming_strings", "on") => {}
            ("client_encoding", reported) => self.reported_encoding = Some(reported.to_owned()),
            ("standard_conforming_strings", _) => {
                tracing::error!(name, "a setting that is pinned changed");
                return Err(End::Fatal(fatal(
                    "XX000",
                    "a setting that this proxy relies on changed",
                )));
            }
            _ => {}
        }
        self.pass(frame);
        Ok(())
    }
}

/// A hidden column must not come back as it is stored, whatever led to it.
fn check_origins(
    trail: &Trail,
    of: Option<Ticket>,
    frame: &Frame,
    statements: [Option<&Planned>; 2],
) -> Result<(), End> {
    let hidden: Vec<HiddenOrigin> = statements
        .into_iter()
        .flatten()
        .filter_map(Planned::statement)
        .flat_map(|s| s.hidden_origins.iter().copied())
        .collect();
    if hidden.is_empty() {
        return Ok(());
    }
    let origins = backend::row_description(frame.body())?;
    let shows = |h: &HiddenOrigin| origins.iter().any(|o| o.table == h.table && o.column == h.column);
    match hidden.iter().find(|h| shows(h)) {
        None => Ok(()),
        Some(hidden) => {
            tracing::error!(
                table = hidden.table,
                column = hidden.column,
                "a hidden column came back raw"
            );
            trail.stopped(of, hidden);
            Err(End::Fatal(fatal(
                "XX000",
                "a hidden column came back as it is stored; the session is ended",
            )))
        }
    }
}

pub(super) fn unexpected(kind: BackendKind) -> End {
    tracing::error!(?kind, "the server sent a message that nothing asked for");
    ProtocolError::Unexpected.into()
}
