//! A verified text with places for constants: what goes out for all texts of one shape.
//!
//! Learnt from two verified texts that differ only in constants. A place is a token that is the n-th
//! constant in the one and the n-th in the other; all else must be the same, byte for byte. A constant
//! that a [`Shape`] found is one token of the same kind, so PostgreSQL's grammar reads the filled text as
//! the tree that was verified, with another value. Knows no purpose and no plan.

use crate::sql::lexer::{Lexer, Token};
use crate::sql::shape::Shape;

use super::Verified;

/// A verified text with places for constants.
#[derive(Debug)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(Box<str>),
    /// The n-th constant.
    Constant(usize),
}

/// A place that was filled: where it stood in the text that the template was learnt from, and where it
/// stands now (the byte after its end, both).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// The n-th constant.
    pub constant: usize,
    /// The byte after it.
    pub end: usize,
}

impl Template {
    /// From what went out for the text of `shape` and for that of `probe`, which no constant is common to.
    /// `None` where they differ in more than constants.
    pub fn learn(shape: &Shape<'_>, out: &Verified, probe: &Shape<'_>, probe_out: &Verified) -> Option<Self> {
        if shape.key() != probe.key() {
            return None;
        }
        let constants: Vec<&str> = shape.constants().collect();
        let probes: Vec<&str> = probe.constants().collect();
        let tokens = |text| Lexer::new(text).collect::<Result<Vec<Token>, _>>().ok();
        let (ours, theirs) = (tokens(&out.text)?, tokens(&probe_out.text)?);
        if ours.len() != theirs.len() {
            return None;
        }
        let mut pieces = Vec::new();
        // Copied up to here, in both.
        let (mut done, mut probe_done) = (0, 0);
        for (token, other) in ours.iter().zip(&theirs) {
            let (text, probe_text) = (token.text(&out.text), other.text(&probe_out.text));
            if text == probe_text {
                continue;
            }
            let n = probes.iter().position(|p| *p == probe_text)?;
            if token.kind != other.kind || constants.get(n) != Some(&text) {
                return None;
            }
            let between = out.text.get(done..token.start)?;
            if probe_out.text.get(probe_done..other.start)? != between {
                return None;
            }
            pieces.push(Piece::Text(between.into()));
            pieces.push(Piece::Constant(n));
            (done, probe_done) = (token.end, other.end);
        }
        let rest = out.text.get(done..)?;
        if probe_out.text.get(probe_done..)? != rest {
            return None;
        }
        pieces.push(Piece::Text(rest.into()));
        Some(Self { pieces })
    }

    /// The text for the constants of a text of the same shape, and where they stand in it. `None` where
    /// the shape has fewer constants than places.
    pub fn fill(&self, shape: &Shape<'_>) -> Option<(Verified, Vec<Filled>)> {
        let constants: Vec<&str> = shape.constants().collect();
        let mut text = String::with_capacity(256);
        let mut filled = Vec::with_capacity(self.pieces.len() / 2);
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Constant(n) => {
                    text.push_str(constants.get(*n)?);
                    filled.push(Filled {
                        constant: *n,
                        end: text.len(),
                    });
                }
            }
        }
        let text = text.into_boxed_str();
        Some((Verified { text }, filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(text: &str, out: &str, probe: &str, probe_out: &str) -> Option<Template> {
        let (shape, probe) = (Shape::of(text)?, Shape::of(probe)?);
        Template::learn(
            &shape,
            &Verified::for_tests(out),
            &probe,
            &Verified::for_tests(probe_out),
        )
    }

    #[test]
    fn constants_come_back_where_they_stood_copies_too() {
        let template = learn(
            "SELECT a FROM t WHERE id = 1 AND s = 'x'",
            "SELECT a FROM (SELECT 1 FROM s.t WHERE id = 1) t WHERE id = 1 AND s = 'x'",
            "SELECT a FROM t WHERE id = 77 AND s = 'yy'",
            "SELECT a FROM (SELECT 1 FROM s.t WHERE id = 77) t WHERE id = 77 AND s = 'yy'",
        )
        .unwrap();
        let text = "SELECT a FROM t WHERE id = 20 AND s = 'o''clock'";
        let (verified, filled) = template.fill(&Shape::of(text).unwrap()).unwrap();
        assert_eq!(
            verified.text(),
            "SELECT a FROM (SELECT 1 FROM s.t WHERE id = 20) t WHERE id = 20 AND s = 'o''clock'"
        );
        assert_eq!(filled.iter().map(|f| f.constant).collect::<Vec<_>>(), [0, 0, 1]);
    }

    #[test]
    fn what_differs_otherwise_is_no_template() {
        let (text, probe) = ("SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = 2");
        for (out, probe_out) in [
            ("SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = 2 AND true"),
            ("SELECT a FROM t WHERE id = 1", "SELECT b FROM t WHERE id = 2"),
            ("SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id  = 2"),
            ("SELECT a FROM t WHERE id = 3", "SELECT a FROM t WHERE id = 2"),
            ("SELECT a FROM t WHERE id = 1 ", "SELECT a FROM t WHERE id = 2"),
        ] {
            assert!(learn(text, out, probe, probe_out).is_none(), "{probe_out}");
        }
        assert!(learn(text, text, "SELECT a FROM t  WHERE id = 2", probe).is_none());
    }
}
