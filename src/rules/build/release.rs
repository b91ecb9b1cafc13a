//! `release` and `writes`, and what can be wrong with release entries taken together.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::QualifiedName;
use crate::policy::{Category, Policy, ReleaseEntry, ReleaseForm, ReleaseTarget, WriteEntry, within};

use super::super::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics};
use super::super::document::{ColumnName, Document, ReleaseDoc, TableDoc, TargetDoc, WriteDoc};
use super::super::fields::invalid;
use super::super::source::{Sp, Span};
use super::{Known, Names};

/// A release entry with the places that findings point at.
pub(super) struct Entry {
    pub(super) rule: ReleaseEntry,
    span: Span,
    form: Span,
}

impl Names<'_> {
    pub(super) fn release(&mut self, categories: &BTreeMap<String, Category>) -> Vec<Entry> {
        self.document
            .release
            .iter()
            .map(|doc| self.release_entry(doc, categories))
            .collect()
    }

    fn release_entry(&mut self, doc: &ReleaseDoc, categories: &BTreeMap<String, Category>) -> Entry {
        let target = match &doc.target {
            TargetDoc::Columns(columns) => {
                ReleaseTarget::Columns(columns.iter().filter_map(|column| self.column_ref(column)).collect())
            }
            TargetDoc::Categories(named) => ReleaseTarget::Categories(
                named
                    .iter()
                    .filter_map(|name| self.category_ref(name, categories))
                    .collect(),
            ),
        };
        Entry {
            rule: ReleaseEntry {
                purposes: self.purpose_names(&doc.purposes),
                target,
                form: doc.form.value.clone(),
                predicates_refused: doc.predicates_refused,
                place: doc.span.place(),
            },
            span: doc.span.clone(),
            form: doc.form.span.clone(),
        }
    }

    /// A column that its table's entry classifies.
    fn column_ref(&mut self, name: &Sp<ColumnName>) -> Option<(QualifiedName, String)> {
        let table = self.table_ref(&Sp::new(name.value.table.clone(), name.span.clone()))?;
        if has_column(table, &name.value.column) {
            return Some((table.name.clone(), name.value.column.clone()));
        }
        let message = format!(
            "table `{}` has no column `{}` in its entry",
            table.name, name.value.column
        );
        let finding = Diagnostic::new(DiagnosticCode::UnknownColumn, &name.span, message);
        let columns = table.columns.iter().map(|(column, _)| column.value.as_str());
        self.findings.push(finding.suggest(&name.value.column, columns));
        None
    }

    /// A category that is declared, or that some column has, or an ancestor of one.
    fn category_ref(&mut self, name: &Sp<String>, categories: &BTreeMap<String, Category>) -> Option<String> {
        let found = self.category_name(name, categories)?;
        if self.known.categories.iter().any(|known| within(known, &found)) {
            return Some(found);
        }
        let message = format!("data category `{found}` is not declared, and no column has it");
        let finding = Diagnostic::new(DiagnosticCode::UnknownCategory, &name.span, message);
        self.findings
            .push(finding.suggest(&found, self.known.categories.iter().map(String::as_str)));
        None
    }

    pub(super) fn writes(&mut self) -> Vec<WriteEntry> {
        self.document.writes.iter().map(|doc| self.write_entry(doc)).collect()
    }

    fn write_entry(&mut self, doc: &WriteDoc) -> WriteEntry {
        let tables: Vec<&TableDoc> = doc.tables.iter().filter_map(|name| self.table_ref(name)).collect();
        for column in &doc.columns {
            if tables.len() < doc.tables.len() || tables.iter().any(|table| has_column(table, &column.value)) {
                continue;
            }
            let message = format!("no table of this entry has a column `{}` in its entry", column.value);
            let finding = Diagnostic::new(DiagnosticCode::UnknownColumn, &column.span, message);
            let columns = tables
                .iter()
                .flat_map(|table| &table.columns)
                .map(|(name, _)| name.value.as_str());
            self.findings.push(finding.suggest(&column.value, columns));
        }
        if doc.allow.is_empty() {
            self.findings
                .push(invalid(&doc.span, "`allow` names nothing").help("insert, update, delete"));
        }
        WriteEntry {
            purposes: self.purpose_names(&doc.purposes),
            tables: tables.into_iter().map(|table| table.name.clone()).collect(),
            allow: doc.allow.clone(),
            columns: doc.columns.iter().map(|column| column.value.clone()).collect(),
            place: doc.span.place(),
        }
    }
}

fn has_column(table: &TableDoc, column: &str) -> bool {
    table
        .columns
        .iter()
        .any(|(name, _)| name.value == column || name.value == "*")
}

