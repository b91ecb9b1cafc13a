//! Catalogs out of schema files, against what a server says of the same files; and the built-in catalog
//! against that of a new database.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::Cluster;
use pgpurpose::catalog::{self, Catalog, Relation, RelationKind};
use pgpurpose::sql::schema;
use pgpurpose::upstream::loader;

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(root.join(path)).unwrap()
}

fn loaded(cluster: &Cluster, database: &str) -> Catalog {
    let url = format!("postgres://postgres@127.0.0.1:{}/{database}", cluster.port());
    loader::load_blocking(&url.parse().unwrap()).unwrap()
}

/// Everything about the relations of the schemas of people that does not depend on oids.
fn relations(catalog: &Catalog, without: &[&str]) -> BTreeMap<String, String> {
    let mine = |r: &&std::sync::Arc<Relation>| {
        let schema = r.name.schema.as_str();
        !matches!(schema, "pg_catalog" | "information_schema" | "pg_toast")
            && r.kind != RelationKind::Other
            && !without.contains(&r.name.name.as_str())
    };
    let relations = catalog.relations.iter().filter(mine);
    relations.map(|r| (r.name.to_string(), described(catalog, r))).collect()
}

fn described(catalog: &Catalog, relation: &Relation) -> String {
    let columns: Vec<String> = relation
        .columns
        .iter()
        .map(|c| {
            // A view's types are not looked at; where they are known they must be right.
            let of = match c.type_sql.as_str() {
                _ if relation.kind == RelationKind::View => "",
                of => of,
            };
            format!("{} {} {of} {} {}", c.number, c.name, c.not_null, c.generated)
        })
        .collect();
    let parents: Vec<String> = relation
        .parents
        .iter()
        .map(|p| catalog.relation_by_oid(*p).unwrap().name.to_string())
        .collect();
    format!(
        "{:?} {columns:?} parents {parents:?} key {:?} view {} barrier {}",
        relation.kind,
        relation.primary_key,
        relation.definition.is_some() && relation.kind == RelationKind::View,
        relation.security_barrier
    )
}

fn functions(catalog: &Catalog) -> BTreeSet<String> {
    let mine = catalog
        .functions
        .iter()
        .filter(|f| f.name.schema != "pg_catalog" && f.name.schema != "information_schema");
    mine.filter(|f| !f.name.schema.starts_with("pg_temp"))
        .map(|f| {
            format!(
                "{} {} {} {} {}",
                f.signature, f.defaults, f.variadic, f.returns_set, f.kind
            )
        })
        // Ranges bring constructors along, which the file's catalog does not have.
        .filter(|f| !f.contains("range"))
        .collect()
}

#[test]
fn a_schema_file_means_what_the_server_makes_of_it() {
    let cluster = Cluster::start();
    // What a DO block makes is not known without a server: partitions of the years.
    let year = |n: i32| format!("interactions_{}", time::OffsetDateTime::now_utc().year() + n);
    let partitions: Vec<String> = (-5..=1).map(year).collect();
    let partitions: Vec<&str> = partitions.iter().map(String::as_str).collect();
    let cases = [
        ("tests/data/customer-care.sql", partitions.as_slice(), 2),
        ("tests/data/chinook.sql", &[], 0),
        ("tests/schema/everything.sql", &[], 1),
    ];
    for (path, without, passed_over) in cases {
        // Chinook makes its own database, of that name.
        let database = Path::new(path).file_stem().unwrap().to_str().unwrap();
        if database != "chinook" {
            cluster.psql("postgres", "postgres", &format!("CREATE DATABASE \"{database}\""));
        }
        let connected = if database == "chinook" { "postgres" } else { database };
        cluster.psql(connected, "postgres", &file(path));
        let live = loaded(&cluster, database);
        let built = schema::read(&file(path), catalog::base(database).unwrap());
        let built = built.unwrap_or_else(|errors| panic!("{path}: {errors:?}"));
        let (made, asked) = (relations(&built.catalog, &[]), relations(&live, without));
        for (name, is) in &asked {
            assert_eq!(made.get(name), Some(is), "{path}: {name}");
        }
        let more: Vec<&String> = made.keys().filter(|name| !asked.contains_key(*name)).collect();
        assert!(more.is_empty(), "{path}: {more:?}");
        assert_eq!(functions(&built.catalog), functions(&live), "{path}");
        assert_eq!(built.passed_over.len(), passed_over, "{path}: {:?}", built.passed_over);
    }
}

#[test]
fn the_built_in_catalog_is_that_of_a_new_database() {
    let cluster = Cluster::start();
    let live = loaded(&cluster, "template1");
    if live.server_version / 10000 != 15 {
        // Another version has other functions; what it says of itself is the server's business.
        assert_ne!(live.server_version, catalog::base("x").unwrap().server_version);
        return;
    }
    let base = catalog::base("template1").unwrap();
    let known = |c: &Catalog| -> BTreeSet<String> {
        let functions = c
            .functions
            .iter()
            .map(|f| format!("{}.{} {:?}", f.name.schema, f.signature, f.arguments));
        let operators = c
            .operators
            .iter()
            .map(|o| format!("{} {} {} {}", o.name, o.left, o.right, o.function));
        let types = c.types.iter().map(|t| format!("{} {}", t.name, t.category));
        let relations = c
            .relations
            .iter()
            .filter(|r| r.kind != RelationKind::Other && !r.name.name.starts_with("pg_toast"));
        let relations = relations.map(|r| described(c, r));
        functions
            .chain(operators)
            .chain(types.filter(|t| !t.contains("pg_toast")))
            .chain(relations)
            .collect()
    };
    let difference: Vec<String> = known(&base).symmetric_difference(&known(&live)).cloned().collect();
    assert!(difference.is_empty(), "{difference:#?}");
}
