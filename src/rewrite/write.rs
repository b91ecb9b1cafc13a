//! Writes (policy.md section 10): who may write what, and the released forms in place of a target's
//! columns, since a target cannot become a sub-select.

use std::ops::Range;

use crate::catalog::{Relation, RelationKind, UniqueKey};
use crate::policy::{Code, UnclassifiedForm, Verb};
use crate::sql::resolve::{
    Arbiter, Assignment, BaseColumn, Created, RelationUse, Resolved, Target, TargetReference, WriteKind, is_system,
};

use super::edit::EditKind;
use super::places::{Condition, Places};
use super::plan::{Planned, Planner, Refused};
use super::quote;
use super::released::{Decided, entry_of, is_own};

/// Plans the writes of a statement, if it has any.
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
    for target in &resolved.targets {
        let Some(used) = resolved.relations.get(target.relation) else {
            return Err(Refused::new(Code::NotUnderstood, "a target is gone", None));
        };
        let Some(relation) = planner.env.catalog.relation_by_oid(used.oid).cloned() else {
            let message = "a relation is gone";
            return Err(Refused::new(Code::NotUnderstood, message, Some(used.location)));
        };
        let write = Write {
            planner,
            resolved,
            places,
            written: target,
            target: used,
            relation: &relation,
        };
        write.allowed(planned.decided.get(&used.oid).map(|d| &**d))?;
        write.flows()?;
        if let Some(decided) = planned.decided.remove(&used.oid) {
            let done = write.released(&decided, span.clone(), planned);
            planned.decided.insert(used.oid, decided);
            done?;
        }
    }
    let flows = Flows { planner };
    for source in &resolved.outflows {
        flows.check(source, None, "a sequence or notification")?;
    }
    match &resolved.created {
        Some(created) => create(planner, &flows, created, places, planned),
        None => Ok(()),
    }
}

/// A new relation made of a query's rows: named in full, and no less protected than what it is made of.
fn create(
    planner: &Planner<'_, '_>,
    flows: &Flows<'_, '_>,
    created: &Created,
    places: &Places<'_>,
    planned: &mut Planned<'_>,
) -> Result<(), Refused> {
    let refuse = |code, message: String| Err(Refused::new(code, message, Some(created.location)));
    let Some(admission) = planner.admission else {
        return refuse(Code::PurposeMissing, "no purpose is declared".into());
    };
    let purpose = admission.purpose();
    if !created.temporary && !purpose.ddl {
        let message = "creating a table needs a purpose with ddl: true".to_owned();
        let refused = Refused::new(Code::StatementNotAllowed, message, Some(created.location));
        return Err(refused.hint("create a temporary table, or declare such a purpose"));
    }
    if purpose.aggregate {
        let message = format!("purpose {} gives only statistics, and no tables of rows", purpose.name);
        return refuse(Code::AggregateRequired, message);
    }
    let rule = planner.policy.tables.get(&created.name).filter(|_| !created.temporary);
    for column in &created.columns {
        let into = rule.and_then(|r| Some(r.column(&column.name)?.category.as_str()));
        for source in &column.sources {
            flows.check(source, into, &created.name.to_string())?;
        }
    }
    let parts = created.written.iter().filter(|p| !p.is_empty()).count();
    places.relation(created.location, parts)?;
    let [_, schema, _] = &created.written;
    let location = created.location;
    if schema.is_empty() {
        let schema = created.name.schema.clone();
        let text = format!("{}.", quote::ident(&schema));
        let kind = EditKind::QualifyRelation { location, schema };
        planned.edits.push(location..location, text, kind);
    }
    planned.edits.as_is.push((location, created.name.clone()));
    Ok(())
}

/// Data of a protected column may be written only where it is protected as well.
struct Flows<'a, 'p> {
    planner: &'a Planner<'a, 'p>,
}

impl Flows<'_, '_> {
    fn category(&self, relation: &Relation, number: i16) -> Option<String> {
        let (policy, catalog) = (self.planner.policy, self.planner.env.catalog);
        let entry = entry_of(relation, policy, catalog)?;
        let column = relation.columns.iter().find(|c| c.number == number)?;
        Some(policy.tables.get(&entry)?.column(&column.name)?.category.clone())
    }

