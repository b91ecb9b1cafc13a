//! `pgpurpose serve`: the proxy.

use std::process::ExitCode;

use clap::Args;

/// Runs the proxy
#[derive(Debug, Args)]
pub(super) struct Serve {}

impl Serve {
    pub(super) fn run(self) -> ExitCode {
        ExitCode::from(super::FAULT)
    }
}
