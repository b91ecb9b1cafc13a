//! Two decisions for one statement, and what differs between them.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::recorded::{Decision, Key, Log};
use crate::catalog::Catalog;
use crate::cli::decision::{self, Question};
use crate::policy::{Declaration, Policy};
use crate::rules::PolicySet;

/// What would change, the graver first, and how much was replayed.
pub(super) struct Replayed {
    pub(super) changes: Vec<Change>,
    /// Different statements.
    pub(super) shapes: usize,
    /// How often they were recorded.
    pub(super) calls: u64,
    pub(super) left_out: u64,
}

/// A decision that would change.
pub(super) struct Change {
    pub(super) kind: &'static str,
    pub(super) calls: u64,
    pub(super) role: String,
    pub(super) purpose: Option<String>,
    pub(super) statement: String,
    /// The outcome, with the code of a refusal.
    pub(super) was: String,
    pub(super) would_be: String,
    /// `care.customers.email: raw, would be hidden`
    pub(super) columns: Vec<String>,
    /// The refusal's words.
    pub(super) why: Option<String>,
}

/// The kinds of changes, in the order in which they are shown.
const KINDS: [&str; 4] = [
    "would be refused",
    "would be served",
    "would show other forms",
    "would show other rows",
];

/// Replays a log.
pub(super) fn compare(
    log: &Log,
    candidate: &PolicySet,
    before: Option<&PolicySet>,
    catalog: &Catalog,
    search_path: &[String],
) -> Replayed {
    let mut replayed = Replayed {
        changes: Vec::new(),
        shapes: 0,
        calls: 0,
        left_out: log.left_out,
    };
    let after = candidate.for_database(&catalog.database);
    let before_policy = before.map(|set| set.for_database(&catalog.database));
    for (key, (calls, recorded)) in &log.statements {
        let decide = |policy: Option<&Policy>| match policy {
            Some(policy) => decide(policy, catalog, key, search_path),
            None => (
                Decision {
                    outcome: "refuse".into(),
                    ..Decision::default()
                },
                Some("no rules speak for this database".into()),
            ),
        };
        let was = match &before_policy {
            Some(policy) => decide(policy.as_deref()).0,
            None => recorded.clone(),
        };
        let (would_be, why) = decide(after.as_deref());
        replayed.shapes += 1;
        replayed.calls += calls;
        replayed.changes.extend(change(key, *calls, &was, &would_be, why));
    }
    let rank = |kind: &str| KINDS.iter().position(|known| *known == kind);
    replayed
        .changes
        .sort_by(|a, b| rank(a.kind).cmp(&rank(b.kind)).then(b.calls.cmp(&a.calls)));
    replayed
}

fn decide(policy: &Policy, catalog: &Catalog, key: &Key, search_path: &[String]) -> (Decision, Option<String>) {
    // Any subject will do: what is decided does not depend on which.
    let mut roots = policy.roots();
    let subject = match (key.subject, roots.next(), roots.next()) {
        (false, _, _) => None,
        (true, Some((root, _)), Some(_)) => Some(format!("{root}:1")),
        (true, _, _) => Some("1".to_owned()),
    };
    let declared = Declaration {
        purpose: key.purpose.clone(),
        reason: key.reason.then(|| "replayed".to_owned()),
        subject,
        actor: None,
    };
    let question = Question {
        policy,
        catalog,
        role: &key.role,
        declared: &declared,
        search_path,
        now: OffsetDateTime::now_utc(),
    };
    let decided = question.decide(&key.statement);
    let facts = decision::summary(&decided.result);
    let why = decided.result.err().map(|refusal| refusal.message);
    let forms = facts
        .fields
        .iter()
        .map(|field| (field.column.clone(), field.form.to_owned()));
    let decision = Decision {
        outcome: facts.outcome.as_str().to_owned(),
        code: facts.code.map(|code| code.as_str().to_owned()),
        forms: forms.collect(),
        row_filters: facts.row_filters.iter().map(|filter| (*filter).to_owned()).collect(),
    };
    (decision, why)
}

fn change(key: &Key, calls: u64, was: &Decision, would_be: &Decision, why: Option<String>) -> Option<Change> {
    let refused = |decision: &Decision| decision.code.is_some();
    let columns = match refused(was) || refused(would_be) {
        true => Vec::new(),
        false => forms(&was.forms, &would_be.forms),
    };
    let kind = match (refused(was), refused(would_be)) {
        (false, true) => "would be refused",
        (true, false) => "would be served",
        (true, true) if was.code != would_be.code => "would be refused",
        (true, true) => return None,
        (false, false) if !columns.is_empty() => "would show other forms",
        (false, false) if was.row_filters != would_be.row_filters => "would show other rows",
        (false, false) => return None,
    };
    let shown = |decision: &Decision| match (&decision.code, decision.row_filters.as_slice()) {
        (Some(code), _) => format!("{} ({code})", decision.outcome),
        (None, []) => decision.outcome.clone(),
        (None, filters) => format!("{} (rows by {})", decision.outcome, filters.join(", ")),
    };
    Some(Change {
        kind,
        calls,
        role: key.role.clone(),
        purpose: key.purpose.clone(),
        statement: key.statement.clone(),
        was: shown(was),
        would_be: shown(would_be),
        columns,
        why: why.filter(|_| refused(would_be)),
    })
}

fn forms(was: &BTreeMap<String, String>, would_be: &BTreeMap<String, String>) -> Vec<String> {
    let differs = |(column, form): (&String, &String)| {
        let now = would_be.get(column).map_or("not used", String::as_str);
        (now != form).then(|| format!("{column}: {form}, would be {now}"))
    };
    was.iter().filter_map(differs).collect()
}
