//! What ends: assurances of recipients, and purposes.

use time::{Date, Duration};

use crate::policy::{Recipient, RecipientKind};
use crate::rules::{DiagnosticCode, Diagnostics};

use super::{Rules, listed};

/// How long before the end it is told.
const SOON: Duration = Duration::days(30);

pub(super) fn find(rules: &Rules<'_>, findings: &mut Diagnostics) {
    for recipient in rules.policy.recipients.values() {
        assurances(rules, recipient, findings);
    }
    for purpose in rules.policy.purposes.values().filter(|purpose| !purpose.prohibited) {
        let Some(end) = purpose.expires else {
            continue;
        };
        let name = &purpose.name;
        if purpose.is_expired(rules.today) {
            let message = format!("purpose `{name}` ended on {end}: nobody can act for it");
            findings.push(rules.finding(DiagnosticCode::Expired, &purpose.place, message));
        } else if is_soon(rules, end) {
            let message = format!("purpose `{name}` ends on {end}");
            let finding = rules.finding(DiagnosticCode::ExpiresSoon, &purpose.place, message);
            findings.push(finding.help("renew `expires` if it is needed longer"));
        }
    }
}

fn is_soon(rules: &Rules<'_>, end: Date) -> bool {
    end - rules.today <= SOON
}

fn assurances(rules: &Rules<'_>, recipient: &Recipient, findings: &mut Diagnostics) {
    let name = &recipient.name;
    let holding = recipient.assurances.iter().filter(|a| a.holds(rules.today));
    let ends: Vec<Option<Date>> = holding.map(|assurance| assurance.expires).collect();
    if ends.contains(&None) {
        return;
    }
    let refused = consequence(rules, recipient);
    match ends.iter().flatten().max() {
        Some(end) if is_soon(rules, *end) => {
            let message = format!("the last assurance of recipient `{name}` ends on {end}: {refused}");
            let finding = rules.finding(DiagnosticCode::ExpiresSoon, &recipient.place, message);
            findings.push(finding.help("renew it in time, or add another to its `assurances`"));
        }
        Some(_) => {}
        None if recipient.kind == RecipientKind::Processor || !recipient.assurances.is_empty() => {
            let message = format!("recipient `{name}` has no unexpired assurance: {refused}");
            findings.push(rules.finding(DiagnosticCode::Expired, &recipient.place, message));
        }
        None => {}
    }
}

/// What follows for whom.
fn consequence(rules: &Rules<'_>, recipient: &Recipient) -> String {
    let of_it = |recipient_of: &Option<String>| recipient_of.as_deref() == Some(&recipient.name);
    let roles = rules.policy.roles.values().filter(|role| of_it(&role.recipient));
    let roles: Vec<&str> = roles.map(|role| role.name.as_str()).collect();
    if roles.is_empty() {
        return "no role is of this recipient".to_owned();
    }
    match recipient.kind {
        RecipientKind::Processor => format!("then {} may not act at all", listed(&roles)),
        RecipientKind::ThirdParty => format!("then {} gets no data of restricted regions", listed(&roles)),
    }
}
