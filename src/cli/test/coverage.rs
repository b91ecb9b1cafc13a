//! What of the rules no case exercises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::run::Suite;
use crate::policy::{ColumnRule, Place, Policy, ReleaseTarget, TableRule};

/// Parts of the rules that cases may exercise, each kind in order.
pub(super) struct Coverage {
    kinds: Vec<(&'static str, Vec<Part>)>,
}

struct Part {
    shown: String,
    exercised: bool,
}

/// What cases did.
#[derive(Default)]
struct Done {
    rules: BTreeSet<Place>,
    columns: BTreeSet<String>,
    purposes: BTreeSet<String>,
    roles: BTreeSet<String>,
}

impl Coverage {
    /// Of all policies that some case ran under.
    pub(super) fn of(suites: &[Suite]) -> Self {
        // Cases of several files may test one policy.
        let mut policies: BTreeMap<usize, (Arc<Policy>, Done)> = BTreeMap::new();
        for suite in suites {
            let Some(policy) = &suite.policy else { continue };
            let key = Arc::as_ptr(policy) as usize;
            let (_, done) = policies
                .entry(key)
                .or_insert_with(|| (Arc::clone(policy), Done::default()));
            for result in &suite.results {
                done.roles.insert(result.role.clone());
                done.purposes.extend(result.purposes.iter().cloned());
                for field in &result.facts.fields {
                    done.columns.insert(field.column.clone());
                    done.rules.extend(field.rule.clone());
                }
                done.rules
                    .extend(result.facts.filters.iter().filter_map(|filter| filter.rule.clone()));
            }
        }
        let mut kinds: Vec<(&'static str, Vec<Part>)> = KINDS.map(|kind| (kind, Vec::new())).into();
        for (policy, done) in policies.values() {
            let parts = [
                release_entries(policy, done),
                columns(policy, done),
                named(policy.purposes.keys(), &done.purposes),
                row_filters(policy, done),
                named(policy.roles.keys(), &done.roles),
            ];
            for ((_, all), new) in kinds.iter_mut().zip(parts) {
                all.extend(new);
            }
        }
        Self { kinds }
    }

    fn counts(&self) -> (usize, usize) {
        let parts = || self.kinds.iter().flat_map(|(_, parts)| parts);
        (parts().filter(|part| part.exercised).count(), parts().count())
    }

    /// Of all parts of whatever kind, rounded down; 100 where there are none.
    pub(super) fn percent(&self) -> u64 {
        let (exercised, all) = self.counts();
        (exercised as u64 * 100).checked_div(all as u64).unwrap_or(100)
    }

    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        for (kind, parts) in &self.kinds {
            let exercised = parts.iter().filter(|part| part.exercised).count();
            lines.push(format!("{exercised:>4} of {:>3} {kind} are exercised", parts.len()));
        }
        for (kind, parts) in &self.kinds {
            let missing: Vec<&Part> = parts.iter().filter(|part| !part.exercised).collect();
            if !missing.is_empty() {
                lines.push(format!("\nno case exercises these {kind}:"));
                lines.extend(missing.iter().map(|part| format!("  {}", part.shown)));
            }
        }
        lines.join("\n")
    }

    pub(super) fn json(&self) -> Value {
        let kinds = self.kinds.iter().map(|(kind, parts)| {
            let missing: Vec<&str> = parts
                .iter()
                .filter(|p| !p.exercised)
                .map(|p| p.shown.as_str())
                .collect();
            let exercised = parts.len() - missing.len();
            (
                kind.replace(' ', "_"),
                json!({"all": parts.len(), "exercised": exercised, "missing": missing}),
            )
        });
        Value::Object(kinds.collect())
    }
}

const KINDS: [&str; 5] = ["release entries", "columns", "purposes", "row filters", "roles"];

fn release_entries(policy: &Policy, done: &Done) -> Vec<Part> {
    let entry = |entry: &crate::policy::ReleaseEntry| {
        let what = match &entry.target {
            ReleaseTarget::Columns(columns) => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|(table, column)| format!("{table}.{column}"))
                    .collect();
                columns.join(", ")
            }
            ReleaseTarget::Categories(categories) => categories.join(", "),
        };
        Part {
            shown: format!("{}  {}: {what}", entry.place, entry.purposes.join(", ")),
            exercised: done.rules.contains(&entry.place),
        }
    };
    policy.release.iter().map(entry).collect()
}

fn columns(policy: &Policy, done: &Done) -> Vec<Part> {
    let tables = policy.tables.values();
    let columns = tables.flat_map(|table| table.columns.iter().map(move |(name, rule)| (table, name, rule)));
    let mut columns: Vec<_> = columns.collect();
    columns.sort_by_key(|(_, _, rule)| &rule.place);
    let part = |(table, name, rule): (&TableRule, &String, &ColumnRule)| {
        let column = format!("{}.{name}", table.name);
        Part {
            exercised: done.columns.contains(&column),
            shown: format!("{}  {column}", rule.place),
        }
    };
    columns.into_iter().map(part).collect()
}

fn row_filters(policy: &Policy, done: &Done) -> Vec<Part> {
    let of_tables = policy.tables.values().flat_map(|table| {
        let filters = table
            .row_filters
            .iter()
            .map(|filter| (filter.place.clone(), "row_filters"));
        let retention = table
            .retention
            .iter()
            .map(|retention| (retention.place.clone(), "retention"));
        filters
            .chain(retention)
            .map(|(place, kind)| (place, kind, table.name.to_string()))
    });
    let children = policy
        .children
        .iter()
        .map(|rule| (rule.place.clone(), "children", String::new()));
    let transfers = policy
        .transfers
        .iter()
        .map(|rule| (rule.place.clone(), "transfers", String::new()));
    let all = of_tables.chain(children).chain(transfers);
    all.map(|(place, kind, table)| Part {
        exercised: done.rules.contains(&place),
        shown: format!("{place}  {kind} {table}").trim_end().to_owned(),
    })
    .collect()
}

fn named<'a>(names: impl Iterator<Item = &'a String>, done: &BTreeSet<String>) -> Vec<Part> {
    let part = |name: &String| Part {
        exercised: done.contains(name),
        shown: name.clone(),
    };
    names.map(part).collect()
}
