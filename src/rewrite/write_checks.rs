//! Checks on what a write stores that depend on the person whose data it is (policy.md sections 6 and 8):
//! nothing personal of a child, and what needs consent only with it.
//!
//! A check runs in the statement: the value goes through an expression that fails with a fixed text where
//! the row may not be stored, and is the value itself otherwise. Where a form of statement leaves no place
//! for that, it is refused.

use std::ops::Range;

use pg_query::protobuf as pb;

use crate::catalog::{Column, Relation};
use crate::pipeline::check_marker;
use crate::policy::{Admission, Code, RowFilter, Sensitivity, TableRule};
use crate::sql::grammar::Tree;
use crate::sql::lexer::Token;
use crate::sql::resolve::{RelationUse, Resolved};
use crate::sql::{Command, ParsedStatement};

use super::edit::{CheckPlace, Edit, EditKind};
use super::plan::{Planned, Planner, Refused};
use super::query_span::QueryTokens;
use super::released::entry_of;
use super::{obligation, quote};

/// The name under which a check sees the value to be stored.
const NEW: &str = "\"pgpurpose new\"";

/// Adds the checks that the rules ask of a write.
///
/// # Errors
/// A check that cannot be made in this form of statement, or does not fit the schema.
pub fn plan(
    planner: &Planner<'_, '_>,
    (text, tokens, span): (&str, &[Token], &Range<usize>),
    statement: &ParsedStatement,
    resolved: &Resolved,
    planned: &mut Planned<'_>,
) -> Result<(), Refused> {
    let Some(admission) = planner.admission else {
        return Ok(());
    };
    for written in &resolved.targets {
        let Some(target) = resolved.relations.get(written.relation) else {
            continue;
        };
        let Some(relation) = planner.env.catalog.relation_by_oid(target.oid) else {
            continue;
        };
        let entry = entry_of(relation, planner.policy, planner.env.catalog);
        let Some(rule) = entry.and_then(|entry| planner.policy.tables.get(&entry)) else {
            continue;
        };
        let checks = Checks {
            planner,
            admission,
            resolved,
            written: written.relation,
            target,
            relation,
            rule,
        };
        let needed = checks.needed()?;
        if !needed.is_empty() {
            let values = checks.values(statement, text, tokens, span)?;
            checks.put(checks.edits(&needed, &values, text)?, planned);
        }
    }
    Ok(())
}

/// What a row must be to be stored.
enum Needed {
    /// No child's: this of the person that `column` tells of (a birth date or a key).
    NoChild { column: String, filter: RowFilter },
    /// With consent, where the value is not NULL.
    Consent {
        column: String,
        condition: crate::policy::Condition,
    },
    /// Never, where the value is not NULL.
    Never { column: String },
}

impl Needed {
    fn column(&self) -> &str {
        match self {
            Self::NoChild { column, .. } | Self::Consent { column, .. } | Self::Never { column } => column,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NoChild { .. } => Code::ChildData,
            Self::Consent { .. } | Self::Never { .. } => Code::WriteNotAllowed,
        }
    }
}

/// A value that the statement stores.
struct Stored<'n> {
    column: String,
    place: CheckPlace,
    range: Range<usize>,
    node: &'n pb::Node,
}

/// A row as the statement stores it: all values of one row of VALUES, of a SELECT, or of a SET.
struct Row<'n> {
    values: Vec<Stored<'n>>,
    /// It changes a stored row, whose other columns stay.
    update: bool,
}

struct Check {
    place: CheckPlace,
    range: Range<usize>,
    before: String,
    after: String,
}

struct Checks<'a, 'p> {
    planner: &'a Planner<'a, 'p>,
    admission: &'a Admission<'p>,
    resolved: &'a Resolved,
    /// The target's place among the relations.
    written: usize,
    target: &'a RelationUse,
    relation: &'a Relation,
    rule: &'a TableRule,
}

impl Checks<'_, '_> {
    fn refuse(&self, code: Code, why: &str) -> Refused {
        let what = match code {
            Code::ChildData => "whether it is a child's",
            _ => "whether there is consent",
        };
        let message = format!(
            "data of {} cannot be stored: {what} cannot be checked, {why}",
            self.relation.name
        );
        Refused::new(code, message, Some(self.target.location))
    }

