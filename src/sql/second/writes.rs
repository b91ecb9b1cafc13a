//! INSERT, UPDATE, DELETE and MERGE: their targets, and the queries inside.
//!
//! Does not tell a target from a relation that is read: the first reading does.

use sqlparser::ast::{
    ConflictTarget, Delete, FromTable, Insert, Merge, MergeAction, MergeClause, MergeInsertExpr, MergeInsertKind,
    MergeUpdateExpr, MergeUpdateKind, OnConflict, OnConflictAction, OnInsert, OutputClause, SelectItem, TableFactor,
    TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::{Walk, Walked, require};

impl Walk {
    pub(super) fn insert(&mut self, insert: &Insert) -> Walked {
        let Insert {
            insert_token: _,
            optimizer_hints: _,
            or,
            ignore,
            into,
            table,
            table_alias: _,
            columns: _,
            by_name,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            overriding: _,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        require(*into, "INSERT without INTO")?;
        require(
            or.is_none() && !ignore && !by_name && !overwrite && !replace_into,
            "INSERT of another dialect",
        )?;
        require(
            assignments.is_empty() && partitioned.is_none() && after_columns.is_empty(),
            "INSERT SET or PARTITION",
        )?;
        require(
            !has_table_keyword && priority.is_none() && insert_alias.is_none(),
            "INSERT of another dialect",
        )?;
        require(settings.is_none() && format_clause.is_none(), "SETTINGS or FORMAT")?;
        require(
            multi_table_insert_type.is_none() && multi_table_into_clauses.is_empty(),
            "INSERT into several tables",
        )?;
        require(
            multi_table_when_clauses.is_empty() && multi_table_else_clause.is_none(),
            "INSERT WHEN",
        )?;
        match table {
            TableObject::TableName(name) => self.relation(name)?,
            TableObject::TableFunction(_) | TableObject::TableQuery(_) => return Err("INSERT into no table"),
        }
        if let Some(source) = source {
            self.query(source)?;
        }
        match on {
            Some(OnInsert::OnConflict(on_conflict)) => self.on_conflict(on_conflict)?,
            // ON DUPLICATE KEY, and what this open enum may still get.
            Some(_) => return Err("ON of another dialect"),
            None => {}
        }
        self.returning(returning.as_deref(), output.as_ref())
    }

    fn on_conflict(&mut self, on_conflict: &OnConflict) -> Walked {
        let OnConflict {
            conflict_target,
            action,
        } = on_conflict;
        match conflict_target {
            Some(ConflictTarget::Columns { columns: _, predicate }) => self.exprs(predicate)?,
            Some(ConflictTarget::OnConstraint(_)) | None => {}
        }
        match action {
            OnConflictAction::DoNothing => Ok(()),
            OnConflictAction::DoUpdate(update) => {
                self.assignments(&update.assignments)?;
                self.exprs(&update.selection)
            }
        }
    }

    pub(super) fn update(&mut self, update: &Update) -> Walked {
        let Update {
            update_token: _,
            optimizer_hints: _,
            table,
            on_cluster,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
            settings,
        } = update;
        require(
            on_cluster.is_none() && or.is_none() && settings.is_none(),
            "UPDATE of another dialect",
        )?;
        require(order_by.is_empty() && limit.is_none(), "UPDATE with ORDER BY or LIMIT")?;
        self.target(table)?;
        self.assignments(assignments)?;
        match from {
            Some(UpdateTableFromKind::AfterSet(items)) => self.sources(items)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => return Err("FROM before SET"),
            None => {}
        }
        self.exprs(selection)?;
        self.returning(returning.as_deref(), output.as_ref())
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Walked {
        let Delete {
            delete_token: _,
            optimizer_hints: _,
            tables,
            from,
            on_cluster,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
            settings,
        } = delete;
        require(
            tables.is_empty() && on_cluster.is_none() && settings.is_none(),
            "DELETE of another dialect",
        )?;
        require(order_by.is_empty() && limit.is_none(), "DELETE with ORDER BY or LIMIT")?;
        match from {
            FromTable::WithFromKeyword(items) => match items.as_slice() {
                [target] => self.target(target)?,
                _ => return Err("DELETE from several tables"),
            },
            FromTable::WithoutKeyword(_) => return Err("DELETE without FROM"),
        }
        self.sources(using.as_deref().unwrap_or_default())?;
        self.exprs(selection)?;
        self.returning(returning.as_deref(), output.as_ref())
    }

    /// The table that an UPDATE or DELETE changes.
    fn target(&mut self, target: &TableWithJoins) -> Walked {
        let TableWithJoins { relation, joins } = target;
        require(joins.is_empty(), "a join as the target")?;
        require(
            matches!(relation, TableFactor::Table { args: None, .. }),
            "a target that is no table",
        )?;
        self.table_factor(relation)
    }

    pub(super) fn merge(&mut self, merge: &Merge) -> Walked {
        let Merge {
            merge_token: _,
            optimizer_hints: _,
            into,
            table,
            source,
            on,
            clauses,
            output,
        } = merge;
        require(*into, "MERGE without INTO")?;
        require(
            matches!(table, TableFactor::Table { args: None, .. }),
            "a target that is no table",
        )?;
        self.table_factor(table)?;
        self.table_factor(source)?;
        self.expr(on)?;
        self.each(
            clauses,
            |walk,
             MergeClause {
                 when_token: _,
                 clause_kind: _,
                 predicate,
                 action,
             }| {
                walk.exprs(predicate)?;
                walk.merge_action(action)
            },
        )?;
        self.returning(None, output.as_ref())
    }

    fn merge_action(&mut self, action: &MergeAction) -> Walked {
        match action {
            MergeAction::Insert(MergeInsertExpr {
                insert_token: _,
                columns: _,
                kind_token: _,
                kind,
                insert_predicate,
            }) => {
                require(insert_predicate.is_none(), "MERGE INSERT WHERE")?;
                match kind {
                    MergeInsertKind::Values(values) => self.values(values),
                    MergeInsertKind::Row | MergeInsertKind::Wildcard => Err("MERGE INSERT of another dialect"),
                }
            }
            MergeAction::Update(MergeUpdateExpr {
                update_token: _,
                kind,
                update_predicate,
                delete_predicate,
            }) => {
                require(
                    update_predicate.is_none() && delete_predicate.is_none(),
                    "MERGE UPDATE WHERE",
                )?;
                match kind {
                    MergeUpdateKind::Set(assignments) => self.assignments(assignments),
                    MergeUpdateKind::Wildcard => Err("MERGE UPDATE of another dialect"),
                }
            }
            MergeAction::Delete { delete_token: _ }
            | MergeAction::DoNothing {
                do_token: _,
                nothing_token: _,
            } => Ok(()),
        }
    }

    fn returning(&mut self, returning: Option<&[SelectItem]>, output: Option<&OutputClause>) -> Walked {
        self.select_items(returning.unwrap_or_default())?;
        match output {
            Some(OutputClause::Returning {
                returning_token: _,
                select_items,
            }) => self.select_items(select_items),
            Some(OutputClause::Output { .. }) => Err("OUTPUT"),
            None => Ok(()),
        }
    }
}
