//! Findings as SARIF 2.1.0 (OASIS), which code-scanning services read.

use serde_json::{Map, Value, json};

use super::super::code::DiagnosticCode;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::source::Span;
use super::uri_path;

impl Diagnostics {
    /// As one run of this program. Names of files are relative to the rules folder, which stands as
    /// `RULES` among the run's bases where its URI is known (ending in `/`).
    pub fn to_sarif(&self, folder_uri: Option<&str>) -> Value {
        let rules: Vec<Value> = DiagnosticCode::ALL.iter().map(|code| rule(*code)).collect();
        let results: Vec<Value> = self.iter().map(Diagnostic::to_sarif).collect();
        let mut run = json!({
            "tool": {"driver": {
                "name": "pgpurpose",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        });
        if let (Some(uri), Some(run)) = (folder_uri, run.as_object_mut()) {
            run.insert("originalUriBaseIds".to_owned(), json!({"RULES": {"uri": uri}}));
        }
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [run],
        })
    }
}

fn rule(code: DiagnosticCode) -> Value {
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": code.title()},
        "fullDescription": {"text": code.explanation()},
        "help": {"text": code.explanation(), "markdown": code.explanation()},
        "defaultConfiguration": {"level": code.severity().as_str()},
    })
}

impl Diagnostic {
    fn to_sarif(&self) -> Value {
        let index = DiagnosticCode::ALL.iter().position(|code| *code == self.code);
        let text = match &self.help {
            Some(help) => format!("{}\nhelp: {help}", self.message),
            None => self.message.clone(),
        };
        let mut location = Map::new();
        if let Some(span) = &self.span {
            location.insert("physicalLocation".to_owned(), physical(span));
        }
        if let Some(object) = &self.object {
            location.insert("logicalLocations".to_owned(), json!([{"fullyQualifiedName": object}]));
        }
        let related: Vec<Value> = self
            .others
            .iter()
            .map(|(span, label)| json!({"physicalLocation": physical(span), "message": {"text": label}}))
            .collect();
        let mut result = json!({
            "ruleId": self.code.as_str(),
            "ruleIndex": index,
            "level": self.severity().as_str(),
            "message": {"text": text},
            "locations": if location.is_empty() { Vec::new() } else { vec![Value::Object(location)] },
        });
        if let (false, Some(result)) = (related.is_empty(), result.as_object_mut()) {
            result.insert("relatedLocations".to_owned(), Value::Array(related));
        }
        result
    }
}

fn physical(span: &Span) -> Value {
    let place = span.place();
    let underlined = span.source.text.get(span.first_line()).unwrap_or_default();
    // A region ends behind its last character.
    let end = place.column as usize + underlined.chars().count();
    json!({
        "artifactLocation": {"uri": uri_path(&place.file), "uriBaseId": "RULES"},
        "region": {"startLine": place.line, "startColumn": place.column, "endColumn": end},
    })
}
