//! Functions: those that the rules allow must exist and not step around the tables; those that they
//! do not allow are told of, since clients cannot call them.

use crate::catalog::{Catalog, Function, FunctionResult, TypeKind, lists};
use crate::policy::nearest;
use crate::rules::{DiagnosticCode, Diagnostics};

use super::Rules;

/// `pg_type.oid` of `trigger` and `event_trigger`: nobody calls such a function.
const TRIGGERS: [u32; 2] = [2279, 3838];

pub(super) fn find(rules: &Rules<'_>, catalog: &Catalog, findings: &mut Diagnostics) {
    let own: Vec<&Function> = catalog.functions.iter().filter(|f| is_own(f)).collect();
    allowed(rules, catalog, &own, findings);
    for function in own {
        let trusted = function.extension.as_deref().is_some_and(lists::trusted_extension);
        if function.extension.is_some() || trusted || is_trigger(function) || is_allowed(rules, function) {
            continue;
        }
        let message = format!("function `{}` cannot be called: no rule allows it", function.signature);
        let help = format!(
            "if it reads no protected data: functions: {{allow: [\"{}\"]}}",
            function.signature
        );
        let finding = rules.unplaced(DiagnosticCode::FunctionRefused, &function.signature, message);
        findings.push(finding.help(help));
    }
}

fn is_own(function: &Function) -> bool {
    !matches!(function.name.schema.as_str(), "pg_catalog" | "information_schema")
}

fn is_trigger(function: &Function) -> bool {
    matches!(function.result, FunctionResult::Type(oid) if TRIGGERS.contains(&oid))
}

/// PostgreSQL leaves its own schema out when it prints one.
fn spelt(signature: &str) -> String {
    let signature = signature.strip_prefix("pg_catalog.").unwrap_or(signature);
    signature.chars().filter(|c| *c != ' ').collect()
}

fn is_allowed(rules: &Rules<'_>, function: &Function) -> bool {
    let signature = spelt(&function.signature);
    rules
        .policy
        .functions_allowed
        .iter()
        .any(|(allowed, _)| spelt(allowed) == signature)
}

fn allowed(rules: &Rules<'_>, catalog: &Catalog, own: &[&Function], findings: &mut Diagnostics) {
    for (signature, place) in &rules.policy.functions_allowed {
        let found = catalog
            .functions
            .iter()
            .find(|f| spelt(&f.signature) == spelt(signature));
        let Some(function) = found else {
            let message = format!("database `{}` has no function `{signature}`", catalog.database);
            let finding = rules.finding(DiagnosticCode::UnknownFunction, place, message);
            findings.push(match likely(signature, own) {
                Some(other) => finding.help(format!("did you mean `{other}`?")),
                None => finding.help("write it with schema and types, such as app.initials(text)"),
            });
            continue;
        };
        if let FunctionResult::Type(oid) = function.result
            && let Some(TypeKind::Composite(relation)) = catalog.type_by_oid(oid).map(|found| found.kind)
            && let Some(relation) = catalog.relation_by_oid(relation)
            && rules.policy.is_protected(&relation.name)
        {
            let message = format!(
                "function `{signature}` returns rows of `{}` past the rules",
                relation.name
            );
            let finding = rules.finding(DiagnosticCode::FunctionUncovers, place, message);
            findings.push(finding.object(&relation.name).help("take it off the list"));
        }
    }
}

/// Of the same name with other arguments, or of a name that is near.
fn likely<'c>(signature: &str, own: &[&'c Function]) -> Option<&'c str> {
    let name = signature.split('(').next().unwrap_or_default();
    let same = own.iter().find(|f| f.name.to_string() == name);
    same.map(|f| f.signature.as_str())
        .or_else(|| nearest(signature, own.iter().map(|f| f.signature.as_str())))
}
