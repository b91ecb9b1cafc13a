//! `pgpurpose check RULES`: are the rules well-formed, complete, unambiguous, and do they fit a
//! database?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use time::OffsetDateTime;

use super::Exit;
use super::database::Database;
use super::output::{self, ColorChoice};
use super::rules_files::{self, RulesError};
use crate::check;
use crate::rules::{DiagnosticCode, Diagnostics, PolicySet, Severity};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A rules file, or a folder of them
    #[arg(env = "PGPURPOSE_RULES", required_unless_present = "explain")]
    rules: Option<PathBuf>,
    #[command(flatten)]
    database: Database,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
    #[command(flatten)]
    color: ColorChoice,
    /// Explain a code, such as never_speaks, and what to do about it
    #[arg(long, value_name = "CODE", value_parser = code)]
    explain: Option<DiagnosticCode>,
}

/// `--format` of `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people on a terminal
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
}

fn code(text: &str) -> Result<DiagnosticCode, String> {
    DiagnosticCode::named(text).ok_or_else(|| {
        let known: Vec<&str> = DiagnosticCode::ALL.iter().map(|code| code.as_str()).collect();
        match crate::policy::nearest(text, known.iter().copied()) {
            Some(near) => format!("there is no such code: did you mean {near}?"),
            None => format!("there is no such code; there are: {}", known.join(", ")),
        }
    })
}

pub(super) fn run(args: &Args) -> Exit {
    if let Some(code) = args.explain {
        let severity = code.severity().as_str();
        output::print(&format!("{severity}[{}]: {}", code.as_str(), code.explanation()));
        return Exit::Fine;
    }
    let Some(path) = &args.rules else {
        return Exit::Usage;
    };
    let catalog = match args.database.catalog() {
        Ok(catalog) => catalog,
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let database = catalog.as_ref().map(|catalog| catalog.database.as_str());
    let (set, findings) = match rules_files::load(path) {
        Ok(set) => {
            let findings = check::check(&set, catalog.as_ref(), OffsetDateTime::now_utc().date());
            (Some(set), findings)
        }
        Err(RulesError::Wrong(findings)) => (None, findings),
        Err(error @ (RulesError::Unreadable { .. } | RulesError::Empty(_))) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    output::print(&match args.format {
        Format::Text => text(set.as_ref(), database, &findings, args.color.stdout()),
        Format::Json => output::json(&json!({
            "findings": findings.to_json(),
            "sha256": set.as_ref().map(PolicySet::sha256),
        })),
        Format::Sarif => output::json(&findings.to_sarif(folder_uri(path).as_deref())),
        Format::Github => findings.to_github(&folder_prefix(path)),
    });
    // Notes are worth knowing, and nothing to mend.
    match findings.count(Severity::Error) + findings.count(Severity::Warning) {
        0 => Exit::Fine,
        _ => Exit::Findings,
    }
}

fn text(set: Option<&PolicySet>, against: Option<&str>, findings: &Diagnostics, colour: bool) -> String {
    let mut parts = Vec::new();
    if !findings.is_empty() {
        parts.push(format!("{}\n", findings.to_text(colour)));
    }
    parts.extend(set.and_then(|set| summary(set, against)));
    parts.push(counted(findings));
    parts.join("\n")
}

/// `2 errors, 1 warning`, or `no findings`.
fn counted(findings: &Diagnostics) -> String {
    let count = |severity: Severity| match findings.count(severity) {
        0 => None,
        1 => Some(format!("1 {}", severity.as_str())),
        n => Some(format!("{n} {}s", severity.as_str())),
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter_map(count);
    let counts: Vec<String> = counts.collect();
    if counts.is_empty() {
        return "no findings".to_owned();
    }
    format!("{} (pgpurpose check --explain CODE tells more)", counts.join(", "))
}

/// What there is: of the database that the rules were held against, or of each that they speak for.
fn summary(set: &PolicySet, against: Option<&str>) -> Option<String> {
    let held_against = against.map(|name| set.for_database(name).map(|policy| (Some(name), policy)));
    let policies: Vec<_> = match held_against {
        Some(found) => found.into_iter().collect(),
        None => set
            .policies()
            .map(|(name, policy)| (name, Arc::clone(policy)))
            .collect(),
    };
    let lines = policies.iter().map(|(database, policy)| {
        let whose = database.map_or_else(|| "any database".to_owned(), |name| format!("database {name}"));
        let count = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
        format!(
            "{whose}: {}, {}, {}, {}, {}",
            count(policy.purposes.len(), "purpose", "purposes"),
            count(policy.roles.len(), "role", "roles"),
            count(policy.categories.len(), "data category", "data categories"),
            count(policy.tables.len(), "table", "tables"),
            count(policy.release.len(), "release entry", "release entries"),
        )
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// The folder of the rules.
fn folder(path: &Path) -> &Path {
    match path.is_dir() {
        true => path,
        false => path.parent().unwrap_or_else(|| Path::new("")),
    }
}

fn folder_prefix(path: &Path) -> String {
    let folder = folder(path).to_string_lossy();
    let folder = folder.strip_prefix("./").unwrap_or(&folder);
    match folder {
        "" | "." => String::new(),
        folder => format!("{}/", folder.trim_end_matches('/')),
    }
}

/// `file:///…/rules/`
fn folder_uri(path: &Path) -> Option<String> {
    let folder = folder(path);
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let absolute = std::fs::canonicalize(folder).ok()?;
    Some(format!(
        "file://{}/",
        crate::rules::uri_path(&absolute.to_string_lossy())
    ))
}
