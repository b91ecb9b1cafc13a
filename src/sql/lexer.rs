//! PostgreSQL's lexical rules (`scan.l`, standard_conforming_strings on, UTF-8): tokens with byte spans.
//!
//! Knows no grammar and no keyword. The gate reads with PostgreSQL's own scanner, so an error here is a
//! refusal, never a leak. What does not end is an error; what else PostgreSQL would complain of (`1a`,
//! `""`, a lone `$`) is a token, since its own parser will refuse the text with the better words.

/// PostgreSQL's limit for a name, in bytes (`NAMEDATALEN - 1`).
pub const MAX_NAME: usize = 63;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// An unquoted word, keywords among them: see [`fold`].
    Identifier,
    /// `"…"`: see [`unquote`].
    QuotedIdentifier,
    /// `U&"…"`; a UESCAPE clause is tokens of its own.
    UnicodeIdentifier,
    /// `'…'`, with its continuations on later lines.
    String,
    /// `E'…'`
    EscapeString,
    /// `U&'…'`; a UESCAPE clause is tokens of its own.
    UnicodeString,
    /// `B'…'`
    BitString,
    /// `X'…'`
    HexString,
    /// `N'…'`
    NationalString,
    /// `$tag$…$tag$`
    DollarString,
    /// An integer or decimal of any base.
    Number,
    /// `$1`
    Parameter,
    /// Any operator, also `*`, `=`, `<=`, `<>`.
    Operator,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `[`
    LeftBracket,
    /// `]`
    RightBracket,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `.`
    Dot,
    /// `:`
    Colon,
    /// `::`
    DoubleColon,
    /// `:=`
    ColonEquals,
    /// `..`
    DotDot,
    /// `=>`
    EqualsGreater,
    /// `-- …`, without its line end.
    LineComment,
    /// `/* … */`, nested ones inside.
    BlockComment,
    /// What no PostgreSQL statement may hold: `1a`, `0x`, a lone `$`, `{`.
    Junk,
}

impl TokenKind {
    /// Whether it is a comment, which means nothing to the grammar.
    pub const fn is_comment(self) -> bool {
        matches!(self, Self::LineComment | Self::BlockComment)
    }

    /// Whether it is a constant: a string of any kind or a number.
    pub const fn is_literal(self) -> bool {
        matches!(
            self,
            Self::String
                | Self::EscapeString
                | Self::UnicodeString
                | Self::BitString
                | Self::HexString
                | Self::NationalString
                | Self::DollarString
                | Self::Number
        )
    }

    /// Whether it is a name or a keyword.
    pub const fn is_identifier(self) -> bool {
        matches!(
            self,
            Self::Identifier | Self::QuotedIdentifier | Self::UnicodeIdentifier
        )
    }
}

/// A token: `start..end` are byte offsets, always on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

