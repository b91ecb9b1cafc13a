//! Outputs, group keys, HAVING and ORDER BY of a statistic.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use crate::rewrite::plan::Refused;
use crate::sql::grammar::{Edit as _, Tree, Unknown};
use crate::sql::parsed::{constant_text, string_of};
use crate::sql::resolve::QualifiedKind;

use super::from::From;
use super::{Reading, predicate};

const AGGREGATES: [&str; 24] = [
    "count",
    "sum",
    "avg",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "variance",
    "var_pop",
    "var_samp",
    "bool_and",
    "bool_or",
    "every",
    "corr",
    "covar_pop",
    "covar_samp",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
];

/// Functions of one row that may be applied to a statistic.
const SCALARS: [&str; 36] = [
    "abs",
    "ceil",
    "ceiling",
    "floor",
    "round",
    "trunc",
    "sign",
    "sqrt",
    "power",
    "exp",
    "ln",
    "log",
    "mod",
    "div",
    "concat",
    "concat_ws",
    "format",
    "lower",
    "upper",
    "initcap",
    "length",
    "char_length",
    "left",
    "right",
    "substr",
    "substring",
    "btrim",
    "ltrim",
    "rtrim",
    "lpad",
    "rpad",
    "to_char",
    "date_trunc",
    "date_part",
    "extract",
    "to_date",
];

/// `timestamp`, `timestamptz` of `pg_type.dat`.
const TIMESTAMPS: [u32; 2] = [1114, 1184];

/// Reads all that stands behind the groups; gives the columns of each aggregate that has arguments, in
/// SQL, once each.
pub(super) fn read(
    reading: &Reading<'_, '_>,
    from: &From<'_>,
    select: &pb::SelectStmt,
) -> Result<Vec<Vec<String>>, Refused> {
    let mut outputs = Outputs {
        reading,
        from,
        keys: Vec::new(),
        arguments: Vec::new(),
        aggregates: 0,
    };
    let mut named = Vec::new();
    // The names that PostgreSQL gives, unless a star made more columns than items.
    let names = &reading.resolved.outputs;
    for (index, node) in select.target_list.iter().enumerate() {
        let Ok(Tree::ResTarget(target)) = Tree::of(node) else {
            return Err(reading.refuse("its output is not understood", None));
        };
        let Some(value) = target.val.as_deref() else {
            return Err(reading.refuse("its output is not understood", Some(target.location)));
        };
        let name = names.get(index).filter(|_| names.len() == select.target_list.len());
        named.push((name.map_or(target.name.as_str(), |n| n.name.as_str()), value));
    }
    for node in &select.group_clause {
        outputs.key(node, &named)?;
    }
    for (_, value) in &named {
        outputs.behind_groups(value)?;
    }
    if outputs.aggregates == 0 && outputs.keys.is_empty() {
        return Err(reading.refuse("its outermost SELECT neither groups nor aggregates", None));
    }
    if let Some(having) = select.having_clause.as_deref() {
        outputs.behind_groups(having)?;
    }
    for node in &select.sort_clause {
        outputs.order(node, &named)?;
    }
    Ok(outputs.arguments)
}

struct Outputs<'a, 'f, 'p> {
    reading: &'a Reading<'a, 'p>,
    from: &'a From<'f>,
    /// Group keys, positions erased.
    keys: Vec<pb::Node>,
    /// Columns of aggregates.
    arguments: Vec<Vec<String>>,
    aggregates: usize,
}

