//! The handle by which sessions write the audit, and the only maker of [`Recorded`].
//!
//! Events become bytes on the caller's thread; the writer adds number and hashes.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::verify::Verified;

use super::Recorded;
use super::checkpoint::Signer;
use super::compress;
use super::counts::Counts;
use super::desk::{Desk, Ways};
use super::event::{Event, Recovery, StatementEvent};
use super::feed::{Feed, WrittenRecord};
use super::queue::{AuditUnavailable, Queue, Ticket};
use super::sink;
use super::storage;
use super::writer::{Manner, Start, Writer};

/// How long a sink may take for what it was given before the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// When an event counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk: it survives a loss of power.
    Disk,
    /// The operating system has it: it survives the proxy's end.
    System,
}

/// Where and how the journal is written.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// The file, `audit.jsonl`.
    pub path: PathBuf,
    /// When an event counts as written.
    pub durability: Durability,
    /// A file longer than this is followed by another.
    pub rotate_bytes: u64,
    /// A file whose first record is older than this is followed by another.
    pub rotate_after: Option<Duration>,
    /// Files that were closed are compressed.
    pub compress: bool,
    /// Who signs checkpoints; without, there are none.
    pub signer: Option<Signer>,
    /// A checkpoint follows so many records.
    pub checkpoint_records: u64,
    /// A checkpoint follows the first record without one after this time.
    pub checkpoint_after: Duration,
    /// So many bytes of events may wait for the writer; more are refused.
    pub queue_bytes: usize,
    /// Between two attempts while the file cannot be written.
    pub retry: Duration,
    /// A write that takes longer is not waited for: what waits is refused.
    pub patience: Duration,
}

impl JournalConfig {
    /// On disk before a row leaves; 256 MiB a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Disk,
            rotate_bytes: 256 * 1024 * 1024,
            rotate_after: None,
            compress: false,
            signer: None,
            checkpoint_records: 1000,
            checkpoint_after: Duration::from_secs(60),
            queue_bytes: 8 * 1024 * 1024,
            retry: Duration::from_secs(1),
            patience: Duration::from_secs(10),
        }
    }
}

/// The audit journal. A clone is another handle to the same one; the last handle's end, or
/// [`Journal::close`], ends the writer after all that was queued.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    desk: Arc<Desk>,
    counts: Counts,
    /// Gone when the journal is closed, so that followers see the end.
    feed: Mutex<Option<Feed>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    sinks: Mutex<Vec<sink::Running>>,
}

impl Journal {
    /// Opens or begins the file, continues its chain, and starts the writer. A record that was cut
    /// off when the last writer ended is moved to `FILE.torn` and told of in a `recovered` event.
    ///
    /// # Errors
    /// Those of the system; another process that writes the file; a file whose end is not a chain
    /// that holds.
    pub fn open(config: JournalConfig) -> io::Result<Self> {
        let opened = storage::open(&config.path)?;
        if config.compress {
            let left = compress::left_over(&config.path)?;
            if !left.is_empty() {
                compress::in_background(left);
            }
        }
        let start = Start {
            ledger: opened.ledger,
            head: opened.head,
            first: opened.first,
            signer: config.signer.clone(),
        };
        let journal = Self::start(start, &config)?;
        if opened.torn > 0 {
            tracing::warn!(
                bytes = opened.torn,
                "the audit file ended within a record; it was set aside"
            );
            journal.note(Event::Recovered(Recovery::Torn { bytes: opened.torn }));
        }
        Ok(journal)
    }

    pub(super) fn start(start: Start, config: &JournalConfig) -> io::Result<Self> {
        let in_place = config.durability == Durability::System;
        let queue = Arc::new(Queue::new(config.queue_bytes, !in_place));
        let manner = Manner {
            durable: config.durability == Durability::Disk,
            rotate_bytes: config.rotate_bytes,
            rotate_after: config.rotate_after,
            checkpoint_records: config.checkpoint_records,
            checkpoint_after: config.checkpoint_after,
        };
        let ways = Ways {
            in_place,
            compress: config.compress,
            retry: config.retry,
            patience: config.patience,
        };
        let feed = Feed::new();
        let writer = Writer::new(Arc::clone(&queue), start, manner, feed.clone());
        let desk = Arc::new(Desk::new(queue, writer, ways));
        let threads = [("audit", Desk::run as fn(&Desk)), ("audit-watch", Desk::watch)];
        let threads = threads.map(|(name, work)| {
            let desk = Arc::clone(&desk);
            let thread = std::thread::Builder::new().name(name.into());
            thread.spawn(move || work(&desk))
        });
        let threads: io::Result<Vec<_>> = threads.into_iter().collect();
        Ok(Self {
            shared: Arc::new(Shared {
                desk,
                counts: Counts::default(),
                feed: Mutex::new(Some(feed)),
                threads: Mutex::new(threads?),
                sinks: Mutex::default(),
            }),
        })
    }

