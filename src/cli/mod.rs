//! Subcommands. Knows arguments and exit codes, nothing of SQL.

mod catalog;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Usage is wrong.
pub(crate) const USAGE: u8 = 2;
/// The fault is ours, or of the machine.
pub(crate) const FAULT: u8 = 70;

/// Purpose limitation on the PostgreSQL wire.
#[derive(Debug, Parser)]
#[command(name = "pgpurpose", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Catalog(catalog::Catalog),
}

/// Runs the subcommand that the arguments name.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(command) => command.run(),
        Command::Catalog(command) => command.run(),
    }
}
