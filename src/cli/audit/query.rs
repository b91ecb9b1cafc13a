//! `pgpurpose audit query FILE…`: events that answer a question.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use time::OffsetDateTime;

use super::show::{Csv, Json, Show, Text};
use crate::audit::query::{Filter, Found, Sink, Skipped, query};
use crate::audit::{moment_at, reader, timestamp};
use crate::cli::Exit;
use crate::cli::output;

/// Arguments of `audit query`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Audit files, in any order; the full ones that rotation left beside each are read too
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
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
    /// Only this kind of event: statement, completed, login, logout, policy_changed, break_glass, …
    #[arg(long)]
    event: Option<String>,
    /// Not before: 2026-11-24, 2026-11-24T06:30:00Z, or 90m, 12h, 7d ago
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<String>,
    /// Before: as for --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
    /// In text, show the columns that each statement uses and the rule behind each
    #[arg(long)]
    fields: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
}

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people on a terminal
    #[value(alias = "table")]
    Text,
    /// The records as they stand, a line each
    Json,
    /// For a spreadsheet
    Csv,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut out = BufWriter::new(io::stdout().lock());
    let done = print(args, &mut out).and_then(|skipped| out.flush().map(|()| skipped));
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

/// Gives how many lines were no records.
fn print(args: &Args, out: &mut dyn Write) -> io::Result<u64> {
    let mut show: Box<dyn Show> = match args.format {
        Format::Text => Box::new(Text::new(args.fields)),
        Format::Json => Box::new(Json),
        Format::Csv => Box::new(Csv),
    };
    show.head(out)?;
    let mut printer = Printer {
        out,
        show: show.as_mut(),
        skipped: 0,
    };
    query(&reader::with_rotated(&args.files)?, &args.filter(), &mut printer)?;
    Ok(printer.skipped)
}

struct Printer<'a> {
    out: &'a mut dyn Write,
    show: &'a mut dyn Show,
    skipped: u64,
}

impl Sink for Printer<'_> {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        self.show.one(self.out, found)
    }

    fn skipped(&mut self, _: &Skipped) {
        self.skipped += 1;
    }
}

impl Args {
    fn filter(&self) -> Filter {
        Filter {
            id: None,
            role: self.role.clone(),
            purpose: self.purpose.clone(),
            actor: self.actor.clone(),
            session: self.session.clone(),
            outcome: self.outcome.clone(),
            code: self.code.clone(),
            table: self.table.clone(),
            column: self.column.clone(),
            category: self.category.clone(),
            application: self.application.clone(),
            form: self.form.clone(),
            subjects: Vec::new(),
            event: self.event.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
        }
    }
}

/// A moment in the form of the records' `time`, by which it is compared.
pub(super) fn moment(text: &str) -> Result<String, String> {
    moment_at(text, OffsetDateTime::now_utc())
        .map(timestamp)
        .ok_or_else(|| "expected a date, an RFC 3339 time, or an age such as 90m, 12h or 7d".to_owned())
}

#[cfg(test)]
mod tests;
