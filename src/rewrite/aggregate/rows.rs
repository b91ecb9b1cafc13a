//! Sub-queries in FROM that hand on rows of people: each row with its person, or one row for each person.

use pg_query::protobuf as pb;

use crate::catalog::Oid;
use crate::rewrite::plan::Refused;
use crate::rewrite::quote;
use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

use super::from::From;
use super::level::{Level, Named};
use super::output::{self, AGGREGATES, INT8, Keys};
use super::{Reading, predicate};

/// `numeric` of `pg_type.dat`.
const NUMERIC: Oid = 1700;
/// `int2`, `int4`
const SMALL: [Oid; 2] = [21, 23];
const BOOL: Oid = 16;

impl Reading<'_, '_> {
    /// It groups or aggregates, and not by the person.
    pub(super) fn is_statistic(&self, select: &pb::SelectStmt, from: &From<'_>) -> Result<bool, Refused> {
        let aggregates = |target: &pb::Node| match Tree::of(target) {
            Ok(tree) => has_aggregate(self, tree),
            Err(_) => false,
        };
        if select.group_clause.is_empty() {
            return Ok(select.having_clause.is_some() || select.target_list.iter().any(aggregates));
        }
        Ok(!self.is_by_person(select, from)?)
    }

    fn is_by_person(&self, select: &pb::SelectStmt, from: &From<'_>) -> Result<bool, Refused> {
        let Some((key, _)) = from.only_key() else {
            return Ok(false);
        };
        for node in &select.group_clause {
            let meant = output::item_meant(select, node).unwrap_or(node);
            let found = match Tree::of(meant) {
                Ok(Tree::ColumnRef(reference)) => from.any_column(self, reference)?,
                _ => None,
            };
            if found.is_some_and(|f| f.depth == 0 && f.key.as_ref() == Some(key)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Rows of people for another SELECT.
    pub(super) fn rows(&self, select: &pb::SelectStmt, from: &From<'_>) -> Result<Level, Refused> {
        let bounded = select.limit_count.is_some() || select.limit_offset.is_some() || select.having_clause.is_some();
        if bounded || !select.sort_clause.is_empty() {
            let why = "ORDER BY, LIMIT, OFFSET and HAVING are not served in a sub-query that hands on people's rows";
            return Err(self.refuse(why, None));
        }
        let by_person = !select.group_clause.is_empty();
        let mut keys = Keys::default();
        for node in &select.group_clause {
            let node = output::item_meant(select, node).unwrap_or(node);
            keys.add(self, from, node)?;
        }
        let (mut columns, mut star) = (Vec::new(), false);
        for node in &select.target_list {
            let Ok(Tree::ResTarget(target)) = Tree::of(node) else {
                return Err(self.refuse("its output is not understood", None));
            };
            match target.val.as_deref().map(Tree::of) {
                Some(Ok(Tree::ColumnRef(reference))) if output::is_star(reference) && !by_person => {
                    let table = reference.fields.iter().rev().nth(1).and_then(string_of);
                    columns.extend(from.star(table));
                    star = true;
                }
                Some(Ok(value)) => {
                    let name = output::name_of(target);
                    columns.push(self.handed_column(from, value, name, by_person.then_some(&keys))?);
                }
                Some(Err(unknown)) => return Err(self.unknown(unknown)),
                None => return Err(self.refuse("its output is not understood", Some(target.location))),
            }
        }
        let carried = match (by_person, from.only_key()) {
            (true, Some((key, sql))) => vec![(sql, key.type_oid)],
            _ => from.people(),
        };
        let (mut people, mut list) = (Vec::new(), Vec::new());
        for (n, (sql, type_oid)) in carried.into_iter().enumerate() {
            let name = self.handed_on(select, n)?;
            list.push(format!("{sql} AS {}", quote::ident(&name)));
            people.push((name, type_oid));
        }
        self.add_outputs(select, &list.join(", "))?;
        Ok(Level::Rows { columns, people, star })
    }

    /// A column that is handed on; with keys, of a row for each person.
    fn handed_column(
        &self,
        from: &From<'_>,
        value: Tree<'_>,
        name: String,
        keys: Option<&Keys>,
    ) -> Result<Named, Refused> {
        let refuse = |at| Err(self.refuse("a sub-query over people's rows may only hand on columns", at));
        let named = |type_oid, of_another, measured| Named {
            name: name.clone(),
            type_oid,
            of_another,
            measured,
            total: true,
        };
        match value {
            Tree::ColumnRef(reference) => match from.any_column(self, reference)? {
                Some(found) if keys.is_none_or(|keys| keys.is_column(&found)) => {
                    Ok(named(found.type_oid, found.of_another, found.measured))
                }
                Some(_) | None => refuse(Some(reference.location)),
            },
            Tree::FuncCall(call) => {
                if let Some(type_oid) = output::cut_off(self, from, call)? {
                    if keys.is_none_or(|keys| keys.is_call(call)) {
                        return Ok(named(Some(type_oid), false, false));
                    }
                    return refuse(Some(call.location));
                }
                match keys {
                    Some(_) => Ok(named(self.of_person(from, call)?, false, true)),
                    None => refuse(Some(call.location)),
                }
            }
            Tree::AConst(_) | Tree::ParamRef(_) => Ok(named(None, false, false)),
            _ => refuse(None),
        }
    }

    /// An aggregate over one person's rows, which cannot fail: its type.
    fn of_person(&self, from: &From<'_>, call: &pb::FuncCall) -> Result<Option<Oid>, Refused> {
        let at = Some(call.location);
        let refuse = || {
            let why = "for each person a sub-query may hand on count, sum and avg of integers and numerics, min, max, \
                       bool_and and bool_or of columns";
            Err(self.refuse(why, at))
        };
        // A FILTER would make everybody else's value 0, and so count them beside the one whose is not.
        if !output::is_plain(call) {
            return refuse();
        }
        let column = match call.args.as_slice() {
            [] => None,
            [only] => match Tree::of(only) {
                Ok(Tree::ColumnRef(reference)) => {
                    from.column(self, reference)?.filter(|f| f.measured).map(|f| f.type_oid)
                }
                _ => return refuse(),
            },
            _ => return refuse(),
        };
        match (output::builtin_name(self, call), column) {
            (Some("count"), None) if call.agg_star => Ok(Some(INT8)),
            (Some("count"), Some(_)) => Ok(Some(INT8)),
            (Some("sum"), Some(Some(t))) if SMALL.contains(&t) => Ok(Some(INT8)),
            (Some("sum" | "avg"), Some(Some(t))) if SMALL.contains(&t) || t == INT8 || t == NUMERIC => {
                Ok(Some(NUMERIC))
            }
            (Some("bool_and" | "bool_or" | "every"), Some(Some(BOOL))) => Ok(Some(BOOL)),
            (Some("min" | "max"), Some(Some(t))) if predicate::comparable(self, "<", Some(t), Some(t)) => Ok(Some(t)),
            _ => refuse(),
        }
    }
}

fn has_aggregate(reading: &Reading<'_, '_>, tree: Tree<'_>) -> bool {
    if let Tree::FuncCall(call) = tree
        && call.over.is_none()
        && output::builtin_name(reading, call).is_some_and(|name| AGGREGATES.contains(&name))
    {
        return true;
    }
    if let Tree::SubLink(_) = tree {
        return false;
    }
    let mut found = false;
    let walked = tree.each_child(&mut |child| {
        found |= has_aggregate(reading, child);
        Ok(())
    });
    found && walked.is_ok()
}
