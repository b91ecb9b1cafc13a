//! New rules for a proxy that runs: on SIGHUP, and when the files change.
//!
//! New rules take the place of the old ones whole, or not at all; a statement that is under way keeps
//! those it was planned under. The journal is told that they changed, and what changed for whom.
//!
//! Files are looked at a few times a second, not watched: a watcher is told of everything that happens in their
//! folder, and where the audit lies in the same one, that is every record. It costs a `stat` of each file, and is the
//! same for what editors replace, for the links of a ConfigMap and on network file systems.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::time::sleep;

use crate::audit::{CellChange, Event, PolicyStamp};
use crate::policy::{Change, Policy};
use crate::rules::{self, PolicySet};
use crate::session::{Rules, Shared};

use super::rules_files::{self, Look, RulesError};

/// How often to look at the files. A change counts when the next look finds no other: whoever writes several files,
/// or one in pieces, is done then.
const LOOK: Duration = Duration::from_millis(250);

/// How often to read them all the same: a file may change and look as before.
const READ: Duration = Duration::from_secs(30);

/// Puts new rules in force.
pub(super) struct Reloader {
    path: PathBuf,
    shared: Arc<Shared>,
    /// The hash of what was read last, accepted or not.
    seen: Mutex<Option<String>>,
    /// The files that were read last.
    names: Mutex<Vec<String>>,
}

impl Reloader {
    pub(super) fn new(path: PathBuf, shared: Arc<Shared>) -> Self {
        let seen = Mutex::new(Some(shared.rules.load().set.sha256().to_owned()));
        let names = Mutex::default();
        Self {
            path,
            shared,
            seen,
            names,
        }
    }

    /// Reads the rules, whether or not they changed.
    pub(super) fn reload(&self) {
        let files = self.read();
        self.accept(files);
    }

    fn read(&self) -> Result<Vec<(String, String)>, RulesError> {
        let files = rules_files::read(&self.path)?;
        let names = files.iter().map(|(name, _)| name.clone()).collect();
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        Ok(files)
    }

    /// Reads the rules if the files are not those that were read last.
    fn reload_changed(&self) {
        let files = self.read();
        let hash = files.as_ref().ok().map(|files| rules::hash(files));
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != hash {
            self.accept(files);
        }
    }

    fn accept(&self, files: Result<Vec<(String, String)>, RulesError>) {
        let hash = files.as_ref().ok().map(|files| rules::hash(files));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = hash;
        let journal = &self.shared.journal;
        let loaded = files.and_then(|files| rules::load(&files).map_err(RulesError::Wrong));
        match loaded {
            Ok(set) => {
                let old = self.shared.rules.load_full();
                tracing::info!(sha256 = set.sha256(), "other rules are in force");
                let changed = changed(&old.set, &set);
                let version = old.version + 1;
                self.shared.rules.store(Arc::new(Rules { version, set }));
                self.shared.plans.forget();
                journal.note(Event::Reload {
                    accepted: true,
                    errors: 0,
                });
                for event in changed {
                    journal.note(event);
                }
            }
            Err(error) => {
                tracing::error!("the old rules stay in force: {error}");
                let errors = match &error {
                    RulesError::Wrong(findings) => findings.iter().count() as u64,
                    RulesError::Unreadable { .. } | RulesError::Empty(_) => 1,
                };
                journal.note(Event::Reload {
                    accepted: false,
                    errors,
                });
            }
        }
    }

    /// Reloads whenever the files change, until it is dropped.
    pub(super) async fn watch(&self) {
        let mut read: Option<(Look, Instant)> = None;
        let mut before = None;
        loop {
            let now = tokio::task::block_in_place(|| self.look());
            let settled = before.as_ref() == Some(&now);
            let known = read
                .as_ref()
                .is_some_and(|(look, at)| *look == now && at.elapsed() < READ);
            if settled && !known {
                tokio::task::block_in_place(|| self.reload_changed());
                read = Some((now.clone(), Instant::now()));
            }
            before = Some(now);
            sleep(LOOK).await;
        }
    }

    fn look(&self) -> Look {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        rules_files::look(&self.path, &names)
    }
}

/// The events that say what changed for whom, one for each database.
fn changed(old: &PolicySet, new: &PolicySet) -> Vec<Event> {
    let databases = old.changes(new, OffsetDateTime::now_utc()).into_iter();
    let events = databases.map(|(database, changes)| {
        let before = old.of(database.as_deref()).as_deref().map(stamp);
        let after = new.of(database.as_deref()).as_deref().map(stamp);
        let nobody = || PolicyStamp {
            revision: String::new(),
            sha256: new.sha256().to_owned(),
        };
        Event::PolicyChanged {
            database,
            before: before.map(Arc::new),
            after: Arc::new(after.unwrap_or_else(nobody)),
            changes: changes.into_iter().map(cell).collect(),
        }
    });
    events.collect()
}

fn stamp(policy: &Policy) -> PolicyStamp {
    PolicyStamp {
        revision: policy.revision.clone(),
        sha256: policy.sha256.clone(),
    }
}

fn cell(change: Change) -> CellChange {
    CellChange {
        what: change.what.kind(),
        name: change.what.name(),
        purpose: change.purpose,
        role: change.role,
        before: change.before,
        after: change.after,
        sees_more: change.sees_more,
    }
}
