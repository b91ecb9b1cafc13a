//! Sub-queries in conditions on rows: about the row's own person, or about nobody.
//!
//! A condition on somebody else would tell of them, however many people are counted under it.

use pg_query::protobuf as pb;

use crate::rewrite::plan::Refused;
use crate::sql::grammar::Tree;
use crate::sql::parsed::{is_empty_select, string_of};

use super::Reading;
use super::from::{Found, From};
use super::level::{Level, Place};
use super::predicate::{comparable, may_fail, row_condition};

/// EXISTS (…), column IN (…).
pub(super) fn condition(reading: &Reading<'_, '_>, from: &From<'_>, link: &pb::SubLink) -> Result<(), Refused> {
    use pb::SubLinkType as Kind;
    let at = Some(link.location);
    let select = query(reading, link)?;
    let tested = match Kind::try_from(link.sub_link_type) {
        Ok(Kind::ExistsSublink) => None,
        Ok(Kind::AnySublink) if link.oper_name.is_empty() => Some(column(reading, from, link.testexpr.as_deref(), at)?),
        _ => return Err(may_fail(reading, at)),
    };
    if !has_only_from_and_where(select) {
        let why = "a sub-query in a condition on rows may only have FROM and WHERE";
        return Err(reading.refuse(why, at));
    }
    let inner = From::read(reading, select, &from.scope, Some(from), Place::Sublink)?;
    inner.check(reading)?;
    if let Some(filter) = select.where_clause.as_deref() {
        row_condition(reading, &inner, filter)?;
    }
    let mut is_own = !inner.has_people();
    if let Some(tested) = tested {
        let output = match select.target_list.as_slice() {
            [only] => match Tree::of(only) {
                Ok(Tree::ResTarget(target)) => column(reading, &inner, target.val.as_deref(), at)?,
                _ => return Err(may_fail(reading, at)),
            },
            _ => return Err(may_fail(reading, at)),
        };
        if !comparable(reading, "=", tested.type_oid, output.type_oid) {
            return Err(may_fail(reading, at));
        }
        let tested = Found {
            depth: tested.depth + 1,
            ..tested
        };
        is_own |= ties(&inner, &output, &tested);
    }
    is_own |= match select.where_clause.as_deref() {
        Some(filter) => is_tied(reading, &inner, filter)?,
        None => false,
    };
    if is_own {
        return Ok(());
    }
    let why = "a sub-query in a condition on rows must be about the same person: its table's key equal to this one's";
    Err(reading.refuse(why, at))
}

/// (SELECT …) as a value: a statistic, or free of people.
pub(super) fn value(reading: &Reading<'_, '_>, from: &From<'_>, link: &pb::SubLink) -> Result<(), Refused> {
    let at = Some(link.location);
    if link.sub_link_type != pb::SubLinkType::ExprSublink as i32 {
        return Err(may_fail(reading, at));
    }
    let before = reading.people_seen();
    let select = query(reading, link)?;
    match reading.level(select, &from.scope, Some(from), Place::Sublink)? {
        // Computed when a row first asks for it: an error of its own would tell of that row.
        Level::Free(columns)
            if reading.people_seen() > before
                && has_only_from_and_where(select)
                && columns.iter().all(|column| column.total) =>
        {
            Ok(())
        }
        // What it computes without people is not looked at, and could fail for one row.
        Level::Free(_) => Err(may_fail(reading, at)),
        Level::Rows { .. } => Err(reading.refuse("people's rows stand in an expression", at)),
    }
}

fn query<'l>(reading: &Reading<'_, '_>, link: &'l pb::SubLink) -> Result<&'l pb::SelectStmt, Refused> {
    match link.subselect.as_deref().map(Tree::of) {
        Some(Ok(Tree::SelectStmt(select))) => Ok(select),
        _ => Err(may_fail(reading, Some(link.location))),
    }
}

/// Besides its output.
pub(super) fn has_only_from_and_where(select: &pb::SelectStmt) -> bool {
    let bare = pb::SelectStmt {
        target_list: Vec::new(),
        from_clause: Vec::new(),
        where_clause: None,
        ..select.clone()
    };
    is_empty_select(&bare)
}

/// The column that an expression is.
fn column(
    reading: &Reading<'_, '_>,
    from: &From<'_>,
    node: Option<&pb::Node>,
    at: Option<i32>,
) -> Result<Found, Refused> {
    let found = match node.map(Tree::of) {
        Some(Ok(Tree::ColumnRef(reference))) => from.column(reading, reference)?,
        _ => None,
    };
    found.ok_or_else(|| may_fail(reading, at))
}

/// One of the conjuncts makes the inner person the outer one.
fn is_tied(reading: &Reading<'_, '_>, inner: &From<'_>, node: &pb::Node) -> Result<bool, Refused> {
    match Tree::of(node) {
        Ok(Tree::BoolExpr(all)) if all.boolop == pb::BoolExprType::AndExpr as i32 => {
            for conjunct in &all.args {
                if is_tied(reading, inner, conjunct)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Ok(Tree::AExpr(e)) if e.kind == pb::AExprKind::AexprOp as i32 => {
            let equals = matches!(
                e.name.iter().filter_map(string_of).collect::<Vec<_>>().as_slice(),
                ["="] | ["pg_catalog", "="]
            );
            let side = |node: Option<&pb::Node>| match node.map(Tree::of) {
                Some(Ok(Tree::ColumnRef(reference))) => inner.column(reading, reference),
                _ => Ok(None),
            };
            match (side(e.lexpr.as_deref())?, side(e.rexpr.as_deref())?) {
                (Some(a), Some(b)) if equals => Ok(ties(inner, &a, &b) || ties(inner, &b, &a)),
                _ => Ok(false),
            }
        }
        _ => Ok(false),
    }
}

/// The first is the key of the inner query's only person, the second that of one further out.
fn ties(inner: &From<'_>, own: &Found, other: &Found) -> bool {
    let (Some((only, _)), Some(key), Some(of_other)) = (inner.only_key(), &own.key, &other.key) else {
        return false;
    };
    own.depth == 0
        && other.depth > 0
        && only == key
        && key.root == of_other.root
        && key.form == of_other.form
        && key.type_oid == of_other.type_oid
}
