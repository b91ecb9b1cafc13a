//! `pgpurpose test RULES`: runs the cases of `*.test.yaml`, with no server, and says what no case
//! exercises. A case decides one statement as the proxy would, upon a schema file or a snapshot.

mod coverage;
mod report;
mod run;

use std::path::PathBuf;

use super::Exit;
use super::output;
use super::rules_files::{self, RulesError};

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A rules file, or a folder of them
    #[arg(env = "PGPURPOSE_RULES")]
    rules: PathBuf,
    /// Files of cases; all `*.test.yaml` beside the rules if left out
    cases: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = TestFormat::Text, env = "PGPURPOSE_FORMAT")]
    format: TestFormat,
    #[command(flatten)]
    color: output::ColorChoice,
    /// Fail unless so many percent of release entries, columns, purposes and row filters are exercised
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
}

/// `--format` of `test`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TestFormat {
    /// For people on a terminal
    Text,
    /// For programs
    Json,
    /// JUnit XML, for CI servers
    Junit,
}

pub(super) fn run(args: &Args) -> Exit {
    let set = match rules_files::load(&args.rules) {
        Ok(set) => set,
        Err(RulesError::Wrong(findings)) => {
            output::complain(&format!(
                "there are errors in the rules\n\n{}",
                findings.to_text(args.color.stdout())
            ));
            return Exit::Findings;
        }
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let files = match run::files(&args.rules, &args.cases) {
        Ok(files) => files,
        Err(error) => {
            output::complain(&error);
            return Exit::Usage;
        }
    };
    let suites: Vec<run::Suite> = files.iter().map(|file| run::suite(file, &set)).collect();
    let coverage = coverage::Coverage::of(&suites);
    output::print(&match args.format {
        TestFormat::Text => report::text(&suites, &coverage, args.color.stdout()),
        TestFormat::Json => output::json(&report::json(&suites, &coverage)),
        TestFormat::Junit => match report::junit(&suites) {
            Ok(xml) => xml,
            Err(error) => {
                output::complain(&error);
                return Exit::Fault;
            }
        },
    });
    let failed = suites.iter().any(run::Suite::failed);
    let bare = args.min_coverage.filter(|least| coverage.percent() < u64::from(*least));
    if let Some(least) = bare {
        output::complain(&format!(
            "{} percent of the rules are exercised, and {least} are asked for",
            coverage.percent()
        ));
    }
    if failed || bare.is_some() {
        Exit::Findings
    } else {
        Exit::Fine
    }
}
