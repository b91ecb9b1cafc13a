//! `pgpurpose audit`: whether the audit holds, and what is in it.

mod filters;
mod key;
mod query;
mod report;
mod show;
mod subject;
mod verify;

use super::Exit;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check the chain: find changed, removed, inserted, reordered and cut-off records
    Verify(verify::Args),
    /// Print the public key of the private key in a file, which is made if it is not there
    Key(key::Args),
    /// Search events
    Query(Box<query::Args>),
    /// Find the statements about one data subject, by the keyed hash of its key
    Subject(Box<subject::Args>),
    /// Report what was done for each purpose, as in a record of processing activities (GDPR Art. 30)
    Report(report::Args),
}

pub(super) fn run(args: &Args) -> Exit {
    match &args.command {
        Command::Verify(args) => verify::run(args),
        Command::Key(args) => key::run(args),
        Command::Query(args) => query::run(args),
        Command::Subject(args) => subject::run(args),
        Command::Report(args) => report::run(args),
    }
}
