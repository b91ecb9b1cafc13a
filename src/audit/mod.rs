//! The journal: what was asked, by whom, for what purpose, with which outcome; written before the
//! first row leaves.
//!
//! The only maker of [`Recorded`]. Knows no SQL and no policy beyond the facts it is handed.
//!
//! ```text
//!  session ── record ──▶ queue ──▶ writer ──▶ file ──▶ feed ──▶ sinks, page
//!     ▲                  body     seq, prev,  one write, one sync
//!     │                             hash      for all that wait
//!     └── written ◀────────────── watermark
//! ```

mod canonical;
pub mod chain;
pub mod checkpoint;
mod compress;
pub mod counts;
mod desk;
mod event;
mod feed;
mod files;
pub mod follow;
mod journal;
mod moment;
pub mod needles;
pub mod query;
mod queue;
pub mod reader;
pub mod sink;
mod storage;
pub mod tally;
mod trace;
mod writer;

use std::sync::{Arc, LazyLock};

use crate::verify::Verified;

pub use canonical::is_unprintable;
pub use event::{
    BreakGlassPhase, CellChange, DeclaredVia, Event, PolicyStamp, Recovery, SessionFacts, SqlState, StatementEvent,
    SubjectHash, SubjectKey, known_tag,
};
pub use feed::WrittenRecord;
pub use journal::{Durability, Journal, JournalConfig};
pub use moment::{moment as moment_at, timestamp};
pub use queue::{AuditUnavailable, Ticket};
pub use trace::TraceParent;

/// A verified text of which the journal knows. Not `Clone`, no public constructor: what holds one
/// holds proof that its event is in the journal's queue, and has the ticket to wait for it.
#[derive(Debug)]
pub struct Recorded {
    verified: Arc<Verified>,
}

impl Recorded {
    /// The text as PostgreSQL gets it.
    pub fn text(&self) -> &str {
        self.verified.text()
    }

    /// The fixed text of a refusal. It needs no record to be harmless: it reads nothing and is sure
    /// to fail, so that a refusal can be given its place even while the audit cannot be written.
    pub fn refusal() -> Self {
        static REFUSAL: LazyLock<Arc<Verified>> = LazyLock::new(|| Arc::new(Verified::refusal()));
        Self {
            verified: Arc::clone(&REFUSAL),
        }
    }
}
