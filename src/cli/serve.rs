//! `pgpurpose serve`: the proxy.

use super::Exit;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: Args) -> Exit {
    Exit::Fault
}
