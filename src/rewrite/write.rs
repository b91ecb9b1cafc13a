//! Writes (policy.md section 10): who may write what, and the released forms in place of a target's
//! columns, since a target cannot become a sub-select.

use std::ops::Range;

use crate::catalog::Relation;
use crate::policy::{Code, UnclassifiedForm, Verb};
use crate::sql::resolve::{RelationUse, Resolved, TargetReference, Use, is_system};

use super::edit::EditKind;
use super::places::{Condition, Places};
use super::plan::{Planned, Planner, Refused};
use super::quote;
use super::released::{Decided, entry_of};

/// Plans the write of a statement, if it has one.
///
/// # Errors
/// What may not be written.
pub fn plan<'p>(
    planner: &Planner<'_, 'p>,
    resolved: &Resolved,
    places: &Places<'_>,
    span: Range<usize>,
    planned: &mut Planned<'p>,
) -> Result<(), Refused> {
    let target = resolved.relations.iter().find_map(|r| match r.usage {
        Use::Target(verb) => Some((r, verb)),
        Use::Read | Use::CopyOut => None,
    });
    let Some((target, verb)) = target else { return Ok(()) };
    let Some(relation) = planner.env.catalog.relation_by_oid(target.oid).cloned() else {
        return Err(Refused::new(
            Code::NotUnderstood,
            "a relation is gone",
            Some(target.location),
        ));
    };
    let write = Write {
        planner,
        resolved,
        places,
        target,
        relation: &relation,
        verb,
    };
    write.allowed(planned.decided.get(&target.oid).map(|d| &**d))?;
    write.flows()?;
    if let Some(decided) = planned.decided.remove(&target.oid) {
        let done = write.released(&decided, span, planned);
        planned.decided.insert(target.oid, decided);
        done?;
    }
    Ok(())
}

struct Write<'a, 'p> {
    planner: &'a Planner<'a, 'p>,
    resolved: &'a Resolved,
    places: &'a Places<'a>,
    target: &'a RelationUse,
    relation: &'a Relation,
    verb: Verb,
}

