//! What all sessions share: the rules in force, the catalogs, the plans, the journal.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::audit::{Journal, SubjectKey};
use crate::pipeline::{Plan, Refusal, Template};
use crate::rules::PolicySet;
use crate::tls::ServerTls;
use crate::upstream::Server;
use crate::upstream::catalogs::Catalogs;
use crate::upstream::verifiers::Verifiers;

use super::clock::Steady;
use super::limits::Limits;
use super::quota::Queries;
use super::request::StandingKey;

/// Rules in force.
#[derive(Debug)]
pub struct Rules {
    /// Counts up with each reload.
    pub version: u64,
    /// The policies.
    pub set: PolicySet,
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Sessions are served.
    Serving,
    /// Those that there are go on until their clients leave; another process takes new ones.
    Leaving,
    /// Sessions end when their transaction does.
    Draining,
    /// Sessions end now.
    Ending,
}

/// What the program was told.
#[derive(Clone)]
pub struct Options {
    /// The server.
    pub server: Arc<Server>,
    /// TLS towards clients; none: there is none.
    pub tls: Arc<ArcSwapOption<ServerTls>>,
    /// Clients must speak TLS.
    pub require_tls: bool,
    /// Against what clients are authenticated here; none: the server's questions and their answers are passed on.
    pub verifiers: Option<Arc<Verifiers>>,
    /// A server that asks for no password is accepted.
    pub allow_trust: bool,
    /// Passwords are taken by MD5.
    pub allow_md5: bool,
    /// Passwords are taken in clear text.
    pub allow_password: bool,
    /// How many connections there may be.
    pub limits: Arc<Limits>,
    /// What was run so far of what `max_queries_per_day` bounds.
    pub queries: Arc<Queries>,
    /// What time it is, for all that ends by itself.
    pub clock: Clock,
    /// A login that takes longer is given up.
    pub login_timeout: Duration,
    /// A session outside a transaction that is silent for longer is ended; none: never.
    pub idle_timeout: Option<Duration>,
    /// After so long without a word a client is asked whether it is there; none: never.
    pub keep_alive: Option<Duration>,
    /// A catalog older than this is loaded anew when a session is idle.
    pub catalog_age: Duration,
}

impl Options {
    /// The defaults, for that server.
    pub fn new(server: Server) -> Self {
        let steady = Steady::new(OffsetDateTime::now_utc);
        Self {
            server: Arc::new(server),
            tls: Arc::default(),
            require_tls: false,
            verifiers: None,
            allow_trust: false,
            allow_md5: false,
            allow_password: false,
            limits: Arc::default(),
            queries: Arc::default(),
            clock: Arc::new(move || steady.now()),
            login_timeout: Duration::from_secs(60),
            idle_timeout: None,
            keep_alive: Some(Duration::from_secs(60)),
            catalog_age: Duration::from_secs(30),
        }
    }
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Start-up settings that a role's sessions need upstream and that no client may see or change.
pub type SecretSettings = dyn Fn(&crate::policy::Policy, &str) -> Vec<(String, String)> + Send + Sync;

/// What all sessions share.
pub struct Shared {
    /// What the program was told.
    pub options: Options,
    /// The rules in force.
    pub rules: ArcSwap<Rules>,
    /// The journal.
    pub journal: Journal,
    /// The key under which data subjects are hashed for the journal.
    pub subject_key: SubjectKey,
    /// The key out of which roles that there are not get their salts.
    pub nobody_key: Vec<u8>,
    /// What exists, by database.
    pub catalogs: Catalogs,
    /// Plans that were made.
    pub plans: Plans,
    /// Settings that hold the keys of masks.
    pub secrets: Box<SecretSettings>,
    /// Where the process is in its life.
    pub phase: watch::Receiver<Phase>,
}

/// How often a text was read by the core, that is, not answered out of the cache of plans.
pub static EXAMINED: AtomicU64 = AtomicU64::new(0);

/// All that a plan depends on, besides the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ground {
    /// The database.
    pub database: Arc<str>,
    /// The role.
    pub role: Arc<str>,
    /// Of the rules.
    pub rules: u64,
    /// Of the catalog.
    pub catalog: u64,
    /// Entries of search_path.
    pub search_path: Arc<[String]>,
    /// The purpose.
    pub standing: StandingKey,
    /// Types of parameters, as its Parse message gave them.
    pub parameters: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    text: Box<str>,
    ground: Ground,
}

#[derive(Hash)]
struct Asked<'a> {
    text: &'a str,
    ground: &'a Ground,
}

impl Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.text == *key.text && *self.ground == key.ground
    }
}

