//! The text of a rules file and places in it.

use std::ops::Range;
use std::sync::Arc;

use crate::policy::Place;

/// One rules file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Its name relative to the rules folder.
    pub(super) name: Arc<str>,
    /// Its text.
    pub(super) text: Arc<str>,
}

/// A piece of a rules file: bytes of its text.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) source: Arc<Source>,
    pub(super) bytes: Range<usize>,
}

impl Span {
    /// The span of these bytes, cut to the text and to character boundaries.
    pub(super) fn new(source: &Arc<Source>, bytes: Range<usize>) -> Self {
        let floor = |offset: usize| {
            let mut offset = offset.min(source.text.len());
            while !source.text.is_char_boundary(offset) {
                offset -= 1;
            }
            offset
        };
        let start = floor(bytes.start);
        Self {
            source: Arc::clone(source),
            bytes: start..floor(bytes.end).max(start),
        }
    }

    /// The text that it covers.
    pub(super) fn text(&self) -> &str {
        self.source.text.get(self.bytes.clone()).unwrap_or_default()
    }

    /// Where it starts: lines and columns from 1, columns in characters.
    pub(super) fn place(&self) -> Place {
        let before = self.source.text.get(..self.bytes.start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let line = before.matches('\n').count() + 1;
        Place {
            file: Arc::clone(&self.source.name),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// Its first line only, without trailing blanks: what is underlined.
    pub(super) fn first_line(&self) -> Range<usize> {
        let line = self.text().lines().next().unwrap_or_default().trim_end();
        self.bytes.start..self.bytes.start + line.len()
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Sp<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

impl<T> Sp<T> {
    pub(super) fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    pub(super) fn place(&self) -> Place {
        self.span.place()
    }
}
