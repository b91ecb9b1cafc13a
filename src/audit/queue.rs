//! Between the sessions and the writer: events in order, and how far they are written.
//!
//! A ticket is an event's place in the queue. Tickets are settled in order; those that failed are
//! remembered as ranges. Knows no file and no chain.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use uuid::Uuid;

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
    writer_sleeps: bool,
    closing: bool,
}

/// Shared by sessions and writer.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    /// So many bytes of announcements; notes may take as much again.
    bound: usize,
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
    pub(super) fn new(bound: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                state: State::Available,
                items: Vec::new(),
                bytes: 0,
                last: 0,
                losses: Losses::default(),
                writer_sleeps: false,
                closing: false,
            }),
            wake: Condvar::new(),
            bound,
            settled: AtomicU64::new(0),
            any_failed: AtomicBool::new(false),
            failed: Mutex::new(Failures::default()),
            changed: Notify::new(),
        }
    }

    /// Events can be written, as far as is known.
    pub(super) fn is_available(&self) -> bool {
        lock(&self.inner).state == State::Available
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
        self.nudge(inner);
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
            self.nudge(inner);
        } else {
            // It is kept, but nobody shall wait for it.
            self.fail_up_to(number);
        }
        Ticket { number, id }
    }

    fn nudge(&self, mut inner: MutexGuard<'_, Inner>) {
        let asleep = std::mem::take(&mut inner.writer_sleeps);
        drop(inner);
        if asleep {
            self.wake.notify_one();
        }
    }

    /// The writer's: waits for events and takes them all in exchange for the empty `batch`. Gives
    /// the last ticket among them and what there was no room for; `None` when the queue is closing
    /// and empty.
    pub(super) fn take(&self, batch: &mut Vec<Queued>) -> Option<(u64, Losses)> {
        let mut inner = lock(&self.inner);
        while inner.items.is_empty() {
            if inner.closing {
                return None;
            }
            inner.writer_sleeps = true;
            inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.writer_sleeps = false;
        inner.bytes = 0;
        std::mem::swap(&mut inner.items, batch);
        Some((inner.last, std::mem::take(&mut inner.losses)))
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
        self.settled.fetch_max(ticket, Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// The writer's: the journal cannot be written, and `batch` was not. Announcements, of the batch
    /// and of the queue, fail; notes stay in `batch`, for later.
    pub(super) fn suspend(&self, batch: &mut Vec<Queued>) {
        let mut inner = lock(&self.inner);
        if inner.state == State::Available {
            inner.state = State::Unavailable;
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
            inner.state = State::Available;
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
        inner.state = State::Closed;
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

    /// Waits until the event is written. Costs one atomic load where it is already.
    pub(super) async fn written(&self, ticket: Ticket) -> Result<(), AuditUnavailable> {
        loop {
            // Made before the look, so that a change in between is not missed.
            let changed = match self.outcome(ticket) {
                Some(outcome) => return outcome,
                None => self.changed.notified(),
            };
            match self.outcome(ticket) {
                Some(outcome) => return outcome,
                None => changed.await,
            }
        }
    }
}

impl Inner {
    /// A body that is alone always has room, however large.
    fn has_room(&self, body: &[u8], bound: usize) -> bool {
        self.bytes == 0 || self.bytes.saturating_add(body.len()) <= bound
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