    fn check(&self, source: &BaseColumn, into: Option<&str>, target: &str) -> Result<(), Refused> {
        let (policy, catalog) = (self.planner.policy, self.planner.env.catalog);
        let Some(from) = catalog.relation_by_oid(source.relation) else {
            return Ok(());
        };
        if is_system(from) || is_own(from, policy, catalog) {
            return Ok(());
        }
        let may = match self.category(from, source.column) {
            Some(from) => policy.may_flow(&from, into),
            // What no rule classifies counts as sensitive, unless the rules show it as it is.
            None => entry_of(from, policy, catalog).is_none() && policy.unclassified.table == UnclassifiedForm::Raw,
        };
        if may {
            return Ok(());
        }
        let column = from.columns.iter().find(|c| c.number == source.column);
        let name = column.map_or("?", |c| &c.name);
        let message = format!(
            "data of {}.{name} would be written where it is less protected, into {target}",
            from.name
        );
        Err(Refused::new(Code::ClassificationDowngrade, message, None))
    }
}

struct Write<'a, 'p> {
    planner: &'a Planner<'a, 'p>,
    resolved: &'a Resolved,
    places: &'a Places<'a>,
    /// What is written, and how.
    written: &'a Target,
    target: &'a RelationUse,
    relation: &'a Relation,
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
            if is_own(self.relation, self.planner.policy, self.planner.env.catalog) {
                return Ok(());
            }
            // Unclassified and raw: the rules leave it alone.
            return match self.planner.policy.unclassified.table {
                UnclassifiedForm::Raw => Ok(()),
                UnclassifiedForm::Hidden | UnclassifiedForm::Refuse => {
                    Err(self.refuse(Code::TableUnclassified, format!("no rule speaks of table {name}")))
                }
            };
        };
        let purpose = &admission.purpose().name;
        for verb in &self.written.verbs {
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
        for assignment in self.assignments().filter(|a| a.update) {
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
        if let Some(arbiter) = &self.written.conflict
            && (filtered || !self.is_raw_key(arbiter, decided))
        {
            let message = format!(
                "ON CONFLICT on {} would tell of rows and values not released",
                self.relation.name
            );
            return Err(self.refuse(Code::WriteNotAllowed, message).hint(
                "it is served where every row of the table is, and the columns of its key are as they are stored",
            ));
        }
        if filtered && self.written.write == (WriteKind::Merge { by_source: true }) {
            let message = format!(
                "WHEN NOT MATCHED BY SOURCE would meet rows of {} that are not released",
                self.relation.name
            );
            return Err(self
                .refuse(Code::WriteNotAllowed, message)
                .hint("use an UPDATE or DELETE with NOT EXISTS"));
        }
        if self.resolved.current_of && (filtered || !self.all_raw(decided)) {
            let message = format!("WHERE CURRENT OF on {} is not served", self.relation.name);
            return Err(self.refuse(Code::WriteNotAllowed, message));
        }
        Ok(())
    }

    fn assignments(&self) -> impl Iterator<Item = &Assignment> {
        let all = self.resolved.assignments.iter();
        all.filter(|a| a.target == self.written.relation)
    }

    /// Whether all keys that an ON CONFLICT tells of are of columns that are released as they are stored.
    fn is_raw_key(&self, arbiter: &Arbiter, decided: Option<&Decided<'p>>) -> bool {
        let raw = |column: &i16| {
            let index = self.relation.columns.iter().position(|c| c.number == *column);
            index.is_some_and(|i| decided.is_none_or(|d| d.raw_everywhere(i)))
        };
        let key = |key: &UniqueKey| key.plain && key.columns.iter().all(raw);
        let keys = &self.relation.unique_keys;
        self.all_raw(decided)
            || match arbiter {
                Arbiter::Columns(columns) => columns.iter().all(raw),
                Arbiter::Constraint(name) => keys.iter().find(|k| k.name == *name).is_some_and(key),
                // Partitions have keys of their own.
                Arbiter::Any => self.relation.kind == RelationKind::Table && keys.iter().all(key),
                Arbiter::Expression => false,
            }
    }

    fn all_raw(&self, decided: Option<&Decided<'p>>) -> bool {
        decided.is_none_or(|d| (0..self.relation.columns.len()).all(|i| d.raw_everywhere(i)))
    }

    /// Data of a protected column may be written only where it is protected as well.
    fn flows(&self) -> Result<(), Refused> {
        let flows = Flows { planner: self.planner };
        for assignment in self.assignments() {
            let into = flows.category(self.relation, assignment.column);
            for source in &assignment.sources {
                flows.check(source, into.as_deref(), &self.relation.name.to_string())?;
            }
        }
        Ok(())
    }

    /// The target's released forms: in WHERE, SET and RETURNING, and the rows that exist.
    fn released(&self, decided: &Decided<'p>, span: Range<usize>, planned: &mut Planned<'p>) -> Result<(), Refused> {
        let alias = self.alias()?;
        let own = self.written.relation;
        for reference in self.resolved.target_references.iter().filter(|r| r.target == own) {
            self.reference(reference, decided, &alias, planned)?;
        }
        for star in self.resolved.target_stars.iter().filter(|s| s.target == own) {
            if self.all_raw(Some(decided)) {
                break;
            }
            if star.joined {
                let message = "RETURNING * over a join is not served here";
                return Err(Refused::new(Code::NotUnderstood, message, Some(star.location)).hint("name the columns"));
            }
            let mut list = Vec::new();
            for item in &star.items {
                match item {
                    Some(other) => list.push(format!("{}.*", quote::ident(other))),
                    None => list.extend(self.spelled_out(decided, &alias)?),
                }
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
        if self.written.write != WriteKind::Insert && decided.filtered() {
            self.condition(decided, &alias, span, planned)?;
        }
        Ok(())
    }

    /// All columns of the target, as outputs.
    fn spelled_out(&self, decided: &Decided<'p>, alias: &str) -> Result<Vec<String>, Refused> {
        let columns = self.relation.columns.iter().enumerate();
        columns
            .map(|(index, column)| {
                let (expression, _) = decided
                    .column(index, self.relation, alias, self.planner.env)
                    .map_err(|why| self.refuse(Code::NotUnderstood, why))?;
                Ok(format!("{expression} AS {}", quote::ident(&column.name)))
            })
            .collect()
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
        let (behind, end) = (target.whole.end, span.end);
        let condition = match self.written.write {
            WriteKind::Merge { .. } => Condition::Present(self.places.merge_condition(behind, end)?),
            WriteKind::Insert | WriteKind::Where => self.places.write_condition(behind, end)?,
        };
        let target = self.target.location;
        match condition {
            Condition::Absent(at) => {
                let text = format!(" WHERE {filter}");
                planned.edits.push(at..at, text, EditKind::Where { target, filter });
            }
            Condition::Present(range) => {
                let copied = self.copied(decided, alias)?;
                let open = format!(" CASE WHEN {filter} THEN (");
                let kind = EditKind::CaseOpen { target, filter };
                planned.edits.push(range.start..range.start, open, kind);
                let close = match &copied {
                    Some(copied) => format!(") END AND {copied}"),
                    None => ") END".to_owned(),
                };
                let kind = EditKind::CaseClose { target, copied };
                planned.edits.push(range.end..range.end, close, kind);
            }
        }
        Ok(())
    }

    /// Total conjuncts on raw columns, once more outside the CASE, so that indexes and joins serve.
    fn copied(&self, decided: &Decided<'p>, alias: &str) -> Result<Option<String>, Refused> {
        let raw = |number: i16| {
            let index = self.relation.columns.iter().position(|c| c.number == number)?;
            let column = self.relation.columns.get(index)?;
            decided
                .raw_everywhere(index)
                .then(|| format!("{alias}.{}", quote::ident(&column.name)))
        };
        let mut copied = Vec::new();
        for conjunct in &self.target.conjuncts {
            if let Some(column) = raw(conjunct.column) {
                let value = self.places.constant(conjunct.value)?;
                copied.push(format!("{column} OPERATOR(pg_catalog.{}) {value}", conjunct.operator));
            }
        }
        for join in &self.target.joins {
            if let Some(column) = raw(join.column) {
                let other = self.places.text_of(&self.places.name(join.other, join.parts)?)?;
                copied.push(format!("{column} OPERATOR(pg_catalog.{}) {other}", join.operator));
            }
        }
        Ok((!copied.is_empty()).then(|| copied.join(" AND ")))
    }
}
