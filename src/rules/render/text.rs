//! Findings for a terminal, in the manner of rustc: the place underlined, then what to write.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};

use super::super::code::Severity;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::source::{Source, Span};

impl Diagnostics {
    /// As text for a terminal, each with its place underlined.
    pub fn to_text(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let shown: Vec<String> = self.iter().map(|finding| finding.render(&renderer)).collect();
        shown.join("\n\n")
    }
}

/// What is underlined in one file.
struct Shown<'a> {
    source: &'a Source,
    marks: Vec<(AnnotationKind, Range<usize>, Option<&'a str>)>,
}

impl Diagnostic {
    fn render(&self, renderer: &Renderer) -> String {
        let primary = self
            .span
            .iter()
            .map(|span| (AnnotationKind::Primary, span, self.label.as_deref()));
        let others = self.others.iter();
        let others = others.map(|(span, label)| (AnnotationKind::Context, span, Some(label.as_str())));
        let mut files: Vec<Shown<'_>> = Vec::new();
        for (kind, span, label) in primary.chain(others) {
            let mark = (kind, span.first_line(), label);
            match files.iter_mut().find(|file| file.source.name == span.source.name) {
                Some(file) => file.marks.push(mark),
                None => files.push(Shown::new(span, mark)),
            }
        }
        let level = match self.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(self.message.as_str()).id(self.code.as_str());
        let mut group = title.elements(files.iter().map(Shown::snippet));
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl<'a> Shown<'a> {
    fn new(span: &'a Span, mark: (AnnotationKind, Range<usize>, Option<&'a str>)) -> Self {
        Self {
            source: &span.source,
            marks: vec![mark],
        }
    }

    /// Of the lines from the first mark to the last: a renderer that is given a whole file reads all of it.
    fn snippet(&self) -> Snippet<'a, Annotation<'a>> {
        let first = self.marks.iter().map(|(_, range, _)| range.start).min().unwrap_or(0);
        let last = self.marks.iter().map(|(_, range, _)| range.end).max().unwrap_or(0);
        let (lines, number) = self.source.lines_around(first, last);
        let text = self.source.text.get(lines.clone()).unwrap_or_default();
        // Of the same length, so that places stay.
        let text: Cow<'a, str> = match text.contains('\r') {
            true => text.replace('\r', " ").into(),
            false => text.into(),
        };
        let within = |range: &Range<usize>| range.start - lines.start..range.end - lines.start;
        let annotations = self.marks.iter().map(|(kind, range, label)| {
            let annotation = kind.span(within(range));
            match label {
                Some(label) => annotation.label(*label),
                None => annotation,
            }
        });
        Snippet::source(text)
            .path(&*self.source.name)
            .line_start(number)
            .annotations(annotations)
    }
}
