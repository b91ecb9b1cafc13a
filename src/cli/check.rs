//! `pgpurpose check RULES`: are the rules well-formed, complete, unambiguous?

use std::path::PathBuf;

use serde_json::json;

use super::Exit;
use super::output::{self, Format};
use super::rules_files::{self, RulesError};
use crate::rules::{Diagnostics, PolicySet};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A rules file, or a folder of them
    #[arg(env = "PGPURPOSE_RULES")]
    rules: PathBuf,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
}

pub(super) fn run(args: &Args) -> Exit {
    match rules_files::load(&args.rules) {
        Ok(set) => {
            output::print(&match args.format {
                Format::Text => summary(&set),
                Format::Json => output::json(&json!({"findings": [], "sha256": set.sha256()})),
            });
            Exit::Fine
        }
        Err(RulesError::Wrong(findings)) => {
            output::print(&match args.format {
                Format::Text => shown(&findings),
                Format::Json => output::json(&json!({"findings": findings.to_json()})),
            });
            Exit::Findings
        }
        Err(error @ (RulesError::Unreadable { .. } | RulesError::Empty(_))) => {
            output::complain(&error);
            Exit::Usage
        }
    }
}

fn shown(findings: &Diagnostics) -> String {
    let count = findings.iter().count();
    let errors = if count == 1 {
        "1 error".to_owned()
    } else {
        format!("{count} errors")
    };
    format!("{}\n\n{errors}", findings.to_text(output::colour()))
}

fn summary(set: &PolicySet) -> String {
    let lines = set.policies().map(|(database, policy)| {
        let whose = database.map_or_else(|| "any database".to_owned(), |name| format!("database {name}"));
        format!(
            "{whose}: {} purposes, {} roles, {} data categories, {} tables, {} release entries",
            policy.purposes.len(),
            policy.roles.len(),
            policy.categories.len(),
            policy.tables.len(),
            policy.release.len()
        )
    });
    let lines: Vec<String> = lines.collect();
    format!("{}\nno errors", lines.join("\n"))
}
