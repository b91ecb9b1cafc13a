//! What may be written (policy.md section 10).

use crate::catalog::QualifiedName;

use super::model::within;
use super::release::deepest;
use super::{Admission, Code, Condition, Denial, Policy, Sensitivity, Verb, WriteEntry};

impl Policy {
    /// The `writes` entry that allows `verb` on `table` (the name of its entry), if any: that of the
    /// deepest purpose, the first of several.
    pub fn write_entry(&self, admission: &Admission<'_>, table: &QualifiedName, verb: Verb) -> Option<&WriteEntry> {
        let mut best: Option<(usize, &WriteEntry)> = None;
        for entry in &self.writes {
            if !entry.tables.contains(table) || !entry.allow.contains(&verb) {
                continue;
            }
            let Some(depth) = deepest(&entry.purposes, &admission.purpose().name) else {
                continue;
            };
            if best.is_none_or(|(deepest, _)| depth > deepest) {
                best = Some((depth, entry));
            }
        }
        best.map(|(_, entry)| entry)
    }

    /// Whether data of category `from` may be written into a column of `into` (policy.md section
    /// 10): the same category, a descendant that is no less sensitive, or a higher sensitivity.
    /// `into` is `None` where no rule classifies the target.
    pub fn may_flow(&self, from: &str, into: Option<&str>) -> bool {
        let sensitivity = |key| self.category(key).map(|category| category.sensitivity);
        let source = sensitivity(from).unwrap_or(Sensitivity::Sensitive);
        if source == Sensitivity::None {
            return true;
        }
        let Some(into) = into else {
            return false;
        };
        let target = sensitivity(into).unwrap_or(Sensitivity::None);
        from == into || target > source || (within(into, from) && target == source)
    }

    /// `collection: opt_in`: the condition under which a value may be stored in a column; `None`: no
    /// condition.
    ///
    /// # Errors
    /// `write_not_allowed`, where no consent could have been given: no subject, or no `consent`.
    pub fn collection_condition(
        &self,
        admission: &Admission<'_>,
        table: &QualifiedName,
        column: &str,
    ) -> Option<Result<Condition, Denial>> {
        let table = self.tables.get(table)?;
        let rule = table.column(column)?;
        let category = self.category(&rule.category)?;
        if !category.collection_opt_in {
            return None;
        }
        let subject = self.subject_of_column(table, rule);
        let subject = subject.filter(|subject| self.consent_root() == Some(subject.root));
        Some(match subject {
            Some(subject) => Ok(Condition {
                key: subject.key.to_owned(),
                root: subject.root.clone(),
                opt_in: true,
                purposes: super::decide::with_ancestors(&admission.purpose().name),
            }),
            None => Err(Denial {
                code: Code::WriteNotAllowed,
                message: format!(
                    "{}.{column} may be stored only with consent, and none can be known",
                    table.name
                ),
                detail: Some(format!(
                    "data_category {} has collection: opt_in ({}), and no consent record refers to the rows of {}",
                    category.key, category.place, table.name
                )),
                hint: Some("leave the column out".to_owned()),
                rule: Some(category.place.clone()),
            }),
        })
    }
}
