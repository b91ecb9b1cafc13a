//! What PostgreSQL must grant the roles of the rules: the rewritten statement runs with the client's
//! own privileges, and reads roots and consent records too.

use std::collections::BTreeSet;

use crate::catalog::privileges::Held;
use crate::catalog::{Catalog, QualifiedName};
use crate::policy::{Form, Role, RowFilter, TableDecision, TableRule, nearest};
use crate::rules::{DiagnosticCode, Diagnostics};

use super::{Rules, listed};

pub(super) fn find(rules: &Rules<'_>, catalog: &Catalog, findings: &mut Diagnostics) {
    let Some(privileges) = &catalog.privileges else {
        return;
    };
    for role in rules.policy.roles.values() {
        let Some(held) = privileges.of(&role.name) else {
            let message = format!("the server has no role `{}`", role.name);
            let finding = rules.finding(DiagnosticCode::MissingRole, &role.place, message);
            let logins = privileges
                .roles
                .iter()
                .filter(|(_, role)| role.login)
                .map(|(name, _)| name.as_str());
            findings.push(match nearest(&role.name, logins) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help("roles are those that clients log in with: create it, or take it away"),
            });
            continue;
        };
        if held.is_superuser() {
            let message = format!("role `{}` is a superuser: PostgreSQL keeps nothing from it", role.name);
            let finding = rules.finding(DiagnosticCode::Superuser, &role.place, message);
            findings.push(finding.help("let applications log in with a role that has only what it needs"));
            continue;
        }
        Grants {
            rules,
            catalog,
            role,
            held: &held,
        }
        .find(findings);
    }
}

struct Grants<'a> {
    rules: &'a Rules<'a>,
    catalog: &'a Catalog,
    role: &'a Role,
    held: &'a Held<'a>,
}

impl Grants<'_> {
    fn find(&self, findings: &mut Diagnostics) {
        let mut needed: BTreeSet<(QualifiedName, String)> = BTreeSet::new();
        let mut unread: BTreeSet<&QualifiedName> = BTreeSet::new();
        for (table, relation) in self.rules.classified(self.catalog) {
            let decisions: Vec<TableDecision> = self
                .rules
                .purposes_of(self.role)
                .into_iter()
                .filter_map(|purpose| self.rules.decide(self.role, purpose, table))
                .filter(shows_something)
                .collect();
            if decisions.is_empty() {
                continue;
            }
            if !self.held.may_select_some(relation.oid) || !self.held.may_use_schema(&relation.name.schema) {
                unread.insert(&table.name);
                continue;
            }
            for decision in &decisions {
                let lacking = self.lacking(table, decision).into_iter();
                needed.extend(lacking.map(|(table, column)| (table.clone(), column.to_owned())));
            }
        }
        self.report_needed(&needed, findings);
        self.report_unread(&unread, findings);
    }

    /// Columns that the released relation reads, of whichever table, and that the role may not.
    fn lacking<'t>(&'t self, table: &'t TableRule, decision: &'t TableDecision) -> Vec<(&'t QualifiedName, &'t str)> {
        let mut reads: Vec<(&QualifiedName, &str)> = Vec::new();
        for column in decision.columns.iter().filter(|column| shows(&column.form)) {
            reads.push((&table.name, &column.column));
            if !column.conditions.is_empty() {
                self.consent_columns(&mut reads);
            }
        }
        for filter in &decision.filters {
            match filter {
                RowFilter::Consent(_) => self.consent_columns(&mut reads),
                // Of the table's own columns, or of whatever its SQL reads.
                RowFilter::Where { .. } | RowFilter::OneSubject { .. } | RowFilter::Retention { .. } => {}
                RowFilter::Children {
                    root,
                    root_key,
                    birth_date: column,
                    ..
                }
                | RowFilter::Transfer {
                    root,
                    root_key,
                    region: column,
                    ..
                } => reads.extend([(root, root_key.as_str()), (root, column.as_str())]),
            }
        }
        reads.retain(|(table, column)| self.may_not_read(table, column));
        reads
    }

    fn consent_columns<'t>(&'t self, reads: &mut Vec<(&'t QualifiedName, &'t str)>) {
        let Some(consent) = &self.rules.policy.consent else {
            return;
        };
        let always = [&consent.subject, &consent.purpose, &consent.status];
        let optional = [&consent.expires, &consent.recorded_at];
        let columns = always.into_iter().chain(optional.into_iter().flatten());
        reads.extend(columns.map(|column| (&consent.table, column.as_str())));
    }

    /// It exists, and the role may not read it.
    fn may_not_read(&self, table: &QualifiedName, column: &str) -> bool {
        let relation = self.catalog.relation(table);
        let column = relation.and_then(|relation| Some((relation.oid, relation.column(column)?.number)));
        column.is_some_and(|(relation, column)| {
            !self.held.may_select(relation, column) || !self.held.may_use_schema(&table.schema)
        })
    }

    fn report_needed(&self, needed: &BTreeSet<(QualifiedName, String)>, findings: &mut Diagnostics) {
        let tables: BTreeSet<&QualifiedName> = needed.iter().map(|(table, _)| table).collect();
        for table in tables {
            let columns = needed
                .iter()
                .filter(|(of, _)| of == table)
                .map(|(_, column)| column.as_str());
            let columns: Vec<&str> = columns.collect();
            let message = format!(
                "role `{}` may not read {} of `{table}`, which its statements need",
                self.role.name,
                listed(&columns)
            );
            let finding = self
                .rules
                .finding(DiagnosticCode::MissingPrivilege, &self.role.place, message);
            findings.push(finding.object(table).help(self.grant(table)));
        }
    }

    fn report_unread(&self, unread: &BTreeSet<&QualifiedName>, findings: &mut Diagnostics) {
        for table in unread {
            let message = format!(
                "role `{}` has no SELECT on `{table}`, of which the rules release something to it",
                self.role.name
            );
            let finding = self
                .rules
                .finding(DiagnosticCode::NotGranted, &self.role.place, message);
            findings.push(finding.object(table).help(self.grant(table)));
        }
    }

    fn grant(&self, table: &QualifiedName) -> String {
        let role = crate::rewrite::quote::ident(&self.role.name);
        let select = format!("GRANT SELECT ON {} TO {role};", crate::rewrite::quote::qualified(table));
        match self.held.may_use_schema(&table.schema) {
            true => select,
            false => {
                let schema = crate::rewrite::quote::ident(&table.schema);
                format!("GRANT USAGE ON SCHEMA {schema} TO {role}; {select}")
            }
        }
    }
}

fn shows(form: &Form) -> bool {
    match form {
        Form::Raw | Form::Masked(_) => true,
        Form::Hidden | Form::Refuse => false,
    }
}

fn shows_something(decision: &TableDecision) -> bool {
    decision.columns.iter().any(|column| shows(&column.form))
}