/// What is wrong with release entries taken together.
pub(super) fn check(
    policy: &Policy,
    document: &Document,
    known: &Known,
    entries: &[Entry],
    findings: &mut Diagnostics,
) {
    ambiguities(policy, known, entries, findings);
    own_masks(policy, document, entries, findings);
}

/// What release entries can speak of: a category, or a column that some entry names.
enum Subject<'p> {
    Category(&'p str),
    Column(&'p QualifiedName, &'p str, &'p str),
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Category(key) => f.write_str(key),
            Self::Column(table, column, _) => write!(f, "{table}.{column}"),
        }
    }
}

/// Entries that speak equally deeply for one thing, and disagree.
fn ambiguities(policy: &Policy, known: &Known, entries: &[Entry], findings: &mut Diagnostics) {
    let subjects = subjects(policy, known, entries);
    let mut reported: BTreeSet<(usize, usize)> = BTreeSet::new();
    for purpose in policy.purposes.keys() {
        for subject in &subjects {
            let Some((first, second)) = disagreement(entries, purpose, subject) else {
                continue;
            };
            let (Some(one), Some(other)) = (entries.get(first), entries.get(second)) else {
                continue;
            };
            if reported.insert((first, second)) {
                let message = format!("two release entries disagree about `{subject}` for purpose `{purpose}`");
                let finding = Diagnostic::new(DiagnosticCode::Ambiguous, &other.form, message);
                let finding = finding.label("this form").other(&one.form, "or this one");
                findings.push(finding.help("name a deeper purpose or category in one of them, or take one away"));
            }
        }
    }
}

fn subjects<'p>(policy: &'p Policy, known: &'p Known, entries: &'p [Entry]) -> Vec<Subject<'p>> {
    let mut subjects: Vec<Subject<'p>> = known.categories.iter().map(|key| Subject::Category(key)).collect();
    let mut named: BTreeSet<(&QualifiedName, &str)> = BTreeSet::new();
    for entry in entries {
        match &entry.rule.target {
            ReleaseTarget::Columns(columns) => named.extend(columns.iter().map(|(table, name)| (table, name.as_str()))),
            ReleaseTarget::Categories(_) => {}
        }
    }
    for (table, column) in named {
        if let Some(rule) = policy.tables.get(table).and_then(|table| table.column(column)) {
            subjects.push(Subject::Column(table, column, &rule.category));
        }
    }
    subjects
}

/// The first two of the deepest entries that do not say the same.
fn disagreement(entries: &[Entry], purpose: &str, subject: &Subject<'_>) -> Option<(usize, usize)> {
    let nowhere = QualifiedName::new("", "");
    let depth = |entry: &Entry| match subject {
        Subject::Category(key) => entry.rule.depth(purpose, &nowhere, "", key),
        Subject::Column(table, column, key) => entry.rule.depth(purpose, table, column, key),
    };
    let depths: Vec<_> = entries
        .iter()
        .enumerate()
        .filter_map(|(i, entry)| Some((depth(entry)?, i, entry)))
        .collect();
    let deepest = depths.iter().map(|(depth, _, _)| *depth).max()?;
    let mut speaking = depths.iter().filter(|(depth, _, _)| *depth == deepest);
    let (_, first, one) = speaking.next()?;
    let says = |entry: &Entry| (entry.rule.form.clone(), entry.rule.predicates_refused);
    let other = speaking.find(|(_, _, other)| says(other) != says(one));
    other.map(|(_, second, _)| (*first, *second))
}

/// `{mask: {}}` speaks for a column that has no mask of its own.
fn own_masks(policy: &Policy, document: &Document, entries: &[Entry], findings: &mut Diagnostics) {
    for (_, table) in &document.tables {
        for (name, column) in &table.columns {
            let category = policy.category(&column.category.value);
            if column.mask.is_some() || category.is_none_or(|category| category.mask.is_some()) {
                continue;
            }
            for purpose in policy.purposes.keys() {
                let speaks = policy.release_entry(purpose, &table.name, &name.value, &column.category.value);
                let Some(rule) = speaks.filter(|rule| rule.form == ReleaseForm::OwnMask) else {
                    continue;
                };
                let Some(entry) = entries.iter().find(|entry| entry.span.place() == rule.place) else {
                    continue;
                };
                let message = format!(
                    "`{}.{}` is to be masked, and neither it nor `{}` has a mask",
                    table.name, name.value, column.category.value
                );
                let finding = Diagnostic::new(DiagnosticCode::NoOwnMask, &entry.form, message);
                let finding = finding.other(&name.span, "this column");
                findings.push(finding.help(format!("give `{}` a mask, or name one here", column.category.value)));
                break;
            }
        }
    }
}
