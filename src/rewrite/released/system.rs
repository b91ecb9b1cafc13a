//! What PostgreSQL itself brings: its catalogs, by the list of their columns, and the sequences of tables.

use std::collections::BTreeSet;

use crate::catalog::lists::{self, CatalogForm};
use crate::catalog::{Catalog, Column, QualifiedName, Relation, RelationKind};
use crate::policy::{Code, Denial, Form, Mask, Policy, UnclassifiedForm};
use crate::rewrite::edit::ColumnShape;
use crate::rewrite::mask::null_expression;
use crate::sql::resolve::BaseColumn;

use super::{Decided, Gap, Release, entry_of};

/// The numbers of a table's own sequence tell of its rows: of a protected one it is as it was when it was made.
pub(super) fn sequence<'p>(
    relation: &Relation,
    owner: &QualifiedName,
    policy: &'p Policy,
    purpose: String,
) -> Release<'p> {
    if !policy.is_protected(owner) {
        return Release::AsIs(None);
    }
    Release::Through(Box::new(Decided {
        decision: None,
        purpose,
        policy,
        forms: relation.columns.iter().map(|_| Form::Hidden).collect(),
        empty: false,
    }))
}

/// A column of a sequence that has not moved yet.
pub(super) fn unmoved(column: &Column, relation: &Relation, catalog: &Catalog) -> (String, ColumnShape) {
    let value = match column.name.as_str() {
        "last_value" => format!(
            "(SELECT s.seqstart FROM pg_catalog.pg_sequence s WHERE s.seqrelid OPERATOR(pg_catalog.=) {}::pg_catalog.oid)",
            relation.oid
        ),
        "log_cnt" => "0::pg_catalog.int8".to_owned(),
        "is_called" => "false::pg_catalog.bool".to_owned(),
        _ => return (null_expression(column, catalog), ColumnShape::Null), // a newer server's
    };
    (value, ColumnShape::Expression)
}

/// A system catalog.
pub(super) fn system<'p>(
    relation: &Relation,
    policy: &'p Policy,
    catalog: &Catalog,
    touched: &BTreeSet<BaseColumn>,
) -> Release<'p> {
    let refused = |message: String| {
        let denial = Denial {
            code: Code::StatementNotAllowed,
            message,
            detail: None,
            hint: None,
            rule: None,
        };
        Release::Refused(denial, Gap::No)
    };
    let Some(listed) = lists::catalog_relation(&relation.name.schema, &relation.name.name) else {
        let why = lists::catalog_refusal(&relation.name.schema, &relation.name.name)
            .unwrap_or("it is not on the list of catalogs that may be read");
        return refused(format!("{} cannot be read: {why}", relation.name));
    };
    let bare = policy.protects_nothing();
    let form = |c: &Column| match listed.form(&c.name) {
        CatalogForm::Raw => Form::Raw,
        CatalogForm::Shielded if bare => Form::Raw,
        CatalogForm::Shielded if relation.name.name == "pg_class" && c.name == "relpartbound" => {
            bounds(policy, catalog).map_or(Form::Hidden, |sql| Form::Masked(Mask::Sql(sql)))
        }
        CatalogForm::Hidden | CatalogForm::Shielded => Form::Hidden,
        CatalogForm::Refuse => Form::Refuse,
    };
    let met = |c: &&Column| {
        touched.contains(&BaseColumn {
            relation: relation.oid,
            column: c.number,
        })
    };
    let empty = listed.is_empty();
    if !empty && relation.columns.iter().filter(met).all(|c| form(c) == Form::Raw) {
        return Release::AsIs(None);
    }
    let forms = relation.columns.iter().map(form).collect();
    Release::Through(Box::new(Decided {
        decision: None,
        purpose: String::new(),
        policy,
        forms,
        empty,
    }))
}

/// `pg_class.relpartbound`, of partitions of those tables that are split by columns which are shown as they
/// are: a bound is a value of such a column.
fn bounds(policy: &Policy, catalog: &Catalog) -> Option<String> {
    let split = catalog
        .relations
        .iter()
        .filter(|r| r.kind == RelationKind::PartitionedTable);
    let tests: Vec<String> = split
        .filter_map(|relation| {
            let entry = entry_of(relation, policy, catalog);
            let plain = |column: &&Column| match &entry {
                Some(entry) => policy.is_plain_column(entry, &column.name),
                None => policy.unclassified.table == UnclassifiedForm::Raw,
            };
            let columns: Vec<String> = relation
                .columns
                .iter()
                .filter(plain)
                .map(|c| c.number.to_string())
                .collect();
            // An expression has the number 0.
            (!columns.is_empty()).then(|| {
                let (oid, columns) = (relation.oid, columns.join(","));
                format!("p.partrelid = {oid}::oid AND p.partattrs::int2[] <@ '{{{columns}}}'::int2[]")
            })
        })
        .collect();
    (!tests.is_empty()).then(|| {
        let tests = tests.join(" OR ");
        format!(
            "CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_partitioned_table p \
             ON p.partrelid = i.inhparent WHERE i.inhrelid = pg_class.oid AND ({tests})) THEN {{}} END"
        )
    })
}