    fn put(&self, edits: Vec<Check>, planned: &mut Planned<'_>) {
        let target = self.target.location;
        for Check {
            place,
            range,
            before,
            after,
        } in edits
        {
            // Before a schema that is put before the value's own first word.
            let kind = EditKind::CheckOpen {
                target,
                place: place.clone(),
                before: before.clone(),
                after: after.clone(),
            };
            let range_before = range.start..range.start;
            let edit = Edit {
                range: range_before,
                text: before,
                kind,
            };
            planned.edits.edits.insert(0, edit);
            let kind = EditKind::CheckClose { target, place };
            // Before a WHERE that is put behind the last value.
            let close = Edit {
                range: range.end..range.end,
                text: after,
                kind,
            };
            planned.edits.edits.insert(0, close);
        }
    }

    fn column(&self, number: i16) -> Option<&Column> {
        self.relation.columns.iter().find(|c| c.number == number)
    }

    fn is_personal(&self, column: &Column) -> bool {
        let category = self
            .rule
            .column(&column.name)
            .map(|c| self.planner.policy.category(&c.category));
        // What no rule classifies counts as personal.
        category.flatten().is_none_or(|c| c.sensitivity > Sensitivity::None)
    }

    fn needed(&self) -> Result<Vec<Needed>, Refused> {
        let policy = self.planner.policy;
        let assigned: Vec<&Column> = self
            .resolved
            .assignments
            .iter()
            .filter(|a| a.target == self.written)
            .filter_map(|a| self.column(a.column))
            .collect();
        let mut needed = Vec::new();
        if policy.children.is_some() && assigned.iter().any(|c| self.is_personal(c)) {
            for filter in policy.child_filters(self.rule) {
                let RowFilter::Children {
                    key, root, birth_date, ..
                } = &filter
                else {
                    continue;
                };
                let column = if *root == self.rule.name { birth_date } else { key };
                needed.push(Needed::NoChild {
                    column: column.clone(),
                    filter,
                });
            }
        }
        for column in assigned {
            if needed
                .iter()
                .any(|n| n.code() == Code::WriteNotAllowed && n.column() == column.name)
            {
                continue;
            }
            let column = column.name.clone();
            match policy.collection_condition(self.admission, &self.rule.name, &column) {
                None => {}
                Some(Ok(condition)) => needed.push(Needed::Consent { column, condition }),
                Some(Err(_)) => needed.push(Needed::Never { column }),
            }
        }
        Ok(needed)
    }

