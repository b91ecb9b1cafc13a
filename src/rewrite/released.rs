//! The released relation of one table: each column's expression and the conditions on rows, as SQL.

mod system;

use std::collections::BTreeSet;

use crate::catalog::{Catalog, Column, QualifiedName, Relation, RelationKind};
use crate::policy::{Admission, Code, Denial, Form, Mask, Policy, RowFilter, TableDecision, UnclassifiedForm};
use crate::sql::resolve::{BaseColumn, Conjunct, Env, is_system};

use super::bind::bind;
use super::edit::{ColumnShape, Fragment, FragmentCheck};
use super::keys;
use super::mask::{MaskKeys, mask_expression, null_expression};
use super::{aggregate, obligation, quote};

/// How a relation is released to one request.
pub enum Release<'p> {
    /// As it is: only its name is qualified.
    AsIs(Option<Box<Decided<'p>>>),
    /// Through a sub-select.
    Through(Box<Decided<'p>>),
    /// Not at all.
    Refused(Denial, Gap),
}

/// Whether a refusal is for want of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// No rule speaks of it.
    Yes,
    /// A rule does.
    No,
}

/// What was decided for one relation.
pub struct Decided<'p> {
    /// The decision; none for a catalog or an unclassified table.
    pub decision: Option<TableDecision>,
    /// The purpose's keys.
    purpose: String,
    policy: &'p Policy,
    /// Forms of a system catalog or an unclassified table.
    forms: Vec<Form>,
    /// No rows at all.
    empty: bool,
}

/// The entry that classifies a relation: its own, or that of the nearest parent that has one.
pub fn entry_of(relation: &Relation, policy: &Policy, catalog: &Catalog) -> Option<QualifiedName> {
    if policy.tables.contains_key(&relation.name) {
        return Some(relation.name.clone());
    }
    relation
        .parents
        .iter()
        .filter_map(|p| catalog.relation_by_oid(*p))
        .find_map(|p| entry_of(p, policy, catalog))
}

/// A temporary table of the session's own. It holds nothing that is protected, since nothing of that kind
/// may be written into it; whose child it is says what else it is.
pub fn is_own(relation: &Relation, policy: &Policy, catalog: &Catalog) -> bool {
    catalog.temp_schema.as_ref() == Some(&relation.name.schema) && entry_of(relation, policy, catalog).is_none()
}

/// A partition or inheritance child whose rows a read of `relation` would give, and whose own entry
/// gives them otherwise.
fn stricter_child<'c>(
    relation: &Relation,
    entry: Option<&QualifiedName>,
    policy: &Policy,
    admission: &Admission<'_>,
    catalog: &'c Catalog,
) -> Option<&'c Relation> {
    let columns: Vec<&str> = relation.columns.iter().map(|c| c.name.as_str()).collect();
    let decide = |entry: &QualifiedName| policy.decide(admission, entry, &columns);
    let mut seen = BTreeSet::from([relation.oid]);
    loop {
        let next: Vec<&Relation> = catalog
            .relations
            .iter()
            .map(|r| &**r)
            .filter(|r| {
                r.kind != RelationKind::Sequence && !seen.contains(&r.oid) && r.parents.iter().any(|p| seen.contains(p))
            })
            .collect();
        if next.is_empty() {
            return None;
        }
        for child in next {
            seen.insert(child.oid);
            if !policy.tables.contains_key(&child.name) || entry == Some(&child.name) {
                continue;
            }
            let same = match (entry.and_then(decide), decide(&child.name)) {
                (Some(Ok(parent)), Some(Ok(child))) => released_alike(&parent, &child),
                (Some(_) | None, _) => false,
            };
            if !same {
                return Some(child);
            }
        }
    }
}

/// The same columns in the same forms, the same rows; wherever the rules say so.
fn released_alike(one: &TableDecision, other: &TableDecision) -> bool {
    let columns = one
        .columns
        .iter()
        .zip(&other.columns)
        .all(|(a, b)| a.form == b.form && a.conditions == b.conditions);
    let filters = one.filters.iter().zip(&other.filters).all(|(a, b)| match (a, b) {
        (RowFilter::Where { sql: a, .. }, RowFilter::Where { sql: b, .. }) => a == b,
        (a, b) => a == b,
    });
    columns && filters && one.columns.len() == other.columns.len() && one.filters.len() == other.filters.len()
}

