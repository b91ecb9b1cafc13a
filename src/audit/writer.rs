//! What writes: takes all queued events, seals them into the chain, writes them in one piece, and says
//! how far it came.
//!
//! When writing fails, what waits is refused, what has happened is kept, and writing is tried again
//! at intervals; the first record after that tells of the outage. Knows no session, and not on whose
//! thread it runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use uuid::Uuid;

use super::chain::{Head, seal};
use super::checkpoint::Signer;
use super::event::{Event, Recovery};
use super::feed::Feed;
use super::queue::{Kind, Losses, Queue, Queued};
use super::storage::{First, Ledger, Written};

/// A buffer that grew past this in a rush is given back.
const KEPT_BUFFER: usize = 4 * 1024 * 1024;

/// Between two attempts to begin another file.
const ROTATION_RETRY: Duration = Duration::from_secs(60);

/// How the writer writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Each batch is on disk before it counts as written.
    pub(super) durable: bool,
    /// A file longer than this is followed by another.
    pub(super) rotate_bytes: u64,
    /// A file whose first record is older than this is followed by another.
    pub(super) rotate_after: Option<Duration>,
    /// A checkpoint follows so many records.
    pub(super) checkpoint_records: u64,
    /// A checkpoint follows the first record without one after this time.
    pub(super) checkpoint_after: Duration,
}

/// The journal's end of the file.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Arc<Queue>,
    ledger: Ledger,
    head: Head,
    /// Where the file begins.
    first: Option<First>,
    manner: Manner,
    /// A rotation failed: it is not tried again before then.
    rotate_from: Option<Instant>,
    buffer: Vec<u8>,
    batch: Vec<Queued>,
    outage: Option<Outage>,
    feed: Feed,
    signer: Option<Signer>,
    /// The last record under a checkpoint, or before this run, and when the first after it came.
    signed: (u64, Option<Instant>),
    /// Files that were closed and can be compressed.
    closed: Vec<PathBuf>,
}

/// How far the queue was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing is left.
    All,
    /// First [`Writer::upkeep`], then again.
    UpkeepDue,
    /// Writing fails.
    Failed,
}

/// Why writing fails, and since when.
#[derive(Debug)]
struct Outage {
    error: String,
    since: OffsetDateTime,
}

/// What a writer starts from.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) ledger: Ledger,
    /// The last record of all files so far.
    pub(super) head: Head,
    /// Where the file begins.
    pub(super) first: Option<First>,
    /// Who signs checkpoints.
    pub(super) signer: Option<Signer>,
}

impl Writer {
    pub(super) fn new(queue: Arc<Queue>, start: Start, manner: Manner, feed: Feed) -> Self {
        Self {
            queue,
            ledger: start.ledger,
            head: start.head,
            first: start.first,
            manner,
            rotate_from: None,
            buffer: Vec::new(),
            batch: Vec::new(),
            outage: None,
            feed,
            signer: start.signer,
            signed: (start.head.seq, None),
            closed: Vec::new(),
        }
    }

    /// Writes what is queued, until nothing is, or something else is due.
    pub(super) fn drain(&mut self) -> Drained {
        while self.outage.is_none() {
            if self.is_upkeep_due() {
                return Drained::UpkeepDue;
            }
            let Some((last, losses)) = self.queue.take(&mut self.batch) else {
                return Drained::All;
            };
            if losses != Losses::default() {
                tracing::error!(
                    refused = losses.refused,
                    lost = losses.lost,
                    "the audit's queue was full, or its file slow"
                );
                self.batch.push(told(&Recovery::Overflow {
                    refused: losses.refused,
                    lost: losses.lost,
                }));
            }
            match self.write() {
                Ok(()) => {
                    self.queue.settle(last);
                    self.batch.clear();
                }
                Err(error) => self.suspend(&error),
            }
        }
        Drained::Failed
    }

    fn suspend(&mut self, error: &io::Error) {
        tracing::error!(%error, "the audit cannot be written; statements are refused until it can");
        self.outage = Some(Outage {
            error: error.to_string(),
            since: OffsetDateTime::now_utc(),
        });
        self.queue.suspend(&mut self.batch);
    }

    /// In an outage, tries once more. `false`: it fails still.
    pub(super) fn try_again(&mut self) -> bool {
        let Some(outage) = &self.outage else { return true };
        let losses = self.queue.take_notes(&mut self.batch);
        let recovered = told(&Recovery::WriteFailed {
            error: outage.error.clone(),
            since: outage.since,
            refused: losses.refused,
            lost: losses.lost,
        });
        self.batch.insert(0, recovered);
        if self.write().is_err() {
            self.batch.remove(0);
            return false;
        }
        tracing::info!("the audit can be written again");
        self.batch.clear();
        self.outage = None;
        self.queue.resume(losses);
        true
    }

