//! The decision (policy.md section 7, questions 2 to 4): in which form each column of a table is
//! released, and which rows exist.

use crate::catalog::QualifiedName;

use super::{Admission, Denial, Mask, Place, Policy, Sensitivity, Verb, WriteEntry};

/// The form in which a column is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Raw,
    /// NULL of the column's type.
    Hidden,
    /// A statement that names it is refused; `*` leaves it hidden.
    Refuse,
    /// Through this mask.
    Masked(Mask),
}

/// A condition on the data subject of a row under which a value is shown; else it is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Column of the table at hand that holds the subject's key.
    pub key: String,
    /// The root that the key refers to.
    pub root: QualifiedName,
    /// `true`: consent must be given (opt-in). `false`: must not be refused or withdrawn (opt-out).
    pub opt_in: bool,
    /// Purpose values of the consent table that count: the access purpose and its ancestors, or
    /// the value that stands for third parties.
    pub purposes: Vec<String>,
}

/// Which rows of a table exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFilter {
    /// A `row_filters` entry: SQL over the table's raw columns.
    Where {
        /// The expression, as written in the rules.
        sql: String,
        /// Where it stands.
        place: Place,
    },
    /// `scope: one_subject`: `key` must equal the session's `pgpurpose.subject`.
    OneSubject {
        /// Column of the table at hand.
        key: String,
    },
    /// `scope: one_subject` and the table is not of that root: no rows of it are personal, only
    /// columns of sensitivity none are shown (the forms say so); kept for the audit.
    Retention {
        /// Column of the table at hand.
        column: String,
        /// PostgreSQL interval text.
        keep: String,
        /// Where it stands.
        place: Place,
    },
    /// Rows of children do not exist.
    Children {
        /// Column of the table at hand with the subject's key.
        key: String,
        /// The root table.
        root: QualifiedName,
        /// Key column of the root.
        root_key: String,
        /// Birth-date column of the root.
        birth_date: String,
        /// Under this age, in years.
        under: u32,
        /// An unknown birth date is a child's.
        unknown_is_child: bool,
        /// Where it stands.
        place: Place,
    },
    /// Only rows whose subject is not in a restricted region.
    Transfer {
        /// Column of the table at hand with the subject's key.
        key: String,
        /// The root table.
        root: QualifiedName,
        /// Key column of the root.
        root_key: String,
        /// Region column of the root.
        region: String,
        /// Regions whose subjects do not exist; an unknown region (NULL) counts as restricted.
        restricted: Vec<String>,
        /// Where it stands.
        place: Place,
    },
    /// `on_no_consent: row`
    Consent(Condition),
}

impl RowFilter {
    /// The name the audit's `row_filters` shows.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Where { .. } => "row_filters",
            Self::OneSubject { .. } => "one_subject",
            Self::Retention { .. } => "retention",
            Self::Children { .. } => "children",
            Self::Transfer { .. } => "transfers",
            Self::Consent(_) => "consent",
        }
    }
}

/// What was decided for one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDecision {
    /// Exact name.
    pub column: String,
    /// Its category; none if unclassified.
    pub category: Option<String>,
    /// Of the category; an unclassified column counts as sensitive.
    pub sensitivity: Sensitivity,
    /// The form, where all conditions hold.
    pub form: Form,
    /// All must hold in a row, else the value is hidden there. Empty for raw and hidden columns
    /// that do not depend on the subject.
    pub conditions: Vec<Condition>,
    /// `predicates: refuse`
    pub predicates_refused: bool,
    /// No rule speaks of the column: a gap.
    pub unclassified: bool,
    /// The rule that decided, if one did.
    pub rule: Option<Place>,
}

impl ColumnDecision {
    /// The value is the stored one in every row that exists.
    pub fn is_raw_everywhere(&self) -> bool {
        self.form == Form::Raw && self.conditions.is_empty()
    }
}

/// The released relation of one table under one admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDecision {
    /// The entry that classified it (a partition's parent, say).
    pub table: QualifiedName,
    /// It has a column above sensitivity none or a population rule, under any purpose.
    pub protected: bool,
    /// One for each column asked about, in that order.
    pub columns: Vec<ColumnDecision>,
    /// All must hold for a row to exist.
    pub filters: Vec<RowFilter>,
}

impl Policy {
    /// The released relation of `table` (the name of its entry) for the columns named, in their
    /// order. `None`: the table has no entry.
    ///
    /// # Errors
    /// `transfer_not_allowed`, where no row may be disclosed to the recipient.
    pub fn decide(
        &self,
        admission: &Admission<'_>,
        table: &QualifiedName,
        columns: &[&str],
    ) -> Option<Result<TableDecision, Denial>> {
        let _ = (admission, table, columns);
        todo!("policy helper")
    }

    /// The `writes` entry that allows `verb` on `table` (the name of its entry), if any.
    pub fn write_entry(&self, admission: &Admission<'_>, table: &QualifiedName, verb: Verb) -> Option<&WriteEntry> {
        let _ = (admission, table, verb);
        todo!("policy helper")
    }

    /// Whether data of `from` may be written into a column of `into` (policy.md section 10): the
    /// same category, a descendant, or a higher sensitivity.
    pub fn may_flow(&self, from: &str, into: Option<&str>) -> bool {
        let _ = (from, into);
        todo!("policy helper")
    }
}
