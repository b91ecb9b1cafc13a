//! Which data subjects a statement names: by a condition that compares a key with one constant or parameter.
//!
//! For the audit alone: nothing is decided by it. Holds the place of the value, never the value.

use crate::pipeline::{KeySpelling, PinnedValue, SubjectPin};
use crate::policy::TableRule;
use crate::rewrite::released::entry_of;
use crate::sql::lexer::TokenKind;
use crate::sql::resolve::Resolved;

use super::Examination;

impl Examination<'_> {
    pub(super) fn subjects(&self, resolved: &Resolved) -> Vec<SubjectPin> {
        let (policy, catalog) = (self.context.policy, self.context.catalog);
        let several = policy.roots().nth(1).is_some();
        let mut pins = Vec::new();
        for used in &resolved.relations {
            let Some(relation) = catalog.relation_by_oid(used.oid) else {
                continue;
            };
            let entry = entry_of(relation, policy, catalog);
            let Some(table) = entry.and_then(|name| policy.tables.get(&name)) else {
                continue;
            };
            for conjunct in used.conjuncts.iter().filter(|c| c.operator == "=") {
                let column = relation.columns.iter().find(|c| c.number == conjunct.column);
                let (Some(column), Some(value)) = (column, self.pinned(conjunct.value)) else {
                    continue;
                };
                for root in roots(table, &column.name) {
                    pins.push(SubjectPin {
                        prefix: if several { format!("{root}:") } else { String::new() },
                        value,
                        spelling: match column.type_oid {
                            20 | 21 | 23 => KeySpelling::Integer,
                            2950 => KeySpelling::Uuid,
                            _ => KeySpelling::Text,
                        },
                    });
                }
            }
        }
        pins.dedup();
        pins
    }

    /// The value that begins at a byte of the text.
    fn pinned(&self, at: usize) -> Option<PinnedValue> {
        let index = self.tokens.iter().position(|t| t.start == at)?;
        let token = self.tokens.get(index)?;
        match token.text(self.text).strip_prefix('$').map(str::parse) {
            Some(Ok(number)) if token.kind == TokenKind::Parameter => Some(PinnedValue::Parameter(number)),
            Some(_) | None => Some(PinnedValue::Token(index)),
        }
    }
}

/// The kinds of people whose key this column of a table is.
fn roots(table: &TableRule, column: &str) -> Vec<String> {
    let of_columns = table.columns.values().filter_map(|rule| rule.data_subject.as_ref());
    let subjects = table.data_subject.iter().chain(of_columns);
    let keyed = subjects.filter(|subject| subject.key == column);
    let mut roots: Vec<String> = keyed
        .map(|s| s.of.as_ref().unwrap_or(&table.name).to_string())
        .collect();
    roots.sort_unstable();
    roots.dedup();
    roots
}
