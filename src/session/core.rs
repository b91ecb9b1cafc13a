//! The seam to the core: how a session asks it. Tests put another core behind it.

use std::sync::Arc;

use crate::pipeline::{self, Context, Parsed, Plan, Refusal};
use crate::sql::ClientSql;

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
        pipeline::parse(sql)
    }

    fn examine(&self, parsed: &Parsed, contexts: &[Context<'_>]) -> Result<Plan, Refusal> {
        pipeline::examine(parsed, contexts)
    }
}
