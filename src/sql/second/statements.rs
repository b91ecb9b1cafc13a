//! Statements, queries and FROM items: where relations are named.
//!
//! Every structure is taken apart field by field, so that a field that a later sqlparser adds does not
//! compile until it is walked. What other dialects have is not read: PostgreSQL may take the same words
//! for an alias.

use sqlparser::ast::{
    ConflictTarget, CopySource, Cte, Declare, DeclareType, Delete, Distinct, Fetch, FromTable, GroupByExpr, Insert,
    Join, JoinConstraint, JoinOperator, LimitClause, Lock, LockClause, LockTableTarget, Merge, MergeAction,
    MergeClause, MergeInsertExpr, MergeInsertKind, MergeUpdateExpr, MergeUpdateKind, NamedWindowDefinition,
    NamedWindowExpr, ObjectName, ObjectNamePart, OnConflict, OnConflictAction, OnInsert, OutputClause, Query, Select,
    SelectFlavor, SelectInto, SetExpr, Statement, Table, TableFactor, TableFunctionArgs, TableObject, TableSample,
    TableSampleKind, TableSampleQuantity, TableWithJoins, Truncate, TruncateTableTarget, Update, UpdateTableFromKind,
    Values, With, XmlTableColumnOption,
};

use super::{Walk, Walked, require};

/// Words that stand for a function without parentheses, which no unquoted relation can be called. Not
/// `system_user`, which is one to PostgreSQL 16, but a relation to earlier servers.
const FUNCTION_WORDS: &[&str] = &[
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "session_user",
    "user",
];

