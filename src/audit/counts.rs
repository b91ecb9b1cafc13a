//! Counters of what the journal is told, for metrics. Atomics only: no statement waits for another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::pipeline::Outcome;
use crate::policy::Code;

use super::event::{BreakGlassPhase, Event, StatementEvent};

/// So many purposes are told apart.
const MOST_PURPOSES: usize = 1_000;

/// Upper bounds of the histogram of durations, in microseconds.
pub const BOUNDS_US: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000,
];

const OUTCOMES: [Outcome; 6] = [
    Outcome::Allow,
    Outcome::Mask,
    Outcome::Filter,
    Outcome::Gap,
    Outcome::Refuse,
    Outcome::Error,
];

/// A number that goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How far it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

type PerOutcome = [Counter; 6];

/// What has been told since the start.
#[derive(Debug, Default)]
pub struct Counts {
    /// By purpose; of purposes that nobody was admitted to, under the empty name.
    purposes: ArcSwap<BTreeMap<String, Arc<PerOutcome>>>,
    codes: [Counter; Code::ALL.len()],
    /// Completions.
    pub completed: Counter,
    /// Completions with an error.
    pub failed: Counter,
    /// Rows that left.
    pub rows: Counter,
    /// Bytes that left.
    pub bytes: Counter,
    /// Durations of completed statements, by the bounds of [`BOUNDS_US`].
    pub durations: [Counter; BOUNDS_US.len()],
    /// The sum of all durations, in microseconds.
    pub duration_us: Counter,
    /// Logins that were let in.
    pub logins: Counter,
    /// Logins that were not.
    pub logins_refused: Counter,
    /// Sessions that go on.
    sessions: AtomicI64,
    /// Uses of break-glass purposes that began.
    pub break_glass: Counter,
    /// Of these, such as go on.
    break_glass_open: AtomicI64,
    /// Reloads of the rules that were accepted.
    pub reloads: Counter,
    /// Reloads with errors.
    pub reloads_failed: Counter,
    /// The last one had: the rules in force are older than the files.
    pub rules_are_older: AtomicBool,
    /// Events that could not be recorded: the statements were refused.
    pub unrecorded: Counter,
}

impl Counts {
    pub(super) fn statement(&self, event: &StatementEvent<'_>) {
        if let Some(index) = event
            .facts
            .code
            .and_then(|code| Code::ALL.iter().position(|c| *c == code))
            && let Some(counter) = self.codes.get(index)
        {
            counter.add(1);
        }
        // What clients make up is counted together.
        let purpose = event.purpose.filter(|_| event.admitted).unwrap_or_default();
        let counters = self.purpose(purpose);
        let index = OUTCOMES.iter().position(|o| *o == event.facts.outcome);
        if let Some(counter) = index.and_then(|index| counters.get(index)) {
            counter.add(1);
        }
    }

    fn purpose(&self, name: &str) -> Arc<PerOutcome> {
        let known = self.purposes.load();
        if let Some(counters) = known.get(name) {
            return Arc::clone(counters);
        }
        let name = if known.len() < MOST_PURPOSES { name } else { "" };
        drop(known);
        // Once for each purpose. Whoever comes second finds the first one's.
        self.purposes.rcu(|known| {
            let mut more = BTreeMap::clone(known);
            more.entry(name.to_owned()).or_default();
            more
        });
        self.purposes.load().get(name).map(Arc::clone).unwrap_or_default()
    }

    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Login { outcome, .. } => {
                if matches!(outcome, Outcome::Refuse | Outcome::Error) {
                    self.logins_refused.add(1);
                } else {
                    self.logins.add(1);
                    self.sessions.fetch_add(1, Ordering::Relaxed);
                }
            }
            Event::Logout { .. } => {
                self.sessions.fetch_sub(1, Ordering::Relaxed);
            }
            Event::Completed {
                rows,
                bytes,
                duration_us,
                sqlstate,
                ..
            } => {
                self.completed.add(1);
                self.failed.add(u64::from(sqlstate.is_some()));
                self.rows.add(*rows);
                self.bytes.add(*bytes);
                self.duration_us.add(*duration_us);
                let bound = BOUNDS_US.iter().position(|bound| duration_us <= bound);
                if let Some(counter) = bound.and_then(|index| self.durations.get(index)) {
                    counter.add(1);
                }
            }
            Event::BreakGlass { phase, .. } => match phase {
                BreakGlassPhase::Began { .. } => {
                    self.break_glass.add(1);
                    self.break_glass_open.fetch_add(1, Ordering::Relaxed);
                }
                BreakGlassPhase::Ended => {
                    self.break_glass_open.fetch_sub(1, Ordering::Relaxed);
                }
            },
            Event::Reload { accepted, .. } => {
                self.rules_are_older.store(!accepted, Ordering::Relaxed);
                match accepted {
                    true => self.reloads.add(1),
                    false => self.reloads_failed.add(1),
                }
            }
            Event::Start { .. }
            | Event::Stop
            | Event::PolicyChanged { .. }
            | Event::Recovered(_)
            | Event::Checkpoint(_)
            | Event::Stopped { .. }
            | Event::SinkDropped { .. } => {}
        }
    }

    pub(super) fn unrecorded(&self) {
        self.unrecorded.add(1);
    }

    /// Statements: purpose (empty where nobody was admitted to it), outcome, how many.
    pub fn statements(&self) -> Vec<(String, &'static str, u64)> {
        let purposes = self.purposes.load();
        let each = purposes.iter().flat_map(|(purpose, counters)| {
            let counted = OUTCOMES.iter().zip(counters.iter());
            counted.map(move |(outcome, counter)| (purpose.clone(), outcome.as_str(), counter.get()))
        });
        each.filter(|(.., count)| *count > 0).collect()
    }

    /// Refusals and gaps by code.
    pub fn codes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = Code::ALL
            .iter()
            .zip(&self.codes)
            .map(|(code, counter)| (code.as_str(), counter.get()));
        counted.filter(|(_, count)| *count > 0)
    }

    /// Sessions that go on.
    pub fn sessions(&self) -> i64 {
        self.sessions.load(Ordering::Relaxed).max(0)
    }

    /// Uses of break-glass purposes that go on.
    pub fn break_glass_open(&self) -> i64 {
        self.break_glass_open.load(Ordering::Relaxed).max(0)
    }
}
