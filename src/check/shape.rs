//! Masks, row filters and data subjects against the types of the schema: everything is made as for a
//! statement, so that what is told here is what a statement would be refused for.

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Relation, SearchPath};
use crate::policy::{ColumnRule, Mask, Place, ReleaseForm, RowFilter, TableRule};
use crate::rewrite::bind::bind;
use crate::rewrite::mask::{MaskKeys, mask_expression};
use crate::rewrite::obligation::{Target, comparable, filter_sql};
use crate::rewrite::quote;
use crate::rules::{DiagnosticCode, Diagnostics};
use crate::sql::resolve::Env;

use super::{Rules, column_name, speaking};

pub(super) fn find(rules: &Rules<'_>, catalog: &Catalog, findings: &mut Diagnostics) {
    let mut known = Known {
        rules,
        catalog,
        reported: BTreeSet::new(),
        findings,
    };
    for (table, relation) in rules.classified(catalog) {
        known.subjects(table, relation);
        known.own_masks(table, relation);
        known.row_filters(table, relation);
    }
    known.released_masks();
    known.other_filters();
}

struct Known<'a, 'f> {
    rules: &'a Rules<'a>,
    catalog: &'a Catalog,
    /// What was told already, by place and words.
    reported: BTreeSet<(Place, String)>,
    findings: &'f mut Diagnostics,
}

impl Known<'_, '_> {
    fn report(&mut self, code: DiagnosticCode, place: &Place, object: String, message: String, help: &str) {
        if self.reported.insert((place.clone(), message.clone())) {
            let finding = self.rules.finding(code, place, message).object(object);
            self.findings.push(finding.help(help));
        }
    }

    /// Binds SQL of the rules to the relation, as for a client whose search_path is the usual one.
    fn bound(&self, sql: &str, relation: &Relation) -> Result<(), String> {
        let search_path = SearchPath::new(&["public".to_owned()], "", self.catalog);
        let env = Env {
            catalog: self.catalog,
            search_path: &search_path,
            allowed: &|_| true,
            parameters: &[],
            bare: false,
        };
        bind(sql, relation, &relation.name.name, env).map(drop)
    }

    // ---- masks

    /// A column's own mask, whether a release entry asks for it or not.
    fn own_masks(&mut self, table: &TableRule, relation: &Relation) {
        for (name, rule) in &table.columns {
            if let Some(mask) = &rule.mask {
                self.mask(mask, table, relation, name, &rule.place);
            }
        }
    }

    /// The masks in which release entries show columns.
    fn released_masks(&mut self) {
        let policy = self.rules.policy;
        let mut asked: Vec<(&Mask, &TableRule, &str, &Place)> = Vec::new();
        speaking::entries(policy, |speaking| {
            let mask = match &speaking.entry.form {
                ReleaseForm::Mask(mask) => Some(mask),
                ReleaseForm::OwnMask => own_mask(policy, speaking.rule),
                ReleaseForm::Raw | ReleaseForm::Hidden | ReleaseForm::Refuse => None,
            };
            if let Some(mask) = mask {
                asked.push((mask, speaking.table, speaking.column, &speaking.entry.place));
            }
        });
        for (mask, table, column, place) in asked {
            let Some(relation) = self.catalog.relation(&table.name) else {
                continue;
            };
            match column {
                "*" => {
                    let named = |name: &str| table.columns.contains_key(name);
                    let others = relation.columns.iter().filter(|column| !named(&column.name));
                    for column in others {
                        self.mask(mask, table, relation, &column.name, place);
                    }
                }
                name => self.mask(mask, table, relation, name, place),
            }
        }
    }

    fn mask(&mut self, mask: &Mask, table: &TableRule, relation: &Relation, column: &str, place: &Place) {
        let Some(found) = relation.column(column) else {
            return;
        };
        let keys = MaskKeys {
            pseudonym: "pgpurpose.key",
            hash: "pgpurpose.key",
        };
        let subject = table.data_subject.as_ref().map(|_| "subject");
        let problem = match mask {
            Mask::Sql(sql) => {
                let expression = sql.replace("{}", &quote::ident(column));
                self.bound(&expression, relation).err()
            }
            mask => mask_expression(mask, found, self.catalog, "value", &keys, subject)
                .err()
                .map(|misfit| misfit.why),
        };
        if let Some(why) = problem {
            let object = column_name(&table.name, column);
            let message = format!(
                "mask `{}` does not fit `{object}`, {}: {why}",
                mask.name(),
                found.type_sql
            );
            let help = "give the column a `mask` of its own that fits, or release it in another form";
            self.report(DiagnosticCode::MaskMisfit, place, object, message, help);
        }
    }

