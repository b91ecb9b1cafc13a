//! `data_categories` and `tables`.

use crate::policy::ConsentOnDenial;

use super::super::diagnostic::Diagnostics;
use super::super::document::{CategoryDoc, ColumnDoc, RetentionDoc, RowFilterDoc, SubjectDoc, TableDoc};
use super::super::fields::{Fields, choice, entries, invalid, list, some_texts, text, texts};
use super::super::node::{Node, Value};
use super::super::shape;
use super::super::source::{Sp, Span};
use super::choices::{COLLECTIONS, DISCLOSURES, ON_NO_CONSENT, SENSITIVITIES};
use super::mask::mask;
use super::{check_dotted, table_name};

pub(super) fn category(key: &Sp<String>, node: &Node, findings: &mut Diagnostics) -> Option<CategoryDoc> {
    check_dotted(key, "a data category", findings)?;
    let fields = Fields::read(node, &shape::CATEGORY, findings)?;
    let get = |key| fields.get(key);
    Some(CategoryDoc {
        sensitivity: get("sensitivity").and_then(|n| choice(n, "sensitivity", &SENSITIVITIES, findings)),
        other_purpose: get("other_purpose").and_then(|n| choice(n, "other_purpose", &DISCLOSURES, findings)),
        third_party: get("third_party").and_then(|n| choice(n, "third_party", &DISCLOSURES, findings)),
        collection_opt_in: get("collection").and_then(|n| choice(n, "collection", &COLLECTIONS, findings)),
        mask: get("mask").and_then(|n| mask(n, findings)),
    })
}

pub(super) fn table(key: &Sp<String>, node: &Node, findings: &mut Diagnostics) -> Option<TableDoc> {
    let name = table_name(key, findings);
    let fields = Fields::read(node, &shape::TABLE, findings)?;
    let get = |key| fields.get(key);
    let on_no_consent = get("on_no_consent").and_then(|n| choice(n, "on_no_consent", &ON_NO_CONSENT, findings));
    let data_subject = fields.key("data_subject").zip(get("data_subject"));
    let data_subject = data_subject.and_then(|(key, node)| table_subject(&key.span, node, findings));
    let filters = get("row_filters")
        .and_then(|n| list(n, "row_filters", findings))
        .unwrap_or_default();
    let row_filters = filters.iter().filter_map(|n| row_filter(n, findings)).collect();
    let retention = fields.key("retention").zip(get("retention"));
    let retention = retention.and_then(|(key, node)| self::retention(&key.span, node, findings));
    Some(TableDoc {
        data_subject,
        collected_for: get("collected_for")
            .and_then(|n| texts(n, "collected_for", findings))
            .unwrap_or_default(),
        columns: get("columns").map(|n| columns(n, findings)).unwrap_or_default(),
        row_filters,
        retention,
        on_no_consent: on_no_consent.unwrap_or(ConsentOnDenial::Value),
        name: name?,
    })
}

fn table_subject(key: &Span, node: &Node, findings: &mut Diagnostics) -> Option<SubjectDoc> {
    let fields = Fields::read(node, &shape::SUBJECT, findings)?.at(key);
    let subject = subject(&fields, key, findings)?;
    if subject.of.is_some() {
        for name in ["birth_date", "region"] {
            if let Some(key) = fields.key(name) {
                let message = format!("`{name}` stands on the root, the table that has no `of`");
                findings.push(invalid(&key.span, message));
            }
        }
    }
    Some(subject)
}

/// Of a table, or of a column, which has no birth date and no region of its own.
fn subject(fields: &Fields<'_>, key: &Span, findings: &mut Diagnostics) -> Option<SubjectDoc> {
    let mut column = |name| {
        let node = fields.key(name).and_then(|_| fields.get(name));
        node.and_then(|n| text(n, name, findings)).map(|text| text.value)
    };
    let (birth_date, region) = (column("birth_date"), column("region"));
    let of = fields.get("of").and_then(|n| text(n, "of", findings));
    let of = match of {
        Some(of) => Some(Sp::new(table_name(&of, findings)?, of.span)),
        None => None,
    };
    let subject_key = fields.require("key", findings).and_then(|n| text(n, "key", findings))?;
    Some(SubjectDoc {
        key: subject_key.value,
        of,
        birth_date,
        region,
        span: key.clone(),
    })
}

