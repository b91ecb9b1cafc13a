//! What a session waits for: whichever of the sockets, the journal, the process and the clock is first.
//!
//! One look at each in a fixed order, written out: the futures of sockets live only for that look, which costs less
//! than a `select!` that holds all of them. Those that must be registered while the session sleeps outlive it.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::sleep;

use crate::audit::{AuditUnavailable, Ticket};
use crate::upstream::UpstreamError;
use crate::wire::frame;
use crate::wire::frontend::FrontendKind;

use super::refusal::fatal;
use super::settings::Block;
use super::{End, HIGH_WATER, Session, Shared};

/// What came first.
enum News {
    /// Some was written to the client.
    ToClient(io::Result<()>),
    /// Some was written to the server.
    ToServer(Result<(), UpstreamError>),
    /// The server has sent something.
    FromServer(Result<(), UpstreamError>),
    /// The client has sent something, or hung up: `false`.
    FromClient(io::Result<bool>),
    /// The record that rows wait for is written.
    Written(Result<(), AuditUnavailable>),
    /// The process goes into another phase.
    Phase,
    /// Nothing has happened for too long.
    Silence,
}

impl Session {
    /// Waits until one of the sockets, the journal or the process has something new.
    pub(super) async fn wait(&mut self) -> Result<(), End> {
        self.release()?;
        let news = self.news().await;
        self.client.take_buffers();
        self.upstream.take_buffers();
        match news {
            News::ToClient(Ok(())) | News::ToServer(Ok(())) | News::FromServer(Ok(())) | News::FromClient(Ok(true)) => {
            }
            // Nobody is there to be told: as where PostgreSQL itself finds that out, what runs ends.
            News::ToClient(Err(_)) => return Err(End::Quiet),
            News::FromClient(Ok(false) | Err(_)) => self.leave(),
            News::FromServer(Err(UpstreamError::Closed | UpstreamError::Io(_))) if self.leaving => {
                return Err(End::Quiet);
            }
            News::ToServer(Err(error)) | News::FromServer(Err(error)) => return Err(error.into()),
            News::Written(written) => {
                written?;
                self.client.sender.is_written();
            }
            News::Phase => {}
            News::Silence => {
                let message = "terminating connection due to idle-session timeout";
                return Err(End::Fatal(fatal("57P05", message)));
            }
        }
        Ok(())
    }

    async fn news(&mut self) -> News {
        let can_send = self.client.sender.is_worth_sending();
        let must_write = !self.upstream.sender.is_idle();
        let may_listen = !self.leaving
            && self.upstream.sender.pending() < HIGH_WATER
            && self.client.receiver.buffer.len() < self.wanted();
        let has_room = self.client.sender.buffer.len() < HIGH_WATER;
        let held = self.client.sender.waits_for();
        let is_idle = self.is_at_rest() && self.settings.block() == Block::None;
        let longest = self.shared.options.idle_timeout.filter(|_| is_idle);
        let mut written = pin!(journal_has(&self.shared, held));
        let mut phase = pin!(self.phase.changed());
        let mut silence = pin!(silence(longest));
        poll_fn(|cx: &mut Context<'_>| {
            if can_send && let Poll::Ready(sent) = pin!(self.client.sender.write_some()).poll(cx) {
                return Poll::Ready(News::ToClient(sent));
            }
            if must_write && let Poll::Ready(sent) = pin!(self.upstream.sender.write_some()).poll(cx) {
                return Poll::Ready(News::ToServer(sent));
            }
            if has_room && let Poll::Ready(filled) = pin!(self.upstream.receiver.fill()).poll(cx) {
                return Poll::Ready(News::FromServer(filled));
            }
            if may_listen && let Poll::Ready(filled) = pin!(self.client.receiver.fill()).poll(cx) {
                return Poll::Ready(News::FromClient(filled));
            }
            if held.is_some()
                && let Poll::Ready(outcome) = written.as_mut().poll(cx)
            {
                return Poll::Ready(News::Written(outcome));
            }
            // An error says that no other phase will come.
            if phase.as_mut().poll(cx).is_ready() {
                return Poll::Ready(News::Phase);
            }
            if longest.is_some() && silence.as_mut().poll(cx).is_ready() {
                return Poll::Ready(News::Silence);
            }
            self.client.give_buffers_back();
            self.upstream.give_buffers_back();
            Poll::Pending
        })
        .await
    }

    /// Lets go what waited for records that are written by now.
    fn release(&mut self) -> Result<(), End> {
        while let Some(ticket) = self.client.sender.waits_for()
            && let Some(outcome) = self.shared.journal.outcome(ticket)
        {
            outcome?;
            self.client.sender.is_written();
        }
        Ok(())
    }

    /// How much of the client's data to have in hand before none more is read: a whole frame.
    fn wanted(&self) -> usize {
        match frame::peek(&self.client.receiver.buffer) {
            _ if !self.tail.is_over() => HIGH_WATER,
            Ok(Some(header)) if FrontendKind::of(header.tag).is_ok_and(|kind| self.is_streamed(kind, header)) => {
                HIGH_WATER
            }
            Ok(Some(header)) => header.total.max(HIGH_WATER),
            Ok(None) | Err(_) => HIGH_WATER,
        }
    }
}

/// Ends when nothing has happened for so long; never, if there is no such time.
async fn silence(longest: Option<Duration>) {
    match longest {
        Some(longest) => sleep(longest).await,
        None => std::future::pending().await,
    }
}

async fn journal_has(shared: &Shared, ticket: Option<Ticket>) -> Result<(), AuditUnavailable> {
    match ticket {
        Some(ticket) => shared.journal.written(ticket).await,
        None => Ok(()),
    }
}
