//! A statement's text for the audit: what it does, without what the client put into it.
//!
//! Literals become parameters, comments are dropped, and names that neither PostgreSQL nor the catalog
//! knows are numbered, since an alias may be somebody's address (`SELECT 1 AS "john@doe.example"`). Knows
//! no grammar and no catalog: which names are known is asked of the caller.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::keywords::is_keyword;
use super::lexer::{Lexer, Token, TokenKind, truncate};

/// No audit text is longer than this, in bytes.
pub const MAX_TEXT: usize = 4096;

const CUT: char = '…';

/// The audit text of the statement spanning `range` of `text`.
///
/// `known` tells the names of the catalog (folded, unquoted). Literals take the numbers after the highest
/// parameter of the statement. Longer texts than [`MAX_TEXT`] are cut, as is what follows a token that does
/// not end; the cut shows as `…`.
pub fn normalise(text: &str, range: Range<usize>, known: &dyn Fn(&str) -> bool) -> String {
    let statement = text.get(range).unwrap_or_default();
    let mut normal = Normal {
        statement,
        known,
        text: String::with_capacity(statement.len().min(MAX_TEXT)),
        parameters: highest_parameter(statement),
        names: HashMap::new(),
    };
    let mut last: Option<Token> = None;
    for token in Lexer::new(statement) {
        let Ok(token) = token else {
            normal.text.push(CUT);
            break;
        };
        if token.kind.is_comment() {
            continue;
        }
        if last.is_some_and(|last| needs_space(last, token)) {
            normal.text.push(' ');
        }
        normal.put(token);
        last = Some(token);
        if normal.text.len() > MAX_TEXT {
            cut(&mut normal.text);
            break;
        }
    }
    normal.text
}

