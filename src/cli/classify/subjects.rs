//! Whose rows a table's are: tables of people are roots, and foreign keys lead to them.

use std::collections::HashMap;

use super::{Table, names};
use crate::catalog::{Oid, QualifiedName};
use crate::upstream::samples::Surroundings;

/// `data_subject` of a table, and of single columns that point at somebody else.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) key: String,
    /// The root; none where the table is one.
    pub(super) of: Option<QualifiedName>,
    pub(super) evidence: String,
    /// Columns that point at other people.
    pub(super) others: Vec<(String, QualifiedName)>,
}

/// Finds roots, and what points at them; keys of people are categorised as such.
pub(super) fn find(tables: &mut [Table], around: &Surroundings) {
    let mut roots: HashMap<Oid, (QualifiedName, i16, bool)> = HashMap::new();
    let named = tables.iter().filter(|t| names::of_people(&t.relation.name.name));
    let people_by_name: Vec<Oid> = named.map(|t| t.relation.oid).collect();
    for table in tables.iter_mut() {
        let [key] = table.relation.primary_key.as_slice() else {
            continue;
        };
        let named = table
            .columns
            .iter()
            .filter(|c| c.category.starts_with("user.name"))
            .count();
        let reached = table
            .columns
            .iter()
            .filter(|c| c.category.starts_with("user.contact"))
            .count();
        let people = names::of_people(&table.relation.name.name);
        // What points at people is about them, whatever names and addresses it repeats: an order is no person.
        let points = around
            .foreign_keys
            .iter()
            .any(|f| f.table == table.relation.oid && people_by_name.contains(&f.of));
        let is_root = (people && named + reached > 0) || (named > 0 && reached > 0 && !points);
        let key_name = table.relation.columns.iter().find(|c| c.number == *key);
        if let (true, Some(column)) = (is_root, key_name) {
            let why = match people {
                true => "its rows are people, by its name and columns",
                false => "it has names and addresses of people",
            };
            table.subject = Some(Subject {
                key: column.name.clone(),
                of: None,
                evidence: why.to_owned(),
                others: Vec::new(),
            });
            let staff = names::of_staff(&table.relation.name.name);
            roots.insert(table.relation.oid, (table.relation.name.clone(), *key, staff));
        }
    }
    for table in tables.iter_mut() {
        let oid = table.relation.oid;
        // Customers before those who serve them.
        let mut pointing: Vec<(String, QualifiedName, bool)> = around
            .foreign_keys
            .iter()
            .filter(|f| f.table == oid)
            .filter_map(|f| {
                let (root, key, staff) = roots.get(&f.of)?;
                let column = table.relation.columns.iter().find(|c| c.number == f.column)?;
                (*key == f.key).then(|| (column.name.clone(), root.clone(), *staff))
            })
            .collect();
        pointing.sort_by_key(|(_, _, staff)| *staff);
        let mut pointing: Vec<(String, QualifiedName)> = pointing.into_iter().map(|(c, r, _)| (c, r)).collect();
        let keys: Vec<String> = pointing.iter().map(|(column, _)| column.clone()).collect();
        match &mut table.subject {
            Some(own) => own.others = pointing.into_iter().filter(|(column, _)| *column != own.key).collect(),
            None if pointing.is_empty() => {}
            None => {
                let (key, root) = pointing.remove(0);
                let evidence = format!("a foreign key to {root}");
                let others = pointing;
                table.subject = Some(Subject {
                    key,
                    of: Some(root),
                    evidence,
                    others,
                });
            }
        }
        let root_key = table.subject.as_ref().filter(|s| s.of.is_none()).map(|s| s.key.clone());
        let about_people = table.subject.is_some();
        for column in &mut table.columns {
            if about_people && column.category == "system" && column.sentences {
                column.category = "user.content";
                column.confidence = 0.6;
                column.evidence = vec!["its values are sentences, in a table about people".to_owned()];
            }
            let (why, confidence) = match (Some(&column.column) == root_key.as_ref(), keys.contains(&column.column)) {
                (true, _) => ("the key of a table of people", 0.9),
                (false, true) => ("a foreign key to people", 0.9),
                (false, false) => continue,
            };
            if column.category == "system" {
                column.category = "user.unique_id";
                column.confidence = confidence;
                column.evidence = vec![why.to_owned()];
            }
        }
    }
}
