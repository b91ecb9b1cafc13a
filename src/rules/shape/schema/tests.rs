//! The schema against reading: whatever a file holds, both accept it or both do not.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::super::super::diagnostic::{DiagnosticCode, Diagnostics};
use super::super::super::node::{self, Node, ScalarKind};
use super::super::super::{read, source::Source};
use super::json_schema;

/// A validator of what the schema uses of draft 7, and of nothing else: an unknown keyword panics.
struct Validator {
    root: Value,
    patterns: RefCell<HashMap<String, Regex>>,
}

impl Validator {
    fn new() -> Self {
        Self {
            root: json_schema(),
            patterns: RefCell::default(),
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut known = self.patterns.borrow_mut();
        let regex = known
            .entry(pattern.to_owned())
            .or_insert_with(|| Regex::new(pattern).unwrap());
        regex.is_match(text)
    }

    fn accepts(&self, schema: &Value, value: &Value) -> bool {
        let rules = schema.as_object().unwrap();
        if let Some(reference) = rules.get("$ref") {
            let pointer = reference.as_str().unwrap().trim_start_matches('#');
            return self.accepts(self.root.pointer(pointer).unwrap(), value);
        }
        rules
            .iter()
            .all(|(keyword, rule)| self.keyword(keyword, rule, rules, value))
    }

    fn keyword(&self, keyword: &str, rule: &Value, rules: &Map<String, Value>, value: &Value) -> bool {
        let all = || rule.as_array().unwrap().iter();
        let (object, array, text) = (value.as_object(), value.as_array(), value.as_str());
        let count = |n: Option<usize>| n.map(|n| n as u64);
        let length = || count(text.map(|text| text.chars().count()));
        match keyword {
            "$schema" | "title" | "description" | "definitions" => true,
            "type" => match rule {
                Value::Array(_) => all().any(|one| is_type(one.as_str().unwrap(), value)),
                one => is_type(one.as_str().unwrap(), value),
            },
            "enum" => all().any(|one| one == value),
            "allOf" => all().all(|one| self.accepts(one, value)),
            "anyOf" => all().any(|one| self.accepts(one, value)),
            "oneOf" => all().filter(|one| self.accepts(one, value)).count() == 1,
            "not" => !self.accepts(rule, value),
            "if" => !self.accepts(rule, value) || self.accepts(&rules["then"], value),
            "then" => rules.contains_key("if"),
            "required" => object.is_none_or(|fields| all().all(|key| fields.contains_key(key.as_str().unwrap()))),
            "properties" => object.is_none_or(|fields| {
                let known = fields.iter().filter_map(|(key, value)| Some((rule.get(key)?, value)));
                known.into_iter().all(|(schema, value)| self.accepts(schema, value))
            }),
            "additionalProperties" => object.is_none_or(|fields| {
                let named = |key: &String| rules.get("properties").is_some_and(|named| named.get(key).is_some());
                fields
                    .iter()
                    .filter(|(key, _)| !named(key))
                    .all(|(_, value)| match rule {
                        Value::Bool(allowed) => *allowed,
                        schema => self.accepts(schema, value),
                    })
            }),
            "propertyNames" => object.is_none_or(|fields| fields.keys().all(|key| self.accepts(rule, &json!(key)))),
            "minProperties" => count(object.map(Map::len)).is_none_or(|n| n >= rule.as_u64().unwrap()),
            "maxProperties" => count(object.map(Map::len)).is_none_or(|n| n <= rule.as_u64().unwrap()),
            "items" => array.is_none_or(|items| items.iter().all(|item| self.accepts(rule, item))),
            "minItems" => count(array.map(Vec::len)).is_none_or(|n| n >= rule.as_u64().unwrap()),
            "minLength" => length().is_none_or(|n| n >= rule.as_u64().unwrap()),
            "maxLength" => length().is_none_or(|n| n <= rule.as_u64().unwrap()),
            "pattern" => text.is_none_or(|text| self.matches(rule.as_str().unwrap(), text)),
            "format" => text.is_none_or(|text| {
                assert_eq!(rule, "date");
                let form = time::macros::format_description!("[year]-[month]-[day]");
                time::Date::parse(text, form).is_ok()
            }),
            "minimum" => value.as_f64().is_none_or(|n| n >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|n| n <= rule.as_f64().unwrap()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|n| n > rule.as_f64().unwrap()),
            other => panic!("{other} is not a keyword that is known here"),
        }
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

/// A file as an editor sees it; the last of keys given twice.
fn as_json(node: &Node) -> Value {
    match &node.value {
        node::Value::Null => Value::Null,
        node::Value::Scalar(scalar) => match scalar.kind {
            ScalarKind::Bool(value) => json!(value),
            ScalarKind::Integer | ScalarKind::Float => serde_json::from_str(&scalar.text).unwrap_or(json!(0.5)),
            ScalarKind::Text => json!(scalar.text),
        },
        node::Value::Seq(items) => items.iter().map(as_json).collect(),
        node::Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.value.clone(), as_json(value)));
            Value::Object(entries.collect())
        }
    }
}

