//! Between the sessions and the writer: events in order, and how far they are written.
//!
//! A ticket is an event's place in the queue. Tickets are settled in order; those that failed are
//! remembered as ranges. Knows no file and no chain.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use uuid::Uuid;

/// How long what nobody waits for may stay in the queue: until then somebody else may write it along.
const LINGER: Duration = Duration::from_millis(20);

/// How many ranges of failed tickets are told apart.
const MOST_FAILURES: usize = 256;

/// The audit cannot be written: what it should tell of must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit cannot be written")]
pub struct AuditUnavailable;

/// An event's place in the queue, and its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    number: u64,
    id: Uuid,
}

impl Ticket {
    /// The event's `id`: `of` of the completion, `cursor_of` of what reads its cursor.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

/// How much an event insists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something waits for it, and does not happen without it.
    Announcement,
    /// It tells of what has happened already: kept over an outage, as far as there is room.
    Note,
}

/// An event in the queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) kind: Kind,
    pub(super) body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Available,
    /// A batch is being written for too long.
    Stalled,
    Unavailable,
    Closed,
}

/// What was not queued: in an outage, or because the queue was full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Losses {
    /// Announcements that were refused.
    pub(super) refused: u64,
    /// Notes for which there was no room.
    pub(super) lost: u64,
}

#[derive(Debug)]
struct Inner {
    state: State,
    items: Vec<Queued>,
    bytes: usize,
    /// The last ticket given out.
    last: u64,
    losses: Losses,
    thread: Thread,
    /// The thread is to look at once.
    urgent: bool,
    closing: bool,
}

/// What the writer's thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thread {
    /// It works, or is about to look.
    Awake,
    /// It looks again in a moment.
    Lingers,
    /// It sleeps until it is woken.
    Sleeps,
}

