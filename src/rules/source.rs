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
    /// The byte at which each line starts.
    lines: Vec<usize>,
}

impl Source {
    pub(super) fn new(name: &str, text: &str) -> Arc<Self> {
        let newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
            lines: std::iter::once(0).chain(newlines).collect(),
        })
    }

    /// The lines that hold these bytes, and the number of the first, from 1.
    pub(super) fn lines_around(&self, first: usize, last: usize) -> (Range<usize>, usize) {
        let number = self.line_of(first);
        let start = number.checked_sub(1).and_then(|index| self.lines.get(index));
        let rest = self.text.get(last..).unwrap_or_default();
        let end = rest.find('\n').map_or(self.text.len(), |newline| last + newline);
        (start.copied().unwrap_or(0)..end, number)
    }

    /// The number of the line that holds a byte, from 1.
    fn line_of(&self, byte: usize) -> usize {
        self.lines.partition_point(|start| *start <= byte)
    }

    /// The word, the quoted text or the rest of the line that starts at `place`.
    pub(super) fn span_at(self: &Arc<Self>, place: &Place) -> Span {
        let line = self.lines.get((place.line as usize).saturating_sub(1)).copied();
        let line = line.unwrap_or(self.text.len());
        let rest = self
            .text
            .get(line..)
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default();
        let start = rest.char_indices().nth((place.column as usize).saturating_sub(1));
        let start = start.map_or(rest.len(), |(at, _)| at);
        let length = word(rest.get(start..).unwrap_or_default());
        Span::new(self, line + start..line + start + length)
    }
}

/// The length of the scalar that a line begins with, or of all of it where it begins with none.
fn word(line: &str) -> usize {
    let quoted = |quote: char| {
        let rest = line.strip_prefix(quote)?;
        let end = rest.find(quote)?;
        Some(end + 2 * quote.len_utf8())
    };
    if let Some(length) = quoted('"').or_else(|| quoted('\'')) {
        return length;
    }
    if line.starts_with(['{', '[', '-']) {
        return line.split(" #").next().unwrap_or_default().trim_end().len();
    }
    let ends = [": ", ", ", " #", "}", "]"].iter().filter_map(|end| line.find(end));
    let end = ends
        .min()
        .unwrap_or_else(|| line.trim_end().trim_end_matches(':').len());
    line.get(..end).unwrap_or_default().trim_end().len()
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
        let line = self.source.line_of(self.bytes.start);
        let line_start = line.checked_sub(1).and_then(|index| self.source.lines.get(index));
        let before = line_start.and_then(|start| self.source.text.get(*start..self.bytes.start));
        let column = before.unwrap_or_default().chars().count() + 1;
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