impl<'p> Write<'_, 'p> {
    fn refuse(&self, code: Code, message: String) -> Refused {
        Refused::new(code, message, Some(self.target.location))
    }

    /// A `writes` entry must allow it, and what UPDATE sets must be raw unless the entry names it.
    fn allowed(&self, decided: Option<&Decided<'p>>) -> Result<(), Refused> {
        let name = &self.relation.name;
        if is_system(self.relation) {
            return Err(self.refuse(Code::WriteNotAllowed, format!("{name} cannot be written to")));
        }
        let Some(admission) = self.planner.admission else {
            return Err(self.refuse(Code::PurposeMissing, "no purpose is declared".into()));
        };
        let Some(entry) = entry_of(self.relation, self.planner.policy, self.planner.env.catalog) else {
            // Unclassified and raw: the rules leave it alone.
            return match self.planner.policy.unclassified.table {
                UnclassifiedForm::Raw => Ok(()),
                UnclassifiedForm::Hidden | UnclassifiedForm::Refuse => {
                    Err(self.refuse(Code::TableUnclassified, format!("no rule speaks of table {name}")))
                }
            };
        };
        let purpose = &admission.purpose().name;
        let verbs: &[Verb] = if self.resolved.on_conflict && self.resolved.assignments.iter().any(|a| a.update) {
            &[Verb::Insert, Verb::Update]
        } else {
            std::slice::from_ref(&self.verb)
        };
        for verb in verbs {
            let Some(allowing) = self.planner.policy.write_entry(admission, &entry, *verb) else {
                let word = match verb {
                    Verb::Insert => "insert",
                    Verb::Update => "update",
                    Verb::Delete => "delete",
                };
                let message = format!("purpose {purpose} may not {word} into or from {name}");
                let hint = format!(
                    "if it should, add to the rules: writes: [{{purposes: [{purpose}], tables: [{entry}], allow: [{word}]}}]"
                );
                return Err(self.refuse(Code::WriteNotAllowed, message).hint(hint));
            };
            if *verb == Verb::Update {
                self.updated_columns(decided, &allowing.columns, purpose)?;
            }
        }
        self.special_rules(decided)
    }

    /// An ORM that saves what it read would write the mask over the value.
    fn updated_columns(&self, decided: Option<&Decided<'p>>, named: &[String], purpose: &str) -> Result<(), Refused> {
        for assignment in self.resolved.assignments.iter().filter(|a| a.update) {
            let index = self.relation.columns.iter().position(|c| c.number == assignment.column);
            let Some((index, column)) = index.and_then(|i| Some((i, self.relation.columns.get(i)?))) else {
                return Err(self.refuse(Code::NotUnderstood, "a column is unknown".into()));
            };
            let raw = decided.is_none_or(|d| d.raw_everywhere(index));
            if !raw && !named.contains(&column.name) {
                let message = format!(
                    "column {}.{} is not seen as it is for purpose {purpose}, so it cannot be updated",
                    self.relation.name, column.name
                );
                return Err(self
                    .refuse(Code::WriteNotAllowed, message)
                    .hint("name it in the writes entry's columns, if it should be written unseen"));
            }
        }
        Ok(())
    }

    /// What needs a check in the statement that this version does not make is refused.
    fn special_rules(&self, decided: Option<&Decided<'p>>) -> Result<(), Refused> {
        let filtered = decided.is_some_and(Decided::filtered);
        if self.resolved.on_conflict && (filtered || !self.all_raw(decided)) {
            let message = format!(
                "ON CONFLICT on {} would tell of rows and values not released",
                self.relation.name
            );
            return Err(self.refuse(Code::WriteNotAllowed, message));
        }
        if self.resolved.current_of && (filtered || !self.all_raw(decided)) {
            let message = format!("WHERE CURRENT OF on {} is not served", self.relation.name);
            return Err(self.refuse(Code::WriteNotAllowed, message));
        }
        Ok(())
    }

    fn all_raw(&self, decided: Option<&Decided<'p>>) -> bool {
        decided.is_none_or(|d| (0..self.relation.columns.len()).all(|i| d.raw_everywhere(i)))
    }

    /// Data of a protected column may be written only where it is protected as well.
    fn flows(&self) -> Result<(), Refused> {
        let policy = self.planner.policy;
        let catalog = self.planner.env.catalog;
        let category = |relation: &Relation, number: i16| {
            let entry = entry_of(relation, policy, catalog)?;
            let column = relation.columns.iter().find(|c| c.number == number)?;
            Some(policy.tables.get(&entry)?.column(&column.name)?.category.clone())
        };
        for assignment in &self.resolved.assignments {
            let into = category(self.relation, assignment.column);
            for source in &assignment.sources {
                let Some(from) = catalog.relation_by_oid(source.relation) else {
                    continue;
                };
                if is_system(from) {
                    continue;
                }
                let may = match category(from, source.column) {
                    Some(from) => policy.may_flow(&from, into.as_deref()),
                    // What no rule classifies counts as sensitive, unless the rules show it as it is.
                    None => {
                        entry_of(from, policy, catalog).is_none() && policy.unclassified.table == UnclassifiedForm::Raw
                    }
                };
                if !may {
                    let name = from
                        .columns
                        .iter()
                        .find(|c| c.number == source.column)
                        .map_or("?", |c| &c.name);
                    let message = format!(
                        "data of {}.{name} would be written where it is less protected, into {}",
                        from.name, self.relation.name
                    );
                    return Err(self.refuse(Code::ClassificationDowngrade, message));
                }
            }
        }
        Ok(())
    }

    /// The target's released forms: in WHERE, SET and RETURNING, and the rows that exist.
    fn released(&self, decided: &Decided<'p>, span: Range<usize>, planned: &mut Planned<'p>) -> Result<(), Refused> {
        let alias = self.alias()?;
        for reference in &self.resolved.target_references {
            self.reference(reference, decided, &alias, planned)?;
        }
        for star in &self.resolved.target_stars {
            if self.all_raw(Some(decided)) {
                break;
            }
            if star.with_others {
                let message = "RETURNING * over several tables is not served here";
                return Err(Refused::new(Code::NotUnderstood, message, Some(star.location)).hint("name the columns"));
            }
            let mut list = Vec::new();
            for (index, column) in self.relation.columns.iter().enumerate() {
                let (expression, _) = decided
                    .column(index, self.relation, &alias, self.planner.env)
                    .map_err(|why| self.refuse(Code::NotUnderstood, why))?;
                list.push(format!("{expression} AS {}", quote::ident(&column.name)));
            }
            let range = self.places.name(star.location, star.parts)?;
            let list = list.join(", ");
            planned.edits.push(
                range,
                list.clone(),
                EditKind::Star {
                    location: star.location,
                    list,
                },
            );
        }
        if let Some((_, column, at)) = self
            .resolved
            .system_columns
            .iter()
            .find(|(oid, ..)| *oid == self.target.oid)
            && (decided.filtered() || !self.all_raw(Some(decided)))
        {
            let message = format!("system column {column} of {} cannot be used", self.relation.name);
            return Err(Refused::new(Code::StatementNotAllowed, message, Some(*at)).hint("use the table's key"));
        }
        if matches!(self.verb, Verb::Update | Verb::Delete) && decided.filtered() {
            self.condition(decided, &alias, span, planned)?;
        }
        Ok(())
    }

    /// The name by which the statement knows the target.
    fn alias(&self) -> Result<String, Refused> {
        let [_, _, name] = &self.target.written;
        if !self.target.aliased {
            return Ok(quote::ident(name));
        }
        match &self.target.alias {
            Some(alias) => Ok(quote::ident(alias)),
            None => Err(self.refuse(Code::NotUnderstood, "an alias is unknown".into())),
        }
    }

    fn reference(
        &self,
        reference: &TargetReference,
        decided: &Decided<'p>,
        alias: &str,
        planned: &mut Planned<'p>,
    ) -> Result<(), Refused> {
        let index = self.relation.columns.iter().position(|c| c.number == reference.column);
        let Some(index) = index else {
            return Err(self.refuse(Code::NotUnderstood, "a column is unknown".into()));
        };
        if decided.raw_everywhere(index) {
            return Ok(());
        }
        if reference.nearer.iter().any(|name| quote::ident(name) == alias) {
            let message = format!("{alias} stands for two tables here");
            return Err(Refused::new(Code::NotUnderstood, message, Some(reference.location))
                .hint("give one of them another alias"));
        }
        let (expression, _) = decided
            .column(index, self.relation, alias, self.planner.env)
            .map_err(|why| self.refuse(Code::NotUnderstood, why))?;
        let range = self.places.name(reference.location, reference.parts)?;
        // `(column)` takes no name inside its parentheses.
        let whole = reference.whole && !self.places.is_behind_paren(reference.location)?;
        let (expression, name) = match (&reference.output_name, whole) {
            (Some(name), true) => (format!("({expression})"), Some(name.clone())),
            // A scalar sub-select has its output's name, so that PostgreSQL names the column as before.
            (Some(name), false) => (format!("(SELECT {expression} AS {})", quote::ident(name)), None),
            (None, _) => (format!("({expression})"), None),
        };
        let text = match &name {
            Some(name) => format!("{expression} AS {}", quote::ident(name)),
            None => expression.clone(),
        };
        let kind = EditKind::Column {
            location: reference.location,
            expression,
            name,
        };
        planned.edits.push(range, text, kind);
        Ok(())
    }

    /// A row that is not visible cannot be changed, and no client expression runs on it: an AND does
    /// not order evaluation, CASE does.
    fn condition(
        &self,
        decided: &Decided<'p>,
        alias: &str,
        span: Range<usize>,
        planned: &mut Planned<'p>,
    ) -> Result<(), Refused> {
        let conditions = decided
            .conditions(self.relation, alias, self.planner.env)
            .map_err(|why| self.refuse(Code::NotUnderstood, why))?;
        let filter = conditions.join(" AND ");
        let parts = self.target.written.iter().filter(|p| !p.is_empty()).count();
        let target = self.places.relation(self.target.location, parts)?;
        match self.places.write_condition(target.whole.end, span.end)? {
            Condition::Absent(at) => {
                let text = format!(" WHERE {filter}");
                planned.edits.push(at..at, text, EditKind::Where { filter });
            }
            Condition::Present(range) => {
                let mut copied = Vec::new();
                for conjunct in &self.target.conjuncts {
                    let index = self.relation.columns.iter().position(|c| c.number == conjunct.column);
                    if let Some(index) = index.filter(|i| decided.raw_everywhere(*i))
                        && let Some(column) = self.relation.columns.get(index)
                    {
                        let value = self.places.constant(conjunct.value)?;
                        let (name, operator) = (quote::ident(&column.name), &conjunct.operator);
                        copied.push(format!("{alias}.{name} OPERATOR(pg_catalog.{operator}) {value}"));
                    }
                }
                let copied = (!copied.is_empty()).then(|| copied.join(" AND "));
                let open = format!(" CASE WHEN {filter} THEN (");
                planned
                    .edits
                    .push(range.start..range.start, open, EditKind::CaseOpen { filter });
                let close = match &copied {
                    Some(copied) => format!(") END AND {copied}"),
                    None => ") END".to_owned(),
                };
                planned
                    .edits
                    .push(range.end..range.end, close, EditKind::CaseClose { copied });
            }
        }
        Ok(())
    }
}
