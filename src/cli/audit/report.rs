//! `pgpurpose audit report FILE…`: what was done for each purpose, in the manner of a record of
//! processing activities (GDPR Art. 30).

use std::path::PathBuf;

use time::OffsetDateTime;

use super::filters::Span;
use crate::admin::report::Report;
use crate::audit::query::{Filter, query};
use crate::audit::reader;
use crate::audit::tally::Tally;
use crate::cli::output;
use crate::cli::{Exit, rules_files};

/// Arguments of `audit report`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Audit files, in any order; the full ones that rotation left beside each are read too
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    span: Span,
    /// Only this purpose and those below it
    #[arg(long)]
    purpose: Option<String>,
    /// Only this database role
    #[arg(long)]
    role: Option<String>,
    /// A rules file or folder: for titles of purposes, recipients' assurances and time limits
    #[arg(long, env = "PGPURPOSE_RULES", value_name = "PATH")]
    rules: Option<PathBuf>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,
}

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// To read, and to put into other documents
    Markdown,
    /// A page of its own, with a chart
    Html,
    /// For programs
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    match made(args) {
        Ok((text, 0)) => {
            output::print(text.trim_end());
            Exit::Fine
        }
        Ok((text, skipped)) => {
            output::print(text.trim_end());
            output::complain(&format!(
                "lines that are no audit records: {skipped}; see `pgpurpose audit verify`"
            ));
            Exit::Findings
        }
        Err(error) => {
            output::complain(&error);
            Exit::Usage
        }
    }
}

/// The report, and how many lines were no records.
fn made(args: &Args) -> Result<(String, u64), String> {
    let rules = args.rules.as_deref().map(rules_files::load).transpose();
    let rules = rules.map_err(|error| error.to_string())?;
    let filter = Filter {
        purpose: args.purpose.clone(),
        role: args.role.clone(),
        ..args.span.filter()
    };
    let mut tally = Tally::default();
    let files = reader::with_rotated(&args.files).map_err(|error| error.to_string())?;
    query(&files, &filter, &mut tally).map_err(|error| error.to_string())?;
    let report = Report::new(&tally, rules.as_ref(), period(args), OffsetDateTime::now_utc());
    let text = match args.format {
        Format::Markdown => report.markdown(),
        Format::Html => report.html(),
        Format::Json => return Ok((json(&report)?, tally.skipped)),
    };
    Ok((text.map_err(|error| error.to_string())?, tally.skipped))
}

fn json(report: &Report) -> Result<String, String> {
    let value = serde_json::to_value(report).map_err(|error| error.to_string())?;
    Ok(output::json(&value))
}

fn period(args: &Args) -> String {
    let day = |time: &str| time.get(..16).unwrap_or(time).replace('T', " ");
    match (&args.span.since, &args.span.until) {
        (None, None) => "since the log began".into(),
        (Some(since), None) => format!("since {} UTC", day(since)),
        (None, Some(until)) => format!("before {} UTC", day(until)),
        (Some(since), Some(until)) => format!("from {} to {} UTC", day(since), day(until)),
    }
}
