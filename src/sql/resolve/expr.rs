//! Expressions: the columns they use, what may flow out of them, and whether they are total.

use pg_query::protobuf as pb;

use crate::catalog::lists;
use crate::catalog::{Oid, TypeKind};
use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::parsed::{set_config_call, string_of};

use super::group::Met;
use super::names::{Callee, parts};
use super::scope::{Item, Scope, Sources};
use super::{BaseColumn, LongReference, OutputColumn, Problem, Resolver, Result, TargetReference};

/// Columns that every stored table has besides its own (`system_columns`, heap.c).
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];

/// `bool`, `int4`, `text` of `pg_type.dat`: fixed in every server.
pub(super) const BOOL: Oid = 16;
const INT4: Oid = 23;
const TEXT: Oid = 25;

/// Domains over domains are followed so far.
const MAX_DOMAINS: usize = 16;

/// What an expression is, as far as we need to know.
#[derive(Debug, Clone, Default)]
pub(super) struct Value {
    pub sources: Sources,
    pub type_oid: Option<Oid>,
    /// A literal or parameter: takes the type of what it is compared with.
    pub constant: bool,
    /// Cannot fail and has no effect, whatever the rows hold.
    pub total: bool,
}

impl Value {
    /// One of several values of which one is taken: where their types differ, it is cast.
    fn join_arm(&mut self, arm: Self) {
        let alike = arm.constant || self.type_oid.is_none() || arm.type_oid == self.type_oid;
        self.total &= arm.total && alike && (arm.constant || arm.type_oid.is_some());
        self.sources.extend(arm.sources);
        if !arm.constant {
            self.type_oid = arm.type_oid;
        }
    }
    pub(super) fn constant(type_oid: Option<Oid>) -> Self {
        Self {
            type_oid,
            constant: true,
            total: true,
            ..Self::default()
        }
    }
}

/// Where a column reference stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'s> {
    pub scope: &'s Scope<'s>,
    /// `None`: in a derived table, whose columns count where they are used.
    pub position: Option<Position>,
    /// Directly an output column without a name, or inside one.
    pub returning: Returning,
}

/// How a reference stands in a list of outputs: their names must stay.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Returning {
    No,
    Inside,
    Whole,
}

impl Returning {
    /// How the value of an output column stands.
    pub(super) fn of(target: &pb::ResTarget) -> Self {
        match target.val.as_deref().map(Tree::of) {
            Some(Ok(Tree::ColumnRef(_))) if target.name.is_empty() => Self::Whole,
            _ => Self::Inside,
        }
    }
}

