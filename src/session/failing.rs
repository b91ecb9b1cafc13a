//! What fails: the server's errors and notices, told as far as a client may know them, and what the server passes over
//! after an error.

use crate::pipeline::LEFT_OUT_SOURCE;
use crate::wire::frontend::Target;
use crate::wire::{ErrorFields, Frame};

use super::errors::{self, About};
use super::responses::{Sent, What};
use super::too_many::TOO_MANY_SQLSTATE;
use super::{End, Session};

impl Session {
    /// The server says that something failed.
    pub(super) fn failed(&mut self, frame: &Frame) -> Result<(), End> {
        let fields = ErrorFields::read_in(frame.body(), self.encoding())?;
        self.copying_in = false;
        if fields.is_fatal() {
            let fields = errors::rebuild(&fields, About::default());
            return Err(End::Fatal(fields));
        }
        if matches!(fields.sqlstate(), "42P01" | "42703" | "42883" | "3F000") {
            self.catalog.missed();
        }
        self.settings.failed();
        if self.is_over() {
            self.tell_too_many();
            self.skip_to_sync(TOO_MANY_SQLSTATE);
            return Ok(());
        }
        if self.responses.front().is_some_and(|sent| sent.silent) {
            self.skip_to_sync(TOO_MANY_SQLSTATE);
            return Ok(());
        }
        let bare = self.rules.policy.protects_nothing();
        let told = match self.responses.front() {
            None => errors::rebuild(
                &fields,
                About {
                    bare,
                    ..About::default()
                },
            ),
            Some(sent) => match sent.instead.take() {
                // The failure that was meant. Any other, as of an aborted transaction, speaks for itself,
                // unless PostgreSQL would not have come so far.
                Some(instead) if fields.sqlstate() == "42P01" || comes_first(&instead) => {
                    self.catalog.not_missed();
                    *instead
                }
                Some(_) | None => {
                    errors::check_failed(&fields, self.rules.policy.contact.as_deref()).unwrap_or_else(|| {
                        let about = About { bare, ..sent.about() };
                        errors::rebuild(&fields, about)
                    })
                }
            },
        };
        self.client.sender.error(&told, self.encoding());
        self.skip_to_sync(fields.sqlstate());
        Ok(())
    }

    /// After an error the server passes over all that was sent, up to the Sync; within a simple query,
    /// to its end.
    fn skip_to_sync(&mut self, sqlstate: &str) {
        let mut failing = true;
        let mut query_skipped = false;
        loop {
            match self.responses.front() {
                // A simple query was passed over since what was sent for it failed: its ReadyForQuery is still
                // to come, and there is no Sync but ours that could bring it.
                None if query_skipped => {
                    self.upstream.sender.sync();
                    self.responses.push(Sent::new(What::Sync));
                    return;
                }
                None => {
                    self.skipping = true;
                    return;
                }
                Some(Sent { what: What::Sync, .. }) => return,
                Some(
                    sent @ Sent {
                        what: What::Query(_), ..
                    },
                ) if failing => {
                    sent.failed = true;
                    let What::Query(statements) = &mut sent.what else {
                        return;
                    };
                    let statements = std::mem::take(statements);
                    for (index, running) in statements.iter().enumerate() {
                        self.trail.failed(running, if index == 0 { sqlstate } else { "25P02" });
                    }
                    return;
                }
                Some(_) => {}
            }
            if let Some(sent) = self.responses.pop() {
                query_skipped |= matches!(sent.what, What::Query(_));
                self.skipped(&sent, if failing { sqlstate } else { "25P02" }, failing);
            }
            failing = false;
        }
    }

    /// The session ends: what was under way is over, and the journal is told how much of it was shown.
    pub(super) fn abandon(&mut self, sqlstate: &str) {
        while let Some(sent) = self.responses.pop() {
            self.skipped(&sent, sqlstate, false);
        }
    }

    /// A message that failed, or was passed over.
    fn skipped(&mut self, sent: &Sent, sqlstate: &str, failing: bool) {
        match &sent.what {
            What::Parse { name, statement, named } => {
                if *named {
                    self.statements.forget();
                }
                if failing && name.is_empty() {
                    // PostgreSQL drops the unnamed statement before it reads the new one.
                    self.statements.remove("");
                }
                if let (Some(statement), false) = (statement, named) {
                    statement.drop_variant(name);
                }
            }
            What::Bind(_) => self.portals.forget(),
            What::Close {
                target: Target::Statement,
                named: true,
            } => self.statements.forget(),
            What::Close {
                target: Target::Portal,
                named: true,
            } => self.portals.forget(),
            What::Execute(running, _) => self.trail.failed(running, sqlstate),
            What::Query(statements) => statements.iter().for_each(|r| self.trail.failed(r, sqlstate)),
            What::Close { named: false, .. }
            | What::DescribeStatement { .. }
            | What::DescribePortal(_)
            | What::Sync
            | What::Subject(_) => {}
        }
    }

    /// A notice, or one of ours that counts groups.
    pub(super) fn noticed(&mut self, frame: &Frame) -> Result<(), End> {
        let fields = ErrorFields::read_in(frame.body(), self.encoding())?;
        let of_group = fields.severity() == "NOTICE" && fields.get(b'F') == Some(LEFT_OUT_SOURCE);
        if let Some(running) = self.row_owner().filter(|r| of_group && r.tells_of_groups()) {
            running.left_out += 1;
            return Ok(());
        }
        let about = self.responses.front().map(|sent| sent.about()).unwrap_or_default();
        let bare = self.rules.policy.protects_nothing();
        let about = About { bare, ..about };
        if let Some(told) = errors::rebuild_notice(&fields, about) {
            self.client.sender.notice(&told, self.encoding());
        }
        Ok(())
    }
}

impl Sent {
    /// The statement that an error or notice is about.
    fn about(&self) -> About<'_> {
        let (text, planned) = match &self.what {
            What::Parse {
                statement: Some(prepared),
                ..
            } => (Some(&prepared.text), Some(&prepared.base)),
            What::Bind(portal) | What::DescribePortal(portal) => (Some(&portal.text), Some(&portal.planned)),
            What::DescribeStatement { planned, text, .. } => (Some(text), Some(planned)),
            What::Execute(running, _) => (running.text.as_ref(), running.planned.as_ref()),
            What::Query(statements) => match statements.front() {
                Some(running) => (running.text.as_ref(), running.planned.as_ref()),
                None => (None, None),
            },
            What::Parse { statement: None, .. } | What::Close { .. } | What::Sync | What::Subject(_) => (None, None),
        };
        let name = match &self.what {
            What::Parse { name, .. } => Some(name.as_str()),
            What::Bind(_)
            | What::Close { .. }
            | What::DescribeStatement { .. }
            | What::DescribePortal(_)
            | What::Execute(..)
            | What::Query(_)
            | What::Sync
            | What::Subject(_) => None,
        };
        About {
            bare: false,
            text,
            planned,
            names: [name, None],
        }
    }
}

/// PostgreSQL finds these before it looks whether the transaction has failed.
fn comes_first(fields: &ErrorFields) -> bool {
    matches!(fields.sqlstate(), "42601" | "08P01" | "22021")
}
