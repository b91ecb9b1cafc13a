//! Subcommands. Knows arguments and exit codes, nothing of SQL.

use std::process::ExitCode;

/// Runs the subcommand that the arguments name.
pub fn main() -> ExitCode {
    ExitCode::from(2)
}
