//! The rules in force for one database, as a session holds them.

use std::sync::Arc;

use crate::audit::PolicyStamp;
use crate::policy::Policy;

use super::shared::Shared;

/// A policy with its version and its stamp for the audit.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The policy.
    pub policy: Arc<Policy>,
    /// Of the rules it comes from.
    pub version: u64,
    /// For the audit.
    pub stamp: Arc<PolicyStamp>,
}

impl InForce {
    /// The policy of `database`; `None`: no rules speak of it.
    pub fn of(shared: &Shared, database: &str) -> Option<Self> {
        let rules = shared.rules.load();
        let policy = rules.set.for_database(database)?;
        let stamp = Arc::new(PolicyStamp {
            revision: policy.revision.clone(),
            sha256: policy.sha256.clone(),
        });
        Some(Self {
            policy,
            version: rules.version,
            stamp,
        })
    }
}
