//! A YAML document as a tree in which each node knows its place. Anchors, aliases and merge keys
//! are already expanded; keys given twice are still there. The only file that names `serde_yaml`.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, Location, NonFiniteFloatPolicy, Spanned};

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::source::{Source, Sp, Span};
use super::syntax;

/// A node and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar, its text as written (quotes and escapes resolved).
    Scalar(Scalar),
    Seq(Vec<Node>),
    /// In the order written.
    Map(Vec<(Sp<String>, Node)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) kind: ScalarKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Bool(bool),
    Integer,
    Float,
    Text,
}

impl Node {
    /// What it is, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Scalar(scalar) => match scalar.kind {
                ScalarKind::Bool(_) => "true or false",
                ScalarKind::Integer | ScalarKind::Float => "a number",
                ScalarKind::Text => "a text",
            },
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads one file. An empty one is a null node.
///
/// # Errors
/// What makes it no YAML, where.
pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Box<Diagnostic>> {
    let options = serde_yaml::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        with_snippet: false,
    };
    match serde_yaml::from_str_with_options::<Spanned<Raw>>(&source.text, options) {
        Ok(raw) => Ok(located(raw, source)),
        Err(error) if is_empty(&source.text) => {
            drop(error);
            Ok(Node {
                span: Span::new(source, 0..0),
                value: Value::Null,
            })
        }
        Err(error) => {
            let span = error.location().map_or(0..0, |location| bytes(location, &source.text));
            let message = plain_message(&error);
            // The parser points behind a tab that it minds.
            let before = source.text.get(..span.start).unwrap_or_default();
            let start = match before.strip_suffix('\t') {
                Some(before) if message.contains("tab") => before.len(),
                Some(_) | None => span.start,
            };
            let span = Span::new(source, start..span.end.max(start + 1));
            let (message, help) = syntax::explain(&message, &source.text, start);
            let finding = Diagnostic::new(DiagnosticCode::Syntax, &span, message);
            Err(Box::new(match help {
                Some(help) => finding.help(help),
                None => finding,
            }))
        }
    }
}

fn is_empty(text: &str) -> bool {
    text.lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// The parser's words without its own place.
fn plain_message(error: &serde_yaml::Error) -> String {
    let text = error.render_with_formatter(&serde_yaml::UserMessageFormatter);
    let text = text.lines().next().unwrap_or_default();
    let text = text.split(" at line ").next().unwrap_or(text);
    let text = text
        .rsplit_once(": ")
        .filter(|(before, _)| before.starts_with("line "))
        .map_or(text, |(_, rest)| rest);
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// A node as serde gives it, before texts are taken from the source.
enum Raw {
    Null,
    Bool(bool),
    Integer,
    Float,
    Text(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Integer)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Integer)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Integer)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Integer)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Float)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

/// The bytes of a location; the parser counts characters where it has no bytes.
fn bytes(location: Location, text: &str) -> std::ops::Range<usize> {
    let span = location.span();
    let (start, length) = match (span.byte_offset(), span.byte_len()) {
        (Some(start), Some(length)) => (start, length),
        _ => {
            let byte_of = |chars: u64| {
                let chars = usize::try_from(chars).unwrap_or(usize::MAX);
                text.char_indices().nth(chars).map_or(text.len(), |(byte, _)| byte)
            };
            let start = byte_of(span.offset());
            return start..byte_of(span.offset().saturating_add(span.len()));
        }
    };
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    start..start.saturating_add(usize::try_from(length).unwrap_or(0))
}

/// Puts each node at the place where it is defined: an alias at its anchor, where the text stands.
fn located(raw: Spanned<Raw>, source: &Arc<Source>) -> Node {
    let span = Span::new(source, bytes(raw.defined, &source.text));
    let scalar = |kind| {
        let text = span.text().to_owned();
        Value::Scalar(Scalar { text, kind })
    };
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => scalar(ScalarKind::Bool(value)),
        Raw::Integer => scalar(ScalarKind::Integer),
        Raw::Float => scalar(ScalarKind::Float),
        Raw::Text(text) => Value::Scalar(Scalar {
            text,
            kind: ScalarKind::Text,
        }),
        Raw::Seq(items) => Value::Seq(items.into_iter().map(|item| located(item, source)).collect()),
        Raw::Map(entries) => {
            let entry = |(key, value)| (key_text(located(key, source)), located(value, source));
            Value::Map(entries.into_iter().map(entry).collect())
        }
    };
    let end = match &value {
        Value::Null | Value::Scalar(_) => span.bytes.end,
        Value::Seq(items) => items.last().map_or(span.bytes.end, |item| item.span.bytes.end),
        Value::Map(entries) => entries.last().map_or(span.bytes.end, |(_, value)| value.span.bytes.end),
    };
    let end = closed(&source.text, span.bytes.start, end.max(span.bytes.end));
    Node {
        span: Span::new(source, span.bytes.start..end),
        value,
    }
}

/// The end of a flow collection with its bracket; anything else ends where it did.
fn closed(text: &str, start: usize, end: usize) -> usize {
    let close = match text.get(start..).and_then(|text| text.chars().next()) {
        Some('[') => ']',
        Some('{') => '}',
        Some(_) | None => return end,
    };
    let rest = text.get(end..).unwrap_or_default();
    rest.find(close).map_or(end, |bracket| end + bracket + 1)
}

/// A key's text; keys that are no scalar are shown as written, and known to nobody.
fn key_text(key: Node) -> Sp<String> {
    let text = match key.value {
        Value::Scalar(scalar) => scalar.text,
        Value::Null | Value::Seq(_) | Value::Map(_) => key.span.text().to_owned(),
    };
    Sp::new(text, key.span)
}
