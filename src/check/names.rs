//! Names on both sides: entries for tables and columns that do not exist (with the name that they
//! most likely have now), tables and columns that no entry speaks of.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, QualifiedName, Relation, RelationKind};
use crate::policy::{TableRule, UnclassifiedForm, nearest};
use crate::rewrite::released::entry_of;
use crate::rules::{DiagnosticCode, Diagnostics};
use crate::sql::resolve::is_system;

use super::{Rules, column_name};

pub(super) fn find(rules: &Rules<'_>, catalog: &Catalog, findings: &mut Diagnostics) {
    let mut unclassified: Vec<&Relation> = catalog
        .relations
        .iter()
        .map(|relation| &**relation)
        .filter(|relation| needs_entry(relation, rules, catalog))
        .collect();
    let categories = Categories::of(rules);
    for table in rules.policy.tables.values() {
        match catalog.relation(&table.name) {
            None => {
                let renamed = missing_table(rules, table, catalog, &unclassified, findings);
                unclassified.retain(|relation| Some(&relation.name) != renamed);
            }
            Some(relation) if !may_have_entry(relation.kind) => not_a_table(rules, table, relation, findings),
            Some(relation) => columns(rules, table, relation, &categories, findings),
        }
    }
    for relation in unclassified {
        unclassified_table(rules, relation, &categories, findings);
    }
}

/// Kinds of relations whose rows are their own.
const fn may_have_entry(kind: RelationKind) -> bool {
    match kind {
        RelationKind::Table
        | RelationKind::PartitionedTable
        | RelationKind::MaterializedView
        | RelationKind::ForeignTable => true,
        RelationKind::View | RelationKind::Sequence | RelationKind::CompositeType | RelationKind::Other => false,
    }
}

/// A table of somebody's own that neither an entry of its own nor a parent's speaks of.
fn needs_entry(relation: &Relation, rules: &Rules<'_>, catalog: &Catalog) -> bool {
    let temporary = catalog.temp_schema.as_ref() == Some(&relation.name.schema);
    may_have_entry(relation.kind)
        && !is_system(relation)
        && !temporary
        && relation.extension.is_none()
        && entry_of(relation, rules.policy, catalog).is_none()
}

/// Reports it, and gives the name that it most likely has now.
fn missing_table<'c>(
    rules: &Rules<'_>,
    table: &TableRule,
    catalog: &Catalog,
    unclassified: &[&'c Relation],
    findings: &mut Diagnostics,
) -> Option<&'c QualifiedName> {
    let renamed = unclassified
        .iter()
        .map(|relation| (likeness(table, relation), &relation.name))
        .filter(|(likeness, _)| *likeness >= LIKELY)
        .max_by_key(|(likeness, _)| *likeness)
        .map(|(_, name)| name);
    let message = format!("database `{}` has no table `{}`", catalog.database, table.name);
    let finding = rules
        .finding(DiagnosticCode::MissingTable, &table.place, message)
        .object(&table.name);
    findings.push(match renamed {
        Some(name) => finding.help(format!("it is most likely `{name}` now: rename the entry")),
        None => finding.help("correct the name, or take the entry away"),
    });
    renamed
}

/// In percent, from which on a table is taken for another one's new name.
const LIKELY: usize = 60;

/// How likely it is that the entry's table is now that relation: by the columns that both have, of all;
/// a like name counts too.
fn likeness(table: &TableRule, relation: &Relation) -> usize {
    let ours: BTreeSet<&str> = table.columns.keys().map(String::as_str).collect();
    let theirs: BTreeSet<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    let (both, all) = (ours.intersection(&theirs).count(), ours.union(&theirs).count());
    let by_columns = (100 * both).checked_div(all).unwrap_or(0);
    let same_name = table.name.name == relation.name.name;
    let like_name = nearest(&table.name.name, [relation.name.name.as_str()]).is_some();
    // `"*"` alone tells nothing of the columns: the name has to.
    match (same_name, like_name) {
        (true, _) if ours.is_empty() => 100,
        (false, true) if ours.is_empty() => LIKELY,
        (true, _) => by_columns + 40,
        (false, true) => by_columns + 20,
        (false, false) => by_columns,
    }
}

fn not_a_table(rules: &Rules<'_>, table: &TableRule, relation: &Relation, findings: &mut Diagnostics) {
    let what = match relation.kind {
        RelationKind::View => "a view: it has no entry of its own, but is read through to its tables",
        RelationKind::Sequence => "a sequence",
        RelationKind::CompositeType => "a type",
        RelationKind::Table
        | RelationKind::PartitionedTable
        | RelationKind::MaterializedView
        | RelationKind::ForeignTable
        | RelationKind::Other => "no table",
    };
    let message = format!("`{}` is {what}", table.name);
    let finding = rules.finding(DiagnosticCode::NotATable, &table.place, message);
    findings.push(finding.object(&table.name).help("take the entry away"));
}

