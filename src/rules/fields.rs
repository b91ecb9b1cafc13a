//! Reading nodes: each helper takes what it wants or reports, in one line, why it cannot.

use time::macros::format_description;

use super::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics};
use super::node::{Node, Scalar, ScalarKind, Value};
use super::shape::Mapping;
use super::source::{Sp, Span};

/// A mapping whose keys are fixed.
pub(super) struct Fields<'n> {
    mapping: &'static Mapping,
    /// The place to name where a key is missing: that of the key or item that holds the mapping.
    span: Span,
    entries: &'n [(Sp<String>, Node)],
}

impl<'n> Fields<'n> {
    /// Reads a mapping; reports keys that it does not have and keys given twice.
    pub(super) fn read(node: &'n Node, mapping: &'static Mapping, findings: &mut Diagnostics) -> Option<Self> {
        let entries = entries(node, mapping.what, findings)?;
        for (key, _) in entries {
            if mapping.key(&key.value).is_none() {
                let message = format!("unknown key `{}` in {}", key.value, mapping.what);
                let finding = Diagnostic::new(DiagnosticCode::UnknownKey, &key.span, message);
                findings.push(finding.suggest(&key.value, mapping.names()));
            }
        }
        Some(Self {
            mapping,
            span: Span::new(&node.span.source, node.span.first_line()),
            entries,
        })
    }

    /// Missing keys are reported at this place instead of the mapping's own.
    pub(super) fn at(mut self, span: &Span) -> Self {
        self.span = span.clone();
        self
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        debug_assert!(self.mapping.key(key).is_some(), "{key} is not in the table of keys");
        self.entries
            .iter()
            .find(|(name, _)| name.value == key)
            .map(|(_, node)| node)
    }

    pub(super) fn key(&self, key: &str) -> Option<&'n Sp<String>> {
        self.entries.iter().map(|(name, _)| name).find(|name| name.value == key)
    }

    pub(super) fn require(&self, key: &str, findings: &mut Diagnostics) -> Option<&'n Node> {
        debug_assert!(
            self.mapping.key(key).is_some_and(|key| key.required),
            "{key} must be there"
        );
        let found = self.get(key);
        if found.is_none() {
            findings.push(Diagnostic::new(
                DiagnosticCode::MissingKey,
                &self.span,
                format!("`{key}` is missing"),
            ));
        }
        found
    }
}

/// The entries of a mapping with free keys, each key once.
pub(super) fn entries<'n>(node: &'n Node, what: &str, findings: &mut Diagnostics) -> Option<&'n [(Sp<String>, Node)]> {
    let Value::Map(entries) = &node.value else {
        findings.push(wrong_type(node, what, "a mapping"));
        return None;
    };
    for (i, (key, _)) in entries.iter().enumerate() {
        if let Some((first, _)) = entries.iter().take(i).find(|(earlier, _)| earlier.value == key.value) {
            findings.push(duplicate(key, first));
        }
    }
    Some(entries)
}

pub(super) fn duplicate(key: &Sp<String>, first: &Sp<String>) -> Diagnostic {
    let message = format!("`{}` is given twice", key.value);
    Diagnostic::new(DiagnosticCode::DuplicateKey, &key.span, message).other(&first.span, "first given here")
}

pub(super) fn wrong_type(node: &Node, what: &str, expected: &str) -> Diagnostic {
    let message = format!("{what} must be {expected}, not {}", node.describe());
    Diagnostic::new(DiagnosticCode::WrongType, &node.span, message).label(format!("expected {expected}"))
}

pub(super) fn invalid(span: &Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(DiagnosticCode::InvalidValue, span, message)
}

/// The items of a list.
pub(super) fn list<'n>(node: &'n Node, what: &str, findings: &mut Diagnostics) -> Option<&'n [Node]> {
    match &node.value {
        Value::Seq(items) => Some(items),
        Value::Scalar(scalar) => {
            let help = format!("write [{}]", scalar.text);
            findings.push(wrong_type(node, what, "a list").help(help));
            None
        }
        Value::Null | Value::Map(_) => {
            findings.push(wrong_type(node, what, "a list"));
            None
        }
    }
}

