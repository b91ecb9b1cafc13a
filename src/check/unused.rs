//! What the rules say in vain: release entries that never decide, purposes that nobody may act for.

use std::collections::BTreeSet;

use crate::policy::{Place, ReleaseEntry, ReleaseTarget, within};
use crate::rules::{DiagnosticCode, Diagnostics};

use super::{Rules, speaking};

pub(super) fn find(rules: &Rules<'_>, findings: &mut Diagnostics) {
    silent_entries(rules, findings);
    unused_purposes(rules, findings);
}

fn silent_entries(rules: &Rules<'_>, findings: &mut Diagnostics) {
    let mut speak: BTreeSet<&Place> = BTreeSet::new();
    speaking::entries(rules.policy, |speaking| {
        speak.insert(&speaking.entry.place);
    });
    for entry in &rules.policy.release {
        if speak.contains(&entry.place) {
            continue;
        }
        let finding = rules.finding(
            DiagnosticCode::NeverSpeaks,
            &entry.place,
            "this release entry never decides",
        );
        findings.push(finding.help(why_silent(rules, entry)));
    }
}

fn why_silent(rules: &Rules<'_>, entry: &ReleaseEntry) -> String {
    let prohibited = |name: &String| {
        rules
            .policy
            .purposes
            .get(name)
            .is_some_and(|purpose| purpose.prohibited)
    };
    if entry.purposes.iter().all(prohibited) {
        return "all its purposes are prohibited: take it away".to_owned();
    }
    let matched = rules.policy.tables.values().any(|table| {
        let columns = table.columns.iter().map(|(name, rule)| (name.as_str(), rule));
        let mut columns = columns.chain(table.all_columns.iter().map(|rule| ("*", rule)));
        columns.any(|(name, rule)| match &entry.target {
            ReleaseTarget::Categories(categories) => categories.iter().any(|of| within(&rule.category, of)),
            ReleaseTarget::Columns(named) => named.iter().any(|(of, column)| *of == table.name && column == name),
        })
    });
    if matched {
        "entries that name a column, a deeper category or a deeper purpose go before it everywhere: \
         take it away, or name what it was meant for"
            .to_owned()
    } else {
        "no column of any table has such a data category: classify one so, or take the entry away".to_owned()
    }
}

fn unused_purposes(rules: &Rules<'_>, findings: &mut Diagnostics) {
    let policy = rules.policy;
    if policy.roles.is_empty() {
        if !policy.purposes.is_empty() {
            let message = "there are no roles, so that nobody may act for any purpose";
            let finding = rules.set.finding(DiagnosticCode::UnusedPurpose, None, message);
            findings.push(finding.help("name the database roles of your applications under `roles`"));
        }
        return;
    }
    let used = |name: &str| policy.roles.values().any(|role| role.may_use(name));
    for purpose in policy.purposes.values() {
        let below = || policy.purposes.keys().filter(|name| within(name, &purpose.name));
        // What a file of a sub-folder declares is there to choose from.
        let offered = purpose.place.file.contains('/');
        if offered || purpose.prohibited || purpose.is_expired(rules.today) || below().any(|name| used(name)) {
            continue;
        }
        let message = format!("no role may act for purpose `{}`", purpose.name);
        let help = "grant it to a role, mark it `prohibited: true`, or take it away";
        let finding = rules.finding(DiagnosticCode::UnusedPurpose, &purpose.place, message);
        findings.push(finding.help(help));
    }
}
