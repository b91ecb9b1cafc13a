//! `release`, `writes`, `unclassified`, `functions`, `consent`, `children`.

use super::super::diagnostic::{Diagnostic, DiagnosticCode, Diagnostics};
use super::super::document::{ChildrenDoc, ColumnName, ConsentDoc, ReleaseDoc, TargetDoc, UnclassifiedDoc, WriteDoc};
use super::super::fields::{Fields, choice, dotted, invalid, list, scalar, small, some_texts, text, texts};
use super::super::node::Node;
use super::super::shape;
use super::super::source::{Sp, Span};
use super::choices::{PREDICATES, UNCLASSIFIED_FORMS, VERBS};
use super::mask::form;
use super::{QualifiedName, table_name, table_names, values};

pub(super) fn release(node: &Node, findings: &mut Diagnostics) -> Option<ReleaseDoc> {
    let fields = Fields::read(node, &shape::RELEASE, findings)?;
    let purposes = fields
        .require("purposes", findings)
        .and_then(|n| some_texts(n, "purposes", findings));
    let target = target(node, &fields, findings);
    let form = fields
        .require("as", findings)
        .and_then(|n| Some(Sp::new(form(n, findings)?, n.span.clone())));
    let predicates_refused = match fields.get("predicates") {
        Some(node) => choice(node, "predicates", &PREDICATES, findings)?,
        None => false,
    };
    Some(ReleaseDoc {
        purposes: purposes?,
        target: target?,
        form: form?,
        predicates_refused,
        span: node.span.clone(),
    })
}

fn target(node: &Node, fields: &Fields<'_>, findings: &mut Diagnostics) -> Option<TargetDoc> {
    match (fields.get("columns"), fields.get("data_categories")) {
        (Some(columns), None) => {
            let names = some_texts(columns, "columns", findings)?;
            Some(TargetDoc::Columns(
                names.iter().filter_map(|name| column_name(name, findings)).collect(),
            ))
        }
        (None, Some(categories)) => some_texts(categories, "data_categories", findings).map(TargetDoc::Categories),
        (Some(_), Some(_)) => {
            let message = "a release entry speaks of `columns` or of `data_categories`, not of both";
            findings.push(invalid(&node.span, message).help("make two entries of it"));
            None
        }
        (None, None) => {
            let message = "`columns` or `data_categories` is missing";
            findings.push(Diagnostic::new(DiagnosticCode::MissingKey, &node.span, message));
            None
        }
    }
}

/// `schema.table.column`
fn column_name(name: &Sp<String>, findings: &mut Diagnostics) -> Option<Sp<ColumnName>> {
    if let Some([schema, table, column]) = dotted(&name.value).as_deref() {
        let column = ColumnName {
            table: QualifiedName::new(schema, table),
            column: column.clone(),
        };
        return Some(Sp::new(column, name.span.clone()));
    }
    findings.push(invalid(
        &name.span,
        format!("`{}` is not a column's name, schema.table.column", name.value),
    ));
    None
}

pub(super) fn write(node: &Node, findings: &mut Diagnostics) -> Option<WriteDoc> {
    let fields = Fields::read(node, &shape::WRITE, findings)?;
    let purposes = fields
        .require("purposes", findings)
        .and_then(|n| some_texts(n, "purposes", findings));
    let tables = fields
        .require("tables", findings)
        .and_then(|n| some_texts(n, "tables", findings));
    let allow = fields
        .require("allow", findings)
        .and_then(|n| list(n, "allow", findings));
    let allow = allow.map(|items| {
        items
            .iter()
            .filter_map(|n| choice(n, "allow", &VERBS, findings))
            .collect()
    });
    let columns = fields
        .get("columns")
        .and_then(|n| texts(n, "columns", findings))
        .unwrap_or_default();
    Some(WriteDoc {
        purposes: purposes?,
        tables: table_names(tables?, findings),
        allow: allow?,
        columns,
        span: node.span.clone(),
    })
}

pub(super) fn unclassified(_: &Span, node: &Node, findings: &mut Diagnostics) -> Option<UnclassifiedDoc> {
    let fields = Fields::read(node, &shape::UNCLASSIFIED, findings)?;
    let mut read = |key| {
        fields
            .get(key)
            .and_then(|n| choice(n, key, &UNCLASSIFIED_FORMS, findings))
    };
    Some(UnclassifiedDoc {
        table: read("table"),
        column: read("column"),
    })
}

