//! FROM: tables, sub-queries and their joins, and whose columns a name means there.

use pg_query::protobuf as pb;

use crate::catalog::{Oid, QualifiedName, Relation};
use crate::policy::{Form, Mask, TableDecision};
use crate::rewrite::edit::SUBJECT_COLUMN;
use crate::rewrite::plan::Refused;
use crate::rewrite::quote;
use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

use super::level::{Level, Named, Place, Scope};
use super::{Reading, predicate};

/// One table or sub-query of FROM.
struct Item {
    /// The name by which the query knows it.
    name: String,
    /// Its schema, where it has no alias.
    schema: Option<String>,
    columns: Vec<Named>,
    /// The keys of the people that its rows are about: SQL and type.
    people: Vec<(String, Oid)>,
    /// Of a table: the column by which its person may be told from others.
    key: Option<Key>,
}

/// A released column that is as much as the stored key of a row's person.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub column: String,
    pub root: QualifiedName,
    pub form: Form,
    pub type_oid: Oid,
}

/// The tables of FROM, and those around the query that they stand in.
pub(super) struct From<'f> {
    items: Vec<Item>,
    /// Columns merged by USING.
    merged: Vec<String>,
    /// The first thing that is not served over people's rows.
    problem: Option<Refused>,
    /// ON, and what else may hold queries.
    conditions: Vec<&'f pb::Node>,
    others: Vec<&'f pb::Node>,
    pub(super) outer: Option<&'f From<'f>>,
    pub(super) scope: Scope,
}

/// A column that a name means.
pub(super) struct Found {
    pub type_oid: Option<Oid>,
    /// The name in SQL, without its schema.
    pub sql: String,
    /// It tells its row's person from others.
    pub key: Option<Key>,
    pub of_another: bool,
    /// See [`Named::measured`].
    pub measured: bool,
    /// How many queries further out its table stands.
    pub depth: usize,
}

impl<'f> From<'f> {
    pub(super) fn read(
        reading: &Reading<'_, '_>,
        select: &'f pb::SelectStmt,
        scope: &Scope,
        outer: Option<&'f From<'f>>,
        place: Place,
    ) -> Result<Self, Refused> {
        let mut from = Self {
            items: Vec::new(),
            merged: Vec::new(),
            problem: None,
            conditions: Vec::new(),
            others: Vec::new(),
            outer,
            scope: scope.clone(),
        };
        let once = place.is_once() && select.from_clause.len() == 1;
        for item in &select.from_clause {
            from.item(reading, item, once)?;
        }
        Ok(from)
    }

    /// Rows of people are among what it reads.
    pub(super) fn has_people(&self) -> bool {
        self.items.iter().any(|item| !item.people.is_empty())
    }

    /// Each person's key: SQL and type.
    pub(super) fn people(&self) -> Vec<(String, Oid)> {
        self.items.iter().flat_map(|item| item.people.clone()).collect()
    }

    /// The key of the only table with people's rows.
    pub(super) fn only_key(&self) -> Option<(&Key, String)> {
        let mut of_people = self.items.iter().filter(|item| !item.people.is_empty());
        match (of_people.next(), of_people.next()) {
            (Some(item), None) => {
                let key = item.key.as_ref()?;
                Some((
                    key,
                    format!("{}.{}", quote::ident(&item.name), quote::ident(&key.column)),
                ))
            }
            _ => None,
        }
    }

    /// Expressions of a FROM without people's rows.
    pub(super) fn expressions(&self) -> impl Iterator<Item = &'f pb::Node> + '_ {
        self.conditions.iter().chain(&self.others).copied()
    }

    /// Held against what may stand there over people's rows.
    pub(super) fn check(&self, reading: &Reading<'_, '_>) -> Result<(), Refused> {
        if let Some(problem) = &self.problem {
            return Err(problem.again());
        }
        for item in &self.items {
            if item.people.is_empty() && !item.is_total() {
                let why = "a sub-query without people's rows may only hand plain columns on beside them";
                return Err(reading.refuse(why, None));
            }
        }
        for name in &self.merged {
            self.mergeable(reading, name)?;
        }
        self.conditions
            .iter()
            .try_for_each(|condition| predicate::row_condition(reading, self, condition))
    }

    fn not_over_people(&mut self, reading: &Reading<'_, '_>, why: &str, at: Option<i32>) {
        self.problem.get_or_insert_with(|| reading.refuse(why, at));
    }

