//! The decision (policy.md section 7, questions 2 to 4): in which form each column of a table is
//! released, and which rows exist.

use crate::catalog::QualifiedName;

use super::lookup::Subject;
use super::model::within;
use super::{
    Admission, Category, ColumnRule, ConsentOnDenial, Denial, Disclosure, Mask, Place, Policy, Purpose, RecipientKind,
    ReleaseForm, Sensitivity, TableRule, UnclassifiedForm,
};

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

impl Form {
    /// `raw`, `hidden`, `refuse`, or the mask's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Hidden => "hidden",
            Self::Refuse => "refuse",
            Self::Masked(mask) => mask.name(),
        }
    }
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
    /// `retention`: only rows whose date is not older than `keep`.
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

    /// The rule that asks for it, where it is one of its own.
    pub const fn place(&self) -> Option<&Place> {
        match self {
            Self::Where { place, .. }
            | Self::Retention { place, .. }
            | Self::Children { place, .. }
            | Self::Transfer { place, .. } => Some(place),
            Self::OneSubject { .. } | Self::Consent(_) => None,
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
    /// order. `None`: the table has no entry. Ask for all columns that the relation has: which rows
    /// exist may depend on them (`on_no_consent: row`).
    ///
    /// # Errors
    /// `transfer_not_allowed`, where no row may be disclosed to the recipient.
    pub fn decide(
        &self,
        admission: &Admission<'_>,
        table: &QualifiedName,
        columns: &[&str],
    ) -> Option<Result<TableDecision, Denial>> {
        self.tables
            .get(table)
            .map(|rule| self.decide_table(admission, rule, columns))
    }

    fn decide_table(
        &self,
        admission: &Admission<'_>,
        table: &TableRule,
        columns: &[&str],
    ) -> Result<TableDecision, Denial> {
        let mut filters = self.population(admission, table)?;
        let mut decided: Vec<ColumnDecision> = columns
            .iter()
            .map(|name| self.decide_column(admission, table, name))
            .collect();
        if table.on_no_consent == ConsentOnDenial::Row {
            // Columns that were not asked about count too, so that the rows are the same for all queries.
            let unasked = table.columns.keys().filter(|name| !columns.contains(&name.as_str()));
            let unasked: Vec<ColumnDecision> = unasked.map(|name| self.decide_column(admission, table, name)).collect();
            self.conditions_to_rows(table, &mut decided, &unasked, &mut filters);
        }
        let protected = self.is_protected(&table.name)
            || !filters.is_empty()
            || decided.iter().any(|column| !column.is_raw_everywhere());
        Ok(TableDecision {
            table: table.name.clone(),
            protected,
            columns: decided,
            filters,
        })
    }

    /// `on_no_consent: row`: conditions on the table's own subject become row filters. Those on the
    /// subject of a single column stay with the value.
    fn conditions_to_rows(
        &self,
        table: &TableRule,
        decided: &mut [ColumnDecision],
        unasked: &[ColumnDecision],
        filters: &mut Vec<RowFilter>,
    ) {
        let Some(subject) = self.subject_of_table(table) else {
            return;
        };
        let of_row = |condition: &Condition| condition.key == subject.key && &condition.root == subject.root;
        let all = decided.iter().chain(unasked).flat_map(|column| &column.conditions);
        let mut rows: Vec<Condition> = Vec::new();
        for condition in all.filter(|condition| of_row(condition)) {
            if !rows.contains(condition) {
                rows.push(condition.clone());
            }
        }
        for column in decided {
            column.conditions.retain(|condition| !of_row(condition));
        }
        filters.extend(rows.into_iter().map(RowFilter::Consent));
    }

    fn decide_column(&self, admission: &Admission<'_>, table: &TableRule, name: &str) -> ColumnDecision {
        let classified = table
            .column(name)
            .and_then(|rule| Some((rule, self.category(&rule.category)?)));
        let Some((rule, category)) = classified else {
            return self.unclassified_column(admission, table, name);
        };
        let released = self.necessity(admission, table, name, rule, category);
        let disclosed = self
            .outside_scope(admission, table, rule, category)
            .or_else(|| self.outside_transfer(admission, rule, category))
            .unwrap_or_else(|| self.purpose_limitation(admission, table, rule, category));
        let (form, conditions, place) = strictest(released.form, released.place, disclosed);
        ColumnDecision {
            column: name.to_owned(),
            category: Some(rule.category.clone()),
            sensitivity: category.sensitivity,
            form,
            conditions,
            predicates_refused: released.predicates_refused,
            unclassified: false,
            rule: Some(place),
        }
    }

    /// No rule speaks of it: `unclassified.column`, counted as sensitive.
    fn unclassified_column(&self, admission: &Admission<'_>, table: &TableRule, name: &str) -> ColumnDecision {
        let own_rows = !admission.purpose().one_subject || self.filtered_to_subject(admission, table);
        let form = match self.unclassified.column {
            UnclassifiedForm::Refuse => Form::Refuse,
            UnclassifiedForm::Raw if own_rows => Form::Raw,
            UnclassifiedForm::Raw | UnclassifiedForm::Hidden => Form::Hidden,
        };
        ColumnDecision {
            column: name.to_owned(),
            category: None,
            sensitivity: Sensitivity::Sensitive,
            form,
            conditions: Vec::new(),
            predicates_refused: false,
            unclassified: true,
            rule: None,
        }
    }

    /// Question 3, necessity: the release entry that speaks for the column.
    fn necessity(
        &self,
        admission: &Admission<'_>,
        table: &TableRule,
        name: &str,
        rule: &ColumnRule,
        category: &Category,
    ) -> Released {
        let Some(entry) = self.release_entry(&admission.purpose().name, &table.name, name, &rule.category) else {
            let form = match category.sensitivity {
                Sensitivity::None => Form::Raw,
                Sensitivity::Personal | Sensitivity::Sensitive => Form::Hidden,
            };
            return Released {
                form,
                predicates_refused: false,
                place: rule.place.clone(),
            };
        };
        let form = match &entry.form {
            ReleaseForm::Raw => Form::Raw,
            ReleaseForm::Hidden => Form::Hidden,
            ReleaseForm::Refuse => Form::Refuse,
            ReleaseForm::Mask(mask) => Form::Masked(mask.clone()),
            // Loading reports an own mask that is missing; should one be missing all the same, deny.
            ReleaseForm::OwnMask => match rule.mask.as_ref().or(category.mask.as_ref()) {
                Some(mask) => Form::Masked(mask.clone()),
                None => Form::Hidden,
            },
        };
        Released {
            form,
            predicates_refused: entry.predicates_refused,
            place: entry.place.clone(),
        }
    }

    /// Question 2, purpose limitation.
    fn purpose_limitation(
        &self,
        admission: &Admission<'_>,
        table: &TableRule,
        rule: &ColumnRule,
        category: &Category,
    ) -> Disclosed {
        if self.is_own_data(admission, table, rule) {
            return Disclosed::shown();
        }
        let purpose = admission.purpose();
        let subject = self.subject_of_column(table, rule);
        let mut disclosed = Disclosed::shown();
        if !self.intended(purpose, table) {
            let records = with_ancestors(&purpose.name);
            disclosed.restrict(
                self.disclosure(category.other_purpose, subject, Some(records)),
                category,
            );
        }
        if admission
            .recipient()
            .is_some_and(|r| r.kind == RecipientKind::ThirdParty)
        {
            let records = self.consent.as_ref().and_then(|consent| consent.third_party.clone());
            let records = records.map(|value| vec![value]);
            disclosed.restrict(self.disclosure(category.third_party, subject, records), category);
        }
        disclosed
    }

    /// Whether the access purpose is within what the table was collected for: in the subtree of an
    /// entry of `collected_for`, or compatible with one (a purpose's name covers its children).
    pub fn intended(&self, purpose: &Purpose, table: &TableRule) -> bool {
        table.collected_for.iter().any(|collected| {
            within(&purpose.name, collected) || purpose.compatible_with.iter().any(|with| within(collected, with))
        })
    }

    /// What a disclosure rule asks of the rows of `subject`; `records` are the consent records that
    /// count.
    fn disclosure(&self, rule: Disclosure, subject: Option<Subject<'_>>, records: Option<Vec<String>>) -> Answer {
        let opt_in = match rule {
            Disclosure::Allow => return Answer::Show,
            Disclosure::Never => return Answer::Hide,
            Disclosure::OptIn => true,
            Disclosure::OptOut => false,
        };
        match (subject, records, self.consent_root()) {
            (Some(subject), Some(purposes), Some(root)) if root == subject.root => Answer::If(Condition {
                key: subject.key.to_owned(),
                root: subject.root.clone(),
                opt_in,
                purposes,
            }),
            // Nobody could have been asked: opt_in and opt_out hide.
            _ => Answer::Hide,
        }
    }

    /// `scope: one_subject`: what is neither the named subject's nor of sensitivity none is hidden.
    fn outside_scope(
        &self,
        admission: &Admission<'_>,
        table: &TableRule,
        rule: &ColumnRule,
        category: &Category,
    ) -> Option<Disclosed> {
        let outside = admission.purpose().one_subject
            && category.sensitivity > Sensitivity::None
            && !self.is_own_data(admission, table, rule);
        outside.then(|| Disclosed::hidden(rule.place.clone()))
    }

    /// The row filter of `transfers` looks at the table's subject; a column about somebody else,
    /// whose region it does not ask for, is hidden from a restricted recipient.
    fn outside_transfer(&self, admission: &Admission<'_>, rule: &ColumnRule, category: &Category) -> Option<Disclosed> {
        let transfers = self.restricted_transfer(admission)?;
        let outside = rule.data_subject.is_some() && category.sensitivity > Sensitivity::None;
        outside.then(|| Disclosed::hidden(transfers.place.clone()))
    }
}

/// The answer of question 3.
struct Released {
    form: Form,
    predicates_refused: bool,
    place: Place,
}

/// One disclosure rule's answer.
enum Answer {
    Show,
    Hide,
    If(Condition),
}

/// The answer of question 2: hidden by a rule, or shown under conditions.
struct Disclosed {
    hidden: Option<Place>,
    conditions: Vec<Condition>,
}

impl Disclosed {
    fn shown() -> Self {
        Self {
            hidden: None,
            conditions: Vec::new(),
        }
    }

    fn hidden(by: Place) -> Self {
        Self {
            hidden: Some(by),
            conditions: Vec::new(),
        }
    }

    fn restrict(&mut self, answer: Answer, by: &Category) {
        match answer {
            Answer::Show => {}
            Answer::Hide => self.hidden = Some(by.place.clone()),
            Answer::If(condition) => self.conditions.push(condition),
        }
    }
}

/// Refuse is stricter than hidden, hidden than anything under conditions.
fn strictest(form: Form, place: Place, disclosed: Disclosed) -> (Form, Vec<Condition>, Place) {
    match (form, disclosed.hidden) {
        (form @ (Form::Refuse | Form::Hidden), _) => (form, Vec::new(), place),
        (Form::Raw | Form::Masked(_), Some(by)) => (Form::Hidden, Vec::new(), by),
        (form @ (Form::Raw | Form::Masked(_)), None) => (form, disclosed.conditions, place),
    }
}

/// `a.b.c`, `a.b`, `a`: a record for a purpose covers what is below it.
pub(super) fn with_ancestors(name: &str) -> Vec<String> {
    std::iter::successors(Some(name), |name| name.rsplit_once('.').map(|(parent, _)| parent))
        .map(str::to_owned)
        .collect()
}
