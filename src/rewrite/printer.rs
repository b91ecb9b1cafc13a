//! What stands in place of a call that prints a definition, where the rules protect anything.
//!
//! A view's text is shown if no literal is in it; else a query of the same columns and no rows is, so that a dump
//! can be restored. Of rules, functions and bounds there is none. The argument stays where it was written.

use crate::catalog::{Catalog, Oid, Relation, RelationKind};
use crate::sql::grammar::{Tree, Unknown};
use crate::sql::parsed;
use crate::sql::resolve::{Printer, PrinterKind};

/// `FirstNormalObjectId`, transam.h: what PostgreSQL itself brings has lower ones.
const FIRST_OWN: Oid = 16384;

/// The texts before and behind the argument.
pub(super) fn texts(printer: &Printer, catalog: &Catalog) -> (String, String) {
    let value = match printer.kind {
        PrinterKind::View => view(printer.pretty, catalog),
        PrinterKind::Other => "NULL::pg_catalog.text".to_owned(),
    };
    let before = format!("(SELECT {value} FROM (SELECT NULL::pg_catalog.oid WHERE false UNION ALL SELECT ");
    (before, ") AS printed(object))".to_owned())
}

fn view(pretty: Option<bool>, catalog: &Catalog) -> String {
    let shown = catalog
        .relations
        .iter()
        .filter(|r| r.kind == RelationKind::View || r.kind == RelationKind::MaterializedView);
    let shown: Vec<String> = shown.filter(|r| is_bare(r)).map(|r| r.oid.to_string()).collect();
    let shown = shown.join(",");
    let pretty = pretty.map(|pretty| format!(", {pretty}")).unwrap_or_default();
    format!(
        "CASE WHEN printed.object OPERATOR(pg_catalog.<) {FIRST_OWN}::pg_catalog.oid \
         OR printed.object OPERATOR(pg_catalog.=) ANY ('{{{shown}}}'::pg_catalog.oid[]) \
         THEN pg_catalog.pg_get_viewdef(printed.object{pretty}) \
         ELSE (SELECT ' SELECT /* its own text is not shown */ ' OPERATOR(pg_catalog.||) \
         pg_catalog.string_agg(pg_catalog.format('NULL::%s AS %I', \
         pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname), ', ' ORDER BY a.attnum) \
         OPERATOR(pg_catalog.||) ' WHERE false;' \
         FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) printed.object \
         AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) END"
    )
}

/// No literal is in its definition, but NULL, true and false.
fn is_bare(relation: &Relation) -> bool {
    let Some(definition) = &relation.definition else {
        return false;
    };
    let Ok(statements) = parsed::parse(definition) else {
        return false;
    };
    statements
        .iter()
        .all(|statement| Tree::of(&statement.node).is_ok_and(|tree| has_no_literal(tree).is_ok()))
}

fn has_no_literal(tree: Tree<'_>) -> Result<(), Unknown> {
    if let Tree::AConst(constant) = tree
        && !constant.isnull
        && !matches!(constant.val, Some(pg_query::protobuf::a_const::Val::Boolval(_)))
    {
        return Err(Unknown("literal"));
    }
    tree.each_child(&mut has_no_literal)
}
