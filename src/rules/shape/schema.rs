//! The JSON Schema of rules files, for editors: made from the table of keys, so that it accepts what
//! reading accepts. What it cannot say: names that must be declared elsewhere, keys given twice, and
//! that a key with nothing behind it is a slip (which YAML reads as null), which signs beyond ASCII are letters.

use serde_json::{Map, Value, json};

use super::cases;
use super::keys::{self, MaskShape};
use super::{Form, Key, Mapping, Shape};

/// All mappings that have a definition of their own.
const MAPPINGS: [&Mapping; 24] = [
    &keys::PURPOSE,
    &keys::BREAK_GLASS,
    &keys::RECIPIENT,
    &keys::ASSURANCE,
    &keys::ROLE,
    &keys::TRANSFERS,
    &keys::CATEGORY,
    &keys::TABLE,
    &keys::SUBJECT,
    &keys::COLUMN,
    &keys::COLUMN_SUBJECT,
    &keys::ROW_FILTER,
    &keys::RETENTION,
    &keys::RELEASE,
    &keys::WRITE,
    &keys::UNCLASSIFIED,
    &keys::FUNCTIONS,
    &keys::CONSENT,
    &keys::CHILDREN,
    &keys::NOTHING,
    &keys::PARTIAL,
    &keys::DATE_SHIFT,
    &keys::IP_PREFIX,
    &keys::JSON,
];

/// The JSON Schema (draft 7, which editors know best) of a rules file.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    for mapping in MAPPINGS {
        definitions.insert(name(mapping), of_mapping(mapping));
    }
    definitions.insert("mask".to_owned(), mask());
    definitions.insert("release_form".to_owned(), release_form());
    let mut schema = whole(&keys::FILE, "Rules of pgpurpose", definitions);
    // An empty file says nothing, and is none the worse for it.
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!(["object", "null"]);
    }
    schema
}

/// The schema of a whole file. Its keys stand at the top, so that editors point at the one that is wrong.
fn whole(mapping: &Mapping, title: &str, definitions: Map<String, Value>) -> Value {
    let mut schema = of_mapping(mapping);
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        fields.insert("title".to_owned(), json!(title));
        fields.insert("definitions".to_owned(), Value::Object(definitions));
    }
    schema
}

/// The JSON Schema of a file of cases, `*.test.yaml`.
pub fn cases_schema() -> Value {
    let mut definitions = Map::new();
    for mapping in [&cases::CASE, &cases::GIVEN, &cases::THEN] {
        definitions.insert(name(mapping), of_mapping(mapping));
    }
    whole(&cases::TEST_FILE, "Cases of pgpurpose rules", definitions)
}

fn name(mapping: &Mapping) -> String {
    let name = mapping.what.trim_start_matches("a ").trim_start_matches("an ");
    name.replace("'s ", "_").replace(' ', "_")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

fn of_mapping(mapping: &Mapping) -> Value {
    let mut properties = Map::new();
    for key in mapping.keys {
        properties.insert(key.name.to_owned(), of_key(key));
    }
    let required: Vec<&str> = mapping
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
    if let Some(fields) = schema.as_object_mut() {
        if !required.is_empty() {
            fields.insert("required".to_owned(), json!(required));
        }
        for (key, value) in between_keys(mapping) {
            fields.insert(key.to_owned(), value);
        }
    }
    schema
}

/// What keys of one mapping demand of each other.
fn between_keys(mapping: &Mapping) -> Vec<(&'static str, Value)> {
    if std::ptr::eq(mapping, &keys::RELEASE) {
        let one = [
            json!({"required": ["columns"]}),
            json!({"required": ["data_categories"]}),
        ];
        return vec![("oneOf", json!(one))];
    }
    if std::ptr::eq(mapping, &keys::SUBJECT) {
        let of_a_root = json!({"anyOf": [{"required": ["birth_date"]}, {"required": ["region"]}]});
        return vec![("if", json!({"required": ["of"]})), ("then", json!({"not": of_a_root}))];
    }
    if std::ptr::eq(mapping, &cases::THEN) {
        // A case that expects nothing can never fail.
        return vec![("minProperties", json!(1))];
    }
    Vec::new()
}

fn of_key(key: &Key) -> Value {
    let mut schema = of_shape(key.shape);
    // Beside a reference, draft 7 reads nothing.
    if schema.get("$ref").is_some() {
        schema = json!({"allOf": [schema]});
    }
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("description".to_owned(), json!(key.about));
    }
    schema
}

