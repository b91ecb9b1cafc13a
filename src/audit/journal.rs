//! The handle by which sessions write the audit, and the only maker of [`Recorded`].
//!
//! Events become bytes on the caller's thread; the writer adds number and hashes.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::verify::Verified;

use super::Recorded;
use super::chain::Head;
use super::counts::Counts;
use super::event::{Event, Recovery, StatementEvent};
use super::feed::{Feed, WrittenRecord};
use super::queue::{AuditUnavailable, Queue, Ticket};
use super::storage::{self, Ledger, Medium};
use super::writer::{Manner, Writer};

/// When an event counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk: it survives a loss of power.
    Disk,
    /// The operating system has it: it survives the proxy's end.
    System,
}

/// Where and how the journal is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// The file, `audit.jsonl`.
    pub path: PathBuf,
    /// When an event counts as written.
    pub durability: Durability,
    /// A file longer than this is followed by another.
    pub rotate_bytes: u64,
    /// So many bytes of events may wait for the writer; more are refused.
    pub queue_bytes: usize,
    /// Between two attempts while the file cannot be written.
    pub retry: Duration,
}

impl JournalConfig {
    /// On disk before a row leaves; 256 MiB a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Disk,
            rotate_bytes: 256 * 1024 * 1024,
            queue_bytes: 8 * 1024 * 1024,
            retry: Duration::from_secs(1),
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
    queue: Arc<Queue>,
    counts: Counts,
    /// Gone when the journal is closed, so that followers see the end.
    feed: Mutex<Option<Feed>>,
    writer: Mutex<Option<JoinHandle<()>>>,
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
        let journal = Self::start(opened.ledger, opened.head, opened.first_seq, &config)?;
        if opened.torn > 0 {
            tracing::warn!(
                bytes = opened.torn,
                "the audit file ended within a record; it was set aside"
            );
            journal.note(Event::Recovered(Recovery::Torn { bytes: opened.torn }));
        }
        Ok(journal)
    }

    pub(super) fn start<M: Medium>(
        ledger: Ledger<M>,
        head: Head,
        first_seq: Option<u64>,
        config: &JournalConfig,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(config.queue_bytes));
        let manner = Manner {
            durable: config.durability == Durability::Disk,
            rotate_bytes: config.rotate_bytes,
            retry: config.retry,
        };
        let feed = Feed::new();
        let writer = Writer::new(Arc::clone(&queue), ledger, head, first_seq, manner, feed.clone());
        let writer = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run())?;
        Ok(Self {
            shared: Arc::new(Shared {
                queue,
                counts: Counts::default(),
                feed: Mutex::new(Some(feed)),
                writer: Mutex::new(Some(writer)),
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
        event: StatementEvent,
    ) -> Result<(Recorded, Ticket), AuditUnavailable> {
        let ticket = self.announce(&event)?;
        Ok((Recorded { verified }, ticket))
    }

    /// Queues the event of a statement that is refused; what is recorded is the fixed text that is
    /// sure to fail in its place.
    ///
    /// # Errors
    /// The audit cannot be written: [`Recorded::refusal`] still gives what to send.
    pub fn refuse(&self, event: StatementEvent) -> Result<(Recorded, Ticket), AuditUnavailable> {
        let ticket = self.announce(&event)?;
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
        let id = Uuid::now_v7();
        self.shared.counts.event(&event);
        self.shared.queue.note(id, event.body(id, OffsetDateTime::now_utc()))
    }

    /// Waits until the event is written. Costs one atomic load where it is already.
    ///
    /// # Errors
    /// It was not, and will not be: what it announced must not happen.
    pub async fn written(&self, ticket: Ticket) -> Result<(), AuditUnavailable> {
        self.shared.queue.written(ticket).await
    }

    /// Whether the event is written; `None` while that is open. One atomic load.
    pub fn outcome(&self, ticket: Ticket) -> Option<Result<(), AuditUnavailable>> {
        self.shared.queue.outcome(ticket)
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
        self.shared.queue.lag()
    }

    /// As far as is known, events can be written.
    pub fn is_available(&self) -> bool {
        self.shared.queue.is_available()
    }

    /// Writes what is queued, then `stop`, and ends the writer; what is recorded later is refused.
    /// Waits for the disk: not for a thread that serves others.
    pub fn close(&self) {
        let stop = Event::Stop.body(Uuid::now_v7(), OffsetDateTime::now_utc());
        self.shared.end(Some(stop));
    }

    fn announce(&self, event: &StatementEvent) -> Result<Ticket, AuditUnavailable> {
        let id = Uuid::now_v7();
        let announced = self
            .shared
            .queue
            .announce(id, event.body(id, OffsetDateTime::now_utc()));
        match &announced {
            Ok(_) => self.shared.counts.statement(event),
            Err(AuditUnavailable) => self.shared.counts.unrecorded(),
        }
        announced
    }
}

impl Shared {
    fn end(&self, last: Option<Vec<u8>>) {
        self.queue.close(last);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has refused all that waited, and there is nothing to add.
            let _ = writer.join();
        }
        self.feed.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Shared {
    /// Without a `stop`: whoever meant to stop would have said so.
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
mod tests;
