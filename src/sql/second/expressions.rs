//! Expressions: where sub-selects stand.
//!
//! What other dialects have is not read where it takes words that PostgreSQL reads as something else
//! (`SELECT a rlike FROM t` is an alias and a table to PostgreSQL).

use sqlparser::ast::{
    AccessExpr, Array, Assignment, CaseWhen, CeilFloorKind, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, InTarget, Interval, ObjectNamePart,
    OrderBy, OrderByExpr, OrderByKind, SelectItem, SelectItemQualifiedWildcardKind, Subscript,
    WildcardAdditionalOptions, WindowFrame, WindowFrameBound, WindowSpec, WindowType,
};

use super::operators::binary_operator;
use super::{Walk, Walked, require};

/// Words that PostgreSQL never takes for a column: where the second parser does, it took a clause for an
/// expression (`SELECT a and FROM t`, where `and` is an alias).
const CLAUSE_WORDS: &[&str] = &[
    "as",
    "asc",
    "case",
    "desc",
    "else",
    "end",
    "except",
    "fetch",
    "for",
    "from",
    "group",
    "having",
    "intersect",
    "into",
    "lateral",
    "limit",
    "offset",
    "on",
    "only",
    "order",
    "returning",
    "select",
    "table",
    "then",
    "union",
    "using",
    "when",
    "where",
    "window",
    "with",
];

