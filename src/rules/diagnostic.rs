//! What is wrong with rules: findings with their places. How they are shown is in `render`.

use std::collections::HashSet;

use crate::policy::Place;

pub(super) use super::code::DiagnosticCode;
use super::code::Severity;
use super::source::Span;

/// One finding about the rules.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    pub(super) code: DiagnosticCode,
    pub(super) message: String,
    /// Where, if some line of the rules is to blame.
    pub(super) span: Option<Span>,
    /// What it is about in the database: `care.customers.email`.
    pub(super) object: Option<String>,
    pub(super) label: Option<String>,
    pub(super) help: Option<String>,
    pub(super) others: Vec<(Span, String)>,
}

impl Diagnostic {
    pub(super) fn new(code: DiagnosticCode, span: &Span, message: impl Into<String>) -> Self {
        Self::somewhere(code, Some(span.clone()), message)
    }

    pub(super) fn somewhere(code: DiagnosticCode, span: Option<Span>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            span,
            object: None,
            label: None,
            help: None,
            others: Vec::new(),
        }
    }

    /// Words beside the underlined place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What would be right, or what to write.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What it is about in the database, as a dotted name.
    #[must_use]
    pub fn object(mut self, object: impl std::fmt::Display) -> Self {
        self.object = Some(object.to_string());
        self
    }

    /// Another place that has to do with it.
    pub(super) fn other(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.others.push((span.clone(), label.into()));
        self
    }

    /// `did you mean`, or the whole list where it is short.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
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

    /// How grave it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// What is wrong, lower case.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where, if some line of the rules is to blame.
    pub fn place(&self) -> Option<Place> {
        self.span.as_ref().map(Span::place)
    }

    /// What would be right, if it can be said.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// Findings: never empty when [`super::load`] returns them as an error.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    pub(super) list: Vec<Diagnostic>,
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

    /// In the order in which they were added, or [`Self::sorted`].
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// How many are so grave.
    pub fn count(&self, severity: Severity) -> usize {
        self.list
            .iter()
            .filter(|finding| finding.severity() == severity)
            .count()
    }

    /// In order of place, then those without one by what they are about; each once: an anchored piece
    /// is read wherever it is used.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let mut seen = HashSet::new();
        let key = |finding: &Diagnostic| (finding.place(), finding.code, finding.message.clone());
        self.list.retain(|finding| seen.insert(key(finding)));
        self.list.sort_by_cached_key(|finding| {
            let place = finding.place();
            (place.is_none(), place, finding.object.clone(), finding.code)
        });
        self
    }
}

impl std::fmt::Display for Diagnostics {
    /// Without colour.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_text(false))
    }
}

impl std::error::Error for Diagnostics {}
