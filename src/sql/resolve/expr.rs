//! Expressions: the columns they use, what may flow out of them, and whether they are total.

use pg_query::protobuf as pb;

use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

use super::names::parts;
use super::scope::{Scope, Sources};
use super::total::like_pattern_is_total;
use super::value::{BOOL, INT4, Place, TEXT, Value};
use super::{OutputColumn, Problem, Resolver, Result};

impl Resolver<'_> {
    /// An optional expression; absent is a total nothing.
    pub(super) fn expr_opt(&mut self, node: Option<&pb::Node>, place: Place<'_>) -> Result<Value> {
        match node {
            Some(node) => self.expr(Tree::of(node)?, place),
            None => Ok(Value::constant(None)),
        }
    }

    /// All of a list; the union of what flows.
    pub(super) fn expr_list(&mut self, nodes: &[pb::Node], place: Place<'_>) -> Result<Value> {
        let mut all = Value {
            total: true,
            ..Value::default()
        };
        for node in nodes {
            let value = self.expr(Tree::of(node)?, place)?;
            all.sources.extend(value.sources);
            all.total &= value.total;
        }
        Ok(all)
    }

    /// An expression.
    pub(super) fn expr(&mut self, tree: Tree<'_>, place: Place<'_>) -> Result<Value> {
        let inner = place.inside();
        self.known_to_server(tree)?;
        match tree {
            Tree::ColumnRef(c) => self.column(c, place),
            Tree::ParamRef(p) => Ok(Value::constant(self.parameters.declared(p.number))),
            Tree::AConst(c) => Ok(Value::constant(match c.val {
                Some(pb::a_const::Val::Ival(_)) => Some(INT4),
                Some(pb::a_const::Val::Boolval(_)) => Some(BOOL),
                Some(pb::a_const::Val::Fval(_) | pb::a_const::Val::Sval(_) | pb::a_const::Val::Bsval(_)) | None => None,
            })),
            Tree::SetToDefault(_) | Tree::SqlvalueFunction(_) => Ok(Value::constant(None)),
            Tree::AExpr(e) => self.operator_expression(e, inner),
            Tree::BoolExpr(b) => {
                let all = self.expr_list(&b.args, inner)?;
                Ok(Value {
                    type_oid: Some(BOOL),
                    ..all
                })
            }
            Tree::NullTest(t) => {
                let value = self.expr_opt(t.arg.as_deref(), inner)?;
                Ok(Value {
                    type_oid: Some(BOOL),
                    constant: false,
                    ..value
                })
            }
            Tree::BooleanTest(t) => {
                let value = self.expr_opt(t.arg.as_deref(), inner)?;
                let total = value.total && value.type_oid == Some(BOOL);
                Ok(Value {
                    type_oid: Some(BOOL),
                    constant: false,
                    total,
                    ..value
                })
            }
            Tree::CoalesceExpr(c) => {
                let mut all = Value {
                    total: true,
                    ..Value::default()
                };
                for node in &c.args {
                    let value = self.expr(Tree::of(node)?, inner)?;
                    all.join_arm(value);
                }
                Ok(all)
            }
            Tree::CaseExpr(c) => self.case(c, inner),
            Tree::AArrayExpr(a) => {
                let bare = |n: &pb::Node| matches!(Tree::of(n), Ok(Tree::AConst(_) | Tree::ParamRef(_)));
                let constant = a.elements.iter().all(bare);
                let value = self.expr_list(&a.elements, inner)?;
                Ok(Value {
                    type_oid: None,
                    constant,
                    total: constant,
                    ..value
                })
            }
            Tree::TypeCast(c) => self.cast(c, inner),
            Tree::FuncCall(f) => self.call(f, inner),
            Tree::SubLink(s) => self.sub_link(s, inner),
            Tree::AIndirection(i) => self.indirection(i, inner),
            Tree::CurrentOfExpr(_) => {
                self.out.current_of = true;
                Ok(Value::default())
            }
            Tree::TypeName(t) => {
                self.type_name(t)?;
                Ok(Value::constant(None))
            }
            Tree::WindowDef(w) => self.window(w, place.scope, inner),
            Tree::SortBy(s) => {
                if !s.use_op.is_empty() {
                    self.operator(&s.use_op, usize::try_from(s.location).ok())?;
                }
                let value = self.expr_opt(s.node.as_deref(), inner)?;
                Ok(Value { total: false, ..value })
            }
            Tree::JsonArrayQueryConstructor(j) => {
                let mut value = self.below(Tree::JsonArrayQueryConstructor(j), inner)?;
                value.total = false;
                Ok(value)
            }
            Tree::SelectStmt(select) => {
                let columns = self.nested(select, place.scope, place.position)?;
                Ok(self.flows_from(&columns, place.position))
            }
            // A user-defined collation's name, a JSON or XML construct, and what only groups others:
            // what is below counts, and the whole may fail.
            Tree::CollateClause(_)
            | Tree::AIndices(_)
            | Tree::ResTarget(_)
            | Tree::MultiAssignRef(_)
            | Tree::CaseWhen(_)
            | Tree::MinMaxExpr(_)
            | Tree::RowExpr(_)
            | Tree::NamedArgExpr(_)
            | Tree::GroupingSet(_)
            | Tree::GroupingFunc(_)
            | Tree::XmlExpr(_)
            | Tree::XmlSerialize(_)
            | Tree::MergeSupportFunc(_)
            | Tree::List(_)
            | Tree::JsonFuncExpr(_)
            | Tree::JsonObjectConstructor(_)
            | Tree::JsonArrayConstructor(_)
            | Tree::JsonObjectAgg(_)
            | Tree::JsonArrayAgg(_)
            | Tree::JsonParseExpr(_)
            | Tree::JsonScalarExpr(_)
            | Tree::JsonSerializeExpr(_)
            | Tree::JsonIsPredicate(_)
            | Tree::JsonKeyValue(_)
            | Tree::JsonValueExpr(_)
            | Tree::JsonOutput(_)
            | Tree::JsonReturning(_)
            | Tree::JsonArgument(_)
            | Tree::JsonBehavior(_)
            | Tree::JsonAggConstructor(_)
            | Tree::JsonTablePathSpec(_) => {
                let value = self.below(tree, inner)?;
                let total = value.total && matches!(tree, Tree::List(_));
                Ok(Value {
                    total,
                    constant: false,
                    ..value
                })
            }
            Tree::String(_)
            | Tree::Integer(_)
            | Tree::Float(_)
            | Tree::Boolean(_)
            | Tree::BitString(_)
            | Tree::JsonFormat(_) => Ok(Value::constant(None)),
            // Never below an expression.
            Tree::Alias(_)
            | Tree::RangeVar(_)
            | Tree::AStar(_)
            | Tree::RangeSubselect(_)
            | Tree::RangeFunction(_)
            | Tree::RangeTableFunc(_)
            | Tree::RangeTableFuncCol(_)
            | Tree::RangeTableSample(_)
            | Tree::JoinExpr(_)
            | Tree::JsonTable(_)
            | Tree::JsonTableColumn(_)
            | Tree::ColumnDef(_)
            | Tree::WithClause(_)
            | Tree::CommonTableExpr(_)
            | Tree::CtesearchClause(_)
            | Tree::CtecycleClause(_)
            | Tree::LockingClause(_)
            | Tree::IntoClause(_)
            | Tree::OnConflictClause(_)
            | Tree::InferClause(_)
            | Tree::IndexElem(_)
            | Tree::MergeWhenClause(_)
            | Tree::DefElem(_)
            | Tree::ReturningClause(_)
            | Tree::ReturningOption(_)
            | Tree::InsertStmt(_)
            | Tree::UpdateStmt(_)
            | Tree::DeleteStmt(_)
            | Tree::MergeStmt(_)
            | Tree::PrepareStmt(_)
            | Tree::ExecuteStmt(_)
            | Tree::DeallocateStmt(_)
            | Tree::DeclareCursorStmt(_)
            | Tree::FetchStmt(_)
            | Tree::ClosePortalStmt(_)
            | Tree::ExplainStmt(_)
            | Tree::CopyStmt(_)
            | Tree::VariableSetStmt(_)
            | Tree::VariableShowStmt(_)
            | Tree::TransactionStmt(_)
            | Tree::DiscardStmt(_)
            | Tree::ConstraintsSetStmt(_)
            | Tree::UnlistenStmt(_)
            | Tree::ListenStmt(_)
            | Tree::NotifyStmt(_)
            | Tree::LockStmt(_)
            | Tree::CreateTableAsStmt(_) => Err(Problem::refuse(
                Code::NotUnderstood,
                "this expression is not understood",
                None,
            )),
        }
    }

    /// All children of a node, as expressions.
    fn below(&mut self, tree: Tree<'_>, place: Place<'_>) -> Result<Value> {
        let mut all = Value {
            total: true,
            ..Value::default()
        };
        let mut problem = None;
        tree.each_child(&mut |child| {
            if problem.is_none() {
                match self.expr(child, place) {
                    Ok(value) => {
                        all.sources.extend(value.sources);
                        all.total &= value.total;
                    }
                    Err(p) => problem = Some(p),
                }
            }
            Ok(())
        })?;
        problem.map_or(Ok(all), Err)
    }

    fn operator_expression(&mut self, e: &pb::AExpr, place: Place<'_>) -> Result<Value> {
        use pb::AExprKind as Kind;
        let position = usize::try_from(e.location).ok();
        let kind = Kind::try_from(e.kind).unwrap_or(Kind::Undefined);
        let name = parts(&e.name).last().map(|n| (*n).to_owned()).unwrap_or_default();
        match kind {
            // The grammar names these by keyword; what they call is `<=`, `>=`, `=`.
            Kind::AexprBetween | Kind::AexprNotBetween | Kind::AexprBetweenSym | Kind::AexprNotBetweenSym => {
                self.implied_operators(&["<", "<=", ">", ">="], position)?;
            }
            Kind::AexprOp
            | Kind::AexprOpAny
            | Kind::AexprOpAll
            | Kind::AexprDistinct
            | Kind::AexprNotDistinct
            | Kind::AexprNullif
            | Kind::AexprIn
            | Kind::AexprLike
            | Kind::AexprIlike
            | Kind::AexprSimilar => {
                self.operator(&e.name, position)?;
            }
            Kind::Undefined => {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this operator is not understood",
                    position,
                ));
            }
        }
        let left = self.expr_opt(e.lexpr.as_deref(), place)?;
        let right = self.expr_opt(e.rexpr.as_deref(), place)?;
        let both = left.total && right.total;
        let total = both
            && match kind {
                Kind::AexprOp | Kind::AexprDistinct | Kind::AexprNotDistinct => {
                    self.total_operator(&name, &left, &right)
                }
                Kind::AexprIn => self.total_list("=", &left, e.rexpr.as_deref()),
                Kind::AexprBetween | Kind::AexprNotBetween | Kind::AexprBetweenSym | Kind::AexprNotBetweenSym => {
                    self.total_list("<=", &left, e.rexpr.as_deref())
                }
                Kind::AexprOpAny | Kind::AexprOpAll => self.total_any(&name, &left, &right),
                Kind::AexprLike | Kind::AexprIlike => self.is_text(&left) && like_pattern_is_total(e.rexpr.as_deref()),
                Kind::AexprNullif | Kind::AexprSimilar | Kind::Undefined => false,
            };
        let mut sources = left.sources;
        sources.extend(right.sources);
        let comparison = !matches!(kind, Kind::AexprNullif | Kind::AexprOp)
            || matches!(name.as_str(), "=" | "<>" | "<" | ">" | "<=" | ">=" | "~" | "!~");
        Ok(Value {
            sources,
            type_oid: comparison.then_some(BOOL),
            constant: false,
            total,
        })
    }

    fn cast(&mut self, cast: &pb::TypeCast, place: Place<'_>) -> Result<Value> {
        let value = self.expr_opt(cast.arg.as_deref(), place)?;
        let target = match &cast.type_name {
            Some(name) => self.type_name(name)?,
            None => None,
        };
        let same = target.is_some() && target == value.type_oid;
        // Any built-in scalar prints as text without fail. A literal is cast before any row is seen, and so
        // is a parameter that takes its type from the cast; any other cast may be made for each row.
        let cast_once = match cast.arg.as_deref().map(Tree::of) {
            Some(Ok(Tree::AConst(_))) => true,
            Some(Ok(Tree::ParamRef(p))) => {
                let bare = cast.type_name.as_ref().is_some_and(|t| t.typmods.is_empty());
                bare && target.is_some_and(|t| self.parameters.takes_type_of_cast(p.number, t))
            }
            _ => false, // looks at rows, perhaps
        };
        let prints = target == Some(TEXT)
            && value
                .type_oid
                .and_then(|t| self.env.catalog.type_by_oid(t))
                .is_some_and(|t| t.name.schema == "pg_catalog" && matches!(t.category, 'B' | 'D' | 'N' | 'S' | 'T'));
        let total = value.total && (cast_once || same || prints);
        Ok(Value {
            type_oid: target,
            total,
            constant: value.constant && total,
            ..value
        })
    }

    fn sub_link(&mut self, link: &pb::SubLink, place: Place<'_>) -> Result<Value> {
        use pb::SubLinkType as Kind;
        let kind = Kind::try_from(link.sub_link_type).unwrap_or(Kind::Undefined);
        let at = usize::try_from(link.location).ok();
        if !link.oper_name.is_empty() {
            self.operator(&link.oper_name, at)?;
        } else if link.testexpr.is_some() {
            self.implied_operators(&["="], at)?;
        }
        let test = self.expr_opt(link.testexpr.as_deref(), place)?;
        let Some(Ok(Tree::SelectStmt(select))) = link.subselect.as_deref().map(Tree::of) else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this sub-query is not understood",
                None,
            ));
        };
        let position = match kind {
            Kind::ExistsSublink => None,
            Kind::AllSublink
            | Kind::AnySublink
            | Kind::RowcompareSublink
            | Kind::ExprSublink
            | Kind::MultiexprSublink
            | Kind::ArraySublink => place.position,
            Kind::CteSublink | Kind::Undefined => {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this sub-query is not understood",
                    None,
                ));
            }
        };
        let columns = self.nested(select, place.scope, position)?;
        let mut value = match kind {
            Kind::ExprSublink | Kind::MultiexprSublink | Kind::ArraySublink => self.flows_from(&columns, position),
            _ => {
                self.flows_from(&columns, position);
                Value {
                    type_oid: Some(BOOL),
                    ..Value::default()
                }
            }
        };
        // EXISTS and IN over total conditions are total themselves; a scalar sub-query may give two rows.
        value.total = match (kind, columns.as_slice()) {
            (Kind::ExistsSublink, _) => true,
            (Kind::AnySublink, [only]) => {
                let operator = link.oper_name.last().and_then(string_of).unwrap_or("=");
                let other = Value {
                    type_oid: only.type_oid,
                    ..Value::default()
                };
                test.total && self.total_operator(operator, &test, &other)
            }
            _ => false, // compares several values, or may fail
        };
        value.sources.extend(test.sources);
        Ok(value)
    }

    /// What flows out of a sub-query whose value is used at a position.
    pub(super) fn flows_from(&mut self, columns: &[OutputColumn], position: Option<Position>) -> Value {
        let sources: Sources = columns.iter().flat_map(|c| c.sources.iter().copied()).collect();
        self.use_columns(&sources, position);
        let type_oid = match columns {
            [only] => only.type_oid,
            _ => None,
        };
        Value {
            sources,
            type_oid,
            constant: false,
            total: false,
        }
    }

    fn indirection(&mut self, indirection: &pb::AIndirection, place: Place<'_>) -> Result<Value> {
        let mut value = self.expr_opt(indirection.arg.as_deref(), place)?;
        for step in &indirection.indirection {
            match Tree::of(step)? {
                Tree::String(field) => {
                    let own = self.whole_row_has(indirection.arg.as_deref(), &field.sval, place.scope);
                    if !own {
                        self.field_selection(&field.sval, None)?;
                    }
                }
                Tree::AStar(_) => {}
                other => {
                    let index = self.expr(other, place)?;
                    value.sources.extend(index.sources);
                }
            }
        }
        Ok(Value {
            type_oid: None,
            total: false,
            constant: false,
            sources: value.sources,
        })
    }

    /// Whether `(name).field` is a column of the item `name`.
    fn whole_row_has(&self, arg: Option<&pb::Node>, field: &str, scope: &Scope<'_>) -> bool {
        let Some(Ok(Tree::ColumnRef(c))) = arg.map(Tree::of) else {
            return false;
        };
        let [only] = c.fields.as_slice() else { return false };
        let Some(name) = string_of(only) else { return false };
        scope
            .levels()
            .find_map(|level| level.items.iter().find(|i| i.name == name))
            .is_some_and(|item| item.columns.iter().any(|c| c.name == field))
    }

    /// Total where it compares nothing itself and its arms are of one type.
    fn case(&mut self, case: &pb::CaseExpr, place: Place<'_>) -> Result<Value> {
        if case.arg.is_some() {
            self.implied_operators(&["="], usize::try_from(case.location).ok())?;
        }
        let mut all = self.expr_opt(case.arg.as_deref(), place)?;
        let mut arms = Value {
            total: true,
            ..Value::default()
        };
        for node in &case.args {
            let Tree::CaseWhen(when) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this CASE is not understood",
                    None,
                ));
            };
            let condition = self.expr_opt(when.expr.as_deref(), place)?;
            all.total &= condition.total;
            all.sources.extend(condition.sources);
            arms.join_arm(self.expr_opt(when.result.as_deref(), place)?);
        }
        if case.defresult.is_some() {
            arms.join_arm(self.expr_opt(case.defresult.as_deref(), place)?);
        }
        arms.total &= all.total && case.arg.is_none();
        arms.sources.extend(all.sources);
        Ok(arms)
    }

    /// Whether the server's own grammar knows the construct. An older one would read some of them as
    /// calls of somebody's functions, or as columns.
    fn known_to_server(&self, tree: Tree<'_>) -> Result<()> {
        match tree {
            Tree::JsonObjectConstructor(_)
            | Tree::JsonArrayConstructor(_)
            | Tree::JsonArrayQueryConstructor(_)
            | Tree::JsonObjectAgg(_)
            | Tree::JsonArrayAgg(_)
            | Tree::JsonIsPredicate(_) => self.since(160_000, "this JSON construct", None),
            Tree::JsonFuncExpr(_)
            | Tree::JsonParseExpr(_)
            | Tree::JsonScalarExpr(_)
            | Tree::JsonSerializeExpr(_)
            | Tree::MergeSupportFunc(_) => self.since(170_000, "this construct", None),
            Tree::FuncCall(f) if f.funcformat == pb::CoercionForm::CoerceSqlSyntax as i32 => {
                match parts(&f.funcname).last() {
                    Some(&"system_user") => self.since(160_000, "SYSTEM_USER", usize::try_from(f.location).ok()),
                    Some(_) | None => Ok(()),
                }
            }
            _ => Ok(()), // older than every server that is served
        }
    }

    /// What only servers from this version on read as the grammar here does.
    pub(super) fn since(&self, version: u32, what: &str, position: Option<usize>) -> Result<()> {
        if self.env.catalog.server_version >= version {
            return Ok(());
        }
        let message = format!("{what} is not known to PostgreSQL before {}", version / 10_000);
        Err(Problem::refuse(Code::NotUnderstood, message, position))
    }
}
