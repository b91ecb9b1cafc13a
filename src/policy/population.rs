//! Question 4 of the decision (policy.md section 7): which rows exist at all.
//!
//! `on_no_consent: row` is not here: it follows from the columns, see `decide`.

use super::lookup::Subject;
use super::model::within;
use super::{Admission, ChildrenRule, Code, Denial, Policy, RowFilter, Sensitivity, TableRule, Transfers};

impl Policy {
    /// The row filters of a table, for any column.
    pub(super) fn population(&self, admission: &Admission<'_>, table: &TableRule) -> Result<Vec<RowFilter>, Denial> {
        let mut filters = Vec::new();
        filters.extend(self.one_subject(admission, table));
        filters.extend(self.where_filters(admission, table));
        filters.extend(self.retention(admission, table));
        filters.extend(self.children(admission, table));
        filters.extend(self.transfer(admission, table)?);
        Ok(filters)
    }

    fn one_subject(&self, admission: &Admission<'_>, table: &TableRule) -> Option<RowFilter> {
        let subject = self.subject_of_table(table)?;
        self.filtered_to_subject(admission, table)
            .then(|| RowFilter::OneSubject {
                key: subject.key.to_owned(),
            })
    }

    fn where_filters(&self, admission: &Admission<'_>, table: &TableRule) -> Vec<RowFilter> {
        let purpose = &admission.purpose().name;
        let apply = table.row_filters.iter().filter(|rule| covers(&rule.purposes, purpose));
        apply
            .map(|rule| RowFilter::Where {
                sql: rule.sql.clone(),
                place: rule.place.clone(),
            })
            .collect()
    }

    fn retention(&self, admission: &Admission<'_>, table: &TableRule) -> Option<RowFilter> {
        let rule = table.retention.as_ref()?;
        let applies = rule.purposes.is_empty() || covers(&rule.purposes, &admission.purpose().name);
        applies.then(|| RowFilter::Retention {
            column: rule.column.clone(),
            keep: rule.keep.clone(),
            place: rule.place.clone(),
        })
    }

    fn children(&self, admission: &Admission<'_>, table: &TableRule) -> Vec<RowFilter> {
        let Some(rule) = &self.children else {
            return Vec::new();
        };
        if covers(&rule.purposes, &admission.purpose().name) {
            return Vec::new();
        }
        // The named subject's own data is exempt, a child's too; what is about others is hidden there.
        if self.filtered_to_subject(admission, table) {
            return Vec::new();
        }
        self.child_filters(table)
    }

    /// The rows of children in a table, whatever the purpose: none of them may be stored
    /// (policy.md section 8). Each is to hold, of the row as it would be written.
    pub fn child_filters(&self, table: &TableRule) -> Vec<RowFilter> {
        let mut filters = self.children_of_columns(table);
        filters.extend(self.children_of_rows(table));
        filters
    }

    fn children_of_rows(&self, table: &TableRule) -> Option<RowFilter> {
        self.child_filter(self.children.as_ref()?, self.subject_of_table(table)?)
    }

    /// Columns about a person of their own: a row that names a child there is a child's row.
    pub(super) fn children_of_columns(&self, table: &TableRule) -> Vec<RowFilter> {
        let Some(rule) = &self.children else {
            return Vec::new();
        };
        let mut filters = Vec::new();
        for column in table.columns.values().chain(&table.all_columns) {
            let personal = self
                .category(&column.category)
                .is_none_or(|c| c.sensitivity > Sensitivity::None);
            let subject = self.subject_of_column(table, column);
            if column.data_subject.is_none() || !personal || subject == self.subject_of_table(table) {
                continue;
            }
            let filter = subject.and_then(|subject| self.child_filter(rule, subject));
            filters.extend(filter.filter(|filter| !filters.contains(filter)));
        }
        filters
    }

    fn child_filter(&self, rule: &ChildrenRule, subject: Subject<'_>) -> Option<RowFilter> {
        let root = self.root(subject.root)?;
        Some(RowFilter::Children {
            key: subject.key.to_owned(),
            root: subject.root.clone(),
            root_key: root.key.clone(),
            birth_date: root.birth_date.clone()?,
            under: rule.under,
            unknown_is_child: rule.unknown_is_child,
            place: rule.place.clone(),
        })
    }

    /// `transfers`, where they restrict what this recipient may see.
    pub(super) fn restricted_transfer(&self, admission: &Admission<'_>) -> Option<&Transfers> {
        let transfers = self.transfers.as_ref()?;
        let recipient = admission.recipient()?;
        let adequate = recipient
            .region
            .as_ref()
            .is_some_and(|region| transfers.adequate_regions.contains(region));
        let unrestricted = adequate || admission.recipient_assured() || transfers.restricted_regions.is_empty();
        (!unrestricted).then_some(transfers)
    }

    fn transfer(&self, admission: &Admission<'_>, table: &TableRule) -> Result<Option<RowFilter>, Denial> {
        let Some(transfers) = self.restricted_transfer(admission) else {
            return Ok(None);
        };
        let subject = self.subject_of_table(table);
        let root = subject.and_then(|subject| self.root(subject.root));
        let region = root.and_then(|root| root.region.clone());
        match (subject, root, region) {
            (Some(subject), Some(root), Some(region)) => Ok(Some(RowFilter::Transfer {
                key: subject.key.to_owned(),
                root: subject.root.clone(),
                root_key: root.key.clone(),
                region,
                restricted: transfers.restricted_regions.clone(),
                place: transfers.place.clone(),
            })),
            // Nobody's data: nothing that a region could restrict.
            (None, _, _) if !self.has_personal_column(table) => Ok(None),
            (None, _, _) | (_, None, _) | (_, _, None) => Err(no_region(admission, table, transfers)),
        }
    }

    fn has_personal_column(&self, table: &TableRule) -> bool {
        let mut columns = table.columns.values().chain(&table.all_columns);
        columns.any(|column| {
            self.category(&column.category)
                .is_none_or(|c| c.sensitivity > Sensitivity::None)
        })
    }
}

fn covers(purposes: &[String], purpose: &str) -> bool {
    purposes.iter().any(|listed| within(purpose, listed))
}

fn no_region(admission: &Admission<'_>, table: &TableRule, transfers: &Transfers) -> Denial {
    let (name, region) = admission.recipient().map_or(("controller", None), |recipient| {
        (recipient.name.as_str(), recipient.region.as_deref())
    });
    let region = region.map_or_else(
        || "an unknown region".to_owned(),
        |region| format!("region \"{region}\""),
    );
    Denial {
        code: Code::TransferNotAllowed,
        message: format!("data of {} may not be disclosed to recipient \"{name}\"", table.name),
        detail: Some(format!(
            "recipient \"{name}\" is in {region}, has no unexpired assurance, and the region of the data subjects of {} \
             is unknown ({})",
            table.name, transfers.place
        )),
        hint: Some(format!(
            "name the region of its data subjects in tables.{}.data_subject, or give recipient \"{name}\" an assurance",
            table.name
        )),
        rule: Some(transfers.place.clone()),
    }
}
