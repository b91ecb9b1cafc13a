//! Categories with what they inherit; tables; consent and children, which speak of tables.

use std::collections::BTreeMap;

use crate::catalog::QualifiedName;
use crate::policy::{
    Category, ChildrenRule, ColumnRule, ConsentTable, DataSubject, Disclosure, Retention, RowFilterRule, Sensitivity,
    TableRule,
};

use super::super::diagnostic::{Diagnostic, DiagnosticCode};
use super::super::document::{CategoryDoc, ColumnDoc, SubjectDoc, TableDoc};
use super::super::fields::invalid;
use super::super::source::Sp;
use super::Names;

impl Names<'_> {
    pub(super) fn categories(&mut self) -> BTreeMap<String, Category> {
        let mut declared: Vec<&(Sp<String>, CategoryDoc)> = self.document.categories.iter().collect();
        // A key sorts before the keys below it, so ancestors come first.
        declared.sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
        let mut categories: BTreeMap<String, Category> = BTreeMap::new();
        for (key, doc) in declared {
            if let Some(category) = self.category(key, doc, &categories) {
                categories.insert(key.value.clone(), category);
            }
        }
        categories
    }

    fn category(
        &mut self,
        key: &Sp<String>,
        doc: &CategoryDoc,
        categories: &BTreeMap<String, Category>,
    ) -> Option<Category> {
        let Some((_, _)) = key.value.split_once('.') else {
            let Some(sensitivity) = doc.sensitivity else {
                let message = format!("`sensitivity` is missing: nothing above `{}` could say it", key.value);
                let finding = Diagnostic::new(DiagnosticCode::MissingKey, &key.span, message);
                self.findings.push(finding.help("none, personal or sensitive"));
                return None;
            };
            return Some(category(key, doc, sensitivity, None));
        };
        self.category_name(key, categories)?;
        let parent = |name: &str| name.rsplit_once('.').map(|(parent, _)| parent.to_owned());
        let mut ancestors = std::iter::successors(parent(&key.value), |name| parent(name));
        let parent = ancestors.find_map(|name| categories.get(&name))?;
        let sensitivity = doc.sensitivity.unwrap_or(parent.sensitivity);
        Some(category(key, doc, sensitivity, Some(parent)))
    }

    pub(super) fn tables(&mut self, categories: &BTreeMap<String, Category>) -> BTreeMap<QualifiedName, TableRule> {
        let mut tables = BTreeMap::new();
        for (key, doc) in &self.document.tables {
            let table = self.table(key, doc, categories);
            tables.insert(doc.name.clone(), table);
        }
        tables
    }

    fn table(&mut self, key: &Sp<String>, doc: &TableDoc, categories: &BTreeMap<String, Category>) -> TableRule {
        let data_subject = doc.data_subject.as_ref().and_then(|subject| self.subject(subject));
        let mut columns = BTreeMap::new();
        let mut all_columns = None;
        for (name, column) in &doc.columns {
            let Some(rule) = self.column(name, column, doc, categories) else {
                continue;
            };
            if name.value == "*" {
                all_columns = Some(rule);
            } else {
                columns.insert(name.value.clone(), rule);
            }
        }
        let row_filters = doc.row_filters.iter().map(|filter| RowFilterRule {
            purposes: self.purpose_names(&filter.purposes),
            sql: filter.sql.clone(),
            place: filter.span.place(),
        });
        let row_filters = row_filters.collect();
        let retention = doc.retention.as_ref().map(|retention| Retention {
            column: retention.column.clone(),
            keep: retention.keep.clone(),
            purposes: self.purpose_names(&retention.purposes),
            place: retention.span.place(),
        });
        TableRule {
            name: doc.name.clone(),
            data_subject,
            collected_for: self.purpose_names(&doc.collected_for),
            columns,
            all_columns,
            row_filters,
            retention,
            on_no_consent: doc.on_no_consent,
            place: key.place(),
        }
    }

    fn column(
        &mut self,
        name: &Sp<String>,
        doc: &ColumnDoc,
        table: &TableDoc,
        categories: &BTreeMap<String, Category>,
    ) -> Option<ColumnRule> {
        let data_subject = doc.data_subject.as_ref().and_then(|subject| {
            let table_is_root = table.data_subject.as_ref().is_some_and(|own| own.of.is_none());
            if subject.of.is_none() && !table_is_root {
                let message = format!("`of` is missing: `{}` is not a kind of person itself", table.name);
                self.findings
                    .push(Diagnostic::new(DiagnosticCode::MissingKey, &subject.span, message));
                return None;
            }
            self.subject(subject)
        });
        Some(ColumnRule {
            category: self.category_name(&doc.category, categories)?,
            mask: doc.mask.clone(),
            data_subject,
            place: name.place(),
        })
    }

    fn subject(&mut self, doc: &SubjectDoc) -> Option<DataSubject> {
        let of = match &doc.of {
            Some(of) => Some(self.root(of)?),
            None => None,
        };
        Some(DataSubject {
            key: doc.key.clone(),
            of,
            birth_date: doc.birth_date.clone(),
            region: doc.region.clone(),
            place: doc.span.place(),
        })
    }

    pub(super) fn consent(&mut self) -> Option<ConsentTable> {
        let section = self.document.consent.as_ref()?;
        let doc = &section.value;
        // The only one is put in, so that no decision has to look for it among all tables.
        let of = match &doc.of {
            Some(of) => self.root(of),
            None => {
                let mut roots = self.roots();
                let only = roots.next().map(|table| table.name.clone());
                only.filter(|_| roots.next().is_none())
            }
        };
        let roots: Vec<String> = self.roots().map(|table| table.name.to_string()).collect();
        if doc.of.is_none() && roots.len() > 1 {
            let message = format!(
                "`of` is missing: there are several kinds of person: {}",
                roots.join(", ")
            );
            self.findings
                .push(Diagnostic::new(DiagnosticCode::MissingKey, &section.span, message));
        }
        Some(ConsentTable {
            table: doc.table.value.clone(),
            subject: doc.subject.clone(),
            purpose: doc.purpose.clone(),
            status: doc.status.clone(),
            given: doc.given.clone(),
            withdrawn: doc.withdrawn.clone(),
            expires: doc.expires.clone(),
            third_party: doc.third_party.clone(),
            recorded_at: doc.recorded_at.clone(),
            of,
            place: section.place(),
        })
    }

    pub(super) fn children(&mut self) -> Option<ChildrenRule> {
        let section = self.document.children.as_ref()?;
        let doc = &section.value;
        if doc.unknown_is_child {
            self.check_birth_dates(&section.span);
        }
        Some(ChildrenRule {
            under: doc.under,
            purposes: self.purpose_names(&doc.purposes),
            unknown_is_child: doc.unknown_is_child,
            place: section.place(),
        })
    }

    /// `unknown: child` would make children of everybody in a root without birth dates.
    fn check_birth_dates(&mut self, children: &super::super::source::Span) {
        for root in self.roots() {
            let subject = root
                .data_subject
                .as_ref()
                .filter(|subject| subject.birth_date.is_none());
            if let Some(subject) = subject {
                let message = format!(
                    "`birth_date` of `{}` is missing: an unknown one is a child's",
                    root.name
                );
                let finding = Diagnostic::new(DiagnosticCode::MissingKey, &subject.span, message);
                self.findings.push(finding.other(children, "by `unknown: child`"));
            }
        }
        if self.roots().next().is_none() {
            let message = "there is no table with a `data_subject`, so nobody is known to be a child";
            self.findings.push(invalid(children, message));
        }
    }
}

fn category(key: &Sp<String>, doc: &CategoryDoc, sensitivity: Sensitivity, parent: Option<&Category>) -> Category {
    let default = match sensitivity {
        Sensitivity::None => Disclosure::Allow,
        Sensitivity::Personal => Disclosure::OptOut,
        Sensitivity::Sensitive => Disclosure::OptIn,
    };
    // What raises the sensitivity takes the new one's defaults.
    let inherited = parent.filter(|parent| sensitivity <= parent.sensitivity);
    Category {
        key: key.value.clone(),
        sensitivity,
        other_purpose: doc
            .other_purpose
            .unwrap_or(inherited.map_or(default, |parent| parent.other_purpose)),
        third_party: doc
            .third_party
            .unwrap_or(inherited.map_or(default, |parent| parent.third_party)),
        collection_opt_in: doc
            .collection_opt_in
            .unwrap_or(parent.is_some_and(|parent| parent.collection_opt_in)),
        mask: doc
            .mask
            .clone()
            .or_else(|| parent.and_then(|parent| parent.mask.clone())),
        place: key.place(),
    }
}