/// A text, not empty.
pub(super) fn text(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<Sp<String>> {
    match &node.value {
        Value::Scalar(Scalar {
            text,
            kind: ScalarKind::Text,
        }) => {
            if text.is_empty() {
                findings.push(invalid(&node.span, format!("{what} is empty")));
                return None;
            }
            Some(Sp::new(text.clone(), node.span.clone()))
        }
        Value::Scalar(scalar) => {
            let help = format!("write \"{}\" in quotes if it is meant as a text", scalar.text);
            findings.push(wrong_type(node, what, "a text").help(help));
            None
        }
        Value::Null | Value::Seq(_) | Value::Map(_) => {
            findings.push(wrong_type(node, what, "a text"));
            None
        }
    }
}

/// Any scalar, as it is written.
pub(super) fn scalar(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<Sp<String>> {
    match &node.value {
        Value::Scalar(scalar) => Some(Sp::new(scalar.text.clone(), node.span.clone())),
        Value::Null | Value::Seq(_) | Value::Map(_) => {
            findings.push(wrong_type(node, what, "a text or a number"));
            None
        }
    }
}

/// A list of texts.
pub(super) fn texts(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<Vec<Sp<String>>> {
    let items = list(node, what, findings)?;
    Some(
        items
            .iter()
            .filter_map(|item| text(item, "an item of this list", findings))
            .collect(),
    )
}

/// A list of texts that names at least one.
pub(super) fn some_texts(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<Vec<Sp<String>>> {
    let items = list(node, what, findings)?;
    if items.is_empty() {
        findings.push(invalid(&node.span, format!("{what} is empty")));
        return None;
    }
    texts(node, what, findings)
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<bool> {
    match &node.value {
        Value::Scalar(Scalar {
            kind: ScalarKind::Bool(value),
            ..
        }) => Some(*value),
        Value::Scalar(_) | Value::Null | Value::Seq(_) | Value::Map(_) => {
            findings.push(wrong_type(node, what, "true or false"));
            None
        }
    }
}

/// A whole number from `least` to `most`.
pub(super) fn number(node: &Node, what: &str, least: u64, most: u64, findings: &mut Diagnostics) -> Option<u64> {
    let Value::Scalar(Scalar {
        text,
        kind: ScalarKind::Integer,
    }) = &node.value
    else {
        findings.push(wrong_type(node, what, "a whole number"));
        return None;
    };
    let value = text.parse::<u64>().ok().filter(|value| (least..=most).contains(value));
    if value.is_none() {
        let most = if least == most {
            least.to_string()
        } else if most >= u64::from(u32::MAX) {
            format!("at least {least}")
        } else {
            format!("from {least} to {most}")
        };
        findings.push(invalid(&node.span, format!("{what} must be {most}")));
    }
    value
}

/// The same, as 32 bits.
pub(super) fn small(node: &Node, what: &str, least: u32, most: u32, findings: &mut Diagnostics) -> Option<u32> {
    let value = number(node, what, u64::from(least), u64::from(most), findings)?;
    u32::try_from(value).ok()
}

/// One of a few words.
pub(super) fn choice<T: Copy>(node: &Node, what: &str, words: &[(&str, T)], findings: &mut Diagnostics) -> Option<T> {
    let found = text(node, what, findings)?;
    let chosen = words
        .iter()
        .find(|(word, _)| *word == found.value)
        .map(|(_, value)| *value);
    if chosen.is_none() {
        let message = format!("`{}` is not a value of {what}", found.value);
        findings.push(invalid(&node.span, message).suggest(&found.value, words.iter().map(|(word, _)| *word)));
    }
    chosen
}

/// A day, `2027-01-31`.
pub(super) fn date(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<time::Date> {
    let found = text(node, what, findings)?;
    let day = time::Date::parse(&found.value, format_description!("[year]-[month]-[day]")).ok();
    if day.is_none() {
        findings.push(invalid(&node.span, format!("{what} must be a day, such as 2027-01-31")));
    }
    day
}

/// The words of a dotted name; a word in double quotes may hold dots.
pub(super) fn dotted(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = quoted.find('"')?;
                (quoted.get(..end)?, quoted.get(end + 1..)?)
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest.get(..end)?, rest.get(end..)?)
            }
        };
        if word.is_empty() {
            return None;
        }
        words.push(word.to_owned());
        if after.is_empty() {
            return Some(words);
        }
        rest = after.strip_prefix('.')?;
    }
}

/// Whether a name is made of dotted words of letters, digits, `_` and `-`.
pub(super) fn is_dotted_name(text: &str) -> bool {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars
            .next()
            .is_some_and(|first| first.is_alphanumeric() || first == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    text.split('.').all(word)
}
