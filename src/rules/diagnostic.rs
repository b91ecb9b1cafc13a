//! What is wrong with rules, and how it is shown: underlined for people, as JSON for programs.

use std::collections::HashSet;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::{Value, json};

use crate::policy::Place;

use super::source::Span;

/// The kind of a finding; its text never changes once published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DiagnosticCode {
    /// The file is not well-formed YAML.
    Syntax,
    /// A key that the rules language does not have.
    UnknownKey,
    /// A key given twice.
    DuplicateKey,
    /// A key that must be there.
    MissingKey,
    /// A text, number, list or mapping where another is expected.
    WrongType,
    /// A value of the right type that is not allowed.
    InvalidValue,
    /// A purpose that is not declared.
    UnknownPurpose,
    /// A data category that is not declared.
    UnknownCategory,
    /// A recipient that is not declared.
    UnknownRecipient,
    /// A table that has no entry.
    UnknownTable,
    /// A column that its table's entry does not have.
    UnknownColumn,
    /// A file that does not exist.
    UnknownFile,
    /// Files that include each other.
    IncludeCycle,
    /// A table that is not a kind of person where one is needed.
    NotARoot,
    /// Two entries that disagree about the same thing.
    Ambiguous,
    /// `{mask: {}}` where neither column nor category has a mask.
    NoOwnMask,
    /// A role's default purpose that it may not use.
    DefaultNotGranted,
    /// What a test case expects, and is not so.
    Unmet,
}

impl DiagnosticCode {
    /// The published text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::UnknownKey => "unknown_key",
            Self::DuplicateKey => "duplicate_key",
            Self::MissingKey => "missing_key",
            Self::WrongType => "wrong_type",
            Self::InvalidValue => "invalid_value",
            Self::UnknownPurpose => "unknown_purpose",
            Self::UnknownCategory => "unknown_category",
            Self::UnknownRecipient => "unknown_recipient",
            Self::UnknownTable => "unknown_table",
            Self::UnknownColumn => "unknown_column",
            Self::UnknownFile => "unknown_file",
            Self::IncludeCycle => "include_cycle",
            Self::NotARoot => "not_a_root",
            Self::Ambiguous => "ambiguous",
            Self::NoOwnMask => "no_own_mask",
            Self::DefaultNotGranted => "default_not_granted",
            Self::Unmet => "unmet",
        }
    }
}

/// One thing that is wrong with the rules.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    code: DiagnosticCode,
    message: String,
    span: Span,
    label: Option<String>,
    help: Option<String>,
    others: Vec<(Span, String)>,
}

impl Diagnostic {
    pub(super) fn new(code: DiagnosticCode, span: &Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span: span.clone(),
            label: None,
            help: None,
            others: Vec::new(),
        }
    }

    /// Words beside the underlined place.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What would be right.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Another place that has to do with it.
    pub(super) fn other(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.others.push((span.clone(), label.into()));
        self
    }

    /// `did you mean`, or the whole list where it is short.
    pub(super) fn suggest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match crate::policy::nearest(name, known.iter().copied()) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => self,
            None if known.len() <= 12 => self.help(format!("known are: {}", known.join(", "))),
            None => self,
        }
    }

    /// Its kind.
    pub fn code(&self) -> DiagnosticCode {
        self.code
    }

    /// What is wrong, lower case.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where.
    pub fn place(&self) -> Place {
        self.span.place()
    }

    /// What would be right, if it can be said.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }

    fn to_json(&self) -> Value {
        let place = self.place();
        let others: Vec<Value> = self
            .others
            .iter()
            .map(|(span, label)| {
                let place = span.place();
                json!({"file": &*place.file, "line": place.line, "column": place.column, "message": label})
            })
            .collect();
        json!({
            "code": self.code.as_str(),
            "message": self.message,
            "file": &*place.file,
            "line": place.line,
            "column": place.column,
            "text": self.span.source.text.get(self.span.first_line()),
            "help": self.help,
            "related": others,
        })
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut snippets = vec![snippet(&self.span, AnnotationKind::Primary, self.label.as_deref())];
        for (span, label) in &self.others {
            if span.source.name == self.span.source.name {
                let first = snippets.swap_remove(0);
                snippets.insert(
                    0,
                    first.annotation(AnnotationKind::Context.span(shown(span)).label(label)),
                );
            } else {
                snippets.push(snippet(span, AnnotationKind::Context, Some(label)));
            }
        }
        let mut group = Level::ERROR
            .primary_title(self.message.as_str())
            .id(self.code.as_str())
            .elements(snippets);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

fn snippet<'a>(
    span: &'a Span,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let annotation = kind.span(shown(span));
    let annotation = match label {
        Some(label) => annotation.label(label),
        None => annotation,
    };
    Snippet::source(&*span.source.text)
        .path(&*span.source.name)
        .annotation(annotation)
}

fn shown(span: &Span) -> Range<usize> {
    span.first_line()
}

/// All that is wrong with the rules: never empty when [`super::load`] returns it.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, finding: Diagnostic) {
        self.list.push(finding);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In order of place.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// In order of place, each once: an anchored piece is read wherever it is used.
    pub(super) fn sorted(mut self) -> Self {
        let mut seen = HashSet::new();
        self.list
            .retain(|finding| seen.insert((finding.place(), finding.code, finding.message.clone())));
        self.list.sort_by_key(|finding| (finding.place(), finding.code));
        self
    }

    /// As text for a terminal, each with its place underlined.
    pub fn to_text(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let shown: Vec<String> = self.list.iter().map(|finding| finding.render(&renderer)).collect();
        shown.join("\n\n")
    }

    /// As a JSON array.
    pub fn to_json(&self) -> Value {
        Value::Array(self.list.iter().map(Diagnostic::to_json).collect())
    }
}

impl std::fmt::Display for Diagnostics {
    /// Without colour.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_text(false))
    }
}

impl std::error::Error for Diagnostics {}
