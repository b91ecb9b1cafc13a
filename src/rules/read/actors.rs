//! `purposes`, `recipients`, `roles`, `transfers`.

use crate::policy::{Assurance, BreakGlass};

use super::super::diagnostic::Diagnostics;
use super::super::document::{PurposeDoc, RecipientDoc, RoleDoc, TransfersDoc};
use super::super::fields::{Fields, boolean, choice, date, list, number, scalar, small, text, texts};
use super::super::node::Node;
use super::super::shape;
use super::super::source::{Sp, Span};
use super::choices::{ASSURANCES, LEGAL_BASES, RECIPIENT_KINDS};
use super::{check_dotted, values};

pub(super) fn purpose(key: &Sp<String>, node: &Node, findings: &mut Diagnostics) -> Option<PurposeDoc> {
    check_dotted(key, "a purpose", findings)?;
    let fields = Fields::read(node, &shape::PURPOSE, findings)?;
    let get = |key| fields.get(key);
    Some(PurposeDoc {
        title: get("title").and_then(|n| text(n, "title", findings)).map(|t| t.value),
        legal_basis: get("legal_basis").and_then(|n| choice(n, "legal_basis", &LEGAL_BASES, findings)),
        compatible_with: get("compatible_with").and_then(|n| texts(n, "compatible_with", findings)),
        prohibited: get("prohibited").and_then(|n| boolean(n, "prohibited", findings)),
        aggregate: get("output").and_then(|n| choice(n, "output", &[("aggregate", true)], findings)),
        // A group of one is no statistic.
        min_group_size: get("min_group_size").and_then(|n| small(n, "min_group_size", 2, u32::MAX, findings)),
        one_subject: get("scope").and_then(|n| choice(n, "scope", &[("one_subject", true)], findings)),
        reason_required: get("reason").and_then(|n| choice(n, "reason", &[("required", true)], findings)),
        break_glass: get("break_glass").and_then(|n| break_glass(n, findings)),
        explain: get("explain").and_then(|n| boolean(n, "explain", findings)),
        ddl: get("ddl").and_then(|n| boolean(n, "ddl", findings)),
        max_rows: get("max_rows").and_then(|n| number(n, "max_rows", 1, i64::MAX.unsigned_abs() - 1, findings)),
        max_queries_per_day: get("max_queries_per_day")
            .and_then(|n| number(n, "max_queries_per_day", 1, i64::MAX.unsigned_abs() - 1, findings)),
        expires: get("expires").and_then(|n| date(n, "expires", findings)),
    })
}

fn break_glass(node: &Node, findings: &mut Diagnostics) -> Option<BreakGlass> {
    let fields = Fields::read(node, &shape::BREAK_GLASS, findings)?;
    let minutes = fields.require("max_minutes", findings)?;
    let max_minutes = small(minutes, "max_minutes", 1, 60 * 24 * 31, findings)?;
    Some(BreakGlass { max_minutes })
}

pub(super) fn recipient(key: &Sp<String>, node: &Node, findings: &mut Diagnostics) -> Option<RecipientDoc> {
    let fields = Fields::read(node, &shape::RECIPIENT, findings)?.at(&key.span);
    let kind = fields
        .require("kind", findings)
        .and_then(|n| choice(n, "kind", &RECIPIENT_KINDS, findings));
    let region = fields
        .get("region")
        .and_then(|n| text(n, "region", findings))
        .map(|region| region.value);
    let assurances = fields
        .get("assurances")
        .and_then(|n| list(n, "assurances", findings))
        .unwrap_or_default();
    let assurances = assurances.iter().filter_map(|n| assurance(n, findings)).collect();
    Some(RecipientDoc {
        kind: kind?,
        region,
        assurances,
    })
}

fn assurance(node: &Node, findings: &mut Diagnostics) -> Option<Assurance> {
    let fields = Fields::read(node, &shape::ASSURANCE, findings)?;
    let kind = fields
        .require("kind", findings)
        .and_then(|n| choice(n, "kind", &ASSURANCES, findings));
    // An `expires` that cannot be read must not become an assurance without end.
    let expires = match fields.get("expires") {
        Some(node) => Some(date(node, "expires", findings)?),
        None => None,
    };
    Some(Assurance { kind: kind?, expires })
}

pub(super) fn role(key: &Sp<String>, node: &Node, findings: &mut Diagnostics) -> Option<RoleDoc> {
    let fields = Fields::read(node, &shape::ROLE, findings)?.at(&key.span);
    let purposes = fields
        .require("purposes", findings)
        .and_then(|n| texts(n, "purposes", findings));
    let default_purpose = fields
        .get("default_purpose")
        .and_then(|n| text(n, "default_purpose", findings));
    let recipient = fields.get("recipient").and_then(|n| text(n, "recipient", findings));
    Some(RoleDoc {
        purposes: purposes.unwrap_or_default(),
        default_purpose,
        recipient,
    })
}

pub(super) fn transfers(key: &Span, node: &Node, findings: &mut Diagnostics) -> Option<TransfersDoc> {
    let fields = Fields::read(node, &shape::TRANSFERS, findings)?.at(key);
    let restricted = fields.require("restricted_regions", findings);
    let restricted = restricted.and_then(|n| regions(n, "restricted_regions", findings));
    let adequate = fields
        .get("adequate_regions")
        .and_then(|n| regions(n, "adequate_regions", findings));
    Some(TransfersDoc {
        restricted_regions: restricted?,
        adequate_regions: adequate.unwrap_or_default(),
    })
}

fn regions(node: &Node, what: &str, findings: &mut Diagnostics) -> Option<Vec<String>> {
    let items = list(node, what, findings)?;
    Some(values(
        items
            .iter()
            .filter_map(|item| scalar(item, "a region", findings))
            .collect(),
    ))
}
