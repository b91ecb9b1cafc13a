//! `pgpurpose matrix RULES`: who sees what.

mod json;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use time::OffsetDateTime;

use super::Exit;
use super::output::{self, ColorChoice};
use super::rules_files;
use crate::pages;
use crate::policy::{Matrix, Policy, within};
use crate::rules::PolicySet;

/// Arguments of `matrix`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A rules file, or a folder of them
    #[arg(env = "PGPURPOSE_RULES")]
    rules: PathBuf,
    /// Only what this database role sees; may be given more than once
    #[arg(long, env = "PGPURPOSE_ROLE")]
    role: Vec<String>,
    /// What each role sees, after what anybody could see
    #[arg(long, conflicts_with = "role")]
    all_roles: bool,
    /// Only these purposes and those below them
    #[arg(long, value_delimiter = ',')]
    purpose: Vec<String>,
    /// Only these tables, schema.table, or all of a schema
    #[arg(long, value_delimiter = ',')]
    table: Vec<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
    #[command(flatten)]
    color: ColorChoice,
    /// Columns of the terminal; 0: do not break
    #[arg(long, env = "COLUMNS")]
    width: Option<usize>,
}

/// `--format` of `matrix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people on a terminal
    Text,
    /// For programs
    Json,
    /// A page to be printed
    Html,
}

/// The matrices of one database.
struct Shown {
    database: Option<String>,
    policy: Arc<Policy>,
    matrices: Vec<Matrix>,
}

impl Shown {
    fn has_tables(&self) -> bool {
        self.matrices.iter().any(|matrix| !matrix.tables.is_empty())
    }
}

pub(super) fn run(args: &Args) -> Exit {
    let set = match rules_files::load(&args.rules) {
        Ok(set) => set,
        Err(rules_files::RulesError::Wrong(findings)) => {
            output::complain(&format!("there are errors in the rules\n\n{findings}"));
            return Exit::Findings;
        }
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    if let Err(unknown) = known(args, &set) {
        output::complain(&unknown);
        return Exit::Usage;
    }
    let now = OffsetDateTime::now_utc();
    let shown: Vec<Shown> = set
        .policies()
        .map(|(database, policy)| Shown {
            database: database.map(str::to_owned),
            matrices: matrices(args, policy, now),
            policy: Arc::clone(policy),
        })
        .filter(|shown| !shown.matrices.is_empty() && (args.table.is_empty() || shown.has_tables()))
        .collect();
    output::print(&match args.format {
        Format::Text => text::text(&shown, args.color.stdout(), output::width(args.width)),
        Format::Json => output::json(&json::json(&shown)),
        Format::Html => {
            let pages: Vec<pages::MatrixOf<'_>> = shown.iter().map(page).collect();
            pages::matrix(&pages, set.sha256(), now)
        }
    });
    Exit::Fine
}

/// Every name that is asked for is one of the rules.
fn known(args: &Args, set: &PolicySet) -> Result<(), String> {
    let policies = || set.policies().map(|(_, policy)| policy);
    for role in &args.role {
        let names = || policies().flat_map(|policy| policy.roles.keys());
        if !names().any(|name| name == role) {
            return Err(unknown("role", role, names()));
        }
    }
    for purpose in &args.purpose {
        let names = || policies().flat_map(|policy| policy.purposes.keys());
        if !names().any(|name| name == purpose) {
            return Err(unknown("purpose", purpose, names()));
        }
    }
    let tables: Vec<String> = policies()
        .flat_map(|policy| policy.tables.keys())
        .map(ToString::to_string)
        .collect();
    for table in &args.table {
        if !tables.iter().any(|name| within(name, table)) {
            return Err(unknown("table", table, tables.iter()));
        }
    }
    Ok(())
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a String>) -> String {
    match crate::policy::nearest(name, names.map(String::as_str)) {
        Some(near) => format!("there is no {what} {name:?} in the rules: did you mean {near:?}?"),
        None => format!("there is no {what} {name:?} in the rules"),
    }
}

fn matrices(args: &Args, policy: &Policy, now: OffsetDateTime) -> Vec<Matrix> {
    let of_roles = || policy.roles.keys().filter_map(|role| policy.matrix(Some(role), now));
    let mut matrices: Vec<Matrix> = if args.all_roles {
        policy.matrix(None, now).into_iter().chain(of_roles()).collect()
    } else if args.role.is_empty() {
        policy.matrix(None, now).into_iter().collect()
    } else {
        let asked = args.role.iter();
        asked.filter_map(|role| policy.matrix(Some(role), now)).collect()
    };
    for matrix in &mut matrices {
        matrix.keep(
            |purpose| args.purpose.is_empty() || args.purpose.iter().any(|asked| within(purpose, asked)),
            |table| args.table.is_empty() || args.table.iter().any(|asked| within(&table.to_string(), asked)),
        );
    }
    matrices
}

fn page(shown: &Shown) -> pages::MatrixOf<'_> {
    pages::MatrixOf {
        database: shown.database.as_deref(),
        policy: &shown.policy,
        matrices: &shown.matrices,
    }
}