/// What reading minds in a text that is YAML, but for what no schema can mind: keys given twice, and a
/// status that means two things.
fn minded(text: &str) -> Option<(Value, Vec<String>)> {
    let node = node::parse(&Source::new("a.yaml", text)).ok()?;
    let mut findings = Diagnostics::default();
    read::document(&node, &mut findings);
    let minded = findings.iter().filter(|finding| {
        finding.code() != DiagnosticCode::DuplicateKey && !finding.message().contains("stands for both")
    });
    let minded = minded.map(|finding| format!("{}: {}", finding.place().unwrap(), finding.message()));
    Some((as_json(&node), minded.collect()))
}

fn rules_files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            rules_files(&path, found);
        } else if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
            found.push(name);
        }
    }
}

#[test]
fn the_schema_accepts_the_files_that_reading_accepts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let validator = Validator::new();
    let mut files = Vec::new();
    ["rules", "tests"]
        .iter()
        .for_each(|folder| rules_files(&root.join(folder), &mut files));
    let (mut accepted, mut refused) = (0, 0);
    for file in files {
        let text = std::fs::read(&file).unwrap();
        let Some((value, minded)) = minded(&String::from_utf8_lossy(&text)) else {
            continue;
        };
        assert_eq!(
            validator.accepts(&validator.root, &value),
            minded.is_empty(),
            "{file}: {minded:#?}"
        );
        *(if minded.is_empty() { &mut accepted } else { &mut refused }) += 1;
    }
    assert!(accepted > 10 && refused > 4, "{accepted} accepted, {refused} refused");
}

/// Each value of the document replaced by each of these in turn.
fn replacements() -> Vec<Value> {
    let texts = [
        "",
        "x",
        "a.b",
        "a.b.c",
        "a..b",
        "\"a.b\".c",
        "a b",
        "é.b",
        "-a",
        "a-b",
        "f(x)",
        "s.f( int , text)",
        "s.f(",
        "3 years",
        "0 days",
        "1 day 2",
        "007 days",
        "2027-01-31",
        "2027-02-30",
        "raw",
        "mask",
        "email",
        "partial",
        "none",
        "opt_in",
        "f({})",
        "🧑",
        "null",
    ];
    let mut values: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    values.extend([
        json!(0),
        json!(1),
        json!(9),
        json!(10),
        json!(151),
        json!(10_001),
        json!(5_000_000_000_u64),
        json!(-1),
    ]);
    values.extend([
        json!(1.5),
        json!(-0.5),
        json!(true),
        json!([]),
        json!([1]),
        json!(["a.b"]),
        json!(["a.b.c"]),
        json!([[]]),
    ]);
    values.extend([
        json!({}),
        json!({"x": 1}),
        json!({"mask": {}}),
        json!({"mask": null}),
        json!({"email": {}}),
    ]);
    values.extend([
        json!({"email": {}, "hash": {}}),
        json!({"a.b": {}}),
        json!([{}]),
        json!([null]),
        json!(["insert"]),
    ]);
    values
}

/// Places of all values in a document, as JSON pointers.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let step = |key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| pointers(value, &step(key), found)),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, value)| pointers(value, &step(&index.to_string()), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_schema_and_reading_agree_about_every_change_of_a_file_with_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let validator = Validator::new();
    let text = std::fs::read_to_string(root.join("tests/rules/everything.yaml")).unwrap();
    let (whole, nothing) = minded(&text).unwrap();
    assert!(nothing.is_empty(), "{nothing:?}");
    let mut places = Vec::new();
    pointers(&whole, "", &mut places);
    let mut differing = Vec::new();
    let mut agree = |changed: &Value, what: String| {
        let (value, minded) = minded(&changed.to_string()).unwrap();
        if validator.accepts(&validator.root, &value) != minded.is_empty() {
            differing.push(format!("{what}: reading says {minded:?}"));
        }
    };
    for place in &places {
        // The other sections have no say in it.
        let mut whole = whole.clone();
        if let Some(section) = place.split('/').nth(1) {
            whole.as_object_mut().unwrap().retain(|key, _| key == section);
        }
        for replacement in replacements() {
            let mut changed = whole.clone();
            *changed.pointer_mut(place).unwrap() = replacement.clone();
            agree(&changed, format!("{place} is {replacement}"));
        }
        if let Some(fields) = whole.pointer(place).unwrap().as_object() {
            for key in fields.keys() {
                let mut changed = whole.clone();
                changed
                    .pointer_mut(place)
                    .unwrap()
                    .as_object_mut()
                    .unwrap()
                    .shift_remove(key);
                agree(&changed, format!("{place} has no {key}"));
            }
            let mut changed = whole.clone();
            changed.pointer_mut(place).unwrap()["no.such_key"] = json!("x");
            agree(&changed, format!("{place} has another key"));
        }
    }
    assert!(
        differing.is_empty(),
        "{} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}