impl Outputs<'_, '_, '_> {
    /// A group key: a column, or a timestamp cut off at a unit; by itself, its place or its name.
    fn key(&mut self, node: &pb::Node, named: &[(&str, &pb::Node)]) -> Result<(), Refused> {
        let node = self.output_meant(node, named)?.unwrap_or(node);
        let is_key = match Tree::of(node) {
            Ok(Tree::ColumnRef(reference)) => self.from.column(self.reading, reference)?.is_some(),
            Ok(Tree::FuncCall(call)) => self.is_cut_off(call)?,
            _ => false,
        };
        if !is_key {
            let why = "its group keys may only be columns, or date_trunc of a timestamp";
            return Err(self.reading.refuse(why, None));
        }
        self.keys.push(erased(node));
        Ok(())
    }

    fn is_cut_off(&self, call: &pb::FuncCall) -> Result<bool, Refused> {
        let (Some("date_trunc"), [unit, value]) = (builtin_name(self.reading, call), call.args.as_slice()) else {
            return Ok(false);
        };
        let unit = constant_text(unit).is_some_and(|unit| predicate::is_unit(&unit));
        let Ok(Tree::ColumnRef(reference)) = Tree::of(value) else {
            return Ok(false);
        };
        let found = self.from.column(self.reading, reference)?;
        Ok(unit && is_plain(call) && found.is_some_and(|f| TIMESTAMPS.contains(&f.column.type_oid)))
    }

    /// The output that a number, or a name that is no column's, means in GROUP BY.
    fn output_meant<'n>(
        &self,
        node: &pb::Node,
        named: &[(&str, &'n pb::Node)],
    ) -> Result<Option<&'n pb::Node>, Refused> {
        match Tree::of(node) {
            Ok(Tree::AConst(constant)) => Ok(by_place(constant, named)),
            Ok(Tree::ColumnRef(reference)) if self.from.column(self.reading, reference)?.is_none() => {
                Ok(by_name(reference, named))
            }
            _ => Ok(None),
        }
    }

    /// ORDER BY: an output's place or name, or what could be an output.
    fn order(&mut self, node: &pb::Node, named: &[(&str, &pb::Node)]) -> Result<(), Refused> {
        let Ok(Tree::SortBy(sort)) = Tree::of(node) else {
            return Err(self.reading.refuse("its ORDER BY is not understood", None));
        };
        let (Some(value), []) = (sort.node.as_deref(), sort.use_op.as_slice()) else {
            return Err(self
                .reading
                .refuse("its ORDER BY is not understood", Some(sort.location)));
        };
        let is_output = match Tree::of(value) {
            Ok(Tree::AConst(constant)) => by_place(constant, named).is_some(),
            Ok(Tree::ColumnRef(reference)) => by_name(reference, named).is_some(),
            _ => false,
        };
        if is_output { Ok(()) } else { self.behind_groups(value) }
    }

    /// An expression over group keys and aggregates: what may fail may, since it runs behind HAVING.
    fn behind_groups(&mut self, node: &pb::Node) -> Result<(), Refused> {
        let tree = Tree::of(node).map_err(|unknown| self.unknown(unknown))?;
        self.expression(tree)
    }

    fn expression(&mut self, tree: Tree<'_>) -> Result<(), Refused> {
        let none = "an output is neither a group key nor an aggregate";
        match tree {
            Tree::FuncCall(call) if self.is_key(NodeEnum::FuncCall(Box::new(call.clone()))) => Ok(()),
            Tree::FuncCall(call) => self.call(call),
            Tree::ColumnRef(reference) if self.is_key(NodeEnum::ColumnRef(reference.clone())) => Ok(()),
            Tree::ColumnRef(reference) => Err(self.reading.refuse(none, Some(reference.location))),
            Tree::AConst(_) | Tree::ParamRef(_) | Tree::SqlvalueFunction(_) | Tree::String(_) => Ok(()),
            Tree::TypeCast(cast) => cast.arg.as_deref().map_or(Ok(()), |arg| self.behind_groups(arg)),
            Tree::AExpr(_)
            | Tree::BoolExpr(_)
            | Tree::CaseExpr(_)
            | Tree::CaseWhen(_)
            | Tree::CoalesceExpr(_)
            | Tree::MinMaxExpr(_)
            | Tree::NullTest(_)
            | Tree::BooleanTest(_)
            | Tree::List(_) => {
                let mut children: Vec<Tree<'_>> = Vec::new();
                tree.each_child(&mut |child| {
                    children.push(child);
                    Ok(())
                })
                .map_err(|unknown| self.unknown(unknown))?;
                children.into_iter().try_for_each(|child| self.expression(child))
            }
            _ => Err(self.reading.refuse(none, None)),
        }
    }

    fn is_key(&self, node: NodeEnum) -> bool {
        self.keys.contains(&erased(&pb::Node { node: Some(node) }))
    }

    fn unknown(&self, unknown: Unknown) -> Refused {
        self.reading.refuse(&format!("{} is not understood", unknown.0), None)
    }

    fn call(&mut self, call: &pb::FuncCall) -> Result<(), Refused> {
        let at = Some(call.location);
        let Some(name) = builtin_name(self.reading, call) else {
            return Err(self.reading.refuse("it calls a function that is not built in", at));
        };
        if AGGREGATES.contains(&name) {
            return self.aggregate(name, call);
        }
        if SCALARS.contains(&name) && is_plain(call) && !call.agg_distinct && !call.agg_star {
            return call.args.iter().try_for_each(|arg| self.behind_groups(arg));
        }
        Err(self
            .reading
            .refuse(&format!("{name} is not on the list of statistics"), at))
    }

    fn aggregate(&mut self, name: &str, call: &pb::FuncCall) -> Result<(), Refused> {
        let at = Some(call.location);
        if !is_plain(call) {
            return Err(self
                .reading
                .refuse("FILTER, OVER and ORDER BY in an aggregate are not served", at));
        }
        if call.agg_distinct && name != "count" {
            return Err(self.reading.refuse("DISTINCT is served in count only", at));
        }
        let mut columns = Vec::new();
        for argument in &call.args {
            let column = match Tree::of(argument) {
                Ok(Tree::ColumnRef(reference)) => self.from.column(self.reading, reference)?,
                _ => None,
            };
            let Some(column) = column else {
                return Err(self.reading.refuse("an aggregate's arguments may only be columns", at));
            };
            columns.push(column.sql);
        }
        self.aggregates += 1;
        if !columns.is_empty() && !self.arguments.contains(&columns) {
            self.arguments.push(columns);
        }
        Ok(())
    }
}