    fn item(&mut self, reading: &Reading<'_, '_>, node: &'f pb::Node, once: bool) -> Result<(), Refused> {
        match Tree::of(node) {
            Ok(Tree::RangeVar(range)) => self.named(reading, range),
            Ok(Tree::JoinExpr(join)) => {
                if join.is_natural || join.alias.is_some() || join.join_using_alias.is_some() {
                    self.not_over_people(reading, "NATURAL JOIN and joins with an alias are not served", None);
                }
                for side in [&join.larg, &join.rarg].into_iter().flatten() {
                    self.item(reading, side, false)?;
                }
                for name in join.using_clause.iter().filter_map(string_of) {
                    if !self.merged.iter().any(|m| m == name) {
                        self.merged.push(name.to_owned());
                    }
                }
                self.conditions.extend(join.quals.as_deref());
                Ok(())
            }
            Ok(Tree::RangeSubselect(sub)) => self.sub_query(reading, sub, once),
            Ok(_) => {
                self.not_over_people(
                    reading,
                    "only tables, sub-queries and their joins may stand in FROM",
                    None,
                );
                self.others.push(node);
                self.items.push(Item::new(String::new()));
                Ok(())
            }
            Err(unknown) => Err(reading.unknown(unknown)),
        }
    }

    fn sub_query(&mut self, reading: &Reading<'_, '_>, sub: &'f pb::RangeSubselect, once: bool) -> Result<(), Refused> {
        let Some(Ok(Tree::SelectStmt(select))) = sub.subquery.as_deref().map(Tree::of) else {
            return Err(reading.refuse("a sub-query is not understood", None));
        };
        let before = reading.people_seen();
        // What stands beside it is not visible to it, unless it is LATERAL.
        let level = match sub.lateral {
            false => reading.taken(select, &self.scope, self.outer, once)?,
            true => reading.taken(select, &self.scope, Some(self), false)?,
        };
        if sub.lateral {
            if reading.people_seen() > before && (self.has_people() || matches!(level, Level::Rows { .. })) {
                return Err(reading.refuse("LATERAL over people's rows is not served", None));
            }
            self.not_over_people(reading, "LATERAL is not served", None);
        }
        let alias = sub.alias.as_ref();
        let names = alias.map(|alias| alias.colnames.as_slice()).unwrap_or_default();
        let level = reading.renamed(level, names)?;
        let name = alias.map(|alias| alias.aliasname.clone()).unwrap_or_default();
        self.add(reading, name, &level, None);
        Ok(())
    }

    /// What a sub-query, a view or a query of WITH gives.
    fn add(&mut self, reading: &Reading<'_, '_>, name: String, level: &Level, at: Option<i32>) {
        self.name_is_new(reading, &name, at);
        let mut item = Item::new(name);
        match level {
            Level::Free(columns) => item.columns.clone_from(columns),
            Level::Rows { columns, people, .. } => {
                let name = quote::ident(&item.name);
                let key = |(column, t): &(String, Oid)| (format!("{name}.{}", quote::ident(column)), *t);
                item.people = people.iter().map(key).collect();
                item.columns.clone_from(columns);
            }
        }
        self.items.push(item);
    }

    fn name_is_new(&mut self, reading: &Reading<'_, '_>, name: &str, at: Option<i32>) {
        if self.items.iter().any(|item| item.name == *name) {
            self.not_over_people(reading, "two tables of one name are not served", at);
        }
    }

