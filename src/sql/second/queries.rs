//! Queries and FROM items: where relations are named.
//!
//! What other dialects have is not read: PostgreSQL may take the same words for an alias.

use sqlparser::ast::{
    Cte, Distinct, Expr, Fetch, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, LockClause,
    NamedWindowDefinition, NamedWindowExpr, ObjectName, ObjectNamePart, Query, Select, SelectFlavor, SelectInto,
    SetExpr, Table, TableFactor, TableFunctionArgs, TableSample, TableSampleKind, TableSampleQuantity, TableWithJoins,
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

    pub(super) fn values(&mut self, values: &Values) -> Walked {
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
        self.sources(from)?;
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
            [Expr::Identifier(ident)] => self.relation_of(&[ident]),
            [Expr::CompoundIdentifier(idents)] => {
                let idents: Vec<_> = idents.iter().collect();
                self.relation_of(&idents)
            }
            _ => Err("SELECT INTO of another dialect"),
        }
    }

    pub(super) fn sources(&mut self, items: &[TableWithJoins]) -> Walked {
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

    pub(super) fn table_factor(&mut self, factor: &TableFactor) -> Walked {
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
}

fn is_function_word(name: &ObjectName) -> bool {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(word)] => {
            word.quote_style.is_none() && FUNCTION_WORDS.contains(&word.value.to_ascii_lowercase().as_str())
        }
        _ => false,
    }
}