    /// How many events could not be written.
    pub(super) fn left(&self) -> usize {
        self.batch.len()
    }

    /// Writes the batch.
    fn write(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER);
        let mut head = self.head;
        for queued in &self.batch {
            head = seal(&mut self.buffer, head, &queued.body);
        }
        self.append(head)
    }

    /// Writes the buffer, whose last record is `head`.
    fn append(&mut self, head: Head) -> io::Result<()> {
        let first = First {
            seq: self.head.seq.saturating_add(1),
            time: Some(OffsetDateTime::now_utc()),
        };
        self.queue.writes(true);
        let written = self.ledger.write(&self.buffer, self.manner.durable);
        self.queue.writes(false);
        match written? {
            Written::Appended => {
                self.first.get_or_insert(first);
            }
            Written::Began => {
                tracing::warn!("the audit file was moved away or removed; another was begun");
                self.first = Some(first);
                self.queue
                    .note(Uuid::now_v7(), body(&Event::Recovered(Recovery::FileGone)));
            }
        }
        self.head = head;
        self.signed.1.get_or_insert_with(Instant::now);
        self.feed.publish(first.seq, &self.buffer);
        Ok(())
    }

    /// Something is due that takes longer than a batch: a checkpoint, or another file.
    fn is_upkeep_due(&self) -> bool {
        self.is_checkpoint_due() || self.is_rotation_due()
    }

    /// Signs, and begins another file, where it is time. Gives when to look again.
    pub(super) fn upkeep(&mut self) -> Option<Instant> {
        if self.is_checkpoint_due() {
            self.sign();
        }
        if self.is_rotation_due() {
            self.rotate();
        }
        self.due()
    }

    /// Files that were closed since.
    pub(super) fn take_closed(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.closed)
    }

    fn unsigned(&self) -> u64 {
        self.head.seq - self.signed.0.min(self.head.seq)
    }

    fn is_checkpoint_due(&self) -> bool {
        let old = |since: Instant| since.elapsed() >= self.manner.checkpoint_after;
        self.signer.is_some()
            && self.unsigned() > 0
            && (self.unsigned() >= self.manner.checkpoint_records || self.signed.1.is_some_and(old))
    }

    fn is_rotation_due(&self) -> bool {
        self.first.is_some()
            && (self.ledger.length() >= self.manner.rotate_bytes || self.is_old())
            && self.rotate_from.is_none_or(|from| Instant::now() >= from)
    }

    fn is_old(&self) -> bool {
        let begun = self.first.and_then(|first| first.time);
        let age = begun.map(|begun| OffsetDateTime::now_utc() - begun);
        matches!((age, self.manner.rotate_after), (Some(age), Some(most)) if age >= most)
    }

    fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let checkpoint = self.signed.1.filter(|_| self.signer.is_some() && self.unsigned() > 0);
        let checkpoint = checkpoint.and_then(|since| since.checked_add(self.manner.checkpoint_after));
        let begun = self.first.and_then(|first| first.time);
        let rotation = begun.zip(self.manner.rotate_after).map(|(begun, after)| {
            let age = Duration::try_from(OffsetDateTime::now_utc() - begun).unwrap_or_default();
            // Not at once again where it has just failed.
            now + after.saturating_sub(age).max(Duration::from_secs(1))
        });
        checkpoint.into_iter().chain(rotation).min()
    }

    /// Puts a checkpoint over all records so far, if there are any without one.
    pub(super) fn sign(&mut self) {
        let Some(signer) = self.signer.as_ref().filter(|_| self.unsigned() > 0) else {
            return;
        };
        let checkpoint = Queued {
            kind: Kind::Note,
            body: body(&Event::Checkpoint(signer.sign(self.head))),
        };
        self.buffer.clear();
        let head = seal(&mut self.buffer, self.head, &checkpoint.body);
        match self.append(head) {
            Ok(()) => self.signed = (head.seq, None),
            Err(error) => self.suspend(&error),
        }
    }

    fn rotate(&mut self) {
        self.sign();
        let Some(first) = self.first.filter(|_| self.outage.is_none()) else {
            return;
        };
        match self.ledger.rotate(first.seq) {
            Ok(full) => {
                self.first = None;
                self.rotate_from = None;
                self.closed.push(full);
            }
            Err(error) => {
                tracing::warn!(%error, "the audit file could not be rotated; it grows on");
                self.rotate_from = Instant::now().checked_add(ROTATION_RETRY);
            }
        }
    }
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
