//! What every database of PostgreSQL 15 holds from its creation on: `pg_catalog`, `information_schema`
//! and an empty `public`, as `pgpurpose catalog` read them from a new one. Schema files without a server
//! are built upon it.
//!
//! The names and types in it are PostgreSQL's (© The PostgreSQL Global Development Group, PostgreSQL
//! License). `tests/schema.rs` compares it with a server.

use std::io::Read;

use super::Catalog;

const POSTGRESQL_15: &[u8] = include_bytes!("base/postgresql-15.json.gz");

/// The catalog of a new, empty database.
///
/// # Errors
/// Words, should the built-in data be damaged.
pub fn base(database: &str) -> Result<Catalog, String> {
    let mut json = String::new();
    flate2::read::GzDecoder::new(POSTGRESQL_15)
        .read_to_string(&mut json)
        .map_err(|e| format!("the built-in catalog cannot be read: {e}"))?;
    let catalog: Catalog =
        serde_json::from_str(&json).map_err(|e| format!("the built-in catalog cannot be read: {e}"))?;
    let database = database.to_owned();
    Ok(Catalog { database, ..catalog }.indexed())
}
