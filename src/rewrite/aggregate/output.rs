//! Outputs, group keys, HAVING and ORDER BY of a statistic.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use crate::catalog::Oid;
use crate::rewrite::plan::Refused;
use crate::sql::grammar::{Edit as _, Tree};
use crate::sql::parsed::string_of;
use crate::sql::resolve::QualifiedKind;

use super::from::{Found, From};
use super::level::Named;
use super::{Reading, predicate};

pub(super) const AGGREGATES: [&str; 24] = [
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
const TIMESTAMPS: [Oid; 2] = [1114, 1184];
pub(super) const INT8: Oid = 20;

/// Rows whose people are counted: those that pass a FILTER, with arguments that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counted {
    /// SQL of the arguments.
    columns: Vec<String>,
    /// SQL of the FILTER.
    filter: Option<String>,
}

/// Reads all that stands behind the groups; gives the conditions on their size, and the columns.
pub(super) fn read(
    reading: &Reading<'_, '_>,
    from: &From<'_>,
    select: &pb::SelectStmt,
) -> Result<(Vec<String>, Vec<Named>), Refused> {
    let mut outputs = Outputs {
        reading,
        from,
        keys: Keys::default(),
        counted: Vec::new(),
        aggregates: 0,
    };
    let mut named = Vec::new();
    for node in &select.target_list {
        let Ok(Tree::ResTarget(target)) = Tree::of(node) else {
            return Err(reading.refuse("its output is not understood", None));
        };
        let Some(value) = target.val.as_deref() else {
            return Err(reading.refuse("its output is not understood", Some(target.location)));
        };
        named.push((name_of(target), value));
    }
    for node in &select.group_clause {
        let node = outputs.output_meant(node, &named)?.unwrap_or(node);
        outputs.keys.add(reading, from, node)?;
    }
    for (_, value) in &named {
        outputs.behind_groups(value)?;
    }
    if outputs.aggregates == 0 && select.group_clause.is_empty() {
        return Err(reading.refuse("it neither groups nor aggregates", None));
    }
    if let Some(having) = select.having_clause.as_deref() {
        outputs.behind_groups(having)?;
    }
    for node in &select.sort_clause {
        outputs.order(node, &named)?;
    }
    let bounded = select.having_clause.is_some() || select.limit_count.is_some() || select.limit_offset.is_some();
    let sorted = !select.sort_clause.is_empty();
    let columns = named.iter().map(|(name, value)| Named {
        name: name.clone(),
        type_oid: outputs.type_of(value),
        of_another: false,
        measured: false,
        total: !bounded && !sorted && outputs.is_total(value),
    });
    Ok((outputs.sizes(), columns.collect()))
}

/// The group keys.
#[derive(Default)]
pub(super) struct Keys {
    /// As they stand, positions erased.
    nodes: Vec<pb::Node>,
    /// The columns among them: SQL, type.
    columns: Vec<(String, Option<Oid>)>,
}

impl Keys {
    /// A column, or a timestamp cut off at a unit.
    pub(super) fn add(&mut self, reading: &Reading<'_, '_>, from: &From<'_>, node: &pb::Node) -> Result<(), Refused> {
        let is_key = match Tree::of(node) {
            // A column of a query further out is of a single row there, whatever is grouped here.
            Ok(Tree::ColumnRef(reference)) => match from.column(reading, reference)?.filter(|f| f.depth == 0) {
                Some(found) => {
                    self.columns.push((found.sql, found.type_oid));
                    true
                }
                None => false,
            },
            Ok(Tree::FuncCall(call)) => cut_off(reading, from, call)?.is_some(),
            _ => false,
        };
        if !is_key {
            let why = "its group keys may only be columns, or date_trunc of a timestamp";
            return Err(reading.refuse(why, None));
        }
        self.nodes.push(erased(node));
        Ok(())
    }

