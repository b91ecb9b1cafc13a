//! Purpose tags in comments (sqlcommenter form) and the text without them.
//!
//! policy.md section 4. A tag counts only in a real comment, by PostgreSQL's lexical rules.

use std::ops::Range;

/// A client's text with its tags taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSql {
    text: String,
    tags: Vec<Tag>,
    removed: Vec<Removed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Removed {
    /// Where, in the text without tags.
    at: usize,
    /// The bytes taken off in the client's text.
    original: Range<usize>,
    /// How many bytes stand there instead (a space keeps tokens apart).
    kept: usize,
}

/// One `key='value'` of a comment, URL-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// `purpose`, `reason`, `subject`, `actor`, `traceparent`, …
    pub key: String,
    /// Decoded value.
    pub value: String,
    /// Byte offset in the text without tags: tells which statement it belongs to.
    pub at: usize,
}

/// Why a text's tags could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Two tags of one statement disagree.
    #[error("two tags of one statement disagree on {0}")]
    Conflict(String),
    /// A comment, string or quoted identifier does not end.
    #[error("unterminated {0}")]
    Unterminated(&'static str),
}

impl ClientSql {
    /// Takes the tags off.
    ///
    /// # Errors
    /// An unterminated token. (Disagreeing tags are found per statement, in [`ClientSql::tags_in`].)
    pub fn new(text: &str) -> Result<Self, TagError> {
        let _ = text;
        todo!("lexer helper")
    }

    /// The text without tags.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tags that belong to the statement spanning `range` of the text without tags (the last
    /// value of a key; equal repeats are one).
    ///
    /// # Errors
    /// Two values of one key that differ.
    pub fn tags_in(&self, range: Range<usize>) -> Result<Vec<&Tag>, TagError> {
        let _ = range;
        todo!("lexer helper")
    }

    /// The byte offset in the client's own text of an offset in the text without tags.
    pub fn to_client(&self, offset: usize) -> usize {
        let _ = (offset, &self.removed, &self.tags);
        todo!("lexer helper")
    }
}
