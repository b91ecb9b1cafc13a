//! Aggregate-only purposes (policy.md section 9): only statistics over enough people leave.
//!
//! Every SELECT of a statement is one of three: it reads nothing of single people; it is a statistic, and
//! then a condition on the number of different people goes into its HAVING, before the client's own; or it
//! hands on rows of people, which only FROM of another SELECT may take, and then it carries each row's
//! person along. What a statement may hold is on lists here, and what is not on them is refused.
//!
//! What runs on single rows (WHERE, ON, FILTER, group keys) must be sure not to fail, since an error would
//! tell of one row; what runs behind HAVING may fail, and so may what reads a statistic, behind a fence.

mod from;
mod level;
mod output;
mod place;
mod predicate;
mod rows;
mod sublink;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use pg_query::protobuf as pb;

use crate::catalog::{Oid, Relation};
use crate::policy::{Code, Policy, Purpose, TableDecision};
use crate::sql::grammar::Tree;
use crate::sql::lexer::Token;
use crate::sql::resolve::{Resolved, Use};
use crate::sql::{Command, ParsedStatement};

use super::edit::{Edit, Edits, SUBJECT_COLUMN};
use super::plan::{Planned, Planner, Refused};
use super::quote;
use super::released::Decided;

pub use level::Level;
use level::{Place, Scope};

/// What stands for a group that is left out: never true, and PostgreSQL tells of it by a notice, which the
/// session counts and keeps. (An aggregate in it keeps it from being worked out before there is a group.)
const LEFT_OUT: &str = "pg_catalog.plainto_tsquery('pg_catalog.simple'::pg_catalog.regconfig, CASE WHEN \
                        pg_catalog.count(*) OPERATOR(pg_catalog.>=) 0 THEN ''::pg_catalog.text END) IS NULL";

/// The file of PostgreSQL's source that the notice for a group that is left out comes from.
pub const LEFT_OUT_SOURCE: &str = "tsquery.c";

/// How a statement's groups are kept from being too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// PostgreSQL tells of each that is left out.
    Counted,
    /// One could be met more than once, so nothing is told.
    Uncounted,
}

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

/// Plans a statement of an aggregate-only purpose; how its groups are kept, where it has any.
///
/// # Errors
/// It cannot be proved to be a statistic.
pub fn plan(
    planner: &Planner<'_, '_>,
    source: (&str, &[Token], &Range<usize>),
    statement: &ParsedStatement,
    resolved: &Resolved,
    planned: &mut Planned<'_>,
) -> Result<Option<Groups>, Refused> {
    let Some(purpose) = aggregate_only(planner, planned) else {
        return Ok(None);
    };
    let reading = Reading::new(planner, purpose, source, &statement.command, resolved, planned);
    let writes = resolved.relations.iter().any(|r| r.usage != Use::Read) || statement.command == Command::CopyIn;
    let Some(select) = outermost(&statement.node).filter(|_| !writes) else {
        return Err(reading.refuse("a statement that writes, or copies a table, is no statistic", None));
    };
    reading.level(select, &Scope::default(), None, Place::Outermost)?;
    reading.all_are_seen()?;
    let Notes { edits, groups, .. } = reading.notes.into_inner();
    planned.edits.edits.extend(edits);
    Ok(groups)
}

/// Plans a view's definition for an aggregate-only purpose, in which it may hand on rows: what it gives.
///
/// # Errors
/// It is neither that nor a statistic.
pub fn plan_view(
    planner: &Planner<'_, '_>,
    (text, tokens): (&str, &[Token]),
    relation: &Relation,
    resolved: &Resolved,
    planned: &mut Planned<'_>,
) -> Result<Option<Level>, Refused> {
    let Some(purpose) = aggregate_only(planner, planned) else {
        return Ok(None);
    };
    let in_view = |mut refused: Refused| {
        refused.position = None;
        refused.denial.detail = Some(format!("in view {}", relation.name));
        refused
    };
    let misread = || Refused::new(Code::NotUnderstood, "a view's definition cannot be read", None);
    let statements = crate::sql::parsed::parse(text).map_err(|_| misread())?;
    let select = match statements.as_slice() {
        [only] => outermost(&only.node),
        _ => None,
    };
    let whole = 0..text.len();
    let mut reading = Reading::new(
        planner,
        purpose,
        (text, tokens, &whole),
        &Command::Select,
        resolved,
        planned,
    );
    reading.view = Some(relation.oid);
    let level = reading
        .taken(select.ok_or_else(misread)?, &Scope::default(), None, false)
        .map_err(in_view)?;
    reading.all_are_seen().map_err(in_view)?;
    let edits = reading.notes.into_inner().edits;
    planned.edits.edits.extend(edits);
    Ok(Some(level))
}

