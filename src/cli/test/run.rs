//! Finding files of cases, and running them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::OffsetDateTime;

use crate::catalog::{Catalog, QualifiedName};
use crate::cli::decision::{self, Decided, Question};
use crate::pipeline::{Facts, Refusal};
use crate::policy::Policy;
use crate::rules::cases::{self, Case, TestFile};
use crate::rules::{Diagnostics, PolicySet};
use crate::sql::schema::Remark;

/// A file of cases, run.
pub(super) struct Suite {
    /// The file's name as shown.
    pub(super) name: String,
    /// What is wrong with the file itself; then no case ran.
    pub(super) broken: Diagnostics,
    /// What of its schema was not looked at.
    pub(super) passed_over: Vec<Remark>,
    pub(super) schema: String,
    pub(super) policy: Option<Arc<Policy>>,
    pub(super) results: Vec<CaseResult>,
}

/// A case, run.
pub(super) struct CaseResult {
    pub(super) name: String,
    pub(super) role: String,
    pub(super) purposes: Vec<String>,
    /// What was decided.
    pub(super) facts: Facts,
    /// What was expected and is not so.
    pub(super) unmet: Diagnostics,
    pub(super) took: std::time::Duration,
}

impl Suite {
    pub(super) fn failed(&self) -> bool {
        !self.broken.is_empty() || self.results.iter().any(|result| !result.unmet.is_empty())
    }

    fn broken(name: &str, broken: Diagnostics) -> Self {
        Self {
            name: name.to_owned(),
            broken,
            passed_over: Vec::new(),
            schema: String::new(),
            policy: None,
            results: Vec::new(),
        }
    }
}

/// The files named, or those beside the rules: all of a folder; of one file `NAME.yaml`, `NAME.test.yaml`.
pub(super) fn files(rules: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    if !rules.is_dir() {
        let beside = rules.with_extension("test.yaml");
        return match beside.is_file() {
            true => Ok(vec![beside]),
            false => Err(format!("there is no {}", beside.display())),
        };
    }
    let entries = std::fs::read_dir(rules).map_err(|e| format!("cannot read {}: {e}", rules.display()))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.yaml") && path.is_file())
        .collect();
    found.sort();
    if found.is_empty() {
        return Err(format!("{} holds no *.test.yaml file", rules.display()));
    }
    Ok(found)
}

/// Reads and runs one file of cases.
pub(super) fn suite(path: &Path, set: &PolicySet) -> Suite {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            // With an empty text the file has no schema, which is said at its beginning.
            crate::cli::output::complain(&format!("cannot read {}: {error}", path.display()));
            String::new()
        }
    };
    let file = match cases::read(&name, &text) {
        Ok(file) => file,
        Err(findings) => return Suite::broken(&name, findings),
    };
    let at = path.parent().unwrap_or_else(|| Path::new("")).join(&file.schema.value);
    let mut findings = Diagnostics::default();
    let schema = match decision::schema_file(&at) {
        Ok(schema) => schema,
        Err(error) => {
            findings.push(file.schema.not_found(error));
            return Suite::broken(&name, findings);
        }
    };
    let policy = match policy_for(&file, set, &schema) {
        Ok(policy) => policy,
        Err(error) => {
            findings.push(file.database.as_ref().unwrap_or(&file.schema).not_found(error));
            return Suite::broken(&name, findings);
        }
    };
    let results = file
        .cases
        .iter()
        .map(|case| run_case(case, &file, &policy, &schema.catalog))
        .collect();
    Suite {
        name,
        broken: findings,
        passed_over: schema.passed_over,
        schema: file.schema.value.clone(),
        policy: Some(policy),
        results,
    }
}

/// The rules of the database that the file names, or that the snapshot is of; for a schema file that says
/// nothing, the only rules that classify one of its tables.
fn policy_for(file: &TestFile, set: &PolicySet, schema: &decision::SchemaFile) -> Result<Arc<Policy>, String> {
    let named = match &file.database {
        Some(name) => Some(name.value.as_str()),
        None if schema.names_database => Some(schema.catalog.database.as_str()),
        None => None,
    };
    if let Some(name) = named {
        let found = set.for_database(name);
        return found.ok_or_else(|| format!("there are no rules for database {name}"));
    }
    let speaks = |policy: &&Arc<Policy>| {
        let known = |table: &QualifiedName| schema.catalog.relation(table).is_some();
        policy.tables.keys().any(known)
    };
    let mut speaking = set.policies().map(|(_, policy)| policy).filter(speaks);
    match (speaking.next(), speaking.next()) {
        (Some(only), None) => Ok(Arc::clone(only)),
        (Some(_), Some(_)) => Err("rules of several databases speak of its tables; write `database: NAME`".to_owned()),
        (None, _) => Err("no rules speak of any of its tables".to_owned()),
    }
}

