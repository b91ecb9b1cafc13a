//! Tables of one data subject whose rows are filtered differently: the anti-join tells whose rows
//! are left out (those of who refused, say).
//!
//! Looked at are `on_no_consent: row`, and row filters of a root. `children`, `transfers` and
//! `scope: one_subject` hold in all tables of a subject alike; what a row filter of another table is
//! about cannot be known.

use std::collections::BTreeSet;

use crate::policy::{Condition, Form, Place, Purpose, RowFilter, TableDecision, TableRule};
use crate::rules::{DiagnosticCode, Diagnostics};

use super::Rules;

/// A table, and what is decided for it.
struct Seen<'a> {
    table: &'a TableRule,
    decision: TableDecision,
    /// The column that holds the subject's key, and the root that it refers to.
    key: &'a str,
    root: String,
}

pub(super) fn find(rules: &Rules<'_>, findings: &mut Diagnostics) {
    // Once for each pair of tables, whatever the purposes.
    let mut reported: BTreeSet<(&Place, &Place)> = BTreeSet::new();
    for (role, purpose) in rules.ways() {
        if purpose.aggregate {
            continue;
        }
        let seen: Vec<Seen<'_>> = rules
            .policy
            .tables
            .values()
            .filter_map(|table| {
                let subject = rules.policy.subject_of_table(table)?;
                Some(Seen {
                    table,
                    decision: rules.decide(role, purpose, table)?,
                    key: subject.key,
                    root: subject.root.to_string(),
                })
            })
            .collect();
        for filtered in seen.iter().filter(|seen| leaves_people_out(seen)) {
            for other in seen.iter().filter(|seen| seen.root == filtered.root) {
                if shows_whom_it_leaves_out(other, filtered)
                    && reported.insert((&filtered.table.place, &other.table.place))
                {
                    report(rules, purpose, filtered, other, findings);
                }
            }
        }
    }
}

fn leaves_people_out(seen: &Seen<'_>) -> bool {
    shows_key(seen, None) && (refusals(seen).next().is_some() || is_filtered_root(seen))
}

fn refusals<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = &'s Condition> {
    seen.decision.filters.iter().filter_map(|filter| match filter {
        RowFilter::Consent(condition) => Some(condition),
        RowFilter::Where { .. }
        | RowFilter::OneSubject { .. }
        | RowFilter::Retention { .. }
        | RowFilter::Children { .. }
        | RowFilter::Transfer { .. } => None,
    })
}

fn has_row_filter(seen: &Seen<'_>) -> bool {
    seen.decision
        .filters
        .iter()
        .any(|filter| matches!(filter, RowFilter::Where { .. }))
}

fn is_filtered_root(seen: &Seen<'_>) -> bool {
    seen.root == seen.table.name.to_string() && has_row_filter(seen)
}

/// The key is released in rows of who does not meet `condition`, in a form that can be joined.
fn shows_key(seen: &Seen<'_>, condition: Option<&Condition>) -> bool {
    let column = seen.decision.columns.iter().find(|column| column.column == seen.key);
    let asks = |of: &Condition, other: &Condition| of.opt_in == other.opt_in && of.purposes == other.purposes;
    column.is_some_and(|column| {
        let joinable = match &column.form {
            Form::Raw => true,
            Form::Masked(mask) => matches!(mask.name(), "pseudonym" | "hash"),
            Form::Hidden | Form::Refuse => false,
        };
        joinable && !condition.is_some_and(|condition| column.conditions.iter().any(|own| asks(own, condition)))
    })
}

fn shows_whom_it_leaves_out(other: &Seen<'_>, filtered: &Seen<'_>) -> bool {
    if other.table.name == filtered.table.name {
        return false;
    }
    let leaves_out_too = |condition: &Condition| {
        refusals(other).any(|own| own.opt_in == condition.opt_in && own.purposes == condition.purposes)
    };
    let refused = refusals(filtered).any(|condition| !leaves_out_too(condition) && shows_key(other, Some(condition)));
    refused || (is_filtered_root(filtered) && !has_row_filter(other) && shows_key(other, None))
}

fn report(rules: &Rules<'_>, purpose: &Purpose, filtered: &Seen<'_>, other: &Seen<'_>, findings: &mut Diagnostics) {
    let by_refusal = refusals(filtered).next().is_some();
    let what = if by_refusal {
        "who refused"
    } else {
        "whom its row filter is about"
    };
    let message = format!(
        "for purpose `{}` `{}` shows keys that `{}` leaves out: who is in the one and not in the other tells {what}",
        purpose.name, other.table.name, filtered.table.name
    );
    let help = if by_refusal {
        format!(
            "give `{}` `on_no_consent: row` too, or hide its `{}`",
            other.table.name, other.key
        )
    } else {
        format!(
            "give `{}` a row filter for `{}` too, or hide its `{}`",
            other.table.name, purpose.name, other.key
        )
    };
    let finding = rules.finding(DiagnosticCode::FilteredDifferently, &other.table.place, message);
    let finding = finding.object(&other.table.name).label("shows them").help(help);
    findings.push(rules.set.related(finding, &filtered.table.place, "leaves them out"));
}