    /// Queues the event of a statement that is let pass. The text may be sent at once, unless it
    /// writes; no row may leave before [`Journal::written`] says so.
    ///
    /// # Errors
    /// The audit cannot be written: the statement must be refused.
    pub fn record(
        &self,
        verified: Arc<Verified>,
        event: &StatementEvent<'_>,
    ) -> Result<(Recorded, Ticket), AuditUnavailable> {
        let ticket = self.announce(event)?;
        Ok((Recorded { verified }, ticket))
    }

    /// Queues the event of a statement that is refused; what is recorded is the fixed text that is
    /// sure to fail in its place.
    ///
    /// # Errors
    /// The audit cannot be written: [`Recorded::refusal`] still gives what to send.
    pub fn refuse(&self, event: &StatementEvent<'_>) -> Result<(Recorded, Ticket), AuditUnavailable> {
        let ticket = self.announce(event)?;
        Ok((Recorded::refusal(), ticket))
    }

    /// For a text that is parsed and not yet run: there is nothing to tell, as long as what runs it
    /// can be told.
    ///
    /// # Errors
    /// The audit cannot be written: the statement must be refused.
    pub fn prepare(&self, verified: Arc<Verified>) -> Result<Recorded, AuditUnavailable> {
        if self.is_available() {
            Ok(Recorded { verified })
        } else {
            Err(AuditUnavailable)
        }
    }

    /// Queues an event of what has happened. While the audit cannot be written it is kept, as far
    /// as there is room.
    pub fn note(&self, event: Event) -> Ticket {
        self.shared.counts.event(&event);
        let (id, now) = stamp();
        self.shared.desk.queue.note(id, event.body(id, now))
    }

    /// Waits until the event is written. Costs one atomic load where it is already.
    ///
    /// # Errors
    /// It was not, and will not be: what it announced must not happen.
    pub async fn written(&self, ticket: Ticket) -> Result<(), AuditUnavailable> {
        self.shared.desk.written(ticket).await
    }

    /// The caller has sent what it has recorded, and nothing to do until the server answers: a good
    /// moment to write the record, if that can be done here without waiting for anything.
    pub fn help(&self) {
        if self.shared.desk.queue.is_awaited() {
            self.shared.desk.help();
        }
    }

    /// Whether the event is written; `None` while that is open. One atomic load.
    pub fn outcome(&self, ticket: Ticket) -> Option<Result<(), AuditUnavailable>> {
        self.shared.desk.queue.outcome(ticket)
    }

    /// Records from now on, as they are written; ends when the journal is closed. A follower that is
    /// too slow misses records, and is told how many; it never holds up the journal.
    pub fn follow(&self) -> broadcast::Receiver<WrittenRecord> {
        let feed = self.shared.feed.lock().unwrap_or_else(PoisonError::into_inner);
        feed.as_ref().map_or_else(|| Feed::new().follow(), Feed::follow)
    }

    /// What has been told so far, counted.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// How many events wait to be written.
    pub fn lag(&self) -> u64 {
        self.shared.desk.queue.lag()
    }

    /// How many records sinks were not given; the file has them.
    pub fn sinks_dropped(&self) -> u64 {
        self.shared.desk.sinks_dropped.load(Ordering::Relaxed)
    }

    /// Gives records from now on to a sink as well, all or only checkpoints.
    ///
    /// # Errors
    /// The sink cannot be opened.
    pub fn pour(&self, target: &sink::Target, only_checkpoints: bool) -> io::Result<()> {
        let desk = Arc::clone(&self.shared.desk);
        let sink = sink::open(target, only_checkpoints, self.follow(), desk)?;
        let mut sinks = self.shared.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.push(sink);
        Ok(())
    }

    /// As far as is known, events can be written.
    pub fn is_available(&self) -> bool {
        self.shared.desk.queue.is_available()
    }

    /// Writes what is queued, then `stop`, and ends the writer; what is recorded later is refused.
    /// Waits for the disk: not for a thread that serves others.
    pub fn close(&self) {
        let stop = Event::Stop.body(Uuid::now_v7(), OffsetDateTime::now_utc());
        self.shared.end(Some(stop));
    }

    fn announce(&self, event: &StatementEvent<'_>) -> Result<Ticket, AuditUnavailable> {
        let (id, now) = stamp();
        let announced = self.shared.desk.queue.announce(id, event.body(id, now));
        match &announced {
            Ok(_) => self.shared.counts.statement(event),
            Err(AuditUnavailable) => self.shared.counts.unrecorded(),
        }
        announced
    }
}

impl Shared {
    fn end(&self, last: Option<Vec<u8>>) {
        self.desk.queue.close(last);
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            thread.thread().unpark();
            // A writer that panicked has refused all that waited, and there is nothing to add.
            let _ = thread.join();
        }
        drop(threads);
        self.feed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.drain(..).for_each(|sink| sink.wait(LAST_WORDS));
    }
}

impl Drop for Shared {
    /// Without a `stop`: whoever meant to stop would have said so.
    fn drop(&mut self) {
        self.end(None);
    }
}

/// A new id, and the time that it holds (UUID version 7, RFC 9562).
fn stamp() -> (Uuid, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    let milliseconds = u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &rand::random());
    (id.into_uuid(), now)
}

#[cfg(test)]
mod tests;
