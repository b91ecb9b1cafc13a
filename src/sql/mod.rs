//! SQL as read: tags and tokens, statements, commands, names resolved to catalog objects.
//!
//! Two readings. PostgreSQL's own grammar gives both the places and the meaning: a scope error of a
//! grammar that is only like PostgreSQL's would be a leak where a write's columns are replaced one by
//! one, and the one tree is complete by construction (`grammar.rs` is a compile error for a field that
//! it does not name). sqlparser is the independent second reader ([`second`]): it must name the same
//! relations at the same places, else the statement is not verified, and where it cannot read a
//! write into a protected table, the write is refused.
//!
//! Knows no purpose and no rule.

mod command;
pub(crate) mod grammar;
mod keywords;
pub mod lexer;
pub mod nesting;
pub mod normal;
pub(crate) mod parsed;
pub mod relations;
pub mod resolve;
pub mod second;
pub mod setting;
pub mod shape;
mod tags;

pub use command::{Command, ConfigCall, ConfigValue, CursorName, DiscardTarget, TransactionCommand};
pub use keywords::is_keyword;
pub use parsed::{ParsedStatement, SyntaxError};
pub use tags::{ClientSql, Tag, TagError};

/// From outgoing byte positions back to the client's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionMap {
    /// `(start in outgoing, end in outgoing, start in source, end in source)` of each edit, ascending.
    edits: Vec<(usize, usize, usize, usize)>,
}

impl PositionMap {
    /// From edits in ascending order.
    pub fn new(edits: Vec<(usize, usize, usize, usize)>) -> Self {
        Self { edits }
    }

    /// The same edits of a text and an outgoing text whose bytes have moved.
    #[must_use]
    pub fn shifted(&self, outgoing: impl Fn(usize) -> usize, source: impl Fn(usize) -> usize) -> Self {
        let moved = |&(out_start, out_end, src_start, src_end): &(usize, usize, usize, usize)| {
            (
                outgoing(out_start),
                outgoing(out_end),
                source(src_start),
                source(src_end),
            )
        };
        Self {
            edits: self.edits.iter().map(moved).collect(),
        }
    }

    /// The byte offset in the source of a byte offset in the outgoing text; inside an edit, the
    /// start of what it replaced.
    pub fn to_source(&self, outgoing: usize) -> usize {
        let mut shift: isize = 0;
        for &(out_start, out_end, src_start, src_end) in &self.edits {
            if outgoing < out_start {
                break;
            }
            if outgoing < out_end {
                return src_start;
            }
            shift = src_end as isize - out_end as isize;
        }
        outgoing.saturating_add_signed(shift)
    }
}