/// No FILTER, OVER, ORDER BY, WITHIN GROUP or VARIADIC.
fn is_plain(call: &pb::FuncCall) -> bool {
    call.agg_order.is_empty()
        && call.agg_filter.is_none()
        && call.over.is_none()
        && !call.agg_within_group
        && !call.func_variadic
}

/// The name of a built-in function, where the call is sure to mean it.
pub(super) fn builtin_name<'c>(reading: &Reading<'_, '_>, call: &'c pb::FuncCall) -> Option<&'c str> {
    let names: Vec<&str> = call.funcname.iter().filter_map(string_of).collect();
    match names.as_slice() {
        ["pg_catalog", name] => Some(*name),
        [name] => {
            let qualified = reading.resolved.qualifications.iter().any(|q| {
                q.kind == QualifiedKind::Function
                    && i32::try_from(q.location) == Ok(call.location)
                    && q.schema == "pg_catalog"
            });
            qualified.then_some(*name)
        }
        _ => None,
    }
}

fn erased(node: &pb::Node) -> pb::Node {
    let mut node = node.clone();
    node.erase_positions();
    node
}

fn by_place<'n>(constant: &pb::AConst, named: &[(&str, &'n pb::Node)]) -> Option<&'n pb::Node> {
    let Some(pb::a_const::Val::Ival(number)) = &constant.val else {
        return None;
    };
    let index = usize::try_from(number.ival).ok()?.checked_sub(1)?;
    named.get(index).map(|(_, value)| *value)
}

fn by_name<'n>(reference: &pb::ColumnRef, named: &[(&str, &'n pb::Node)]) -> Option<&'n pb::Node> {
    let [only] = reference.fields.as_slice() else {
        return None;
    };
    let name = string_of(only)?;
    named.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}
