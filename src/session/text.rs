//! A client's text: as it came, and without its tags.

use std::ops::Range;
use std::sync::Arc;

use crate::sql::{ClientSql, TagError};

/// How pg_dump sets a setting that older servers lack: out of a view of all settings, which is not for clients.
const BY_VIEW: &str = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind'";
/// The same, where there is that setting, as there is in every maintained server.
const BY_NAME: &str = "SELECT set_config('restrict_nonsystem_relation_kind', 'view, foreign-table', false)";

/// A text, or one that means the same and can be served.
pub fn as_served(text: &str) -> &str {
    match text {
        BY_VIEW => BY_NAME,
        text => text,
    }
}

/// A text of the client, and the way back from our positions to the client's.
#[derive(Debug, Clone)]
pub struct Text {
    /// Without tags.
    pub sql: Arc<ClientSql>,
    /// As it came, where that differs.
    original: Option<Arc<str>>,
}

impl Text {
    /// Takes the tags off.
    ///
    /// # Errors
    /// See [`ClientSql::new`].
    pub fn new(text: &str) -> Result<Self, TagError> {
        let sql = ClientSql::new(text)?;
        let original = (sql.text() != text).then(|| text.into());
        Ok(Self {
            sql: Arc::new(sql),
            original,
        })
    }

    /// A part of one of its statements, see [`ClientSql::part`].
    pub fn part(&self, part: Range<usize>, statement: Range<usize>) -> Option<Self> {
        let sql = self.sql.part(part, statement)?;
        let original = self.original.clone().unwrap_or_else(|| self.sql.text().into());
        Some(Self {
            sql: Arc::new(sql),
            original: Some(original),
        })
    }

    /// The position that an error shows, in characters from 1, of a byte offset in the text without
    /// tags.
    pub fn position(&self, offset: usize) -> usize {
        let text = self.original.as_deref().unwrap_or_else(|| self.sql.text());
        let end = self.sql.to_client(offset).min(text.len());
        characters(text, end) + 1
    }
}

/// How many characters begin before byte `end`.
fn characters(text: &str, end: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < end).count()
}

/// The byte offset of the n-th character, from 1.
pub fn byte_offset(text: &str, position: usize) -> usize {
    text.char_indices()
        .nth(position.saturating_sub(1))
        .map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_of_the_clients_own_text() {
        let text = Text::new("/*purpose='a'*/ SELECT 'é', x").unwrap();
        let at = text.sql.text().find(", x").unwrap() + 2;
        assert_eq!(text.position(at), "/*purpose='a'*/ SELECT 'é', x".chars().count());
        assert_eq!(byte_offset("é, x", 2), 2);
        assert_eq!(byte_offset("ab", 9), 2);
    }
}
