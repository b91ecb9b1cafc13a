//! `pgpurpose replay AUDIT RULES`: recorded statements through candidate rules, and the decisions that would
//! change. Recorded are an audit log, or a CSV of statements such as `pg_stat_statements` gives.
//!
//! A log holds no constants: `$n` stands for each, of a type that is not known. So what is decided by names is
//! decided here as it would be; whether PostgreSQL would run the statement is not looked at.

mod compare;
mod recorded;

use std::path::PathBuf;

use serde_json::json;

use super::Exit;
use super::database::Database;
use super::output::{self, Format};
use super::rules_files::{self, RulesError};
use compare::Change;

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// An audit log, or statements as *.csv with a header: statement or query; and role, purpose, database,
    /// calls as far as they are known
    audit: PathBuf,
    /// The candidate rules, a file or a folder
    rules: PathBuf,
    #[command(flatten)]
    database: Database,
    /// Compare with these rules instead of with what is recorded; needed for a CSV
    #[arg(long, value_name = "RULES")]
    before: Option<PathBuf>,
    /// The role of statements that tell none
    #[arg(long, env = "PGPURPOSE_ROLE")]
    role: Option<String>,
    /// The purpose of statements that tell none; else the role's default
    #[arg(long)]
    purpose: Option<String>,
    /// The search_path
    #[arg(long, value_delimiter = ',', default_value = "$user,public")]
    search_path: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Exit {
    match replay(args) {
        Ok(exit) => exit,
        Err((message, exit)) => {
            output::complain(&message);
            exit
        }
    }
}

fn rules(path: &std::path::Path) -> Result<crate::rules::PolicySet, (String, Exit)> {
    rules_files::load(path).map_err(|error| match error {
        RulesError::Wrong(_) => (
            format!("there are errors in {}\n\n{error}", path.display()),
            Exit::Findings,
        ),
        other => (other.to_string(), Exit::Usage),
    })
}

fn replay(args: &Args) -> Result<Exit, (String, Exit)> {
    let usage = |message: String| (message, Exit::Usage);
    let catalog = args.database.catalog().map_err(usage)?;
    let catalog = catalog.ok_or_else(|| usage("a schema is needed: --against URL or --catalog FILE".into()))?;
    let candidate = rules(&args.rules)?;
    let before = args.before.as_deref().map(rules).transpose()?;
    let defaults = recorded::Defaults {
        role: args.role.clone(),
        purpose: args.purpose.clone(),
        database: catalog.database.clone(),
    };
    let log = recorded::read(&args.audit, &defaults).map_err(usage)?;
    if before.is_none() && !log.decided {
        return Err(usage("a CSV tells no decisions; compare with --before RULES".into()));
    }
    let replayed = compare::compare(&log, &candidate, before.as_ref(), &catalog, &args.search_path);
    output::print(&match args.format {
        Format::Text => text(&replayed),
        Format::Json => output::json(&to_json(&replayed)),
    });
    Ok(match replayed.changes.is_empty() {
        true => Exit::Fine,
        false => Exit::Findings,
    })
}

fn text(replayed: &compare::Replayed) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut heading = "";
    for change in &replayed.changes {
        if change.kind != heading {
            heading = change.kind;
            let same = replayed.changes.iter().filter(|c| c.kind == heading);
            let (shapes, calls) = same.fold((0, 0), |(n, calls), c| (n + 1, calls + c.calls));
            parts.push(format!("{heading}: {shapes} statements, recorded {calls} times"));
        }
        parts.push(change_text(change));
    }
    parts.push(format!(
        "{} recorded, {} different; {} would change, {} would not; {} cannot be replayed",
        replayed.calls,
        replayed.shapes,
        replayed.changes.len(),
        replayed.shapes - replayed.changes.len(),
        replayed.left_out
    ));
    parts.join("\n\n")
}

fn change_text(change: &Change) -> String {
    let mut lines = vec![format!(
        "  {} times, {} for {}",
        change.calls,
        change.role,
        change.purpose.as_deref().unwrap_or("no purpose")
    )];
    lines.extend(change.statement.lines().map(|line| format!("    {line}")));
    lines.push(format!("    was {}, would be {}", change.was, change.would_be));
    lines.extend(change.columns.iter().map(|column| format!("    {column}")));
    lines.extend(change.why.iter().map(|why| format!("    because {why}")));
    lines.join("\n")
}

fn to_json(replayed: &compare::Replayed) -> serde_json::Value {
    let changes: Vec<serde_json::Value> = replayed
        .changes
        .iter()
        .map(|c| {
            json!({"kind": c.kind, "calls": c.calls, "role": c.role, "purpose": c.purpose, "statement": c.statement,
                   "was": c.was, "would_be": c.would_be, "columns": c.columns, "why": c.why})
        })
        .collect();
    json!({"recorded": replayed.calls, "different": replayed.shapes, "cannot_be_replayed": replayed.left_out,
           "changes": changes})
}
