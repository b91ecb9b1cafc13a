//! `--against URL` and `--catalog FILE`: what exists in a database, live, from a snapshot or a schema file.

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
    /// A snapshot that `pgpurpose catalog` wrote, or a schema file (*.sql)
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
            return super::decision::schema_file(path).map(|schema| Some(schema.catalog));
        }
        let live = self.against.as_ref().map(loader::load_blocking);
        live.transpose().map_err(|e| e.to_string())
    }
}
