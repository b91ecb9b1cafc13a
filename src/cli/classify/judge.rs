//! What a column holds, by all that is known of it: each piece of evidence speaks for a category, and they
//! add up as independent ones do.

use super::{names, values};
use crate::catalog::{Catalog, Column, Relation};
use crate::upstream::samples::Surroundings;

/// Less than this is not proposed.
const LEAST: f64 = 0.5;

/// So many values are needed to speak for or against a name.
const ENOUGH: usize = 5;

/// What was found out about a column.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) column: String,
    /// `system` where nothing personal was found.
    pub(super) category: &'static str,
    /// From 0 to 1; of `system` too, where it is how sure that nothing is in it.
    pub(super) confidence: f64,
    pub(super) evidence: Vec<String>,
    /// Its values are sentences, each its own: in a table about people they are likely about them.
    pub(super) sentences: bool,
}

/// One reason for a category.
struct Hint {
    category: &'static str,
    weight: f64,
    why: String,
}

/// Judges the columns of a table; `samples` are the values of each, in the same order.
pub(super) fn table(
    relation: &Relation,
    around: &Surroundings,
    catalog: &Catalog,
    samples: &[Vec<String>],
) -> Vec<Finding> {
    let nobody = Vec::new();
    let columns = || {
        relation
            .columns
            .iter()
            .zip(samples.iter().chain(std::iter::repeat(&nobody)))
    };
    let named = names::of_people(&relation.name.name);
    // Columns that only people have make it a table of people, whatever it is called.
    let sure = columns().filter(|(column, values)| {
        let found = judge(column, relation, around, catalog, values, false);
        found.category.starts_with("user.name") || found.category.starts_with("user.contact")
    });
    let of_people = named || sure.count() >= 2;
    columns()
        .map(|(column, values)| judge(column, relation, around, catalog, values, of_people))
        .collect()
}

fn judge(
    column: &Column,
    relation: &Relation,
    around: &Surroundings,
    catalog: &Catalog,
    values: &[String],
    of_people: bool,
) -> Finding {
    let kind = catalog.type_by_oid(column.type_oid).map_or('U', |t| t.category);
    let base = catalog
        .type_by_oid(column.type_oid)
        .map(|t| t.name.name.as_str())
        .unwrap_or_default();
    let key = relation.primary_key == [column.number]
        || around
            .foreign_keys
            .iter()
            .any(|f| f.table == relation.oid && f.column == column.number);
    let mut hints = Vec::new();
    if !key {
        hints.extend(by_name(column, kind, of_people, values));
        if let Some(comment) = around.comments.get(&(relation.oid, column.number)) {
            hints.extend(by_comment(comment, of_people));
        }
        if matches!(kind, 'S' | 'U' | 'I') || base == "int8" || base == "numeric" {
            hints.extend(by_values(values, of_people, base));
        }
        if matches!(base, "inet" | "cidr") {
            hints.push(hint("user.device.ip_address", 0.6, "its type is inet"));
        }
        if matches!(base, "macaddr" | "macaddr8") {
            hints.push(hint("user.device.device_id", 0.7, "its type is macaddr"));
        }
    }
    Finding {
        sentences: kind == 'S' && !key && are_sentences(values),
        ..decide(column, hints, values.len())
    }
}

/// Several words each, and most of them written once.
fn are_sentences(values: &[String]) -> bool {
    let words: usize = values.iter().map(|value| value.split_whitespace().count()).sum();
    let distinct: std::collections::HashSet<&String> = values.iter().collect();
    values.len() >= ENOUGH && words >= values.len() * 3 && distinct.len() * 5 >= values.len()
}

fn hint(category: &'static str, weight: f64, why: impl Into<String>) -> Hint {
    let why = why.into();
    Hint { category, weight, why }
}