    /// A table, a view or a query of WITH.
    fn named(&mut self, reading: &Reading<'_, '_>, range: &pb::RangeVar) -> Result<(), Refused> {
        let at = Some(range.location);
        let name = range
            .alias
            .as_ref()
            .map_or(&range.relname, |alias| &alias.aliasname)
            .clone();
        let new_names = range
            .alias
            .as_ref()
            .map(|alias| alias.colnames.as_slice())
            .unwrap_or_default();
        let mut relations = reading.resolved.relations.iter();
        let used = relations.find(|r| i32::try_from(r.location) == Ok(range.location));
        let Some(used) = used else {
            let level = self.scope.get(&range.relname);
            let level = level.ok_or_else(|| reading.refuse("a name of WITH is not understood", at))?;
            let level = reading.renamed((*level).clone(), new_names)?;
            self.add(reading, name, &level, at);
            return Ok(());
        };
        let Some(relation) = reading.planner.env.catalog.relation_by_oid(used.oid) else {
            return Err(reading.refuse("a relation is gone", at));
        };
        if let Some(level) = reading.views.get(&used.oid) {
            reading.see(range.location);
            let level = reading.renamed(level.clone(), new_names)?;
            self.add(reading, name, &level, at);
            return Ok(());
        }
        let decided = reading.decided.get(&used.oid).map(|d| &**d);
        let decision = decided.and_then(|d| d.decision.as_ref());
        let mut item = Item::new(name);
        item.schema = range.alias.is_none().then(|| relation.name.schema.clone());
        let others = decision.map_or_else(Vec::new, |d| about_others(reading, d));
        item.columns = columns_of(relation, &others);
        if let Some(key) = reading.subject_of(used.oid) {
            reading.see(range.location);
            if !new_names.is_empty() {
                self.not_over_people(reading, "an alias with a column list is not served", at);
            }
            let Some(index) = relation.columns.iter().position(|c| c.name == key) else {
                return Err(reading.refuse("the people behind its rows cannot be told", at));
            };
            let stored = decided.is_some_and(|d| d.raw_everywhere(index));
            let column = if stored { key } else { SUBJECT_COLUMN };
            let sql = format!("{}.{}", quote::ident(&item.name), quote::ident(column));
            item.columns.iter_mut().for_each(|column| column.measured = true);
            item.people = vec![(sql, relation.columns.get(index).map_or(0, |c| c.type_oid))];
            item.key = decision.and_then(|d| key_of(reading, d, relation, index));
        } else if !new_names.is_empty() {
            self.not_over_people(reading, "an alias with a column list is not served", at);
        }
        let name = item.name.clone();
        self.name_is_new(reading, &name, at);
        self.items.push(item);
        Ok(())
    }

    /// The columns of USING: their equality must not fail.
    fn mergeable(&self, reading: &Reading<'_, '_>, name: &str) -> Result<(), Refused> {
        let named = self.items.iter().flat_map(|i| &i.columns).filter(|c| c.name == name);
        let types: Vec<Option<Oid>> = named.map(|c| c.type_oid).collect();
        let fits = |a: &Option<Oid>, b: &Option<Oid>| predicate::comparable(reading, "=", *a, *b);
        if types.len() < 2 || !types.iter().all(|a| types.iter().all(|b| fits(a, b))) {
            return Err(reading.refuse("its USING compares columns in a way that may fail", None));
        }
        Ok(())
    }

    /// What a reference means; `None` where no table has such a column.
    pub(super) fn column(
        &self,
        reading: &Reading<'_, '_>,
        reference: &pb::ColumnRef,
    ) -> Result<Option<Found>, Refused> {
        let found = self.any_column(reading, reference)?;
        match &found {
            Some(found) if found.of_another => Err(reading.refuse(
                "it uses a column about another person than its row",
                Some(reference.location),
            )),
            _ => Ok(found),
        }
    }

    /// The same, columns about other people among them.
    pub(super) fn any_column(
        &self,
        reading: &Reading<'_, '_>,
        reference: &pb::ColumnRef,
    ) -> Result<Option<Found>, Refused> {
        let at = Some(reference.location);
        let parts: Vec<&str> = reference.fields.iter().filter_map(string_of).collect();
        if parts.len() != reference.fields.len() {
            return Err(reading.refuse("a star is no statistic", at));
        }
        let (name, items) = match parts.as_slice() {
            [name] => (*name, self.items.iter().collect::<Vec<_>>()),
            [.., table, name] => {
                let schema = parts.len().checked_sub(3).and_then(|i| parts.get(i));
                let is = |i: &&Item| i.name == *table && schema.is_none_or(|s| i.schema.as_deref() == Some(*s));
                (*name, self.items.iter().filter(is).collect())
            }
            [] => return Ok(None),
        };
        let table = parts.len().checked_sub(2).and_then(|i| parts.get(i)).copied();
        let found: Vec<(&Item, &Named)> = items
            .iter()
            .filter_map(|i| Some((*i, i.columns.iter().find(|c| c.name == name)?)))
            .collect();
        let (item, column) = match found.as_slice() {
            [] => return self.elsewhere(reading, reference, !items.is_empty() && table.is_some()),
            [one] => *one,
            [first, ..] if self.merged.iter().any(|m| m == name) => *first,
            _ => return Err(reading.refuse("a column's name is ambiguous", at)),
        };
        let sql = match table {
            None => quote::ident(name),
            Some(table) => format!("{}.{}", quote::ident(table), quote::ident(name)),
        };
        Ok(Some(Found {
            type_oid: column.type_oid,
            key: item.key.clone().filter(|key| key.column == name),
            sql,
            of_another: found.iter().any(|(_, c)| c.of_another),
            measured: column.measured,
            depth: 0,
        }))
    }

