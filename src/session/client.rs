//! What the client sends, message by message: waits where an answer under way could change what a
//! message means, else hands it to the protocol it belongs to.

use std::borrow::Cow;

use crate::pipeline::Refusal;
use crate::wire::ProtocolError;
use crate::wire::frame::{self, Frame};
use crate::wire::frontend::{Frontend, FrontendKind};

use super::refusal::{self, fatal};
use super::responses::{Sent, What};
use super::{End, HIGH_WATER, Session};

impl Session {
    /// Takes what the client has sent, as far as it may be acted on now.
    pub(super) async fn read_client(&mut self) -> Result<(), End> {
        while !self.leaving && self.upstream.sender.pending() < HIGH_WATER {
            if !self.pass_tail() {
                break;
            }
            let Some(header) = frame::peek(&self.client.receiver.buffer)? else {
                break;
            };
            let kind = FrontendKind::of(header.tag)?;
            if header.total > frame::client_limit(header.tag)?.saturating_add(1) {
                return Err(ProtocolError::Length.into());
            }
            let streamed = self.is_streamed(kind, header);
            let arrived = self.client.receiver.buffer.len();
            let Some(known) = self.client.receiver.buffer.get(..header.total.min(arrived)) else {
                break;
            };
            if known.len() < header.total && !streamed {
                break;
            }
            if self.must_wait(kind, known.get(frame::HEADER..).unwrap_or_default()) {
                self.nudge();
                break;
            }
            if streamed {
                self.begin(kind, header).await?;
                continue;
            }
            let Some(frame) = frame::take(&mut self.client.receiver.buffer, frame::client_limit)? else {
                break;
            };
            self.take(kind, frame).await?;
        }
        Ok(())
    }

    /// An answer under way could change what the message means.
    fn must_wait(&self, kind: FrontendKind, body: &[u8]) -> bool {
        if self.copying_in {
            return false;
        }
        if self.responses.may_copy_in() {
            return kind != FrontendKind::Terminate;
        }
        if self.skipping {
            return false;
        }
        // What follows a result that has too many rows is passed over; even a Sync would end its transaction.
        if self.responses.may_be_too_many() {
            return kind.is_extended() || matches!(kind, FrontendKind::Query | FrontendKind::Sync);
        }
        // This session changed the catalog: between two pipelines there is time for another look.
        if self.catalog.is_dirty() && !self.unsynced && !self.responses.is_empty() {
            return kind.is_extended() || kind == FrontendKind::Query;
        }
        let changes = self.responses.may_change();
        match kind {
            FrontendKind::Query => changes || self.responses.may_divide() || self.may_use_uncertain_names(body),
            FrontendKind::Parse => changes || self.may_use_uncertain_names(body),
            FrontendKind::Bind => {
                let statement = body.iter().position(|&b| b == 0).and_then(|end| body.get(end + 1..));
                changes || self.statements.is_uncertain(&self.name(statement.unwrap_or_default()))
            }
            FrontendKind::Describe => {
                let name = self.name(body.get(1..).unwrap_or_default());
                changes || self.statements.is_uncertain(&name) || self.portals.is_uncertain(&name)
            }
            FrontendKind::Execute => changes || self.portals.is_uncertain(&self.name(body)),
            FrontendKind::Close => changes,
            FrontendKind::Flush
            | FrontendKind::Sync
            | FrontendKind::Terminate
            | FrontendKind::CopyData
            | FrontendKind::CopyDone
            | FrontendKind::CopyFail
            | FrontendKind::FunctionCall => false,
        }
    }

    /// A text that could run a statement or read a cursor by name, while names are uncertain.
    fn may_use_uncertain_names(&self, text: &[u8]) -> bool {
        let says = |word: &[u8]| text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
        (self.statements.any_uncertain() && says(b"execute"))
            || (self.portals.any_uncertain() && (says(b"fetch") || says(b"move")))
    }

