//! How deeply a text can nest, told from its tokens before any parser builds a tree of it.
//!
//! Trees are read, walked and dropped by recursion; on a stack of [`STACK`] bytes a text within
//! [`MAX_NESTING`] cannot overflow it, whichever parser reads it. An upper bound: where tokens do not
//! tell, they count as nested.

use super::keywords::is_keyword;
use super::lexer::{Token, TokenKind};

/// The stack that examining needs, in bytes.
pub const STACK: usize = 64 << 20;

/// The deepest nesting that is examined, in the weights below. Some 250 parentheses in each other,
/// 1000 operators in a row, 2000 arms of a UNION.
pub const MAX_NESTING: usize = 2000;

const BRACKET: usize = 8;
const CASE: usize = 4;
const WORD: usize = 2;
const SET_OPERATION: usize = 1;

/// One open bracket or CASE, or the whole statement.
#[derive(Default)]
struct Group {
    is_case: bool,
    /// Chains that go on over commas: set operations, joins, BETWEEN.
    chain: usize,
    /// Operators and keywords since the last comma, AND, OR, WHEN…
    segment: usize,
    /// The deepest group inside this segment.
    inside: usize,
    /// The deepest segment so far.
    deepest: usize,
}

impl Group {
    fn end_segment(&mut self) {
        self.deepest = self.deepest.max(self.segment + self.inside);
        self.segment = 0;
        self.inside = 0;
    }

    fn depth(mut self) -> usize {
        self.end_segment();
        self.chain + self.deepest
    }
}

