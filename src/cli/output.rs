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

/// `--color`
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct ColorChoice {
    /// When to print in colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = When::Auto, env = "PGPURPOSE_COLOR")]
    color: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum When {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Into pipes and files too
    Always,
    /// Never
    Never,
}

impl ColorChoice {
    /// Whether standard output shows colour (<https://no-color.org>).
    pub(super) fn stdout(self) -> bool {
        match self.color {
            When::Auto => io::stdout().is_terminal() && !no_color(),
            When::Always => true,
            When::Never => false,
        }
    }
}

fn no_color() -> bool {
    let set = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    set || std::env::var_os("TERM").is_some_and(|value| value == "dumb")
}

/// JSON, indented.
pub(super) fn json(value: &serde_json::Value) -> String {
    format!("{value:#}")
}