impl<'s> Place<'s> {
    pub fn new(scope: &'s Scope<'s>, position: Option<Position>) -> Self {
        Self {
            scope,
            position,
            returning: Returning::No,
        }
    }
    fn inside(self) -> Self {
        let returning = match self.returning {
            Returning::No => Returning::No,
            Returning::Inside | Returning::Whole => Returning::Inside,
        };
        Self { returning, ..self }
    }
}

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
            Tree::ParamRef(_) => Ok(Value::constant(None)),
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
            | Tree::UnlistenStmt(_) => Err(Problem::refuse(
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
                Kind::AexprOpAny | Kind::AexprOpAll => {
                    right.constant && self.total_operator(&name, &left, &Value::constant(None))
                }
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

    fn is_text(&self, value: &Value) -> bool {
        matches!(value.type_oid, Some(TEXT | 1043))
    }

    /// The name by which the list of total operators knows a type: of a domain, that of its base.
    fn listed_type(&self, oid: Oid) -> Option<&str> {
        let mut found = self.env.catalog.type_by_oid(oid)?;
        for _ in 0..MAX_DOMAINS {
            match found.kind {
                TypeKind::Domain(base) => found = self.env.catalog.type_by_oid(base)?,
                TypeKind::Enum => return Some("anyenum"),
                TypeKind::Base | TypeKind::Composite(_) | TypeKind::Pseudo | TypeKind::Range | TypeKind::Multirange => {
                    return (found.name.schema == "pg_catalog").then_some(&found.name.name);
                }
            }
        }
        None
    }

    fn total_operator(&self, name: &str, left: &Value, right: &Value) -> bool {
        let type_name = |v: &Value| v.type_oid.and_then(|t| self.listed_type(t));
        let (left_type, right_type) = match (type_name(left), type_name(right)) {
            (Some(l), Some(r)) => (l, r),
            // A literal or parameter takes the other side's type.
            (Some(l), None) if right.constant => (l, l),
            (None, Some(r)) if left.constant => (r, r),
            (None, None) if left.constant && right.constant => return true,
            _ => return false,
        };
        lists::operator_total(name, left_type, right_type)
    }

    /// A comparison with a literal or parameter.
    pub(super) fn total_with_constant(&self, operator: &str, column: &OutputColumn) -> bool {
        let value = Value {
            type_oid: column.type_oid,
            total: true,
            ..Value::default()
        };
        self.total_operator(operator, &value, &Value::constant(None))
    }

    /// The equality of a merged join column.
    pub(super) fn total_join(&self, left: Option<&OutputColumn>, right: Option<&OutputColumn>) -> bool {
        let value = |c: &OutputColumn| Value {
            type_oid: c.type_oid,
            total: true,
            ..Value::default()
        };
        matches!((left, right), (Some(l), Some(r)) if self.total_operator("=", &value(l), &value(r)))
    }

    fn total_list(&self, operator: &str, left: &Value, right: Option<&pb::Node>) -> bool {
        let Some(Ok(Tree::List(list))) = right.map(Tree::of) else {
            return false;
        };
        let constants = list
            .items
            .iter()
            .all(|n| matches!(Tree::of(n), Ok(Tree::AConst(_) | Tree::ParamRef(_))));
        constants && self.total_operator(operator, left, &Value::constant(None))
    }

    fn cast(&mut self, cast: &pb::TypeCast, place: Place<'_>) -> Result<Value> {
        let value = self.expr_opt(cast.arg.as_deref(), place)?;
        let target = match &cast.type_name {
            Some(name) => self.type_name(name)?,
            None => None,
        };
        let same = target.is_some() && target == value.type_oid;
        // Any built-in scalar prints as text without fail. A literal is cast before any row is seen; a
        // parameter or a cast of a cast may be cast once for each row.
        let literal = matches!(cast.arg.as_deref().map(Tree::of), Some(Ok(Tree::AConst(_))));
        let prints = target == Some(TEXT)
            && value
                .type_oid
                .and_then(|t| self.env.catalog.type_by_oid(t))
                .is_some_and(|t| t.name.schema == "pg_catalog" && matches!(t.category, 'B' | 'D' | 'N' | 'S' | 'T'));
        let total = value.total && (literal || same || prints);
        Ok(Value {
            type_oid: target,
            total,
            constant: value.constant && total,
            ..value
        })
    }

    fn call(&mut self, call: &pb::FuncCall, place: Place<'_>) -> Result<Value> {
        let callee = self.check_call(call, place)?;
        let aggregate = call.over.is_none() && self.is_aggregate(call);
        let before = if aggregate { self.met.clone() } else { Met::new() };
        let mut all = self.expr_list(&call.args, place)?;
        let order = self.expr_list(&call.agg_order, place)?;
        let filter = self.expr_opt(call.agg_filter.as_deref(), place)?;
        if aggregate {
            self.forget_own(&before, place.scope);
        }
        all.sources.extend(order.sources);
        all.sources.extend(filter.sources);
        if let Some(over) = &call.over {
            let window = self.window(over, place.scope, place)?;
            all.sources.extend(window.sources);
        }
        let type_oid = match callee.result {
            super::names::CallResult::Scalar(oid) => Some(oid),
            super::names::CallResult::Columns(_) | super::names::CallResult::Unknown => None,
        };
        Ok(Value {
            type_oid,
            total: callee.total && all.total,
            constant: false,
            sources: all.sources,
        })
    }

    fn is_aggregate(&self, call: &pb::FuncCall) -> bool {
        let name = parts(&call.funcname).last().copied().unwrap_or_default();
        self.env.catalog.functions_named(name).any(|f| f.kind == 'a')
    }

    /// Notes columns of a relation's use, for GROUP BY.
    pub(super) fn meet<'n>(&mut self, use_index: Option<usize>, names: impl Iterator<Item = &'n str>) {
        if let Some(index) = use_index {
            self.met.extend(names.map(|name| (index, name.to_owned())));
        }
    }

    /// Whether a call is allowed: settings only by constant, listed names; everything else by its list.
    fn check_call(&mut self, call: &pb::FuncCall, _place: Place<'_>) -> Result<Callee> {
        let position = usize::try_from(call.location).ok();
        let name = match parts(&call.funcname).as_slice() {
            [name] | ["pg_catalog", name] => (*name).to_owned(),
            _ => String::new(),
        };
        match name.as_str() {
            "set_config" => Err(Problem::refuse(
                Code::FunctionNotAllowed,
                "set_config is allowed only as an output of a SELECT without FROM, with a constant name and scope",
                position,
            )),
            "current_setting" => {
                let setting = call.args.first().and_then(crate::sql::parsed::constant_text);
                match setting {
                    Some(setting) if lists::may_show(&setting.to_ascii_lowercase()).is_ok() => {
                        if let (1, Some(location)) = (call.funcname.len(), position) {
                            self.qualify(location, "pg_catalog", super::QualifiedKind::Function);
                        }
                        Ok(Callee {
                            result: super::names::CallResult::Scalar(TEXT),
                            total: false,
                        })
                    }
                    Some(_) | None => Err(Problem::refuse(
                        Code::FunctionNotAllowed,
                        "current_setting is allowed only with the constant name of a harmless setting",
                        position,
                    )),
                }
            }
            _ => self.callee(call),
        }
    }

    /// An output of a SELECT that sets settings: each call was told apart already.
    pub(super) fn set_config_output(&mut self, call: &pb::FuncCall) -> Result<()> {
        let position = usize::try_from(call.location).ok();
        match set_config_call(call) {
            Some(change) => {
                crate::sql::setting::check(&change)
                    .map_err(|why| Problem::refuse(Code::StatementNotAllowed, why, position))?;
                if parts(&call.funcname).len() == 1
                    && let Some(location) = position
                {
                    self.qualify(location, "pg_catalog", super::QualifiedKind::Function);
                }
                Ok(())
            }
            None => Err(Problem::refuse(
                Code::FunctionNotAllowed,
                "set_config is allowed only with a constant name and scope",
                position,
            )),
        }
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

    pub(super) fn window(&mut self, window: &pb::WindowDef, scope: &Scope<'_>, place: Place<'_>) -> Result<Value> {
        let group = Place {
            scope,
            position: place.position.map(|_| Position::Group),
            ..place
        };
        let order = Place {
            scope,
            position: place.position.map(|_| Position::Order),
            ..place
        };
        let mut all = self.expr_list(&window.partition_clause, group)?;
        for value in [
            self.expr_list(&window.order_clause, order)?,
            self.expr_opt(window.start_offset.as_deref(), order)?,
            self.expr_opt(window.end_offset.as_deref(), order)?,
        ] {
            all.sources.extend(value.sources);
        }
        all.total = false;
        Ok(all)
    }

    /// Notes that columns are used.
    pub(super) fn use_columns(&mut self, sources: &Sources, position: Option<Position>) {
        self.out.touched.extend(sources.iter().copied());
        if let Some(position) = position {
            self.out.columns.extend(sources.iter().map(|c| (*c, position)));
        }
    }

    /// A column reference in an expression (`transformColumnRef`, parse_expr.c).
    fn column(&mut self, reference: &pb::ColumnRef, place: Place<'_>) -> Result<Value> {
        let at = usize::try_from(reference.location).ok();
        if let Some(Ok(Tree::AStar(_))) = reference.fields.last().map(Tree::of) {
            let items = self.star_items(reference, place.scope)?;
            return self.whole_rows(&items, place, at);
        }
        let fields = parts(&reference.fields);
        if fields.len() != reference.fields.len() {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this reference is not understood",
                at,
            ));
        }
        match fields.as_slice() {
            [name] => self.unqualified(name, reference, place),
            [.., relation, name] => {
                let item = self.item(&fields, relation, 1, place.scope, at)?;
                self.long_reference(&item, fields.len(), 1, place.scope, at)?;
                self.column_of(&item, name, fields.len(), place, at)
            }
            [] => Err(Problem::refuse(
                Code::NotUnderstood,
                "this reference is not understood",
                at,
            )),
        }
    }

    fn unqualified(&mut self, name: &str, reference: &pb::ColumnRef, place: Place<'_>) -> Result<Value> {
        let at = usize::try_from(reference.location).ok();
        let mut open: Option<Sources> = None;
        for level in place.scope.levels() {
            let found = matches_at(level, name);
            if found.is_empty() {
                if open.is_none() && level.items.iter().any(|i| i.open && !i.qualified_only) {
                    open = Some(
                        level
                            .items
                            .iter()
                            .filter(|i| i.open)
                            .flat_map(Item::all_sources)
                            .collect(),
                    );
                }
                continue;
            }
            let target = found.iter().any(|f| f.target);
            if open.is_some() && target {
                let message = format!("whether \"{name}\" is a column of the written table cannot be told");
                return Err(Problem::refuse(Code::NotUnderstood, message, at).hint("qualify the column's name"));
            }
            if let [
                Found {
                    system: Some(oid),
                    target,
                    ..
                },
            ] = found.as_slice()
            {
                return self.system_column(*oid, name, *target, at);
            }
            if target {
                self.target_reference(&found, 1, place, at)?;
            }
            return Ok(self.found(&found, open.unwrap_or_default(), place.position));
        }
        if let Some(sources) = open {
            self.use_columns(&sources, place.position);
            return Ok(Value {
                sources,
                ..Value::default()
            });
        }
        let row = place
            .scope
            .levels()
            .find_map(|l| l.items.iter().find(|i| i.name == name).cloned());
        match row {
            Some(item) => self.whole_rows(&[item], place, at),
            None => Err(Problem::postgres(
                "42703",
                format!("column \"{name}\" does not exist"),
                at,
            )),
        }
    }

    fn found(&mut self, found: &[Found], extra: Sources, position: Option<Position>) -> Value {
        for one in found {
            self.meet(one.use_index, std::iter::once(one.column.name.as_str()));
        }
        let mut sources = extra;
        sources.extend(found.iter().flat_map(|f| f.column.sources.iter().copied()));
        self.use_columns(&sources, position);
        self.out.named.extend(sources.iter().copied());
        let type_oid = match found {
            [only] => only.column.type_oid,
            _ => None,
        };
        Value {
            sources,
            type_oid,
            constant: false,
            total: true,
        }
    }

    fn column_of(
        &mut self,
        item: &Item,
        name: &str,
        parts: usize,
        place: Place<'_>,
        at: Option<usize>,
    ) -> Result<Value> {
        if let Some(column) = item.columns.iter().find(|c| c.name == name) {
            let found = [Found {
                column: column.clone(),
                use_index: item.use_index,
                system: None,
                target: item.target,
            }];
            if item.target {
                self.target_reference(&found, parts, place, at)?;
            }
            return Ok(self.found(&found, Sources::new(), place.position));
        }
        if let Some(oid) = item.relation
            && SYSTEM_COLUMNS.contains(&name)
        {
            return self.system_column(oid, name, item.target, at);
        }
        if item.open {
            self.field_selection(name, at)?;
            let sources = item.all_sources();
            self.use_columns(&sources, place.position);
            return Ok(Value {
                sources,
                ..Value::default()
            });
        }
        Err(Problem::postgres(
            "42703",
            format!("column {}.{name} does not exist", item.name),
            at,
        ))
    }

    fn system_column(&mut self, oid: Oid, name: &str, _target: bool, at: Option<usize>) -> Result<Value> {
        self.out.system_columns.push((oid, name.to_owned(), at.unwrap_or(0)));
        Ok(Value {
            total: true,
            ..Value::default()
        })
    }

    fn target_reference(&mut self, found: &[Found], parts: usize, place: Place<'_>, at: Option<usize>) -> Result<()> {
        let column = match found {
            [
                Found {
                    column, target: true, ..
                },
            ] => column,
            _ => return Err(Problem::postgres("42702", "column reference is ambiguous", at)),
        };
        let (Some(location), Some(base)) = (at, column.sources.iter().next()) else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this reference is not understood",
                at,
            ));
        };
        let output_name = match place.returning {
            Returning::No => None,
            Returning::Inside | Returning::Whole => Some(column.name.clone()),
        };
        let whole = place.returning == Returning::Whole;
        let nearer = nearer_names(place.scope, |item| item.target);
        let new = TargetReference {
            location,
            parts,
            column: base.column,
            output_name,
            whole,
            nearer,
        };
        if !self.out.target_references.contains(&new) {
            self.out.target_references.push(new);
        }
        Ok(())
    }

    /// Whole rows used as values: every column counts.
    fn whole_rows(&mut self, items: &[Item], place: Place<'_>, at: Option<usize>) -> Result<Value> {
        let mut sources = Sources::new();
        for item in items {
            if item.target {
                let message = "the whole row of a written table cannot be used";
                return Err(Problem::refuse(Code::NotUnderstood, message, at).hint("name the columns"));
            }
            sources.extend(item.all_sources());
        }
        self.use_columns(&sources, place.position);
        Ok(Value {
            sources,
            ..Value::default()
        })
    }

    /// The items that a star means: all of this level, or the one it names.
    pub(super) fn star_items(&mut self, reference: &pb::ColumnRef, scope: &Scope<'_>) -> Result<Vec<Item>> {
        let at = usize::try_from(reference.location).ok();
        let fields = parts(&reference.fields);
        match fields.as_slice() {
            [] => Ok(scope.items.iter().filter(|i| !i.qualified_only).cloned().collect()),
            [.., relation] => {
                let item = self.item(&fields, relation, 0, scope, at)?;
                self.long_reference(&item, fields.len() + 1, 1, scope, at)?;
                Ok(vec![item])
            }
        }
    }

    /// The item of that name that is nearest (`refnameNamespaceItem`); `fields` may carry schema and
    /// database before the name, and `behind` parts after it.
    fn item(
        &self,
        fields: &[&str],
        relation: &str,
        behind: usize,
        scope: &Scope<'_>,
        at: Option<usize>,
    ) -> Result<Item> {
        let before = fields
            .get(..fields.len().saturating_sub(1 + behind))
            .unwrap_or_default();
        let schema = match before {
            [] => None,
            [schema] => Some(*schema),
            [database, schema] if *database == self.env.catalog.database => Some(*schema),
            _ => {
                return Err(Problem::postgres(
                    "42P01",
                    "cross-database references are not implemented",
                    at,
                ));
            }
        };
        scope
            .levels()
            .find_map(|level| {
                level
                    .items
                    .iter()
                    .find(|i| i.name == relation && (schema.is_none() || i.schema.as_deref() == schema))
            })
            .cloned()
            .ok_or_else(|| {
                Problem::postgres(
                    "42P01",
                    format!("missing FROM-clause entry for table \"{relation}\""),
                    at,
                )
            })
    }

    /// `schema.table.column`: its schema goes where the table becomes a sub-select, so nothing nearer
    /// may bear the table's name.
    fn long_reference(
        &mut self,
        item: &Item,
        parts: usize,
        behind: usize,
        scope: &Scope<'_>,
        at: Option<usize>,
    ) -> Result<()> {
        let drop = parts.saturating_sub(1 + behind);
        if let (Some(location), Some(relation), true) = (at, item.named, drop > 0) {
            let is_it = |i: &Item| i.named == item.named && i.name == item.name && i.schema == item.schema;
            if nearer_names(scope, is_it).contains(&item.name) {
                let message = format!("\"{}\" stands for two tables here", item.name);
                return Err(Problem::refuse(Code::NotUnderstood, message, at).hint("give one of them another alias"));
            }
            let new = LongReference {
                location,
                drop,
                relation,
            };
            if !self.out.long_references.contains(&new) {
                self.out.long_references.push(new);
            }
        }
        Ok(())
    }
}