/// Shared by sessions and writer.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    /// So many bytes of announcements; notes may take as much again.
    bound: usize,
    /// Announcements are written by the thread alone, and at once.
    by_thread: bool,
    available: AtomicBool,
    /// Since when a batch is being written, in milliseconds after `start`, plus one; 0: none is.
    writing: AtomicU64,
    start: Instant,
    /// The last ticket that something waits for.
    announced: AtomicU64,
    /// All tickets up to this one are written or failed.
    settled: AtomicU64,
    any_failed: AtomicBool,
    failed: Mutex<Failures>,
    changed: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half changed by a panic within: each section moves whole values.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// `by_thread`: nobody but the writer's thread writes.
    pub(super) fn new(bound: usize, by_thread: bool) -> Self {
        Self {
            inner: Mutex::new(Inner {
                state: State::Available,
                items: Vec::new(),
                bytes: 0,
                last: 0,
                losses: Losses::default(),
                thread: Thread::Awake,
                urgent: false,
                closing: false,
            }),
            wake: Condvar::new(),
            bound,
            by_thread,
            available: AtomicBool::new(true),
            writing: AtomicU64::new(0),
            start: Instant::now(),
            announced: AtomicU64::new(0),
            settled: AtomicU64::new(0),
            any_failed: AtomicBool::new(false),
            failed: Mutex::new(Failures::default()),
            changed: Notify::new(),
        }
    }

    /// Events can be written, as far as is known.
    pub(super) fn is_available(&self) -> bool {
        self.available.load(Ordering::Acquire)
    }

    fn set(&self, inner: &mut Inner, state: State) {
        inner.state = state;
        self.available.store(state == State::Available, Ordering::Release);
    }

    /// How many events are queued or being written.
    pub(super) fn lag(&self) -> u64 {
        lock(&self.inner)
            .last
            .saturating_sub(self.settled.load(Ordering::Relaxed))
    }

    /// Queues what must be written before something happens.
    pub(super) fn announce(&self, id: Uuid, body: Vec<u8>) -> Result<Ticket, AuditUnavailable> {
        let mut inner = lock(&self.inner);
        if inner.state != State::Available || inner.closing || !inner.has_room(&body, self.bound) {
            inner.losses.refused += 1;
            return Err(AuditUnavailable);
        }
        let number = inner.push(Kind::Announcement, body);
        self.announced.store(number, Ordering::Release);
        self.nudge(inner, self.by_thread);
        Ok(Ticket { number, id })
    }

    /// Queues what tells of something that has happened.
    pub(super) fn note(&self, id: Uuid, body: Vec<u8>) -> Ticket {
        let mut inner = lock(&self.inner);
        let room = inner.has_room(&body, self.bound.saturating_mul(2));
        if !room || inner.state == State::Closed || inner.closing {
            inner.losses.lost += 1;
            inner.last += 1;
            let number = inner.last;
            lock(&self.failed).add(number, number);
            self.any_failed.store(true, Ordering::Release);
            if inner.state != State::Available {
                self.fail_up_to(number);
            }
            return Ticket { number, id };
        }
        let number = inner.push(Kind::Note, body);
        if inner.state == State::Available {
            self.nudge(inner, false);
        } else {
            // It is kept, but nobody shall wait for it.
            self.fail_up_to(number);
        }
        Ticket { number, id }
    }

    fn nudge(&self, mut inner: MutexGuard<'_, Inner>, urgent: bool) {
        let wake = match inner.thread {
            Thread::Awake => false,
            Thread::Lingers => urgent && !inner.urgent,
            Thread::Sleeps => true,
        };
        inner.urgent |= urgent;
        if wake {
            inner.thread = Thread::Awake;
        }
        drop(inner);
        if wake {
            self.wake.notify_one();
        }
    }

    /// The thread is to write what there is at once.
    pub(super) fn urge(&self) {
        self.nudge(lock(&self.inner), true);
    }

    /// The thread's: waits until there is something to write, or `due` is over, or the queue is closing:
    /// `true`.
    pub(super) fn sleep(&self, due: Option<Instant>) -> bool {
        let mut inner = lock(&self.inner);
        loop {
            if inner.closing || std::mem::take(&mut inner.urgent) {
                inner.thread = Thread::Awake;
                return inner.closing;
            }
            let idle = inner.items.is_empty();
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            if idle && left == Some(Duration::ZERO) {
                inner.thread = Thread::Awake;
                return false;
            }
            inner.thread = if idle { Thread::Sleeps } else { Thread::Lingers };
            let at_most = if idle { left } else { Some(LINGER) };
            inner = match at_most {
                Some(at_most) => {
                    let waited = self.wake.wait_timeout(inner, at_most);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner),
            };
            if !idle {
                inner.thread = Thread::Awake;
                inner.urgent = false;
                return inner.closing;
            }
        }
    }

    /// The writer's: takes all events in exchange for the empty `batch`. Gives the last ticket among
    /// them and what there was no room for; `None` where there is nothing.
    pub(super) fn take(&self, batch: &mut Vec<Queued>) -> Option<(u64, Losses)> {
        let mut inner = lock(&self.inner);
        if inner.items.is_empty() || inner.state != State::Available {
            return None;
        }
        inner.bytes = 0;
        std::mem::swap(&mut inner.items, batch);
        Some((inner.last, std::mem::take(&mut inner.losses)))
    }

    /// The writer's: a batch is being written, or no longer.
    pub(super) fn writes(&self, begins: bool) {
        let now = if begins { self.milliseconds() + 1 } else { 0 };
        self.writing.store(now, Ordering::Release);
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// Nobody shall wait for a batch that has been under way for longer than `at_most`: what waits
    /// fails, and statements are refused until the writer comes back. `true` where that is new.
    pub(super) fn give_up(&self, at_most: Duration) -> bool {
        let since = self.writing.load(Ordering::Acquire);
        let waited = (self.milliseconds() + 1).saturating_sub(since);
        if since == 0 || u128::from(waited) <= at_most.as_millis() {
            return false;
        }
        let mut inner = lock(&self.inner);
        if inner.state != State::Available {
            return false;
        }
        self.set(&mut inner, State::Stalled);
        self.fail_up_to(inner.last);
        true
    }

    /// The writer's: waits until it is time to try again; `true` when the queue is closing.
    pub(super) fn pause(&self, at_most: Duration) -> bool {
        let inner = lock(&self.inner);
        let (inner, _) = self
            .wake
            .wait_timeout_while(inner, at_most, |inner| !inner.closing)
            .unwrap_or_else(PoisonError::into_inner);
        inner.closing
    }

    /// The writer's: all tickets up to this one are written.
    pub(super) fn settle(&self, ticket: u64) {
        if !self.is_available() {
            let mut inner = lock(&self.inner);
            if inner.state == State::Stalled {
                self.set(&mut inner, State::Available);
                // What was announced meanwhile and failed is not told; what happened is.
                inner.drop_announcements();
            }
        }
        self.settled.fetch_max(ticket, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// The writer's: the journal cannot be written, and `batch` was not. Announcements, of the batch
    /// and of the queue, fail; notes stay in `batch`, for later.
    pub(super) fn suspend(&self, batch: &mut Vec<Queued>) {
        let mut inner = lock(&self.inner);
        if matches!(inner.state, State::Available | State::Stalled) {
            self.set(&mut inner, State::Unavailable);
        }
        batch.append(&mut inner.items);
        let all = batch.len();
        batch.retain(|queued| queued.kind == Kind::Note);
        inner.losses.refused += (all - batch.len()) as u64;
        inner.bytes = batch.iter().map(|queued| queued.body.len()).sum();
        self.fail_up_to(inner.last);
    }

    /// The writer's: the notes that were queued during the outage so far, and its losses.
    pub(super) fn take_notes(&self, batch: &mut Vec<Queued>) -> Losses {
        let mut inner = lock(&self.inner);
        batch.append(&mut inner.items);
        inner.losses
    }

    /// The writer's: the journal is written again, with all that [`Queue::take_notes`] gave.
    pub(super) fn resume(&self, told: Losses) {
        let mut inner = lock(&self.inner);
        if inner.state == State::Unavailable {
            self.set(&mut inner, State::Available);
        }
        inner.bytes = inner.items.iter().map(|queued| queued.body.len()).sum();
        inner.losses.refused -= told.refused.min(inner.losses.refused);
        inner.losses.lost -= told.lost.min(inner.losses.lost);
    }

    /// Asks the writer to write what there is, then `last`, and to end.
    pub(super) fn close(&self, last: Option<Vec<u8>>) {
        let mut inner = lock(&self.inner);
        if inner.closing {
            return;
        }
        inner.closing = true;
        if let Some(body) = last {
            inner.push(Kind::Note, body);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// The writer has ended, in whichever way: nothing will be written any more.
    pub(super) fn end(&self) {
        let mut inner = lock(&self.inner);
        self.set(&mut inner, State::Closed);
        inner.items.clear();
        self.fail_up_to(inner.last);
    }

    fn fail_up_to(&self, ticket: u64) {
        let settled = self.settled.load(Ordering::Acquire);
        if settled < ticket {
            lock(&self.failed).add(settled + 1, ticket);
            self.any_failed.store(true, Ordering::Release);
            self.settled.fetch_max(ticket, Ordering::AcqRel);
        }
        self.changed.notify_waiters();
    }

    /// Whether the event is written; `None` while that is open.
    pub(super) fn outcome(&self, ticket: Ticket) -> Option<Result<(), AuditUnavailable>> {
        if self.settled.load(Ordering::Acquire) < ticket.number {
            return None;
        }
        let failed = self.any_failed.load(Ordering::Acquire) && lock(&self.failed).contains(ticket.number);
        Some(if failed { Err(AuditUnavailable) } else { Ok(()) })
    }

    /// Something waits for what is queued.
    pub(super) fn is_awaited(&self) -> bool {
        self.settled.load(Ordering::Acquire) < self.announced.load(Ordering::Acquire)
    }

    /// Waits until the event is written; `help` is called when it is not yet, and may write.
    pub(super) async fn written(&self, ticket: Ticket, help: impl Fn()) -> Result<(), AuditUnavailable> {
        loop {
            // Made before the look, so that a change in between is not missed.
            let changed = self.changed.notified();
            if let Some(outcome) = self.outcome(ticket) {
                return outcome;
            }
            help();
            if let Some(outcome) = self.outcome(ticket) {
                return outcome;
            }
            changed.await;
        }
    }
}

impl Inner {
    /// A body that is alone always has room, however large.
    fn has_room(&self, body: &[u8], bound: usize) -> bool {
        self.bytes == 0 || self.bytes.saturating_add(body.len()) <= bound
    }

    fn drop_announcements(&mut self) {
        let all = self.items.len();
        self.items.retain(|queued| queued.kind == Kind::Note);
        self.losses.refused += (all - self.items.len()) as u64;
        self.bytes = self.items.iter().map(|queued| queued.body.len()).sum();
    }

    fn push(&mut self, kind: Kind, body: Vec<u8>) -> u64 {
        self.bytes = self.bytes.saturating_add(body.len());
        self.items.push(Queued { kind, body });
        self.last += 1;
        self.last
    }
}

/// Ranges of failed tickets, both ends included, ascending.
#[derive(Debug, Default)]
struct Failures {
    ranges: VecDeque<(u64, u64)>,
}

impl Failures {
    fn add(&mut self, from: u64, to: u64) {
        let mut range = (from, to);
        while let Some(&(start, end)) = self.ranges.back()
            && end.saturating_add(1) >= range.0
        {
            range = (range.0.min(start), range.1.max(end));
            self.ranges.pop_back();
        }
        self.ranges.push_back(range);
        if self.ranges.len() > MOST_FAILURES
            && let (Some((start, _)), Some(second)) = (self.ranges.pop_front(), self.ranges.front_mut())
        {
            // The two oldest become one. What was written between them then counts as failed: nobody
            // waits for it any more, and if somebody did, they would refuse.
            second.0 = start;
        }
    }

    fn contains(&self, ticket: u64) -> bool {
        self.ranges.iter().any(|&(from, to)| (from..=to).contains(&ticket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_that_touch_are_one_and_old_ones_merge_towards_failing() {
        let mut failures = Failures::default();
        failures.add(5, 7);
        failures.add(8, 9);
        assert_eq!(failures.ranges, [(5, 9)]);
        failures.add(12, 12);
        failures.add(11, 14);
        assert_eq!(failures.ranges, [(5, 9), (11, 14)]);
        for i in 0..1000 {
            failures.add(20 + 10 * i, 21 + 10 * i);
        }
        assert_eq!(failures.ranges.len(), MOST_FAILURES);
        for i in 0..1000 {
            assert!(failures.contains(20 + 10 * i), "a failed ticket is never forgotten");
        }
        assert!(failures.contains(5));
        assert!(
            !failures.contains(10_015),
            "a written ticket near the end stays written"
        );
    }
}
