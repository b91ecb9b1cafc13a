//! `pgpurpose catalog`: what exists in a database, as JSON, for tests and checks without a server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::upstream::{Target, loader};

use super::{FAULT, USAGE};

/// Writes a snapshot of what exists in a database: names and types, never a value
#[derive(Debug, Args)]
pub(super) struct Catalog {
    /// The database, postgres://user:password@host:port/database
    #[arg(long, env = "PGPURPOSE_AGAINST", hide_env_values = true)]
    against: Target,
    /// Where to write it; standard output if left out
    #[arg(long)]
    output: Option<PathBuf>,
}

impl Catalog {
    pub(super) fn run(self) -> ExitCode {
        let catalog = match loader::load_blocking(&self.against) {
            Ok(catalog) => catalog,
            Err(error) => {
                eprintln!("pgpurpose: {error}");
                return ExitCode::from(USAGE);
            }
        };
        let written = serde_json::to_string_pretty(&catalog)
            .map_err(std::io::Error::from)
            .and_then(|json| match &self.output {
                Some(path) => std::fs::write(path, json + "\n"),
                None => std::io::Write::write_all(&mut std::io::stdout(), (json + "\n").as_bytes()),
            });
        match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("pgpurpose: {error}");
                ExitCode::from(FAULT)
            }
        }
    }
}
