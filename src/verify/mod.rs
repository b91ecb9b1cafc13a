//! The gate: the outgoing text as PostgreSQL's own grammar reads it, held against the plan.
//!
//! The only maker of [`Verified`]. Knows no purpose and no byte positions of the splicer: it applies
//! the plan's edits to the *tree* of the client's text and asks that it equal the tree of what goes
//! out (translation validation).

/// A text that the gate let pass. Not `Clone`, no public constructor: what holds one holds proof.
#[derive(Debug)]
pub struct Verified {
    text: Box<str>,
}

impl Verified {
    /// The text as PostgreSQL gets it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A statement that is sure to fail at its place, sent where a statement was refused: it parses,
    /// so an aborted transaction answers first, and then names a relation that cannot exist.
    pub fn refusal() -> Self {
        Self {
            text: "SELECT FROM pg_catalog.\"pgpurpose: refused\"".into(),
        }
    }
}
