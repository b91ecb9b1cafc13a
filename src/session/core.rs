//! How a session asks the core: so that a fault in it costs one statement, not the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::pipeline::{self, Context, Outcome, Parsed, Plan, Refusal};
use crate::policy::Code;
use crate::sql::ClientSql;

use super::refusal::{own, unread};

/// See [`pipeline::parse`].
///
/// # Errors
/// See there.
pub fn parse(sql: Arc<ClientSql>) -> Result<Parsed, Refusal> {
    guarded(|| pipeline::parse(sql))
}

/// See [`pipeline::examine`].
///
/// # Errors
/// See there.
pub fn examine(parsed: &Parsed, contexts: &[Context<'_>]) -> Result<Plan, Refusal> {
    guarded(|| pipeline::examine(parsed, contexts))
}

/// See [`Parsed::catalog_after`].
///
/// # Errors
/// A fault.
pub fn catalog_after(
    parsed: &Parsed,
    index: usize,
    catalog: &Catalog,
    search_path: &[String],
) -> Result<Option<Catalog>, Refusal> {
    guarded(|| Ok(parsed.catalog_after(index, catalog, search_path)))
}

/// A fault in the core refuses the statement that found it, and harms no other.
fn guarded<T>(ask: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    // The core is pure: there is no state that a panic could leave half-changed.
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| {
        tracing::error!("the core failed at a statement, which is refused");
        let facts = unread(Outcome::Error, Some(Code::NotUnderstood));
        Err(*own(
            Code::NotUnderstood,
            "the statement could not be examined",
            None,
            facts,
        ))
    })
}
