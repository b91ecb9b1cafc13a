//! The client's encoding. PostgreSQL converts: parameters and results pass undecoded. Statements are read here as UTF-8,
//! so in any other encoding they must be ASCII, which PostgreSQL reads alike in all that it knows.

use std::sync::Arc;

use crate::pipeline::{Plan, Refusal};
use crate::wire::ErrorFields;

use super::planning::Inner;
use super::refusal;
use super::settings::OutOfStep;
use super::text::Text;
use super::{End, Session};

impl Session {
    /// Whether a text, and what is sent for it, is read by the server as it was read here.
    pub(super) fn may_go_out(
        &self,
        text: &Text,
        verdict: &Result<(Arc<Plan>, Vec<Inner>), Arc<Refusal>>,
    ) -> Result<(), Arc<Refusal>> {
        if self.speaks_utf8() {
            return Ok(());
        }
        let sent = verdict.as_ref().ok().map(|(plan, _)| plan.verified.text());
        match text.is_ascii() && sent.is_none_or(str::is_ascii) {
            true => Ok(()),
            false => Err(Arc::new(*refusal::postgresql(
                "0A000",
                "statements with characters beyond ASCII are served with client_encoding UTF8 only",
            ))),
        }
    }

    /// What we say is UTF-8.
    pub(super) fn in_encoding(&self, fields: ErrorFields) -> ErrorFields {
        match self.speaks_utf8() {
            true => fields,
            false => fields.in_ascii(),
        }
    }

    /// At ReadyForQuery: what the server said of the encoding is what we follow.
    pub(super) fn check_encoding(&mut self) -> Result<(), End> {
        match self.reported_encoding.take() {
            Some(reported) if means_utf8(&reported, &self.server_encoding) != self.speaks_utf8() => {
                Err(OutOfStep.into())
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// SQL_ASCII means no conversion: the database's own encoding.
pub(super) fn means_utf8(encoding: &str, server_encoding: &str) -> bool {
    let is_utf8 = |name: &str| matches!(name, "utf8" | "unicode");
    match cleaned(encoding).as_str() {
        "sqlascii" => is_utf8(&cleaned(server_encoding)),
        name => is_utf8(name),
    }
}

/// `clean_encoding_name`: lower case, without what is neither letter nor digit.
fn cleaned(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}
