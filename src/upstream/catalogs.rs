//! Catalogs that sessions share: one for each database, loaded by whichever session finds it
//! missing or old, swapped in whole.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::loader::Loaded;
use crate::catalog::Catalog;

/// A catalog with its version: two with the same version are the same.
#[derive(Debug)]
pub struct Versioned {
    /// What exists.
    pub catalog: Catalog,
    /// Unlike that of any other catalog of this process.
    pub version: u64,
    digest: u64,
}

static VERSIONS: AtomicU64 = AtomicU64::new(1);

impl Versioned {
    /// Gives a loaded catalog a version: that of `before`, if nothing changed.
    pub fn new(loaded: Loaded, before: Option<&Arc<Self>>) -> Arc<Self> {
        match before {
            Some(before) if before.digest == loaded.digest => Arc::clone(before),
            Some(_) | None => Arc::new(Self {
                catalog: loaded.catalog,
                version: VERSIONS.fetch_add(1, Ordering::Relaxed),
                digest: loaded.digest,
            }),
        }
    }
}

/// A client that keeps naming what does not exist must not have the catalog loaded each time.
#[derive(Debug, Default)]
struct Patience {
    until: Option<Instant>,
    in_vain: u32,
}

/// So many looks in vain, one after the other, are answered at once.
const FREE_LOOKS: u32 = 8;

const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The shared catalog of one database.
#[derive(Debug)]
pub struct CatalogStore {
    current: ArcSwapOption<Versioned>,
    loaded: Mutex<Option<Instant>>,
    stale: AtomicBool,
    /// When a look for what was missed is worth while again, after looks that found nothing new.
    patience: Mutex<Patience>,
    /// Held by the session that loads: others wait for it where there is none yet.
    pub loading: tokio::sync::Mutex<()>,
}

impl CatalogStore {
    fn new() -> Self {
        Self {
            current: ArcSwapOption::empty(),
            loaded: Mutex::new(None),
            stale: AtomicBool::new(false),
            patience: Mutex::default(),
            loading: tokio::sync::Mutex::new(()),
        }
    }

    /// The catalog, if one was loaded.
    pub fn current(&self) -> Option<Arc<Versioned>> {
        self.current.load_full()
    }

    /// Something changed that the catalog does not show.
    pub fn mark_stale(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// It should be loaded anew.
    pub fn is_due(&self, age: Duration) -> bool {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.stale.load(Ordering::Acquire) || loaded.is_none_or(|at| at.elapsed() >= age)
    }

    /// Whether a look for something that was missed is worth while.
    pub fn may_look(&self) -> bool {
        let patience = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        self.stale.load(Ordering::Acquire) || patience.until.is_none_or(|until| Instant::now() >= until)
    }

    /// What a look for something that was missed brought.
    pub fn looked(&self, found_something_new: bool) {
        let mut patience = self.patience.lock().unwrap_or_else(PoisonError::into_inner);
        if found_something_new {
            *patience = Patience::default();
        } else {
            patience.in_vain = patience.in_vain.saturating_add(1);
            let Some(beyond) = patience.in_vain.checked_sub(FREE_LOOKS) else {
                return;
            };
            let wait = FIRST_WAIT * 2u32.saturating_pow(beyond.min(10));
            patience.until = Some(Instant::now() + wait.min(LONGEST_WAIT));
        }
    }

    /// A session is about to load: what is marked from now on is newer than what it will read.
    pub fn begin(&self) {
        self.stale.store(false, Ordering::Release);
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Puts a catalog in for all.
    pub fn publish(&self, loaded: Loaded) -> Arc<Versioned> {
        let before = self.current();
        let new = Versioned::new(loaded, before.as_ref());
        self.current.store(Some(Arc::clone(&new)));
        new
    }
}

/// The stores of all databases.
#[derive(Debug, Default)]
pub struct Catalogs {
    stores: Mutex<HashMap<String, Arc<CatalogStore>>>,
}

impl Catalogs {
    /// The catalogs that were loaded, each with its database's name, in order of name.
    pub fn loaded(&self) -> Vec<(String, Arc<Versioned>)> {
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = stores
            .iter()
            .filter_map(|(name, store)| Some((name.clone(), store.current()?)));
        let mut loaded: Vec<_> = loaded.collect();
        loaded.sort_by(|a, b| a.0.cmp(&b.0));
        loaded
    }

    /// The store of a database, begun if need be.
    pub fn of(&self, database: &str) -> Arc<CatalogStore> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        match stores.get(database) {
            Some(store) => Arc::clone(store),
            None => {
                let store = Arc::new(CatalogStore::new());
                stores.insert(database.to_owned(), Arc::clone(&store));
                store
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_keeps_naming_nothing_is_made_to_wait_until_something_new_is_found() {
        let store = CatalogStore::new();
        for look in 1..=FREE_LOOKS {
            assert!(store.may_look(), "{look}");
            store.looked(false);
        }
        assert!(!store.may_look());
        store.mark_stale();
        assert!(
            store.may_look(),
            "what was changed through the proxy is looked at at once"
        );
        store.begin();
        store.looked(true);
        assert!(store.may_look());
    }
}
