//! The shape of a statement: its text with those constants taken out that could be any others.
//!
//! A constant is taken out only where nothing but its value depends on it: an integer of at most nine
//! digits (always an `int4`) or a plain string, compared by an operator such as `=`, listed by IN, or
//! stored by VALUES or SET. Whatever else a text holds stays in the shape as it is written: LIMIT, casts,
//! typed literals, arguments of functions, patterns, names, white space. Two texts of one shape are the
//! same tokens but for the values of these constants, so PostgreSQL's grammar reads the same tree.
//!
//! Knows no meaning and no plan: that a plan does not depend on the constants either is found out by whoever
//! makes one.

use super::lexer::{Lexer, Token, TokenKind};

/// A text's shape and its constants. Made only by [`Shape::of`]: each constant is one token of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape<'a> {
    text: &'a str,
    key: String,
    constants: Vec<Constant>,
}

/// Where a constant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constant {
    kind: Kind,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Text,
}

/// Integers up to this many digits are `int4` whatever their value.
const DIGITS: usize = 9;

/// A statement with more constants is not worth the search.
const MOST: usize = 256;

/// Words after which an expression that ended at a constant cannot go on.
const ENDS: [&str; 16] = [
    "and",
    "or",
    "order",
    "group",
    "limit",
    "offset",
    "for",
    "returning",
    "where",
    "from",
    "having",
    "then",
    "else",
    "end",
    "union",
    "fetch",
];

impl<'a> Shape<'a> {
    /// The shape of a text that is one SELECT, INSERT, UPDATE or DELETE; none where it is something else or
    /// has no constant to take out.
    pub fn of(text: &'a str) -> Option<Self> {
        // No text of a client holds this byte; the shape needs it.
        if text.contains('\0') {
            return None;
        }
        let mut reader = Reader::default();
        let mut tokens = Lexer::new(text).filter(|t| !t.as_ref().is_ok_and(|t| t.kind.is_comment()));
        let mut here = tokens.next()?.ok()?;
        if !["select", "insert", "update", "delete"]
            .iter()
            .any(|w| here.is_word(text, w))
        {
            return None;
        }
        loop {
            let next = tokens.next().transpose().ok()?;
            reader.read(text, here, next);
            match next {
                Some(next) if here.kind != TokenKind::Semicolon => here = next,
                Some(_) => return None,
                None => break,
            }
        }
        let constants = reader.constants;
        if constants.is_empty() || constants.len() > MOST {
            return None;
        }
        Some(Self {
            text,
            key: blanked(text, &constants),
            constants,
        })
    }

    /// Equal for all texts of this shape, and for no other.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The constants as they are written, in order.
    pub fn constants(&self) -> impl ExactSizeIterator<Item = &'a str> {
        let text = self.text;
        self.constants
            .iter()
            .map(move |c| text.get(c.start..c.end).unwrap_or_default())
    }

    /// Where the constants stand, in order: first byte and the byte after the last.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = (usize, usize)> {
        self.constants.iter().map(|c| (c.start, c.end))
    }

    /// A text of this shape with other constants, each unlike all others in either text.
    pub fn probe(&self) -> String {
        let mut serial = 918_273_645_u32;
        let mut unused = |kind: Kind| loop {
            serial += 1;
            let constant = match kind {
                Kind::Integer => serial.to_string(),
                Kind::Text => format!("'pgpurpose {serial}'"),
            };
            if !self.text.contains(&serial.to_string()) {
                return constant;
            }
        };
        let mut out = String::with_capacity(self.text.len() + 16 * self.constants.len());
        let mut done = 0;
        for constant in &self.constants {
            out.push_str(self.text.get(done..constant.start).unwrap_or_default());
            out.push_str(&unused(constant.kind));
            done = constant.end;
        }
        out.push_str(self.text.get(done..).unwrap_or_default());
        out
    }
}

