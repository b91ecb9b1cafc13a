//! Files into one document for each database: order of inclusion, binding, merging by key.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics};
use super::document::Document;
use super::fields::duplicate;
use super::source::{Source, Sp};

/// Files in the order in which they are read: by name, those that one includes before it.
pub(super) fn in_order(files: Vec<(Arc<Source>, Document)>, findings: &mut Diagnostics) -> Vec<Document> {
    let mut order = Order {
        files: &files,
        done: Vec::new(),
        under_way: Vec::new(),
        findings,
    };
    for index in 0..files.len() {
        order.visit(index, None);
    }
    let order = order.done;
    order
        .into_iter()
        .filter_map(|index| files.get(index))
        .map(|(_, document)| document.clone())
        .collect()
}

struct Order<'f> {
    files: &'f [(Arc<Source>, Document)],
    done: Vec<usize>,
    under_way: Vec<usize>,
    findings: &'f mut Diagnostics,
}

impl Order<'_> {
    fn visit(&mut self, index: usize, from: Option<&Sp<String>>) {
        if self.done.contains(&index) {
            return;
        }
        if self.under_way.contains(&index) {
            if let Some(from) = from {
                let message = format!("`{}` includes this file in turn", from.value);
                self.findings
                    .push(Diagnostic::new(DiagnosticCode::IncludeCycle, &from.span, message));
            }
            return;
        }
        let Some((_, document)) = self.files.get(index) else {
            return;
        };
        self.under_way.push(index);
        for include in &document.include {
            let name = normal(&include.value);
            match self.files.iter().position(|(source, _)| *source.name == *name) {
                Some(included) => self.visit(included, Some(include)),
                None => {
                    let message = format!("there is no file `{}`", include.value);
                    let finding = Diagnostic::new(DiagnosticCode::UnknownFile, &include.span, message);
                    let names = self.files.iter().map(|(source, _)| &*source.name);
                    self.findings.push(finding.suggest(&name, names));
                }
            }
        }
        self.under_way.pop();
        self.done.push(index);
    }
}

/// A path of `include` as the name of a file in the rules folder.
pub(super) fn normal(path: &str) -> String {
    path.strip_prefix("./").unwrap_or(path).to_owned()
}

/// The databases that files bind themselves to.
pub(super) fn databases(documents: &[Document]) -> BTreeSet<String> {
    let bound = documents.iter().filter_map(|document| document.databases.as_ref());
    bound.flatten().map(|name| name.value.clone()).collect()
}

/// One document of all files that speak for a database; `None`: for those that no file names.
pub(super) fn for_database(documents: &[Document], name: Option<&str>, findings: &mut Diagnostics) -> Document {
    let mut merged = Document::default();
    for document in documents {
        let speaks = match (&document.databases, name) {
            (None, _) => true,
            (Some(bound), Some(name)) => bound.iter().any(|database| database.value == name),
            (Some(_), None) => false,
        };
        if speaks {
            merge(&mut merged, document.clone(), findings);
        }
    }
    merged
}

fn merge(into: &mut Document, from: Document, findings: &mut Diagnostics) {
    once("revision", &mut into.revision, from.revision, findings);
    once("mode", &mut into.mode, from.mode, findings);
    once("contact", &mut into.contact, from.contact, findings);
    by_key(&mut into.purposes, from.purposes, findings);
    by_key(&mut into.categories, from.categories, findings);
    by_key(&mut into.recipients, from.recipients, findings);
    by_key(&mut into.roles, from.roles, findings);
    once("transfers", &mut into.transfers, from.transfers, findings);
    by_key(&mut into.tables, from.tables, findings);
    into.release.extend(from.release);
    into.writes.extend(from.writes);
    once("unclassified", &mut into.unclassified, from.unclassified, findings);
    into.functions.extend(from.functions);
    once("consent", &mut into.consent, from.consent, findings);
    once("children", &mut into.children, from.children, findings);
    into.broken.extend(from.broken);
}

fn by_key<T>(into: &mut Vec<(Sp<String>, T)>, from: Vec<(Sp<String>, T)>, findings: &mut Diagnostics) {
    for (key, value) in from {
        match into.iter().find(|(first, _)| first.value == key.value) {
            Some((first, _)) => findings.push(duplicate(&key, first)),
            None => into.push((key, value)),
        }
    }
}

fn once<T>(name: &str, into: &mut Option<Sp<T>>, from: Option<Sp<T>>, findings: &mut Diagnostics) {
    let Some(from) = from else {
        return;
    };
    match into {
        Some(first) => {
            let key = |span: &super::source::Span| Sp::new(name.to_owned(), span.clone());
            findings.push(duplicate(&key(&from.span), &key(&first.span)));
        }
        None => *into = Some(from),
    }
}