fn differing_child(relation: &Relation, child: &Relation) -> Denial {
    Denial {
        code: Code::StatementNotAllowed,
        message: format!("{} holds rows of {}, whose rules differ", relation.name, child.name),
        detail: None,
        hint: Some("read ONLY the parent, or the child by its own name; or give both the same rules".into()),
        rule: None,
    }
}

/// Decides how a relation is released. `touched` are the columns that the statement meets.
pub fn release<'p>(
    relation: &Relation,
    policy: &'p Policy,
    admission: Option<&Admission<'_>>,
    catalog: &Catalog,
    touched: &BTreeSet<BaseColumn>,
    only: bool,
) -> Release<'p> {
    if is_system(relation) {
        return system::system(relation, policy, catalog, touched);
    }
    let Some(admission) = admission else {
        let message = "no purpose is declared".to_owned();
        let denial = Denial {
            code: Code::PurposeMissing,
            message,
            detail: None,
            hint: None,
            rule: None,
        };
        return Release::Refused(denial, Gap::No);
    };
    let purpose = admission.purpose().name.clone();
    let entry = entry_of(relation, policy, catalog);
    if !only && let Some(child) = stricter_child(relation, entry.as_ref(), policy, admission, catalog) {
        return Release::Refused(differing_child(relation, child), Gap::No);
    }
    let Some(entry) = entry else {
        if is_own(relation, policy, catalog) {
            return Release::AsIs(None);
        }
        return unclassified(relation, policy, purpose);
    };
    if relation.kind == RelationKind::Sequence && entry != relation.name {
        return system::sequence(relation, &entry, policy, purpose);
    }
    let columns: Vec<&str> = relation.columns.iter().map(|c| c.name.as_str()).collect();
    match policy.decide(admission, &entry, &columns) {
        None => unclassified(relation, policy, purpose),
        Some(Err(denial)) => Release::Refused(denial, Gap::No),
        Some(Ok(decision)) => {
            let plain = decision.filters.is_empty() && decision.columns.iter().all(|c| c.is_raw_everywhere());
            let decided = Box::new(Decided {
                decision: Some(decision),
                purpose,
                policy,
                forms: Vec::new(),
                empty: false,
            });
            if plain {
                Release::AsIs(Some(decided))
            } else {
                Release::Through(decided)
            }
        }
    }
}

fn unclassified<'p>(relation: &Relation, policy: &'p Policy, purpose: String) -> Release<'p> {
    match policy.unclassified.table {
        UnclassifiedForm::Raw => Release::AsIs(None),
        UnclassifiedForm::Hidden => {
            let forms = relation.columns.iter().map(|_| Form::Hidden).collect();
            Release::Through(Box::new(Decided {
                decision: None,
                purpose,
                policy,
                forms,
                empty: true,
            }))
        }
        UnclassifiedForm::Refuse => Release::Refused(
            Denial {
                code: Code::TableUnclassified,
                message: format!("no rule speaks of table {}", relation.name),
                detail: None,
                hint: Some(format!(
                    "add it to the rules, for example: tables: {{{}: {{columns: {{\"*\": system}}}}}}",
                    relation.name
                )),
                rule: None,
            },
            Gap::Yes,
        ),
    }
}