impl Token {
    /// Its spelling in `text`, the text it was read from.
    pub fn text(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// The name that an identifier stands for, as PostgreSQL would store it; `None` for other tokens and
    /// for `U&"…"`, whose escape character is told by a later token.
    pub fn name(self, text: &str) -> Option<String> {
        match self.kind {
            TokenKind::Identifier => Some(fold(self.text(text))),
            TokenKind::QuotedIdentifier => Some(unquote(self.text(text))),
            _ => None,
        }
    }

    /// Whether it is this unquoted word, in any case.
    pub fn is_word(self, text: &str, word: &str) -> bool {
        self.kind == TokenKind::Identifier && self.text(text).eq_ignore_ascii_case(word)
    }
}

/// A token that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unterminated {what}")]
pub struct LexError {
    /// In PostgreSQL's words: `quoted string`, `/* comment`, …
    pub what: &'static str,
    /// Where it starts.
    pub start: usize,
}

/// All tokens of a text, comments included.
///
/// # Errors
/// A token that does not end.
pub fn tokens(text: &str) -> Result<Vec<Token>, LexError> {
    Lexer::new(text).collect()
}

/// The tokens of a text that mean something to the grammar: all but comments.
///
/// # Errors
/// A token that does not end.
pub fn significant(text: &str) -> Result<Vec<Token>, LexError> {
    Lexer::new(text)
        .filter(|token| !token.is_ok_and(|t| t.kind.is_comment()))
        .collect()
}

/// The name that an unquoted word stands for: ASCII letters in lower case, cut to [`MAX_NAME`] bytes.
pub fn fold(word: &str) -> String {
    truncate(word).to_ascii_lowercase()
}

/// The name that a quoted identifier stands for: quotes off, doubled ones made one, cut to [`MAX_NAME`] bytes.
pub fn unquote(quoted: &str) -> String {
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(quoted);
    let name = inner.replace("\"\"", "\"");
    truncate(&name).to_owned()
}

/// Cuts a name to [`MAX_NAME`] bytes, between characters (`pg_mbcliplen`).
pub fn truncate(name: &str) -> &str {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

/// Whether PostgreSQL's scanner takes the byte for white space.
pub const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | 0x0b)
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Bytes above ASCII are letters, whatever character they belong to.
const fn starts_identifier(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

const fn continues_identifier(byte: u8) -> bool {
    starts_identifier(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// As in an identifier, but no `$`.
const fn continues_dollar_tag(byte: u8) -> bool {
    starts_identifier(byte) || byte.is_ascii_digit()
}

const fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}

/// Operator characters that the SQL standard's own operators do not use: with one of them, a longer
/// operator may end in `+` or `-`.
const fn is_non_standard_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%'
    )
}

/// Reads tokens one by one, without allocation; ends after the first error.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

/// PostgreSQL's grammar takes time with the square of this (`xcdepth` of `scan.l`).
const DEEPEST_COMMENT: usize = 100;

impl<'a> Lexer<'a> {
    /// From the start of a text.
    pub const fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn byte_is(&self, at: usize, wanted: u8) -> bool {
        self.byte(at) == Some(wanted)
    }

    /// The first position from `at` whose byte is not wanted.
    fn end_of(&self, at: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        at + rest.iter().position(|&b| !wanted(b)).unwrap_or(rest.len())
    }

    /// The position after the next `wanted` from `at`.
    fn after(&self, at: usize, wanted: u8) -> Option<usize> {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        rest.iter().position(|&b| b == wanted).map(|found| at + found + 1)
    }

    fn token(&self, start: usize, first: u8) -> Result<(TokenKind, usize), LexError> {
        let next = self.byte(start + 1);
        match first {
            b'-' if next == Some(b'-') => Ok((TokenKind::LineComment, self.end_of(start, |b| !is_line_end(b)))),
            b'/' if next == Some(b'*') => self.block_comment(start),
            b'\'' => self.string(start, start, TokenKind::String),
            b'e' | b'E' if next == Some(b'\'') => self.string(start, start + 1, TokenKind::EscapeString),
            b'b' | b'B' if next == Some(b'\'') => self.string(start, start + 1, TokenKind::BitString),
            b'x' | b'X' if next == Some(b'\'') => self.string(start, start + 1, TokenKind::HexString),
            b'n' | b'N' if next == Some(b'\'') => self.string(start, start + 1, TokenKind::NationalString),
            b'u' | b'U' if next == Some(b'&') && self.byte_is(start + 2, b'\'') => {
                self.string(start, start + 2, TokenKind::UnicodeString)
            }
            b'u' | b'U' if next == Some(b'&') && self.byte_is(start + 2, b'"') => {
                self.quoted_identifier(start, start + 2, TokenKind::UnicodeIdentifier)
            }
            b'"' => self.quoted_identifier(start, start, TokenKind::QuotedIdentifier),
            b'$' => self.dollar(start),
            b'0'..=b'9' => Ok(self.number(start)),
            b'.' if next.is_some_and(|b| b.is_ascii_digit()) => Ok(self.number(start)),
            b'.' if next == Some(b'.') => Ok((TokenKind::DotDot, start + 2)),
            b'.' => Ok((TokenKind::Dot, start + 1)),
            b':' if next == Some(b':') => Ok((TokenKind::DoubleColon, start + 2)),
            b':' if next == Some(b'=') => Ok((TokenKind::ColonEquals, start + 2)),
            b':' => Ok((TokenKind::Colon, start + 1)),
            b'(' => Ok((TokenKind::LeftParen, start + 1)),
            b')' => Ok((TokenKind::RightParen, start + 1)),
            b'[' => Ok((TokenKind::LeftBracket, start + 1)),
            b']' => Ok((TokenKind::RightBracket, start + 1)),
            b',' => Ok((TokenKind::Comma, start + 1)),
            b';' => Ok((TokenKind::Semicolon, start + 1)),
            other if is_operator(other) => Ok(self.operator(start)),
            other if starts_identifier(other) => Ok((TokenKind::Identifier, self.end_of(start, continues_identifier))),
            _ => Ok((TokenKind::Junk, start + 1)),
        }
    }

