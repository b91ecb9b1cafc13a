//! `pgpurpose completions` and `pgpurpose man`: what packagers put where shells and `man` look.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, output};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completions(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pgpurpose", &mut script);
    output::print(String::from_utf8_lossy(&script).trim_end());
    Exit::Fine
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The folder to write them to, made if it is not there
    folder: PathBuf,
}

/// A page for the program, and one for each subcommand.
pub(super) fn man(args: &ManArgs) -> Exit {
    let written =
        std::fs::create_dir_all(&args.folder).and_then(|()| clap_mangen::generate_to(Cli::command(), &args.folder));
    match written {
        Ok(()) => Exit::Fine,
        Err(error) => {
            output::complain(&format!("cannot write to {}: {error}", args.folder.display()));
            Exit::Usage
        }
    }
}