    fn has(&self, node: NodeEnum) -> bool {
        self.nodes.contains(&erased(&pb::Node { node: Some(node) }))
    }

    pub(super) fn is_column(&self, found: &Found) -> bool {
        found.depth == 0 && self.columns.iter().any(|(sql, _)| *sql == found.sql)
    }

    pub(super) fn is_call(&self, call: &pb::FuncCall) -> bool {
        self.has(NodeEnum::FuncCall(Box::new(call.clone())))
    }
}

struct Outputs<'a, 'f, 'p> {
    reading: &'a Reading<'a, 'p>,
    from: &'a From<'f>,
    keys: Keys,
    counted: Vec<Counted>,
    aggregates: usize,
}

/// `date_trunc` of a timestamp, at a constant unit: its type.
pub(super) fn cut_off(reading: &Reading<'_, '_>, from: &From<'_>, call: &pb::FuncCall) -> Result<Option<Oid>, Refused> {
    let (Some("date_trunc"), [unit, value]) = (builtin_name(reading, call), call.args.as_slice()) else {
        return Ok(None);
    };
    let unit = predicate::unit_text(unit).is_some_and(|unit| predicate::is_unit(&unit));
    let Ok(Tree::ColumnRef(reference)) = Tree::of(value) else {
        return Ok(None);
    };
    let found = from.column(reading, reference)?.filter(|f| f.depth == 0);
    let found = found.and_then(|f| f.type_oid);
    Ok(found.filter(|t| unit && is_plain(call) && TIMESTAMPS.contains(t)))
}

impl Outputs<'_, '_, '_> {
    /// Each person's table, and each aggregate's rows, must be of enough people.
    fn sizes(&self) -> Vec<String> {
        let mut sizes = Vec::new();
        for (person, _) in self.from.people() {
            sizes.push(self.reading.size(&person));
            for Counted { columns, filter } in &self.counted {
                let known = columns.iter().map(|c| format!("{c} IS NOT NULL"));
                let all: Vec<String> = filter.iter().map(|f| format!("({f})")).chain(known).collect();
                let counted = format!("CASE WHEN {} THEN {person} END", all.join(" AND "));
                sizes.push(self.reading.size(&counted));
            }
        }
        sizes
    }

    /// A key, or an aggregate by itself.
    fn is_total(&self, value: &pb::Node) -> bool {
        match Tree::of(value) {
            Ok(Tree::ColumnRef(_)) => true,
            Ok(Tree::FuncCall(call)) => {
                self.keys.is_call(call)
                    || builtin_name(self.reading, call).is_some_and(|name| AGGREGATES.contains(&name))
            }
            _ => false,
        }
    }

    fn type_of(&self, value: &pb::Node) -> Option<Oid> {
        match Tree::of(value).ok()? {
            Tree::ColumnRef(reference) => self.from.column(self.reading, reference).ok()??.type_oid,
            Tree::FuncCall(call) if builtin_name(self.reading, call) == Some("count") => Some(INT8),
            Tree::FuncCall(call) => cut_off(self.reading, self.from, call).ok()?,
            _ => None,
        }
    }

    /// The output that a number, or a name that is no column's, means in GROUP BY.
    fn output_meant<'n>(
        &self,
        node: &pb::Node,
        named: &[(String, &'n pb::Node)],
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
    fn order(&mut self, node: &pb::Node, named: &[(String, &pb::Node)]) -> Result<(), Refused> {
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
        let tree = Tree::of(node).map_err(|unknown| self.reading.unknown(unknown))?;
        self.expression(tree)
    }

    fn expression(&mut self, tree: Tree<'_>) -> Result<(), Refused> {
        let none = "an output is neither a group key nor an aggregate";
        match tree {
            Tree::FuncCall(call) if self.keys.has(NodeEnum::FuncCall(Box::new(call.clone()))) => Ok(()),
            Tree::FuncCall(call) => self.call(call),
            Tree::ColumnRef(reference) if self.keys.has(NodeEnum::ColumnRef(reference.clone())) => Ok(()),
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
                .map_err(|unknown| self.reading.unknown(unknown))?;
                children.into_iter().try_for_each(|child| self.expression(child))
            }
            _ => Err(self.reading.refuse(none, None)),
        }
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
        if !is_plain_but_filter(call) {
            return Err(self
                .reading
                .refuse("OVER and ORDER BY in an aggregate are not served", at));
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
            let Some(column) = column.filter(|column| column.depth == 0) else {
                return Err(self.reading.refuse("an aggregate's arguments may only be columns", at));
            };
            if !column.measured {
                let why =
                    "an aggregate's arguments may only be columns of people's tables, not constants or other columns";
                return Err(self.reading.refuse(why, at));
            }
            columns.push(column.sql);
        }
        let filter = match call.agg_filter.as_deref() {
            None => None,
            Some(condition) => {
                predicate::row_condition(self.reading, self.from, condition)?;
                if predicate::has_query(condition) {
                    return Err(self.reading.refuse("sub-queries in FILTER are not served", at));
                }
                Some(self.reading.filter_text(call)?)
            }
        };
        self.aggregates += 1;
        let counted = Counted { columns, filter };
        if counted != Counted::default() && !self.counted.contains(&counted) {
            self.counted.push(counted);
        }
        Ok(())
    }
}