/// The names in scope that are nearer than the item, or beside it.
fn nearer_names(scope: &Scope<'_>, is_it: impl Fn(&Item) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    for level in scope.levels() {
        names.extend(level.items.iter().filter(|i| !is_it(i)).map(|i| i.name.clone()));
        if level.items.iter().any(&is_it) {
            break;
        }
    }
    names
}

/// A column that an unqualified name may mean at one level.
struct Found {
    column: OutputColumn,
    /// The use of the relation whose column it is.
    use_index: Option<usize>,
    system: Option<Oid>,
    target: bool,
}

fn matches_at(level: &Scope<'_>, name: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    let mut hidden: Vec<std::ops::Range<usize>> = Vec::new();
    // The outermost join's merged column is the one that is seen.
    for merged in level.merged.iter().rev().filter(|m| m.column.name == name) {
        if !hidden
            .iter()
            .any(|h| h.start <= merged.hides.start && merged.hides.end <= h.end)
        {
            found.push(Found {
                column: merged.column.clone(),
                use_index: None,
                system: None,
                target: false,
            });
            hidden.push(merged.hides.clone());
        }
    }
    for (i, item) in level.items.iter().enumerate() {
        if item.qualified_only || hidden.iter().any(|h| h.contains(&i)) {
            continue;
        }
        if let Some(column) = item.columns.iter().find(|c| c.name == name) {
            found.push(Found {
                column: column.clone(),
                use_index: item.use_index,
                system: None,
                target: item.target,
            });
        } else if let Some(oid) = item.relation
            && SYSTEM_COLUMNS.contains(&name)
        {
            found.push(Found {
                column: OutputColumn::default(),
                use_index: None,
                system: Some(oid),
                target: item.target,
            });
        }
    }
    found
}

/// LIKE with a constant pattern fails only where the pattern ends in the escape character
/// (`MatchText`, like_match.c).
fn like_pattern_is_total(pattern: Option<&pb::Node>) -> bool {
    match pattern.and_then(crate::sql::parsed::constant_text) {
        Some(text) => {
            let escapes = text.chars().rev().take_while(|c| *c == '\\').count();
            escapes % 2 == 0
        }
        None => false,
    }
}

/// A stored relation's columns as output columns.
pub(super) fn base_columns(relation: &crate::catalog::Relation) -> Vec<OutputColumn> {
    relation
        .columns
        .iter()
        .map(|c| OutputColumn {
            name: c.name.clone(),
            sources: Sources::from([BaseColumn {
                relation: relation.oid,
                column: c.number,
            }]),
            type_oid: Some(c.type_oid),
        })
        .collect()
}
