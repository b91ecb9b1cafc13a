//! `serve --admin`: where the admin face is, and its token.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::admin::{self, Face, Gate};
use crate::session::Shared;

use super::listen::listen;
use super::secret;

/// Arguments of `serve` that concern the admin face.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    /// Where to serve /healthz, /readyz, /metrics and the audit page, 127.0.0.1:9432 say; left out: nowhere
    #[arg(long, env = "PGPURPOSE_ADMIN", value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// The token of the audit page; drawn and printed at start if left out
    #[arg(long, env = "PGPURPOSE_ADMIN_TOKEN_FILE", value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
}

/// Begins to serve it, where one is asked for, and says where it is. `beside`: as [`listen`].
///
/// # Errors
/// The address cannot be listened on, or the token's file not be read.
pub(super) fn begin(args: &Args, audit: &Path, beside: bool, shared: &Arc<Shared>) -> Result<(), String> {
    let Some(wanted) = args.admin else { return Ok(()) };
    let token = match &args.admin_token_file {
        Some(path) => match std::str::from_utf8(&secret::read(path)?) {
            Ok(token) => Zeroizing::new(token.to_owned()),
            Err(_) => return Err(format!("{} is no text", path.display())),
        },
        None => Zeroizing::new(Gate::draw()),
    };
    let listener = listen(wanted, beside)?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the audit page is not encrypted: put a proxy with TLS in front of it");
    }
    say(address, args.admin_token_file.is_none().then_some(token.as_str()));
    let face = Face::new(Arc::clone(shared), audit, &token, address);
    tokio::spawn(async move {
        if let Err(error) = admin::serve(listener, face).await {
            tracing::error!(%error, "the admin face has ended");
        }
    });
    Ok(())
}

fn say(address: SocketAddr, drawn: Option<&str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "audit page on http://{address}/");
    if let Some(token) = drawn {
        let _ = writeln!(out, "audit page token {token}");
    }
    let _ = out.flush();
}