impl Walk {
    pub(super) fn statement(&mut self, statement: &Statement) -> Walked {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => self.merge(merge),
            Statement::Copy {
                source,
                to: _,
                target: _,
                options: _,
                legacy_options: _,
                payload,
            } => {
                require(payload.is_none(), "COPY with its data")?;
                match source {
                    CopySource::Table { table_name, columns: _ } => self.relation(table_name),
                    CopySource::Query(query) => self.query(query),
                }
            }
            Statement::Explain {
                describe_alias: _,
                analyze: _,
                verbose: _,
                query_plan,
                estimate,
                statement,
                format: _,
                options,
            } => {
                require(!query_plan && !estimate, "EXPLAIN of another dialect")?;
                self.exprs(options.iter().flatten().filter_map(|option| option.arg.as_ref()))?;
                self.statement(statement)
            }
            Statement::Prepare {
                name: _,
                data_types: _,
                statement,
            } => self.statement(statement),
            Statement::Declare { stmts, separator: _ } => self.each(stmts, Self::declare),
            Statement::Execute {
                name: _,
                parameters,
                has_parentheses: _,
                immediate,
                into,
                using,
                output,
                default,
            } => {
                require(
                    !immediate && into.is_empty() && using.is_empty(),
                    "EXECUTE IMMEDIATE, INTO or USING",
                )?;
                require(!output && !default, "EXECUTE of another dialect")?;
                self.exprs(parameters)
            }
            Statement::Call(function) => self.function(function),
            Statement::Truncate(truncate) => self.truncate(truncate),
            Statement::Lock(Lock {
                tables,
                lock_mode: _,
                nowait: _,
            }) => self.each(
                tables,
                |walk,
                 LockTableTarget {
                     name,
                     only: _,
                     has_asterisk: _,
                 }| walk.relation(name),
            ),
            Statement::StartTransaction {
                modes: _,
                begin: _,
                transaction: _,
                modifier: _,
                statements,
                exception,
                has_end_keyword,
            } => require(
                statements.is_empty() && exception.is_none() && !has_end_keyword,
                "a block of statements",
            ),
            Statement::Fetch {
                name: _,
                direction: _,
                position: _,
                into,
            } => require(into.is_none(), "FETCH INTO"),
            // Where PostgreSQL has these, no relation can be named in them.
            Statement::Set(_)
            | Statement::ShowVariable { .. }
            | Statement::Reset(_)
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Discard { .. }
            | Statement::Deallocate { .. }
            | Statement::Close { .. }
            | Statement::LISTEN { .. }
            | Statement::UNLISTEN { .. }
            | Statement::NOTIFY { .. } => Ok(()),
            // Definitions, and what tends a table: not a query's business.
            Statement::Analyze(_)
            | Statement::Vacuum(_)
            | Statement::RefreshMaterializedView(_)
            | Statement::Comment { .. }
            | Statement::CreateView(_)
            | Statement::CreateTable(_)
            | Statement::CreateIndex(_)
            | Statement::CreateRole(_)
            | Statement::CreateServer(_)
            | Statement::CreateForeignTable(_)
            | Statement::CreateForeignDataWrapper(_)
            | Statement::CreateUserMapping(_)
            | Statement::CreatePolicy(_)
            | Statement::CreateRule(_)
            | Statement::CreateOperator(_)
            | Statement::CreateOperatorFamily(_)
            | Statement::CreateOperatorClass(_)
            | Statement::CreateTextSearch(_)
            | Statement::CreateAggregate(_)
            | Statement::CreateExtension(_)
            | Statement::CreateCollation(_)
            | Statement::CreateSchema { .. }
            | Statement::CreateDatabase { .. }
            | Statement::CreateFunction(_)
            | Statement::CreateTrigger(_)
            | Statement::CreateProcedure { .. }
            | Statement::CreateSequence { .. }
            | Statement::CreateDomain(_)
            | Statement::CreateType { .. }
            | Statement::CreateUser(_)
            | Statement::AlterTable(_)
            | Statement::AlterSchema(_)
            | Statement::AlterIndex { .. }
            | Statement::AlterView(_)
            | Statement::AlterFunction(_)
            | Statement::AlterType(_)
            | Statement::AlterCollation(_)
            | Statement::AlterOperator(_)
            | Statement::AlterOperatorFamily(_)
            | Statement::AlterOperatorClass(_)
            | Statement::AlterTextSearch(_)
            | Statement::AlterRole { .. }
            | Statement::AlterPolicy(_)
            | Statement::AlterTrigger(_)
            | Statement::AlterUser(_)
            | Statement::AlterDefaultPrivileges(_)
            | Statement::Drop { .. }
            | Statement::DropFunction(_)
            | Statement::DropDomain(_)
            | Statement::DropProcedure { .. }
            | Statement::DropPolicy(_)
            | Statement::DropRule(_)
            | Statement::DropTrigger(_)
            | Statement::DropExtension(_)
            | Statement::DropOperator(_)
            | Statement::DropOperatorFamily(_)
            | Statement::DropOperatorClass(_)
            | Statement::Grant(_)
            | Statement::GrantRole(_)
            | Statement::Revoke(_)
            | Statement::RevokeRole(_)
            | Statement::Load { .. } => Err("a definition or maintenance statement"),
            Statement::Msck(_)
            | Statement::Install { .. }
            | Statement::Directory { .. }
            | Statement::Case(_)
            | Statement::If(_)
            | Statement::While(_)
            | Statement::Raise(_)
            | Statement::CopyIntoSnowflake { .. }
            | Statement::Open(_)
            | Statement::CreateVirtualTable { .. }
            | Statement::CreateSecret { .. }
            | Statement::CreateConnector(_)
            | Statement::AlterConnector { .. }
            | Statement::AlterSession { .. }
            | Statement::AttachDatabase { .. }
            | Statement::AttachDuckDBDatabase { .. }
            | Statement::DetachDuckDBDatabase { .. }
            | Statement::DropSecret { .. }
            | Statement::DropConnector { .. }
            | Statement::Flush { .. }
            | Statement::ShowFunctions { .. }
            | Statement::ShowStatus { .. }
            | Statement::ShowVariables { .. }
            | Statement::ShowCreate { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowCatalogs { .. }
            | Statement::ShowDatabases { .. }
            | Statement::ShowProcessList { .. }
            | Statement::ShowSchemas { .. }
            | Statement::ShowCharset(_)
            | Statement::ShowObjects(_)
            | Statement::ShowTables { .. }
            | Statement::ShowViews { .. }
            | Statement::ShowCollation { .. }
            | Statement::Use(_)
            | Statement::CreateMacro { .. }
            | Statement::CreateStage { .. }
            | Statement::CreateFileFormat { .. }
            | Statement::CreateWarehouse(_)
            | Statement::Assert { .. }
            | Statement::Deny(_)
            | Statement::Kill { .. }
            | Statement::ExplainTable { .. }
            | Statement::Cache { .. }
            | Statement::UNCache { .. }
            | Statement::Pragma { .. }
            | Statement::LockTables { .. }
            | Statement::UnlockTables
            | Statement::Unload { .. }
            | Statement::OptimizeTable { .. }
            | Statement::LoadData { .. }
            | Statement::RenameTable(_)
            | Statement::List(_)
            | Statement::Put { .. }
            | Statement::Remove(_)
            | Statement::RaisError { .. }
            | Statement::Throw(_)
            | Statement::Print(_)
            | Statement::WaitFor(_)
            | Statement::Return(_)
            | Statement::ExportData(_) => Err("a statement of another dialect"),
        }
    }

