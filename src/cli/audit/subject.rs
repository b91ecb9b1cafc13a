//! `pgpurpose audit subject FILE… KEY`: which statements were about one data subject.
//!
//! The audit knows data subjects only as keyed hashes; with the proxy's secret the hash of one key can be
//! made again, and looked for. What no hash tells, this says.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde_json::json;

use super::filters::{Filters, ended};
use super::show::{Csv, Json, Show, Text};
use crate::audit::query::{Filter, Found, Sink, Skipped, query};
use crate::audit::tally::Tally;
use crate::audit::{SubjectHash, SubjectKey, reader};
use crate::cli::{Exit, output, secret};
use crate::session::keys;

/// Arguments of `audit subject`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Audit files, in any order, and the key of the data subject last: 42, or root:42 where the rules have several
    /// kinds of people; the full files that rotation left beside each are read too
    #[arg(required = true, num_args = 2.., value_name = "FILE… KEY")]
    files_and_key: Vec<String>,
    /// The secret that the proxy was run with
    #[arg(long, env = "PGPURPOSE_SECRET_FILE", value_name = "FILE")]
    secret_file: PathBuf,
    #[command(flatten)]
    filters: Filters,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text, env = "PGPURPOSE_FORMAT")]
    format: Format,
}

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people on a terminal: the statements, a summary, and what it cannot tell
    #[value(alias = "table")]
    Text,
    /// One object: a summary, the records, and what it cannot tell
    Json,
    /// The statements, for a spreadsheet
    Csv,
    /// The records as they stand, a line each
    Jsonl,
}

/// What a keyed hash cannot tell.
const CANNOT_TELL: [&str; 4] = [
    "statements that released many people's rows without naming one (WHERE region = 'eu', a join, an aggregate) are not \
     found here: that this person's row was among them stands nowhere",
    "a person is found where the request names one (pgpurpose.subject), or where a condition compares the key column \
     with a constant or parameter; not by a name, an address or another column",
    "a hash made with another secret does not match: give the secret that was in use then",
    "a statement that names the person need not have found a row: the number of rows tells",
];

pub(super) fn run(args: &Args) -> Exit {
    let mut out = BufWriter::new(io::stdout().lock());
    ended(print(args, &mut out).and_then(|skipped| out.flush().map(|()| skipped)))
}

/// Gives how many lines were no records.
fn print(args: &Args, out: &mut dyn Write) -> io::Result<u64> {
    let Some((key, files)) = args.files_and_key.split_last() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let secret = secret::read(&args.secret_file).map_err(io::Error::other)?;
    let subject_key = SubjectKey::new(&keys::derive(&secret, keys::AUDIT_SUBJECT));
    let filter = Filter {
        event: Some("statement".into()),
        subjects: SubjectHash::spellings(key)
            .iter()
            .map(|s| subject_key.hash(s).to_string())
            .collect(),
        ..args.filters.filter()
    };
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let mut show: Box<dyn Show> = match args.format {
        Format::Text => Box::new(Text::new(true)),
        Format::Json | Format::Jsonl => Box::new(Json),
        Format::Csv => Box::new(Csv),
    };
    let mut records = Vec::new();
    let mut answer = Answer {
        out: if args.format == Format::Json {
            &mut records
        } else {
            &mut *out
        },
        show: show.as_mut(),
        tally: Tally::default(),
    };
    answer.show.head(answer.out)?;
    query(&reader::with_rotated(&files)?, &filter, &mut answer)?;
    let tally = answer.tally;
    match args.format {
        Format::Text => summary(&tally, out)?,
        Format::Json => writeln!(out, "{}", output::json(&object(&tally, &records)))?,
        Format::Csv | Format::Jsonl => {}
    }
    Ok(tally.skipped)
}

struct Answer<'a> {
    out: &'a mut dyn Write,
    show: &'a mut dyn Show,
    tally: Tally,
}

impl Sink for Answer<'_> {
    fn found(&mut self, found: &Found) -> io::Result<()> {
        self.tally.add(found);
        self.show.one(self.out, found)
    }

    fn skipped(&mut self, _: &Skipped) {
        self.tally.skipped += 1;
    }
}

fn summary(tally: &Tally, out: &mut dyn Write) -> io::Result<()> {
    let all = &tally.all;
    writeln!(out)?;
    writeln!(
        out,
        "{} statements named this person; {} were refused, {} rows left",
        all.outcomes.total(),
        all.outcomes.of("refuse"),
        all.rows
    )?;
    for (label, counted) in [
        ("for", all.purposes.by_count()),
        ("by role", all.roles.by_count()),
        ("by actor, as clients say", all.actors.by_count()),
        ("to", all.recipients.by_count()),
        ("released", all.released()),
    ] {
        if !counted.is_empty() {
            let names = counted
                .iter()
                .map(|(name, count)| format!("{} ({count})", printable(name)));
            writeln!(out, "  {label}: {}", names.collect::<Vec<_>>().join(", "))?;
        }
    }
    writeln!(out, "\nWhat this cannot tell:")?;
    CANNOT_TELL.iter().try_for_each(|line| writeln!(out, "  - {line}"))
}

fn printable(text: &str) -> String {
    crate::admin::view::words::one_line(&crate::admin::view::words::visible(text), 80)
}

fn object(tally: &Tally, records: &[u8]) -> serde_json::Value {
    let lines = String::from_utf8_lossy(records);
    let records: Vec<serde_json::Value> = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let counted = |list: Vec<(&str, u64)>| -> BTreeMap<String, u64> {
        list.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    };
    let all = &tally.all;
    json!({
        "statements": all.outcomes.total(),
        "refused": all.outcomes.of("refuse"),
        "rows": all.rows,
        "purposes": counted(all.purposes.by_count()),
        "roles": counted(all.roles.by_count()),
        "actors": counted(all.actors.by_count()),
        "recipients": counted(all.recipients.by_count()),
        "released": counted(all.released()),
        "records": records,
        "cannot_tell": CANNOT_TELL,
    })
}

#[cfg(test)]
mod tests;
