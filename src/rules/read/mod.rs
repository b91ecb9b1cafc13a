//! A file's tree into a [`Document`]: keys and types are checked here, names elsewhere.

mod actors;
pub(super) mod choices;
mod data;
mod mask;
mod release;

use crate::catalog::QualifiedName;

use super::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics};
use super::document::Document;
use super::fields::{Fields, choice, dotted, entries, invalid, is_dotted_name, list, number, scalar, text, texts};
use super::node::{Node, Value};
use super::shape::{self, Shape};
use super::source::{Sp, Span};
use choices::MODES;

/// Reads a whole file.
pub(super) fn document(node: &Node, findings: &mut Diagnostics) -> Document {
    let mut document = Document::default();
    if matches!(node.value, Value::Null) {
        return document;
    }
    let Some(fields) = Fields::read(node, &shape::FILE, findings) else {
        return document;
    };
    if let Some(node) = fields.get("version") {
        number(node, "version", 1, 1, findings);
    }
    document.revision = fields
        .get("revision")
        .and_then(|node| scalar(node, "revision", findings));
    document.contact = fields.get("contact").and_then(|node| text(node, "contact", findings));
    document.mode = fields
        .get("mode")
        .and_then(|node| Some(Sp::new(choice(node, "mode", &MODES, findings)?, node.span.clone())));
    document.databases = fields
        .get("databases")
        .and_then(|node| texts(node, "databases", findings));
    document.include = include(&fields, findings);
    document.purposes = named(&fields, "purposes", &mut document.broken, findings, actors::purpose);
    document.recipients = named(&fields, "recipients", &mut document.broken, findings, actors::recipient);
    document.roles = named(&fields, "roles", &mut document.broken, findings, actors::role);
    document.transfers = section(&fields, "transfers", findings, actors::transfers);
    document.categories = named(
        &fields,
        "data_categories",
        &mut document.broken,
        findings,
        data::category,
    );
    document.tables = named(&fields, "tables", &mut document.broken, findings, data::table);
    document.release = items(&fields, "release", findings, release::release);
    document.writes = items(&fields, "writes", findings, release::write);
    document.unclassified = section(&fields, "unclassified", findings, release::unclassified);
    document.functions = section(&fields, "functions", findings, release::functions).map_or_else(Vec::new, |f| f.value);
    document.consent = section(&fields, "consent", findings, release::consent);
    document.children = section(&fields, "children", findings, release::children);
    document
}

fn include(fields: &Fields<'_>, findings: &mut Diagnostics) -> Vec<Sp<String>> {
    fields
        .get("include")
        .and_then(|node| texts(node, "include", findings))
        .unwrap_or_default()
}

/// What a file includes, without reading the rest of it.
pub(super) fn includes(node: &Node) -> Vec<Sp<String>> {
    let mut unheard = Diagnostics::default();
    match &node.value {
        Value::Map(_) => Fields::read(node, &shape::FILE, &mut unheard)
            .map_or_else(Vec::new, |fields| include(&fields, &mut unheard)),
        Value::Null | Value::Scalar(_) | Value::Seq(_) => Vec::new(),
    }
}

/// A mapping from names to entries.
fn named<T>(
    fields: &Fields<'_>,
    section: &str,
    broken: &mut Vec<String>,
    findings: &mut Diagnostics,
    read: impl Fn(&Sp<String>, &Node, &mut Diagnostics) -> Option<T>,
) -> Vec<(Sp<String>, T)> {
    let found = fields.get(section).and_then(|node| entries(node, section, findings));
    let mut result: Vec<(Sp<String>, T)> = Vec::new();
    for (key, node) in found.unwrap_or_default() {
        if let Some(finding) = misplaced(section, key, node) {
            findings.push(finding);
            continue;
        }
        let twice = result.iter().any(|(earlier, _)| earlier.value == key.value);
        match read(key, node, findings) {
            Some(entry) if !twice => result.push((key.clone(), entry)),
            Some(_) => {}
            None => broken.push(key.value.clone()),
        }
    }
    result
}

/// A key of an entry that stands beside the entries: not indented deep enough.
fn misplaced(section: &str, key: &Sp<String>, node: &Node) -> Option<Diagnostic> {
    let shape = shape::FILE.key(section).map(|key| &key.shape)?;
    let Shape::Named(_, Shape::Map(entry)) = shape else {
        return None;
    };
    let of_an_entry = entry.key(&key.value).is_some() && !matches!(node.value, Value::Map(_));
    of_an_entry.then(|| {
        let message = format!("`{}` is a key of {}, not one of `{section}`", key.value, entry.what);
        let finding = Diagnostic::new(DiagnosticCode::UnknownKey, &key.span, message);
        finding.help("indent it below the name that it belongs to")
    })
}

/// A list of entries.
fn items<T>(
    fields: &Fields<'_>,
    section: &str,
    findings: &mut Diagnostics,
    read: impl Fn(&Node, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    let found = fields.get(section).and_then(|node| list(node, section, findings));
    found
        .unwrap_or_default()
        .iter()
        .filter_map(|node| read(node, findings))
        .collect()
}

/// A section of its own, with the place of its key.
fn section<T>(
    fields: &Fields<'_>,
    name: &str,
    findings: &mut Diagnostics,
    read: impl Fn(&Span, &Node, &mut Diagnostics) -> Option<T>,
) -> Option<Sp<T>> {
    let key = fields.key(name)?;
    let value = read(&key.span, fields.get(name)?, findings)?;
    Some(Sp::new(value, key.span.clone()))
}

/// `schema.table`
fn table_name(name: &Sp<String>, findings: &mut Diagnostics) -> Option<QualifiedName> {
    match dotted(&name.value).as_deref() {
        Some([schema, table]) => Some(QualifiedName::new(schema, table)),
        Some([table]) => {
            let message = format!("table `{table}` needs its schema");
            findings.push(invalid(&name.span, message).help(format!("write `public.{table}` or the schema it is in")));
            None
        }
        Some(_) | None => {
            findings.push(invalid(
                &name.span,
                format!("`{}` is not a table's name, schema.table", name.value),
            ));
            None
        }
    }
}

fn table_names(names: Vec<Sp<String>>, findings: &mut Diagnostics) -> Vec<Sp<QualifiedName>> {
    let named = |name: Sp<String>| Some(Sp::new(table_name(&name, findings)?, name.span));
    names.into_iter().filter_map(named).collect()
}

/// Names of purposes and categories are dotted words.
fn check_dotted(key: &Sp<String>, what: &str, findings: &mut Diagnostics) -> Option<()> {
    if is_dotted_name(&key.value) {
        return Some(());
    }
    let message = format!(
        "`{}` is not a name of {what}: dotted words of letters, digits and _",
        key.value
    );
    let finding = Diagnostic::new(DiagnosticCode::InvalidValue, &key.span, message);
    findings.push(match key.value.contains(':') {
        true => finding.help("put a space behind the colon"),
        false => finding,
    });
    None
}

fn values(of: Vec<Sp<String>>) -> Vec<String> {
    of.into_iter().map(|item| item.value).collect()
}
