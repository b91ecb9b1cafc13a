//! Words that stand for values, where a key takes one of a few.

use crate::policy::{
    AssuranceKind, ConsentOnDenial, Disclosure, LegalBasis, Mode, RecipientKind, Sensitivity, UnclassifiedForm, Verb,
};

pub(in super::super) const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];

pub(in super::super) const LEGAL_BASES: [(&str, LegalBasis); 6] = [
    ("consent", LegalBasis::Consent),
    ("contract", LegalBasis::Contract),
    ("legal_obligation", LegalBasis::LegalObligation),
    ("vital_interests", LegalBasis::VitalInterests),
    ("public_task", LegalBasis::PublicTask),
    ("legitimate_interests", LegalBasis::LegitimateInterests),
];

pub(in super::super) const RECIPIENT_KINDS: [(&str, RecipientKind); 2] = [
    ("processor", RecipientKind::Processor),
    ("third_party", RecipientKind::ThirdParty),
];

pub(in super::super) const ASSURANCES: [(&str, AssuranceKind); 5] = [
    (
        "standard_contractual_clauses",
        AssuranceKind::StandardContractualClauses,
    ),
    ("adequacy_decision", AssuranceKind::AdequacyDecision),
    ("certification", AssuranceKind::Certification),
    ("binding_corporate_rules", AssuranceKind::BindingCorporateRules),
    ("privacy_framework", AssuranceKind::PrivacyFramework),
];

pub(in super::super) const SENSITIVITIES: [(&str, Sensitivity); 3] = [
    ("none", Sensitivity::None),
    ("personal", Sensitivity::Personal),
    ("sensitive", Sensitivity::Sensitive),
];

pub(in super::super) const DISCLOSURES: [(&str, Disclosure); 4] = [
    ("allow", Disclosure::Allow),
    ("opt_out", Disclosure::OptOut),
    ("opt_in", Disclosure::OptIn),
    ("never", Disclosure::Never),
];

/// Whether consent is needed.
pub(in super::super) const COLLECTIONS: [(&str, bool); 2] = [("opt_in", true), ("allow", false)];

pub(in super::super) const ON_NO_CONSENT: [(&str, ConsentOnDenial); 2] =
    [("value", ConsentOnDenial::Value), ("row", ConsentOnDenial::Row)];

/// Whether they are refused.
pub(in super::super) const PREDICATES: [(&str, bool); 2] = [("refuse", true), ("masked", false)];

pub(in super::super) const VERBS: [(&str, Verb); 3] = [
    ("insert", Verb::Insert),
    ("update", Verb::Update),
    ("delete", Verb::Delete),
];

pub(in super::super) const UNCLASSIFIED_FORMS: [(&str, UnclassifiedForm); 3] = [
    ("refuse", UnclassifiedForm::Refuse),
    ("hidden", UnclassifiedForm::Hidden),
    ("raw", UnclassifiedForm::Raw),
];