fn by_name(column: &Column, kind: char, of_people: bool, values: &[String]) -> Option<Hint> {
    let (category, mut weight, words) = names::says(&column.name, of_people)?;
    // What is said in words is no number or date, and a date of birth is a date.
    let fits = match kind {
        'D' => category.ends_with("date_of_birth") || category == "user.workplace" || category == "user.behavior",
        'N' => [
            "financial",
            "government_id",
            "phone",
            "postal",
            "age_range",
            "health",
            "location",
            "fax",
        ]
        .iter()
        .any(|part| category.contains(part)),
        'B' => category.contains("health") || category.contains("demographic"),
        'A' => !category.ends_with("date_of_birth"),
        _ => true,
    };
    if !fits {
        return None;
    }
    let mut why = format!("its name says {words:?}");
    let detector = values::DETECTORS.iter().find(|d| d.category == category);
    if let (Some(detector), true) = (detector, values.len() >= ENOUGH && kind == 'S') {
        let share = values::share(values, detector.looks);
        let formal = matches!(
            detector.what,
            "e-mail addresses" | "IP addresses" | "telephone numbers by their form"
        );
        if formal && share < 0.1 && !category.ends_with("phone_number") {
            weight *= 0.4;
            why += &format!(", but its values are no {}", detector.what);
        }
    }
    Some(hint(category, weight, why))
}

fn by_comment(comment: &str, of_people: bool) -> Option<Hint> {
    let (category, weight, words) = names::says(comment, of_people)?;
    // Words of a sentence say less than a name made of them; single ones say little.
    let weight = weight * if words.contains(' ') { 0.7 } else { 0.5 };
    Some(hint(category, weight, format!("its comment says {words:?}")))
}

fn by_values(values: &[String], of_people: bool, base: &str) -> Vec<Hint> {
    if values.len() < ENOUGH {
        return Vec::new();
    }
    let numbers = matches!(base, "int8" | "numeric");
    let mut hints = Vec::new();
    for detector in values::DETECTORS {
        let share = values::share(values, detector.looks);
        let of_numbers = detector.category == "user.financial.credit_card";
        if share < detector.least || (numbers && !of_numbers) {
            continue;
        }
        // Names and streets of something else are common.
        let weak = matches!(
            detector.category,
            "user.name" | "user.name.first" | "user.contact.address.street"
        );
        let weight = detector.confidence * share * if weak && !of_people { 0.5 } else { 1.0 };
        let percent = (share * 100.0).round();
        hints.push(hint(
            detector.category,
            weight,
            format!("{percent} % of its values look like {}", detector.what),
        ));
        break; // the more telling come first
    }
    hints
}

/// Adds the evidence for each category up; a deeper category gains from what speaks for its ancestor.
fn decide(column: &Column, hints: Vec<Hint>, looked_at: usize) -> Finding {
    let speaks_for = |category: &str, hint: &Hint| crate::policy::within(category, hint.category);
    let total = |category: &str| {
        let doubts = hints.iter().filter(|h| speaks_for(category, h)).map(|h| 1.0 - h.weight);
        1.0 - doubts.product::<f64>()
    };
    let best = hints
        .iter()
        .map(|h| (h.category, total(h.category)))
        .max_by(|a, b| a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal));
    let evidence = |category: &str| {
        let of = hints.iter().filter(|h| speaks_for(category, h));
        of.map(|h| h.why.clone()).collect::<Vec<String>>()
    };
    let column = column.name.clone();
    match best {
        Some((category, confidence)) if confidence >= LEAST => Finding {
            column,
            category,
            confidence,
            evidence: evidence(category),
            sentences: false,
        },
        Some((category, confidence)) => Finding {
            column,
            category: "system",
            confidence: 1.0 - confidence,
            evidence: vec![format!("perhaps {category}: {}", evidence(category).join(", "))],
            sentences: false,
        },
        None => Finding {
            column,
            category: "system",
            confidence: if looked_at >= ENOUGH { 0.8 } else { 0.6 },
            evidence: Vec::new(),
            sentences: false,
        },
    }
}
