//! What other rules change, and for whom: for each role, purpose, table and column the released form
//! before and after; besides, who is admitted, which rows exist, what may be written.
//!
//! Decides nothing itself: what it compares are admissions and decisions like those of statements.
//! "More" is said unless less, or the same, is certain.

mod cell;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::catalog::QualifiedName;

use super::matrix::Cell;
use super::{Code, ColumnDecision, Denial, Form, Mode, Policy, TableDecision, UnclassifiedForm};
use cell::{cell_text, shows_more};
use terms::{RULES, rows, terms, writes};

/// What an entry of a diff is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Changed {
    /// The rules as a whole: `mode`, `unclassified`, `functions`, `consent`, `contact`; `default_purpose` of a
    /// role. Holds the key.
    Rules(&'static str),
    /// Whether the role may act for the purpose, and on which terms.
    Admission,
    /// The released form of a column: a cell of the matrix.
    Column(QualifiedName, String),
    /// Which rows of a table exist.
    Rows(QualifiedName),
    /// What may be written into a table.
    Writes(QualifiedName),
}

impl Changed {
    /// What kind of thing: `rules`, `admission`, `column`, `rows`, `writes`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rules(_) => "rules",
            Self::Admission => "admission",
            Self::Column(..) => "column",
            Self::Rows(_) => "rows",
            Self::Writes(_) => "writes",
        }
    }

    /// Which one: a key of the rules, `schema.table.column`, a table; an admission has no name of its own.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Rules(key) => Some((*key).to_owned()),
            Self::Admission => None,
            Self::Column(table, column) => Some(format!("{table}.{column}")),
            Self::Rows(table) | Self::Writes(table) => Some(table.to_string()),
        }
    }
}

/// One difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whom it concerns; `None`: all roles.
    pub role: Option<String>,
    /// For which purpose; `None`: all purposes.
    pub purpose: Option<String>,
    /// What is different.
    pub what: Changed,
    /// How it was, as the matrix writes it.
    pub before: String,
    /// How it is.
    pub after: String,
    /// More may be seen, or done, than before.
    pub sees_more: bool,
}

/// What `new` changes at `now`. No policy stands for a database that nobody can log in to. In order of role,
/// purpose and table, what concerns all first.
pub fn diff(old: Option<&Policy>, new: Option<&Policy>, now: OffsetDateTime) -> Vec<Change> {
    let nothing = Policy::nothing();
    let comparing = Comparing {
        old: old.unwrap_or(&nothing),
        new: new.unwrap_or(&nothing),
        now,
        changes: Vec::new(),
    };
    comparing.run()
}

/// How one side of a comparison stands.
struct Side {
    text: String,
    /// What it grants, each in words; fewer is less.
    grants: BTreeSet<String>,
    /// What restricts it, each in words, with how strict it is; fewer or laxer is more.
    limits: BTreeMap<String, i64>,
}

impl Side {
    fn new(text: String) -> Self {
        Self {
            text,
            grants: BTreeSet::new(),
            limits: BTreeMap::new(),
        }
    }

    fn limit(&mut self, words: impl Into<String>, strictness: i64) {
        self.limits.insert(words.into(), strictness);
    }

    /// Whether it grants or shows what `before` does not.
    fn exceeds(&self, before: &Self) -> bool {
        let freed = |(words, strict): (&String, &i64)| self.limits.get(words).is_none_or(|now| now < strict);
        !self.grants.is_subset(&before.grants) || before.limits.iter().any(freed)
    }
}

struct Comparing<'p> {
    old: &'p Policy,
    new: &'p Policy,
    now: OffsetDateTime,
    changes: Vec<Change>,
}

