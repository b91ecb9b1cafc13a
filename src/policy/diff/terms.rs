//! What besides columns makes a difference, as the sides of a comparison: terms of an admission, conditions on rows,
//! what may be written, the rules as a whole. Compares nothing itself.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::catalog::QualifiedName;
use crate::policy::{Admission, ConsentTable, Mode, Policy, RowFilter, UnclassifiedForm, Verb};

use super::Side;
use super::cell::condition_text;

/// On which terms somebody may act.
pub(super) fn terms(admission: &Admission<'_>) -> Side {
    let purpose = admission.purpose();
    let mut side = Side::new(String::new());
    let mut texts: Vec<String> = Vec::new();
    let mut term = |text: String, words: &str, strictness: i64| {
        texts.push(text);
        side.limit(words, strictness);
    };
    if let Some(recipient) = admission.recipient() {
        let assured = if admission.recipient_assured() { ", assured" } else { "" };
        let text = format!("for recipient {}{assured}", recipient.name);
        term(text.clone(), &text, 0);
    }
    if purpose.aggregate {
        let size = purpose.min_group_size;
        term(format!("statistics over {size}"), "statistics", i64::from(size));
    }
    if purpose.one_subject {
        term("one subject".to_owned(), "one subject", 0);
    }
    if purpose.reason_required {
        term("with a reason".to_owned(), "reason", 0);
    }
    if let Some(glass) = purpose.break_glass {
        let minutes = glass.max_minutes;
        term(
            format!("break-glass for {minutes} minutes"),
            "break-glass",
            -i64::from(minutes),
        );
    }
    if let Some(rows) = purpose.max_rows {
        let strictness = i64::try_from(rows).map_or(i64::MIN, |rows| -rows);
        term(format!("at most {rows} rows"), "rows", strictness);
    }
    if let Some(queries) = purpose.max_queries_per_day {
        let strictness = i64::try_from(queries).map_or(i64::MIN, |queries| -queries);
        term(format!("at most {queries} queries a day"), "queries", strictness);
    }
    if let Some(end) = purpose.expires {
        term(format!("until {end}"), "until", -i64::from(end.to_julian_day()));
    }
    for (granted, name) in [(purpose.explain, "explain"), (purpose.ddl, "ddl")] {
        if granted {
            texts.push(name.to_owned());
            side.grants.insert(name.to_owned());
        }
    }
    side.text = match texts.is_empty() {
        true => "admitted".to_owned(),
        false => format!("admitted ({})", texts.join(", ")),
    };
    side
}

pub(super) fn rows(filters: &[RowFilter]) -> Side {
    let mut side = Side::new(String::new());
    let mut texts = BTreeSet::new();
    for filter in filters {
        let text = filter_text(filter);
        match filter {
            RowFilter::Children {
                under,
                key,
                root,
                birth_date,
                unknown_is_child,
                ..
            } => {
                side.limit(format!("children: {key} of {root}.{birth_date}"), i64::from(*under));
                if *unknown_is_child {
                    side.limit(format!("unknown: {key} of {root}.{birth_date}"), 0);
                }
            }
            RowFilter::Where { .. }
            | RowFilter::OneSubject { .. }
            | RowFilter::Retention { .. }
            | RowFilter::Transfer { .. }
            | RowFilter::Consent(_) => side.limit(text.clone(), 0),
        }
        texts.insert(text);
    }
    side.text = match texts.is_empty() {
        true => "all rows".to_owned(),
        false => texts.into_iter().collect::<Vec<String>>().join("; "),
    };
    side
}

fn filter_text(filter: &RowFilter) -> String {
    let name = filter.name();
    match filter {
        RowFilter::Where { sql, .. } => format!("{name}: {sql}"),
        RowFilter::OneSubject { key } => format!("{name}: {key}"),
        RowFilter::Retention { column, keep, .. } => format!("{name}: {column}, {keep}"),
        RowFilter::Children {
            key,
            root,
            birth_date,
            under,
            unknown_is_child,
            ..
        } => {
            let unknown = if *unknown_is_child { ", unknown too" } else { "" };
            format!("{name}: under {under} by {root}.{birth_date} of {key}{unknown}")
        }
        RowFilter::Transfer {
            key,
            root,
            region,
            restricted,
            ..
        } => format!("{name}: not {} by {root}.{region} of {key}", restricted.join(", ")),
        RowFilter::Consent(condition) => format!("{name}: {}", condition_text(condition)),
    }
}