fn columns(node: &Node, findings: &mut Diagnostics) -> Vec<(Sp<String>, ColumnDoc)> {
    let mut columns: Vec<(Sp<String>, ColumnDoc)> = Vec::new();
    for (key, node) in entries(node, "columns", findings).unwrap_or_default() {
        let twice = columns.iter().any(|(earlier, _)| earlier.value == key.value);
        if let Some(column) = column(key, node, findings)
            && !twice
        {
            columns.push((key.clone(), column));
        }
    }
    columns
}

/// A category, or a mapping with one.
fn column(key: &Sp<String>, node: &Node, findings: &mut Diagnostics) -> Option<ColumnDoc> {
    if !matches!(node.value, Value::Map(_)) {
        return Some(ColumnDoc {
            category: text(node, "a data category", findings)?,
            mask: None,
            data_subject: None,
        });
    }
    let fields = Fields::read(node, &shape::COLUMN, findings)?.at(&key.span);
    let own_mask = fields.get("mask").and_then(|n| mask(n, findings));
    let data_subject = fields
        .key("data_subject")
        .zip(fields.get("data_subject"))
        .and_then(|(key, node)| {
            let fields = Fields::read(node, &shape::COLUMN_SUBJECT, findings)?.at(&key.span);
            subject(&fields, &key.span, findings)
        });
    let category = fields
        .require("data_category", findings)
        .and_then(|n| text(n, "data_category", findings))?;
    Some(ColumnDoc {
        category,
        mask: own_mask,
        data_subject,
    })
}

fn row_filter(node: &Node, findings: &mut Diagnostics) -> Option<RowFilterDoc> {
    let fields = Fields::read(node, &shape::ROW_FILTER, findings)?;
    let purposes = fields
        .require("purposes", findings)
        .and_then(|n| some_texts(n, "purposes", findings));
    let sql = fields
        .require("where", findings)
        .and_then(|n| text(n, "where", findings));
    Some(RowFilterDoc {
        purposes: purposes?,
        sql: sql?.value,
        span: node.span.clone(),
    })
}

fn retention(key: &Span, node: &Node, findings: &mut Diagnostics) -> Option<RetentionDoc> {
    let fields = Fields::read(node, &shape::RETENTION, findings)?.at(key);
    let column = fields
        .require("column", findings)
        .and_then(|n| text(n, "column", findings));
    let keep = fields.require("keep", findings).and_then(|n| text(n, "keep", findings));
    let keep = keep.filter(|keep| {
        let valid = is_interval(&keep.value);
        if !valid {
            let message = format!("`{}` is not a length of time", keep.value);
            findings
                .push(invalid(&keep.span, message).help("write a number and a unit, such as `3 years` or `90 days`"));
        }
        valid
    });
    let purposes = match fields.get("purposes") {
        Some(node) => some_texts(node, "purposes", findings)?,
        None => Vec::new(),
    };
    Some(RetentionDoc {
        column: column?.value,
        keep: keep?.value,
        purposes,
        span: key.clone(),
    })
}

/// `3 years 6 months`: what PostgreSQL reads as an interval, and nothing but numbers and units.
fn is_interval(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let unit = |word: &str| {
        let units = ["year", "month", "week", "day", "hour", "minute"];
        units.contains(&word.strip_suffix('s').unwrap_or(word))
    };
    let number = |word: &str| word.len() <= 6 && word.bytes().all(|b| b.is_ascii_digit()) && word.parse() != Ok(0u32);
    !words.is_empty()
        && words
            .chunks(2)
            .all(|pair| matches!(pair, [n, u] if number(n) && unit(u)))
}
