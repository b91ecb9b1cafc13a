//! One rules file as read: what it says, with places, nothing inherited and no name looked up yet.

use crate::catalog::QualifiedName;
use crate::policy::{
    Assurance, BreakGlass, ConsentOnDenial, DateGrain, Disclosure, LegalBasis, Mask, Mode, RecipientKind, Sensitivity,
    UnclassifiedForm, Verb,
};

use super::source::{Sp, Span};

/// The keys of a file. What several files say is merged.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    pub(super) databases: Option<Vec<Sp<String>>>,
    pub(super) include: Vec<Sp<String>>,
    pub(super) revision: Option<Sp<String>>,
    pub(super) mode: Option<Sp<Mode>>,
    pub(super) contact: Option<Sp<String>>,
    pub(super) purposes: Vec<(Sp<String>, PurposeDoc)>,
    pub(super) categories: Vec<(Sp<String>, CategoryDoc)>,
    pub(super) recipients: Vec<(Sp<String>, RecipientDoc)>,
    pub(super) roles: Vec<(Sp<String>, RoleDoc)>,
    pub(super) transfers: Option<Sp<TransfersDoc>>,
    pub(super) tables: Vec<(Sp<String>, TableDoc)>,
    pub(super) release: Vec<ReleaseDoc>,
    pub(super) writes: Vec<WriteDoc>,
    pub(super) unclassified: Option<Sp<UnclassifiedDoc>>,
    pub(super) functions: Vec<Sp<String>>,
    pub(super) consent: Option<Sp<ConsentDoc>>,
    pub(super) children: Option<Sp<ChildrenDoc>>,
    /// Names of entries that could not be read: reported there, so not again where they are named.
    pub(super) broken: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct PurposeDoc {
    pub(super) title: Option<String>,
    pub(super) legal_basis: Option<LegalBasis>,
    pub(super) compatible_with: Option<Vec<Sp<String>>>,
    pub(super) prohibited: Option<bool>,
    pub(super) aggregate: Option<bool>,
    pub(super) min_group_size: Option<u32>,
    pub(super) one_subject: Option<bool>,
    pub(super) reason_required: Option<bool>,
    pub(super) break_glass: Option<BreakGlass>,
    pub(super) explain: Option<bool>,
    pub(super) ddl: Option<bool>,
    pub(super) max_rows: Option<u64>,
    pub(super) max_queries_per_day: Option<u64>,
    pub(super) expires: Option<time::Date>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct CategoryDoc {
    pub(super) sensitivity: Option<Sensitivity>,
    pub(super) other_purpose: Option<Disclosure>,
    pub(super) third_party: Option<Disclosure>,
    pub(super) collection_opt_in: Option<bool>,
    pub(super) mask: Option<Mask>,
}

#[derive(Debug, Clone)]
pub(super) struct RecipientDoc {
    pub(super) kind: RecipientKind,
    pub(super) region: Option<String>,
    pub(super) assurances: Vec<Assurance>,
}

#[derive(Debug, Clone)]
pub(super) struct RoleDoc {
    pub(super) purposes: Vec<Sp<String>>,
    pub(super) default_purpose: Option<Sp<String>>,
    pub(super) recipient: Option<Sp<String>>,
}

#[derive(Debug, Clone)]
pub(super) struct TransfersDoc {
    pub(super) restricted_regions: Vec<String>,
    pub(super) adequate_regions: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct SubjectDoc {
    pub(super) key: String,
    pub(super) of: Option<Sp<QualifiedName>>,
    pub(super) birth_date: Option<String>,
    pub(super) region: Option<String>,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) struct ColumnDoc {
    pub(super) category: Sp<String>,
    pub(super) mask: Option<Mask>,
    pub(super) data_subject: Option<SubjectDoc>,
}

#[derive(Debug, Clone)]
pub(super) struct RowFilterDoc {
    pub(super) purposes: Vec<Sp<String>>,
    pub(super) sql: String,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) struct RetentionDoc {
    pub(super) column: String,
    pub(super) keep: String,
    pub(super) purposes: Vec<Sp<String>>,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) struct TableDoc {
    pub(super) name: QualifiedName,
    pub(super) data_subject: Option<SubjectDoc>,
    pub(super) collected_for: Vec<Sp<String>>,
    pub(super) columns: Vec<(Sp<String>, ColumnDoc)>,
    pub(super) row_filters: Vec<RowFilterDoc>,
    pub(super) retention: Option<RetentionDoc>,
    pub(super) on_no_consent: ConsentOnDenial,
}

/// A column named in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnName {
    pub(super) table: QualifiedName,
    pub(super) column: String,
}

#[derive(Debug, Clone)]
pub(super) enum TargetDoc {
    Columns(Vec<Sp<ColumnName>>),
    Categories(Vec<Sp<String>>),
}

#[derive(Debug, Clone)]
pub(super) struct ReleaseDoc {
    pub(super) purposes: Vec<Sp<String>>,
    pub(super) target: TargetDoc,
    pub(super) form: Sp<crate::policy::ReleaseForm>,
    pub(super) predicates_refused: bool,
    pub(super) span: Span,
}

#[derive(Debug, Clone)]
pub(super) struct WriteDoc {
    pub(super) purposes: Vec<Sp<String>>,
    pub(super) tables: Vec<Sp<QualifiedName>>,
    pub(super) allow: Vec<Verb>,
    pub(super) columns: Vec<Sp<String>>,
    pub(super) span: Span,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct UnclassifiedDoc {
    pub(super) table: Option<UnclassifiedForm>,
    pub(super) column: Option<UnclassifiedForm>,
}

#[derive(Debug, Clone)]
pub(super) struct ConsentDoc {
    pub(super) table: Sp<QualifiedName>,
    pub(super) subject: String,
    pub(super) purpose: String,
    pub(super) status: String,
    pub(super) given: Vec<String>,
    pub(super) withdrawn: Vec<String>,
    pub(super) expires: Option<String>,
    pub(super) third_party: Option<String>,
    pub(super) recorded_at: Option<String>,
    pub(super) of: Option<Sp<QualifiedName>>,
}

#[derive(Debug, Clone)]
pub(super) struct ChildrenDoc {
    pub(super) under: u32,
    pub(super) purposes: Vec<Sp<String>>,
    pub(super) unknown_is_child: bool,
}

/// The words of `generalize`.
pub(super) const GRAINS: [(&str, DateGrain); 4] = [
    ("month", DateGrain::Month),
    ("quarter", DateGrain::Quarter),
    ("year", DateGrain::Year),
    ("decade", DateGrain::Decade),
];
