//! The second reading: another parser must name the same relations at the same places.

use crate::pipeline::Refusal;
use crate::policy::Code;
use crate::sql::relations;
use crate::sql::resolve::Resolved;
use crate::sql::second::{self, Reading};

use super::Examination;

impl Examination<'_> {
    /// Both readers must name the same relations. Where the second cannot read the statement, the
    /// strictest reading holds: a write is refused, since its released forms rest on one parser alone.
    pub(super) fn second_reading(&self, resolved: &Resolved) -> Result<(), Refusal> {
        let span = self.span();
        let mut first: Vec<(usize, Vec<String>)> = relations::named(&self.statement.node)
            .map_err(|unknown| self.refuse(Code::NotUnderstood, format!("{} is not understood", unknown.0)))?
            .into_iter()
            .filter_map(|n| {
                let parts = n.parts.into_iter().filter(|p| !p.is_empty()).collect();
                Some((usize::try_from(n.location).ok()?, parts))
            })
            .collect();
        first.sort();
        first.dedup();
        match second::relations(self.text.get(span.clone()).unwrap_or_default()) {
            Reading::Relations(second) => {
                let second: Vec<(usize, Vec<String>)> =
                    second.into_iter().map(|n| (n.start + span.start, n.parts)).collect();
                if first == second {
                    Ok(())
                } else {
                    Err(self.refuse(Code::NotVerified, "two parsers do not name the same relations"))
                }
            }
            Reading::Unread(_) if self.a_target_is_protected(resolved) => Err(self
                .refuse(Code::NotUnderstood, "this write is read by one parser only")
                .hinted("write it in plainer SQL")),
            Reading::Unread(_) => Ok(()),
        }
    }

    fn a_target_is_protected(&self, resolved: &Resolved) -> bool {
        resolved.targets.iter().any(|target| {
            let used = resolved.relations.get(target.relation);
            let relation = used.and_then(|used| self.context.catalog.relation_by_oid(used.oid));
            relation.is_some_and(|r| {
                crate::rewrite::released::entry_of(r, self.context.policy, self.context.catalog)
                    .is_some_and(|entry| self.context.policy.is_protected(&entry))
            })
        })
    }
}
