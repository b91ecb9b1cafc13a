//! Purpose tags in comments (sqlcommenter form) and the text without them.
//!
//! policy.md section 4. A tag counts only in a real block comment, by PostgreSQL's lexical rules, and only
//! where the whole comment is `key='value'` pairs; any other comment is left where it stands and declares
//! nothing. Knows no purpose: what a key means is the session's business.

use std::ops::Range;

use super::lexer::{self, Lexer, Token, TokenKind};

/// A client's text with its tags taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSql {
    text: String,
    tags: Vec<Tag>,
    /// Ascending; empty where nothing was taken off.
    pieces: Vec<Piece>,
}

/// From `at` in the text without tags, up to the next piece, stands what the client wrote from `source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    at: usize,
    source: usize,
}

/// One `key='value'` of a comment, URL-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// `purpose`, `reason`, `subject`, `actor`, `traceparent`, …
    pub key: String,
    /// Decoded value.
    pub value: String,
    /// Byte offset, in the text without tags, of a token of the statement that it belongs to: the one
    /// that it stands in or before; at the end of a text, the last one.
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
    /// An unterminated token, found only where the text has a comment at all. (Disagreeing tags are found
    /// per statement, in [`ClientSql::tags_in`].)
    pub fn new(text: &str) -> Result<Self, TagError> {
        if !text.contains("/*") {
            return Ok(Self {
                text: text.to_owned(),
                tags: Vec::new(),
                pieces: Vec::new(),
            });
        }
        let mut remover = Remover::new(text);
        for token in Lexer::new(text) {
            remover.read(token.map_err(|e| TagError::Unterminated(e.what))?);
        }
        Ok(remover.finish())
    }

    /// The text without tags.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All tags, in order.
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// The tags that belong to the statement spanning `range` of the text without tags (one for each key,
    /// in order of first appearance; equal repeats are one). The range may hold the statement's semicolon
    /// and the white space and comments around it, or not.
    ///
    /// # Errors
    /// Two values of one key that differ.
    pub fn tags_in(&self, range: Range<usize>) -> Result<Vec<&Tag>, TagError> {
        let mut found: Vec<&Tag> = Vec::new();
        for tag in self.tags.iter().filter(|tag| range.contains(&tag.at)) {
            match found.iter().find(|earlier| earlier.key == tag.key) {
                Some(earlier) if earlier.value == tag.value => {}
                Some(_) => return Err(TagError::Conflict(tag.key.clone())),
                None => found.push(tag),
            }
        }
        Ok(found)
    }

    /// A part of a statement, as a text of its own with the statement's tags; its positions stay those of
    /// the whole. `None`: no part of the text.
    pub fn part(&self, part: Range<usize>, statement: Range<usize>) -> Option<Self> {
        let text = self.text.get(part.clone())?.to_owned();
        let own = self.tags.iter().filter(|tag| statement.contains(&tag.at));
        let tags = own.map(|tag| Tag { at: 0, ..tag.clone() }).collect();
        let first = Piece {
            at: 0,
            source: self.to_client(part.start),
        };
        let inside = self.pieces.iter().filter(|p| part.start < p.at && p.at < part.end);
        let inside = inside.map(|p| Piece {
            at: p.at - part.start,
            ..*p
        });
        Some(Self {
            text,
            tags,
            pieces: std::iter::once(first).chain(inside).collect(),
        })
    }

    /// The byte offset in the client's own text of an offset in the text without tags.
    pub fn to_client(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.at <= offset);
        match after.checked_sub(1).and_then(|last| self.pieces.get(last)) {
            Some(piece) => piece.source + (offset - piece.at),
            None => offset,
        }
    }
}

/// Copies a text without its tags, token by token.
struct Remover<'a> {
    source: &'a str,
    /// Up to where the source was copied or dropped.
    done: usize,
    text: String,
    pieces: Vec<Piece>,
    tags: Vec<Tag>,
    /// How many tags know their statement; those after these stand before a statement's first token.
    placed: usize,
    /// Start of the last token of the statement that we are in.
    inside: Option<usize>,
    /// Start of the last token of any statement.
    last: usize,
    after_line_comment: bool,
}