pub(super) fn functions(key: &Span, node: &Node, findings: &mut Diagnostics) -> Option<Vec<Sp<String>>> {
    let fields = Fields::read(node, &shape::FUNCTIONS, findings)?.at(key);
    let allow = texts(fields.require("allow", findings)?, "allow", findings)?;
    Some(
        allow
            .into_iter()
            .filter_map(|function| signature(function, findings))
            .collect(),
    )
}

/// `schema.name(type,type)`, spaces beside parentheses and commas taken off.
fn signature(function: Sp<String>, findings: &mut Diagnostics) -> Option<Sp<String>> {
    let parts = function
        .value
        .trim()
        .strip_suffix(')')
        .and_then(|text| text.split_once('('));
    let name = parts
        .and_then(|(name, _)| dotted(name.trim()))
        .filter(|words| words.len() == 2);
    let (Some((name, arguments)), Some(_)) = (parts, name) else {
        let message = format!("`{}` is not a function's signature", function.value);
        findings
            .push(invalid(&function.span, message).help("write it with schema and types, such as app.initials(text)"));
        return None;
    };
    let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
    Some(Sp::new(
        format!("{}({})", name.trim(), arguments.join(",")),
        function.span,
    ))
}

pub(super) fn consent(key: &Span, node: &Node, findings: &mut Diagnostics) -> Option<ConsentDoc> {
    let fields = Fields::read(node, &shape::CONSENT, findings)?.at(key);
    let table = fields
        .require("table", findings)
        .and_then(|n| text(n, "table", findings));
    let table = table.and_then(|name| Some(Sp::new(table_name(&name, findings)?, name.span)));
    let mut column = |key| {
        fields
            .require(key, findings)
            .and_then(|n| text(n, key, findings))
            .map(|text| text.value)
    };
    let (subject, purpose, status) = (column("subject"), column("purpose"), column("status"));
    let given = fields
        .require("given", findings)
        .and_then(|n| statuses(n, "given", findings));
    let withdrawn = fields
        .require("withdrawn", findings)
        .and_then(|n| statuses(n, "withdrawn", findings));
    // What is given and cannot be read must not become a consent without expiry, or of any time.
    let mut optional = |key| match fields.get(key) {
        Some(node) => text(node, key, findings).map(|text| Some(text.value)),
        None => Some(None),
    };
    let (expires, third_party, recorded_at) = (optional("expires"), optional("third_party"), optional("recorded_at"));
    let of = match fields.get("of") {
        Some(node) => {
            let name = text(node, "of", findings)?;
            Some(Sp::new(table_name(&name, findings)?, name.span))
        }
        None => None,
    };
    let (given, withdrawn) = (given?, withdrawn?);
    if let Some(both) = given.iter().find(|status| withdrawn.contains(status)) {
        findings.push(invalid(
            key,
            format!("status `{both}` stands for both given and withdrawn"),
        ));
    }
    Some(ConsentDoc {
        table: table?,
        subject: subject?,
        purpose: purpose?,
        status: status?,
        given,
        withdrawn,
        expires: expires?,
        third_party: third_party?,
        recorded_at: recorded_at?,
        of,
    })
}

fn statuses(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<Vec<String>> {
    let items = list(node, what, findings)?;
    if items.is_empty() {
        findings.push(invalid(&node.span, format!("{what} is empty")));
        return None;
    }
    Some(values(
        items.iter().filter_map(|n| scalar(n, "a status", findings)).collect(),
    ))
}

pub(super) fn children(key: &Span, node: &Node, findings: &mut Diagnostics) -> Option<ChildrenDoc> {
    let fields = Fields::read(node, &shape::CHILDREN, findings)?.at(key);
    let under = fields
        .require("under", findings)
        .and_then(|n| small(n, "under", 1, 150, findings));
    let purposes = fields
        .get("purposes")
        .and_then(|n| texts(n, "purposes", findings))
        .unwrap_or_default();
    let unknown_is_child = match fields.get("unknown") {
        Some(node) => choice(node, "unknown", &[("child", true)], findings)?,
        None => false,
    };
    Some(ChildrenDoc {
        under: under?,
        purposes,
        unknown_is_child,
    })
}