/// An upper bound of the depth of the trees of a text, of which these are the significant tokens.
pub fn nesting(text: &str, tokens: &[Token]) -> usize {
    let mut deepest = 0;
    let mut open: Vec<Group> = vec![Group::default()];
    let mut behind_dot = false;
    for token in tokens {
        let name = std::mem::replace(&mut behind_dot, token.kind == TokenKind::Dot);
        match token.kind {
            TokenKind::LeftParen | TokenKind::LeftBracket => open.push(Group::default()),
            TokenKind::RightParen | TokenKind::RightBracket => {
                // CASEs that do not end inside were names.
                while open.len() > 1 && close(&mut open) {}
            }
            TokenKind::Comma => last(&mut open).end_segment(),
            TokenKind::Semicolon => {
                let group = std::mem::take(last(&mut open));
                deepest = deepest.max(group.depth());
            }
            TokenKind::Identifier if !name => word(token.text(text), &mut open),
            TokenKind::Identifier
            | TokenKind::QuotedIdentifier
            | TokenKind::UnicodeIdentifier
            | TokenKind::String
            | TokenKind::EscapeString
            | TokenKind::UnicodeString
            | TokenKind::BitString
            | TokenKind::HexString
            | TokenKind::NationalString
            | TokenKind::DollarString
            | TokenKind::Number
            | TokenKind::Parameter
            | TokenKind::Dot => {}
            _ => last(&mut open).segment += WORD, // an operator, or what the grammar will refuse
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    let whole = open.pop().map_or(0, Group::depth);
    deepest.max(whole)
}

fn word(word: &str, open: &mut Vec<Group>) {
    let group = last(open);
    match word.to_ascii_lowercase().as_str() {
        "case" => open.push(Group {
            is_case: true,
            ..Group::default()
        }),
        "end" if group.is_case => {
            close(open);
        }
        "and" | "or" | "when" | "then" | "else" => group.end_segment(),
        // Left-deep: an arm lies beside the chain before it, and is no deeper for it.
        "union" | "intersect" | "except" => {
            group.end_segment();
            group.chain += SET_OPERATION;
        }
        "join" => {
            group.end_segment();
            group.chain += WORD;
        }
        "between" => group.chain += WORD,
        other if is_keyword(other) => group.segment += WORD,
        _ => {} // a name
    }
}

/// Ends the innermost group; true where it was a CASE.
fn close(open: &mut Vec<Group>) -> bool {
    let Some(group) = open.pop() else { return false };
    let is_case = group.is_case;
    let depth = group.depth() + if is_case { CASE } else { BRACKET };
    let outer = last(open);
    outer.inside = outer.inside.max(depth);
    is_case
}

/// The innermost group; there always is one.
fn last(open: &mut Vec<Group>) -> &mut Group {
    if open.is_empty() {
        open.push(Group::default());
    }
    let index = open.len() - 1;
    #[allow(clippy::indexing_slicing)] // not empty
    &mut open[index]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sql::parsed::{parse, tokens};

    fn depth(text: &str) -> usize {
        nesting(text, &tokens(text).unwrap())
    }

    #[test]
    fn a_list_is_no_deeper_than_its_deepest_element() {
        let flat = format!("INSERT INTO t VALUES {}(1, 2 + 3)", "(1, 2), ".repeat(5000));
        assert!(depth(&flat) <= depth("INSERT INTO t VALUES (1, 2 + 3)"));
        let ors = format!("SELECT 1 WHERE a = 1{}", " OR b = 2 AND c = 3".repeat(5000));
        assert!(depth(&ors) < 20);
    }

    #[test]
    fn every_way_to_nest_is_counted() {
        let nested = |before: &str, middle: &str, behind: &str, n: usize| {
            format!("SELECT {}{middle}{}", before.repeat(n), behind.repeat(n))
        };
        let cases = [
            ("", "1", "+1"),
            ("", "1", " UNION SELECT 1, 2"),
            ("NOT ", "true", ""),
            ("(", "1", ")"),
            ("", "1", "::int"),
            ("abs(", "1", ")"),
            ("(SELECT ", "1", ")"),
            ("CASE WHEN a AND CASE WHEN ", "true", " THEN a END THEN a END"),
            ("", "* FROM a", " CROSS JOIN b"),
            ("ARRAY[", "1", "]"),
            ("", "true", " IS NULL"),
            ("", "a", " BETWEEN 1 AND 2 IS NULL"),
            ("- ", "x", ""),
            ("", "a", " COLLATE c"),
            ("", "a", " AT TIME ZONE 'x'"),
            ("", "a", " NOTNULL"),
            ("CASE x.end WHEN ", "1", " THEN 1 END"),
        ];
        for (before, middle, behind) in cases {
            let once = depth(&nested(before, middle, behind, 1));
            let often = depth(&nested(before, middle, behind, 1001));
            assert!(often >= once + 1000, "{before}…{behind}: {once} {often}");
        }
    }

    #[test]
    fn what_is_within_the_limit_overflows_no_stack() {
        let shapes: [(&str, &str, &str); 14] = [
            ("SELECT ", "1", "+1"),
            ("SELECT 1", "", " UNION ALL SELECT 1"),
            ("NOT ", "true", ""),
            ("(", "1", ")"),
            ("", "1", "::int"),
            ("abs(", "1", ")"),
            ("(SELECT ", "1", ")"),
            ("CASE WHEN true THEN ", "1", " END"),
            ("", "* FROM a", " CROSS JOIN a"),
            ("ARRAY[", "1", "]"),
            ("", "true", " IS NULL"),
            ("", "* FROM a WHERE EXISTS (SELECT 1)", ""),
            ("CASE a WHEN b THEN c ELSE ", "1", " END"),
            ("", "1", " COLLATE \"C\""),
        ];
        let run = move || {
            for (before, middle, behind) in shapes {
                for n in [50, 100, 200, 240, 480, 900, 1900] {
                    let text = format!("SELECT {}{middle}{}", before.repeat(n), behind.repeat(n));
                    let read = parse(&text); // and dropped
                    if let Ok(statements) = &read {
                        for statement in statements {
                            let _ = crate::sql::relations::named(&statement.node);
                            let _ = crate::sql::second::relations(&text);
                        }
                    }
                }
            }
        };
        std::thread::Builder::new()
            .stack_size(STACK)
            .spawn(run)
            .unwrap()
            .join()
            .unwrap();
    }
}