fn columns(
    rules: &Rules<'_>,
    table: &TableRule,
    relation: &Relation,
    categories: &Categories<'_>,
    findings: &mut Diagnostics,
) {
    let ruled = |name: &str| table.column(name).is_some();
    let mut new: Vec<&str> = relation.columns.iter().map(|column| column.name.as_str()).collect();
    new.retain(|name| !ruled(name));
    let missing: Vec<_> = table
        .columns
        .iter()
        .filter(|(name, _)| relation.column(name).is_none())
        .collect();
    let only = missing.len() == 1 && new.len() == 1;
    for (name, rule) in missing {
        let renamed = renamed_column(name, &new, only);
        let message = format!("table `{}` has no column `{name}`", table.name);
        let finding = rules
            .finding(DiagnosticCode::MissingColumn, &rule.place, message)
            .object(column_name(&table.name, name));
        findings.push(match renamed {
            Some(now) => finding.help(format!("it is most likely `{now}` now: rename it here")),
            None => finding.help("correct the name, or take the line away"),
        });
        new.retain(|column| Some(*column) != renamed);
    }
    for name in new {
        let becomes = match rules.policy.unclassified.column {
            UnclassifiedForm::Refuse => "statements that name it are refused",
            UnclassifiedForm::Hidden => "it is hidden",
            UnclassifiedForm::Raw => "it is shown as it is",
        };
        let message = format!("no rule speaks of column `{name}` of `{}`: {becomes}", table.name);
        let category = categories.guess(name);
        let finding = rules
            .finding(DiagnosticCode::UnclassifiedColumn, &table.place, message)
            .object(column_name(&table.name, name));
        findings.push(finding.help(format!("add `{}: {category}` to its `columns`", key(name))));
    }
}

fn renamed_column<'n>(name: &str, new: &[&'n str], only: bool) -> Option<&'n str> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let same = new.iter().find(|column| plain(column) == plain(name)).copied();
    let part = |column: &&&str| column.contains(name) || name.contains(**column);
    same.or_else(|| nearest(name, new.iter().copied()))
        .or_else(|| new.iter().find(part).copied())
        .or_else(|| new.first().copied().filter(|_| only))
}

fn unclassified_table(rules: &Rules<'_>, relation: &Relation, categories: &Categories<'_>, findings: &mut Diagnostics) {
    const SHOWN: usize = 8;
    let becomes = match rules.policy.unclassified.table {
        UnclassifiedForm::Refuse => "statements that name it are refused",
        UnclassifiedForm::Hidden => "it seems to be empty",
        UnclassifiedForm::Raw => "it is shown as it is",
    };
    let message = format!("no rule speaks of table `{}`: {becomes}", relation.name);
    let mut columns: Vec<String> = relation
        .columns
        .iter()
        .take(SHOWN)
        .map(|column| format!("{}: {}", key(&column.name), categories.guess(&column.name)))
        .collect();
    if relation.columns.len() > SHOWN {
        columns.push("…".to_owned());
    }
    let entry = format!("{}: {{columns: {{{}}}}}", table_key(&relation.name), columns.join(", "));
    findings.push(
        rules
            .unplaced(DiagnosticCode::UnclassifiedTable, &relation.name, message)
            .help(format!("add it to `tables`, for example:\n{entry}")),
    );
}

/// What columns of a name are classified as elsewhere in the rules.
struct Categories<'p> {
    by_column: BTreeMap<&'p str, &'p str>,
}

impl<'p> Categories<'p> {
    fn of(rules: &Rules<'p>) -> Self {
        let tables = rules.policy.tables.values();
        let columns = tables.flat_map(|table| &table.columns);
        let by_column = columns.map(|(name, rule)| (name.as_str(), rule.category.as_str()));
        Self {
            by_column: by_column.collect(),
        }
    }

    /// The category of another column of that name, or a word that no rules file accepts.
    fn guess(&self, column: &str) -> &str {
        self.by_column.get(column).copied().unwrap_or("CATEGORY?")
    }
}

/// A name as a key of YAML.
fn key(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let word = matches!(
        name.to_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    match plain && !word && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true => name.to_owned(),
        false => serde_json::Value::from(name).to_string(),
    }
}

/// A table's name as a key of `tables`: a word with a dot in double quotes.
fn table_key(name: &QualifiedName) -> String {
    let word = |word: &str| match word.contains(['.', '"']) {
        true => format!("\"{word}\""),
        false => word.to_owned(),
    };
    let dotted = format!("{}.{}", word(&name.schema), word(&name.name));
    let plain = dotted.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    match plain {
        true => dotted,
        false => format!("'{}'", dotted.replace('\'', "''")),
    }
}
