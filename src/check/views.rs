//! Views that cannot be read through, found by examining `SELECT * FROM` each of them.

use std::sync::Arc;

use crate::catalog::{Catalog, Relation, RelationKind, SearchPath};
use crate::pipeline::{self, Context, PreparedNames, Refusal, Standing};
use crate::policy::{Code, Declaration, Policy};
use crate::rewrite::quote;
use crate::rules::{DiagnosticCode, Diagnostics};
use crate::sql::ClientSql;
use crate::sql::resolve::is_system;

use super::Rules;

struct NoNames;

impl PreparedNames for NoNames {
    fn upstream_name(&self, _: &str) -> Option<String> {
        None
    }
}

pub(super) fn find(rules: &Rules<'_>, catalog: &Catalog, findings: &mut Diagnostics) {
    let (policy, anybody) = rules.policy.with_anybody();
    let plain = policy
        .purposes_for_role_on(&anybody.name, rules.today)
        .into_iter()
        .find(|purpose| !purpose.aggregate && !purpose.one_subject);
    let Some(purpose) = plain else {
        return;
    };
    let declared = Declaration {
        purpose: Some(purpose.name.clone()),
        reason: Some("check".to_owned()),
        ..Declaration::default()
    };
    let Ok(admission) = policy.admit(&anybody.name, &declared, rules.now()) else {
        return;
    };
    let standing = Standing::Admitted(admission);
    for relation in catalog.relations.iter().filter(|relation| is_own_view(relation)) {
        if let Err(refusal) = select_all(relation, &policy, standing, catalog, &anybody.name)
            && is_about_reading(refusal.code)
        {
            let message = format!("view `{}` cannot be read through: {}", relation.name, refusal.message);
            let finding = rules.unplaced(DiagnosticCode::ViewUnreadable, &relation.name, message);
            findings.push(match refusal.hint {
                Some(hint) => finding.help(hint),
                None => finding.help("statements that name it are refused; name its tables instead"),
            });
        }
    }
}

fn is_own_view(relation: &Relation) -> bool {
    relation.kind == RelationKind::View && !is_system(relation) && relation.extension.is_none()
}

fn select_all(
    view: &Relation,
    policy: &Policy,
    standing: Standing<'_>,
    catalog: &Catalog,
    role: &str,
) -> Result<(), Refusal> {
    let text = format!("SELECT * FROM {}", quote::qualified(&view.name));
    let sql = ClientSql::new(&text).map_err(|e| Refusal::unread(e.to_string()))?;
    let parsed = pipeline::parse(Arc::new(sql))?;
    let context = Context {
        policy,
        catalog,
        role,
        standing,
        search_path: &SearchPath::new(&[], role, catalog),
        prepared: &NoNames,
    };
    pipeline::examine(&parsed, &[context]).map(drop)
}

/// Other refusals are the rules' answer for one purpose, or a gap that is told of the table.
const fn is_about_reading(code: Code) -> bool {
    match code {
        Code::FunctionNotAllowed | Code::NotUnderstood | Code::NotVerified | Code::StatementNotAllowed => true,
        Code::PurposeMissing
        | Code::PurposeUnknown
        | Code::PurposeProhibited
        | Code::PurposeExpired
        | Code::PurposeNotGranted
        | Code::PurposeConflict
        | Code::ReasonMissing
        | Code::SubjectMissing
        | Code::RecipientNotAssured
        | Code::TransferNotAllowed
        | Code::ColumnRefused
        | Code::PredicateRefused
        | Code::TableUnclassified
        | Code::ColumnUnclassified
        | Code::WriteNotAllowed
        | Code::ClassificationDowngrade
        | Code::ChildData
        | Code::AggregateRequired
        | Code::TooManyRows
        | Code::TooManyQueries
        | Code::AuditUnavailable => false,
    }
}
