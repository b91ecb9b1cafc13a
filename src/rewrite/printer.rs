//! What stands in place of a call that prints a definition, where the rules protect anything.
//!
//! In place of a view's text stands a query of the same columns and no rows, so that a dump can be restored; the views
//! that PostgreSQL brings are shown. Of rules, functions and bounds there is none. The argument stays where it was written.

use crate::catalog::Oid;
use crate::sql::resolve::{Printer, PrinterKind};

/// `FirstNormalObjectId`, transam.h: what PostgreSQL itself brings has lower ones.
const FIRST_OWN: Oid = 16384;

/// The texts before and behind the argument.
pub(super) fn texts(printer: &Printer) -> (String, String) {
    let value = match printer.kind {
        PrinterKind::View => view(printer.pretty),
        PrinterKind::Other => "NULL::pg_catalog.text".to_owned(),
    };
    let before = format!("(SELECT {value} FROM (SELECT NULL::pg_catalog.oid WHERE false UNION ALL SELECT ");
    (before, ") AS printed(object))".to_owned())
}

fn view(pretty: Option<bool>) -> String {
    let pretty = pretty.map(|pretty| format!(", {pretty}")).unwrap_or_default();
    format!(
        "CASE WHEN printed.object OPERATOR(pg_catalog.<) {FIRST_OWN}::pg_catalog.oid \
         THEN pg_catalog.pg_get_viewdef(printed.object{pretty}) \
         ELSE (SELECT ' SELECT /* its own text is not shown */ ' OPERATOR(pg_catalog.||) \
         pg_catalog.string_agg(pg_catalog.format('NULL::%s AS %I', \
         pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname), ', ' ORDER BY a.attnum) \
         OPERATOR(pg_catalog.||) ' WHERE false;' \
         FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) printed.object \
         AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) END"
    )
}
