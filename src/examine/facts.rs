//! What the audit says of a statement, planned or refused, and refusals as values.

use crate::pipeline::{Facts, FieldUse, Outcome, PlannedStatement, Refusal};
use crate::policy::{Code, Denial};
use crate::rewrite::plan::Planned;
use crate::rewrite::released::{Decided, Gap};
use crate::sql::normal;
use crate::sql::resolve::Resolved;

use super::Examination;

impl Refusal {
    /// With a code and words, nothing known of the statement.
    pub(super) fn simple(code: Code, message: impl Into<String>) -> Self {
        let facts = Facts {
            code: Some(code),
            ..Facts::unread()
        };
        Self {
            code,
            sqlstate: "42501",
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            facts: Box::new(facts),
            stale_catalog: false,
        }
    }

    /// Of a text that could not be read at all.
    pub fn unread(message: impl Into<String>) -> Self {
        Self {
            sqlstate: "42601",
            ..Self::simple(Code::NotUnderstood, message)
        }
    }

    pub(super) fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what is known of the statement.
    pub(super) fn about(mut self, statement: Option<&PlannedStatement>) -> Self {
        if let Some(statement) = statement {
            *self.facts = Facts {
                outcome: Outcome::Refuse,
                code: Some(self.code),
                ..(*statement.facts).clone()
            };
        }
        self
    }
}

impl Examination<'_> {
    pub(super) fn refuse(&self, code: Code, message: impl Into<String>) -> Refusal {
        let denial = Denial {
            code,
            message: message.into(),
            detail: None,
            hint: None,
            rule: None,
        };
        self.denied(denial, Gap::No, None)
    }

    pub(super) fn denied(&self, denial: Denial, gap: Gap, position: Option<usize>) -> Refusal {
        let outcome = match gap {
            Gap::Yes => Outcome::Gap,
            Gap::No => Outcome::Refuse,
        };
        let facts = Facts {
            outcome,
            code: Some(denial.code),
            ..self.plain_facts()
        };
        Refusal {
            code: denial.code,
            sqlstate: "42501",
            message: denial.message,
            detail: denial.detail,
            hint: denial.hint,
            position,
            facts: Box::new(facts),
            stale_catalog: false,
        }
    }

    /// Of a statement that uses no column.
    pub(super) fn plain_facts(&self) -> Facts {
        let known = |name: &str| self.context.catalog.knows(name);
        let statement = normal::normalise(self.text, self.span(), &known);
        let fingerprint = normal::fingerprint(&statement);
        Facts {
            outcome: Outcome::Allow,
            code: None,
            statement: Some(statement),
            fingerprint: Some(fingerprint),
            fields: Vec::new(),
            row_filters: Vec::new(),
            observed: false,
        }
    }

    /// A statement that changes no row and shows none.
    pub(super) fn unchanged(&self) -> PlannedStatement {
        PlannedStatement {
            command: self.statement.command.clone(),
            facts: self.plain_facts().into(),
            writes: false,
            protected: false,
            hidden_origins: Vec::new(),
            max_rows: None,
            prepares: None,
        }
    }

    pub(super) fn facts(&self, resolved: &Resolved, planned: &Planned<'_>) -> Facts {
        let mut outcome = Outcome::Allow;
        let mut fields = Vec::new();
        for (base, position) in &resolved.columns {
            let Some(relation) = self.context.catalog.relation_by_oid(base.relation) else {
                continue;
            };
            let Some(index) = relation.columns.iter().position(|c| c.number == base.column) else {
                continue;
            };
            let Some(decided) = planned.decided.get(&base.relation) else {
                continue;
            };
            let Some(column) = decided.decision.as_ref().and_then(|d| d.columns.get(index)) else {
                continue;
            };
            if column.unclassified {
                outcome = outcome.min(Outcome::Gap);
            }
            if !column.is_raw_everywhere() {
                outcome = outcome.min(Outcome::Mask);
            }
            fields.push(FieldUse {
                column: format!("{}.{}", relation.name, column.column),
                data_category: column.category.clone(),
                position: *position,
                form: column.form.name(),
                rule: column.rule.clone(),
            });
        }
        let mut row_filters: Vec<&'static str> = planned
            .decided
            .values()
            .filter_map(|d| d.decision.as_ref())
            .flat_map(|d| d.filters.iter().map(|f| f.name()))
            .collect();
        row_filters.sort_unstable();
        row_filters.dedup();
        if planned.decided.values().any(|d| Decided::filtered(d)) {
            outcome = outcome.min(Outcome::Filter);
        }
        Facts {
            outcome,
            fields,
            row_filters,
            ..self.plain_facts()
        }
    }
}
