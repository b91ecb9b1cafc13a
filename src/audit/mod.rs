//! The journal: what was asked, by whom, for what purpose, with which outcome; written before the
//! first row leaves.
//!
//! The only maker of [`Recorded`]. Knows no SQL and no policy beyond the facts it is handed.

use std::sync::Arc;

use crate::verify::Verified;

/// A verified text of which the journal knows. Not `Clone`, no public constructor.
#[derive(Debug)]
pub struct Recorded {
    verified: Arc<Verified>,
}

impl Recorded {
    /// The text as PostgreSQL gets it.
    pub fn text(&self) -> &str {
        self.verified.text()
    }
}
