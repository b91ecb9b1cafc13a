//! What the audit says of a statement, planned or refused, and refusals as values.

use crate::catalog::{Relation, lists};
use crate::pipeline::{Facts, FieldUse, FilterUse, Outcome, PlannedStatement, Position, Refusal};
use crate::policy::{Code, ColumnDecision, Denial};
use crate::rewrite::plan::Planned;
use crate::rewrite::released::{Decided, Gap, entry_of, is_own};
use crate::sql::normal;
use crate::sql::resolve::{Resolved, is_system};

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

    /// Which names this column.
    pub(super) fn for_column(mut self, relation: &Relation, column: &ColumnDecision, position: Position) -> Self {
        let field = field_use(relation, column, position);
        if column.unclassified {
            self.facts.gaps.push(field.column.clone());
        }
        self.facts.fields.push(field);
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
            rule: denial.rule.clone(),
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

    /// A refusal for what a column or the purpose says, with the columns that the statement uses.
    pub(super) fn with_uses(&self, mut refusal: Refusal, resolved: &Resolved, planned: &Planned<'_>) -> Refusal {
        let facts = self.facts(resolved, planned);
        refusal.facts.fields = facts.fields;
        refusal.facts.row_filters = facts.row_filters;
        refusal.facts.filters = facts.filters;
        refusal
    }

    /// Of a statement that uses no column.
    pub(super) fn plain_facts(&self) -> Facts {
        let known = |name: &str| self.context.catalog.knows(name) || lists::is_word_of_setting(name);
        let statement = normal::normalise(self.text, self.span(), &known);
        let fingerprint = normal::fingerprint(&statement);
        Facts {
            outcome: Outcome::Allow,
            code: None,
            statement: Some(statement),
            fingerprint: Some(fingerprint),
            rule: None,
            gaps: Vec::new(),
            fields: Vec::new(),
            row_filters: Vec::new(),
            observed: false,
            filters: Vec::new(),
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
            groups: None,
            subjects: Vec::new(),
            setting_names: Vec::new(),
            prepares: None,
        }
    }

    /// Relations that no rule speaks of, views read through.
    pub(super) fn unclassified(&self, resolved: &Resolved) -> Vec<String> {
        let (policy, catalog) = (self.context.policy, self.context.catalog);
        let read = resolved
            .relations
            .iter()
            .filter(|r| !resolved.views.contains_key(&r.oid));
        let relations = read.filter_map(|r| catalog.relation_by_oid(r.oid));
        let is_unknown =
            |r: &&Relation| !is_system(r) && entry_of(r, policy, catalog).is_none() && !is_own(r, policy, catalog);
        let unknown = relations.map(|r| &**r).filter(is_unknown);
        let mut names: Vec<String> = unknown.map(|r| r.name.to_string()).collect();
        names.extend(
            resolved
                .views
                .values()
                .flat_map(|view| self.unclassified(&view.resolved)),
        );
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(super) fn facts(&self, resolved: &Resolved, planned: &Planned<'_>) -> Facts {
        let mut outcome = Outcome::Allow;
        let mut fields = Vec::new();
        let mut gaps = self.unclassified(resolved);
        if !gaps.is_empty() {
            outcome = Outcome::Gap;
        }
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
            let field = field_use(relation, column, *position);
            if column.unclassified {
                outcome = outcome.min(Outcome::Gap);
                gaps.push(field.column.clone());
            }
            if !column.is_raw_everywhere() {
                outcome = outcome.min(Outcome::Mask);
            }
            fields.push(field);
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
        let decisions = planned.decided.values().filter_map(|d| d.decision.as_ref());
        let mut filters: Vec<FilterUse> = decisions
            .flat_map(|d| {
                d.filters.iter().map(|f| FilterUse {
                    table: d.table.to_string(),
                    filter: f.name(),
                    rule: f.place().cloned(),
                })
            })
            .collect();
        filters.sort();
        filters.dedup();
        gaps.dedup();
        Facts {
            outcome,
            gaps,
            fields,
            row_filters,
            filters,
            ..self.plain_facts()
        }
    }
}

/// One use of a column, as it was decided.
fn field_use(relation: &Relation, column: &ColumnDecision, position: Position) -> FieldUse {
    FieldUse {
        column: format!("{}.{}", relation.name, column.column),
        data_category: column.category.clone(),
        position,
        form: column.form.name(),
        rule: column.rule.clone(),
        condition: condition(column),
    }
}

/// Under which condition a value is shown; consent that must be given is the stricter one.
fn condition(column: &ColumnDecision) -> Option<&'static str> {
    match column.conditions.iter().map(|c| c.opt_in).max()? {
        true => Some("opt_in"),
        false => Some("opt_out"),
    }
}
