//! FROM of a statistic: base tables and their joins, and whose columns a name means there.

use pg_query::protobuf as pb;

use crate::catalog::{Column, Relation, RelationKind};
use crate::policy::{Form, Mask, TableDecision};
use crate::rewrite::edit::SUBJECT_COLUMN;
use crate::rewrite::plan::{Planned, Refused};
use crate::rewrite::quote;
use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;
use crate::sql::resolve::Resolved;

use super::{Reading, predicate, subject_key};

/// One table of FROM.
struct Item<'a> {
    /// The name by which the query knows it.
    name: String,
    /// Its schema, where it has no alias.
    schema: Option<&'a str>,
    relation: &'a Relation,
    /// SQL of the subject's stored key, if its rows are about people.
    subject: Option<String>,
    /// Columns about other people than its row, by index.
    others: Vec<usize>,
}

/// The tables of FROM.
pub(super) struct From<'a> {
    items: Vec<Item<'a>>,
    /// Columns merged by USING.
    merged: Vec<String>,
}

/// A column that a name means.
pub(super) struct Found<'a> {
    pub column: &'a Column,
    /// The name in SQL, without its schema.
    pub sql: String,
}

impl<'a> From<'a> {
    pub(super) fn read(
        reading: &Reading<'a, '_>,
        select: &pb::SelectStmt,
        planned: &Planned<'_>,
    ) -> Result<Self, Refused> {
        let mut from = Self {
            items: Vec::new(),
            merged: Vec::new(),
        };
        let mut conditions = Vec::new();
        for item in &select.from_clause {
            from.item(reading, item, planned, &mut conditions)?;
        }
        if from.items.len() != reading.resolved.relations.len() {
            return Err(reading.refuse("sub-queries are not served", None));
        }
        for condition in conditions {
            predicate::row_condition(reading, &from, condition)?;
        }
        Ok(from)
    }

    /// SQL of each table's subject.
    pub(super) fn subjects(&self) -> Vec<String> {
        self.items.iter().filter_map(|i| i.subject.clone()).collect()
    }

