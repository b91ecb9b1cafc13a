//! What the commands that read the audit have in common: which records are asked for, and how a search ends.

use std::io;

use time::OffsetDateTime;

use crate::audit::query::Filter;
use crate::audit::{moment_at, timestamp};
use crate::cli::{Exit, output};

/// From when to when.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Span {
    /// Not before: 2026-11-24, 2026-11-24T06:30:00Z, or 90m, 12h, 7d ago; left out: from the beginning
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) since: Option<String>,
    /// Before: as for --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) until: Option<String>,
}

/// Which statements and other events.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Filters {
    /// Only this database role
    #[arg(long)]
    role: Option<String>,
    /// Only this purpose and those below it
    #[arg(long)]
    purpose: Option<String>,
    /// Only this actor, as the client gave it
    #[arg(long)]
    actor: Option<String>,
    /// Only this application, as the client gave it
    #[arg(long)]
    application: Option<String>,
    /// Only this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only this outcome: allow, mask, filter, gap, refuse, error
    #[arg(long, value_parser = ["allow", "mask", "filter", "gap", "refuse", "error"])]
    outcome: Option<String>,
    /// Only refusals with this code, such as column_refused
    #[arg(long)]
    code: Option<String>,
    /// Only statements that use this table, with or without its schema
    #[arg(long)]
    table: Option<String>,
    /// Only statements that use this column, with or without its table
    #[arg(long)]
    column: Option<String>,
    /// Only statements that use this data category or one below it
    #[arg(long)]
    category: Option<String>,
    /// Only statements that use a column in this form: raw, hidden, refuse, a mask's name, or `released` for all
    /// but hidden and refuse; with --category and the like, of that category
    #[arg(long)]
    form: Option<String>,
    #[command(flatten)]
    span: Span,
}

impl Filters {
    /// As the search takes it.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            role: self.role.clone(),
            purpose: self.purpose.clone(),
            actor: self.actor.clone(),
            application: self.application.clone(),
            session: self.session.clone(),
            outcome: self.outcome.clone(),
            code: self.code.clone(),
            table: self.table.clone(),
            column: self.column.clone(),
            category: self.category.clone(),
            form: self.form.clone(),
            ..self.span.filter()
        }
    }
}

impl Span {
    /// As the search takes it.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            since: self.since.clone(),
            until: self.until.clone(),
            ..Filter::default()
        }
    }
}

/// How a command ends whose search found so many lines that were no records.
pub(super) fn ended(done: io::Result<u64>) -> Exit {
    match done {
        Ok(0) => Exit::Fine,
        Ok(skipped) => {
            output::complain(&format!(
                "lines that are no audit records: {skipped}; see `pgpurpose audit verify`"
            ));
            Exit::Findings
        }
        // A reader that has gone away has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => {
            output::complain(&error);
            Exit::Usage
        }
    }
}

/// A moment in the form of the records' `time`, by which it is compared.
fn moment(text: &str) -> Result<String, String> {
    moment_at(text, OffsetDateTime::now_utc())
        .map(timestamp)
        .ok_or_else(|| "expected a date, an RFC 3339 time, or an age such as 90m, 12h or 7d".to_owned())
}
