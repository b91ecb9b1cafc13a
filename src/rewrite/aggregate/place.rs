//! Where the edits of a statistic go in the text.

use std::ops::Range;

use pg_query::protobuf as pb;

use crate::policy::Code;
use crate::rewrite::edit::{Edit, EditKind, Wrapper};
use crate::rewrite::plan::Refused;
use crate::rewrite::query_span::{Having, QueryTokens};
use crate::sql::parsed::first_output;

use super::level::Place;
use super::{Groups, LEFT_OUT, Reading};

impl<'a> Reading<'a, '_> {
    fn push(&self, range: Range<usize>, text: String, kind: EditKind) {
        self.notes.borrow_mut().edits.push(Edit { range, text, kind });
    }

    /// The SELECT in the text, and what names it: the place of its first output.
    fn tokens_of(&self, select: &pb::SelectStmt) -> Result<(usize, QueryTokens<'a>), Refused> {
        let found = first_output(select).and_then(|at| {
            let tokens = QueryTokens::of_select(self.text, self.tokens, self.span, at)?;
            Some((at, tokens))
        });
        found.ok_or_else(misplaced)
    }

    /// A statistic's groups must be large enough; a whole that is not is a row of NULLs.
    pub(super) fn limit_groups(&self, select: &pb::SelectStmt, size: &str, place: Place) -> Result<(), Refused> {
        let (at, query) = self.tokens_of(select)?;
        let counted = place.is_once();
        let otherwise = counted.then(|| LEFT_OUT.to_owned());
        let own = query.having().ok_or_else(misplaced)?;
        let end = match &own {
            Having::Absent(end) => *end,
            Having::Present(own) => own.end,
        };
        // A HAVING of the client's says itself when there is no row.
        let is_wrapped = select.group_clause.is_empty() && select.having_clause.is_none();
        let wrapped = match is_wrapped {
            true => Some(self.wrapped(select, &query, end, place)?),
            false => None,
        };
        let wrapper = Wrapper::Whole(at);
        let (before, after) = wrapper.texts();
        if let Some(range) = &wrapped {
            self.push(range.start..range.start, before, EditKind::WrapOpen(wrapper));
        }
        let otherwise_text = otherwise.as_ref().map(|o| format!(" ELSE {o}")).unwrap_or_default();
        let size = size.to_owned();
        match own {
            Having::Absent(end) => {
                let size = match &otherwise {
                    Some(_) => format!("CASE WHEN {size} THEN true{otherwise_text} END"),
                    None => size,
                };
                self.push(
                    end..end,
                    format!(" HAVING {size}"),
                    EditKind::Having { select: at, size },
                );
            }
            Having::Present(own) => {
                let open = format!(" CASE WHEN {size} THEN (");
                self.push(own.start..own.start, open, EditKind::HavingOpen { select: at, size });
                let close = format!("){otherwise_text} END");
                let kind = EditKind::HavingClose { select: at, otherwise };
                self.push(own.end..own.end, close, kind);
            }
        }
        if let Some(range) = &wrapped {
            self.push(range.end..range.end, after, EditKind::WrapClose(wrapper));
        }
        let groups = &mut self.notes.borrow_mut().groups;
        *groups = match (*groups, counted) {
            (None | Some(Groups::Counted), true) => Some(Groups::Counted),
            (_, false) | (Some(Groups::Uncounted), true) => Some(Groups::Uncounted),
        };
        Ok(())
    }

    /// What another SELECT goes around; `end`: where its groups end.
    fn wrapped(
        &self,
        select: &pb::SelectStmt,
        query: &QueryTokens<'_>,
        end: usize,
        place: Place,
    ) -> Result<Range<usize>, Refused> {
        let own = query.range().ok_or_else(misplaced)?;
        let bounded = !select.sort_clause.is_empty() || select.limit_count.is_some() || select.limit_offset.is_some();
        let mut range = own.start..if bounded { own.end } else { end };
        if select.with_clause.is_some() {
            if place != Place::Outermost {
                return Err(self.refuse("WITH inside a sub-query that counts a whole is not served", None));
            }
            let all = QueryTokens::find(self.command, self.text, self.tokens, self.span);
            range.start = all.and_then(|all| all.range()).ok_or_else(misplaced)?.start;
        }
        Ok(range)
    }

    /// Nothing that reads a statistic may run before its groups are known to be large enough.
    pub(super) fn fence(&self, select: &pb::SelectStmt) -> Result<(), Refused> {
        if select.limit_count.is_some() || select.limit_offset.is_some() {
            return Ok(());
        }
        let (at, query) = self.tokens_of(select)?;
        if select.larg.is_some() && !query.is_united() {
            return Err(self.refuse("parentheses around the first part of a UNION are not served", None));
        }
        let end = query.range().ok_or_else(misplaced)?.end;
        self.push(end..end, " OFFSET 0".to_owned(), EditKind::Fence { select: at });
        Ok(())
    }

    /// More outputs: each row's person.
    pub(super) fn add_outputs(&self, select: &pb::SelectStmt, list: &str) -> Result<(), Refused> {
        let (at, query) = self.tokens_of(select)?;
        let end = query
            .outputs()
            .and_then(|all| all.last().map(|last| last.end))
            .ok_or_else(misplaced)?;
        let kind = EditKind::Outputs {
            select: at,
            list: list.to_owned(),
        };
        self.push(end..end, format!(", {list}"), kind);
        Ok(())
    }

    /// The condition of an aggregate's FILTER as it goes out.
    pub(super) fn filter_text(&self, call: &pb::FuncCall) -> Result<String, Refused> {
        let range = usize::try_from(call.location)
            .ok()
            .and_then(|at| QueryTokens::filter_of(self.text, self.tokens, at))
            .ok_or_else(misplaced)?;
        self.edits.apply_within(self.text, range).ok_or_else(misplaced)
    }

    /// The name under which a SELECT hands on its n-th person: its own in the statement.
    pub(super) fn handed_on(&self, select: &pb::SelectStmt, n: usize) -> Result<String, Refused> {
        let at = first_output(select).ok_or_else(misplaced)?;
        let view = self.view.map(|oid| format!("{oid} ")).unwrap_or_default();
        Ok(format!("{} {view}{at} {n}", crate::rewrite::edit::SUBJECT_COLUMN))
    }
}

pub(super) fn misplaced() -> Refused {
    Refused::new(
        Code::NotUnderstood,
        "the query's clauses cannot be found in the text",
        None,
    )
}
