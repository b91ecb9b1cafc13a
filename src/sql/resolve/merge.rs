//! Writes that look for a row first: MERGE, and ON CONFLICT of INSERT.

use std::collections::BTreeMap;

use pg_query::protobuf as pb;

use crate::catalog::Relation;
use crate::pipeline::Position;
use crate::policy::{Code, Verb};
use crate::sql::grammar::Tree;

use super::scope::{Item, Scope, Sources};
use super::value::Place;
use super::{Arbiter, OutputColumn, Problem, Resolver, Result, WriteKind};

impl Resolver<'_> {
    /// MERGE (`transformMergeStmt`): ON sees target and source, as do the actions of rows that matched; the
    /// others see only the side that they have.
    pub(super) fn merge(
        &mut self,
        merge: &pb::MergeStmt,
        parent: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut outer = Scope::below(parent);
        if let Some(with) = &merge.with_clause {
            self.with_clause(with, &mut outer)?;
        }
        let clauses: Vec<&pb::MergeWhenClause> = merge.merge_when_clauses.iter().map(clause).collect::<Result<_>>()?;
        let by_source = clauses
            .iter()
            .any(|c| c.match_kind == pb::MergeMatchKind::MergeWhenNotMatchedBySource as i32);
        let mut verbs: Vec<Verb> = Vec::new();
        for clause in &clauses {
            verbs.extend(verb(clause)?);
        }
        let kind = WriteKind::Merge { by_source };
        let (relation, item) = self.target(merge.relation.as_ref(), kind, &verbs)?;
        let mut source = Scope::below(&outer);
        if let Some(from) = merge.source_relation.as_deref() {
            self.add_from(Tree::of(from)?, &mut source)?;
        }
        let mut target = Scope::below(&outer);
        target.items.push(item.clone());
        let mut both = source.clone();
        both.items.push(item.clone());
        let place = Place::new(&both, Some(Position::Join));
        let condition = self.expr_opt(merge.join_condition.as_deref(), place)?;
        self.out.partial |= !condition.total;
        self.conjuncts(merge.join_condition.as_deref(), &both);
        for clause in clauses {
            let scope = match pb::MergeMatchKind::try_from(clause.match_kind) {
                Ok(pb::MergeMatchKind::MergeWhenMatched) => &both,
                Ok(pb::MergeMatchKind::MergeWhenNotMatchedByTarget) => &source,
                Ok(pb::MergeMatchKind::MergeWhenNotMatchedBySource) => &target,
                Ok(pb::MergeMatchKind::Undefined) | Err(_) => return Err(not_understood()),
            };
            self.expr_opt(clause.condition.as_deref(), Place::new(scope, Some(Position::Filter)))?;
            self.merge_action(clause, &relation, &item, scope)?;
        }
        self.returning(merge.returning_clause.as_ref(), &both, position)
    }

    fn merge_action(
        &mut self,
        clause: &pb::MergeWhenClause,
        relation: &Relation,
        item: &Item,
        scope: &Scope<'_>,
    ) -> Result<()> {
        match verb(clause)? {
            Some(Verb::Update) => self.assignments(&clause.target_list, relation, item, scope),
            Some(Verb::Insert) => {
                let columns = self.inserted_columns(relation, &clause.target_list)?;
                let place = Place::new(scope, Some(Position::Write));
                for (value, column) in clause.values.iter().zip(columns) {
                    let value = self.expr(Tree::of(value)?, place)?;
                    self.assign(item, column, value.sources, false);
                }
                Ok(())
            }
            Some(Verb::Delete) | None => Ok(()),
        }
    }

    pub(super) fn on_conflict(
        &mut self,
        conflict: &pb::OnConflictClause,
        relation: &Relation,
        item: &Item,
        flows: &BTreeMap<i16, Sources>,
        scope: &Scope<'_>,
    ) -> Result<()> {
        let arbiter = arbiter(conflict.infer.as_deref(), relation)?;
        if let Some(target) = self.out.targets.iter_mut().find(|t| Some(t.relation) == item.target) {
            target.conflict = Some(arbiter);
            if !conflict.target_list.is_empty() {
                target.verbs = vec![Verb::Insert, Verb::Update];
            }
        }
        let place = Place::new(scope, Some(Position::Filter));
        if let Some(infer) = &conflict.infer {
            for element in &infer.index_elems {
                let Tree::IndexElem(element) = Tree::of(element)? else {
                    continue;
                };
                if element.name.is_empty() {
                    self.expr_opt(element.expr.as_deref(), place)?;
                }
            }
            self.expr_opt(infer.where_clause.as_deref(), place)?;
        }
        let mut with_excluded = scope.clone();
        // The row proposed: no stored value of the target, but perhaps one that was read elsewhere.
        let proposed = relation
            .columns
            .iter()
            .map(|c| OutputColumn {
                name: c.name.clone(),
                sources: flows.get(&c.number).cloned().unwrap_or_default(),
                type_oid: Some(c.type_oid),
            })
            .collect();
        with_excluded.items.push(Item {
            qualified_only: true,
            ..Item::new("excluded", proposed)
        });
        self.assignments(&conflict.target_list, relation, item, &with_excluded)?;
        self.expr_opt(
            conflict.where_clause.as_deref(),
            Place::new(&with_excluded, Some(Position::Filter)),
        )?;
        Ok(())
    }
}

fn not_understood() -> Problem {
    Problem::refuse(Code::NotUnderstood, "this MERGE is not understood", None)
}

fn clause(node: &pb::Node) -> Result<&pb::MergeWhenClause> {
    match Tree::of(node)? {
        Tree::MergeWhenClause(clause) => Ok(clause),
        _ => Err(not_understood()),
    }
}

/// What an action does to rows; none: DO NOTHING.
fn verb(clause: &pb::MergeWhenClause) -> Result<Option<Verb>> {
    match pb::CmdType::try_from(clause.command_type) {
        Ok(pb::CmdType::CmdInsert) => Ok(Some(Verb::Insert)),
        Ok(pb::CmdType::CmdUpdate) => Ok(Some(Verb::Update)),
        Ok(pb::CmdType::CmdDelete) => Ok(Some(Verb::Delete)),
        Ok(pb::CmdType::CmdNothing) => Ok(None),
        Ok(pb::CmdType::CmdSelect | pb::CmdType::CmdMerge | pb::CmdType::CmdUnknown | pb::CmdType::CmdUtility)
        | Ok(pb::CmdType::Undefined)
        | Err(_) => Err(not_understood()),
    }
}

/// Which keys tell of a conflict.
fn arbiter(infer: Option<&pb::InferClause>, relation: &Relation) -> Result<Arbiter> {
    let Some(infer) = infer else {
        return Ok(Arbiter::Any);
    };
    if !infer.conname.is_empty() {
        return Ok(Arbiter::Constraint(infer.conname.clone()));
    }
    if infer.where_clause.is_some() {
        return Ok(Arbiter::Expression);
    }
    let mut columns = Vec::new();
    for element in &infer.index_elems {
        let Tree::IndexElem(element) = Tree::of(element)? else {
            return Ok(Arbiter::Expression);
        };
        match relation.column(&element.name) {
            Some(column) if element.expr.is_none() => columns.push(column.number),
            Some(_) | None => return Ok(Arbiter::Expression),
        }
    }
    Ok(Arbiter::Columns(columns))
}
