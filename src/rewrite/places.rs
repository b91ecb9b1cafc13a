//! Places: from a node's byte offset in the text to the bytes that an edit replaces.
//!
//! Reads tokens only. A place that does not look as expected is an error, never a guess.

use std::ops::Range;

use crate::sql::lexer::{Token, TokenKind};

/// A place in the text that is not what the tree says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misplaced;

/// A text and its tokens.
pub struct Places<'t> {
    text: &'t str,
    tokens: &'t [Token],
}

/// A relation as it stands in the text.
pub struct RelationPlace {
    /// Its dotted name.
    pub name: Range<usize>,
    /// Name with ONLY, parentheses and `*`.
    pub whole: Range<usize>,
    /// It is the operand of a TABLE command; `whole` begins at TABLE.
    pub table_command: bool,
}

impl<'t> Places<'t> {
    /// Over the significant tokens of a text.
    pub fn new(text: &'t str, tokens: &'t [Token]) -> Self {
        Self { text, tokens }
    }

    fn index(&self, location: usize) -> Result<usize, Misplaced> {
        self.tokens
            .binary_search_by_key(&location, |t| t.start)
            .map_err(|_| Misplaced)
    }

    fn token(&self, index: usize) -> Option<&Token> {
        self.tokens.get(index)
    }

    fn is_word(&self, index: Option<usize>, word: &str) -> bool {
        index
            .and_then(|i| self.token(i))
            .is_some_and(|t| t.is_word(self.text, word))
    }

    fn is(&self, index: usize, kind: TokenKind) -> bool {
        self.token(index).is_some_and(|t| t.kind == kind)
    }

    /// The dotted name of `parts` parts at `location`; gives its range and the index behind it.
    fn dotted(&self, location: usize, parts: usize) -> Result<(Range<usize>, usize), Misplaced> {
        let mut index = self.index(location)?;
        let mut end = location;
        for part in 0..parts {
            if part > 0 {
                if !self.is(index, TokenKind::Dot) {
                    return Err(Misplaced);
                }
                index += 1;
            }
            let token = self.token(index).ok_or(Misplaced)?;
            let star = token.kind == TokenKind::Operator && token.text(self.text) == "*";
            let unicode = token.kind == TokenKind::UnicodeIdentifier;
            if !matches!(token.kind, TokenKind::Identifier | TokenKind::QuotedIdentifier) && !star && !unicode {
                return Err(Misplaced);
            }
            end = token.end;
            index += 1;
            if unicode && self.is_word(Some(index), "uescape") {
                end = self.token(index + 1).ok_or(Misplaced)?.end;
                index += 2;
            }
        }
        Ok((location..end, index))
    }

    /// The range of a dotted name.
    ///
    /// # Errors
    /// It is not there.
    pub fn name(&self, location: usize, parts: usize) -> Result<Range<usize>, Misplaced> {
        Ok(self.dotted(location, parts)?.0)
    }

    /// A relation, with what belongs to it.
    ///
    /// # Errors
    /// It is not there.
    pub fn relation(&self, location: usize, parts: usize) -> Result<RelationPlace, Misplaced> {
        let first = self.index(location)?;
        let (name, mut behind) = self.dotted(location, parts)?;
        let mut whole = name.clone();
        let mut before = first.checked_sub(1);
        let opened = before.filter(|i| self.is(*i, TokenKind::LeftParen));
        if let Some(paren) = opened
            && self.is_word(paren.checked_sub(1), "only")
        {
            if !self.is(behind, TokenKind::RightParen) {
                return Err(Misplaced);
            }
            whole.end = self.token(behind).ok_or(Misplaced)?.end;
            behind += 1;
            before = paren.checked_sub(1);
        }
        if self.is_word(before, "only") {
            let only = before.ok_or(Misplaced)?;
            whole.start = self.token(only).ok_or(Misplaced)?.start;
            before = only.checked_sub(1);
        }
        if let Some(star) = self.token(behind)
            && star.kind == TokenKind::Operator
            && star.text(self.text) == "*"
        {
            whole.end = star.end;
        }
        let table_command = self.is_word(before, "table");
        if table_command {
            whole.start = before.and_then(|i| self.token(i)).ok_or(Misplaced)?.start;
        }
        Ok(RelationPlace {
            name,
            whole,
            table_command,
        })
    }

    /// A call of a function of `parts` parts: the bytes before its first argument, and those behind it.
    ///
    /// # Errors
    /// It is not there.
    pub fn call(&self, location: usize, parts: usize) -> Result<(Range<usize>, Range<usize>), Misplaced> {
        let (_, opened) = self.dotted(location, parts)?;
        if !self.is(opened, TokenKind::LeftParen) {
            return Err(Misplaced);
        }
        let first = self.token(opened + 1).ok_or(Misplaced)?;
        let mut depth = 0_usize;
        let mut behind = None;
        for token in self.tokens.iter().skip(opened + 1) {
            match token.kind {
                TokenKind::RightParen if depth == 0 => {
                    return Ok((location..first.start, behind.unwrap_or(token.start)..token.end));
                }
                TokenKind::LeftParen | TokenKind::LeftBracket => depth += 1,
                TokenKind::RightParen | TokenKind::RightBracket => depth = depth.checked_sub(1).ok_or(Misplaced)?,
                TokenKind::Comma if depth == 0 && behind.is_none() => behind = Some(token.start),
                _ => {} // any other token belongs to an argument
            }
        }
        Err(Misplaced)
    }

