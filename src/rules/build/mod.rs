//! A merged [`Document`] into a [`Policy`]: inheritance resolved, every name looked up.

mod actors;
mod data;
mod release;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::QualifiedName;
use crate::policy::{Category, Mode, Policy, Unclassified, UnclassifiedForm};

use super::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics};
use super::document::{Document, TableDoc};
use super::source::Sp;

/// What the files of all databases together know: what one names and another has is no slip.
#[derive(Debug, Default)]
pub(super) struct Known {
    tables: BTreeSet<QualifiedName>,
    categories: BTreeSet<String>,
}

impl Known {
    pub(super) fn of(documents: &[Document]) -> Self {
        let mut known = Self::default();
        for document in documents {
            known
                .categories
                .extend(document.categories.iter().map(|(key, _)| key.value.clone()));
            for (_, table) in &document.tables {
                known.tables.insert(table.name.clone());
                known
                    .categories
                    .extend(table.columns.iter().map(|(_, column)| column.category.value.clone()));
            }
        }
        known
    }
}

/// Looks names up in one document, and reports those that are not there.
struct Names<'d> {
    document: &'d Document,
    known: &'d Known,
    findings: &'d mut Diagnostics,
}

/// Builds the policy of one document. What is wrong goes to `findings`; a policy built beside
/// findings must not be used.
pub(super) fn policy(document: &Document, known: &Known, sha256: &str, findings: &mut Diagnostics) -> Policy {
    let mut names = Names {
        document,
        known,
        findings,
    };
    let purposes = names.purposes();
    let categories = names.categories();
    let recipients = names.recipients();
    let roles = names.roles();
    let tables = names.tables(&categories);
    let consent = names.consent();
    let children = names.children();
    let entries = names.release(&categories);
    let writes = names.writes();
    let unclassified = document.unclassified.as_ref().map(|section| section.value);
    let policy = Policy {
        revision: document
            .revision
            .as_ref()
            .map_or_else(String::new, |revision| revision.value.clone()),
        sha256: sha256.to_owned(),
        mode: document.mode.as_ref().map_or(Mode::Enforce, |mode| mode.value),
        contact: document.contact.as_ref().map(|contact| contact.value.clone()),
        purposes,
        categories,
        recipients,
        roles,
        transfers: names.transfers(),
        tables,
        release: entries.iter().map(|entry| entry.rule.clone()).collect(),
        writes,
        unclassified: Unclassified {
            table: unclassified.and_then(|u| u.table).unwrap_or(UnclassifiedForm::Refuse),
            column: unclassified.and_then(|u| u.column).unwrap_or(UnclassifiedForm::Hidden),
        },
        functions_allowed: document
            .functions
            .iter()
            .map(|f| (f.value.clone(), f.place()))
            .collect(),
        consent,
        children,
    };
    release::check(&policy, document, known, &entries, names.findings);
    policy
}

impl<'d> Names<'d> {
    /// The names of declared purposes; others are reported.
    fn purpose_names(&mut self, names: &[Sp<String>]) -> Vec<String> {
        names.iter().filter_map(|name| self.purpose_name(name)).collect()
    }

    fn purpose_name(&mut self, name: &Sp<String>) -> Option<String> {
        let declared = || self.document.purposes.iter().map(|(key, _)| key.value.as_str());
        if declared().any(|purpose| purpose == name.value) {
            return Some(name.value.clone());
        }
        if self.is_broken(&name.value) {
            return None;
        }
        let message = format!("purpose `{}` is not declared", name.value);
        let finding = Diagnostic::new(DiagnosticCode::UnknownPurpose, &name.span, message);
        self.findings.push(finding.suggest(&name.value, declared()));
        None
    }

    /// A category whose first word is declared.
    fn category_name(&mut self, name: &Sp<String>, categories: &BTreeMap<String, Category>) -> Option<String> {
        let (first, rest) = name
            .value
            .split_once('.')
            .map_or((name.value.as_str(), ""), |(first, rest)| (first, rest));
        if categories.contains_key(first) && super::fields::is_dotted_name(&name.value) {
            return Some(name.value.clone());
        }
        // A first word that is declared, but not soundly, was reported where it stands.
        if self.document.categories.iter().any(|(key, _)| key.value == first) || self.is_broken(first) {
            return None;
        }
        let finding = |message| Diagnostic::new(DiagnosticCode::UnknownCategory, &name.span, message);
        let message = format!("data category `{}` is not declared, nor is its first word", name.value);
        let finding = finding(message);
        let roots = || categories.keys().map(String::as_str).filter(|key| !key.contains('.'));
        let finding = match crate::policy::nearest(first, roots()) {
            Some(root) if rest.is_empty() => finding.help(format!("did you mean `{root}`?")),
            Some(root) => finding.help(format!("did you mean `{root}.{rest}`?")),
            None => finding.suggest(&name.value, categories.keys().map(String::as_str)),
        };
        self.findings.push(finding);
        None
    }

    fn is_broken(&self, name: &str) -> bool {
        self.document.broken.iter().any(|broken| broken == name)
    }

    fn table_doc(&self, name: &QualifiedName) -> Option<&'d TableDoc> {
        self.document
            .tables
            .iter()
            .map(|(_, table)| table)
            .find(|table| table.name == *name)
    }

    /// A table of this document. One of another database's is left out, one of nobody's reported.
    fn table_ref(&mut self, name: &Sp<QualifiedName>) -> Option<&'d TableDoc> {
        let found = self.table_doc(&name.value);
        if found.is_none() && !self.known.tables.contains(&name.value) {
            self.report_table(name);
        }
        found
    }

    fn report_table(&mut self, name: &Sp<QualifiedName>) {
        if self.is_broken(&name.value.to_string()) {
            return;
        }
        let tables: Vec<String> = self
            .document
            .tables
            .iter()
            .map(|(_, table)| table.name.to_string())
            .collect();
        let message = format!("table `{}` has no entry in `tables`", name.value);
        let finding = Diagnostic::new(DiagnosticCode::UnknownTable, &name.span, message);
        self.findings
            .push(finding.suggest(&name.value.to_string(), tables.iter().map(String::as_str)));
    }

    /// A table that is a kind of person.
    fn root(&mut self, name: &Sp<QualifiedName>) -> Option<QualifiedName> {
        let Some(table) = self.table_doc(&name.value) else {
            self.report_table(name);
            return None;
        };
        if table.data_subject.as_ref().is_some_and(|subject| subject.of.is_none()) {
            return Some(table.name.clone());
        }
        let message = format!(
            "`{}` is not a kind of person: it has no `data_subject` without `of`",
            name.value
        );
        let roots: Vec<String> = self.roots().map(|table| table.name.to_string()).collect();
        let finding = Diagnostic::new(DiagnosticCode::NotARoot, &name.span, message);
        self.findings
            .push(finding.suggest(&name.value.to_string(), roots.iter().map(String::as_str)));
        None
    }

    fn roots(&self) -> impl Iterator<Item = &'d TableDoc> + use<'d> {
        let tables = self.document.tables.iter().map(|(_, table)| table);
        tables.filter(|table| table.data_subject.as_ref().is_some_and(|subject| subject.of.is_none()))
    }
}
