//! Subcommands: one file each, with its arguments and what it prints. Knows arguments and exit
//! codes, nothing of SQL.

mod audit;
mod audit_settings;
mod catalog;
mod check;
mod classify;
mod config;
mod connections;
mod database;
mod decision;
mod diff;
mod dumps;
mod explain;
mod face;
mod listen;
mod matrix;
mod output;
mod reload;
mod replay;
pub mod rules_files;
mod schema;
mod secret;
mod serve;
mod shell;
mod supervisor;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What the program tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Fine,
    /// 1: findings, or refused.
    Findings,
    /// 2: what was asked for makes no sense, or cannot be read.
    Usage,
    /// 70: a fault of ours.
    Fault,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Fault => 70,
        })
    }
}

/// Purpose limitation on the PostgreSQL wire.
#[derive(Debug, Parser)]
#[command(name = "pgpurpose", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check and search the audit log
    Audit(audit::Args),
    /// Run the proxy
    Serve(Box<serve::Args>),
    /// Check that rules are well-formed, complete and unambiguous
    Check(check::Args),
    /// Show who sees what: columns by purposes, the released form in each cell
    Matrix(matrix::Args),
    /// Show what other rules change, and for whom; exit code 1 if somebody sees more
    Diff(diff::Args),
    /// Explain the decision for one statement, and show it as PostgreSQL would get it
    Explain(Box<explain::Args>),
    /// Propose a rules file for a database, with the evidence for each line
    Classify(classify::Args),
    /// Run the cases of `*.test.yaml`, and say what no case exercises
    Test(test::Args),
    /// Run recorded statements through candidate rules, and show which decisions would change
    Replay(replay::Args),
    /// Write a snapshot of what exists in a database: names and types, never a value
    Catalog(catalog::Args),
    /// Print the JSON Schema of the rules files, for editors
    Schema(schema::Args),
    /// Print a shell's completions
    Completions(shell::CompletionsArgs),
    /// Write manual pages
    Man(shell::ManArgs),
}

/// Runs the subcommand that the arguments name.
pub fn main() -> ExitCode {
    let arguments = match config::with_file(std::env::args_os().collect(), |name| std::env::var_os(name)) {
        Ok(arguments) => arguments,
        Err(error) => {
            output::complain(&error);
            return Exit::Usage.into();
        }
    };
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => {
            // Nothing is left to be done where even this cannot be printed.
            let _ = usage.print();
            return if usage.use_stderr() { Exit::Usage } else { Exit::Fine }.into();
        }
    };
    let run = move || match cli.command {
        Command::Audit(args) => audit::run(&args),
        Command::Serve(args) => serve::run(*args),
        Command::Check(args) => check::run(&args),
        Command::Matrix(args) => matrix::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Classify(args) => classify::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Catalog(args) => catalog::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    };
    // On a stack that examining a statement needs. A panic's own message is already printed.
    let thread = std::thread::Builder::new()
        .stack_size(crate::sql::nesting::STACK)
        .spawn(run);
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(_)) | Err(_) => Exit::Fault.into(),
    }
}