impl<'a> Remover<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            source,
            done: 0,
            text: String::with_capacity(source.len()),
            pieces: Vec::new(),
            tags: Vec::new(),
            placed: 0,
            inside: None,
            last: 0,
            after_line_comment: false,
        }
    }

    fn read(&mut self, token: Token) {
        match token.kind {
            TokenKind::BlockComment => match pairs(token.text(self.source)) {
                Some(pairs) => {
                    let at = self.inside.unwrap_or(0);
                    self.tags
                        .extend(pairs.into_iter().map(|(key, value)| Tag { key, value, at }));
                    if self.inside.is_some() {
                        self.placed = self.tags.len();
                    }
                    self.take_off(token);
                }
                None => self.after_line_comment = false,
            },
            TokenKind::LineComment => self.after_line_comment = true,
            TokenKind::Semicolon => {
                self.inside = None;
                self.after_line_comment = false;
            }
            _ => {
                let at = self.text.len() + (token.start - self.done);
                self.place_tags(at);
                self.inside = Some(at);
                self.last = at;
                self.after_line_comment = false;
            }
        }
    }

    /// Tags before a statement belong to the token that starts it.
    fn place_tags(&mut self, at: usize) {
        for tag in self.tags.iter_mut().skip(self.placed) {
            tag.at = at;
        }
        self.placed = self.tags.len();
    }

    /// Leaves a comment out, and white space with it such that statements that differ only in tags become
    /// the same text, and no two tokens become one.
    fn take_off(&mut self, comment: Token) {
        self.copy_up_to(comment.start);
        let rest = self.source.get(comment.end..).unwrap_or_default();
        let space_after = rest.len() - rest.trim_start_matches(is_space).len();
        let next = rest.as_bytes().get(space_after).copied();
        let without_space = self.text.trim_end_matches(is_space).len();

        self.done = comment.end + space_after;
        if without_space == 0 {
            self.shorten(0);
        } else if matches!(next, None | Some(b';')) && !self.after_line_comment {
            self.shorten(without_space);
        } else if without_space < self.text.len() {
            // The space before it (the end of a line comment, maybe) stays.
        } else if space_after > 0 {
            self.done = comment.end;
        } else if !(stands_alone(self.text.as_bytes().last().copied()) || stands_alone(next)) {
            self.pieces.push(Piece {
                at: self.text.len(),
                source: comment.start,
            });
            self.text.push(' ');
        }
    }

    fn copy_up_to(&mut self, end: usize) {
        if end > self.done {
            self.pieces.push(Piece {
                at: self.text.len(),
                source: self.done,
            });
            self.text.push_str(self.source.get(self.done..end).unwrap_or_default());
            self.done = end;
        }
    }

    fn shorten(&mut self, len: usize) {
        self.text.truncate(len);
        while self.pieces.last().is_some_and(|piece| piece.at >= len) {
            self.pieces.pop();
        }
    }

    fn finish(mut self) -> ClientSql {
        self.place_tags(self.last);
        if self.tags.is_empty() {
            return ClientSql {
                text: self.source.to_owned(),
                tags: self.tags,
                pieces: Vec::new(),
            };
        }
        self.copy_up_to(self.source.len());
        ClientSql {
            text: self.text,
            tags: self.tags,
            pieces: self.pieces,
        }
    }
}

fn is_space(character: char) -> bool {
    u8::try_from(character).is_ok_and(lexer::is_space)
}

/// Whether a byte is a token that never grows into another with its neighbour.
fn stands_alone(byte: Option<u8>) -> bool {
    matches!(byte, Some(b'(' | b')' | b'[' | b']' | b',' | b';'))
}

/// The pairs of a comment that is nothing but `key='value'`, separated by commas, with blanks around
/// pairs; `None` for any other comment.
fn pairs(comment: &str) -> Option<Vec<(String, String)>> {
    let mut rest = comment.strip_prefix("/*")?.strip_suffix("*/")?.trim_matches(' ');
    // A comment inside a comment, or a line end: written by hand for people.
    if rest.contains("/*") || rest.contains(char::is_control) {
        return None;
    }
    let mut pairs = Vec::new();
    loop {
        let (pair, after) = pair(rest)?;
        pairs.push(pair);
        let after = after.trim_start_matches(' ');
        if after.is_empty() {
            return Some(pairs);
        }
        rest = after.strip_prefix(',')?.trim_start_matches(' ');
    }
}

/// One `key='value'` and what follows it.
fn pair(text: &str) -> Option<((String, String), &str)> {
    let (key, rest) = text.split_once("='")?;
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return None;
    }
    let mut end = 0;
    loop {
        end += rest.get(end..)?.find(['\'', '\\'])?;
        if rest.get(end..)?.starts_with('\'') {
            break;
        }
        // Some writers leave a quote as it is and put a backslash before it; nothing else is escaped so.
        rest.get(end..)?.strip_prefix("\\'")?;
        end += 2;
    }
    let value = decode(&rest.get(..end)?.replace("\\'", "'"));
    Some(((key.to_owned(), value), rest.get(end + 1..)?))
}

/// Undoes URL encoding. What is no encoded byte stays as it is, so that a badly written purpose is an
/// unknown one, not none; so does an encoded NUL, which no PostgreSQL text may hold.
fn decode(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, after) = encoded_byte(rest).unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The byte that a leading `%41` stands for, and what follows.
fn encoded_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else {
        return None;
    };
    let byte = hex(*high)? * 16 + hex(*low)?;
    (byte != 0).then_some((byte, after))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests;