    /// The name at the start of a body; one that is not read is in no table.
    fn name<'b>(&self, body: &'b [u8]) -> Cow<'b, str> {
        let raw = body.split(|&b| b == 0).next().unwrap_or_default();
        self.encoding().decode(raw).unwrap_or_default()
    }

    /// Makes the server answer what it was sent.
    fn nudge(&mut self) {
        if self.unflushed {
            self.upstream.sender.flush();
            self.unflushed = false;
        }
    }

    async fn take(&mut self, kind: FrontendKind, frame: Frame) -> Result<(), End> {
        if self.copying_in {
            return self.take_copy(kind, &frame);
        }
        if self.skipping && (kind.is_extended() || matches!(kind, FrontendKind::Query | FrontendKind::FunctionCall)) {
            return Ok(());
        }
        if self.catalog.is_dirty() {
            self.refresh().await?;
        }
        let encoding = self.follow_encoding();
        let message = match Frontend::read(kind, frame, encoding) {
            Ok(message) => message,
            Err(error) => {
                let refusal = refusal::malformed(&error);
                match kind.is_extended() {
                    true => self.fail_extended(&refusal),
                    false => self.fail_simple(&refusal),
                }
                return Ok(());
            }
        };
        match message {
            Frontend::Query(text) => self.query(&text).await,
            Frontend::Parse(parse) => self.parse(parse).await,
            Frontend::Bind(bind) => self.bind(bind).await,
            Frontend::Describe(target, name) => self.describe(target, &name).await,
            Frontend::Close(target, name) => {
                self.close(target, name);
                Ok(())
            }
            Frontend::Execute(portal, max_rows) => self.execute(&portal, max_rows).await,
            Frontend::Flush => {
                self.upstream.sender.flush();
                self.unflushed = false;
                Ok(())
            }
            Frontend::Sync => {
                self.sync();
                Ok(())
            }
            Frontend::Terminate => {
                self.leave();
                Ok(())
            }
            // Sent before the client learned that its COPY failed.
            Frontend::CopyData(_) | Frontend::CopyDone | Frontend::CopyFail(_) => Ok(()),
            Frontend::FunctionCall => {
                self.fail_simple(&refusal::postgresql("0A000", "the function call message is not served"));
                Ok(())
            }
        }
    }

    fn sync(&mut self) {
        self.upstream.sender.sync();
        let mut sent = Sent::new(What::Sync);
        sent.changes = self.settings.changes_at_sync() || self.responses.may_change();
        sent.transactional = self.responses.may_divide();
        self.responses.push(sent);
        self.statements.synced();
        self.portals.synced();
        self.skipping = false;
        self.unsynced = false;
        self.own_unsynced = false;
        self.unflushed = false;
    }

    /// COPY data, and what PostgreSQL passes over meanwhile.
    pub(super) fn take_copy(&mut self, kind: FrontendKind, frame: &Frame) -> Result<(), End> {
        match kind {
            FrontendKind::CopyData => self.upstream.sender.copy_frame(&frame.bytes),
            FrontendKind::CopyDone => {
                self.upstream.sender.copy_done();
                self.copying_in = false;
                self.unflushed = true;
            }
            FrontendKind::CopyFail => {
                self.upstream.sender.copy_frame(&frame.bytes);
                self.copying_in = false;
                self.unflushed = true;
            }
            FrontendKind::Flush | FrontendKind::Sync => {}
            FrontendKind::Terminate => self.leave(),
            FrontendKind::Query
            | FrontendKind::Parse
            | FrontendKind::Bind
            | FrontendKind::Describe
            | FrontendKind::Close
            | FrontendKind::Execute
            | FrontendKind::FunctionCall => {
                let message = format!("unexpected message type 0x{:02X} during COPY from stdin", frame.tag);
                return Err(End::Fatal(fatal("08P01", message)));
            }
        }
        Ok(())
    }

    /// The contact of the rules in force.
    pub(super) fn error_fields(&self, refusal: &Refusal, text: Option<&super::text::Text>) -> crate::wire::ErrorFields {
        refusal::fields(refusal, text, self.rules.policy.contact.as_deref())
    }
}
