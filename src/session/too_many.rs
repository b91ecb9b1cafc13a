//! `max_rows`: how a statement ends that has more rows than its purpose may see.
//!
//! The server knows nothing of it: to it the statement ends well. So the row too many and all behind it are
//! dropped, the client gets an error in their place, and then the server's transaction is made to fail.
//! What the client sent behind the statement was not sent on (`Sent::counts`), as PostgreSQL would pass it
//! over.

use std::collections::VecDeque;

use bytes::Buf;

use crate::audit::Recorded;
use crate::pipeline::Outcome;
use crate::policy::Code;
use crate::wire::{BackendKind, frame};

use super::refusal::{self, unread};
use super::responses::{Over, Sent, What};
use super::server::unexpected;
use super::{End, Session};

/// insufficient_privilege
pub(super) const TOO_MANY_SQLSTATE: &str = "42501";

impl Session {
    /// What the server answers is of a statement that has too many rows.
    pub(super) fn is_over(&mut self) -> bool {
        self.responses.front().is_some_and(|sent| sent.over.is_some())
    }

    /// Rows that nobody sees, and the part of one that has arrived.
    pub(super) fn drop_rows(&mut self) -> Result<(), End> {
        let buffer = &mut self.upstream.receiver.buffer;
        loop {
            let here = self.passing.min(buffer.len());
            buffer.advance(here);
            self.passing -= here;
            if self.passing > 0 {
                return Ok(());
            }
            match frame::peek(buffer)? {
                Some(header) if matches!(header.tag, b'D' | b'd') => self.passing = header.total,
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// The statement ended at the server, or one behind it in the same message did.
    pub(super) fn completed_over(&mut self, kind: BackendKind) -> Result<(), End> {
        let told = self.responses.front().is_some_and(|sent| sent.over == Some(Over::Told));
        match self.responses.front().map(|sent| &mut sent.what) {
            Some(What::Execute(running, portal)) => {
                if portal.first_effect() {
                    self.settings.completed(&running.command, &|_| None);
                }
                let fields = self.too_many();
                if let Some(Sent {
                    what: What::Execute(running, _),
                    ..
                }) = self.responses.pop()
                {
                    self.trail.failed(&running, TOO_MANY_SQLSTATE);
                }
                self.fail_after(fields);
                Ok(())
            }
            Some(What::Query(statements)) => {
                let Some(running) = statements.pop_front() else {
                    return Err(unexpected(kind));
                };
                self.settings.completed(&running.command, &|_| None);
                // Those behind it are reads, and the client never hears of them.
                let sqlstate = if told { "25P02" } else { TOO_MANY_SQLSTATE };
                self.trail.failed(&running, sqlstate);
                if !told {
                    let fields = self.too_many_of(running.most_rows());
                    self.client.sender.error(&fields, self.encoding());
                    if let Some(sent) = self.responses.front() {
                        sent.over = Some(Over::Told);
                    }
                }
                Ok(())
            }
            Some(
                What::Parse { .. }
                | What::Bind(_)
                | What::Close { .. }
                | What::DescribeStatement { .. }
                | What::DescribePortal(_)
                | What::Sync
                | What::Subject(_),
            )
            | None => Err(unexpected(kind)),
        }
    }

    /// The error, unless the client has it.
    pub(super) fn tell_too_many(&mut self) {
        if self
            .responses
            .front()
            .is_some_and(|sent| sent.over == Some(Over::Untold))
        {
            let fields = self.too_many();
            self.client.sender.error(&fields, self.encoding());
        }
    }

    /// After a simple query in a transaction block: what is sent fails, and its ReadyForQuery is the client's.
    pub(super) fn fail_transaction(&mut self) {
        self.upstream.sender.query(&Recorded::refusal());
        let mut sent = Sent::new(What::Query(VecDeque::new()));
        sent.silent = true;
        // What fails with it, as a SET LOCAL, is not in force any more.
        sent.changes = true;
        self.responses.push(sent);
    }

    fn too_many(&mut self) -> crate::wire::ErrorFields {
        let most = self.row_owner().and_then(|running| running.most_rows());
        self.too_many_of(most)
    }

    fn too_many_of(&self, most: Option<u64>) -> crate::wire::ErrorFields {
        let most = most.unwrap_or_default();
        let message = format!("the result has more than {most} rows, which is what its purpose may see at once");
        let hint = Some("ask for fewer: narrow the condition, or add a LIMIT");
        let code = Code::TooManyRows;
        let refusal = refusal::own(code, message, hint, unread(Outcome::Refuse, Some(code)));
        self.error_fields(&refusal, None)
    }
}

/// The last frame of a binary COPY, which is no row.
pub(super) fn is_copy_trailer(frame: &[u8]) -> bool {
    frame.get(..frame::HEADER + 2) == Some(b"d\0\0\0\x06\xff\xff")
}
