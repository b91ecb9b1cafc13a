//! Columns that a grouped primary key carries with it (`check_functional_grouping`, parse_agg.c). A
//! table that becomes a sub-select has no primary key, so they are to be named in GROUP BY.

use std::collections::BTreeSet;

use pg_query::protobuf as pb;

use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

use super::scope::{Item, Scope};
use super::{GroupAddition, Resolver};

/// Columns met outside aggregates: the index of the relation's use, and the name the query knows.
pub(super) type Met = BTreeSet<(usize, String)>;

impl Resolver<'_> {
    /// Forgets what was met of this level's own items since `before`: it stands where nothing need be
    /// grouped. What belongs to levels above stays.
    pub(super) fn forget_own(&mut self, before: &Met, scope: &Scope<'_>) {
        let own: Vec<usize> = scope.items.iter().filter_map(|i| i.use_index).collect();
        self.met.retain(|met| before.contains(met) || !own.contains(&met.0));
    }

    /// Notes the columns to be added to GROUP BY.
    pub(super) fn group_additions(&mut self, select: &pb::SelectStmt, scope: &Scope<'_>) {
        let keys: Vec<(&Item, &str)> = select
            .group_clause
            .iter()
            .flat_map(|node| keys(node, select, scope))
            .collect();
        let Some(location) = select.group_clause.iter().find_map(place) else {
            return;
        };
        for item in &scope.items {
            let (Some(relation), Some(index)) = (item.relation, item.use_index) else {
                continue;
            };
            let Some(stored) = self.env.catalog.relation_by_oid(relation) else {
                continue;
            };
            let grouped = |name: &str| {
                keys.iter()
                    .any(|(i, key)| i.use_index == item.use_index && *key == name)
            };
            let key_is_grouped = stored.primary_key.iter().all(|number| {
                let at = stored.columns.iter().position(|c| c.number == *number);
                at.and_then(|at| item.columns.get(at)).is_some_and(|c| grouped(&c.name))
            });
            if stored.primary_key.is_empty() || !key_is_grouped {
                continue;
            }
            let met = self.met.iter().filter(|(i, name)| *i == index && !grouped(name));
            let columns: Vec<(String, String)> = met.map(|(_, name)| (item.name.clone(), name.clone())).collect();
            let new = GroupAddition {
                location,
                relation,
                key: stored.primary_key.clone(),
                columns,
            };
            if !new.columns.is_empty() && !self.out.group_additions.contains(&new) {
                self.out.group_additions.push(new);
            }
        }
    }
}

/// A place before which further columns may be put: a bare column or number of the list.
fn place(node: &pb::Node) -> Option<usize> {
    let location = match Tree::of(node).ok()? {
        Tree::ColumnRef(c) => c.location,
        Tree::AConst(c) => c.location,
        _ => return None, // anything else does not begin where the grammar places it
    };
    usize::try_from(location).ok()
}

/// The columns of this level that one element of GROUP BY is; none of an expression, or of grouping
/// sets, which carry nothing.
fn keys<'s>(node: &'s pb::Node, select: &'s pb::SelectStmt, scope: &'s Scope<'_>) -> Vec<(&'s Item, &'s str)> {
    let output = |named: &dyn Fn(&pb::ResTarget) -> bool| {
        let targets = select.target_list.iter().filter_map(|n| match Tree::of(n) {
            Ok(Tree::ResTarget(target)) => Some(target),
            _ => None,
        });
        targets
            .filter(|t| named(t))
            .find_map(|t| column(t.val.as_deref()?, scope))
    };
    match Tree::of(node) {
        Ok(Tree::RowExpr(row)) => row.args.iter().flat_map(|n| keys(n, select, scope)).collect(),
        Ok(Tree::AConst(constant)) => {
            let Some(pb::a_const::Val::Ival(number)) = &constant.val else {
                return Vec::new();
            };
            let target = usize::try_from(number.ival)
                .ok()
                .and_then(|n| select.target_list.get(n.checked_sub(1)?));
            let value = match target.map(Tree::of) {
                Some(Ok(Tree::ResTarget(target))) => target.val.as_deref(),
                _ => None,
            };
            value.and_then(|v| column(v, scope)).into_iter().collect()
        }
        Ok(Tree::ColumnRef(reference)) => match (column(node, scope), reference.fields.as_slice()) {
            (Some(found), _) => vec![found],
            (None, [only]) => {
                let name = string_of(only);
                output(&|t| !t.name.is_empty() && Some(t.name.as_str()) == name)
                    .into_iter()
                    .collect()
            }
            (None, _) => Vec::new(),
        },
        _ => Vec::new(), // an expression is no key
    }
}

/// The item and column that a reference means, where exactly one of this level can be meant.
fn column<'s>(node: &'s pb::Node, scope: &'s Scope<'_>) -> Option<(&'s Item, &'s str)> {
    let Ok(Tree::ColumnRef(reference)) = Tree::of(node) else {
        return None;
    };
    let name = string_of(reference.fields.last()?)?;
    let qualifier = match reference.fields.as_slice() {
        [_] => None,
        [.., qualifier, _] => Some(string_of(qualifier)?),
        [] => return None,
    };
    if qualifier.is_none() && scope.merged.iter().any(|m| m.column.name == name) {
        return None;
    }
    let mut owners = scope
        .items
        .iter()
        .filter(|item| qualifier.is_none_or(|q| item.name == q) && item.columns.iter().any(|c| c.name == name));
    let owner = owners.next()?;
    owners.next().is_none().then_some((owner, name))
}
