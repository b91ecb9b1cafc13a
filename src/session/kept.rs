//! What follows from a session's settings and is asked for at every message: made once for each state of them.

use std::sync::Arc;

use super::Session;
use super::prepared::Planned;
use super::request::{Declared, Request, StandingKey};
use super::settings::{Followed, Settings};
use crate::wire::Encoding;

/// Made of the settings in force.
#[derive(Debug)]
pub(super) struct Kept {
    /// Of which state of them.
    version: u64,
    /// What is declared where a statement has no tags.
    declared: Arc<Declared>,
    /// Entries of search_path.
    search_path: Arc<[String]>,
    /// In which encoding texts come and go.
    encoding: Encoding,
}

/// All that a prepared statement's form depends on, besides its text and how the request stands: versions of the
/// rules, of the catalog and of the settings.
pub type Stamp = (u64, u64, u64);

/// The form in which a prepared statement was bound last.
#[derive(Debug)]
pub struct LastForm {
    stamp: Stamp,
    standing: StandingKey,
    /// What runs.
    pub planned: Planned,
    /// Under which name PostgreSQL knows it.
    pub upstream_name: String,
}

impl LastForm {
    /// It would come out the same.
    pub fn holds(&self, stamp: Stamp, request: &Request<'_>) -> bool {
        self.stamp == stamp && request.stands_as(&self.standing)
    }

    /// Of an answer to `request`.
    pub fn new(stamp: Stamp, request: &Request<'_>, planned: Planned, upstream_name: String) -> Self {
        Self {
            stamp,
            standing: request.key(),
            planned,
            upstream_name,
        }
    }
}

fn encoding_of(settings: &Settings, server_encoding: &str) -> Encoding {
    Encoding::of(settings.get(Followed::ClientEncoding).as_text(), server_encoding)
}

impl Kept {
    pub(super) fn of(settings: &Settings, server_encoding: &str) -> Self {
        Self {
            version: settings.version(),
            declared: Arc::new(Declared::new(settings, &[])),
            search_path: settings.get(Followed::SearchPath).value.as_slice().into(),
            encoding: encoding_of(settings, server_encoding),
        }
    }
}

impl Session {
    /// Takes note of settings that have changed.
    pub(super) fn keep_up(&mut self) {
        if self.kept.version != self.settings.version() {
            self.kept = Kept::of(&self.settings, &self.server_encoding);
        }
    }

    fn is_kept(&self) -> bool {
        self.kept.version == self.settings.version()
    }

    /// What is declared by the session's own settings, or by a copy of them that went on.
    pub(super) fn declared(&self, settings: &Settings, tags: &[&crate::sql::Tag]) -> Arc<Declared> {
        if tags.is_empty() && std::ptr::eq(settings, &raw const self.settings) && self.is_kept() {
            return Arc::clone(&self.kept.declared);
        }
        Arc::new(Declared::new(settings, tags))
    }

    /// The entries of search_path in force.
    pub(super) fn path_entries(&self) -> Arc<[String]> {
        if self.is_kept() {
            return Arc::clone(&self.kept.search_path);
        }
        self.settings.get(Followed::SearchPath).value.as_slice().into()
    }

    /// In which encoding the client's texts come and go.
    pub(super) fn encoding(&self) -> Encoding {
        if self.is_kept() {
            return self.kept.encoding;
        }
        encoding_of(&self.settings, &self.server_encoding)
    }

    /// See [`Stamp`].
    pub(super) fn stamp(&self) -> Stamp {
        (
            self.rules.version,
            self.catalog.current().version,
            self.settings.version(),
        )
    }
}
