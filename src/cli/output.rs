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

/// How wide lines may be: as asked for (0: as wide as they are), or as the terminal is.
pub(super) fn width(asked: Option<usize>) -> Option<usize> {
    match asked {
        Some(0) => None,
        Some(columns) => Some(columns),
        None => {
            let (_, columns) = console::Term::stdout().size_checked()?;
            Some(usize::from(columns))
        }
    }
}

/// What a piece of text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    /// A heading.
    Strong,
    /// What matters less, or is not there.
    Faint,
    /// A value as it is.
    Shown,
    /// A value as it is, in some rows.
    Conditional,
    /// A value through a mask.
    Masked,
    /// A refusal.
    Refused,
}

/// Texts in colour, or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    /// In colour.
    pub(super) colour: bool,
}

impl Paint {
    /// The text in its tone (ECMA-48, SGR).
    pub(super) fn show(self, text: &str, tone: Tone) -> String {
        let sgr = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Shown => "32",
            Tone::Conditional => "33",
            Tone::Masked => "36",
            Tone::Refused => "31",
        };
        match self.colour {
            true => format!("\x1b[{sgr}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// JSON, indented.
pub(super) fn json(value: &serde_json::Value) -> String {
    format!("{value:#}")
}