/// The core's answer to a message.
pub type Verdict = Result<Arc<Plan>, Arc<Refusal>>;

#[derive(Clone)]
struct ByText;

impl Weighter<Key, Verdict> for ByText {
    fn weight(&self, key: &Key, _: &Verdict) -> u64 {
        weight(&key.text)
    }
}

/// Roughly what a text weighs with its plan, which grows with it: 8 KiB were measured for a join of two tables.
fn weight(text: &str) -> u64 {
    4096 + 16 * text.len() as u64
}

/// What is known of the texts of one shape.
#[derive(Clone)]
pub enum Known {
    /// One was examined.
    Once,
    /// All have this plan, with their constants.
    Template(Arc<Template>),
    /// Their plans depend on their constants.
    Never,
}

impl Weighter<Key, Known> for ByText {
    fn weight(&self, key: &Key, known: &Known) -> u64 {
        match known {
            Known::Template(_) => weight(&key.text),
            Known::Once | Known::Never => 512 + key.text.len() as u64,
        }
    }
}

/// Answers of the core, kept by text and everything else they depend on, and plans of shapes.
pub struct Plans {
    cache: Cache<Key, Verdict, ByText>,
    hits: AtomicU64,
    misses: AtomicU64,
    shapes: Cache<Key, Known, ByText>,
}

/// So many bytes of texts and plans, counted roughly, are kept.
const CACHE_BYTES: u64 = 64 << 20;
/// A longer text is not kept.
const LONGEST: usize = 64 << 10;

impl Default for Plans {
    fn default() -> Self {
        Self {
            cache: Cache::with_weighter(8192, CACHE_BYTES, ByText),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            shapes: Cache::with_weighter(8192, CACHE_BYTES, ByText),
        }
    }
}

impl Plans {
    /// The answer to `text`, if it is known.
    pub fn get(&self, text: &str, ground: &Ground) -> Option<Verdict> {
        let found = self.cache.get(&Asked { text, ground });
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// A session knew the answer without asking.
    pub fn known_by_session(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Look-ups so far: those that found an answer, and those that did not.
    pub fn lookups(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// Forgets all: under new rules nobody asks for what was kept, and it would only take room.
    pub fn forget(&self) {
        self.cache.clear();
        self.shapes.clear();
    }

    /// How many answers are kept.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// None is kept.
    pub fn is_empty(&self) -> bool {
        self.cache.len() == 0
    }

    /// Keeps an answer.
    pub fn insert(&self, text: &str, ground: Ground, verdict: Verdict) {
        if text.len() <= LONGEST {
            let text = text.into();
            self.cache.insert(Key { text, ground }, verdict);
        }
    }

    /// What is known of a shape.
    pub fn of_shape(&self, shape: &str, ground: &Ground) -> Option<Known> {
        self.shapes.get(&Asked { text: shape, ground })
    }

    /// Keeps what is known of a shape.
    pub fn learn(&self, shape: &str, ground: Ground, known: Known) {
        if shape.len() <= LONGEST {
            let text = shape.into();
            self.shapes.insert(Key { text, ground }, known);
        }
    }
}

/// Counts a text that the core reads.
pub fn count_examined() {
    EXAMINED.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Outcome;
    use crate::session::refusal;

    #[test]
    fn an_answer_is_found_only_on_the_ground_it_was_given_on() {
        let plans = Plans::default();
        let ground = Ground {
            database: "d".into(),
            role: "r".into(),
            rules: 1,
            catalog: 1,
            search_path: Arc::new(["public".into()]),
            standing: StandingKey::Undeclared,
            parameters: vec![],
        };
        let refused = refusal::own(
            crate::policy::Code::PurposeMissing,
            "no",
            None,
            refusal::unread(Outcome::Refuse, None),
        );
        plans.insert("SELECT 1", ground.clone(), Err(Arc::new(*refused)));
        assert!(plans.get("SELECT 1", &ground).is_some());
        assert!(plans.get("SELECT 2", &ground).is_none());
        let others = [
            Ground {
                database: "x".into(),
                ..ground.clone()
            },
            Ground {
                role: "x".into(),
                ..ground.clone()
            },
            Ground {
                rules: 2,
                ..ground.clone()
            },
            Ground {
                catalog: 2,
                ..ground.clone()
            },
            Ground {
                search_path: Arc::new([]),
                ..ground.clone()
            },
            Ground {
                parameters: vec![25],
                ..ground.clone()
            },
            Ground {
                standing: StandingKey::Admitted("p".into(), Default::default()),
                ..ground.clone()
            },
        ];
        for other in others {
            assert!(plans.get("SELECT 1", &other).is_none(), "{other:?}");
        }
    }
}
