//! The client's encoding. PostgreSQL converts: parameters and results pass undecoded. Texts of statements and names are
//! converted here, which they can be where one byte is one character; in any other encoding than UTF-8 they must be ASCII.

use std::sync::Arc;

use crate::pipeline::{Plan, Refusal};
use crate::wire::Encoding;

use super::planning::Inner;
use super::refusal;
use super::settings::OutOfStep;
use super::{End, Session};

impl Session {
    /// What is sent from now on is in the encoding in which the client's last message was.
    pub(super) fn follow_encoding(&mut self) -> Encoding {
        let encoding = self.encoding();
        self.upstream.sender.encoding = encoding;
        self.client.sender.encoding = encoding;
        encoding
    }

    /// Whether what is sent for a text can be sent in the client's encoding.
    pub(super) fn may_go_out(
        &self,
        verdict: &Result<(Arc<Plan>, Vec<Inner>), Arc<Refusal>>,
    ) -> Result<(), Arc<Refusal>> {
        let sent = verdict.as_ref().ok().map(|(plan, _)| plan.verified.text());
        match sent.is_none_or(|text| self.encoding().encode(text).is_some()) {
            true => Ok(()),
            false => Err(Arc::new(*refusal::postgresql(
                "0A000",
                "this statement is served with client_encoding UTF8 only: its rewritten text has characters that are not in the client's",
            ))),
        }
    }

    /// At ReadyForQuery: what the server said of the encoding is what we follow.
    pub(super) fn check_encoding(&mut self) -> Result<(), End> {
        match self.reported_encoding.take() {
            Some(reported) if Encoding::of(&reported, &self.server_encoding) != self.encoding() => {
                Err(OutOfStep.into())
            }
            Some(_) | None => Ok(()),
        }
    }
}