/// The fingerprint of a statement's shape: 16 hex digits, the same whatever the numbers of its parameters.
pub fn fingerprint(normalised: &str) -> String {
    let mut hash = Sha256::new();
    let mut pieces = normalised.split('$');
    hash.update(pieces.next().unwrap_or_default());
    for piece in pieces {
        hash.update("$");
        hash.update(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    hash.finalize()
        .iter()
        .take(8)
        .fold(String::with_capacity(16), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn highest_parameter(statement: &str) -> u64 {
    Lexer::new(statement)
        .map_while(Result::ok)
        .filter(|token| token.kind == TokenKind::Parameter)
        .filter_map(|token| token.text(statement).trim_start_matches('$').parse().ok())
        .max()
        .unwrap_or(0)
}

/// White space and comments become one space; tokens that were side by side stay so, unless what stands for
/// one of them would grow into the other.
fn needs_space(left: Token, right: Token) -> bool {
    let is_word = |kind: TokenKind| {
        kind.is_identifier() || kind.is_literal() || matches!(kind, TokenKind::Parameter | TokenKind::Junk)
    };
    right.start > left.end || (is_word(left.kind) && is_word(right.kind))
}

fn cut(text: &mut String) {
    let mut end = MAX_TEXT - CUT.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push(CUT);
}

struct Normal<'a> {
    statement: &'a str,
    known: &'a dyn Fn(&str) -> bool,
    text: String,
    parameters: u64,
    names: HashMap<String, usize>,
}

impl Normal<'_> {
    fn put(&mut self, token: Token) {
        let spelling = token.text(self.statement);
        match token.kind {
            TokenKind::Identifier if is_keyword(spelling) => self.text.push_str(spelling),
            TokenKind::Identifier | TokenKind::QuotedIdentifier => match token.name(self.statement) {
                Some(name) if (self.known)(&name) => self.put_known(token.kind, spelling, &name),
                Some(name) => self.put_unknown(name),
                None => self.put_literal(),
            },
            TokenKind::UnicodeIdentifier => self.put_unknown(spelling.to_owned()),
            TokenKind::String
            | TokenKind::EscapeString
            | TokenKind::UnicodeString
            | TokenKind::BitString
            | TokenKind::HexString
            | TokenKind::NationalString
            | TokenKind::DollarString
            | TokenKind::Number
            | TokenKind::Junk => self.put_literal(),
            TokenKind::Parameter
            | TokenKind::Operator
            | TokenKind::LeftParen
            | TokenKind::RightParen
            | TokenKind::LeftBracket
            | TokenKind::RightBracket
            | TokenKind::Comma
            | TokenKind::Semicolon
            | TokenKind::Dot
            | TokenKind::Colon
            | TokenKind::DoubleColon
            | TokenKind::ColonEquals
            | TokenKind::DotDot
            | TokenKind::EqualsGreater => self.text.push_str(spelling),
            TokenKind::LineComment | TokenKind::BlockComment => {}
        }
    }

    /// A name is put as it was spelt, but no more of it than PostgreSQL reads: the rest is the client's.
    fn put_known(&mut self, kind: TokenKind, spelling: &str, name: &str) {
        if kind == TokenKind::Identifier {
            self.text.push_str(truncate(spelling));
        } else {
            let _ = write!(self.text, "\"{}\"", name.replace('"', "\"\""));
        }
    }

    /// The same name has the same number, quoted or not.
    fn put_unknown(&mut self, name: String) {
        let next = self.names.len() + 1;
        let number = match self.names.entry(name) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => *new.insert(next),
        };
        let _ = write!(self.text, "name{number}");
    }

    fn put_literal(&mut self) {
        self.parameters = self.parameters.saturating_add(1);
        let _ = write!(self.text, "${}", self.parameters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::lexer::MAX_NAME;

    fn known(name: &str) -> bool {
        [
            "care",
            "customers",
            "email",
            "id",
            "full_name",
            "Mixed \"Case\"",
            "count",
        ]
        .contains(&name)
    }

    fn normal(text: &str) -> String {
        normalise(text, 0..text.len(), &known)
    }

    #[test]
    fn the_client_s_own_words_do_not_reach_the_audit() {
        for (text, expected) in [
            (
                "SELECT email FROM care.customers WHERE id = 7",
                "SELECT email FROM care.customers WHERE id = $1",
            ),
            ("SELECT  email\n\tFROM\r\ncustomers", "SELECT email FROM customers"),
            ("SELECT 1 AS \"john@doe.example\"", "SELECT $1 AS name1"),
            (
                "SELECT id john FROM customers AS c, customers d",
                "SELECT id name1 FROM customers AS name2, customers name3",
            ),
            (
                "SELECT c.id, \"c\".email FROM customers C",
                "SELECT name1.id, name1.email FROM customers name1",
            ),
            (
                "SELECT * FROM customers WHERE id = $2 AND email = 'x'",
                "SELECT * FROM customers WHERE id = $2 AND email = $3",
            ),
            (
                "SELECT 'a', E'\\'b', N'c', B'1', X'f', U&'d' UESCAPE '!', $$e$$, $x$f$x$, 1.5e3, 0xFF",
                "SELECT $1, $2, $3, $4, $5, $6 UESCAPE $7, $8, $9, $10, $11",
            ),
            ("SELECT 'it''s'\n 'more'", "SELECT $1"),
            (
                "SELECT id -- john\n, /* doe */ email/* x */FROM customers",
                "SELECT id , email FROM customers",
            ),
            ("SELECT U&\"j\\006fhn\" FROM customers", "SELECT name1 FROM customers"),
            (
                "SELECT \"Mixed \"\"Case\"\"\", \"EMAIL\", EMAIL FROM customers",
                "SELECT \"Mixed \"\"Case\"\"\", name1, EMAIL FROM customers",
            ),
            ("SELECT \"select\" FROM customers", "SELECT name1 FROM customers"),
            ("SELECT 'a'\"x\"$$b$$", "SELECT $1 name1 $2"),
            (
                "SELECT -1::int, id->>'k', count(*)",
                "SELECT -$1::int, id->>$2, count(*)",
            ),
            ("SELECT 1john", "SELECT $1"),
            ("SELECT id[1:2], name1", "SELECT id[$1:$2], name1"),
            ("SELECT 'unterminated", "SELECT…"),
            ("", ""),
        ] {
            assert_eq!(normal(text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_range_is_read() {
        let text = "SELECT 'a'; SELECT id, 'b'; SELECT $9";
        assert_eq!(normalise(text, 11..26, &known), "SELECT id, $1");
    }

    #[test]
    fn a_name_is_cut_where_postgresql_cuts_it() {
        let name = "x".repeat(MAX_NAME);
        let known = |n: &str| n == name;
        for text in [format!("SELECT {name}john"), format!("SELECT \"{name}john\"")] {
            let normal = normalise(&text, 0..text.len(), &known);
            assert!(!normal.contains("john") && normal.contains(&name), "{normal}");
        }
    }

    #[test]
    fn the_text_is_bounded() {
        let text = format!("SELECT \"é\" {}", "+ 'ł' ".repeat(3000));
        let normal = normal(&text);
        assert!(normal.len() <= MAX_TEXT && normal.ends_with('…'), "{}", normal.len());
        let long = "é".repeat(5000);
        assert!(normalise(&long, 0..long.len(), &|_| true).len() <= MAX_NAME);
    }

    #[test]
    fn fingerprints_ignore_numbers_of_parameters_only() {
        let of = |text: &str| fingerprint(&normal(text));
        let one = of("SELECT email FROM customers WHERE id = 7");
        assert_eq!(one.len(), 16);
        assert!(one.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(one, of("SELECT email FROM customers WHERE id = $3"));
        assert_eq!(one, of("SELECT email  FROM customers /* x */ WHERE id = 'y'"));
        assert_ne!(one, of("SELECT id FROM customers WHERE id = 7"));
        assert_ne!(one, of("SELECT email FROM customers WHERE id = 7 + 8"));
    }
}