fn run_case(case: &Case, file: &TestFile, policy: &Policy, catalog: &Catalog) -> CaseResult {
    let started = std::time::Instant::now();
    let default_path = ["$user".to_owned(), "public".to_owned()];
    let question = Question {
        policy,
        catalog,
        role: &case.role.value,
        declared: &case.declared,
        search_path: file.search_path.as_deref().unwrap_or(&default_path),
        now: case.on.unwrap_or_else(OffsetDateTime::now_utc),
    };
    let decided = question.decide(&case.when.value);
    let facts = decision::summary(&decided.result);
    CaseResult {
        name: case.name.value.clone(),
        role: case.role.value.clone(),
        unmet: unmet(case, &facts, &decided),
        purposes: decided.purposes,
        facts,
        took: started.elapsed(),
    }
}

/// What the case expects and is not so.
fn unmet(case: &Case, facts: &Facts, decided: &Decided) -> Diagnostics {
    let mut unmet = Diagnostics::default();
    let why = decided.result.as_ref().err().map(words);
    let then = &case.then;
    if let Some(expected) = then.outcome.as_ref().filter(|expected| expected.value != facts.outcome) {
        let message = format!("outcome is {}, not {}", facts.outcome.as_str(), expected.value.as_str());
        unmet.push(expected.unmet(message, why.clone().or_else(|| used(facts))));
    }
    if let Some(expected) = then.code.as_ref().filter(|expected| Some(expected.value) != facts.code) {
        let code = facts.code.map_or("none", |code| code.as_str());
        unmet.push(expected.unmet(format!("code is {code}, not {}", expected.value), why.clone()));
    }
    for (column, form) in &then.fields {
        if let Err(message) = field(facts, &column.value, form) {
            unmet.push(column.unmet(message, why.clone()));
        }
    }
    if let Some(expected) = &then.row_filters {
        let mut names: Vec<&str> = expected.value.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        if names != facts.row_filters {
            let message = match facts.row_filters.is_empty() {
                true => "no rows are filtered".to_owned(),
                false => format!("rows are filtered by {}", facts.row_filters.join(", ")),
            };
            unmet.push(expected.unmet(message, why));
        }
    }
    unmet
}

/// A column is named as precisely as it needs: `email`, `customers.email`, `care.customers.email`.
fn field(facts: &Facts, named: &str, form: &str) -> Result<(), String> {
    let is_it = |column: &str| column == named || column.strip_suffix(named).is_some_and(|rest| rest.ends_with('.'));
    let mut uses: Vec<(&str, &str, Option<String>)> = facts
        .fields
        .iter()
        .filter(|field| is_it(&field.column))
        .map(|field| {
            (
                field.column.as_str(),
                field.form,
                field.rule.as_ref().map(ToString::to_string),
            )
        })
        .collect();
    uses.sort();
    uses.dedup();
    match uses.as_slice() {
        [] => Err(format!("no column {named} is used by this statement")),
        all if all.iter().all(|(_, found, _)| *found == form) => Ok(()),
        [(column, found, rule)] => {
            let rule = rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
            Err(format!("{column} is {found}{rule}, not {form}"))
        }
        several => {
            let shown: Vec<String> = several
                .iter()
                .map(|(column, found, _)| format!("{column} is {found}"))
                .collect();
            Err(format!("{named} is not {form} alone: {}", shown.join(", ")))
        }
    }
}

fn words(refusal: &Refusal) -> String {
    let detail = refusal
        .detail
        .as_ref()
        .map(|detail| format!("; {detail}"))
        .unwrap_or_default();
    format!("{} ({}){detail}", refusal.message, refusal.code)
}

/// The columns that are not raw, and the filters: why a statement is not just allowed.
fn used(facts: &Facts) -> Option<String> {
    let mut parts: Vec<String> = facts
        .fields
        .iter()
        .filter(|field| field.form != "raw" || field.condition.is_some())
        .map(|field| match field.condition {
            Some(condition) => format!("{} is {} ({condition})", field.column, field.form),
            None => format!("{} is {}", field.column, field.form),
        })
        .collect();
    parts.dedup();
    if !facts.row_filters.is_empty() {
        parts.push(format!("rows are filtered by {}", facts.row_filters.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}
