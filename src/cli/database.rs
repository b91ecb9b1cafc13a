//! `--against URL` and `--catalog FILE`: what exists in a database, live or from a snapshot.

use std::path::PathBuf;

use crate::catalog::Catalog;
use crate::upstream::{Target, loader};

/// Where the schema comes from; nowhere if neither is given.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// The database, postgres://user:password@host:port/database
    #[arg(
        long,
        env = "PGPURPOSE_AGAINST",
        hide_env_values = true,
        value_name = "URL",
        conflicts_with = "catalog"
    )]
    against: Option<Target>,
    /// A snapshot that `pgpurpose catalog` wrote
    #[arg(long, value_name = "FILE", env = "PGPURPOSE_CATALOG")]
    catalog: Option<PathBuf>,
}

impl Database {
    /// The catalog, if one is asked for.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(super) fn catalog(&self) -> Result<Option<Catalog>, String> {
        if let Some(path) = &self.catalog {
            let error = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let text = std::fs::read_to_string(path).map_err(|e| error(&e))?;
            let catalog: Catalog = serde_json::from_str(&text)
                .map_err(|e| error(&format!("this is no snapshot of `pgpurpose catalog`: {e}")))?;
            return Ok(Some(catalog.indexed()));
        }
        let live = self.against.as_ref().map(loader::load_blocking);
        live.transpose().map_err(|e| e.to_string())
    }
}