impl Comparing<'_> {
    fn run(mut self) -> Vec<Change> {
        self.rules();
        let roles: BTreeSet<&String> = self.old.roles.keys().chain(self.new.roles.keys()).collect();
        let purposes: BTreeSet<&String> = self.old.purposes.keys().chain(self.new.purposes.keys()).collect();
        let tables: BTreeSet<&QualifiedName> = self.old.tables.keys().chain(self.new.tables.keys()).collect();
        for role in roles {
            self.default_purpose(role);
            for purpose in &purposes {
                if self.admission(role, purpose) {
                    for table in &tables {
                        self.table(role, purpose, table);
                    }
                }
            }
        }
        self.changes
    }

    /// Notes a difference, if there is one.
    fn note(
        &mut self,
        whom: (Option<&str>, Option<&str>),
        what: Changed,
        before: String,
        after: String,
        sees_more: bool,
    ) {
        if before != after {
            self.changes.push(Change {
                role: whom.0.map(str::to_owned),
                purpose: whom.1.map(str::to_owned),
                what,
                before,
                after,
                sees_more,
            });
        }
    }

    fn rules(&mut self) {
        for (key, text, more) in RULES {
            let sees_more = more(self.old, self.new);
            let (before, after) = (text(self.old), text(self.new));
            self.note((None, None), Changed::Rules(key), before, after, sees_more);
        }
    }

    /// For which purpose a role acts that declares none.
    fn default_purpose(&mut self, role: &str) {
        let of = |policy: &Policy| policy.roles.get(role).and_then(|role| role.default_purpose.clone());
        let (before, after) = (of(self.old), of(self.new));
        let sees_more = after.is_some();
        let text = |purpose: Option<String>| purpose.unwrap_or_else(|| "none".to_owned());
        let what = Changed::Rules("default_purpose");
        self.note((Some(role), None), what, text(before), text(after), sees_more);
    }

    /// Compares admissions; whether either side admits.
    fn admission(&mut self, role: &str, purpose: &str) -> bool {
        let now = self.now;
        let side = |policy: &Policy| match policy.assume(role, None, purpose, now) {
            Ok(admission) => (true, terms(&admission)),
            Err(denial) => (false, Side::new(denial.code.as_str().to_owned())),
        };
        let ((was, before), (is, after)) = (side(self.old), side(self.new));
        let sees_more = is && (!was || after.exceeds(&before));
        // Why somebody is not admitted is no difference to anybody.
        if was || is {
            let what = Changed::Admission;
            self.note((Some(role), Some(purpose)), what, before.text, after.text, sees_more);
        }
        was || is
    }

    fn table(&mut self, role: &str, purpose: &str, table: &QualifiedName) {
        let columns: BTreeSet<&str> = [self.old, self.new]
            .into_iter()
            .filter_map(|policy| policy.tables.get(table))
            .flat_map(|rule| {
                let others = rule.all_columns.as_ref().map(|_| "*");
                rule.columns.keys().map(String::as_str).chain(others)
            })
            .collect();
        let columns: Vec<&str> = columns.into_iter().collect();
        let now = self.now;
        let decide = |policy: &Policy| decide(policy, role, purpose, table, &columns, now);
        let (before, after) = (decide(self.old), decide(self.new));
        let whom = (Some(role), Some(purpose));
        for (index, column) in columns.iter().enumerate() {
            let (was, is) = (before.cell(index), after.cell(index));
            let what = Changed::Column(table.clone(), (*column).to_owned());
            let sees_more = shows_more(&was, &is);
            self.note(whom, what, cell_text(&was), cell_text(&is), sees_more);
        }
        if let (Released::As(before), Released::As(after)) = (&before, &after) {
            let (before, after) = (rows(&before.filters), rows(&after.filters));
            let sees_more = after.exceeds(&before);
            self.note(whom, Changed::Rows(table.clone()), before.text, after.text, sees_more);
        }
        let (before, after) = [self.old, self.new]
            .map(|policy| writes(policy, role, purpose, table, &columns, now))
            .into();
        let sees_more = !after.grants.is_empty() && after.exceeds(&before);
        self.note(whom, Changed::Writes(table.clone()), before.text, after.text, sees_more);
    }
}

/// The released relation of a table on one side.
enum Released {
    As(TableDecision),
    Denied(Code),
    /// No entry: `unclassified.table` speaks.
    Unclassified(UnclassifiedForm),
}

impl Released {
    fn cell(&self, index: usize) -> Cell {
        match self {
            Self::Denied(code) => Cell::Denied(*code),
            Self::Unclassified(UnclassifiedForm::Refuse) => Cell::Denied(Code::TableUnclassified),
            Self::Unclassified(UnclassifiedForm::Hidden) => Cell::Column(Box::new(unclassified(Form::Hidden))),
            Self::Unclassified(UnclassifiedForm::Raw) => Cell::Column(Box::new(unclassified(Form::Raw))),
            Self::As(decision) => match decision.columns.get(index) {
                Some(column) => Cell::Column(Box::new(column.clone())),
                // Each column was asked about.
                None => Cell::Denied(Code::ColumnUnclassified),
            },
        }
    }
}

fn unclassified(form: Form) -> ColumnDecision {
    ColumnDecision {
        column: String::new(),
        category: None,
        sensitivity: super::Sensitivity::Sensitive,
        form,
        conditions: Vec::new(),
        predicates_refused: false,
        unclassified: true,
        rule: None,
    }
}

fn decide(
    policy: &Policy,
    role: &str,
    purpose: &str,
    table: &QualifiedName,
    columns: &[&str],
    now: OffsetDateTime,
) -> Released {
    let decided = policy
        .assume(role, policy.tables.get(table), purpose, now)
        .and_then(|admission| match policy.decide(&admission, table, columns) {
            Some(decision) => decision.map(Released::As),
            None => Ok(Released::Unclassified(policy.unclassified.table)),
        });
    decided.unwrap_or_else(|denial: Denial| Released::Denied(denial.code))
}

impl Policy {
    /// Rules that say nothing: nobody is admitted.
    fn nothing() -> Self {
        Self {
            revision: String::new(),
            sha256: String::new(),
            mode: Mode::Enforce,
            contact: None,
            purposes: BTreeMap::new(),
            categories: BTreeMap::new(),
            recipients: BTreeMap::new(),
            roles: BTreeMap::new(),
            transfers: None,
            tables: BTreeMap::new(),
            release: Vec::new(),
            writes: Vec::new(),
            unclassified: super::Unclassified {
                table: UnclassifiedForm::Refuse,
                column: UnclassifiedForm::Hidden,
            },
            functions_allowed: Vec::new(),
            consent: None,
            children: None,
        }
    }
}
