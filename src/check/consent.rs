//! The consent table: of the form that its section says, and not to be written by those whose view
//! of the data depends on it.

use crate::catalog::Catalog;
use crate::policy::{Condition, ConsentTable, Form, Role, RowFilter, Verb, WriteEntry};
use crate::rewrite::obligation::{Target, condition_sql};
use crate::rules::{DiagnosticCode, Diagnostics};

use super::Rules;

/// Roles that could record a consent and then read what it stands for.
pub(super) fn find_writers(rules: &Rules<'_>, findings: &mut Diagnostics) {
    let Some(consent) = &rules.policy.consent else {
        return;
    };
    for role in rules.policy.roles.values() {
        let Some(write) = writes(rules, role, consent) else {
            continue;
        };
        let Some(purpose) = depends(rules, role) else {
            continue;
        };
        let message = format!(
            "role `{}` may write the consent records on which depends what it sees for purpose `{purpose}`",
            role.name
        );
        let finding = rules
            .finding(DiagnosticCode::ConsentWritable, &write.place, message)
            .object(&consent.table)
            .help(format!(
                "let a role that does not act for `{purpose}` keep the records of `{}`",
                consent.table
            ));
        findings.push(rules.set.related(finding, &role.place, "this role"));
    }
}

fn writes<'a>(rules: &Rules<'a>, role: &Role, consent: &ConsentTable) -> Option<&'a WriteEntry> {
    let table = rules.policy.tables.get(&consent.table)?;
    rules.purposes_of(role).into_iter().find_map(|purpose| {
        let admission = rules.admission(role, purpose, table)?;
        let entry = |verb| rules.policy.write_entry(&admission, &consent.table, verb);
        [Verb::Insert, Verb::Update, Verb::Delete].into_iter().find_map(entry)
    })
}

/// A purpose of the role for which something is shown to it under a condition of consent.
fn depends<'a>(rules: &Rules<'a>, role: &Role) -> Option<&'a str> {
    let conditional = |purpose| {
        rules.policy.tables.values().any(|table| {
            rules.decide(role, purpose, table).is_some_and(|decision| {
                decision.columns.iter().any(|column| !column.conditions.is_empty())
                    || decision
                        .filters
                        .iter()
                        .any(|filter| matches!(filter, RowFilter::Consent(_)))
                        && decision.columns.iter().any(|column| column.form != Form::Hidden)
            })
        })
    };
    let found = rules.purposes_of(role).into_iter().find(|purpose| conditional(purpose));
    found.map(|purpose| purpose.name.as_str())
}

/// The section against the schema: as the statements of the proxy will use the table.
pub(super) fn find_misfits(rules: &Rules<'_>, catalog: &Catalog, findings: &mut Diagnostics) {
    let Some(consent) = &rules.policy.consent else {
        return;
    };
    let mut report = |why: String| {
        let finding = rules.finding(DiagnosticCode::ConsentMisfit, &consent.place, why);
        findings.push(finding.object(&consent.table));
    };
    let Some(relation) = catalog.relation(&consent.table) else {
        // Where it has an entry, that is reported there.
        if !rules.policy.tables.contains_key(&consent.table) {
            report(format!("there is no consent table `{}`", consent.table));
        }
        return;
    };
    let named = [
        Some(("subject", &consent.subject)),
        Some(("purpose", &consent.purpose)),
        Some(("status", &consent.status)),
        consent.expires.as_ref().map(|column| ("expires", column)),
        consent.recorded_at.as_ref().map(|column| ("recorded_at", column)),
    ];
    let mut missing = false;
    for (key, column) in named.into_iter().flatten() {
        if relation.column(column).is_none() {
            missing = true;
            report(format!(
                "`{key}` of `consent`: `{}` has no column `{column}`",
                consent.table
            ));
        }
    }
    if let (false, Some(why)) = (missing, unusable(rules, catalog)) {
        report(why);
    }
}

/// Why the condition on a consent of a root's own rows cannot be written.
fn unusable(rules: &Rules<'_>, catalog: &Catalog) -> Option<String> {
    let root = rules.policy.consent_root()?;
    let key = &rules.policy.root(root)?.key;
    catalog.relation(root)?.column(key)?;
    let condition = Condition {
        key: key.clone(),
        root: root.clone(),
        opt_in: true,
        purposes: rules.policy.purposes.keys().take(1).cloned().collect(),
    };
    let target = Target {
        table: root,
        alias: "root",
    };
    let problem = condition_sql(&condition, &target, rules.policy, catalog).err()?;
    Some(format!("`consent` does not fit: {problem}"))
}