    fn item<'n>(
        &mut self,
        reading: &Reading<'a, '_>,
        node: &'n pb::Node,
        planned: &Planned<'_>,
        conditions: &mut Vec<&'n pb::Node>,
    ) -> Result<(), Refused> {
        match Tree::of(node) {
            Ok(Tree::RangeVar(range)) => self.table(reading, range, planned),
            Ok(Tree::JoinExpr(join)) => {
                if join.is_natural || join.alias.is_some() || join.join_using_alias.is_some() {
                    return Err(reading.refuse("NATURAL JOIN and joins with an alias are not served", None));
                }
                for side in [&join.larg, &join.rarg].into_iter().flatten() {
                    self.item(reading, side, planned, conditions)?;
                }
                for name in join.using_clause.iter().filter_map(string_of) {
                    self.merge(reading, name)?;
                }
                conditions.extend(join.quals.as_deref());
                Ok(())
            }
            _ => Err(reading.refuse("only tables and their joins may stand in FROM", None)),
        }
    }

    fn table(&mut self, reading: &Reading<'a, '_>, range: &pb::RangeVar, planned: &Planned<'_>) -> Result<(), Refused> {
        let at = Some(range.location);
        let used = reading
            .resolved
            .relations
            .iter()
            .find(|r| i32::try_from(r.location) == Ok(range.location));
        let relation = used.and_then(|used| reading.planner.env.catalog.relation_by_oid(used.oid));
        let Some(relation) = relation else {
            return Err(reading.refuse("WITH is not served", at));
        };
        if range.alias.as_ref().is_some_and(|alias| !alias.colnames.is_empty()) {
            return Err(reading.refuse("an alias with a column list is not served", at));
        }
        let name = range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname);
        if self.items.iter().any(|item| item.name == *name) {
            return Err(reading.refuse("two tables of one name are not served", at));
        }
        let decided = planned.decided.get(&relation.oid);
        let decision = decided.and_then(|d| d.decision.as_ref());
        let subject = match relation.kind {
            RelationKind::View if view_has_subject(reading, relation, planned) => {
                return Err(reading.refuse("views of tables with people's rows are not served", at));
            }
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::MaterializedView
            | RelationKind::ForeignTable
            | RelationKind::View
            | RelationKind::Sequence
            | RelationKind::CompositeType
            | RelationKind::Other => {
                decision.and_then(|d| subject_key(reading.planner.policy, &reading.purpose.name, d))
            }
        };
        let subject = match subject {
            None => None,
            Some(key) => {
                let index = relation.columns.iter().position(|c| c.name == key);
                let Some(index) = index else {
                    return Err(reading.refuse("the people behind its rows cannot be told", at));
                };
                let stored = decided.is_some_and(|d| d.raw_everywhere(index));
                let column = if stored { key } else { SUBJECT_COLUMN };
                Some(format!("{}.{}", quote::ident(name), quote::ident(column)))
            }
        };
        self.items.push(Item {
            name: name.clone(),
            schema: range.alias.is_none().then_some(relation.name.schema.as_str()),
            relation,
            subject,
            others: decision.map_or_else(Vec::new, |d| about_others(reading, d)),
        });
        Ok(())
    }

    /// The columns of USING: their equality must not fail.
    fn merge(&mut self, reading: &Reading<'_, '_>, name: &str) -> Result<(), Refused> {
        let columns: Vec<&Column> = self.items.iter().filter_map(|i| i.relation.column(name)).collect();
        let fits = columns
            .iter()
            .all(|a| columns.iter().all(|b| predicate::comparable(reading, "=", a, b)));
        if columns.len() < 2 || !fits {
            return Err(reading.refuse("its USING compares columns in a way that may fail", None));
        }
        if !self.merged.iter().any(|m| m == name) {
            self.merged.push(name.to_owned());
        }
        Ok(())
    }

    /// What a reference means; `None` where no table has such a column.
    pub(super) fn column(
        &self,
        reading: &Reading<'_, '_>,
        reference: &pb::ColumnRef,
    ) -> Result<Option<Found<'a>>, Refused> {
        let at = Some(reference.location);
        let parts: Vec<&str> = reference.fields.iter().filter_map(string_of).collect();
        if parts.len() != reference.fields.len() {
            return Err(reading.refuse("a star is no statistic", at));
        }
        let (name, items) = match parts.as_slice() {
            [name] => (*name, self.items.iter().collect::<Vec<_>>()),
            [.., table, name] => {
                let schema = parts.len().checked_sub(3).and_then(|i| parts.get(i));
                let is = |i: &&Item<'_>| i.name == *table && schema.is_none_or(|s| i.schema == Some(*s));
                (*name, self.items.iter().filter(is).collect())
            }
            [] => return Ok(None),
        };
        let found: Vec<(&Item<'a>, usize)> = items
            .into_iter()
            .filter_map(|i| Some((i, i.relation.columns.iter().position(|c| c.name == name)?)))
            .collect();
        let (item, index) = match found.as_slice() {
            [] if parts.len() > 1 => return Err(reading.refuse("it names a column that no table of it has", at)),
            [] => return Ok(None),
            [one] => *one,
            [first, ..] if self.merged.iter().any(|m| m == name) => *first,
            _ => return Err(reading.refuse("a column's name is ambiguous", at)),
        };
        if found.iter().any(|(item, index)| item.others.contains(index)) {
            return Err(reading.refuse("it uses a column about another person than its row", at));
        }
        let Some(column) = item.relation.columns.get(index) else {
            return Ok(None);
        };
        let sql = match parts.as_slice() {
            [name] => quote::ident(name),
            [.., table, name] => format!("{}.{}", quote::ident(table), quote::ident(name)),
            [] => return Ok(None),
        };
        Ok(Some(Found { column, sql }))
    }
}

/// Columns that name a person of their own, unless they are hidden.
fn about_others(reading: &Reading<'_, '_>, decision: &TableDecision) -> Vec<usize> {
    let Some(rule) = reading.planner.policy.tables.get(&decision.table) else {
        return Vec::new();
    };
    let columns = decision.columns.iter().enumerate();
    columns
        .filter(|(_, column)| {
            let hidden = matches!(column.form, Form::Hidden | Form::Refuse | Form::Masked(Mask::Null));
            !hidden && rule.column(&column.column).is_some_and(|c| c.data_subject.is_some())
        })
        .map(|(index, _)| index)
        .collect()
}

/// Whether a view reads a table with a subject, directly or through other views.
fn view_has_subject(reading: &Reading<'_, '_>, view: &Relation, planned: &Planned<'_>) -> bool {
    fn below(reading: &Reading<'_, '_>, resolved: &Resolved, planned: &Planned<'_>) -> bool {
        let has = |oid| {
            let decision = planned.decided.get(&oid).and_then(|d| d.decision.as_ref());
            decision.is_some_and(|d| subject_key(reading.planner.policy, &reading.purpose.name, d).is_some())
        };
        resolved.relations.iter().any(|r| has(r.oid))
            || resolved
                .views
                .values()
                .any(|view| below(reading, &view.resolved, planned))
    }
    reading
        .resolved
        .views
        .get(&view.oid)
        .is_none_or(|view| below(reading, &view.resolved, planned))
}