    // ---- filters

    fn row_filters(&mut self, table: &TableRule, relation: &Relation) {
        for filter in &table.row_filters {
            if let Err(why) = self.bound(&filter.sql, relation) {
                let message = format!("`where` does not fit `{}`: {why}", table.name);
                let help = "`where` is an SQL expression over the table's own columns";
                self.report(
                    DiagnosticCode::FilterMisfit,
                    &filter.place,
                    table.name.to_string(),
                    message,
                    help,
                );
            }
        }
    }

    /// Retention, children, transfers, the data subject's rows: for each way in which they apply.
    fn other_filters(&mut self) {
        for (role, purpose) in self.rules.ways() {
            for (table, relation) in self.rules.classified(self.catalog) {
                let Some(decision) = self.rules.decide(role, purpose, table) else {
                    continue;
                };
                for filter in &decision.filters {
                    self.filter(filter, table, relation);
                }
            }
        }
    }

    fn filter(&mut self, filter: &RowFilter, table: &TableRule, relation: &Relation) {
        let (place, help) = match filter {
            // Bound above; told of the consent table itself; told of the data subject itself.
            RowFilter::Where { .. } | RowFilter::Consent(_) | RowFilter::OneSubject { .. } => return,
            RowFilter::Retention { place, .. } => (place, "`retention` needs a date or timestamp column"),
            RowFilter::Children { place, .. } => (place, "`birth_date` of the root must be a date or a timestamp"),
            RowFilter::Transfer { place, .. } => (place, "`region` of the root must be one of its columns"),
        };
        let target = Target {
            table: &table.name,
            alias: "t",
        };
        if let Err(problem) = filter_sql(filter, &target, self.rules.policy, self.catalog) {
            // Keys are told at the data subject.
            if self.keys_fit(table, relation) {
                let message = format!("`{}` does not fit: {problem}", filter.name());
                let object = table.name.to_string();
                self.report(DiagnosticCode::FilterMisfit, place, object, message, help);
            }
        }
    }

    // ---- data subjects

    fn keys_fit(&self, table: &TableRule, relation: &Relation) -> bool {
        let columns = table.columns.values();
        let subjects = table
            .data_subject
            .iter()
            .chain(columns.filter_map(|c| c.data_subject.as_ref()));
        let mut problems = subjects.map(|subject| self.key_problem(subject, table, relation));
        problems.all(|problem| problem.is_none())
    }

    fn subjects(&mut self, table: &TableRule, relation: &Relation) {
        let columns = table.columns.values();
        for subject in table
            .data_subject
            .iter()
            .chain(columns.filter_map(|c| c.data_subject.as_ref()))
        {
            let object = column_name(&table.name, &subject.key);
            if let Some(why) = self.key_problem(subject, table, relation) {
                let help = "`key` is the column that holds the key of the data subject's row in its root";
                self.report(DiagnosticCode::SubjectMisfit, &subject.place, object, why, help);
            }
            for (key, column) in [("birth_date", &subject.birth_date), ("region", &subject.region)] {
                if let Some(column) = column.as_ref().filter(|column| relation.column(column).is_none()) {
                    let why = format!("`{key}`: table `{}` has no column `{column}`", table.name);
                    let object = column_name(&table.name, column);
                    let help = "name a column of this table";
                    self.report(DiagnosticCode::SubjectMisfit, &subject.place, object, why, help);
                }
            }
        }
    }

    fn key_problem(
        &self,
        subject: &crate::policy::DataSubject,
        table: &TableRule,
        relation: &Relation,
    ) -> Option<String> {
        if relation.column(&subject.key).is_none() {
            return Some(format!("`key`: table `{}` has no column `{}`", table.name, subject.key));
        }
        let root = subject.of.as_ref()?;
        let root_key = &self.rules.policy.root(root)?.key;
        // Where the root's own key is missing, that is told there.
        self.catalog.relation(root)?.column(root_key)?;
        let problem = comparable((&table.name, &subject.key), (root, root_key), self.catalog).err()?;
        Some(format!(
            "`{}` cannot be compared with `{}`: {}",
            column_name(&table.name, &subject.key),
            column_name(root, root_key),
            problem.why
        ))
    }
}

fn own_mask<'p>(policy: &'p crate::policy::Policy, rule: &'p ColumnRule) -> Option<&'p Mask> {
    let of_category = || policy.category(&rule.category)?.mask.as_ref();
    rule.mask.as_ref().or_else(of_category)
}
