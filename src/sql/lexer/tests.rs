//! Held against PostgreSQL's own scanner.

use super::*;
use pg_query::protobuf::Token as Theirs;
use proptest::prelude::*;

/// Texts of more than one line stand between `%%` lines.
const CASES: &str = include_str!("cases.txt");

fn cases() -> impl Iterator<Item = &'static str> {
    CASES.split("\n%%\n").map(|case| case.trim_end_matches('\n'))
}

/// Kind and span as PostgreSQL's scanner has them; `None` where it refuses the text.
fn theirs(text: &str) -> Option<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    // `scan_tokens` may not be called with a text of no tokens, so one is put at the end.
    let mut scanned = pg_query::scan_tokens(&format!("{text}\n;")).ok()?;
    assert_eq!(scanned.pop().map(|t| t.start as usize), Some(text.len() + 1));
    for token in scanned {
        let (start, end) = (token.start as usize, token.end as usize);
        let kind = match Theirs::try_from(token.token).unwrap_or(Theirs::Nul) {
            Theirs::Sconst if text[start..].starts_with('$') => TokenKind::DollarString,
            Theirs::Sconst if text[start..].starts_with(['e', 'E']) => TokenKind::EscapeString,
            // PostgreSQL takes `N` for a keyword and the quoted part for a string.
            Theirs::Sconst
                if tokens
                    .last()
                    .is_some_and(|t| t.end == start && text[t.start..t.end].eq_ignore_ascii_case("n")) =>
            {
                let start = tokens.pop().unwrap().start;
                tokens.push(Token {
                    kind: TokenKind::NationalString,
                    start,
                    end,
                });
                continue;
            }
            Theirs::Sconst => TokenKind::String,
            Theirs::Usconst => TokenKind::UnicodeString,
            Theirs::Bconst => TokenKind::BitString,
            Theirs::Xconst => TokenKind::HexString,
            Theirs::Iconst | Theirs::Fconst => TokenKind::Number,
            Theirs::Param => TokenKind::Parameter,
            Theirs::Ident if text[start..].starts_with('"') => TokenKind::QuotedIdentifier,
            Theirs::Uident => TokenKind::UnicodeIdentifier,
            Theirs::Typecast => TokenKind::DoubleColon,
            Theirs::DotDot => TokenKind::DotDot,
            Theirs::ColonEquals => TokenKind::ColonEquals,
            Theirs::EqualsGreater => TokenKind::EqualsGreater,
            Theirs::SqlComment => TokenKind::LineComment,
            Theirs::CComment => TokenKind::BlockComment,
            Theirs::Ascii40 => TokenKind::LeftParen,
            Theirs::Ascii41 => TokenKind::RightParen,
            Theirs::Ascii44 => TokenKind::Comma,
            Theirs::Ascii46 => TokenKind::Dot,
            Theirs::Ascii58 => TokenKind::Colon,
            Theirs::Ascii59 => TokenKind::Semicolon,
            Theirs::Ascii91 => TokenKind::LeftBracket,
            Theirs::Ascii93 => TokenKind::RightBracket,
            Theirs::Ascii36 | Theirs::Ascii92 | Theirs::Nul => TokenKind::Junk,
            _ if text[start..].starts_with(|c: char| c.is_ascii() && is_operator(c as u8)) => TokenKind::Operator,
            _ => TokenKind::Identifier,
        };
        tokens.push(Token { kind, start, end });
    }
    Some(tokens)
}

/// Where PostgreSQL's scanner succeeds, all tokens are equal; where ours finds no end, theirs finds none.
fn agree(text: &str) -> Result<bool, String> {
    match (tokens(text), theirs(text)) {
        (Ok(ours), Some(theirs)) if ours == theirs => Ok(true),
        (_, None) => Ok(false),
        (ours, Some(theirs)) => Err(format!("{text:?}\n ours   {ours:?}\n theirs {theirs:?}")),
    }
}

#[test]
fn cases_agree_with_postgresql() {
    let mut read = 0;
    for case in cases() {
        match agree(case) {
            Ok(true) => read += 1,
            Ok(false) => {
                let junk = tokens(case).is_ok_and(|tokens| tokens.iter().any(|t| t.kind == TokenKind::Junk));
                assert!(
                    junk,
                    "postgresql's scanner refuses {case:?}: {:?}",
                    pg_query::scan_tokens(case)
                );
            }
            Err(difference) => panic!("{difference}"),
        }
    }
    assert!(read > 350, "only {read} cases were read");
}

