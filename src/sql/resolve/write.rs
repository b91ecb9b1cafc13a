//! Statements as wholes: SELECT, the writes, and those that carry a query.

use std::collections::BTreeMap;

use pg_query::protobuf as pb;

use crate::catalog::{Relation, RelationKind};
use crate::pipeline::Position;
use crate::policy::{Code, Verb};
use crate::sql::grammar::Tree;
use crate::sql::parsed::{into_clause, string_of};

use super::column::base_columns;
use super::figure::column_name;
use super::scope::{Item, Scope, Sources};
use super::value::{Place, Returning};
use super::{Assignment, OutputColumn, Problem, Resolver, Result, Target, TargetStar, Use, WriteKind};

impl Resolver<'_> {
    /// The statement at hand, or the query that it carries.
    pub(super) fn statement(&mut self, node: &pb::Node) -> Result<()> {
        match Tree::of(node)? {
            Tree::SelectStmt(select) => match into_clause(select) {
                Some(into) => self.select_into(into, select),
                None => self.top_select(select),
            },
            write @ (Tree::InsertStmt(_) | Tree::UpdateStmt(_) | Tree::DeleteStmt(_) | Tree::MergeStmt(_)) => {
                self.out.outputs = self.write(write, &Scope::default(), Some(Position::Output))?;
                Ok(())
            }
            Tree::PrepareStmt(prepare) => {
                let mut types = Vec::new();
                for argument in &prepare.argtypes {
                    if let Tree::TypeName(name) = Tree::of(argument)? {
                        types.push(self.type_name(name)?.unwrap_or_default());
                    }
                }
                self.out.parameter_types.clone_from(&types);
                self.parameters.declare(types);
                self.carried(prepare.query.as_deref())
            }
            Tree::DeclareCursorStmt(declare) => self.carried(declare.query.as_deref()),
            Tree::ExplainStmt(explain) => self.carried(explain.query.as_deref()),
            Tree::ExecuteStmt(execute) => {
                self.expr_list(&execute.params, Place::new(&Scope::default(), None))?;
                Ok(())
            }
            Tree::CopyStmt(copy) => self.copy(copy),
            // Nothing to resolve: session control, checked where settings and commands are.
            Tree::DeallocateStmt(_)
            | Tree::FetchStmt(_)
            | Tree::ClosePortalStmt(_)
            | Tree::VariableSetStmt(_)
            | Tree::VariableShowStmt(_)
            | Tree::TransactionStmt(_)
            | Tree::DiscardStmt(_)
            | Tree::ConstraintsSetStmt(_)
            | Tree::UnlistenStmt(_) => Ok(()),
            Tree::ListenStmt(_) => self.listen(),
            Tree::NotifyStmt(_) => Ok(()),
            Tree::LockStmt(lock) => self.lock(lock),
            Tree::CreateTableAsStmt(create) => self.create_as(create),
            _ => Err(Problem::refuse(
                Code::NotUnderstood,
                "this statement is not understood",
                None,
            )),
        }
    }

    pub(super) fn carried(&mut self, query: Option<&pb::Node>) -> Result<()> {
        // A set_config here would take effect at another time than the session could tell.
        self.depth += 1;
        let done = match query {
            Some(query) => match Tree::of(query)? {
                Tree::SelectStmt(select) => {
                    let columns = self.select(select, &Scope::default(), Some(Position::Output));
                    columns.map(|c| self.out.outputs = c)
                }
                write @ (Tree::InsertStmt(_) | Tree::UpdateStmt(_) | Tree::DeleteStmt(_) | Tree::MergeStmt(_)) => {
                    let columns = self.write(write, &Scope::default(), Some(Position::Output));
                    columns.map(|c| self.out.outputs = c)
                }
                Tree::ExecuteStmt(_) => {
                    Err(
                        Problem::refuse(Code::StatementNotAllowed, "EXPLAIN EXECUTE is not served", None)
                            .hint("explain the statement itself"),
                    )
                }
                _ => Err(Problem::refuse(
                    Code::StatementNotAllowed,
                    "this statement cannot be carried here",
                    None,
                )),
            },
            None => Err(Problem::refuse(
                Code::NotUnderstood,
                "a statement without its query",
                None,
            )),
        };
        self.depth -= 1;
        done
    }

    /// A write in WITH: its RETURNING columns are a derived table.
    pub(super) fn write_in_with(&mut self, tree: Tree<'_>, scope: &Scope<'_>) -> Result<Vec<OutputColumn>> {
        self.depth += 1;
        let columns = self.write(tree, scope, None);
        self.depth -= 1;
        columns
    }

    fn write(&mut self, tree: Tree<'_>, parent: &Scope<'_>, position: Option<Position>) -> Result<Vec<OutputColumn>> {
        match tree {
            Tree::InsertStmt(insert) => self.insert(insert, parent, position),
            Tree::UpdateStmt(update) => self.update(update, parent, position),
            Tree::DeleteStmt(delete) => self.delete(delete, parent, position),
            Tree::MergeStmt(merge) => self.merge(merge, parent, position),
            _ => Err(Problem::refuse(
                Code::NotUnderstood,
                "this write is not understood",
                None,
            )),
        }
    }

    /// The relation written to: a table.
    pub(super) fn target(
        &mut self,
        range: Option<&pb::RangeVar>,
        write: WriteKind,
        verbs: &[Verb],
    ) -> Result<(std::sync::Arc<Relation>, Item)> {
        let Some(range) = range else {
            return Err(Problem::refuse(Code::NotUnderstood, "a write without its table", None));
        };
        let relation = self.relation(range)?;
        let position = usize::try_from(range.location).ok();
        if relation.has_rules {
            let message = format!("{} has rules that would run other statements", relation.name);
            return Err(Problem::refuse(Code::WriteNotAllowed, message, position)
                .hint("use triggers instead of rules: what a rule runs cannot be checked"));
        }
        match relation.kind {
            RelationKind::Table | RelationKind::PartitionedTable => {}
            RelationKind::View | RelationKind::MaterializedView | RelationKind::ForeignTable => {
                let message = format!("writing through {} is not served", relation.name);
                return Err(
                    Problem::refuse(Code::WriteNotAllowed, message, position).hint("write to the table behind it")
                );
            }
            RelationKind::Sequence | RelationKind::CompositeType | RelationKind::Other => {
                let message = format!("{} cannot be written to", relation.name);
                return Err(Problem::refuse(Code::WriteNotAllowed, message, position));
            }
        }
        // Whether the rows of children are met as well.
        let verb = match write {
            WriteKind::Insert => Verb::Insert,
            WriteKind::Where | WriteKind::Merge { .. } => Verb::Update,
        };
        let index = self.note_relation(&relation, range, Use::Target(verb), false)?;
        let new = Target {
            relation: index,
            write,
            verbs: verbs.to_vec(),
            conflict: None,
        };
        if !self.out.targets.iter().any(|t| t.relation == index) {
            self.out.targets.push(new);
        }
        let name = range.alias.as_ref().map_or(&range.relname, |a| &a.aliasname);
        let item = Item {
            schema: range.alias.is_none().then(|| relation.name.schema.clone()),
            relation: Some(relation.oid),
            named: Some(relation.oid),
            use_index: Some(index),
            target: Some(index),
            ..Item::new(name.clone(), base_columns(&relation))
        };
        Ok((relation, item))
    }

    fn insert(
        &mut self,
        insert: &pb::InsertStmt,
        parent: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut outer = Scope::below(parent);
        if let Some(with) = &insert.with_clause {
            self.with_clause(with, &mut outer)?;
        }
        let (relation, item) = self.target(insert.relation.as_ref(), WriteKind::Insert, &[Verb::Insert])?;
        let columns = self.inserted_columns(&relation, &insert.cols)?;
        let flows = self.inserted_values(insert.select_stmt.as_deref(), &outer)?;
        // Where the values are not one for one the columns, any may flow into any.
        let all: Sources = flows.iter().flatten().copied().collect();
        let flow = |i: usize| {
            flows
                .get(i)
                .filter(|_| flows.len() == columns.len())
                .unwrap_or(&all)
                .clone()
        };
        let proposed: BTreeMap<i16, Sources> = columns.iter().enumerate().map(|(i, c)| (*c, flow(i))).collect();
        if !flows.is_empty() {
            for (column, sources) in &proposed {
                self.assign(&item, *column, sources.clone(), false);
            }
        }
        let mut scope = Scope::below(&outer);
        scope.items.push(item.clone());
        if let Some(conflict) = &insert.on_conflict_clause {
            self.on_conflict(conflict, &relation, &item, &proposed, &scope)?;
        }
        self.returning(insert.returning_clause.as_ref(), &scope, position)
    }

    /// INSERT's columns: those listed, else all, in order.
    pub(super) fn inserted_columns(&self, relation: &Relation, listed: &[pb::Node]) -> Result<Vec<i16>> {
        if listed.is_empty() {
            return Ok(relation.columns.iter().map(|c| c.number).collect());
        }
        listed.iter().map(|node| self.assigned_column(relation, node)).collect()
    }

    fn assigned_column(&self, relation: &Relation, node: &pb::Node) -> Result<i16> {
        let Tree::ResTarget(target) = Tree::of(node)? else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this assignment is not understood",
                None,
            ));
        };
        let position = usize::try_from(target.location).ok();
        relation.column(&target.name).map(|c| c.number).ok_or_else(|| {
            let message = format!(
                "column \"{}\" of relation \"{}\" does not exist",
                target.name, relation.name.name
            );
            Problem::postgres("42703", message, position)
        })
    }

    /// What flows into each inserted column.
    fn inserted_values(&mut self, source: Option<&pb::Node>, outer: &Scope<'_>) -> Result<Vec<Sources>> {
        let Some(source) = source else { return Ok(Vec::new()) };
        let Tree::SelectStmt(select) = Tree::of(source)? else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this INSERT is not understood",
                None,
            ));
        };
        let columns = self.select(select, outer, Some(Position::Write))?;
        Ok(columns.into_iter().map(|c| c.sources).collect())
    }

    fn update(
        &mut self,
        update: &pb::UpdateStmt,
        parent: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut outer = Scope::below(parent);
        if let Some(with) = &update.with_clause {
            self.with_clause(with, &mut outer)?;
        }
        let (relation, item) = self.target(update.relation.as_ref(), WriteKind::Where, &[Verb::Update])?;
        let mut scope = Scope::below(&outer);
        scope.items.push(item.clone());
        for from in &update.from_clause {
            self.add_from(Tree::of(from)?, &mut scope)?;
        }
        self.assignments(&update.target_list, &relation, &item, &scope)?;
        self.where_clause(update.where_clause.as_deref(), &scope)?;
        self.returning(update.returning_clause.as_ref(), &scope, position)
    }

    fn delete(
        &mut self,
        delete: &pb::DeleteStmt,
        parent: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut outer = Scope::below(parent);
        if let Some(with) = &delete.with_clause {
            self.with_clause(with, &mut outer)?;
        }
        let (_, item) = self.target(delete.relation.as_ref(), WriteKind::Where, &[Verb::Delete])?;
        let mut scope = Scope::below(&outer);
        scope.items.push(item);
        for using in &delete.using_clause {
            self.add_from(Tree::of(using)?, &mut scope)?;
        }
        self.where_clause(delete.where_clause.as_deref(), &scope)?;
        self.returning(delete.returning_clause.as_ref(), &scope, position)
    }

    fn where_clause(&mut self, filter: Option<&pb::Node>, scope: &Scope<'_>) -> Result<()> {
        let value = self.expr_opt(filter, Place::new(scope, Some(Position::Filter)))?;
        self.out.partial |= !value.total;
        self.conjuncts(filter, scope);
        Ok(())
    }

    /// SET: what flows into each column.
    pub(super) fn assignments(
        &mut self,
        targets: &[pb::Node],
        relation: &Relation,
        item: &Item,
        scope: &Scope<'_>,
    ) -> Result<()> {
        for node in targets {
            let column = self.assigned_column(relation, node)?;
            let Tree::ResTarget(target) = Tree::of(node)? else {
                continue;
            };
            for step in &target.indirection {
                if !matches!(Tree::of(step)?, Tree::String(_)) {
                    self.expr(Tree::of(step)?, Place::new(scope, Some(Position::Write)))?;
                }
            }
            let value = self.expr_opt(target.val.as_deref(), Place::new(scope, Some(Position::Write)))?;
            self.assign(item, column, value.sources, true);
        }
        Ok(())
    }

    pub(super) fn assign(&mut self, item: &Item, column: i16, sources: Sources, update: bool) {
        let (Some(relation), Some(target)) = (item.relation, item.target) else {
            return;
        };
        let base = super::BaseColumn { relation, column };
        self.out.columns.insert((base, Position::Write));
        self.out.assignments.push(Assignment {
            target,
            column,
            sources,
            update,
        });
    }

    /// RETURNING: like an output list, but the target's references are replaced one by one.
    pub(super) fn returning(
        &mut self,
        clause: Option<&pb::ReturningClause>,
        scope: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let Some(clause) = clause else { return Ok(Vec::new()) };
        if !clause.options.is_empty() {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "RETURNING WITH is not served",
                None,
            ));
        }
        let mut columns = Vec::new();
        for node in &clause.exprs {
            let Tree::ResTarget(target) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this RETURNING is not understood",
                    None,
                ));
            };
            if let Some(Ok(Tree::ColumnRef(reference))) = target.val.as_deref().map(Tree::of)
                && let Some(Ok(Tree::AStar(_))) = reference.fields.last().map(Tree::of)
            {
                columns.extend(self.returning_star(reference, scope, position)?);
                continue;
            }
            let place = Place {
                scope,
                position,
                returning: Returning::of(target),
            };
            let value = self.expr_opt(target.val.as_deref(), place)?;
            let name = if target.name.is_empty() {
                column_name(target.val.as_deref())
            } else {
                target.name.clone()
            };
            columns.push(OutputColumn {
                name,
                sources: value.sources,
                type_oid: value.type_oid,
            });
        }
        Ok(columns)
    }

    fn returning_star(
        &mut self,
        reference: &pb::ColumnRef,
        scope: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let items = self.star_items(reference, scope)?;
        for target in items.iter().filter_map(|i| i.target) {
            let Ok(location) = usize::try_from(reference.location) else {
                return Err(Problem::refuse(Code::NotUnderstood, "a star without a place", None));
            };
            let parts = reference.fields.len();
            let name = |item: &Item| (item.target != Some(target)).then(|| item.name.clone());
            self.out.target_stars.push(TargetStar {
                target,
                location,
                parts,
                items: items.iter().map(name).collect(),
                joined: !scope.merged.is_empty() || items.iter().any(|i| i.name.is_empty()),
            });
        }
        let columns: Vec<OutputColumn> = items.iter().flat_map(|i| i.columns.iter().cloned()).collect();
        for column in &columns {
            self.use_columns(&column.sources, position);
        }
        Ok(columns)
    }

    fn copy(&mut self, copy: &pb::CopyStmt) -> Result<()> {
        if let Some(query) = copy.query.as_deref() {
            return self.carried(Some(query));
        }
        let Some(range) = &copy.relation else {
            return Err(Problem::refuse(Code::NotUnderstood, "a COPY without its table", None));
        };
        if copy.is_from {
            let (relation, item) = self.target(Some(range), WriteKind::Insert, &[Verb::Insert])?;
            let listed: Vec<&str> = copy.attlist.iter().filter_map(string_of).collect();
            for column in &relation.columns {
                if listed.is_empty() || listed.contains(&column.name.as_str()) {
                    self.assign(&item, column.number, Sources::new(), false);
                }
            }
            // COPY's WHERE sees only the rows that come in: nothing stored flows out of the columns it names.
            let incoming = |c: &crate::catalog::Column| OutputColumn {
                name: c.name.clone(),
                sources: Sources::new(),
                type_oid: Some(c.type_oid),
            };
            let columns = relation.columns.iter().map(incoming).collect();
            let mut scope = Scope::default();
            scope.items.push(Item::new(&range.relname, columns));
            return self.where_clause(copy.where_clause.as_deref(), &scope);
        }
        let relation = self.relation(range)?;
        if matches!(relation.kind, RelationKind::View) {
            return Err(Problem::postgres(
                "42809",
                format!("cannot copy from view \"{}\"", relation.name.name),
                usize::try_from(range.location).ok(),
            )
            .hint("try the COPY (SELECT ...) TO variant"));
        }
        self.note_relation(&relation, range, Use::CopyOut, false)?;
        let listed: Vec<&str> = copy.attlist.iter().filter_map(string_of).collect();
        for name in &listed {
            if relation.column(name).is_none() {
                let message = format!(
                    "column \"{name}\" of relation \"{}\" does not exist",
                    relation.name.name
                );
                return Err(Problem::postgres("42703", message, None));
            }
        }
        let columns: Vec<OutputColumn> = base_columns(&relation)
            .into_iter()
            .filter(|c| listed.is_empty() || listed.contains(&c.name.as_str()))
            .collect();
        for column in &columns {
            self.use_columns(&column.sources, Some(Position::Output));
            if !listed.is_empty() {
                self.out.named.extend(column.sources.iter().copied());
            }
        }
        self.out.outputs = columns;
        Ok(())
    }
}