/// What may be written into a table, and what of it only with consent.
pub(super) fn writes(
    policy: &Policy,
    role: &str,
    purpose: &str,
    table: &QualifiedName,
    columns: &[&str],
    now: OffsetDateTime,
) -> Side {
    let mut side = Side::new(String::new());
    if let Ok(admission) = policy.assume(role, policy.tables.get(table), purpose, now) {
        for (verb, name) in [
            (Verb::Insert, "insert"),
            (Verb::Update, "update"),
            (Verb::Delete, "delete"),
        ] {
            if let Some(entry) = policy.write_entry(&admission, table, verb) {
                side.grants.insert(name.to_owned());
                let masked = entry.columns.iter().filter(|_| verb == Verb::Update);
                side.grants.extend(masked.map(|column| format!("update of {column}")));
            }
        }
        if !side.grants.is_empty() {
            let asked = columns
                .iter()
                .filter(|column| policy.collection_condition(&admission, table, column).is_some());
            side.limits
                .extend(asked.map(|column| (format!("{column} with consent"), 0)));
        }
    }
    let words: Vec<&str> = side
        .grants
        .iter()
        .chain(side.limits.keys())
        .map(String::as_str)
        .collect();
    side.text = match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    };
    side
}

/// A key of the rules as a whole, how it reads, and whether a change of it shows more.
pub(super) type RulesKey = (&'static str, fn(&Policy) -> String, fn(&Policy, &Policy) -> bool);

pub(super) const RULES: [RulesKey; 5] = [
    (
        "mode",
        |policy| {
            if policy.mode == Mode::Observe {
                "observe"
            } else {
                "enforce"
            }
            .to_owned()
        },
        |_, new| new.mode == Mode::Observe,
    ),
    (
        "contact",
        |policy| policy.contact.clone().unwrap_or_default(),
        |_, _| false,
    ),
    ("unclassified", unclassified_text, |old, new| {
        new.unclassified.table > old.unclassified.table || new.unclassified.column > old.unclassified.column
    }),
    (
        "functions",
        |policy| functions(policy).into_iter().collect::<Vec<&str>>().join("; "),
        |old, new| !functions(new).is_subset(&functions(old)),
    ),
    (
        "consent",
        |policy| policy.consent.as_ref().map(consent_text).unwrap_or_default(),
        |_, new| new.consent.is_some(),
    ),
];

fn functions(policy: &Policy) -> BTreeSet<&str> {
    policy
        .functions_allowed
        .iter()
        .map(|(signature, _)| signature.as_str())
        .collect()
}

fn unclassified_text(policy: &Policy) -> String {
    let text = |form| match form {
        UnclassifiedForm::Refuse => "refuse",
        UnclassifiedForm::Hidden => "hidden",
        UnclassifiedForm::Raw => "raw",
    };
    format!(
        "table: {}, column: {}",
        text(policy.unclassified.table),
        text(policy.unclassified.column)
    )
}

fn consent_text(consent: &ConsentTable) -> String {
    let columns = [
        Some(&consent.subject),
        Some(&consent.purpose),
        Some(&consent.status),
        consent.expires.as_ref(),
        consent.recorded_at.as_ref(),
    ];
    let columns: Vec<&str> = columns.into_iter().flatten().map(String::as_str).collect();
    format!(
        "{}({}), given: {}, withdrawn: {}, third parties: {}",
        consent.table,
        columns.join(", "),
        consent.given.join(", "),
        consent.withdrawn.join(", "),
        consent.third_party.as_deref().unwrap_or("none")
    )
}
