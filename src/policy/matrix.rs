//! Who sees what: the released form of each classified column under each purpose.
//!
//! Decides nothing itself: each cell is an admission and a decision like those of statements.

use time::OffsetDateTime;

use crate::catalog::QualifiedName;

use super::{
    Admission, Code, ColumnDecision, Declaration, Denial, Form, Place, Policy, Role, Sensitivity, TableDecision,
    TableRule,
};

/// The role that stands for everybody: granted every purpose, for the controller itself.
const ANYBODY: &str = "";

/// What one cell shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// The statement is refused, by admission or for the recipient.
    Denied(Code),
    /// The column's decision.
    Column(Box<ColumnDecision>),
}

/// How much a cell shows, from nothing to everything: what colours stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// The statement is refused.
    Refused,
    /// NULL.
    Hidden,
    /// As it is, and not personal.
    Free,
    /// Through a mask, in all rows or under conditions.
    Masked,
    /// As it is, in the rows of those who consented or did not refuse.
    Conditional,
    /// As it is.
    Raw,
}

impl Exposure {
    /// `refused`, `hidden`, `free`, `masked`, `conditional`, `raw`
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Hidden => "hidden",
            Self::Free => "free",
            Self::Masked => "masked",
            Self::Conditional => "conditional",
            Self::Raw => "raw",
        }
    }
}

impl Cell {
    /// How much it shows.
    pub fn exposure(&self) -> Exposure {
        let column = match self {
            Self::Denied(_) => return Exposure::Refused,
            Self::Column(column) => column,
        };
        match &column.form {
            Form::Refuse => Exposure::Refused,
            Form::Hidden => Exposure::Hidden,
            Form::Raw if column.sensitivity == Sensitivity::None => Exposure::Free,
            Form::Masked(_) => Exposure::Masked,
            Form::Raw if column.conditions.is_empty() => Exposure::Raw,
            Form::Raw => Exposure::Conditional,
        }
    }

    /// The rule that decided, if one did.
    pub fn rule(&self) -> Option<&Place> {
        match self {
            Self::Denied(_) => None,
            Self::Column(column) => column.rule.as_ref(),
        }
    }

    /// `raw`, `hidden`, `refuse`, a mask's name; with the conditions of its rows, or a denial's code.
    pub fn text(&self) -> String {
        let column = match self {
            Self::Denied(code) => return code.as_str().to_owned(),
            Self::Column(column) => column,
        };
        let form = column.form.name();
        let mut notes: Vec<&str> = Vec::new();
        for condition in &column.conditions {
            let note = if condition.opt_in { "opt_in" } else { "opt_out" };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        if column.predicates_refused {
            notes.push("no predicates");
        }
        if notes.is_empty() {
            form.to_owned()
        } else {
            format!("{form} ({})", notes.join(", "))
        }
    }
}

/// A column under each purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixRow {
    /// Its name, or `*` for all that the entry does not name.
    pub column: String,
    /// Its category.
    pub data_category: String,
    /// In the order of [`Matrix::purposes`].
    pub cells: Vec<Cell>,
}

/// A table under each purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixTable {
    /// Its name.
    pub table: QualifiedName,
    /// Its columns, in order of name, `*` last.
    pub rows: Vec<MatrixRow>,
    /// Names of the row filters under each purpose.
    pub filters: Vec<Vec<&'static str>>,
}

/// All classified columns under all purposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// Whose it is; `None`: of a role of the controller itself that is granted every purpose.
    pub role: Option<String>,
    /// The purposes that anybody, or the role asked about, may act for.
    pub purposes: Vec<String>,
    /// Tables in order of name.
    pub tables: Vec<MatrixTable>,
}

impl Matrix {
    /// Leaves out the purposes and tables that are not asked for.
    pub fn keep(&mut self, purpose: impl Fn(&str) -> bool, table: impl Fn(&QualifiedName) -> bool) {
        let kept: Vec<bool> = self.purposes.iter().map(|name| purpose(name)).collect();
        self.purposes = of_kept(std::mem::take(&mut self.purposes), &kept);
        self.tables.retain(|found| table(&found.table));
        for found in &mut self.tables {
            found.filters = of_kept(std::mem::take(&mut found.filters), &kept);
            for row in &mut found.rows {
                row.cells = of_kept(std::mem::take(&mut row.cells), &kept);
            }
        }
    }
}

fn of_kept<T>(all: Vec<T>, kept: &[bool]) -> Vec<T> {
    all.into_iter()
        .zip(kept)
        .filter_map(|(one, kept)| kept.then_some(one))
        .collect()
}

