//! A database with tables to filter, its catalog, and rules over it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pgpurpose::catalog::{Catalog, Column, Operator, QualifiedName, Relation, RelationKind, Type, TypeKind};
use pgpurpose::policy::{
    ConsentOnDenial, ConsentTable, DataSubject, Mode, Place, Policy, TableRule, Unclassified, UnclassifiedForm,
};

use crate::cluster::Cluster;

const SETUP: &str = r#"
SET client_min_messages = error;
CREATE EXTENSION citext;
CREATE SCHEMA care;
CREATE TYPE care.consent_status AS ENUM ('given', 'refused', 'withdrawn', 'asked');
CREATE SCHEMA evil;
CREATE FUNCTION evil.yes_int(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes_text(text, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes_date(date, date) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes_time(timestamp, timestamp) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (FUNCTION = evil.yes_int, LEFTARG = int, RIGHTARG = int);
CREATE OPERATOR evil.= (FUNCTION = evil.yes_text, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR evil.<> (FUNCTION = evil.yes_text, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR evil.<= (FUNCTION = evil.yes_date, LEFTARG = date, RIGHTARG = date);
CREATE OPERATOR evil.> (FUNCTION = evil.yes_time, LEFTARG = timestamp, RIGHTARG = timestamp);
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT '2000-01-01'::timestamptz$$;
CREATE DOMAIN evil.date AS pg_catalog.date CHECK (false);
CREATE DOMAIN evil.interval AS pg_catalog.interval CHECK (false);
"#;

pub fn start(name: &str, tables: &str) -> (Cluster, Catalog) {
    let cluster = Cluster::start(name, &[]);
    cluster.psql(&format!("{SETUP}{tables}")).unwrap();
    let catalog = load(&cluster);
    (cluster, catalog)
}

fn load(cluster: &Cluster) -> Catalog {
    let rows = |query: &str| -> Vec<Vec<String>> {
        let out = cluster.psql(&format!("SET search_path = ''; {query}")).unwrap();
        out.lines().map(|l| l.split('|').map(str::to_owned).collect()).collect()
    };
    let mut catalog = Catalog::default();
    catalog.types = rows(
        "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typbasetype, t.typname = 'citext' FROM pg_type t
         JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('b', 'd', 'e')",
    )
    .iter()
    .map(|f| Type {
        oid: f[0].parse().unwrap(),
        name: QualifiedName::new(&f[1], &f[2]),
        kind: match f[3].as_str() {
            "d" => TypeKind::Domain(f[4].parse().unwrap()),
            "e" => TypeKind::Enum,
            _ => TypeKind::Base,
        },
        category: 'X',
        element: 0,
        extension: (f[5] == "t").then(|| "citext".to_owned()),
    })
    .collect();
    catalog.operators = rows(
        "SELECT n.nspname, o.oprname, o.oprleft, o.oprright, o.oprcode::oid FROM pg_operator o
         JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oprname = '=' AND n.nspname <> 'evil'",
    )
    .iter()
    .map(|f| Operator {
        name: QualifiedName::new(&f[0], &f[1]),
        left: f[2].parse().unwrap(),
        right: f[3].parse().unwrap(),
        function: f[4].parse().unwrap(),
        extension: None,
    })
    .collect();
    for f in rows(
        "SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'care' AND c.relkind = 'r'",
    ) {
        let columns = rows(&format!(
            "SELECT attnum, attname, atttypid, format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = {} AND attnum > 0 ORDER BY attnum",
            f[0]
        ));
        let columns = columns.iter().map(|c| Column {
            number: c[0].parse().unwrap(),
            name: c[1].clone(),
            type_oid: c[2].parse().unwrap(),
            type_sql: c[3].clone(),
            not_null: false,
            generated: false,
        });
        catalog.relations.push(Arc::new(Relation {
            oid: f[0].parse().unwrap(),
            name: QualifiedName::new(&f[1], &f[2]),
            kind: RelationKind::Table,
            columns: columns.collect(),
            parents: Vec::new(),
            definition: None,
            security_barrier: false,
            primary_key: Vec::new(),
            unique_keys: Vec::new(),
            has_rules: false,
            extension: None,
        }));
    }
    catalog.indexed()
}

pub fn place() -> Place {
    Place {
        file: "rules.yaml".into(),
        line: 1,
        column: 1,
    }
}

pub fn care(name: &str) -> QualifiedName {
    QualifiedName::new("care", name)
}

pub fn policy(tables: Vec<TableRule>, consent: Option<ConsentTable>) -> Policy {
    Policy {
        revision: String::new(),
        sha256: String::new(),
        mode: Mode::Enforce,
        contact: None,
        purposes: BTreeMap::new(),
        categories: BTreeMap::new(),
        recipients: BTreeMap::new(),
        roles: BTreeMap::new(),
        transfers: None,
        tables: tables.into_iter().map(|t| (t.name.clone(), t)).collect(),
        release: Vec::new(),
        writes: Vec::new(),
        unclassified: Unclassified {
            table: UnclassifiedForm::Refuse,
            column: UnclassifiedForm::Hidden,
        },
        functions_allowed: Vec::new(),
        consent,
        children: None,
    }
}

pub fn table(name: &str, key: &str, of: Option<&str>) -> TableRule {
    TableRule {
        name: care(name),
        data_subject: Some(DataSubject {
            key: key.into(),
            of: of.map(care),
            birth_date: None,
            region: None,
            place: place(),
        }),
        collected_for: Vec::new(),
        columns: BTreeMap::new(),
        all_columns: None,
        row_filters: Vec::new(),
        retention: None,
        on_no_consent: ConsentOnDenial::Value,
        place: place(),
    }
}
