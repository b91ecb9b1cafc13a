//! Who writes, and when: a thread of its own, and where an event counts as written once the operating
//! system has it, whoever waits for one.
//!
//! A `write` to the page cache costs less than waking another thread. So a thread that serves sessions, when all of
//! them have sent what they had, writes what is queued itself, their events and whatever others have queued, while the
//! server works (flat combining: Hendler et al., SPAA 2010). The thread writes what nobody waits for,
//! signs, rotates, compresses, and comes back from outages. Only the thread ever waits for the disk.
//!
//! Knows no event.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::compress;
use super::queue::{AuditUnavailable, Queue, Ticket};
use super::writer::{Drained, Writer};

/// A write that took longer was not to the page cache, or the processor was taken away: for so many times as long only
/// the thread writes. So sessions are held up for a tenth of the time at most.
const SLOW: Duration = Duration::from_millis(2);
const PENALTY: u32 = 10;

/// How often it is looked whether a write hangs.
const WATCH: Duration = Duration::from_millis(500);

/// How a desk works.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ways {
    /// Sessions write too.
    pub(super) in_place: bool,
    /// Closed files are compressed.
    pub(super) compress: bool,
    /// Between two attempts during an outage.
    pub(super) retry: Duration,
    /// A write that takes longer is given up on.
    pub(super) patience: Duration,
}

/// Queue and writer.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) queue: Arc<Queue>,
    /// Records that sinks were not given.
    pub(super) sinks_dropped: AtomicU64,
    /// Gone when the journal is closed, and with it its file and its feed.
    writer: Mutex<Option<Writer>>,
    ways: Ways,
    /// Somebody wants what is queued to be written, and found the writer busy.
    again: AtomicBool,
    /// Until then only the thread writes, in milliseconds after `start`.
    slow_until: AtomicU64,
    start: Instant,
    /// The journal is closed.
    ended: AtomicBool,
}

/// Says that the writer is gone, also when it panicked.
struct End<'d>(&'d Desk);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.queue.end();
        self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Desk {
    pub(super) fn new(queue: Arc<Queue>, writer: Writer, ways: Ways) -> Self {
        Self {
            queue,
            sinks_dropped: AtomicU64::new(0),
            writer: Mutex::new(Some(writer)),
            ways,
            again: AtomicBool::new(false),
            slow_until: AtomicU64::new(0),
            start: Instant::now(),
            ended: AtomicBool::new(false),
        }
    }

    /// Waits until the event is written, or writes it.
    pub(super) async fn written(&self, ticket: Ticket) -> Result<(), AuditUnavailable> {
        self.queue.written(ticket, || self.help()).await
    }

    /// Writes what is queued on the caller's thread, where that is the way and nobody else does.
    pub(super) fn help(&self) {
        if !self.ways.in_place {
            return;
        }
        if self.milliseconds() < self.slow_until.load(Ordering::Acquire) {
            self.queue.urge();
            return;
        }
        self.again.store(true, Ordering::SeqCst);
        // Whoever holds the writer looks at `again` after letting go of it: nothing is forgotten.
        while self.again.load(Ordering::SeqCst) {
            let mut held = match self.writer.try_lock() {
                Ok(held) => held,
                Err(TryLockError::WouldBlock) => return,
                Err(TryLockError::Poisoned(_)) => {
                    self.queue.end();
                    return;
                }
            };
            self.again.store(false, Ordering::SeqCst);
            let Some(writer) = held.as_mut() else { return };
            let began = Instant::now();
            let drained = writer.drain();
            drop(held);
            let took = began.elapsed();
            if took > SLOW {
                let until = self.start.elapsed().saturating_add(took.saturating_mul(PENALTY));
                let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
                self.slow_until.store(until, Ordering::Release);
            }
            if drained != Drained::All {
                self.queue.urge();
            }
        }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The thread's: writes until the journal is closed and all is written.
    pub(super) fn run(&self) {
        let _end = End(self);
        let mut due = None;
        loop {
            let closing = self.queue.sleep(due);
            let Some(next) = self.turn(closing) else { return };
            due = next;
            if closing {
                return;
            }
        }
    }

    /// Writes, and does what is due. Gives when to look again; `None`: there is no going on.
    fn turn(&self, closing: bool) -> Option<Option<Instant>> {
        let (due, closed) = loop {
            self.again.store(false, Ordering::SeqCst);
            // A writer that panicked is not used again.
            let mut held = self.writer.lock().ok()?;
            let writer = held.as_mut()?;
            let drained = writer.drain();
            if drained == Drained::Failed {
                drop(held);
                self.outage()?;
                continue;
            }
            let due = writer.upkeep();
            if drained == Drained::UpkeepDue {
                continue;
            }
            if closing {
                writer.sign();
            }
            let closed = writer.take_closed();
            drop(held);
            if !self.again.load(Ordering::SeqCst) {
                break (due, closed);
            }
        };
        if self.ways.compress && !closed.is_empty() {
            compress::in_background(closed);
        }
        Some(due)
    }

    /// From a failure until writing works again. `None`: the journal is closing and it still fails.
    fn outage(&self) -> Option<()> {
        loop {
            let closing = self.queue.pause(self.ways.retry);
            let mut held = self.writer.lock().ok()?;
            let writer = held.as_mut()?;
            if writer.try_again() {
                return Some(());
            }
            if closing {
                let events = writer.left();
                tracing::error!(events, "the audit ends with events that could not be written");
                return None;
            }
        }
    }

    /// Another thread's: sees to it that nobody waits for a write that hangs.
    pub(super) fn watch(&self) {
        while !self.ended.load(Ordering::Acquire) {
            if self.queue.give_up(self.ways.patience) {
                tracing::error!("writing the audit takes too long; statements are refused until it is done");
            }
            std::thread::park_timeout(WATCH.min(self.ways.patience));
        }
    }
}
