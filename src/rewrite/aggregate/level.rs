//! What each SELECT of a statement is: free of people, a statistic, or rows of people for another SELECT.

use std::rc::Rc;

use pg_query::protobuf as pb;

use crate::catalog::Oid;
use crate::rewrite::plan::Refused;
use crate::sql::grammar::{Tree, Unknown};
use crate::sql::parsed::{is_empty_select, string_of};

use super::from::From;
use super::{Reading, output, predicate, sublink};

/// A column that a query gives.
#[derive(Debug, Clone)]
pub struct Named {
    /// Its name.
    pub(super) name: String,
    /// Its type, where it is known for sure.
    pub(super) type_oid: Option<Oid>,
    /// It is about another person than its row.
    pub(super) of_another: bool,
    /// It holds what is stored of its row's person, or one aggregate of that: what an aggregate may be of. Anything
    /// else could be a weight, chosen so that one person's value remains.
    pub(super) measured: bool,
    /// Giving it cannot fail, nor can the query that does: beside people's rows PostgreSQL may compute it for some of
    /// them only, so that a failure would tell of a row.
    pub(super) total: bool,
}

/// What a query gives.
#[derive(Debug, Clone)]
pub enum Level {
    /// Nothing of single people.
    Free(Vec<Named>),
    /// Rows of people.
    Rows {
        /// Its columns; of a star, those that a name may mean.
        columns: Vec<Named>,
        /// Its columns that hold the people's keys: name and type.
        people: Vec<(String, Oid)>,
        /// A star gives some of its columns.
        star: bool,
    },
}

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It gives the statement's rows.
    Outermost,
    /// Another takes its rows; `once`: no more than once.
    From { once: bool },
    /// In an expression.
    Sublink,
}

impl Place {
    /// It runs no more than once.
    pub(super) fn is_once(self) -> bool {
        match self {
            Self::Outermost => true,
            Self::From { once } => once,
            Self::Sublink => false,
        }
    }
}

/// The queries that WITH has named.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    named: Vec<(String, Rc<Level>)>,
}

impl Scope {
    /// What a name means, the innermost first.
    pub(super) fn get(&self, name: &str) -> Option<Rc<Level>> {
        self.named
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, level)| Rc::clone(level))
    }
}

impl Reading<'_, '_> {
    /// What a query gives; notes the edits that make it so.
    pub(super) fn level(
        &self,
        select: &pb::SelectStmt,
        scope: &Scope,
        outer: Option<&From<'_>>,
        place: Place,
    ) -> Result<Level, Refused> {
        let before = self.people_seen();
        let scope = self.with(select, scope, outer, place)?;
        let level = if select.larg.is_some() {
            self.united(select, &scope, outer, place)?
        } else {
            self.core(select, &scope, outer, place)?
        };
        if !select.locking_clause.is_empty() && self.people_seen() > before {
            return Err(self.refuse("FOR UPDATE is not served", None));
        }
        Ok(level)
    }

    /// The queries of WITH.
    fn with(
        &self,
        select: &pb::SelectStmt,
        scope: &Scope,
        outer: Option<&From<'_>>,
        place: Place,
    ) -> Result<Scope, Refused> {
        let mut scope = scope.clone();
        let Some(with) = &select.with_clause else {
            return Ok(scope);
        };
        let queries: Vec<&pb::CommonTableExpr> = with
            .ctes
            .iter()
            .filter_map(|node| match Tree::of(node) {
                Ok(Tree::CommonTableExpr(query)) => Some(query),
                _ => None,
            })
            .collect();
        // `WITH a AS (…) SELECT … FROM a`: what FROM reads alone runs once.
        let only = match (queries.as_slice(), select.from_clause.as_slice()) {
            ([query], [node]) if place.is_once() && select.larg.is_none() => {
                matches!(Tree::of(node), Ok(Tree::RangeVar(range)) if range.relname == query.ctename)
            }
            _ => false,
        };
        for query in queries {
            let Some(Ok(Tree::SelectStmt(inner))) = query.ctequery.as_deref().map(Tree::of) else {
                continue; // a write: its target is refused, or without people
            };
            let before = self.people_seen();
            if with.recursive {
                let unknown = Rc::new(Level::Free(Vec::new()));
                scope.named.push((query.ctename.clone(), unknown));
            }
            let level = self.taken(inner, &scope, outer, only)?;
            if with.recursive && self.people_seen() > before {
                return Err(self.refuse("WITH RECURSIVE over people's rows is not served", Some(query.location)));
            }
            let level = self.renamed(level, &query.aliascolnames)?;
            scope.named.push((query.ctename.clone(), Rc::new(level)));
        }
        Ok(scope)
    }