    fn elsewhere(
        &self,
        reading: &Reading<'_, '_>,
        reference: &pb::ColumnRef,
        of_here: bool,
    ) -> Result<Option<Found>, Refused> {
        let qualified = reference.fields.len() > 1;
        match self.outer.filter(|_| !of_here) {
            Some(outer) => {
                let found = outer.any_column(reading, reference)?;
                Ok(found.map(|found| Found {
                    depth: found.depth + 1,
                    ..found
                }))
            }
            None if qualified => {
                let why = "it names a column that no table of it has";
                Err(reading.refuse(why, Some(reference.location)))
            }
            None => Ok(None),
        }
    }

    /// The columns of a star over its tables, or over one of them, in an order of our own.
    pub(super) fn star(&self, table: Option<&str>) -> Vec<Named> {
        let items = self.items.iter().filter(|i| table.is_none_or(|t| i.name == t));
        let mut columns: Vec<Named> = Vec::new();
        for column in items.flat_map(|i| &i.columns) {
            let merged = table.is_none() && self.merged.contains(&column.name);
            if !merged || !columns.iter().any(|c| c.name == column.name) {
                columns.push(column.clone());
            }
        }
        columns
    }

    /// What a query without people's rows gives.
    pub(super) fn outputs_of_free(&self, select: &pb::SelectStmt, total: bool) -> Vec<Named> {
        let mut outputs = Vec::new();
        for node in &select.target_list {
            let Ok(Tree::ResTarget(target)) = Tree::of(node) else {
                continue;
            };
            let fields: Option<Vec<Option<&str>>> = match target.val.as_deref().map(Tree::of) {
                Some(Ok(Tree::ColumnRef(reference))) => Some(reference.fields.iter().map(string_of).collect()),
                _ => None,
            };
            let named = |name: &str, type_oid| Named {
                name: name.to_owned(),
                type_oid,
                of_another: false,
                measured: false,
                total,
            };
            match (target.name.as_str(), fields.as_deref()) {
                ("", Some([None])) => outputs.extend(as_given(self.star(None), total)),
                ("", Some([.., Some(table), None])) => {
                    outputs.extend(as_given(self.star(Some(table)), total));
                }
                (name, Some([.., Some(column)])) => {
                    let mut all = self.items.iter().flat_map(|i| &i.columns).filter(|c| c.name == *column);
                    let type_oid = match (all.next(), all.next()) {
                        (Some(one), None) => one.type_oid,
                        _ => None,
                    };
                    outputs.push(named(if name.is_empty() { column } else { name }, type_oid));
                }
                (name, _) => outputs.push(named(name, None)),
            }
        }
        outputs
    }
}

impl Item {
    /// Nothing of it can fail. What is not a table, and gives no columns, is not known to.
    fn is_total(&self) -> bool {
        !self.columns.is_empty() && self.columns.iter().all(|column| column.total)
    }

    fn new(name: String) -> Self {
        Self {
            name,
            schema: None,
            columns: Vec::new(),
            people: Vec::new(),
            key: None,
        }
    }
}

/// Columns of a star, given by a query that may be total.
fn as_given(columns: Vec<Named>, total: bool) -> impl Iterator<Item = Named> {
    columns.into_iter().map(move |column| Named { total, ..column })
}

fn columns_of(relation: &Relation, others: &[usize]) -> Vec<Named> {
    let columns = relation.columns.iter().enumerate();
    columns
        .map(|(index, column)| Named {
            name: column.name.clone(),
            type_oid: Some(column.type_oid),
            of_another: others.contains(&index),
            measured: false,
            total: true,
        })
        .collect()
}

/// Of what kind of person the key is, and in which form it is released, where two persons' differ.
fn key_of(reading: &Reading<'_, '_>, decision: &TableDecision, relation: &Relation, index: usize) -> Option<Key> {
    let rule = reading
        .planner
        .policy
        .tables
        .get(&decision.table)?
        .data_subject
        .as_ref()?;
    let column = relation.columns.get(index)?;
    let form = &decision.columns.get(index)?.form;
    match form {
        Form::Raw | Form::Masked(Mask::Pseudonym | Mask::Hash) => Some(Key {
            column: column.name.clone(),
            root: rule.of.clone().unwrap_or_else(|| decision.table.clone()),
            form: form.clone(),
            type_oid: column.type_oid,
        }),
        Form::Hidden | Form::Refuse | Form::Masked(_) => None,
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