impl Policy {
    /// Who sees what at `now`: for `role`, or for a role of the controller itself that is granted
    /// every purpose. A reason and a subject count as given. `None`: there is no such role.
    pub fn matrix(&self, role: Option<&str>, now: OffsetDateTime) -> Option<Matrix> {
        match role {
            Some(role) => self.roles.get(role).map(|role| self.matrix_of(role, now)),
            None => {
                let (policy, anybody) = self.with_anybody();
                Some(policy.matrix_of(&anybody, now))
            }
        }
    }

    fn anybody(&self) -> Role {
        let place = Place {
            file: "".into(),
            line: 0,
            column: 0,
        };
        Role {
            name: ANYBODY.to_owned(),
            purposes: self.purposes.keys().cloned().collect(),
            default_purpose: None,
            recipient: None,
            place,
        }
    }

    /// The rules, with a role more: one of the controller itself that is granted every purpose.
    pub fn with_anybody(&self) -> (Self, Role) {
        let mut policy = self.clone();
        let anybody = policy.anybody();
        policy.roles.insert(ANYBODY.to_owned(), anybody.clone());
        (policy, anybody)
    }

    fn matrix_of(&self, role: &Role, now: OffsetDateTime) -> Matrix {
        let purposes: Vec<String> = self
            .purposes_for_role(&role.name)
            .iter()
            .map(|p| p.name.clone())
            .collect();
        let tables = self
            .tables
            .values()
            .map(|table| self.matrix_table(role, table, &purposes, now))
            .collect();
        Matrix {
            role: (role.name != ANYBODY).then(|| role.name.clone()),
            purposes,
            tables,
        }
    }

    fn matrix_table(&self, role: &Role, table: &TableRule, purposes: &[String], now: OffsetDateTime) -> MatrixTable {
        let named = table.columns.iter().map(|(name, rule)| (name.as_str(), rule));
        let columns: Vec<_> = named.chain(table.all_columns.iter().map(|rule| ("*", rule))).collect();
        let mut rows: Vec<MatrixRow> = columns
            .iter()
            .map(|(name, rule)| MatrixRow {
                column: (*name).to_owned(),
                data_category: rule.category.clone(),
                cells: Vec::new(),
            })
            .collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let mut filters = Vec::new();
        for purpose in purposes {
            match self.matrix_decision(role, table, purpose, &names, now) {
                Ok(decision) => {
                    filters.push(filter_names(&decision));
                    for (row, column) in rows.iter_mut().zip(decision.columns) {
                        row.cells.push(Cell::Column(Box::new(column)));
                    }
                }
                Err(denial) => {
                    filters.push(Vec::new());
                    for row in &mut rows {
                        row.cells.push(Cell::Denied(denial.code));
                    }
                }
            }
        }
        MatrixTable {
            table: table.name.clone(),
            rows,
            filters,
        }
    }

    fn matrix_decision(
        &self,
        role: &Role,
        table: &TableRule,
        purpose: &str,
        columns: &[&str],
        now: OffsetDateTime,
    ) -> Result<TableDecision, Denial> {
        let admission = self.assume(&role.name, Some(table), purpose, now)?;
        match self.decide(&admission, &table.name, columns) {
            Some(decision) => decision,
            // The table is one of the policy's own.
            None => Err(Denial {
                code: Code::TableUnclassified,
                message: format!("{} has no entry", table.name),
                detail: None,
                hint: None,
                rule: None,
            }),
        }
    }

    /// The admission of `role` for `purpose`, a reason and a subject taken as given. Under
    /// `scope: one_subject` the subject is one of the table's own root.
    ///
    /// # Errors
    /// See [`Policy::admit`].
    pub fn assume(
        &self,
        role: &str,
        table: Option<&TableRule>,
        purpose: &str,
        now: OffsetDateTime,
    ) -> Result<Admission<'_>, Denial> {
        let own = table
            .and_then(|table| self.subject_of_table(table))
            .map(|subject| subject.root);
        let root = own.or_else(|| self.roots().next().map(|(root, _)| root));
        let declared = Declaration {
            purpose: Some(purpose.to_owned()),
            reason: Some("matrix".to_owned()),
            subject: Some(match root {
                Some(root) if self.roots().nth(1).is_some() => format!("{root}:1"),
                Some(_) | None => "1".to_owned(),
            }),
            actor: None,
        };
        self.admit(role, &declared, now)
    }
}

fn filter_names(decision: &TableDecision) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for filter in &decision.filters {
        if !names.contains(&filter.name()) {
            names.push(filter.name());
        }
    }
    names
}
