//! `search_path`, resolved by the proxy against the catalog, so that what was checked is what runs.
//!
//! Follows `recomputeNamespacePath` and `RangeVarGetRelid` of PostgreSQL's `namespace.c`: `"$user"`
//! stands for the schema named as the role, schemas that do not exist are passed over, `pg_temp`
//! is searched first (for relations and types) and then `pg_catalog`, unless the path names them.

use std::sync::Arc;

use super::{Catalog, QualifiedName, Relation, Type};

/// The schemas to search, in order, for one session at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SearchPath {
    schemas: Vec<String>,
    creation: Option<String>,
}

impl SearchPath {
    /// From the entries of the setting, each already unquoted and folded.
    pub fn new(entries: &[String], role: &str, catalog: &Catalog) -> Self {
        let mut schemas: Vec<String> = Vec::new();
        let mut push = |name: &str| {
            if !schemas.iter().any(|s| s == name) {
                schemas.push(name.to_owned());
            }
        };
        let names_temp = entries.iter().any(|e| e == "pg_temp");
        let names_catalog = entries.iter().any(|e| e == "pg_catalog");
        if !names_temp && let Some(temp) = &catalog.temp_schema {
            push(temp);
        }
        if !names_catalog {
            push("pg_catalog");
        }
        let mut creation = None;
        for entry in entries {
            let name = match entry.as_str() {
                "$user" => role,
                "pg_temp" => match &catalog.temp_schema {
                    Some(temp) => temp,
                    None => continue,
                },
                other => other,
            };
            if catalog.schemas.iter().any(|s| s == name) {
                push(name);
                creation.get_or_insert_with(|| name.to_owned());
            }
        }
        Self { schemas, creation }
    }

    /// The schemas, in the order in which they are searched.
    pub fn schemas(&self) -> &[String] {
        &self.schemas
    }

    /// The schema in which a name without one is created: the first that exists (`RangeVarGetCreationNamespace`).
    pub fn creation_schema(&self) -> Option<&str> {
        self.creation.as_deref()
    }

    /// The relation that an unqualified name means.
    pub fn relation<'c>(&self, name: &str, catalog: &'c Catalog) -> Option<&'c Arc<Relation>> {
        self.schemas
            .iter()
            .find_map(|s| catalog.relation(&QualifiedName::new(s, name)))
    }

    /// The type that an unqualified name means.
    pub fn type_named<'c>(&self, name: &str, catalog: &'c Catalog) -> Option<&'c Type> {
        self.schemas
            .iter()
            .find_map(|s| catalog.type_by_name(&QualifiedName::new(s, name)))
    }
}
