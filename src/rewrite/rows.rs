//! `max_rows`: how many rows of protected tables a purpose may see in one result.
//!
//! The session counts and ends the statement; here the query gets a LIMIT, so that PostgreSQL does not
//! make more rows than are needed to know. A query that cannot go into a sub-select is only counted.

use std::ops::Range;

use pg_query::protobuf as pb;

use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::lexer::Token;
use crate::sql::resolve::{Resolved, Use};
use crate::sql::{Command, ParsedStatement, TransactionCommand};

use super::aggregate::outermost;
use super::edit::{Edit, EditKind, Wrapper};
use super::plan::{Planned, Planner, Refused};
use super::query_span::QueryTokens;

/// The most rows that a statement's result may have, if the purpose says; adds the LIMIT.
///
/// # Errors
/// RETURNING, whose rows cannot be counted before they are changed.
pub fn plan(
    planner: &Planner<'_, '_>,
    (text, tokens, span): (&str, &[Token], &Range<usize>),
    statement: &ParsedStatement,
    resolved: &Resolved,
    planned: &mut Planned<'_>,
) -> Result<Option<u64>, Refused> {
    let Some(purpose) = planner.admission.map(|a| a.purpose()) else {
        return Ok(None);
    };
    let Some(most) = purpose.max_rows else { return Ok(None) };
    // What it runs was planned before, perhaps with tables of ours.
    if matches!(statement.command, Command::Execute { .. }) {
        return Ok(Some(most));
    }
    let protected = planned
        .decided
        .values()
        .any(|d| d.decision.as_ref().is_some_and(|d| d.protected));
    if !protected || statement.command == Command::Explain {
        return Ok(None);
    }
    if resolved.relations.iter().any(|r| matches!(r.usage, Use::Target(_))) {
        if resolved.outputs.is_empty() {
            return Ok(None);
        }
        let message = format!(
            "RETURNING is not served for purpose {}, which has max_rows",
            purpose.name
        );
        return Err(Refused::new(Code::StatementNotAllowed, message, None)
            .hint("send the change without RETURNING, and read in a statement of its own"));
    }
    // The header of a COPY comes as a row.
    let counted = most.saturating_add(u64::from(copies_header(&statement.node)));
    if let (Some(rows), Some(select)) = (enough(most), outermost(&statement.node))
        && may_be_wrapped(select)
        && let Some(range) = QueryTokens::find(&statement.command, text, tokens, span).and_then(|q| q.range())
    {
        let wrapper = Wrapper::Rows(rows);
        let (before, after) = wrapper.texts();
        // Before and behind whatever else begins or ends there.
        let kind = EditKind::WrapOpen(wrapper);
        planned.edits.edits.insert(
            0,
            Edit {
                range: range.start..range.start,
                text: before,
                kind,
            },
        );
        planned
            .edits
            .push(range.end..range.end, after, EditKind::WrapClose(wrapper));
    }
    Ok(Some(counted))
}

fn copies_header(node: &pb::Node) -> bool {
    let Ok(Tree::CopyStmt(copy)) = Tree::of(node) else {
        return false;
    };
    copy.options.iter().any(|option| match Tree::of(option) {
        Ok(Tree::DefElem(option)) if option.defname == "header" => match option.arg.as_deref().map(Tree::of) {
            None => true,
            Some(Ok(Tree::String(value))) => ["true", "on"].iter().any(|on| value.sval.eq_ignore_ascii_case(on)),
            // Said otherwise, it counts as a row: stricter by one.
            Some(_) => false,
        },
        _ => false, // no other option adds a row
    })
}

/// How many rows PostgreSQL need make, so that it is known whether they are too many.
pub fn enough(most: u64) -> Option<u64> {
    most.checked_add(1).filter(|rows| i64::try_from(*rows).is_ok())
}

/// Whether a statement of a message may stand beside one whose rows are counted. The server runs them all
/// before it is known that the rows are too many: what was to be undone could not be.
pub fn may_stand_beside(command: &Command, behind: bool) -> bool {
    match command {
        Command::Select | Command::Show(_) | Command::Explain | Command::Fetch { .. } | Command::CopyOut => true,
        Command::Set(_)
        | Command::SetConfig(_)
        | Command::SetCharacteristics
        | Command::Reset(_)
        | Command::ResetAll
        | Command::Prepare { .. }
        | Command::Declare { .. }
        | Command::Close(_)
        | Command::Transaction(TransactionCommand::Begin) => !behind,
        Command::Write
        | Command::Transaction(_)
        | Command::Discard(_)
        | Command::Execute { .. }
        | Command::Deallocate(_)
        | Command::CopyIn
        | Command::Ddl
        | Command::CreateAs
        | Command::Coordinate
        | Command::Refused => false,
    }
}

/// FOR UPDATE and writes in WITH must stand at the outermost level.
fn may_be_wrapped(select: &pb::SelectStmt) -> bool {
    let reads = select
        .with_clause
        .iter()
        .flat_map(|w| &w.ctes)
        .all(|cte| match Tree::of(cte) {
            Ok(Tree::CommonTableExpr(cte)) => {
                matches!(cte.ctequery.as_deref().map(Tree::of), Some(Ok(Tree::SelectStmt(_))))
            }
            _ => false,
        });
    reads && select.locking_clause.is_empty()
}
