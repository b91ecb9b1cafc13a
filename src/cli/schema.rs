//! `pgpurpose schema`: JSON Schemas for editors.

use clap::{Arg, ArgAction, CommandFactory};
use serde_json::{Map, Value, json};

use super::output;
use super::{Cli, Exit};
use crate::rules;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "An editor with YAML support reads it where the first line of a file says so:\n  \
    # yaml-language-server: $schema=./rules.schema.json"
)]
pub(super) struct Args {
    /// Of which files
    #[arg(value_enum, default_value_t = Of::Rules)]
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Of {
    /// Rules files
    Rules,
    /// *.test.yaml, cases of rules
    Tests,
    /// pgpurpose.yaml, what `serve --config` reads
    Config,
}

pub(super) fn run(args: &Args) -> Exit {
    output::print(&output::json(&match args.of {
        Of::Rules => rules::json_schema(),
        Of::Tests => rules::cases_schema(),
        Of::Config => config(),
    }));
    Exit::Fine
}

/// Keys are the flags of `serve`, with `_` or `-` between words.
fn config() -> Value {
    let command = Cli::command();
    let serve = command.find_subcommand("serve");
    let mut properties = Map::new();
    for flag in serve.into_iter().flat_map(clap::Command::get_arguments) {
        let Some(name) = flag
            .get_long()
            .filter(|name| !matches!(*name, "help" | "version" | "config"))
        else {
            continue;
        };
        properties.insert(name.replace('-', "_"), value(flag));
        properties.insert(name.to_owned(), value(flag));
    }
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of pgpurpose serve",
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    })
}

fn value(flag: &Arg) -> Value {
    let about = flag.get_help().map(ToString::to_string).unwrap_or_default();
    let words: Vec<String> = flag
        .get_possible_values()
        .iter()
        .map(|word| word.get_name().to_owned())
        .collect();
    match flag.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => json!({"type": "boolean", "description": about}),
        _ if !words.is_empty() => json!({"enum": words, "description": about}),
        _ => json!({"type": ["string", "number"], "description": about}),
    }
}
