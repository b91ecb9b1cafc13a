//! Keeps rules and catalog fresh: both are looked at before a message is examined, and changed whole.

use std::sync::Arc;

use crate::upstream::ask::AskError;
use crate::upstream::catalogs::{CatalogStore, Versioned};
use crate::upstream::loader::{self, Moment};

use super::in_force::InForce;
use super::refusal::fatal;
use super::settings::Block;
use super::{End, Session};

/// What exists, as one session sees it.
#[derive(Debug)]
pub(super) struct SessionCatalog {
    store: Arc<CatalogStore>,
    current: Arc<Versioned>,
    /// Holds what others cannot see: temporary objects, or what is not committed.
    private: bool,
    /// This session changed something that `current` does not show.
    dirty: bool,
    /// The server or the core missed something: worth a look.
    missed: bool,
    /// This session changed what exists in a transaction that has not ended.
    uncommitted: bool,
}

impl SessionCatalog {
    pub(super) fn new(store: Arc<CatalogStore>, current: Arc<Versioned>) -> Self {
        Self {
            store,
            current,
            private: false,
            dirty: false,
            missed: false,
            uncommitted: false,
        }
    }

    /// This session changed what exists.
    pub(super) fn changed(&mut self) {
        self.dirty = true;
        self.uncommitted = true;
        self.store.mark_stale();
    }

    /// What changed in a transaction may be gone with it.
    pub(super) fn transaction_ended(&mut self) {
        self.dirty |= self.private && self.current.catalog.temp_schema.is_none();
        if std::mem::take(&mut self.uncommitted) {
            // Committed or not: whoever looked meanwhile saw what was before.
            self.dirty = true;
            self.store.mark_stale();
        }
    }

    /// This session changed something that it has not looked at since.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// The server says that something does not exist.
    pub(super) fn missed(&mut self) {
        self.missed = true;
    }

    /// What did not exist was never meant to.
    pub(super) fn not_missed(&mut self) {
        self.missed = false;
    }

    pub(super) fn current(&self) -> &Arc<Versioned> {
        &self.current
    }
}

impl Session {
    /// Takes over new rules and a new catalog, before a message is examined.
    pub(super) async fn refresh(&mut self) -> Result<(), End> {
        self.refresh_rules()?;
        if !self.catalog.private
            && let Some(shared) = self.catalog.store.current()
        {
            self.catalog.current = shared;
        }
        let age = self.shared.options.catalog_age;
        let idle = self.settings.block() == Block::None;
        if self.catalog.dirty || (idle && self.catalog.store.is_due(age)) {
            // Boxed: so that the futures of every message stay small.
            Box::pin(self.reload()).await?;
        } else if self.catalog.missed {
            Box::pin(self.look_again()).await?;
        }
        Ok(())
    }

    /// Looks for what was missed; tells whether there is something new.
    pub(super) async fn look_again(&mut self) -> Result<bool, End> {
        let before = self.catalog.current.version;
        if !self.catalog.store.may_look() || !self.reload().await? {
            return Ok(false);
        }
        let found = self.catalog.current.version != before;
        self.catalog.store.looked(found);
        Ok(found)
    }

    /// Takes over new rules.
    pub(super) fn refresh_rules(&mut self) -> Result<(), End> {
        self.keep_up();
        if self.shared.rules.load().version == self.rules.version {
            return Ok(());
        }
        let new = InForce::of(&self.shared, &self.database)
            .filter(|new| new.policy.roles.contains_key(self.role.as_ref()))
            .ok_or_else(|| End::Fatal(fatal("28000", "the rules no longer let this role in")))?;
        self.rules = new;
        Ok(())
    }

    /// Loads the catalog over this session's connection, if that is free; tells whether it did.
    pub(super) async fn reload(&mut self) -> Result<bool, End> {
        if !self.is_at_rest() {
            return Ok(false);
        }
        let moment = match self.settings.block() {
            Block::None => Moment::Idle,
            Block::Explicit => Moment::InTransaction,
            Block::Implicit | Block::Failed => return Ok(false),
        };
        let store = Arc::clone(&self.catalog.store);
        if moment == Moment::Idle {
            store.begin();
        }
        // Between here and the answer nothing of the client's is under way.
        let aside = &mut self.client.sender.buffer;
        match loader::load(&mut self.upstream, moment, aside).await {
            Ok(loaded) => {
                self.catalog.private = moment == Moment::InTransaction || loaded.catalog.temp_schema.is_some();
                self.catalog.current = match self.catalog.private {
                    true => Versioned::new(loaded, Some(&self.catalog.current)),
                    false => store.publish(loaded),
                };
                self.catalog.dirty = false;
                self.catalog.missed = false;
                Ok(true)
            }
            Err(AskError::Connection(error)) => Err(error.into()),
            Err(AskError::Server(fields)) if fields.is_fatal() => Err(End::Fatal(super::errors::rebuild(
                &fields,
                super::errors::About::default(),
            ))),
            Err(
                error @ (AskError::Server(_)
                | AskError::Login(_)
                | AskError::Tls(_)
                | AskError::Unfit { .. }
                | AskError::Unexpected(_)),
            ) => {
                tracing::warn!(%error, "the old catalog stays");
                store.mark_stale();
                self.catalog.missed = false;
                Ok(false)
            }
        }
    }
}
