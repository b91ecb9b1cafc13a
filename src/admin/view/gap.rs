//! Tables and columns that no rule speaks of, and the YAML that would close each gap.
//!
//! The category that is proposed is a guess from names alone; what is guessed wrongly must err on the
//! careful side.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, QualifiedName, Relation, RelationKind};
use crate::policy::{Policy, Sensitivity};

/// What no rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// `schema.table`, or `schema.table.column`.
    pub name: String,
    /// The lines that would close it.
    pub yaml: String,
    /// Why the category was proposed.
    pub because: String,
}

/// All tables and columns of a database without a rule.
pub fn of_database(policy: &Policy, catalog: &Catalog) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for relation in catalog.relations.iter().filter(|r| is_a_table(r)) {
        match entry(relation, policy, catalog) {
            None => gaps.push(for_table(relation, policy)),
            Some(name) => {
                let Some(rule) = policy.tables.get(name) else { continue };
                let columns = relation.columns.iter().map(|c| c.name.as_str());
                let unknown = columns.filter(|c| rule.all_columns.is_none() && !rule.columns.contains_key(*c));
                gaps.extend(unknown.map(|column| for_column(&relation.name, name, column, policy)));
            }
        }
    }
    gaps
}

/// A name of the audit's gaps.
pub fn named(name: &str, policy: &Policy, catalog: Option<&Catalog>) -> Gap {
    let relation = |name: &str| {
        let (schema, table) = name.split_once('.')?;
        catalog?.relation(&QualifiedName::new(schema, table))
    };
    if let Some(relation) = relation(name) {
        return for_table(relation, policy);
    }
    match name.rsplit_once('.') {
        Some((table, column)) if table.contains('.') => {
            let entry = relation(table).and_then(|r| entry(r, policy, catalog?));
            let (schema, table) = table.split_once('.').unwrap_or_default();
            let table = QualifiedName::new(schema, table);
            for_column(&table, entry.unwrap_or(&table), column, policy)
        }
        Some(_) | None => Gap {
            name: name.to_owned(),
            yaml: format!("tables:\n  {}:\n    columns: {{\"*\": {}}}", key(name), careful(policy)),
            because: "the careful choice".into(),
        },
    }
}

fn is_a_table(relation: &Relation) -> bool {
    let stored = matches!(
        relation.kind,
        RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::ForeignTable
            | RelationKind::MaterializedView
    );
    stored && relation.extension.is_none() && !crate::sql::resolve::is_system(relation)
}

fn entry<'p>(relation: &Relation, policy: &'p Policy, catalog: &Catalog) -> Option<&'p QualifiedName> {
    if let Some((name, _)) = policy.tables.get_key_value(&relation.name) {
        return Some(name);
    }
    let parents = relation.parents.iter().filter_map(|oid| catalog.relation_by_oid(*oid));
    parents.into_iter().find_map(|parent| entry(parent, policy, catalog))
}

fn for_table(relation: &Relation, policy: &Policy) -> Gap {
    let columns = relation.columns.iter().map(|column| {
        let (category, _) = category(&column.name, policy);
        format!("      {}: {category}", key(&column.name))
    });
    let columns: Vec<String> = columns.collect();
    Gap {
        name: relation.name.to_string(),
        yaml: format!(
            "tables:\n  {}:\n    columns:\n{}",
            key(&relation.name.to_string()),
            columns.join("\n")
        ),
        because:
            "categories guessed by name: look at each; add data_subject and collected_for where it is about people"
                .into(),
    }
}

fn for_column(table: &QualifiedName, entry: &QualifiedName, column: &str, policy: &Policy) -> Gap {
    let (category, because) = category(column, policy);
    Gap {
        name: format!("{table}.{column}"),
        yaml: format!(
            "tables:\n  {}:\n    columns:\n      {}: {category}",
            key(&entry.to_string()),
            key(column)
        ),
        because,
    }
}

/// A category for a column of this name, and why.
fn category(column: &str, policy: &Policy) -> (String, String) {
    let mut elsewhere: BTreeMap<&str, (usize, &QualifiedName)> = BTreeMap::new();
    for (name, table) in &policy.tables {
        if let Some(rule) = table.columns.get(column) {
            elsewhere.entry(&rule.category).or_insert((0, name)).0 += 1;
        }
    }
    if let Some((category, (_, table))) = elsewhere.into_iter().max_by_key(|(_, (count, _))| *count) {
        return (category.to_owned(), format!("as in {table}"));
    }
    let words: Vec<String> = column
        .split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase)
        .collect();
    let alike = policy.categories.keys().filter(|key| {
        let last = key.rsplit('.').next().unwrap_or_default();
        key.contains('.')
            && last
                .split('_')
                .any(|part| part.len() > 3 && words.iter().any(|word| word == part))
    });
    match alike.max_by_key(|key| key.len()) {
        Some(key) => (key.clone(), "by its name".into()),
        None => (careful(policy), "the careful choice; set the right one".into()),
    }
}

/// The first category of personal data: hidden for most purposes.
fn careful(policy: &Policy) -> String {
    let personal = policy.categories.values().find(|c| c.sensitivity > Sensitivity::None);
    personal.map_or_else(|| "user".to_owned(), |category| category.key.clone())
}

/// A key as YAML reads it back: quoted where it is no plain word.
fn key(text: &str) -> String {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
        && text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&text.to_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