    /// A query whose rows another takes.
    pub(super) fn taken(
        &self,
        select: &pb::SelectStmt,
        scope: &Scope,
        outer: Option<&From<'_>>,
        once: bool,
    ) -> Result<Level, Refused> {
        let before = self.people_seen();
        let level = self.level(select, scope, outer, Place::From { once })?;
        if matches!(level, Level::Free(_)) && self.people_seen() > before {
            self.fence(select)?;
        }
        Ok(level)
    }

    /// Columns under the names of an alias.
    pub(super) fn renamed(&self, level: Level, names: &[pb::Node]) -> Result<Level, Refused> {
        if names.is_empty() {
            return Ok(level);
        }
        let rename = |columns: Vec<Named>| {
            let new = names
                .iter()
                .filter_map(string_of)
                .map(Some)
                .chain(std::iter::repeat(None));
            let renamed = columns.into_iter().zip(new).map(|(column, name)| Named {
                name: name.map_or(column.name, str::to_owned),
                ..column
            });
            renamed.collect()
        };
        match level {
            Level::Free(columns) => Ok(Level::Free(rename(columns))),
            Level::Rows { star: true, .. } => Err(self.refuse(
                "new names for the columns of a star over people's rows are not served",
                None,
            )),
            Level::Rows { columns, people, star } if names.len() <= columns.len() => Ok(Level::Rows {
                columns: rename(columns),
                people,
                star,
            }),
            Level::Rows { .. } => Err(self.refuse("an alias names more columns than there are", None)),
        }
    }

    /// UNION, INTERSECT, EXCEPT: of statistics, anything; of people's rows, UNION ALL.
    fn united(
        &self,
        select: &pb::SelectStmt,
        scope: &Scope,
        outer: Option<&From<'_>>,
        place: Place,
    ) -> Result<Level, Refused> {
        let side = |side: &Option<Box<pb::SelectStmt>>| match side {
            Some(side) => self.level(side, scope, outer, place),
            None => Ok(Level::Free(Vec::new())),
        };
        match (side(&select.larg)?, side(&select.rarg)?) {
            (Level::Free(columns), Level::Free(_)) => Ok(Level::Free(columns.into_iter().map(untyped).collect())),
            (
                Level::Rows { columns, people, star },
                Level::Rows {
                    columns: others,
                    people: of_others,
                    star: other_star,
                },
            ) => {
                let is_plain = select.all
                    && select.op == pb::SetOperation::SetopUnion as i32
                    && select.sort_clause.is_empty()
                    && select.limit_count.is_none()
                    && select.limit_offset.is_none();
                if !is_plain {
                    return Err(self.refuse("of people's rows only UNION ALL is served", None));
                }
                let alike = people.iter().map(|(_, t)| t).eq(of_others.iter().map(|(_, t)| t));
                if star || other_star || !alike {
                    return Err(self.refuse(
                        "UNION ALL of people's rows wants named columns and one kind of key",
                        None,
                    ));
                }
                let columns = columns.into_iter().zip(others).map(|(a, b)| Named {
                    type_oid: a.type_oid.filter(|_| a.type_oid == b.type_oid),
                    of_another: a.of_another || b.of_another,
                    measured: a.measured && b.measured,
                    total: a.total && b.total,
                    name: a.name,
                });
                Ok(Level::Rows {
                    columns: columns.collect(),
                    people,
                    star,
                })
            }
            _ => Err(self.refuse("a UNION of people's rows with others is not served", None)),
        }
    }

