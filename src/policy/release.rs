//! Which release entry speaks for a column (policy.md section 7): `columns` before
//! `data_categories`, then the deeper category, then the deeper purpose.

use crate::catalog::QualifiedName;

use super::model::within;
use super::{Policy, ReleaseEntry, ReleaseTarget};

impl Policy {
    /// The release entry that speaks for a column under a purpose: `columns` before
    /// `data_categories`, then the deeper category, then the deeper purpose. Loading refuses
    /// entries that tie and disagree; of entries that tie, the first is as good as any.
    pub fn release_entry(
        &self,
        purpose: &str,
        table: &QualifiedName,
        column: &str,
        category: &str,
    ) -> Option<&ReleaseEntry> {
        let mut best: Option<(ReleaseDepth, &ReleaseEntry)> = None;
        for entry in &self.release {
            let Some(depth) = entry.depth(purpose, table, column, category) else {
                continue;
            };
            if best.is_none_or(|(deepest, _)| depth > deepest) {
                best = Some((depth, entry));
            }
        }
        best.map(|(_, entry)| entry)
    }
}

/// How specifically a release entry speaks for a column; the greater wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseDepth {
    names_column: bool,
    category: usize,
    purpose: usize,
}

impl ReleaseEntry {
    /// How specifically this entry speaks for a column under a purpose; `None`: it does not.
    pub fn depth(&self, purpose: &str, table: &QualifiedName, column: &str, category: &str) -> Option<ReleaseDepth> {
        let purpose = deepest(&self.purposes, purpose)?;
        let (names_column, category) = match &self.target {
            ReleaseTarget::Columns(columns) => {
                let named = columns.iter().any(|(of, name)| of == table && name == column);
                (named.then_some(true)?, 0)
            }
            ReleaseTarget::Categories(categories) => (false, deepest(categories, category)?),
        };
        Some(ReleaseDepth {
            names_column,
            category,
            purpose,
        })
    }
}

/// The number of words of the longest of `entries` that covers `name`.
pub(super) fn deepest(entries: &[String], name: &str) -> Option<usize> {
    let covering = entries.iter().filter(|entry| within(name, entry));
    covering.map(|entry| entry.split('.').count()).max()
}
