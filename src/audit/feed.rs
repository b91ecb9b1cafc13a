//! Finished records as they are written, for whoever looks on: the audit page, the sinks.
//!
//! Nobody who looks on can hold up the journal: a follower that falls behind by more than [`DEPTH`]
//! records misses the oldest, and is told how many. The file is the authority. Knows no event.

use bytes::Bytes;
use tokio::sync::broadcast;

/// So many records are kept for a follower that is behind.
pub const DEPTH: usize = 8192;

/// A record that is in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenRecord {
    /// Its number.
    pub seq: u64,
    /// Its line, one JSON object, without the line end.
    pub line: Bytes,
}

/// The writer's end.
#[derive(Debug, Clone)]
pub(super) struct Feed(broadcast::Sender<WrittenRecord>);

impl Feed {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(DEPTH))
    }

    pub(super) fn follow(&self) -> broadcast::Receiver<WrittenRecord> {
        self.0.subscribe()
    }

    /// Tells of whole lines that were written, the first of which has the number `first`. Costs one
    /// atomic load where nobody looks on.
    pub(super) fn publish(&self, first: u64, lines: &[u8]) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let lines = Bytes::copy_from_slice(lines);
        let mut start = 0;
        for (seq, line) in (first..).zip(lines.split_inclusive(|&c| c == b'\n')) {
            let end = start + line.len();
            let line = lines.slice(start..end.saturating_sub(1));
            // An error says that the last follower has left meanwhile.
            let _ = self.0.send(WrittenRecord { seq, line });
            start = end;
        }
    }
}
