//! `pgpurpose catalog`: what exists in a database, as JSON, for tests and checks without a server.

use std::path::PathBuf;

use crate::upstream::{Target, loader};

use super::Exit;

/// Arguments of `catalog`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The database, postgres://user:password@host:port/database
    #[arg(long, env = "PGPURPOSE_AGAINST", hide_env_values = true)]
    against: Target,
    /// Where to write it; standard output if left out
    #[arg(long)]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Exit {
    let catalog = match loader::load_blocking(&args.against) {
        Ok(catalog) => catalog,
        Err(error) => {
            eprintln!("pgpurpose: {error}");
            return Exit::Usage;
        }
    };
    let written = serde_json::to_string_pretty(&catalog)
        .map_err(std::io::Error::from)
        .and_then(|json| match &args.output {
            Some(path) => std::fs::write(path, json + "\n"),
            None => std::io::Write::write_all(&mut std::io::stdout(), (json + "\n").as_bytes()),
        });
    match written {
        Ok(()) => Exit::Fine,
        Err(error) => {
            eprintln!("pgpurpose: {error}");
            Exit::Fault
        }
    }
}