    pub(super) fn each<'t, T: 't>(
        &mut self,
        items: impl IntoIterator<Item = &'t T>,
        mut walk: impl FnMut(&mut Self, &'t T) -> Walked,
    ) -> Walked {
        items.into_iter().try_for_each(|item| walk(self, item))
    }

    fn declare(&mut self, declare: &Declare) -> Walked {
        let Declare {
            names: _,
            data_type,
            assignment,
            declare_type,
            binary: _,
            sensitive: _,
            scroll: _,
            hold: _,
            for_query,
        } = declare;
        let is_cursor = matches!(declare_type, Some(DeclareType::Cursor));
        require(
            is_cursor && data_type.is_none() && assignment.is_none(),
            "DECLARE of another dialect",
        )?;
        self.query(for_query.as_deref().ok_or("DECLARE without a query")?)
    }

    fn truncate(&mut self, truncate: &Truncate) -> Walked {
        let Truncate {
            table_names,
            partitions,
            table: _,
            if_exists,
            identity: _,
            cascade: _,
            on_cluster,
        } = truncate;
        require(
            partitions.is_none() && !if_exists && on_cluster.is_none(),
            "TRUNCATE of another dialect",
        )?;
        self.each(
            table_names,
            |walk,
             TruncateTableTarget {
                 name,
                 only: _,
                 has_asterisk: _,
             }| walk.relation(name),
        )
    }

    pub(super) fn query(&mut self, query: &Query) -> Walked {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        require(for_clause.is_none(), "FOR XML, FOR JSON or FOR BROWSE")?;
        require(settings.is_none() && format_clause.is_none(), "SETTINGS or FORMAT")?;
        require(pipe_operators.is_empty(), "pipe operators")?;
        if let Some(With {
            with_token: _,
            recursive: _,
            cte_tables,
        }) = with
        {
            self.each(cte_tables, Self::cte)?;
        }
        self.set_expr(body)?;
        if let Some(order_by) = order_by {
            self.order_by(order_by)?;
        }
        match limit_clause {
            Some(LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            }) => {
                require(limit_by.is_empty(), "LIMIT BY")?;
                self.exprs(limit)?;
                self.exprs(offset.iter().map(|offset| &offset.value))?;
            }
            Some(LimitClause::OffsetCommaLimit { offset: _, limit: _ }) => return Err("LIMIT with a comma"),
            None => {}
        }
        if let Some(Fetch {
            with_ties: _,
            percent,
            quantity,
        }) = fetch
        {
            require(!percent, "FETCH PERCENT")?;
            self.exprs(quantity)?;
        }
        // `of` names aliases of this query's FROM items.
        self.each(
            locks,
            |_,
             LockClause {
                 lock_type: _,
                 of: _,
                 nonblock: _,
             }| Ok(()),
        )
    }

    fn cte(&mut self, cte: &Cte) -> Walked {
        let Cte {
            alias: _,
            query,
            from,
            materialized: _,
            closing_paren_token: _,
        } = cte;
        require(from.is_none(), "a CTE with FROM")?;
        self.query(query)
    }

    fn set_expr(&mut self, body: &SetExpr) -> Walked {
        // A chain of set operations leans to the left: no recursion for it.
        let mut rest = body;
        let mut rights = Vec::new();
        while let SetExpr::SetOperation {
            left,
            op: _,
            set_quantifier: _,
            right,
        } = rest
        {
            rights.push(right);
            rest = left;
        }
        self.set_operand(rest)?;
        rights.into_iter().rev().try_for_each(|right| self.set_expr(right))
    }

