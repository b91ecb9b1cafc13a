//! Questions that the policy answers about itself: what a role may declare, which category or data
//! subject stands behind a column, what is protected. No decision is taken here.

use time::Date;

use crate::catalog::QualifiedName;

use super::model::within;
use super::{
    Admission, Category, ColumnRule, DataSubject, Disclosure, Mode, Policy, Purpose, ReleaseForm, ReleaseTarget, Role,
    Sensitivity, TableRule, UnclassifiedForm,
};

/// The person that a row or a value is about: a key column of the table at hand, and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'p> {
    /// The key column.
    pub key: &'p str,
    /// The root that it refers to.
    pub root: &'p QualifiedName,
}

impl Role {
    /// A grant of a purpose covers its children.
    pub fn may_use(&self, purpose: &str) -> bool {
        self.purposes.iter().any(|granted| within(purpose, granted))
    }
}

impl Purpose {
    /// Whether it has ended by `today`.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|end| end <= today)
    }
}

impl TableRule {
    /// The rule of a column: its own, or that of `"*"`.
    pub fn column(&self, name: &str) -> Option<&ColumnRule> {
        self.columns.get(name).or(self.all_columns.as_ref())
    }
}

impl Policy {
    /// The same rules in force, whatever the `mode` they stand in.
    pub fn enforced(&self) -> std::borrow::Cow<'_, Self> {
        match self.mode {
            Mode::Enforce => std::borrow::Cow::Borrowed(self),
            Mode::Observe => std::borrow::Cow::Owned(Self {
                mode: Mode::Enforce,
                ..self.clone()
            }),
        }
    }

    /// The entry of a table, if it is classified.
    pub fn classified(&self, table: &QualifiedName) -> Option<&TableRule> {
        self.tables.get(table)
    }

    /// What a role may declare: granted and not prohibited, by name. Some may have expired.
    pub fn purposes_for_role(&self, role: &str) -> Vec<&Purpose> {
        let Some(role) = self.roles.get(role) else {
            return Vec::new();
        };
        let granted = self.purposes.values().filter(|purpose| role.may_use(&purpose.name));
        granted.filter(|purpose| !purpose.prohibited).collect()
    }

    /// What a role may declare on that day.
    pub fn purposes_for_role_on(&self, role: &str, today: Date) -> Vec<&Purpose> {
        let mut purposes = self.purposes_for_role(role);
        purposes.retain(|purpose| !purpose.is_expired(today));
        purposes
    }

    /// The declared category that speaks for `key`: itself, or its nearest declared ancestor.
    pub fn category(&self, key: &str) -> Option<&Category> {
        let mut ancestors = std::iter::successors(Some(key), |key| key.rsplit_once('.').map(|(parent, _)| parent));
        ancestors.find_map(|key| self.categories.get(key))
    }

    /// Tables that are a kind of person: with a `data_subject` that has no `of`.
    pub fn roots(&self) -> impl Iterator<Item = (&QualifiedName, &DataSubject)> {
        let subjects = self
            .tables
            .values()
            .filter_map(|table| Some((&table.name, table.data_subject.as_ref()?)));
        subjects.filter(|(_, subject)| subject.of.is_none())
    }

    /// The root that the consent table's `subject` refers to.
    pub fn consent_root(&self) -> Option<&QualifiedName> {
        let consent = self.consent.as_ref()?;
        match &consent.of {
            Some(root) => Some(root),
            None => {
                let mut roots = self.roots();
                let (only, _) = roots.next()?;
                roots.next().is_none().then_some(only)
            }
        }
    }

    /// The root table's own `data_subject`.
    pub fn root(&self, name: &QualifiedName) -> Option<&DataSubject> {
        let subject = self.tables.get(name)?.data_subject.as_ref()?;
        subject.of.is_none().then_some(subject)
    }

    /// Whom the rows of a table are about.
    pub fn subject_of_table<'p>(&'p self, table: &'p TableRule) -> Option<Subject<'p>> {
        let subject = table.data_subject.as_ref()?;
        Some(Subject {
            key: &subject.key,
            root: subject.of.as_ref().unwrap_or(&table.name),
        })
    }

    /// Whom a column is about: a person of its own, or that of the row.
    pub fn subject_of_column<'p>(&'p self, table: &'p TableRule, rule: &'p ColumnRule) -> Option<Subject<'p>> {
        match &rule.data_subject {
            Some(own) => Some(Subject {
                key: &own.key,
                root: own.of.as_ref().unwrap_or(&table.name),
            }),
            None => self.subject_of_table(table),
        }
    }

    /// The table's rows are those of the named subject (`scope: one_subject`).
    pub(super) fn filtered_to_subject(&self, admission: &Admission<'_>, table: &TableRule) -> bool {
        let subject = self.subject_of_table(table);
        admission.purpose().one_subject && subject.is_some_and(|subject| admission.subject_root() == Some(subject.root))
    }

    /// The column is the named subject's own data: its rows are filtered to that subject, and it is
    /// about the row's person and nobody else.
    pub(super) fn is_own_data(&self, admission: &Admission<'_>, table: &TableRule, rule: &ColumnRule) -> bool {
        self.filtered_to_subject(admission, table)
            && self.subject_of_column(table, rule) == self.subject_of_table(table)
    }

    /// Whether a table is protected under some purpose: it has a column above sensitivity none, a
    /// population rule may apply to it, or a column of sensitivity none is restricted all the same.
    /// Columns that no rule names cannot be known here; [`Policy::decide`] looks at them too.
    pub fn is_protected(&self, table: &QualifiedName) -> bool {
        self.tables.get(table).is_some_and(|rule| {
            let mut columns = rule.columns.values().chain(&rule.all_columns);
            columns.any(|column| self.is_restricted_category(&column.category))
                || self.names_a_column_of(table)
                || self.has_population_rule(rule)
        })
    }

    /// Whether a column is shown as it is to whoever may act at all: its category is not restricted, and no
    /// release entry names it.
    pub fn is_plain_column(&self, table: &QualifiedName, column: &str) -> bool {
        let rule = self.tables.get(table);
        let rule = rule.and_then(|rule| rule.columns.get(column).or(rule.all_columns.as_ref()));
        rule.is_some_and(|rule| !self.is_restricted_category(&rule.category)) && !self.names_a_column_of(table)
    }

    /// Whether the rules protect nothing in the database, so that what tells of rows (sizes, estimates, texts of
    /// definitions) tells of nothing that is not released. The same for all roles and purposes.
    pub fn protects_nothing(&self) -> bool {
        let unclassified = self.unclassified.table == UnclassifiedForm::Raw;
        let columns = self.tables.is_empty() || self.unclassified.column == UnclassifiedForm::Raw;
        unclassified && columns && !self.tables.keys().any(|table| self.is_protected(table))
    }

    fn is_restricted_category(&self, key: &str) -> bool {
        let Some(category) = self.category(key) else {
            return true;
        };
        let released_otherwise = self.release.iter().any(|entry| match &entry.target {
            ReleaseTarget::Categories(categories) => {
                categories.iter().any(|of| within(key, of))
                    && (entry.form != ReleaseForm::Raw || entry.predicates_refused)
            }
            ReleaseTarget::Columns(_) => false,
        });
        category.sensitivity > Sensitivity::None
            || category.other_purpose != Disclosure::Allow
            || category.third_party != Disclosure::Allow
            || category.collection_opt_in
            || released_otherwise
    }

    /// A release entry names a column of the table, to show it otherwise than raw.
    fn names_a_column_of(&self, table: &QualifiedName) -> bool {
        self.release.iter().any(|entry| match &entry.target {
            ReleaseTarget::Columns(columns) => {
                columns.iter().any(|(of, _)| of == table)
                    && (entry.form != ReleaseForm::Raw || entry.predicates_refused)
            }
            ReleaseTarget::Categories(_) => false,
        })
    }

    /// Some purpose or recipient may see fewer rows.
    fn has_population_rule(&self, table: &TableRule) -> bool {
        let root = self.subject_of_table(table).and_then(|subject| self.root(subject.root));
        let by_subject = root.is_some_and(|root| {
            self.purposes.values().any(|purpose| purpose.one_subject)
                || (self.children.is_some() && root.birth_date.is_some())
                || self
                    .transfers
                    .as_ref()
                    .is_some_and(|t| !t.restricted_regions.is_empty())
        });
        by_subject
            || !table.row_filters.is_empty()
            || table.retention.is_some()
            || !self.children_of_columns(table).is_empty()
    }
}
