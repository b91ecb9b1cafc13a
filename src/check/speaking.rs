//! Which release entry speaks for which column, for all columns and purposes at once.
//!
//! Most columns are spoken for by their category alone, so that categories are asked once each.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::QualifiedName;
use crate::policy::{ColumnRule, Policy, ReleaseEntry, ReleaseTarget, TableRule};

/// A column of an entry of the rules; `*` for those that it does not name.
pub(super) struct Speaking<'p> {
    pub(super) table: &'p TableRule,
    pub(super) column: &'p str,
    pub(super) rule: &'p ColumnRule,
    pub(super) entry: &'p ReleaseEntry,
}

/// Calls `each` with every column and the entry that speaks for it under some purpose that is not
/// prohibited; once for each such entry.
pub(super) fn entries<'p>(policy: &'p Policy, mut each: impl FnMut(Speaking<'p>)) {
    let named = named_columns(policy);
    let mut of_categories: BTreeMap<&str, Vec<&ReleaseEntry>> = BTreeMap::new();
    for table in policy.tables.values() {
        let columns = table.columns.iter().map(|(name, rule)| (name.as_str(), rule));
        // A release entry may name a column that the table's entry has among all others.
        let among_others = named.iter().filter_map(|(of, column)| {
            let rule = table.all_columns.as_ref()?;
            let among_others = **of == table.name && !table.columns.contains_key(*column);
            among_others.then_some((*column, rule))
        });
        let others = table.all_columns.iter().map(|rule| ("*", rule));
        for (column, rule) in columns.chain(among_others).chain(others) {
            let entries = if named.contains(&(&table.name, column)) {
                speaking(policy, &table.name, column, &rule.category)
            } else {
                let known = of_categories.entry(&rule.category);
                let nowhere = QualifiedName::new("", "");
                known
                    .or_insert_with(|| speaking(policy, &nowhere, "", &rule.category))
                    .clone()
            };
            for entry in entries {
                each(Speaking {
                    table,
                    column,
                    rule,
                    entry,
                });
            }
        }
    }
}

fn named_columns(policy: &Policy) -> BTreeSet<(&QualifiedName, &str)> {
    let mut named = BTreeSet::new();
    for entry in &policy.release {
        match &entry.target {
            ReleaseTarget::Columns(columns) => {
                named.extend(columns.iter().map(|(table, column)| (table, column.as_str())));
            }
            ReleaseTarget::Categories(_) => {}
        }
    }
    named
}

/// The entries that speak for one column, each once.
fn speaking<'p>(policy: &'p Policy, table: &QualifiedName, column: &str, category: &str) -> Vec<&'p ReleaseEntry> {
    let mut found: Vec<&ReleaseEntry> = Vec::new();
    for purpose in policy.purposes.values().filter(|purpose| !purpose.prohibited) {
        if let Some(entry) = policy.release_entry(&purpose.name, table, column, category)
            && !found.iter().any(|known| std::ptr::eq(*known, entry))
        {
            found.push(entry);
        }
    }
    found
}