/// The purpose, where it is aggregate-only and people's rows are read.
fn aggregate_only<'a>(planner: &Planner<'a, '_>, planned: &Planned<'_>) -> Option<&'a Purpose> {
    let purpose = planner.admission.map(|a| a.purpose()).filter(|p| p.aggregate)?;
    let has_subject = |d: &TableDecision| subject_key(planner.policy, &purpose.name, d).is_some();
    let mut decisions = planned.decided.values().filter_map(|d| d.decision.as_ref());
    decisions.any(has_subject).then_some(purpose)
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

/// What a reading found.
#[derive(Default)]
struct Notes {
    edits: Vec<Edit>,
    /// Places of tables and views with people's rows whose rows are accounted for.
    seen: BTreeSet<usize>,
    groups: Option<Groups>,
}

/// A query held against what a statistic may be.
struct Reading<'a, 'p> {
    planner: &'a Planner<'a, 'p>,
    purpose: &'a Purpose,
    text: &'a str,
    tokens: &'a [Token],
    span: &'a Range<usize>,
    command: &'a Command,
    resolved: &'a Resolved,
    /// Those that were planned before.
    edits: &'a Edits,
    decided: &'a HashMap<Oid, Box<Decided<'p>>>,
    views: &'a HashMap<Oid, Level>,
    /// The view whose definition this is.
    view: Option<Oid>,
    notes: RefCell<Notes>,
}

impl<'a, 'p> Reading<'a, 'p> {
    fn new(
        planner: &'a Planner<'a, 'p>,
        purpose: &'a Purpose,
        (text, tokens, span): (&'a str, &'a [Token], &'a Range<usize>),
        command: &'a Command,
        resolved: &'a Resolved,
        planned: &'a Planned<'p>,
    ) -> Self {
        Self {
            planner,
            purpose,
            text,
            tokens,
            span,
            command,
            resolved,
            edits: &planned.edits,
            decided: &planned.decided,
            views: &planned.views,
            view: None,
            notes: RefCell::default(),
        }
    }

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
             columns, from tables, their joins and sub-queries of them, GROUP BY columns",
        )
    }

    fn least(&self) -> u32 {
        self.purpose.min_group_size.max(1)
    }

    fn size(&self, counted: &str) -> String {
        format!(
            "pg_catalog.count(DISTINCT {counted}) OPERATOR(pg_catalog.>=) {}",
            self.least()
        )
    }

    /// The rows of the relation there are accounted for.
    fn see(&self, location: i32) {
        if let Ok(at) = usize::try_from(location) {
            self.notes.borrow_mut().seen.insert(at);
        }
    }

    /// How many tables and views with people's rows were met so far.
    fn people_seen(&self) -> usize {
        self.notes.borrow().seen.len()
    }

    fn subject_of(&self, oid: Oid) -> Option<&'p str> {
        let decision = self.decided.get(&oid)?.decision.as_ref()?;
        subject_key(self.planner.policy, &self.purpose.name, decision)
    }

    /// Whether a relation has people's rows, a view those of the tables below it.
    fn has_people(&self, oid: Oid, resolved: &Resolved) -> bool {
        let below = |view: &crate::sql::resolve::ViewUse| {
            let inner = &view.resolved;
            inner.relations.iter().any(|r| self.has_people(r.oid, inner))
        };
        self.subject_of(oid).is_some() || resolved.views.get(&oid).is_some_and(below)
    }

    /// Nothing of people stands where it was not looked at.
    fn all_are_seen(&self) -> Result<(), Refused> {
        let notes = self.notes.borrow();
        let unseen = |r: &&crate::sql::resolve::RelationUse| {
            self.has_people(r.oid, self.resolved) && !notes.seen.contains(&r.location)
        };
        match self.resolved.relations.iter().find(unseen) {
            None => Ok(()),
            Some(r) => {
                let at = i32::try_from(r.location).ok();
                Err(self.refuse("it reads people's rows in a place that is not served", at))
            }
        }
    }
}
