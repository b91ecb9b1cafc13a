//! YAML to [`Policy`], with diagnostics that point at the place.
//!
//! Pure: files come in as names and texts. A file becomes a tree of nodes with places (`node`), then
//! a [`document::Document`] (`read`: keys and types), documents are merged for each database
//! (`merge`), and a policy is built (`build`: inheritance, names, what entries say together). Each
//! step goes on after an error, so that one run tells all. Knows no SQL and no catalog.

mod build;
pub mod cases;
mod code;
mod diagnostic;
mod document;
mod fields;
mod merge;
mod node;
mod read;
mod render;
mod shape;
mod source;
mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::policy::{Change, Place, Policy};

pub use code::{DiagnosticCode, Severity};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use render::uri_path;
pub use shape::{cases_schema, json_schema};

use document::Document;
use source::{Source, Span};

/// The policies of all databases, from one folder of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySet {
    sha256: String,
    /// Of databases that files name.
    named: BTreeMap<String, Arc<Policy>>,
    /// Of all others, if some file is for all.
    others: Option<Arc<Policy>>,
    /// The texts, for findings to point at.
    sources: Vec<Arc<Source>>,
}

impl PolicySet {
    /// The policy of a database; `None`: no document speaks for it, and nobody may log in.
    pub fn for_database(&self, name: &str) -> Option<Arc<Policy>> {
        self.named.get(name).or(self.others.as_ref()).map(Arc::clone)
    }

    /// Each policy, with the database that it is for; `None` stands for all that no file names.
    pub fn policies(&self) -> impl Iterator<Item = (Option<&str>, &Arc<Policy>)> {
        let named = self.named.iter().map(|(name, policy)| (Some(name.as_str()), policy));
        named.chain(self.others.iter().map(|policy| (None, policy)))
    }

    /// A line of a rules file, counted from 1, as it was read.
    pub fn line(&self, file: &str, line: u32) -> Option<&str> {
        let source = self.sources.iter().find(|source| *source.name == *file)?;
        source.text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)
    }

    /// What other rules change at `now`, for each database that either set names; `None` stands for all
    /// that none names. A database without rules is one that nobody can log in to.
    pub fn changes(&self, new: &Self, now: time::OffsetDateTime) -> Vec<(Option<String>, Vec<Change>)> {
        let named: BTreeSet<&String> = self.named.keys().chain(new.named.keys()).collect();
        let others = (self.others.is_some() || new.others.is_some()).then_some(None);
        let databases = named.into_iter().map(|name| Some(name.clone())).chain(others);
        let changes = databases.map(|database| {
            let (old, new) = (self.of(database.as_deref()), new.of(database.as_deref()));
            let changes = crate::policy::diff(old.as_deref(), new.as_deref(), now);
            (database, changes)
        });
        changes.collect()
    }

    /// The policy of a database, or that of all that no file names.
    pub fn of(&self, database: Option<&str>) -> Option<Arc<Policy>> {
        match database {
            Some(name) => self.for_database(name),
            None => self.others.clone(),
        }
    }

    /// SHA-256 over the names and contents of all files, hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// A finding about these rules, at a place of theirs if there is one.
    pub fn finding(&self, code: DiagnosticCode, place: Option<&Place>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::somewhere(code, place.and_then(|place| self.span_at(place)), message)
    }

    /// The finding with another place that has to do with it.
    #[must_use]
    pub fn related(&self, finding: Diagnostic, place: &Place, label: &str) -> Diagnostic {
        match self.span_at(place) {
            Some(span) => finding.other(&span, label),
            None => finding,
        }
    }

    fn span_at(&self, place: &Place) -> Option<Span> {
        let source = self.sources.iter().find(|source| source.name == place.file)?;
        Some(source.span_at(place))
    }
}

/// Builds the policies of rules files: `(name relative to the rules folder, text)`, in the order in
/// which they are to be read.
///
/// # Errors
/// All that is wrong, in order of place.
pub fn load(files: &[(String, String)]) -> Result<PolicySet, Diagnostics> {
    let mut findings = Diagnostics::default();
    let read = read_files(files, &mut findings);
    // What stands in a file that cannot be read would be missed everywhere else.
    if !findings.is_empty() {
        return Err(findings.sorted());
    }
    let sources: Vec<Arc<Source>> = read.iter().map(|(source, _)| Arc::clone(source)).collect();
    let documents: Vec<(Arc<Source>, Document)> = read
        .into_iter()
        .map(|(source, node)| (source, read::document(&node, &mut findings)))
        .collect();
    let documents = merge::in_order(documents, &mut findings);
    let set = build_all(&documents, sources, hash(files), &mut findings);
    if findings.is_empty() {
        Ok(set)
    } else {
        Err(findings.sorted())
    }
}

/// The files that a rules file includes, as names in the rules folder; none if it cannot be read.
pub fn includes(name: &str, text: &str) -> Vec<String> {
    let node = node::parse(&Source::new(name, text));
    let includes = node.map_or_else(|_| Vec::new(), |node| read::includes(&node));
    includes.into_iter().map(|path| merge::normal(&path.value)).collect()
}

fn read_files(files: &[(String, String)], findings: &mut Diagnostics) -> Vec<(Arc<Source>, node::Node)> {
    let mut read = Vec::new();
    for (name, text) in files {
        let source = Source::new(name, text);
        match node::parse(&source) {
            Ok(node) => read.push((source, node)),
            Err(finding) => findings.push(*finding),
        }
    }
    read
}

fn build_all(
    documents: &[Document],
    sources: Vec<Arc<Source>>,
    sha256: String,
    findings: &mut Diagnostics,
) -> PolicySet {
    let known = build::Known::of(documents);
    let mut policy = |database: Option<&str>| {
        let merged = merge::for_database(documents, database, findings);
        Arc::new(build::policy(&merged, &known, &sha256, findings))
    };
    let names = merge::databases(documents);
    let named = names
        .into_iter()
        .map(|name| (name.clone(), policy(Some(&name))))
        .collect();
    let for_all = documents.iter().any(|document| document.databases.is_none());
    let others = for_all.then(|| policy(None));
    PolicySet {
        sha256,
        named,
        others,
        sources,
    }
}

/// SHA-256 over the names and contents of files, hex: that of the set that they make.
pub fn hash(files: &[(String, String)]) -> String {
    let mut hasher = Sha256::new();
    for (name, text) in files {
        // Lengths first, so that no two sets of files run together into the same bytes.
        for part in [name, text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