    fn set_operand(&mut self, operand: &SetExpr) -> Walked {
        match operand {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation {
                left,
                op: _,
                set_quantifier: _,
                right,
            } => {
                self.set_expr(left)?;
                self.set_expr(right)
            }
            SetExpr::Values(values) => self.values(values),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.statement(statement),
            SetExpr::Table(table) => {
                let Table {
                    table_name,
                    schema_name,
                } = table.as_ref();
                let idents: Vec<_> = schema_name.iter().chain(table_name).collect();
                self.relation_of(&idents)
            }
        }
    }

    fn values(&mut self, values: &Values) -> Walked {
        let Values {
            explicit_row,
            value_keyword,
            rows,
        } = values;
        require(!explicit_row && !value_keyword, "VALUES of another dialect")?;
        self.each(rows, |walk, row| walk.exprs(&row.content))
    }

    fn select(&mut self, select: &Select) -> Walked {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        require(
            select_modifiers.is_none() && top.is_none() && exclude.is_none(),
            "TOP, EXCLUDE or a modifier",
        )?;
        require(
            lateral_views.is_empty() && prewhere.is_none() && qualify.is_none(),
            "VIEW, PREWHERE or QUALIFY",
        )?;
        require(connect_by.is_empty(), "CONNECT BY")?;
        require(
            cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty(),
            "CLUSTER or SORT BY",
        )?;
        require(value_table_mode.is_none(), "SELECT AS STRUCT or VALUE")?;
        match flavor {
            SelectFlavor::Standard => {}
            SelectFlavor::FromFirst | SelectFlavor::FromFirstNoSelect => return Err("FROM before SELECT"),
        }
        match distinct {
            Some(Distinct::On(exprs)) => self.exprs(exprs)?,
            Some(Distinct::All | Distinct::Distinct) | None => {}
        }
        self.select_items(projection)?;
        if let Some(into) = into {
            self.select_into(into)?;
        }
        self.from_items(from)?;
        self.exprs(selection)?;
        match group_by {
            GroupByExpr::Expressions(exprs, modifiers) => {
                require(modifiers.is_empty(), "GROUP BY with a modifier")?;
                self.exprs(exprs)?;
            }
            GroupByExpr::All(_) => return Err("GROUP BY ALL"),
        }
        self.exprs(having)?;
        self.each(named_window, |walk, NamedWindowDefinition(_, window)| match window {
            NamedWindowExpr::NamedWindow(_) => Err("a window that is a name"),
            NamedWindowExpr::WindowSpec(spec) => walk.window(spec),
        })
    }

    fn select_into(&mut self, into: &SelectInto) -> Walked {
        let SelectInto {
            temporary: _,
            unlogged: _,
            table: _,
            targets,
        } = into;
        match targets.as_slice() {
            [sqlparser::ast::Expr::Identifier(ident)] => self.relation_of(&[ident]),
            [sqlparser::ast::Expr::CompoundIdentifier(idents)] => {
                let idents: Vec<_> = idents.iter().collect();
                self.relation_of(&idents)
            }
            _ => Err("SELECT INTO of another dialect"),
        }
    }

    fn from_items(&mut self, items: &[TableWithJoins]) -> Walked {
        self.each(items, Self::table_with_joins)
    }

    fn table_with_joins(&mut self, item: &TableWithJoins) -> Walked {
        let TableWithJoins { relation, joins } = item;
        self.table_factor(relation)?;
        self.each(
            joins,
            |walk,
             Join {
                 relation,
                 global,
                 join_operator,
             }| {
                require(!global, "GLOBAL JOIN")?;
                walk.table_factor(relation)?;
                walk.join(join_operator)
            },
        )
    }

    fn join(&mut self, join: &JoinOperator) -> Walked {
        match join {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::CrossJoin(constraint) => match constraint {
                JoinConstraint::On(expr) => self.expr(expr),
                JoinConstraint::Using(_)
                | JoinConstraint::UsingAlias(_, _)
                | JoinConstraint::Natural
                | JoinConstraint::None => Ok(()),
            },
            JoinOperator::Semi(_)
            | JoinOperator::LeftSemi(_)
            | JoinOperator::RightSemi(_)
            | JoinOperator::Anti(_)
            | JoinOperator::LeftAnti(_)
            | JoinOperator::RightAnti(_)
            | JoinOperator::CrossApply
            | JoinOperator::OuterApply
            | JoinOperator::AsOf { .. }
            | JoinOperator::StraightJoin(_)
            | JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => Err("a join of another dialect"),
        }
    }

