//! Purposes with what they inherit; recipients, roles, transfers.

use std::collections::BTreeMap;

use crate::policy::{Purpose, Recipient, Role, Transfers, within};

use super::super::diagnostic::{Diagnostic, DiagnosticCode};
use super::super::document::PurposeDoc;
use super::super::source::Sp;
use super::Names;

/// The smallest group of an aggregate-only purpose that names none.
const DEFAULT_GROUP_SIZE: u32 = 10;

impl Names<'_> {
    pub(super) fn purposes(&mut self) -> BTreeMap<String, Purpose> {
        let mut declared: Vec<&(Sp<String>, PurposeDoc)> = self.document.purposes.iter().collect();
        // A name sorts before the names below it, so ancestors come first.
        declared.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
        let mut inherited: BTreeMap<&str, PurposeDoc> = BTreeMap::new();
        let mut purposes = BTreeMap::new();
        for (key, doc) in declared {
            self.check_parent(key);
            if let Some(with) = &doc.compatible_with {
                self.purpose_names(with);
            }
            let whole = match nearest_ancestor(&inherited, &key.value) {
                Some(parent) => inherit(doc, parent),
                None => doc.clone(),
            };
            purposes.insert(key.value.clone(), purpose(key, &whole));
            inherited.insert(&key.value, whole);
        }
        purposes
    }

    fn check_parent(&mut self, key: &Sp<String>) {
        let Some((parent, last)) = key.value.rsplit_once('.') else {
            return;
        };
        let declared = || self.document.purposes.iter().map(|(key, _)| key.value.as_str());
        if declared().any(|name| name == parent) || self.is_broken(parent) {
            return;
        }
        let message = format!("purpose `{parent}`, the parent of `{}`, is not declared", key.value);
        let finding = Diagnostic::new(DiagnosticCode::UnknownPurpose, &key.span, message);
        self.findings.push(match crate::policy::nearest(parent, declared()) {
            Some(near) => finding.help(format!("did you mean `{near}.{last}`?")),
            None => finding.help(format!("declare `{parent}` too")),
        });
    }

    pub(super) fn recipients(&self) -> BTreeMap<String, Recipient> {
        let built = self.document.recipients.iter().map(|(key, doc)| Recipient {
            name: key.value.clone(),
            kind: doc.kind,
            region: doc.region.clone(),
            assurances: doc.assurances.clone(),
            place: key.place(),
        });
        built.map(|recipient| (recipient.name.clone(), recipient)).collect()
    }

    pub(super) fn roles(&mut self) -> BTreeMap<String, Role> {
        let mut roles = BTreeMap::new();
        for (key, doc) in &self.document.roles {
            let purposes = self.purpose_names(&doc.purposes);
            let default_purpose = doc.default_purpose.as_ref().and_then(|name| self.purpose_name(name));
            if let (Some(name), Some(default)) = (&doc.default_purpose, &default_purpose)
                && purposes.len() == doc.purposes.len()
                && !purposes.iter().any(|granted| within(default, granted))
            {
                let message = format!("role `{}` may not act for its default purpose `{default}`", key.value);
                let finding = Diagnostic::new(DiagnosticCode::DefaultNotGranted, &name.span, message);
                self.findings
                    .push(finding.help(format!("add it to `purposes` of `{}`", key.value)));
            }
            let recipient = doc.recipient.as_ref().and_then(|name| self.recipient_name(name));
            let role = Role {
                name: key.value.clone(),
                purposes,
                default_purpose,
                recipient,
                place: key.place(),
            };
            roles.insert(key.value.clone(), role);
        }
        roles
    }

    fn recipient_name(&mut self, name: &Sp<String>) -> Option<String> {
        let declared = || self.document.recipients.iter().map(|(key, _)| key.value.as_str());
        if declared().any(|recipient| recipient == name.value) {
            return Some(name.value.clone());
        }
        if self.is_broken(&name.value) {
            return None;
        }
        let message = format!("recipient `{}` is not declared", name.value);
        let finding = Diagnostic::new(DiagnosticCode::UnknownRecipient, &name.span, message);
        self.findings.push(finding.suggest(&name.value, declared()));
        None
    }

    pub(super) fn transfers(&self) -> Option<Transfers> {
        self.document.transfers.as_ref().map(|section| Transfers {
            restricted_regions: section.value.restricted_regions.clone(),
            adequate_regions: section.value.adequate_regions.clone(),
            place: section.place(),
        })
    }
}

fn nearest_ancestor<'m>(inherited: &'m BTreeMap<&str, PurposeDoc>, name: &str) -> Option<&'m PurposeDoc> {
    let parent = |name: &str| name.rsplit_once('.').map(|(parent, _)| parent.to_owned());
    std::iter::successors(parent(name), |name| parent(name)).find_map(|name| inherited.get(name.as_str()))
}

/// A key not set is taken from the parent, which has already taken from its own.
fn inherit(doc: &PurposeDoc, parent: &PurposeDoc) -> PurposeDoc {
    PurposeDoc {
        title: doc.title.clone().or_else(|| parent.title.clone()),
        legal_basis: doc.legal_basis.or(parent.legal_basis),
        compatible_with: doc.compatible_with.clone().or_else(|| parent.compatible_with.clone()),
        // A prohibition covers all that is below it, whatever that says.
        prohibited: (parent.prohibited == Some(true)).then_some(true).or(doc.prohibited),
        aggregate: doc.aggregate.or(parent.aggregate),
        min_group_size: doc.min_group_size.or(parent.min_group_size),
        one_subject: doc.one_subject.or(parent.one_subject),
        reason_required: doc.reason_required.or(parent.reason_required),
        break_glass: doc.break_glass.or(parent.break_glass),
        explain: doc.explain.or(parent.explain),
        ddl: doc.ddl.or(parent.ddl),
        max_rows: doc.max_rows.or(parent.max_rows),
        max_queries_per_day: doc.max_queries_per_day.or(parent.max_queries_per_day),
        expires: doc.expires.or(parent.expires),
    }
}

fn purpose(key: &Sp<String>, doc: &PurposeDoc) -> Purpose {
    let compatible_with = doc
        .compatible_with
        .iter()
        .flatten()
        .map(|name| name.value.clone())
        .collect();
    Purpose {
        name: key.value.clone(),
        title: doc.title.clone(),
        legal_basis: doc.legal_basis,
        compatible_with,
        prohibited: doc.prohibited.unwrap_or(false),
        aggregate: doc.aggregate.unwrap_or(false),
        min_group_size: doc.min_group_size.unwrap_or(DEFAULT_GROUP_SIZE),
        one_subject: doc.one_subject.unwrap_or(false),
        reason_required: doc.reason_required.unwrap_or(false) || doc.break_glass.is_some(),
        break_glass: doc.break_glass,
        explain: doc.explain.unwrap_or(false),
        ddl: doc.ddl.unwrap_or(false),
        max_rows: doc.max_rows,
        max_queries_per_day: doc.max_queries_per_day,
        expires: doc.expires,
        place: key.place(),
    }
}
