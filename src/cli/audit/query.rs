//! `pgpurpose audit query FILE…`: events that answer a question.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::filters::{Filters, ended};
use super::show::{Csv, Json, Show, Text};
use crate::audit::follow::follow;
use crate::audit::query::{Filter, Found, Sink, Skipped, query};
use crate::audit::reader;
use crate::cli::Exit;

/// Arguments of `audit query`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Audit files, in any order; the full ones that rotation left beside each are read too
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    filters: Filters,
    /// Only this kind of event: statement, completed, login, logout, policy_changed, break_glass, …
    #[arg(long)]
    event: Option<String>,
    /// Go on with what is added to the log, until interrupted
    #[arg(long)]
    follow: bool,
    /// In text, show the columns that each statement uses and the rule behind each, and what changed in the rules
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
    ended(print(args, &mut out).and_then(|skipped| out.flush().map(|()| skipped)))
}

/// Gives how many lines were no records.
fn print(args: &Args, out: &mut dyn Write) -> io::Result<u64> {
    let mut show: Box<dyn Show> = match args.format {
        Format::Text => Box::new(Text::new(args.fields)),
        Format::Json => Box::new(Json),
        Format::Csv => Box::new(Csv),
    };
    show.head(out)?;
    out.flush()?;
    let mut printer = Printer {
        out,
        show: show.as_mut(),
        at_once: args.follow,
        skipped: 0,
    };
    let filter = Filter {
        event: args.event.clone(),
        ..args.filters.filter()
    };
    match (args.follow, args.files.as_slice()) {
        (false, files) => query(&reader::with_rotated(files)?, &filter, &mut printer)?,
        (true, [file]) => follow(file, &filter, &mut printer, &mut wait)?,
        (true, _) => return Err(io::Error::other("--follow takes one file")),
    }
    Ok(printer.skipped)
}

/// How often it is looked whether the log has grown.
const LOOK: Duration = Duration::from_millis(200);

/// Until more may have been written; whoever reads on has seen the rest.
fn wait() -> bool {
    std::thread::sleep(LOOK);
    true
}

struct Printer<'a> {
    out: &'a mut dyn Write,
    show: &'a mut dyn Show,
    /// Somebody waits for each.
    at_once: bool,
    skipped: u64,
}

impl Sink for Printer<'_> {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        self.show.one(self.out, found)?;
        if self.at_once { self.out.flush() } else { Ok(()) }
    }

    fn skipped(&mut self, _: &Skipped) {
        self.skipped += 1;
    }
}

#[cfg(test)]
mod tests;