fn blanked(text: &str, constants: &[Constant]) -> String {
    let mut key = String::with_capacity(text.len());
    let mut done = 0;
    for constant in constants {
        key.push_str(text.get(done..constant.start).unwrap_or_default());
        key.push_str(match constant.kind {
            Kind::Integer => "\0i",
            Kind::Text => "\0t",
        });
        done = constant.end;
    }
    key.push_str(text.get(done..).unwrap_or_default());
    key
}

/// Reads tokens with one of look-ahead.
#[derive(Default)]
struct Reader {
    constants: Vec<Constant>,
    before: Before,
    /// For each open parenthesis: it is a list of values.
    lists: Vec<bool>,
    /// A row of VALUES has just ended: a comma and another may follow.
    after_row: bool,
}

/// What the token before makes of a constant.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Before {
    #[default]
    Other,
    /// A comparison or an assignment.
    Comparison,
    /// IN or VALUES: a parenthesis begins a list.
    ListWord,
    /// The beginning of a list, or a comma in it.
    InList,
}

impl Reader {
    fn read(&mut self, text: &str, token: Token, next: Option<Token>) {
        let before = std::mem::take(&mut self.before);
        let after_row = std::mem::take(&mut self.after_row);
        match token.kind {
            TokenKind::Number | TokenKind::String => {
                let free = match before {
                    Before::Comparison => ends(text, next),
                    Before::InList => next.is_some_and(|t| matches!(t.kind, TokenKind::Comma | TokenKind::RightParen)),
                    Before::Other | Before::ListWord => false,
                };
                if free && let Some(kind) = kind(token.text(text), token.kind) {
                    let (start, end) = (token.start, token.end);
                    self.constants.push(Constant { kind, start, end });
                }
            }
            TokenKind::Operator => {
                if matches!(token.text(text), "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=") {
                    self.before = Before::Comparison;
                }
            }
            TokenKind::LeftParen => {
                let list = before == Before::ListWord;
                self.lists.push(list);
                if list {
                    self.before = Before::InList;
                }
            }
            TokenKind::RightParen => self.after_row = self.lists.pop() == Some(true),
            TokenKind::Comma => {
                if after_row {
                    self.before = Before::ListWord;
                } else if self.lists.last() == Some(&true) {
                    self.before = Before::InList;
                }
            }
            TokenKind::Identifier => {
                if token.is_word(text, "in") || token.is_word(text, "values") {
                    self.before = Before::ListWord;
                }
            }
            TokenKind::QuotedIdentifier
            | TokenKind::UnicodeIdentifier
            | TokenKind::EscapeString
            | TokenKind::UnicodeString
            | TokenKind::BitString
            | TokenKind::HexString
            | TokenKind::NationalString
            | TokenKind::DollarString
            | TokenKind::Parameter
            | TokenKind::LeftBracket
            | TokenKind::RightBracket
            | TokenKind::Semicolon
            | TokenKind::Dot
            | TokenKind::Colon
            | TokenKind::DoubleColon
            | TokenKind::ColonEquals
            | TokenKind::DotDot
            | TokenKind::EqualsGreater
            | TokenKind::LineComment
            | TokenKind::BlockComment
            | TokenKind::Junk => {}
        }
    }
}

/// Whether an expression cannot go on with this token: no cast, operator, COLLATE, IS or name follows.
fn ends(text: &str, next: Option<Token>) -> bool {
    match next {
        None => true,
        Some(token) => match token.kind {
            TokenKind::Semicolon | TokenKind::RightParen | TokenKind::Comma => true,
            TokenKind::Identifier => ENDS.iter().any(|word| token.is_word(text, word)),
            _ => false,
        },
    }
}

