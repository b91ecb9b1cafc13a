//! Findings as a JSON array, one object each.

use serde_json::{Value, json};

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::source::Span;

impl Diagnostics {
    /// As a JSON array: `code`, `severity`, `message`, `file`, `line`, `column` (in characters, from 1),
    /// the underlined `text`, the database's `object`, `help`, and `related` places.
    pub fn to_json(&self) -> Value {
        Value::Array(self.iter().map(Diagnostic::to_json).collect())
    }
}

impl Diagnostic {
    fn to_json(&self) -> Value {
        let place = self.place();
        let related = self.others.iter().map(|(span, label)| {
            let place = span.place();
            json!({"file": &*place.file, "line": place.line, "column": place.column, "message": label})
        });
        json!({
            "code": self.code.as_str(),
            "severity": self.severity().as_str(),
            "message": self.message,
            "file": place.as_ref().map(|place| &*place.file),
            "line": place.as_ref().map(|place| place.line),
            "column": place.as_ref().map(|place| place.column),
            "text": self.span.as_ref().and_then(|span: &Span| span.source.text.get(span.first_line())),
            "object": self.object,
            "help": self.help,
            "related": related.collect::<Vec<Value>>(),
        })
    }
}