    /// One SELECT.
    fn core(
        &self,
        select: &pb::SelectStmt,
        scope: &Scope,
        outer: Option<&From<'_>>,
        place: Place,
    ) -> Result<Level, Refused> {
        let from = From::read(self, select, scope, outer, place)?;
        if !from.has_people() {
            return self.free(select, scope, &from);
        }
        self.clauses(select)?;
        from.check(self)?;
        if let Some(filter) = select.where_clause.as_deref() {
            predicate::row_condition(self, &from, filter)?;
        }
        if matches!(place, Place::From { .. }) && !self.is_statistic(select, &from)? {
            return self.rows(select, &from);
        }
        let (sizes, columns) = output::read(self, &from, select)?;
        self.whole(select)?;
        self.limit_groups(select, &sizes.join(" AND "), place)?;
        Ok(Level::Free(columns))
    }

    /// Reads no people in FROM; what stands in its expressions must be statistics.
    fn free(&self, select: &pb::SelectStmt, scope: &Scope, from: &From<'_>) -> Result<Level, Refused> {
        let lists = [
            &select.target_list,
            &select.distinct_clause,
            &select.group_clause,
            &select.window_clause,
            &select.values_lists,
            &select.sort_clause,
        ];
        let single = [
            &select.where_clause,
            &select.having_clause,
            &select.limit_count,
            &select.limit_offset,
        ];
        let nodes = lists.into_iter().flatten();
        for node in nodes.chain(single.into_iter().flatten().map(|node| &**node)) {
            self.expression(node, scope, from)?;
        }
        for node in from.expressions() {
            self.expression(node, scope, from)?;
        }
        Ok(Level::Free(from.outputs_of_free(select, self.is_total(select, from))))
    }

    /// A query without people that cannot fail: plain columns of tables, under conditions that cannot either.
    fn is_total(&self, select: &pb::SelectStmt, from: &From<'_>) -> bool {
        let plain = |node: &pb::Node| match Tree::of(node) {
            Ok(Tree::ResTarget(target)) => {
                matches!(target.val.as_deref().map(Tree::of), Some(Ok(Tree::ColumnRef(_))))
            }
            _ => false,
        };
        let filter = select.where_clause.as_deref();
        sublink::has_only_from_and_where(select)
            && select.target_list.iter().all(plain)
            && from.check(self).is_ok()
            && filter.is_none_or(|f| predicate::row_condition(self, from, f).is_ok() && !predicate::has_query(f))
    }

    /// The queries in an expression.
    fn expression(&self, node: &pb::Node, scope: &Scope, from: &From<'_>) -> Result<(), Refused> {
        match Tree::of(node) {
            Ok(tree) => self.queries(tree, scope, from),
            Err(unknown) => Err(self.unknown(unknown)),
        }
    }

    fn queries(&self, tree: Tree<'_>, scope: &Scope, from: &From<'_>) -> Result<(), Refused> {
        if let Tree::SelectStmt(select) = tree {
            if is_empty_select(select) {
                return Ok(());
            }
            return match self.level(select, scope, Some(from), Place::Sublink)? {
                Level::Free(_) => Ok(()),
                Level::Rows { .. } => Err(self.refuse("people's rows stand in an expression", None)),
            };
        }
        let mut children = Vec::new();
        tree.each_child(&mut |child| {
            children.push(child);
            Ok(())
        })
        .map_err(|unknown| self.unknown(unknown))?;
        children
            .into_iter()
            .try_for_each(|child| self.queries(child, scope, from))
    }

    pub(super) fn unknown(&self, unknown: Unknown) -> Refused {
        self.refuse(&format!("{} is not understood", unknown.0), None)
    }

    /// Clauses that neither a statistic nor rows of people have.
    fn clauses(&self, select: &pb::SelectStmt) -> Result<(), Refused> {
        let not = |is: bool, why: &str| if is { Err(self.refuse(why, None)) } else { Ok(()) };
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
        not(select.into_clause.is_some(), "SELECT INTO is no statistic")
    }

    /// Bounds of a statistic's rows.
    fn whole(&self, select: &pb::SelectStmt) -> Result<(), Refused> {
        let not = |is: bool, why: &str| if is { Err(self.refuse(why, None)) } else { Ok(()) };
        let whole = select.group_clause.is_empty();
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
        Ok(())
    }
}

fn untyped(column: Named) -> Named {
    Named {
        type_oid: None,
        total: false,
        ..column
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