fn kind(constant: &str, token: TokenKind) -> Option<Kind> {
    match token {
        TokenKind::Number => {
            let plain = constant.len() <= DIGITS && constant.bytes().all(|b| b.is_ascii_digit());
            plain.then_some(Kind::Integer)
        }
        // A string that goes on on another line is left alone.
        TokenKind::String => (!constant.contains(['\n', '\r'])).then_some(Kind::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constants(text: &str) -> Vec<&str> {
        Shape::of(text).map(|s| s.constants().collect()).unwrap_or_default()
    }

    #[test]
    fn constants_that_could_be_any_others() {
        for (text, expected) in [
            ("SELECT a FROM t WHERE id = 42", &["42"][..]),
            ("SELECT a FROM t WHERE id=42;", &["42"]),
            (
                "SELECT a FROM t WHERE n >= 1 AND s <> 'it''s' ORDER BY 1 LIMIT 10",
                &["1", "'it''s'"],
            ),
            ("select * from t where (id = 7) or (id = 8)", &["7", "8"]),
            ("SELECT a FROM t WHERE id IN (1, 2,'x')", &["1", "2", "'x'"]),
            (
                "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y') RETURNING 3",
                &["1", "'x'", "2", "'y'"],
            ),
            ("UPDATE t SET a = 5, b = 'z' WHERE id = 9", &["5", "'z'", "9"]),
            ("DELETE FROM t WHERE id = /* here */ 1", &["1"]),
        ] {
            assert_eq!(constants(text), expected, "{text}");
        }
    }

    #[test]
    fn constants_on_which_more_may_depend() {
        for text in [
            "SELECT 1",
            "SELECT a FROM t LIMIT 1",
            "SELECT a FROM t WHERE d = '2020-01-01'::date",
            "SELECT a FROM t WHERE d = date '2020-01-01'",
            "SELECT a FROM t WHERE n = 1 + 1",
            "SELECT a FROM t WHERE n = -1",
            "SELECT a FROM t WHERE s = 'a' COLLATE \"C\"",
            "SELECT a FROM t WHERE s LIKE 'a%'",
            "SELECT a FROM t WHERE s = E'a'",
            "SELECT a FROM t WHERE n = 1234567890",
            "SELECT a FROM t WHERE n = 1.5",
            "SELECT f(1, 'x')",
            "SELECT f(a => 1, b := 2)",
            "SELECT a FROM t WHERE s = 'a'\n'b'",
            "SELECT set_config('pgpurpose.purpose', 'care', true)",
            "SET x = 5",
            "SELECT a FROM t WHERE id = 1; SELECT 2",
            "SELECT a FROM t WHERE id = 'open",
            "VALUES (1)",
        ] {
            assert_eq!(constants(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_probe_has_the_shape_and_no_constant_of_the_text() {
        let text = "SELECT a FROM t WHERE id IN (1, 918273646) AND s = 'x' AND 918273647 = n";
        let shape = Shape::of(text).unwrap();
        let probe = shape.probe();
        let other = Shape::of(&probe).unwrap();
        assert_eq!(shape.key(), other.key());
        assert!(shape.constants().all(|c| other.constants().all(|p| p != c)));
        assert_eq!(
            probe,
            "SELECT a FROM t WHERE id IN (918273648, 918273649) AND s = 'pgpurpose 918273650' AND 918273647 = n"
        );
    }

    #[test]
    fn kinds_and_everything_else_tell_shapes_apart() {
        let key = |text| Shape::of(text).unwrap().key().to_owned();
        assert_eq!(
            key("SELECT a FROM t WHERE id = 1"),
            key("SELECT a FROM t WHERE id = 22")
        );
        for other in [
            "SELECT a FROM t WHERE id = '1'",
            "SELECT a FROM t WHERE id  = 1",
            "SELECT b FROM t WHERE id = 1",
            "SELECT a FROM t WHERE id = 1 LIMIT 5",
        ] {
            assert_ne!(key("SELECT a FROM t WHERE id = 1"), key(other), "{other}");
        }
        assert_ne!(
            key("SELECT a FROM t WHERE id = 1 LIMIT 5"),
            key("SELECT a FROM t WHERE id = 1 LIMIT 6")
        );
    }
}