impl Walk {
    pub(super) fn exprs<'t>(&mut self, exprs: impl IntoIterator<Item = &'t Expr>) -> Walked {
        exprs.into_iter().try_for_each(|expr| self.expr(expr))
    }

    fn pair(&mut self, first: &Expr, second: &Expr) -> Walked {
        self.expr(first)?;
        self.expr(second)
    }

    fn boxed(&mut self, expr: Option<&Expr>) -> Walked {
        expr.map_or(Ok(()), |expr| self.expr(expr))
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Walked {
        // A chain of binary operators leans to the left and may be long: no recursion for it.
        let mut rest = expr;
        let mut rights = Vec::new();
        while let Expr::BinaryOp { left, op, right } = rest {
            binary_operator(op)?;
            rights.push(right);
            rest = left;
        }
        self.operand(rest)?;
        rights.into_iter().rev().try_for_each(|right| self.expr(right))
    }

    fn operand(&mut self, expr: &Expr) -> Walked {
        match expr {
            Expr::Identifier(ident) => no_clause(ident),
            Expr::CompoundIdentifier(idents) => idents.first().map_or(Ok(()), no_clause),
            Expr::Value(_) | Expr::TypedString(_) | Expr::Wildcard(_) | Expr::QualifiedWildcard(_, _) => Ok(()),
            Expr::CompoundFieldAccess { root, access_chain } => {
                self.expr(root)?;
                self.each(access_chain, |walk, access| match access {
                    AccessExpr::Dot(expr) => walk.expr(expr),
                    AccessExpr::Subscript(Subscript::Index { index }) => walk.expr(index),
                    AccessExpr::Subscript(Subscript::Slice {
                        lower_bound,
                        upper_bound,
                        stride,
                    }) => {
                        require(stride.is_none(), "a slice with a stride")?;
                        walk.exprs(lower_bound)?;
                        walk.exprs(upper_bound)
                    }
                })
            }
            Expr::IsFalse(expr)
            | Expr::IsNotFalse(expr)
            | Expr::IsTrue(expr)
            | Expr::IsNotTrue(expr)
            | Expr::IsNull(expr)
            | Expr::IsNotNull(expr)
            | Expr::IsUnknown(expr)
            | Expr::IsNotUnknown(expr)
            | Expr::Nested(expr)
            | Expr::IsJson {
                expr,
                kind: _,
                unique_keys: _,
                negated: _,
            }
            | Expr::IsNormalized {
                expr,
                form: _,
                negated: _,
            }
            | Expr::UnaryOp { op: _, expr }
            | Expr::Extract {
                field: _,
                syntax: _,
                expr,
            } => self.expr(expr),
            Expr::Collate { expr, collation } => {
                match collation.0.first() {
                    Some(ObjectNamePart::Identifier(ident)) => no_clause(ident)?,
                    Some(ObjectNamePart::Function(_)) | None => return Err("a collation without a name"),
                }
                self.expr(expr)
            }
            Expr::IsDistinctFrom(left, right)
            | Expr::IsNotDistinctFrom(left, right)
            | Expr::AnyOp {
                left,
                compare_op: _,
                right,
                is_some: _,
            }
            | Expr::AllOp {
                left,
                compare_op: _,
                right,
            }
            | Expr::AtTimeZone {
                timestamp: left,
                time_zone: right,
            }
            | Expr::Position {
                expr: left,
                r#in: right,
            } => self.pair(left, right),
            Expr::In {
                expr,
                target,
                negated: _,
                global,
            } => {
                require(!global, "GLOBAL IN")?;
                self.expr(expr)?;
                match target {
                    InTarget::List(exprs) => self.exprs(exprs),
                    InTarget::Subquery(query) => self.query(query),
                    InTarget::Unnest(_) | InTarget::Table { name: _, args: _ } => Err("IN of another dialect"),
                }
            }
            Expr::Between {
                expr,
                negated: _,
                low,
                high,
            } => {
                self.expr(expr)?;
                self.pair(low, high)
            }
            Expr::BinaryOp { left, op, right } => {
                binary_operator(op)?;
                self.pair(left, right)
            }
            Expr::Like {
                negated: _,
                any: _,
                expr,
                pattern,
                escape_char,
            }
            | Expr::ILike {
                negated: _,
                any: _,
                expr,
                pattern,
                escape_char,
            }
            | Expr::SimilarTo {
                negated: _,
                expr,
                pattern,
                escape_char,
            } => {
                self.pair(expr, pattern)?;
                self.boxed(escape_char.as_deref())
            }
            Expr::Convert {
                is_try: _,
                expr,
                data_type: _,
                charset: _,
                target_before_value: _,
                styles,
            } => {
                self.expr(expr)?;
                self.exprs(styles)
            }
            Expr::Cast {
                kind: _,
                expr,
                data_type: _,
                format,
            } => {
                require(format.is_none(), "CAST with FORMAT")?;
                self.expr(expr)
            }
            Expr::Ceil { expr, field } | Expr::Floor { expr, field } => {
                match field {
                    CeilFloorKind::DateTimeField(_) | CeilFloorKind::Scale(_) => {}
                }
                self.expr(expr)
            }
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                special: _,
                shorthand: _,
            } => {
                self.expr(expr)?;
                self.boxed(substring_from.as_deref())?;
                self.boxed(substring_for.as_deref())
            }
            Expr::Trim {
                trim_where: _,
                trim_what,
                expr,
                trim_characters,
            } => {
                self.boxed(trim_what.as_deref())?;
                self.expr(expr)?;
                self.exprs(trim_characters.iter().flatten())
            }
            Expr::Overlay {
                expr,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                self.pair(expr, overlay_what)?;
                self.expr(overlay_from)?;
                self.boxed(overlay_for.as_deref())
            }
            Expr::Function(function) => self.function(function),
            Expr::Case {
                case_token: _,
                end_token: _,
                operand,
                conditions,
                else_result,
            } => {
                self.boxed(operand.as_deref())?;
                self.each(conditions, |walk, CaseWhen { condition, result }| {
                    walk.pair(condition, result)
                })?;
                self.boxed(else_result.as_deref())
            }
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => self.query(subquery),
            Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => self.exprs(sets.iter().flatten()),
            Expr::Tuple(exprs) => self.exprs(exprs),
            Expr::Array(Array { elem, named: _ }) => self.exprs(elem),
            Expr::Interval(Interval {
                value,
                leading_field: _,
                leading_precision: _,
                last_field: _,
                fractional_seconds_precision: _,
            }) => self.expr(value),
            Expr::JsonAccess { value: _, path: _ }
            | Expr::RLike {
                negated: _,
                expr: _,
                pattern: _,
                regexp: _,
            }
            | Expr::Prefixed { prefix: _, value: _ }
            | Expr::Struct { values: _, fields: _ }
            | Expr::Named { expr: _, name: _ }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::MatchAgainst {
                columns: _,
                match_value: _,
                opt_search_modifier: _,
            }
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::Lambda(_)
            | Expr::MemberOf(_) => Err("an expression of another dialect"),
        }
    }

    pub(super) fn function(&mut self, function: &Function) -> Walked {
        let Function {
            name: _,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment: _,
            over,
        } = function;
        require(!uses_odbc_syntax, "a function in braces")?;
        match parameters {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) | FunctionArguments::List(_) => return Err("a function with parameters"),
        }
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query)?,
            FunctionArguments::List(FunctionArgumentList {
                duplicate_treatment: _,
                args,
                clauses,
            }) => {
                self.each(args, Self::function_arg)?;
                self.each(clauses, Self::function_clause)?;
            }
        }
        self.each(within_group, Self::order_by_expr)?;
        self.boxed(filter.as_deref())?;
        match over {
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
            Some(WindowType::NamedWindow(_)) | None => Ok(()),
        }
    }

    pub(super) fn function_arg(&mut self, arg: &FunctionArg) -> Walked {
        let value = match arg {
            FunctionArg::Named {
                name: _,
                arg,
                operator: _,
            }
            | FunctionArg::Unnamed(arg) => arg,
            FunctionArg::ExprNamed { name, arg, operator: _ } => {
                self.expr(name)?;
                arg
            }
        };
        match value {
            FunctionArgExpr::Expr(expr) => self.expr(expr),
            FunctionArgExpr::QualifiedWildcard(_) | FunctionArgExpr::Wildcard => Ok(()),
            FunctionArgExpr::WildcardWithOptions(options) => plain_wildcard(options),
        }
    }

    fn function_clause(&mut self, clause: &FunctionArgumentClause) -> Walked {
        match clause {
            FunctionArgumentClause::OrderBy(exprs) => self.each(exprs, Self::order_by_expr),
            FunctionArgumentClause::IgnoreOrRespectNulls(_)
            | FunctionArgumentClause::JsonNullClause(_)
            | FunctionArgumentClause::JsonReturningClause(_) => Ok(()),
            FunctionArgumentClause::Where(_)
            | FunctionArgumentClause::Limit(_)
            | FunctionArgumentClause::OnOverflow(_)
            | FunctionArgumentClause::Having(_)
            | FunctionArgumentClause::Separator(_) => Err("a function's clause of another dialect"),
        }
    }

    pub(super) fn window(&mut self, spec: &WindowSpec) -> Walked {
        let WindowSpec {
            window_name: _,
            partition_by,
            order_by,
            window_frame,
        } = spec;
        self.exprs(partition_by)?;
        self.each(order_by, Self::order_by_expr)?;
        match window_frame {
            Some(WindowFrame {
                units: _,
                start_bound,
                end_bound,
            }) => {
                self.frame_bound(start_bound)?;
                self.each(end_bound, Self::frame_bound)
            }
            None => Ok(()),
        }
    }

    fn frame_bound(&mut self, bound: &WindowFrameBound) -> Walked {
        match bound {
            WindowFrameBound::CurrentRow => Ok(()),
            WindowFrameBound::Preceding(expr) | WindowFrameBound::Following(expr) => self.boxed(expr.as_deref()),
        }
    }

    pub(super) fn order_by(&mut self, order_by: &OrderBy) -> Walked {
        let OrderBy { kind, interpolate } = order_by;
        require(interpolate.is_none(), "INTERPOLATE")?;
        match kind {
            OrderByKind::Expressions(exprs) => self.each(exprs, Self::order_by_expr),
            OrderByKind::All(_) => Err("ORDER BY ALL"),
        }
    }

    fn order_by_expr(&mut self, order: &OrderByExpr) -> Walked {
        let OrderByExpr {
            expr,
            options: _,
            with_fill,
        } = order;
        require(with_fill.is_none(), "WITH FILL")?;
        self.expr(expr)
    }

    pub(super) fn assignments(&mut self, assignments: &[Assignment]) -> Walked {
        self.each(assignments, |walk, Assignment { target: _, value }| walk.expr(value))
    }

    pub(super) fn select_items(&mut self, items: &[SelectItem]) -> Walked {
        self.each(items, |walk, item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, alias: _ } => walk.expr(expr),
            SelectItem::ExprWithAliases { expr: _, aliases: _ } => Err("an expression with several aliases"),
            SelectItem::QualifiedWildcard(kind, options) => {
                plain_wildcard(options)?;
                match kind {
                    SelectItemQualifiedWildcardKind::ObjectName(_) => Ok(()),
                    SelectItemQualifiedWildcardKind::Expr(expr) => walk.expr(expr),
                }
            }
            SelectItem::Wildcard(options) => plain_wildcard(options),
        })
    }
}

fn plain_wildcard(options: &WildcardAdditionalOptions) -> Walked {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    require(
        opt_ilike.is_none() && opt_exclude.is_none() && opt_except.is_none(),
        "a star without some columns",
    )?;
    require(
        opt_replace.is_none() && opt_rename.is_none() && opt_alias.is_none(),
        "a star with other columns",
    )
}

fn no_clause(ident: &Ident) -> Walked {
    let is_clause = ident.quote_style.is_none() && CLAUSE_WORDS.contains(&ident.value.to_ascii_lowercase().as_str());
    require(!is_clause, "a clause taken for a name")
}