/// The output that a number means.
pub(super) fn item_meant<'n>(select: &'n pb::SelectStmt, node: &pb::Node) -> Option<&'n pb::Node> {
    let Ok(Tree::AConst(constant)) = Tree::of(node) else {
        return None;
    };
    let items: Vec<(String, &pb::Node)> = select
        .target_list
        .iter()
        .filter_map(|node| match Tree::of(node) {
            Ok(Tree::ResTarget(target)) => Some((String::new(), target.val.as_deref()?)),
            _ => None,
        })
        .collect();
    by_place(constant, &items)
}

/// The name of an output column, as far as one can be asked for by it.
pub(super) fn name_of(target: &pb::ResTarget) -> String {
    fn figure(node: &pb::Node) -> Option<&str> {
        match Tree::of(node).ok()? {
            Tree::ColumnRef(reference) => reference.fields.last().and_then(string_of),
            Tree::FuncCall(call) => call.funcname.last().and_then(string_of),
            Tree::TypeCast(cast) => figure(cast.arg.as_deref()?),
            _ => None,
        }
    }
    match target.name.as_str() {
        "" => target.val.as_deref().and_then(figure).unwrap_or_default().to_owned(),
        name => name.to_owned(),
    }
}

pub(super) fn is_star(reference: &pb::ColumnRef) -> bool {
    reference.fields.last().is_some_and(|last| string_of(last).is_none())
}

/// No FILTER, OVER, ORDER BY, WITHIN GROUP or VARIADIC.
pub(super) fn is_plain(call: &pb::FuncCall) -> bool {
    is_plain_but_filter(call) && call.agg_filter.is_none()
}

pub(super) fn is_plain_but_filter(call: &pb::FuncCall) -> bool {
    call.agg_order.is_empty() && call.over.is_none() && !call.agg_within_group && !call.func_variadic
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

fn by_place<'n>(constant: &pb::AConst, named: &[(String, &'n pb::Node)]) -> Option<&'n pb::Node> {
    let Some(pb::a_const::Val::Ival(number)) = &constant.val else {
        return None;
    };
    let index = usize::try_from(number.ival).ok()?.checked_sub(1)?;
    named.get(index).map(|(_, value)| *value)
}

fn by_name<'n>(reference: &pb::ColumnRef, named: &[(String, &'n pb::Node)]) -> Option<&'n pb::Node> {
    let [only] = reference.fields.as_slice() else {
        return None;
    };
    let name = string_of(only)?;
    named.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
}
