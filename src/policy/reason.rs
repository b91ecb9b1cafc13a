//! The codes of policy.md section 13: why something was refused. They never change once published.

/// The code of a reason; its text form is what clients, the audit and tests see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// No access purpose was declared.
    PurposeMissing,
    /// The declared purpose is not in the rules.
    PurposeUnknown,
    /// The purpose, or an ancestor, is prohibited.
    PurposeProhibited,
    /// The purpose's `expires` has passed.
    PurposeExpired,
    /// The role may not act for the purpose.
    PurposeNotGranted,
    /// Two declarations that disagree, or a portal read under another purpose.
    PurposeConflict,
    /// The purpose needs a reason and none was declared.
    ReasonMissing,
    /// The purpose needs a data subject and none (or none usable) was declared.
    SubjectMissing,
    /// The role's recipient is a processor without an unexpired assurance.
    RecipientNotAssured,
    /// The recipient's region has no adequacy and no assurance.
    TransferNotAllowed,
    /// A release entry says `refuse` for a column that the statement names.
    ColumnRefused,
    /// A column with `predicates: refuse` is used outside the output.
    PredicateRefused,
    /// No rule speaks of the table.
    TableUnclassified,
    /// No rule speaks of the column.
    ColumnUnclassified,
    /// A function, operator, cast or type that is not on its list.
    FunctionNotAllowed,
    /// A kind of statement, clause or setting that is not allowed.
    StatementNotAllowed,
    /// Writing is not allowed here.
    WriteNotAllowed,
    /// Protected data would be written where it is less protected.
    ClassificationDowngrade,
    /// Personal data of a child.
    ChildData,
    /// An aggregate-only purpose, and the statement is not provably a statistic.
    AggregateRequired,
    /// More rows than the purpose's `max_rows`.
    TooManyRows,
    /// More queries on one day than the purpose's `max_queries_per_day`.
    TooManyQueries,
    /// The statement could not be read, or not be given a meaning.
    NotUnderstood,
    /// The gate found the outgoing text to differ from the plan.
    NotVerified,
    /// The audit cannot be written.
    AuditUnavailable,
}

impl Code {
    /// All of them, in the order of the published list.
    pub const ALL: [Self; 25] = [
        Self::PurposeMissing,
        Self::PurposeUnknown,
        Self::PurposeProhibited,
        Self::PurposeExpired,
        Self::PurposeNotGranted,
        Self::PurposeConflict,
        Self::ReasonMissing,
        Self::SubjectMissing,
        Self::RecipientNotAssured,
        Self::TransferNotAllowed,
        Self::ColumnRefused,
        Self::PredicateRefused,
        Self::TableUnclassified,
        Self::ColumnUnclassified,
        Self::FunctionNotAllowed,
        Self::StatementNotAllowed,
        Self::WriteNotAllowed,
        Self::ClassificationDowngrade,
        Self::ChildData,
        Self::AggregateRequired,
        Self::TooManyRows,
        Self::TooManyQueries,
        Self::NotUnderstood,
        Self::NotVerified,
        Self::AuditUnavailable,
    ];

    /// The published text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PurposeMissing => "purpose_missing",
            Self::PurposeUnknown => "purpose_unknown",
            Self::PurposeProhibited => "purpose_prohibited",
            Self::PurposeExpired => "purpose_expired",
            Self::PurposeNotGranted => "purpose_not_granted",
            Self::PurposeConflict => "purpose_conflict",
            Self::ReasonMissing => "reason_missing",
            Self::SubjectMissing => "subject_missing",
            Self::RecipientNotAssured => "recipient_not_assured",
            Self::TransferNotAllowed => "transfer_not_allowed",
            Self::ColumnRefused => "column_refused",
            Self::PredicateRefused => "predicate_refused",
            Self::TableUnclassified => "table_unclassified",
            Self::ColumnUnclassified => "column_unclassified",
            Self::FunctionNotAllowed => "function_not_allowed",
            Self::StatementNotAllowed => "statement_not_allowed",
            Self::WriteNotAllowed => "write_not_allowed",
            Self::ClassificationDowngrade => "classification_downgrade",
            Self::ChildData => "child_data",
            Self::AggregateRequired => "aggregate_required",
            Self::TooManyRows => "too_many_rows",
            Self::TooManyQueries => "too_many_queries",
            Self::NotUnderstood => "not_understood",
            Self::NotVerified => "not_verified",
            Self::AuditUnavailable => "audit_unavailable",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