    fn table_factor(&mut self, factor: &TableFactor) -> Walked {
        match factor {
            TableFactor::Table {
                name,
                alias: _,
                args,
                with_hints,
                version,
                with_ordinality: _,
                partitions,
                json_path,
                sample,
                index_directives,
                inheritance: _,
            } => {
                require(with_hints.is_empty() && index_directives.is_empty(), "table hints")?;
                require(
                    version.is_none() && partitions.is_empty() && json_path.is_none(),
                    "a table's version or part",
                )?;
                self.sample(sample.as_ref())?;
                match args {
                    Some(TableFunctionArgs { args, settings }) => {
                        require(settings.is_none(), "SETTINGS")?;
                        self.each(args, Self::function_arg)
                    }
                    None if is_function_word(name) => Ok(()),
                    None => self.relation(name),
                }
            }
            TableFactor::Derived {
                lateral: _,
                subquery,
                alias: _,
                sample,
            } => {
                require(sample.is_none(), "a sample of a sub-select")?;
                self.query(subquery)
            }
            TableFactor::Function {
                lateral: _,
                name: _,
                args,
                with_ordinality: _,
                alias: _,
            } => self.each(args, Self::function_arg),
            TableFactor::UNNEST {
                alias: _,
                array_exprs,
                with_offset,
                with_offset_alias,
                with_ordinality: _,
            } => {
                require(!with_offset && with_offset_alias.is_none(), "UNNEST WITH OFFSET")?;
                self.exprs(array_exprs)
            }
            TableFactor::JsonTable {
                json_expr,
                json_path: _,
                columns: _,
                alias: _,
            } => self.expr(json_expr),
            TableFactor::NestedJoin {
                table_with_joins,
                alias: _,
            } => self.table_with_joins(table_with_joins),
            TableFactor::XmlTable {
                namespaces,
                row_expression,
                passing,
                columns,
                alias: _,
            } => {
                self.exprs(namespaces.iter().map(|namespace| &namespace.uri))?;
                self.expr(row_expression)?;
                self.exprs(passing.arguments.iter().map(|argument| &argument.expr))?;
                self.each(columns, |walk, column| match &column.option {
                    XmlTableColumnOption::NamedInfo {
                        r#type: _,
                        path,
                        default,
                        nullable: _,
                    } => {
                        walk.exprs(path)?;
                        walk.exprs(default)
                    }
                    XmlTableColumnOption::ForOrdinality => Ok(()),
                })
            }
            TableFactor::TableFunction { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::Pivot { .. }
            | TableFactor::Unpivot { .. }
            | TableFactor::UnpivotExpr { .. }
            | TableFactor::MatchRecognize { .. }
            | TableFactor::SemanticView { .. } => Err("a FROM item of another dialect"),
        }
    }

    fn sample(&mut self, sample: Option<&TableSampleKind>) -> Walked {
        let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else {
            return Ok(());
        };
        let TableSample {
            modifier: _,
            name: _,
            quantity,
            seed: _,
            bucket,
            offset,
        } = sample.as_ref();
        require(bucket.is_none() && offset.is_none(), "a sample of another dialect")?;
        self.each(
            quantity,
            |walk,
             TableSampleQuantity {
                 parenthesized: _,
                 value,
                 unit,
             }| {
                require(unit.is_none(), "a sample of another dialect")?;
                walk.expr(value)
            },
        )
    }

    fn insert(&mut self, insert: &Insert) -> Walked {
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

    fn update(&mut self, update: &Update) -> Walked {
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
            Some(UpdateTableFromKind::AfterSet(items)) => self.from_items(items)?,
            Some(UpdateTableFromKind::BeforeSet(_)) => return Err("FROM before SET"),
            None => {}
        }
        self.exprs(selection)?;
        self.returning(returning.as_deref(), output.as_ref())
    }

    fn delete(&mut self, delete: &Delete) -> Walked {
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
        self.from_items(using.as_deref().unwrap_or_default())?;
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

    fn merge(&mut self, merge: &Merge) -> Walked {
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

    fn returning(&mut self, returning: Option<&[sqlparser::ast::SelectItem]>, output: Option<&OutputClause>) -> Walked {
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

fn is_function_word(name: &ObjectName) -> bool {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(word)] => {
            word.quote_style.is_none() && FUNCTION_WORDS.contains(&word.value.to_ascii_lowercase().as_str())
        }
        _ => false,
    }
}
