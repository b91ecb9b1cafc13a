//! SQL as read: tags and tokens, statements, commands, names resolved to catalog objects.
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
