//! Findings for a terminal, in the manner of rustc: the place underlined, then what to write.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};

use super::super::code::Severity;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::source::Span;

impl Diagnostics {
    /// As text for a terminal, each with its place underlined.
    pub fn to_text(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let shown: Vec<String> = self.iter().map(|finding| finding.render(&renderer)).collect();
        shown.join("\n\n")
    }
}

impl Diagnostic {
    fn render(&self, renderer: &Renderer) -> String {
        let mut snippets = Vec::new();
        if let Some(span) = &self.span {
            snippets.push(snippet(span, AnnotationKind::Primary, self.label.as_deref()));
        }
        for (span, label) in &self.others {
            let same_file = |first: &Span| first.source.name == span.source.name;
            match (self.span.as_ref().is_some_and(same_file), snippets.first_mut()) {
                (true, Some(first)) => {
                    let annotation = AnnotationKind::Context.span(span.first_line()).label(label);
                    *first = first.clone().annotation(annotation);
                }
                (false, _) | (true, None) => snippets.push(snippet(span, AnnotationKind::Context, Some(label))),
            }
        }
        let level = match self.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(self.message.as_str()).id(self.code.as_str());
        let mut group = title.elements(snippets);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

fn snippet<'a>(span: &'a Span, kind: AnnotationKind, label: Option<&'a str>) -> Snippet<'a, Annotation<'a>> {
    let annotation = kind.span(span.first_line());
    let annotation = match label {
        Some(label) => annotation.label(label),
        None => annotation,
    };
    Snippet::source(&*span.source.text)
        .path(&*span.source.name)
        .annotation(annotation)
}
