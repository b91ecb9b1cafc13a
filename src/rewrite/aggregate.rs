//! Aggregate-only purposes (policy.md section 9): only statistics over enough people leave.
//!
//! A statement that reads a table with a data subject must be one SELECT over base tables that groups or
//! aggregates; everything that it may hold is on a list here, and what is not on it is refused. Then a
//! condition on the number of different people goes into its HAVING, before the client's own, for every
//! table with a subject and every argument of an aggregate. A whole that is too small is a row of NULLs.
//!
//! What runs on single rows (WHERE, ON, group keys) must be sure not to fail, since an error would tell
//! of one row; what runs behind HAVING may fail.

mod from;
mod output;
mod predicate;

use std::ops::Range;

use pg_query::protobuf as pb;

use crate::catalog::Relation;
use crate::policy::{Code, Policy, Purpose, TableDecision};
use crate::sql::grammar::Tree;
use crate::sql::lexer::Token;
use crate::sql::resolve::{Resolved, Use};
use crate::sql::{Command, ParsedStatement};

use super::edit::{EditKind, SUBJECT_COLUMN, Wrapper};
use super::plan::{Planned, Planner, Refused};
use super::query_span::{Having, QueryTokens};
use super::quote;

use from::From;

/// Whether people's rows are counted for a purpose and table: the column with the subject's key.
pub fn subject_key<'p>(policy: &'p Policy, purpose: &str, decision: &TableDecision) -> Option<&'p str> {
    policy.purposes.get(purpose).filter(|p| p.aggregate)?;
    let rule = policy.tables.get(&decision.table)?;
    Some(&rule.data_subject.as_ref()?.key)
}

/// The output column in which a released relation carries the subject's stored key, if it must: its
/// expression and the key's name.
///
/// # Errors
/// The table has no such key, or a column of that name of its own.
pub fn hidden_subject(
    policy: &Policy,
    purpose: &str,
    decision: Option<&TableDecision>,
    relation: &Relation,
    alias: &str,
) -> Result<Option<(String, String)>, String> {
    let Some(key) = decision.and_then(|d| subject_key(policy, purpose, d)) else {
        return Ok(None);
    };
    if relation.column(key).is_none() {
        return Err(format!("{} has no column {key}", relation.name));
    }
    if relation.column(SUBJECT_COLUMN).is_some() {
        return Err(format!("{} has a column {SUBJECT_COLUMN} of its own", relation.name));
    }
    let expression = format!("{alias}.{} AS {}", quote::ident(key), quote::ident(SUBJECT_COLUMN));
    Ok(Some((expression, key.to_owned())))
}

/// Plans a statement of an aggregate-only purpose; true where the groups' size is now a condition.
///
/// # Errors
/// It cannot be proved to be a statistic.
pub fn plan(
    planner: &Planner<'_, '_>,
    (text, tokens, span): (&str, &[Token], &Range<usize>),
    statement: &ParsedStatement,
    resolved: &Resolved,
    planned: &mut Planned<'_>,
) -> Result<bool, Refused> {
    let Some(purpose) = planner.admission.map(|a| a.purpose()).filter(|p| p.aggregate) else {
        return Ok(false);
    };
    let has_subject = |d: &TableDecision| subject_key(planner.policy, &purpose.name, d).is_some();
    if !planned
        .decided
        .values()
        .filter_map(|d| d.decision.as_ref())
        .any(has_subject)
    {
        return Ok(false);
    }
    let reading = Reading {
        planner,
        purpose,
        resolved,
    };
    let Some(select) = outermost(&statement.node).filter(|_| statement.command != Command::CopyIn) else {
        return Err(reading.refuse("a statement that writes, or copies a table, is no statistic", None));
    };
    let sizes = reading.sizes(select, planned)?;
    let misplaced = || {
        Refused::new(
            Code::NotUnderstood,
            "the query's clauses cannot be found in the text",
            None,
        )
    };
    let query = QueryTokens::find(&statement.command, text, tokens, span).ok_or_else(misplaced)?;
    let range = query.range().ok_or_else(misplaced)?;
    let whole = select.group_clause.is_empty();
    let wrapper = Wrapper::Whole;
    let (before, after) = wrapper.texts();
    if whole {
        planned
            .edits
            .push(range.start..range.start, before, EditKind::WrapOpen(wrapper));
    }
    match query.having().ok_or_else(misplaced)? {
        Having::Absent(at) => {
            planned
                .edits
                .push(at..at, format!(" HAVING {sizes}"), EditKind::Having { size: sizes });
        }
        Having::Present(own) => {
            let open = format!(" CASE WHEN {sizes} THEN (");
            planned
                .edits
                .push(own.start..own.start, open, EditKind::HavingOpen { size: sizes });
            planned.edits.push(own.end..own.end, ") END", EditKind::HavingClose);
        }
    }
    if whole {
        planned
            .edits
            .push(range.end..range.end, after, EditKind::WrapClose(wrapper));
    }
    Ok(true)
}