/// The attack corpora, each file as one text, where they stand beside the crate.
#[test]
fn corpora_agree_with_postgresql() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "sql") {
            let text = std::fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                if let Err(difference) = agree(line) {
                    panic!("{}: {difference}", path.display());
                }
            }
        }
    }
}

const FRAGMENTS: &[&str] = &[
    "'", "''", "\"", "\"\"", "\\", "\\'", "E'", "e'", "N'", "n'", "B'", "x'", "U&'", "u&\"", "u&", "$", "$$", "$a$",
    "$a", "$1", "$12", "/*", "*/", "/", "*", "--", "-", "+", "\n", "\r", " ", "\t", "\u{b}", "\u{c}", "é", "Ł", "日",
    "a", "e", "E", "_", "x1", "select", "0", "1", "9", "0x", "0b", "0o", "1e", "1e5", "1_0", ".", "..", ":", "::",
    ":=", "=", "=>", "<", ">", "<=", "<>", "!=", "!", "@", "#", "%", "^", "&", "|", "`", "~", "?", "(", ")", "[", "]",
    ",", ";", "{", "}", "'a'", "'b'", "/* c */", "-- d\n", "\"q\"", "uescape", "nchar",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn token_soup_agrees_with_postgresql(parts in prop::collection::vec(prop::sample::select(FRAGMENTS), 0..14)) {
        let text = parts.concat();
        if let Err(difference) = agree(&text) {
            return Err(TestCaseError::fail(difference));
        }
    }

    #[test]
    fn any_text_gives_spans_in_order_on_boundaries(text in "\\PC{0,40}") {
        let mut last = 0;
        for token in Lexer::new(&text).map_while(Result::ok) {
            prop_assert!(last <= token.start && token.start < token.end);
            prop_assert!(text.is_char_boundary(token.start) && text.is_char_boundary(token.end));
            last = token.end;
        }
    }
}

#[test]
fn what_does_not_end_is_an_error_that_tells_where() {
    for (text, what, start) in [
        ("select 'a", "quoted string", 7),
        ("select 'a\\''", "quoted string", 7),
        ("select E'a\\'", "quoted string", 7),
        ("select \"a", "quoted identifier", 7),
        ("select U&\"a\"\"", "quoted identifier", 7),
        ("select $a$ $b$", "dollar-quoted string", 7),
        ("/* /* */", "/* comment", 0),
        ("x'a", "hexadecimal string literal", 0),
        (" B'1", "bit string literal", 1),
    ] {
        assert_eq!(tokens(text), Err(LexError { what, start }), "{text}");
        assert_eq!(significant(text), Err(LexError { what, start }), "{text}");
        assert!(theirs(text).is_none(), "{text}");
    }
}

#[test]
fn names_are_folded_and_cut_as_postgresql_does() {
    let long = "x".repeat(62);
    for (spelling, name) in [
        ("Customers".to_owned(), "customers".to_owned()),
        ("ÉCRET".to_owned(), "Écret".to_owned()),
        (r#""Cust""omers""#.to_owned(), r#"Cust"omers"#.to_owned()),
        (format!("{long}YZ"), format!("{long}y")),
        (format!("{long}éz"), long.clone()),
        (format!("\"{long}YZ\""), format!("{long}Y")),
        // Cut after the doubled quotes are made one.
        (format!("\"\"\"{long}\""), format!("\"{long}")),
    ] {
        let tokens = tokens(&spelling).unwrap();
        assert_eq!(tokens[0].name(&spelling), Some(name), "{spelling}");
    }
}

#[test]
fn significant_leaves_comments_out() {
    let kinds: Vec<_> = significant("a /* b */ -- c\n;")
        .unwrap()
        .iter()
        .map(|t| t.kind)
        .collect();
    assert_eq!(kinds, [TokenKind::Identifier, TokenKind::Semicolon]);
}

#[test]
fn junk_is_a_token() {
    for text in ["1a", "0x", "0b2", "1e+", "1_", "{", "1__0", "0o8"] {
        let tokens = tokens(text).unwrap();
        assert_eq!((tokens.len(), tokens[0].kind), (1, TokenKind::Junk), "{text}");
    }
}

#[test]
fn comments_nest_so_deep_and_no_deeper() {
    let nested = |depth: usize| format!("{}{}", "/*".repeat(depth), "*/".repeat(depth));
    assert!(Lexer::new(&nested(DEEPEST_COMMENT)).all(|token| token.is_ok()));
    assert!(Lexer::new(&nested(DEEPEST_COMMENT + 1)).any(|token| token.is_err()));
}
