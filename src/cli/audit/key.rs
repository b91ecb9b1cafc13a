//! `pgpurpose audit key FILE`: the key that signs checkpoints.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::audit::checkpoint::Signer;
use crate::cli::Exit;
use crate::cli::audit_settings::read_key;
use crate::cli::output;

/// Arguments of `audit key`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The private key, for `serve --audit-key`; made if it is not there
    file: PathBuf,
}

pub(super) fn run(args: &Args) -> Exit {
    let signer = match args.file.try_exists() {
        Ok(true) => read_key(&args.file),
        Ok(false) => make(&args.file).map_err(|error| format!("cannot write {}: {error}", args.file.display())),
        Err(error) => Err(format!("cannot look at {}: {error}", args.file.display())),
    };
    match signer.and_then(|signer| signer.public().to_pem().ok_or_else(|| "no PEM".to_owned())) {
        Ok(pem) => {
            output::print(pem.trim_end());
            Exit::Fine
        }
        Err(error) => {
            output::complain(&error);
            Exit::Usage
        }
    }
}

fn make(path: &Path) -> io::Result<Signer> {
    let signer = Signer::from_seed(&rand::random());
    let pem = signer.to_pem().ok_or_else(|| io::Error::other("no PEM"))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    Ok(signer)
}
