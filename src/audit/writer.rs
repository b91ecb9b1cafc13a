//! The one thread that writes: takes all queued events, seals them into the chain, writes them in
//! one piece, and says how far it came.
//!
//! When writing fails, what waits is refused, what has happened is kept, and writing is tried again
//! at intervals; the first record after that tells of the outage. Knows no session.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::chain::{Head, seal};
use super::event::{Event, Recovery};
use super::feed::Feed;
use super::queue::{Kind, Losses, Queue, Queued};
use super::storage::{Ledger, Medium, Written};

/// A buffer that grew past this in a rush is given back.
const KEPT_BUFFER: usize = 4 * 1024 * 1024;

/// How the writer writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Each batch is on disk before it counts as written.
    pub(super) durable: bool,
    /// A file longer than this is followed by another.
    pub(super) rotate_bytes: u64,
    /// Between two attempts during an outage.
    pub(super) retry: Duration,
}

/// The writer's own state.
#[derive(Debug)]
pub(super) struct Writer<M> {
    queue: Arc<Queue>,
    ledger: Ledger<M>,
    head: Head,
    /// The number of the file's first record.
    first_seq: Option<u64>,
    manner: Manner,
    /// Grows when a rotation failed, so that it is not tried again at each batch.
    rotate_at: u64,
    buffer: Vec<u8>,
    feed: Feed,
}

/// Says that the writer is gone, also when it panicked.
struct End(Arc<Queue>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<M: Medium> Writer<M> {
    pub(super) fn new(
        queue: Arc<Queue>,
        ledger: Ledger<M>,
        head: Head,
        first_seq: Option<u64>,
        manner: Manner,
        feed: Feed,
    ) -> Self {
        Self {
            queue,
            ledger,
            head,
            first_seq,
            manner,
            rotate_at: manner.rotate_bytes,
            buffer: Vec::new(),
            feed,
        }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let _end = End(Arc::clone(&self.queue));
        let mut batch = Vec::new();
        while let Some((last, losses)) = self.queue.take(&mut batch) {
            if losses != Losses::default() {
                tracing::error!(
                    refused = losses.refused,
                    lost = losses.lost,
                    "the audit's queue was full"
                );
                batch.push(overflow(losses));
            }
            match self.write(&batch) {
                Ok(()) => {
                    self.queue.settle(last);
                    batch.clear();
                    self.rotate_if_full();
                }
                Err(error) => {
                    if self.outage(&mut batch, &error).is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn write(&mut self, batch: &[Queued]) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER);
        let mut head = self.head;
        for queued in batch {
            head = seal(&mut self.buffer, head, &queued.body);
        }
        let first = self.head.seq.saturating_add(1);
        match self.ledger.write(&self.buffer, self.manner.durable)? {
            Written::Appended => {
                self.first_seq.get_or_insert(first);
            }
            Written::Began => {
                tracing::warn!("the audit file was moved away or removed; another was begun");
                self.first_seq = Some(first);
                let told = Event::Recovered(Recovery::FileGone);
                self.queue.note(Uuid::now_v7(), body(&told));
            }
        }
        self.head = head;
        self.feed.publish(first, &self.buffer);
        Ok(())
    }

    /// From a failure until writing works again. `Err`: the journal is closing and it still fails.
    fn outage(&mut self, batch: &mut Vec<Queued>, error: &io::Error) -> Result<(), ()> {
        let since = OffsetDateTime::now_utc();
        tracing::error!(%error, "the audit cannot be written; statements are refused until it can");
        self.queue.suspend(batch);
        loop {
            let closing = self.queue.pause(self.manner.retry);
            let losses = self.queue.take_notes(batch);
            batch.insert(0, recovered(error, since, losses));
            match self.write(batch) {
                Ok(()) => {
                    tracing::info!("the audit can be written again");
                    batch.clear();
                    self.queue.resume(losses);
                    return Ok(());
                }
                Err(error) if closing => {
                    tracing::error!(%error, events = batch.len(), "the audit ends with events that could not be written");
                    return Err(());
                }
                Err(_) => {
                    batch.remove(0);
                }
            }
        }
    }

    fn rotate_if_full(&mut self) {
        if self.ledger.length() < self.rotate_at {
            return;
        }
        let Some(first_seq) = self.first_seq else { return };
        match self.ledger.rotate(first_seq) {
            Ok(()) => {
                self.first_seq = None;
                self.rotate_at = self.manner.rotate_bytes;
            }
            Err(error) => {
                tracing::warn!(%error, "the audit file could not be rotated; it grows on");
                self.rotate_at = self.ledger.length().saturating_add(self.manner.rotate_bytes);
            }
        }
    }
}

fn recovered(error: &io::Error, since: OffsetDateTime, losses: Losses) -> Queued {
    told(&Recovery::WriteFailed {
        error: error.to_string(),
        since,
        refused: losses.refused,
        lost: losses.lost,
    })
}

fn overflow(losses: Losses) -> Queued {
    told(&Recovery::Overflow {
        refused: losses.refused,
        lost: losses.lost,
    })
}

fn told(recovery: &Recovery) -> Queued {
    Queued {
        kind: Kind::Note,
        body: body(&Event::Recovered(recovery.clone())),
    }
}

fn body(event: &Event) -> Vec<u8> {
    event.body(Uuid::now_v7(), OffsetDateTime::now_utc())
}
