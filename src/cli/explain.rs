//! `pgpurpose explain`: the decision for one statement, with the rule behind each column and the
//! statement as PostgreSQL would get it. Needs a schema: live, or a snapshot of `pgpurpose catalog`.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use time::OffsetDateTime;

use crate::catalog::{Catalog, SearchPath};
use crate::pipeline::{self, Context, Facts, Plan, PreparedNames, Refusal, Standing};
use crate::policy::{Declaration, Policy};
use crate::sql::ClientSql;
use crate::upstream::{Target, loader};

use super::Exit;
use super::output::Format;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rules file or folder
    rules: PathBuf,
    /// The role that asks
    #[arg(long)]
    role: String,
    /// The access purpose; the role's default if left out
    #[arg(long)]
    purpose: Option<String>,
    /// The declared reason
    #[arg(long)]
    reason: Option<String>,
    /// The declared data subject
    #[arg(long)]
    subject: Option<String>,
    /// The database, postgres://user:password@host:port/database
    #[arg(
        long,
        env = "PGPURPOSE_AGAINST",
        hide_env_values = true,
        conflicts_with = "catalog",
        required_unless_present = "catalog"
    )]
    against: Option<Target>,
    /// A snapshot that `pgpurpose catalog` wrote
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// The search_path
    #[arg(long, value_delimiter = ',', default_value = "$user,public")]
    search_path: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// The statement
    sql: String,
}

struct SameNames;

impl PreparedNames for SameNames {
    fn upstream_name(&self, client_name: &str) -> Option<String> {
        Some(client_name.to_owned())
    }
}

pub(super) fn run(args: &Args) -> Exit {
    let catalog = match read_catalog(args) {
        Ok(catalog) => catalog,
        Err(error) => {
            eprintln!("pgpurpose: {error}");
            return Exit::Usage;
        }
    };
    let set = match super::rules_files::load(&args.rules) {
        Ok(set) => set,
        Err(error) => {
            eprintln!("{error}");
            return Exit::Findings;
        }
    };
    let Some(policy) = set.for_database(&catalog.database) else {
        eprintln!("pgpurpose: no rules for database {}", catalog.database);
        return Exit::Findings;
    };
    match decide(args, &policy, &catalog) {
        Ok(plan) => {
            let facts: Vec<&Facts> = plan.statements.iter().map(|s| &*s.facts).collect();
            print(args.format, &facts, Ok(plan.verified.text()));
            Exit::Fine
        }
        Err(refusal) => {
            print(args.format, &[&refusal.facts], Err(&refusal));
            Exit::Findings
        }
    }
}

fn read_catalog(args: &Args) -> Result<Catalog, String> {
    match (&args.catalog, &args.against) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
            let catalog: Catalog = serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            Ok(catalog.indexed())
        }
        (None, Some(target)) => loader::load_blocking(target).map_err(|e| e.to_string()),
        (None, None) => Err("a schema is needed: --against or --catalog".into()),
    }
}

fn decide(args: &Args, policy: &Policy, catalog: &Catalog) -> Result<Plan, Refusal> {
    let sql = ClientSql::new(&args.sql).map_err(|e| Refusal::unread(e.to_string()))?;
    let parsed = pipeline::parse(Arc::new(sql))?;
    let default = policy.roles.get(&args.role).and_then(|r| r.default_purpose.clone());
    let declared = Declaration {
        purpose: args.purpose.clone().or(default),
        reason: args.reason.clone(),
        subject: args.subject.clone(),
        actor: None,
    };
    let admitted = policy.admit(&args.role, &declared, OffsetDateTime::now_utc());
    let standing = match &admitted {
        Ok(admission) => Standing::Admitted(*admission),
        Err(denial) if declared.purpose.is_none() => Standing::Undeclared(denial),
        Err(denial) => Standing::Inadmissible(denial),
    };
    let search_path = SearchPath::new(&args.search_path, &args.role, catalog);
    let contexts: Vec<Context<'_>> = parsed
        .commands
        .iter()
        .map(|_| Context {
            policy,
            catalog,
            role: &args.role,
            standing,
            search_path: &search_path,
            prepared: &SameNames,
        })
        .collect();
    pipeline::examine(&parsed, &contexts)
}

fn print(format: Format, facts: &[&Facts], result: Result<&str, &Refusal>) {
    match format {
        Format::Json => {
            let statements: Vec<_> = facts
                .iter()
                .map(|f| {
                    let fields: Vec<_> = f
                        .fields
                        .iter()
                        .map(|u| {
                            json!({"column": u.column, "data_category": u.data_category, "position": u.position.as_str(),
                                   "form": u.form, "rule": u.rule.as_ref().map(ToString::to_string)})
                        })
                        .collect();
                    json!({"outcome": f.outcome.as_str(), "code": f.code.map(|c| c.as_str()), "fields": fields,
                           "row_filters": f.row_filters})
                })
                .collect();
            let out = match result {
                Ok(text) => json!({"statements": statements, "sql": text}),
                Err(r) => json!({"statements": statements, "message": r.message, "detail": r.detail, "hint": r.hint}),
            };
            println!("{out:#}");
        }
        Format::Text => {
            for f in facts {
                println!("outcome  {}", f.outcome.as_str());
                for u in &f.fields {
                    let rule = u.rule.as_ref().map(ToString::to_string).unwrap_or_default();
                    println!("  {:<40} {:<8} {:<12} {rule}", u.column, u.position.as_str(), u.form);
                }
                if !f.row_filters.is_empty() {
                    println!("  rows filtered by {}", f.row_filters.join(", "));
                }
            }
            match result {
                Ok(text) => println!("\n{text}"),
                Err(r) => {
                    println!("refused  {} ({})", r.message, r.code);
                    r.detail.iter().for_each(|d| println!("detail   {d}"));
                    r.hint.iter().for_each(|h| println!("hint     {h}"));
                }
            }
        }
    }
}