fn of_shape(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({"type": "string", "minLength": 1}),
        Shape::Formed(form) => formed(form),
        Shape::Scalar => json!({"type": ["string", "number", "boolean"]}),
        Shape::Character => json!({"anyOf": [
            {"type": "string", "minLength": 1, "maxLength": 1},
            {"type": "integer", "minimum": 0, "maximum": 9},
        ]}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Whole { least, most } => json!({"type": "integer", "minimum": least, "maximum": most}),
        Shape::Day => json!({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
        Shape::Words(words) => json!({"enum": words()}),
        Shape::Texts => list(of_shape(Shape::Text), false),
        Shape::SomeTexts => list(of_shape(Shape::Text), true),
        Shape::Scalars => list(of_shape(Shape::Scalar), false),
        Shape::SomeScalars => list(of_shape(Shape::Scalar), true),
        Shape::List(item) => list(of_shape(*item), false),
        Shape::SomeOf(item) => list(of_shape(*item), true),
        Shape::Map(mapping) => reference(&name(mapping)),
        Shape::Named(form, value) => named(form, of_shape(*value)),
        Shape::Column => json!({"anyOf": [{"type": "string", "minLength": 1}, reference(&name(&keys::COLUMN))]}),
        Shape::Mask => reference("mask"),
        Shape::Release => reference("release_form"),
        Shape::Shown => json!({"type": ["string", "null"], "minLength": 1}),
    }
}

fn list(item: Value, some: bool) -> Value {
    match some {
        true => json!({"type": "array", "items": item, "minItems": 1}),
        false => json!({"type": "array", "items": item}),
    }
}

fn named(form: Form, value: Value) -> Value {
    match pattern(form) {
        Some(pattern) => {
            json!({"type": "object", "propertyNames": {"pattern": pattern}, "additionalProperties": value})
        }
        None => json!({"type": "object", "additionalProperties": value}),
    }
}

fn formed(form: Form) -> Value {
    match pattern(form) {
        Some(pattern) => json!({"type": "string", "minLength": 1, "pattern": pattern}),
        None => json!({"type": "string", "minLength": 1}),
    }
}

/// As a regular expression of ECMA-262.
fn pattern(form: Form) -> Option<String> {
    // Of a name with dots between words; a word in double quotes may hold dots.
    let word = r#"("[^"]+"|[^".][^.]*)"#;
    // Not all engines know classes of Unicode: whatever is beyond ASCII passes for a letter.
    let letters = r"[^\x00-/:-@\[-^`{-\x7f][^\x00-,./:-@\[-^`{-\x7f]*";
    Some(match form {
        Form::Any => return None,
        Form::Dotted => format!(r"^{letters}(\.{letters})*$"),
        Form::Table => format!(r"^{word}\.{word}$"),
        Form::Column => format!(r"^{word}\.{word}\.{word}$"),
        Form::Path => format!(r"^{word}(\.{word})*$"),
        Form::Signature => {
            let word = r#"("[^"(]+"|[^".(\s][^.(]*)"#;
            format!(r"^\s*{word}\.{word}\(.*\)\s*$")
        }
        Form::Interval => {
            // Up to six digits, not all of them 0.
            let number =
                "([1-9][0-9]{0,5}|0[1-9][0-9]{0,4}|00[1-9][0-9]{0,3}|000[1-9][0-9]{0,2}|0000[1-9][0-9]?|00000[1-9])";
            let pair = format!(r"{number}\s+(year|month|week|day|hour|minute)s?");
            format!(r"^\s*{pair}(\s+{pair})*\s*$")
        }
        Form::Expression => r"\{\}".to_owned(),
    })
}

/// Masks that may stand as a bare word.
fn bare_masks() -> impl Iterator<Item = &'static str> {
    let bare = |shape: &MaskShape| matches!(shape, MaskShape::Nothing);
    keys::MASKS
        .iter()
        .filter(move |(_, shape, _)| bare(shape))
        .map(|(name, _, _)| *name)
}

/// `{email: {}}`: its name is its only key.
fn mask_mapping() -> Value {
    let mut properties = Map::new();
    for (name, shape, about) in &keys::MASKS {
        let mut value = match shape {
            MaskShape::Nothing => json!({"allOf": [reference(&self::name(&keys::NOTHING))]}),
            MaskShape::Value(shape @ Shape::Map(_)) => json!({"allOf": [of_shape(*shape)]}),
            MaskShape::Value(shape) => of_shape(*shape),
            MaskShape::Step => json!({"type": "number", "exclusiveMinimum": 0}),
        };
        if let Some(value) = value.as_object_mut() {
            value.insert("description".to_owned(), json!(about));
        }
        properties.insert((*name).to_owned(), value);
    }
    json!({"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1})
}

fn mask() -> Value {
    let bare: Vec<&str> = bare_masks().collect();
    json!({"anyOf": [{"type": "null"}, {"enum": bare}, mask_mapping()]})
}

fn release_form() -> Value {
    let words: Vec<&str> = ["raw", "hidden", "refuse", "mask"]
        .into_iter()
        .chain(bare_masks())
        .collect();
    let own = json!({"type": "object", "maxProperties": 0});
    let nested = json!({
        "type": "object",
        "properties": {"mask": {"anyOf": [own, reference("mask")], "description": "{}: the column's or category's own mask"}},
        "required": ["mask"],
        "additionalProperties": false,
    });
    json!({"anyOf": [{"type": "null"}, {"enum": words}, nested, mask_mapping()]})
}

#[cfg(test)]
mod tests;
