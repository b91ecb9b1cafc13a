//! `pgpurpose explain`: the decision for one statement, with the rule behind each column and the
//! statement as PostgreSQL would get it. Needs a schema: live, a snapshot or a schema file.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::Exit;
use super::database::Database;
use super::decision::Question;
use super::output::{self, ColorChoice, Format, Paint, Tone};
use super::rules_files::{self, RulesError};
use crate::pipeline::{Explanation, Outcome};
use crate::policy::{Declaration, Mode};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Rules file or folder
    #[arg(env = "PGPURPOSE_RULES")]
    rules: PathBuf,
    /// The role that asks
    #[arg(long, env = "PGPURPOSE_ROLE")]
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
    #[command(flatten)]
    database: Database,
    /// Whose rules, where the schema file does not say it
    #[arg(long, value_name = "NAME")]
    rules_of: Option<String>,
    /// The search_path
    #[arg(long, value_delimiter = ',', default_value = "$user,public")]
    search_path: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value = "text", env = "PGPURPOSE_FORMAT")]
    format: Format,
    #[command(flatten)]
    color: ColorChoice,
    /// The statement
    sql: String,
}

pub(super) fn run(args: &Args) -> Exit {
    let catalog = match args.database.catalog() {
        Ok(Some(catalog)) => catalog,
        Ok(None) => {
            output::complain(&"a schema is needed: --against URL or --catalog FILE");
            return Exit::Usage;
        }
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let set = match rules_files::load(&args.rules) {
        Ok(set) => set,
        Err(RulesError::Wrong(findings)) => {
            output::complain(&format!("there are errors in the rules\n\n{findings}"));
            return Exit::Findings;
        }
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let database = args.rules_of.as_deref().unwrap_or(&catalog.database);
    let Some(policy) = set.for_database(database) else {
        output::complain(&format!(
            "there are no rules for database {database}; say whose with --rules-of NAME"
        ));
        return Exit::Findings;
    };
    let declared = Declaration {
        purpose: args.purpose.clone(),
        reason: args.reason.clone(),
        subject: args.subject.clone(),
        actor: None,
    };
    let question = Question {
        policy: &policy,
        catalog: &catalog,
        role: &args.role,
        declared: &declared,
        search_path: &args.search_path,
        now: OffsetDateTime::now_utc(),
    };
    let decided = question.decide(&args.sql);
    let purposes = decided.purposes.join(", ");
    let explanation = Explanation {
        role: &args.role,
        purpose: (!purposes.is_empty()).then_some(purposes.as_str()),
        observed: policy.mode == Mode::Observe,
        contact: policy.contact.as_deref(),
        result: decided.result.as_ref(),
    };
    output::print(&match args.format {
        Format::Json => output::json(&json(&explanation)),
        Format::Text => {
            let colour = args.color.stdout();
            text(&explanation, Paint { colour })
        }
    });
    match decided.result {
        Ok(_) => Exit::Fine,
        Err(_) => Exit::Findings,
    }
}

/// The author of rules sees what clients do not: the statement as it goes out, row filters and all.
fn json(explanation: &Explanation<'_>) -> serde_json::Value {
    let mut all = explanation.json();
    if let (Ok(plan), Some(all)) = (explanation.result, all.as_object_mut()) {
        all.insert("sql".into(), plan.verified.text().into());
    }
    all
}

fn text(explanation: &Explanation<'_>, paint: Paint) -> String {
    let mut lines: Vec<String> = explanation.lines().iter().map(|line| coloured(line, paint)).collect();
    if let Ok(plan) = explanation.result {
        lines.push(format!("\n{}", plan.verified.text()));
    }
    lines.join("\n")
}

/// By what a line says: the outcome, a refusal, the form of a column.
fn coloured(line: &str, paint: Paint) -> String {
    if let Some(outcome) = line.strip_prefix("Outcome: ") {
        let tone = if outcome == Outcome::Allow.as_str() {
            Tone::Shown
        } else if outcome == Outcome::Refuse.as_str() || outcome == Outcome::Gap.as_str() {
            Tone::Refused
        } else {
            Tone::Masked
        };
        return format!("Outcome: {}", paint.show(outcome, tone));
    }
    if line.starts_with("Refused: ") {
        return paint.show(line, Tone::Refused);
    }
    if line.starts_with("Purpose: ") {
        return paint.show(line, Tone::Strong);
    }
    let forms = [
        ("  raw (", Tone::Conditional),
        ("  raw ", Tone::Shown),
        ("  hidden ", Tone::Faint),
    ];
    let tone = forms
        .iter()
        .find(|(form, _)| line.contains(form))
        .map(|(_, tone)| *tone);
    paint.show(line, tone.unwrap_or(Tone::Masked))
}