    /// From `/*`; comments nest.
    fn block_comment(&self, start: usize) -> Result<(TokenKind, usize), LexError> {
        let mut depth = 1_usize;
        let mut at = start + 2;
        loop {
            match (self.byte(at), self.byte(at + 1)) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return Ok((TokenKind::BlockComment, at));
                    }
                }
                (Some(b'/'), Some(b'*')) if depth == DEEPEST_COMMENT => {
                    return Err(LexError {
                        what: "/* comment, or one nested too deep",
                        start,
                    });
                }
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    at += 2;
                }
                (Some(_), _) => at += 1,
                (None, _) => {
                    return Err(LexError {
                        what: "/* comment",
                        start,
                    });
                }
            }
        }
    }

    /// From the quote at `quote`; `start` is where its prefix stands.
    fn string(&self, start: usize, quote: usize, kind: TokenKind) -> Result<(TokenKind, usize), LexError> {
        let doubled_is_one = !matches!(kind, TokenKind::BitString | TokenKind::HexString);
        let backslash_escapes = kind == TokenKind::EscapeString;
        let mut at = quote + 1;
        loop {
            at = self.end_of(at, |b| b != b'\'' && !(backslash_escapes && b == b'\\'));
            match self.byte(at) {
                // What it escapes is one character: the rest of a longer one is no quote and no backslash.
                Some(b'\\') => at += 2,
                Some(_) if doubled_is_one && self.byte_is(at + 1, b'\'') => at += 2,
                Some(_) => match self.continuation(at + 1) {
                    Some(inside) => at = inside,
                    None => return Ok((kind, at + 1)),
                },
                None => {
                    let what = match kind {
                        TokenKind::BitString => "bit string literal",
                        TokenKind::HexString => "hexadecimal string literal",
                        _ => "quoted string",
                    };
                    return Err(LexError { what, start });
                }
            }
        }
    }

    /// After a closing quote: white space with a line end in it, line comments too, and another quote
    /// continue the string. Returns the position inside.
    fn continuation(&self, after_quote: usize) -> Option<usize> {
        let mut line_ended = false;
        let mut at = after_quote;
        loop {
            match self.byte(at)? {
                b'\'' if line_ended => return Some(at + 1),
                b'-' if self.byte_is(at + 1, b'-') => at = self.end_of(at, |b| !is_line_end(b)),
                space if is_space(space) => {
                    line_ended |= is_line_end(space);
                    at += 1;
                }
                _ => return None,
            }
        }
    }

    /// From the double quote at `quote`; `start` is where its prefix stands.
    fn quoted_identifier(&self, start: usize, quote: usize, kind: TokenKind) -> Result<(TokenKind, usize), LexError> {
        let mut at = quote + 1;
        while let Some(after) = self.after(at, b'"') {
            if !self.byte_is(after, b'"') {
                return Ok((kind, after));
            }
            at = after + 1;
        }
        Err(LexError {
            what: "quoted identifier",
            start,
        })
    }

    /// A parameter, a dollar-quoted string, or a `$` that is neither.
    fn dollar(&self, start: usize) -> Result<(TokenKind, usize), LexError> {
        let first = self.byte(start + 1);
        if first.is_some_and(|b| b.is_ascii_digit()) {
            // `$1a` is two tokens to PostgreSQL 14 and to the gate's grammar, an error to later servers.
            return Ok((TokenKind::Parameter, self.end_of(start + 1, |b| b.is_ascii_digit())));
        }
        let tag_end = if first.is_some_and(starts_identifier) {
            self.end_of(start + 1, continues_dollar_tag)
        } else {
            start + 1
        };
        if !self.byte_is(tag_end, b'$') {
            return Ok((TokenKind::Junk, start + 1));
        }
        let delimiter = self.text.get(start..=tag_end).unwrap_or_default();
        let body = self.text.get(tag_end + 1..).unwrap_or_default();
        match body.find(delimiter) {
            Some(found) => Ok((TokenKind::DollarString, tag_end + 1 + found + delimiter.len())),
            None => Err(LexError {
                what: "dollar-quoted string",
                start,
            }),
        }
    }

    /// From a digit, or a point before one.
    fn number(&self, start: usize) -> (TokenKind, usize) {
        if self.byte_is(start, b'0') {
            let is_digit: Option<fn(u8) -> bool> = match self.byte(start + 1) {
                Some(b'x' | b'X') => Some(|b| b.is_ascii_hexdigit()),
                Some(b'o' | b'O') => Some(|b| matches!(b, b'0'..=b'7')),
                Some(b'b' | b'B') => Some(|b| matches!(b, b'0' | b'1')),
                _ => None,
            };
            if let Some(is_digit) = is_digit {
                let end = self.digits(start + 2, is_digit);
                // Without a digit it is junk: what follows the zero is a letter.
                return self.unless_junk(TokenKind::Number, if end == start + 2 { start + 1 } else { end });
            }
        }
        let is_digit = |b: u8| b.is_ascii_digit();
        let mut end = if self.byte_is(start, b'.') {
            start
        } else {
            self.digits_from(start, is_digit)
        };
        // `1..10` is a range, not `1.` and `.10`.
        if self.byte_is(end, b'.') && !self.byte_is(end + 1, b'.') {
            end = self.digits_from(end + 1, is_digit);
        }
        if matches!(self.byte(end), Some(b'e' | b'E')) {
            let signed = matches!(self.byte(end + 1), Some(b'+' | b'-'));
            let digits = end + 1 + usize::from(signed);
            let exponent_end = self.digits_from(digits, is_digit);
            if exponent_end > digits {
                end = exponent_end;
            } else if signed {
                return (TokenKind::Junk, digits);
            }
        }
        self.unless_junk(TokenKind::Number, end)
    }

    /// Digits, each but the first after at most one underscore.
    fn digits_from(&self, at: usize, is_digit: impl Fn(u8) -> bool) -> usize {
        if self.byte(at).is_some_and(&is_digit) {
            self.digits(at + 1, is_digit)
        } else {
            at
        }
    }

    /// Digits, each after at most one underscore.
    fn digits(&self, at: usize, is_digit: impl Fn(u8) -> bool) -> usize {
        let mut end = at;
        loop {
            let digit = end + usize::from(self.byte_is(end, b'_'));
            if !self.byte(digit).is_some_and(&is_digit) {
                return end;
            }
            end = digit + 1;
        }
    }

    /// A number that a letter follows at once is one junk token.
    fn unless_junk(&self, kind: TokenKind, end: usize) -> (TokenKind, usize) {
        if self.byte(end).is_some_and(starts_identifier) {
            (TokenKind::Junk, self.end_of(end, continues_identifier))
        } else {
            (kind, end)
        }
    }

    /// The longest run of operator characters that holds no comment's start, without trailing signs
    /// that the standard would read as signs.
    fn operator(&self, start: usize) -> (TokenKind, usize) {
        let run_end = self.end_of(start, is_operator);
        let run = self.text.as_bytes().get(start..run_end).unwrap_or_default();
        let comment = run.windows(2).position(|pair| pair == b"/*" || pair == b"--");
        let mut operator = run.get(..comment.unwrap_or(run.len())).unwrap_or(run);
        while let [head @ .., b'+' | b'-'] = operator {
            if head.is_empty() || head.iter().copied().any(is_non_standard_operator) {
                break;
            }
            operator = head;
        }
        let kind = if operator == b"=>" {
            TokenKind::EqualsGreater
        } else {
            TokenKind::Operator
        };
        (kind, start + operator.len())
    }
}

impl Iterator for Lexer<'_> {
    type Item = Result<Token, LexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.end_of(self.position, is_space);
        let first = self.byte(start)?;
        match self.token(start, first) {
            Ok((kind, end)) => {
                self.position = end;
                Some(Ok(Token { kind, start, end }))
            }
            Err(error) => {
                self.position = self.text.len();
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests;