/// The SELECT that gives the statement's rows.
pub fn outermost(node: &pb::Node) -> Option<&pb::SelectStmt> {
    match Tree::of(node).ok()? {
        Tree::SelectStmt(select) => Some(select),
        Tree::DeclareCursorStmt(declare) => outermost(declare.query.as_deref()?),
        Tree::PrepareStmt(prepare) => outermost(prepare.query.as_deref()?),
        Tree::ExplainStmt(explain) => outermost(explain.query.as_deref()?),
        Tree::CopyStmt(copy) if !copy.is_from => outermost(copy.query.as_deref()?),
        _ => None, // no other statement gives rows of a SELECT
    }
}

/// A statement held against what a statistic may be.
struct Reading<'a, 'p> {
    planner: &'a Planner<'a, 'p>,
    purpose: &'a Purpose,
    resolved: &'a Resolved,
}

impl Reading<'_, '_> {
    /// Why it is none.
    fn refuse(&self, why: &str, location: Option<i32>) -> Refused {
        let message = format!(
            "purpose {} sees only statistics over at least {} people: {why}",
            self.purpose.name,
            self.least()
        );
        let position = location.and_then(|at| usize::try_from(at).ok());
        Refused::new(Code::AggregateRequired, message, position).hint(
            "allowed: SELECT of group keys, count, sum, avg, stddev, variance, bool_and, bool_or, corr, regr_* over \
             columns, from tables and their joins, GROUP BY columns",
        )
    }

    fn least(&self) -> u32 {
        self.purpose.min_group_size.max(1)
    }

    /// The condition on the groups' size of a SELECT that is a statistic.
    fn sizes(&self, select: &pb::SelectStmt, planned: &Planned<'_>) -> Result<String, Refused> {
        self.clauses(select)?;
        let from = From::read(self, select, planned)?;
        if let Some(filter) = select.where_clause.as_deref() {
            predicate::row_condition(self, &from, filter)?;
        }
        let arguments = output::read(self, &from, select)?;
        let mut sizes = Vec::new();
        for subject in from.subjects() {
            sizes.push(self.size(&subject));
            for columns in &arguments {
                let known: Vec<String> = columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
                let counted = format!("CASE WHEN {} THEN {subject} END", known.join(" AND "));
                sizes.push(self.size(&counted));
            }
        }
        if sizes.is_empty() {
            return Err(self.refuse("the people behind its rows cannot be told", None));
        }
        Ok(sizes.join(" AND "))
    }

    fn size(&self, counted: &str) -> String {
        format!(
            "pg_catalog.count(DISTINCT {counted}) OPERATOR(pg_catalog.>=) {}",
            self.least()
        )
    }

    /// Clauses that no statistic has.
    fn clauses(&self, select: &pb::SelectStmt) -> Result<(), Refused> {
        let whole = select.group_clause.is_empty();
        let not = |is: bool, why: &str| if is { Err(self.refuse(why, None)) } else { Ok(()) };
        not(select.larg.is_some(), "UNION, INTERSECT and EXCEPT are not served")?;
        not(select.with_clause.is_some(), "WITH is not served")?;
        not(!select.values_lists.is_empty(), "VALUES is no statistic")?;
        not(
            !select.distinct_clause.is_empty(),
            "DISTINCT is not served, GROUP BY is",
        )?;
        not(
            !select.window_clause.is_empty(),
            "windows over single rows are no statistics",
        )?;
        not(!select.locking_clause.is_empty(), "FOR UPDATE is not served")?;
        not(
            whole && select.having_clause.is_some(),
            "HAVING without GROUP BY is not served",
        )?;
        not(
            whole && select.limit_offset.is_some(),
            "OFFSET without GROUP BY is not served",
        )?;
        let limited = select.limit_count.as_deref().is_some_and(|limit| !is_positive(limit));
        not(
            whole && limited,
            "LIMIT without GROUP BY is served with a constant above 0 only",
        )?;
        for bound in [&select.limit_count, &select.limit_offset].into_iter().flatten() {
            let plain = matches!(Tree::of(bound), Ok(Tree::AConst(_) | Tree::ParamRef(_)));
            not(!plain, "LIMIT and OFFSET are served with constants and parameters only")?;
        }
        let target = self.resolved.relations.iter().any(|r| r.usage != Use::Read);
        not(target, "a statement that writes, or copies a table, is no statistic")
    }
}

fn is_positive(limit: &pb::Node) -> bool {
    match Tree::of(limit) {
        Ok(Tree::AConst(pb::AConst {
            val: Some(pb::a_const::Val::Ival(number)),
            ..
        })) => number.ival > 0,
        _ => false,
    }
}
