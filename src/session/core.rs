//! The seam to the core: how a session asks it. Tests put another core behind it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::pipeline::{self, Context, Outcome, Parsed, Plan, Refusal};
use crate::policy::Code;
use crate::sql::ClientSql;

use super::refusal::{own, unread};

/// Reads and plans statements. Pure.
pub trait Core: Send + Sync {
    /// See [`pipeline::parse`].
    ///
    /// # Errors
    /// See there.
    fn parse(&self, sql: Arc<ClientSql>) -> Result<Parsed, Refusal>;

    /// See [`pipeline::examine`].
    ///
    /// # Errors
    /// See there.
    fn examine(&self, parsed: &Parsed, contexts: &[Context<'_>]) -> Result<Plan, Refusal>;
}

/// The core itself.
#[derive(Debug, Clone, Copy)]
pub struct Pipeline;

impl Core for Pipeline {
    fn parse(&self, sql: Arc<ClientSql>) -> Result<Parsed, Refusal> {
        guarded(|| pipeline::parse(sql))
    }

    fn examine(&self, parsed: &Parsed, contexts: &[Context<'_>]) -> Result<Plan, Refusal> {
        guarded(|| pipeline::examine(parsed, contexts))
    }
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