    /// The rows that the statement stores, as they stand in the text.
    fn values<'n>(
        &self,
        statement: &'n ParsedStatement,
        text: &str,
        tokens: &[Token],
        span: &Range<usize>,
    ) -> Result<Vec<Row<'n>>, Refused> {
        let code = if self.planner.policy.children.is_some() {
            Code::ChildData
        } else {
            Code::WriteNotAllowed
        };
        if statement.command == Command::CopyIn {
            return Err(self
                .refuse(code, "COPY FROM brings it past the check")
                .hint("use INSERT"));
        }
        let misplaced = || Refused::new(Code::NotUnderstood, "the values cannot be found in the text", None);
        let query = QueryTokens::find(&statement.command, text, tokens, span).ok_or_else(misplaced)?;
        let is_this = |range: &Option<pb::RangeVar>| {
            let at = range.as_ref().and_then(|r| usize::try_from(r.location).ok());
            at == Some(self.target.location)
        };
        match write(&statement.node) {
            Some(Tree::InsertStmt(insert)) if is_this(&insert.relation) => {
                let mut rows = self.inserted(insert, &query, code)?;
                if let Some(conflict) = &insert.on_conflict_clause
                    && !conflict.target_list.is_empty()
                {
                    rows.push(self.set(&conflict.target_list, &query, code)?);
                }
                Ok(rows)
            }
            Some(Tree::UpdateStmt(update)) if is_this(&update.relation) => {
                Ok(vec![self.set(&update.target_list, &query, code)?])
            }
            _ => Err(self
                .refuse(code, "a MERGE, or a write in WITH, leaves no place for the check")
                .hint("use INSERT and UPDATE, as statements of their own")),
        }
    }

    fn inserted<'n>(
        &self,
        insert: &'n pb::InsertStmt,
        query: &QueryTokens<'_>,
        code: Code,
    ) -> Result<Vec<Row<'n>>, Refused> {
        let columns: Vec<String> = if insert.cols.is_empty() {
            self.relation.columns.iter().map(|c| c.name.clone()).collect()
        } else {
            let named = insert.cols.iter().filter_map(|c| match Tree::of(c) {
                Ok(Tree::ResTarget(target)) if target.indirection.is_empty() => Some(target.name.clone()),
                _ => None,
            });
            named.collect()
        };
        if !insert.cols.is_empty() && columns.len() != insert.cols.len() {
            return Err(self.refuse(code, "parts of a column are not served"));
        }
        let misplaced = || Refused::new(Code::NotUnderstood, "the values cannot be found in the text", None);
        let Some(Ok(Tree::SelectStmt(source))) = insert.select_stmt.as_deref().map(Tree::of) else {
            return Ok(Vec::new());
        };
        if source.values_lists.is_empty() {
            return Ok(vec![self.selected(source, &columns, query, code)?]);
        }
        let places = query
            .values()
            .filter(|rows| rows.len() == source.values_lists.len())
            .ok_or_else(misplaced)?;
        let mut rows = Vec::new();
        for (row, (node, ranges)) in source.values_lists.iter().zip(places).enumerate() {
            let Ok(Tree::List(list)) = Tree::of(node) else {
                return Err(misplaced());
            };
            if list.items.len() != ranges.len() {
                return Err(misplaced());
            }
            let values = list.items.iter().zip(ranges).zip(&columns).enumerate();
            let values = values.map(|(item, ((node, range), column))| Stored {
                column: column.clone(),
                place: CheckPlace::Value { row, item },
                range,
                node,
            });
            rows.push(Row {
                values: values.collect(),
                update: false,
            });
        }
        Ok(rows)
    }

    /// INSERT … SELECT: its outputs, one by one.
    fn selected<'n>(
        &self,
        source: &'n pb::SelectStmt,
        columns: &[String],
        query: &QueryTokens<'_>,
        code: Code,
    ) -> Result<Row<'n>, Refused> {
        let plain = source.larg.is_none() && source.distinct_clause.is_empty() && source.group_clause.is_empty();
        let ranges = query
            .outputs()
            .filter(|ranges| plain && ranges.len() == source.target_list.len());
        let mut values = Vec::new();
        for (item, (node, range)) in source.target_list.iter().zip(ranges.unwrap_or_default()).enumerate() {
            let Ok(Tree::ResTarget(target)) = Tree::of(node) else {
                continue;
            };
            let (Some(node), Some(column)) = (target.val.as_deref(), columns.get(item)) else {
                continue;
            };
            let star = matches!(Tree::of(node), Ok(Tree::ColumnRef(c)) if matches!(c.fields.last().map(Tree::of), Some(Ok(Tree::AStar(_)))));
            let range = if target.name.is_empty() {
                Some(range)
            } else {
                query.without_alias(range)
            };
            let (Some(range), false) = (range, star) else { break };
            values.push(Stored {
                column: column.clone(),
                place: CheckPlace::Output { item },
                range,
                node,
            });
        }
        if !plain || values.is_empty() || values.len() != source.target_list.len() {
            let why = "its SELECT has a star, DISTINCT, GROUP BY or UNION";
            return Err(self
                .refuse(code, why)
                .hint("name each column, in a plain SELECT or VALUES"));
        }
        Ok(Row { values, update: false })
    }

    fn set<'n>(&self, targets: &'n [pb::Node], query: &QueryTokens<'_>, code: Code) -> Result<Row<'n>, Refused> {
        let mut values = Vec::new();
        for node in targets {
            let Ok(Tree::ResTarget(target)) = Tree::of(node) else {
                continue;
            };
            let node = target.val.as_deref();
            let multiple = matches!(node.map(Tree::of), Some(Ok(Tree::MultiAssignRef(_))));
            if multiple || !target.indirection.is_empty() {
                let why = "SET assigns several columns at once, or a part of one";
                return Err(self.refuse(code, why).hint("assign each column by itself"));
            }
            let at = usize::try_from(target.location).ok();
            let range = at.and_then(|at| query.assigned(at));
            let (Some(range), Some(node)) = (range, node) else {
                return Err(Refused::new(
                    Code::NotUnderstood,
                    "the values cannot be found in the text",
                    None,
                ));
            };
            let place = CheckPlace::Set {
                column: target.name.clone(),
            };
            values.push(Stored {
                column: target.name.clone(),
                place,
                range,
                node,
            });
        }
        Ok(Row { values, update: true })
    }

    /// One check for each value that needs one.
    fn edits(&self, needed: &[Needed], rows: &[Row<'_>], text: &str) -> Result<Vec<Check>, Refused> {
        let mut edits = Vec::new();
        for row in rows {
            let mut of_value: Vec<Vec<(String, Code)>> = row.values.iter().map(|_| Vec::new()).collect();
            // Conditions on the stored row, for the first value that can carry them.
            let mut of_row = Vec::new();
            for need in needed {
                let index = row.values.iter().position(|v| v.column == need.column());
                let given = index.and_then(|i| row.values.get(i)).filter(|v| !is_default(v.node));
                match (need, given) {
                    (Needed::NoChild { filter, .. }, Some(_)) => {
                        let condition = self.no_child(filter, NEW)?;
                        if let Some(checks) = index.and_then(|i| of_value.get_mut(i)) {
                            checks.push((condition, need.code()));
                        }
                    }
                    (Needed::NoChild { filter, .. }, None) if row.update && index.is_none() => {
                        let changes = row
                            .values
                            .iter()
                            .any(|v| self.relation.column(&v.column).is_some_and(|c| self.is_personal(c)));
                        if changes {
                            of_row.push((self.no_child(filter, &self.alias())?, need.code()));
                        }
                    }
                    (
                        Needed::NoChild {
                            filter:
                                RowFilter::Children {
                                    unknown_is_child: true, ..
                                },
                            column,
                        },
                        None,
                    ) => {
                        return Err(self.refuse(Code::ChildData, &format!("{column} is not given")));
                    }
                    // A NULL or a default: nobody's birth date, nobody's key.
                    (Needed::NoChild { .. }, None) => {}
                    (Needed::Consent { .. } | Needed::Never { .. }, None) => {
                        if index.is_some() {
                            return Err(self.refuse(Code::WriteNotAllowed, "a default cannot be looked at"));
                        }
                    }
                    (Needed::Consent { .. } | Needed::Never { .. }, Some(value)) if is_null(value.node) => {}
                    (Needed::Consent { .. } | Needed::Never { .. }, Some(_)) => {
                        let condition = self.consent(need, row)?;
                        if let Some(checks) = index.and_then(|i| of_value.get_mut(i)) {
                            checks.push((condition, need.code()));
                        }
                    }
                }
            }
            if !of_row.is_empty() {
                let carrier = row.values.iter().position(|v| !is_default(v.node));
                match carrier.and_then(|i| of_value.get_mut(i)) {
                    Some(checks) => checks.extend(of_row),
                    None => return Err(self.refuse(Code::ChildData, "SET gives defaults only")),
                }
            }
            for (value, checks) in row.values.iter().zip(of_value) {
                if !checks.is_empty() {
                    edits.push(self.check(value, row, &checks, text)?);
                }
            }
        }
        Ok(edits)
    }

    /// The value, if all conditions hold of it; else an error that names only the code.
    fn check(
        &self,
        value: &Stored<'_>,
        row: &Row<'_>,
        checks: &[(String, Code)],
        text: &str,
    ) -> Result<Check, Refused> {
        let column = quote::ident(&value.column);
        let type_name = self.type_of(&value.column)?;
        let tested = checks.iter().rev().fold("true".to_owned(), |then, (condition, code)| {
            let marker = quote::literal(check_marker(*code));
            // Not constant to the planner, which would fail at once.
            let raise = format!("pg_catalog.concat({marker})::pg_catalog.int4 IS NULL");
            format!("CASE WHEN {condition} THEN {then} ELSE {raise} END")
        });
        // The row's key beside the value, where it is known: a constant or parameter.
        let mut beside = String::new();
        if !row.update {
            for key in self.copied_keys(row, &value.column) {
                let text = text.get(key.range.clone()).unwrap_or_default();
                let name = quote::ident(&key.column);
                beside.push_str(&format!(", ({text})::{} AS {name}", self.type_of(&key.column)?));
            }
        }
        Ok(Check {
            place: value.place.clone(),
            range: value.range.clone(),
            before: format!("(SELECT CASE WHEN {tested} THEN {NEW}.{column} END FROM (SELECT ("),
            after: format!(")::{type_name} AS {column}{beside}) AS {NEW})"),
        })
    }

    /// The type's name without a length, so that a cast cuts nothing off.
    fn type_of(&self, column: &str) -> Result<String, Refused> {
        let found = self
            .relation
            .column(column)
            .and_then(|c| self.planner.env.catalog.type_by_oid(c.type_oid));
        let found = found.map(|t| quote::qualified(&t.name));
        found.ok_or_else(|| {
            Refused::new(
                Code::NotUnderstood,
                "a column's type is unknown",
                Some(self.target.location),
            )
        })
    }

    /// Keys of an inserted row that stand in it as one constant or parameter.
    fn copied_keys<'r, 'n>(&self, row: &'r Row<'n>, but: &'r str) -> impl Iterator<Item = &'r Stored<'n>> {
        let keys: Vec<String> = self.rule.data_subject.iter().map(|s| s.key.clone()).collect();
        row.values.iter().filter(move |v| {
            let plain = matches!(Tree::of(v.node), Ok(Tree::AConst(_) | Tree::ParamRef(_)));
            plain && v.column != but && keys.contains(&v.column)
        })
    }

    fn no_child(&self, filter: &RowFilter, alias: &str) -> Result<String, Refused> {
        let target = obligation::Target {
            table: &self.rule.name,
            alias,
        };
        let sql = obligation::filter_sql(filter, &target, self.planner.policy, self.planner.env.catalog);
        sql.map(|f| f.sql).map_err(|why| self.misfit(&why.to_string()))
    }

    /// NULL, or with the consent of the row's person.
    fn consent(&self, need: &Needed, row: &Row<'_>) -> Result<String, Refused> {
        let null = format!("{NEW}.{} IS NULL", quote::ident(need.column()));
        let Needed::Consent { condition, .. } = need else {
            return Ok(null);
        };
        let key = row.values.iter().find(|v| v.column == condition.key);
        let alias = match (row.update, key) {
            (true, None) => self.alias(),
            (true, Some(_)) => return Ok(null),
            (false, _) if self.copied_keys(row, need.column()).any(|k| k.column == condition.key) => NEW.to_owned(),
            // Whose it is cannot be told before it is stored.
            (false, _) => return Ok(null),
        };
        let target = obligation::Target {
            table: &self.rule.name,
            alias: &alias,
        };
        let sql = obligation::condition_sql(condition, &target, self.planner.policy, self.planner.env.catalog);
        let sql = sql.map_err(|why| self.misfit(&why.to_string()))?.sql;
        Ok(format!("({null} OR {sql})"))
    }

    fn misfit(&self, why: &str) -> Refused {
        Refused::new(Code::NotUnderstood, why.to_owned(), Some(self.target.location))
    }

    /// The name by which the statement knows the target.
    fn alias(&self) -> String {
        let [_, _, name] = &self.target.written;
        quote::ident(self.target.alias.as_ref().unwrap_or(name))
    }
}

/// The outermost write.
fn write(node: &pb::Node) -> Option<Tree<'_>> {
    match Tree::of(node).ok()? {
        tree @ (Tree::InsertStmt(_) | Tree::UpdateStmt(_)) => Some(tree),
        Tree::PrepareStmt(prepare) => write(prepare.query.as_deref()?),
        Tree::ExplainStmt(explain) => write(explain.query.as_deref()?),
        _ => None, // no other statement stores values at its outermost level
    }
}

fn is_default(node: &pb::Node) -> bool {
    matches!(Tree::of(node), Ok(Tree::SetToDefault(_)))
}

fn is_null(node: &pb::Node) -> bool {
    matches!(Tree::of(node), Ok(Tree::AConst(constant)) if constant.isnull)
}