impl Decided<'_> {
    /// The form of the n-th column.
    pub fn form(&self, index: usize) -> &Form {
        match &self.decision {
            Some(decision) => decision.columns.get(index).map_or(&Form::Hidden, |c| &c.form),
            None => self.forms.get(index).unwrap_or(&Form::Hidden),
        }
    }

    /// The n-th column is the stored one in every row.
    pub fn raw_everywhere(&self, index: usize) -> bool {
        match &self.decision {
            Some(decision) => decision.columns.get(index).is_some_and(|c| c.is_raw_everywhere()),
            None => self.form(index) == &Form::Raw,
        }
    }

    /// Which rows exist depends on the rules.
    pub fn filtered(&self) -> bool {
        self.empty || self.decision.as_ref().is_some_and(|d| !d.filters.is_empty())
    }

    /// The released form of the n-th column, the table known as `alias` (quoted).
    ///
    /// # Errors
    /// A rule does not fit the schema.
    pub fn column(
        &self,
        index: usize,
        relation: &Relation,
        alias: &str,
        env: Env<'_>,
    ) -> Result<(String, ColumnShape), String> {
        let Some(column) = relation.columns.get(index) else {
            return Err("a column is unknown".into());
        };
        if relation.kind == RelationKind::Sequence && self.decision.is_none() && !self.empty {
            return Ok(system::unmoved(column, relation, env.catalog));
        }
        let own = format!("{alias}.{}", quote::ident(&column.name));
        let null = || (null_expression(column, env.catalog), ColumnShape::Null);
        let (value, shape) = match self.form(index) {
            Form::Raw => (own.clone(), ColumnShape::Raw),
            Form::Hidden | Form::Refuse => return Ok(null()),
            Form::Masked(Mask::Null) => return Ok(null()),
            Form::Masked(Mask::Sql(sql)) => (
                self.sql_mask(sql, column, relation, alias, env)?,
                ColumnShape::Expression,
            ),
            Form::Masked(mask) => (
                self.mask(mask, column, relation, &own, alias, env)?,
                ColumnShape::Expression,
            ),
        };
        let conditions = self
            .decision
            .as_ref()
            .and_then(|d| d.columns.get(index))
            .map(|c| c.conditions.as_slice());
        match conditions.unwrap_or_default() {
            [] => Ok((value, shape)),
            all => {
                let tests: Vec<String> = all
                    .iter()
                    .map(|c| {
                        obligation::condition_sql(c, &self.target(relation, alias), self.policy, env.catalog)
                            .map(|f| f.sql)
                            .map_err(|why| why.to_string())
                    })
                    .collect::<Result<_, String>>()?;
                Ok((
                    format!("CASE WHEN {} THEN {value} END", tests.join(" AND ")),
                    ColumnShape::Expression,
                ))
            }
        }
    }

    /// What the rules call the table.
    fn known_as<'a>(&'a self, relation: &'a Relation) -> &'a str {
        self.decision.as_ref().map_or(&relation.name.name, |d| &d.table.name)
    }

    /// A rule's own SQL gives one of these columns its form: it may fail, on any row.
    pub fn may_fail(&self, relation: &Relation, touched: &BTreeSet<BaseColumn>) -> bool {
        relation.columns.iter().enumerate().any(|(index, column)| {
            matches!(self.form(index), Form::Masked(Mask::Sql(_)))
                && touched.contains(&BaseColumn {
                    relation: relation.oid,
                    column: column.number,
                })
        })
    }

    /// Whose rows a rule of the entry tests.
    fn target<'a>(&'a self, relation: &'a Relation, alias: &'a str) -> obligation::Target<'a> {
        let table = self.decision.as_ref().map_or(&relation.name, |d| &d.table);
        obligation::Target { table, alias }
    }

    fn mask(
        &self,
        mask: &Mask,
        column: &Column,
        relation: &Relation,
        own: &str,
        alias: &str,
        env: Env<'_>,
    ) -> Result<String, String> {
        let pseudonym = keys::pseudonym_setting(&self.purpose);
        let keys = MaskKeys {
            pseudonym: &pseudonym,
            hash: keys::HASH_SETTING,
        };
        let subject = self
            .decision
            .as_ref()
            .and_then(|d| self.policy.tables.get(&d.table))
            .and_then(|t| t.data_subject.as_ref())
            .filter(|s| relation.column(&s.key).is_some())
            .map(|s| format!("{alias}.{}", quote::ident(&s.key)));
        mask_expression(mask, column, env.catalog, own, &keys, subject.as_deref()).map_err(|m| m.to_string())
    }

    fn sql_mask(
        &self,
        sql: &str,
        column: &Column,
        relation: &Relation,
        alias: &str,
        env: Env<'_>,
    ) -> Result<String, String> {
        let expression = sql.replace("{}", &quote::ident(&column.name));
        let bound = bind(&expression, relation, self.known_as(relation), env)?;
        let value = format!("{alias}.{}", quote::ident(&column.name));
        let cast = quote::type_name(&column.type_sql);
        Ok(format!(
            "CASE WHEN {value} IS NOT NULL THEN {}::{cast} END",
            bound.under(alias)?
        ))
    }

    /// The conditions on rows, the table known as `alias` (quoted).
    ///
    /// # Errors
    /// A rule does not fit the schema.
    pub fn conditions(&self, relation: &Relation, alias: &str, env: Env<'_>) -> Result<Vec<String>, String> {
        let mut conditions = Vec::new();
        if self.empty {
            conditions.push("false".to_owned());
        }
        for filter in self.decision.iter().flat_map(|d| &d.filters) {
            conditions.push(match filter {
                RowFilter::Where { sql, place } => bind(sql, relation, self.known_as(relation), env)
                    .and_then(|bound| bound.under(alias))
                    .map_err(|why| format!("row filter at {place} does not fit {}: {why}", relation.name))?,
                other => {
                    obligation::filter_sql(other, &self.target(relation, alias), self.policy, env.catalog)
                        .map_err(|why| why.to_string())?
                        .sql
                }
            });
        }
        Ok(conditions)
    }

    /// The sub-select.
    ///
    /// # Errors
    /// A rule does not fit the schema.
    #[allow(clippy::too_many_arguments)]
    pub fn fragment(
        &self,
        relation: &Relation,
        only: bool,
        fence: bool,
        conjuncts: &[(Conjunct, String)],
        touched: &BTreeSet<BaseColumn>,
        system: &BTreeSet<&str>,
        env: Env<'_>,
    ) -> Result<Fragment, String> {
        let alias = quote::ident(&relation.name.name);
        let mut list = Vec::with_capacity(relation.columns.len());
        let mut columns = Vec::with_capacity(relation.columns.len());
        for (index, column) in relation.columns.iter().enumerate() {
            let met = touched.contains(&BaseColumn {
                relation: relation.oid,
                column: column.number,
            });
            let (expression, shape) = match met || self.raw_everywhere(index) {
                true => self.column(index, relation, &alias, env)?,
                // Nobody looks: its place is kept, its mask is not worked out.
                false => (null_expression(column, env.catalog), ColumnShape::Null),
            };
            columns.push((column.name.clone(), shape, expression.clone()));
            list.push(match shape {
                ColumnShape::Raw => expression,
                ColumnShape::Null | ColumnShape::Expression | ColumnShape::Subject => {
                    format!("{expression} AS {}", quote::ident(&column.name))
                }
            });
        }
        for name in system {
            let expression = format!("{alias}.{}", quote::ident(name));
            columns.push(((*name).to_owned(), ColumnShape::Raw, expression.clone()));
            list.push(expression);
        }
        let decision = self.decision.as_ref();
        if let Some((expression, key)) =
            aggregate::hidden_subject(self.policy, &self.purpose, decision, relation, &alias)?
        {
            list.push(expression.clone());
            columns.push((key, ColumnShape::Subject, expression));
        }
        let mut conditions = self.conditions(relation, &alias, env)?;
        if fence {
            for (conjunct, value) in conjuncts {
                let index = relation.columns.iter().position(|c| c.number == conjunct.column);
                if let Some(index) = index.filter(|i| self.raw_everywhere(*i))
                    && let Some(column) = relation.columns.get(index)
                {
                    let operator = &conjunct.operator;
                    let name = quote::ident(&column.name);
                    conditions.push(format!("{alias}.{name} OPERATOR(pg_catalog.{operator}) {value}"));
                }
            }
        }
        let mut text = format!(
            "SELECT {} FROM {}{}",
            list.join(", "),
            if only { "ONLY " } else { "" },
            quote::qualified(&relation.name)
        );
        if !conditions.is_empty() {
            text.push_str(" WHERE ");
            text.push_str(&conditions.join(" AND "));
        }
        if fence {
            text.push_str(" OFFSET 0");
        }
        let check = FragmentCheck::Table {
            relation: relation.name.clone(),
            only,
            columns,
            conditions,
            fenced: fence,
        };
        Ok(Fragment { text, check })
    }
}
