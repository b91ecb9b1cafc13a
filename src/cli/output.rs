//! What subcommands print, and how: `--format`, colour, pipes that end early.

use std::io::{self, IsTerminal, Write};

/// `--format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people on a terminal
    Text,
    /// For programs
    Json,
}

/// Prints to standard output. A reader that has gone away is no fault of ours.
pub(super) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
}

/// Prints `pgpurpose: …` to standard error.
pub(super) fn complain(message: &impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "pgpurpose: {message}");
}

/// Whether standard output shows colour (<https://no-color.org>).
pub(super) fn colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// JSON, indented.
pub(super) fn json(value: &serde_json::Value) -> String {
    format!("{value:#}")
}
