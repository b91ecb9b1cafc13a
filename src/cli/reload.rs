//! New rules for a proxy that runs: on SIGHUP, and when the files change.
//!
//! New rules take the place of the old ones whole, or not at all; a statement that is under way keeps
//! those it was planned under. The journal is told that they changed, and what changed for whom.
//!
//! What is watched are folders, since editors and Kubernetes replace files: a ConfigMap is a folder of links
//! through `..data`, which is a link itself that is swapped at once. What no watcher tells, as on network
//! file systems, is found by a look every half minute.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{RecursiveMode, Watcher as _};
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::audit::{CellChange, Event, PolicyStamp};
use crate::policy::{Change, Policy};
use crate::rules::{self, PolicySet};
use crate::session::{Rules, Shared};

use super::rules_files::{self, RulesError};

/// So long must nothing happen after a change: whoever writes several files, or one in pieces, is done then.
const QUIET: Duration = Duration::from_millis(250);

/// How often to look without being told.
const LOOK: Duration = Duration::from_secs(30);

/// Puts new rules in force.
pub(super) struct Reloader {
    path: PathBuf,
    shared: Arc<Shared>,
    /// The hash of what was read last, accepted or not.
    seen: Mutex<Option<String>>,
}

impl Reloader {
    pub(super) fn new(path: PathBuf, shared: Arc<Shared>) -> Self {
        let seen = Mutex::new(Some(shared.rules.load().set.sha256().to_owned()));
        Self { path, shared, seen }
    }

    /// Reads the rules, whether or not they changed.
    pub(super) fn reload(&self) {
        let files = rules_files::read(&self.path);
        self.accept(files);
    }

    /// Reads the rules if the files are not those that were read last.
    fn reload_changed(&self) {
        let files = rules_files::read(&self.path);
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
        loop {
            let changed = Arc::new(Notify::new());
            // Made anew each time: a link may point to another folder now.
            let watcher = watcher(&self.path, &changed);
            if let Err(error) = &watcher {
                tracing::warn!("the rules' folder cannot be watched, only looked at: {error}");
            }
            // What changed while nobody watched is seen here.
            tokio::task::block_in_place(|| self.reload_changed());
            if timeout(LOOK, changed.notified()).await.is_ok() {
                while timeout(QUIET, changed.notified()).await.is_ok() {}
            }
            // A watcher that fails at once must not make this spin.
            sleep(Duration::from_millis(1)).await;
            drop(watcher);
        }
    }
}

/// Tells of each change of a file or folder of rules, and of the name under which it is found.
fn watcher(path: &Path, changed: &Arc<Notify>) -> notify::Result<notify::RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading is no change; an error, such as an overflow, may hide one.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            changed.notify_one();
        }
    })?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    watcher.watch(above.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
    if path.is_dir() {
        watcher.watch(path, RecursiveMode::Recursive)?;
    }
    Ok(watcher)
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