    /// The column list in parentheses behind `end`, if there is one: its range.
    ///
    /// # Errors
    /// It does not close.
    pub fn list_behind(&self, end: usize) -> Result<Option<Range<usize>>, Misplaced> {
        let index = self.tokens.partition_point(|t| t.start < end);
        if !self.is(index, TokenKind::LeftParen) {
            return Ok(None);
        }
        let start = self.token(index).ok_or(Misplaced)?.start;
        let close = self
            .tokens
            .iter()
            .skip(index)
            .find(|t| t.kind == TokenKind::RightParen)
            .ok_or(Misplaced)?;
        Ok(Some(start..close.end))
    }

    /// The condition of the write whose target ends at `behind`: the bytes between WHERE and
    /// RETURNING (or the end), or the place where a WHERE would stand.
    pub fn write_condition(&self, behind: usize, end: usize) -> Result<Condition, Misplaced> {
        let mut depth = 0_usize;
        let mut opened = None;
        let mut last = behind;
        let mut after_dot = false;
        for token in self
            .tokens
            .iter()
            .skip_while(|t| t.start < behind)
            .take_while(|t| t.start < end)
        {
            let word = |word| depth == 0 && !after_dot && token.is_word(self.text, word);
            match token.kind {
                TokenKind::LeftParen => depth += 1,
                TokenKind::RightParen if depth == 0 => break,
                TokenKind::RightParen => depth -= 1,
                TokenKind::Semicolon if depth == 0 => break,
                TokenKind::Identifier if word("returning") => break,
                TokenKind::Identifier if word("where") && opened.is_none() => opened = Some(token.end),
                _ => {} // any other token belongs to a clause that stays as it is
            }
            after_dot = token.kind == TokenKind::Dot;
            last = token.end;
        }
        Ok(match opened {
            Some(start) => Condition::Present(start..last),
            None => Condition::Absent(last),
        })
    }

    /// The condition of the MERGE whose target ends at `behind`: the bytes between its last ON and its first
    /// WHEN, which those of CASE are not.
    ///
    /// # Errors
    /// They are not there.
    pub fn merge_condition(&self, behind: usize, end: usize) -> Result<Range<usize>, Misplaced> {
        let (mut depth, mut cases) = (0_usize, 0_usize);
        let mut opened = None;
        let mut last = behind;
        let mut after_dot = false;
        for token in self
            .tokens
            .iter()
            .skip_while(|t| t.start < behind)
            .take_while(|t| t.start < end)
        {
            let word = |word| depth == 0 && !after_dot && token.is_word(self.text, word);
            match token.kind {
                TokenKind::LeftParen => depth += 1,
                TokenKind::RightParen => depth = depth.checked_sub(1).ok_or(Misplaced)?,
                TokenKind::Identifier if word("case") => cases += 1,
                TokenKind::Identifier if word("end") => cases = cases.checked_sub(1).ok_or(Misplaced)?,
                TokenKind::Identifier if word("on") => opened = Some(token.end),
                TokenKind::Identifier if word("when") && cases == 0 => {
                    return opened.map(|start| start..last).ok_or(Misplaced);
                }
                _ => {} // any other token belongs to the source or the condition
            }
            after_dot = token.kind == TokenKind::Dot;
            last = token.end;
        }
        Err(Misplaced)
    }

    /// The text of a place.
    ///
    /// # Errors
    /// It is not one.
    pub fn text_of(&self, range: &Range<usize>) -> Result<&'t str, Misplaced> {
        self.text.get(range.clone()).ok_or(Misplaced)
    }

    /// Where the last token of a range starts.
    ///
    /// # Errors
    /// The range ends in no token.
    pub fn last_part(&self, range: &Range<usize>) -> Result<usize, Misplaced> {
        self.tokens
            .iter()
            .rev()
            .find(|t| t.end == range.end)
            .map(|t| t.start)
            .ok_or(Misplaced)
    }

    /// The constant or parameter that begins at `location`, as text: one token, and UESCAPE where it
    /// follows.
    ///
    /// # Errors
    /// It is not there.
    pub fn constant(&self, location: usize) -> Result<&'t str, Misplaced> {
        let index = self.index(location)?;
        let mut token = self.token(index).ok_or(Misplaced)?;
        if self.is_word(Some(index + 1), "uescape") {
            token = self.token(index + 2).ok_or(Misplaced)?;
        }
        self.text.get(location..token.end).ok_or(Misplaced)
    }

    /// Whether the token at `location` is the first inside parentheses.
    ///
    /// # Errors
    /// It is not there.
    pub fn is_behind_paren(&self, location: usize) -> Result<bool, Misplaced> {
        let before = self.index(location)?.checked_sub(1);
        Ok(before.is_some_and(|i| self.is(i, TokenKind::LeftParen)))
    }

    /// The token behind the first one of that word at or behind `from`.
    ///
    /// # Errors
    /// There is none.
    pub fn behind_word(&self, from: usize, word: &str) -> Result<Range<usize>, Misplaced> {
        let start = self.tokens.partition_point(|t| t.start < from);
        let found = self
            .tokens
            .iter()
            .skip(start)
            .position(|t| t.is_word(self.text, word))
            .ok_or(Misplaced)?;
        let token = self.token(start + found + 1).ok_or(Misplaced)?;
        Ok(token.start..token.end)
    }
}

/// Where a write's condition is.
pub enum Condition {
    /// These bytes.
    Present(Range<usize>),
    /// It would stand here.
    Absent(usize),
}
