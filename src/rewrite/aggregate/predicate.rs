//! Conditions on single rows (WHERE, ON) of a statistic: only what is sure not to fail, since an error
//! that some row causes would tell of it.

use pg_query::protobuf as pb;

use crate::catalog::{Oid, TypeKind, lists};
use crate::rewrite::plan::Refused;
use crate::sql::grammar::Tree;
use crate::sql::parsed::{constant_text, string_of};
use crate::sql::resolve::QualifiedKind;

use super::from::From;
use super::{Reading, sublink};

/// `pg_type.dat`
const BOOL: Oid = 16;
const TEXTS: [Oid; 2] = [25, 1043];
const TIMES: [Oid; 3] = [1082, 1114, 1184];

/// Types whose constants are read while the statement is planned.
const TYPES: [&str; 16] = [
    "bool",
    "date",
    "float4",
    "float8",
    "int2",
    "int4",
    "int8",
    "interval",
    "numeric",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
    "bpchar",
];

const UNITS: [&str; 8] = [
    "microsecond",
    "second",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

/// What is compared.
enum Operand {
    /// Its type, where it is known.
    Column(Option<Oid>),
    /// Read while planning: takes the other side's type.
    Constant,
    /// The clock, perhaps moved: a date or timestamp.
    Clock,
}

/// Refuses a condition that may fail.
pub(super) fn row_condition(reading: &Reading<'_, '_>, from: &From<'_>, node: &pb::Node) -> Result<(), Refused> {
    let Ok(tree) = Tree::of(node) else {
        return Err(reading.refuse("its condition is not understood", None));
    };
    match tree {
        Tree::BoolExpr(b) => b.args.iter().try_for_each(|arg| row_condition(reading, from, arg)),
        Tree::AConst(_) | Tree::ParamRef(_) => Ok(()),
        Tree::TypeCast(_) if is_constant(reading, node) => Ok(()),
        Tree::ColumnRef(reference) => match from.column(reading, reference)? {
            Some(found) if found.type_oid == Some(BOOL) => Ok(()),
            _ => Err(may_fail(reading, Some(reference.location))),
        },
        Tree::BooleanTest(test) => match test.arg.as_deref() {
            Some(arg) => row_condition(reading, from, arg),
            None => Err(may_fail(reading, None)),
        },
        Tree::NullTest(test) => operand(reading, from, test.arg.as_deref()).map(|_| ()),
        Tree::AExpr(e) => comparison(reading, from, e),
        Tree::SubLink(link) => sublink::condition(reading, from, link),
        _ => Err(may_fail(reading, None)),
    }
}

/// A sub-query stands in a condition that was read.
pub(super) fn has_query(node: &pb::Node) -> bool {
    fn below(tree: Tree<'_>) -> bool {
        if let Tree::SubLink(_) = tree {
            return true;
        }
        let mut found = false;
        let walked = tree.each_child(&mut |child| {
            found |= below(child);
            Ok(())
        });
        found || walked.is_err()
    }
    Tree::of(node).map_or(true, below)
}

pub(super) fn may_fail(reading: &Reading<'_, '_>, at: Option<i32>) -> Refused {
    reading.refuse(
        "its conditions on rows may only compare columns with constants, parameters, the time and each other",
        at,
    )
}

fn comparison(reading: &Reading<'_, '_>, from: &From<'_>, e: &pb::AExpr) -> Result<(), Refused> {
    use pb::AExprKind as Kind;
    let failing = || may_fail(reading, Some(e.location));
    let kind = Kind::try_from(e.kind).unwrap_or(Kind::Undefined);
    let names: Vec<&str> = e.name.iter().filter_map(string_of).collect();
    let operator = match names.as_slice() {
        [name] | ["pg_catalog", name] => *name,
        _ => return Err(failing()),
    };
    let left = operand(reading, from, e.lexpr.as_deref())?;
    let right: Vec<&pb::Node> = match e.rexpr.as_deref().map(|r| (r, Tree::of(r))) {
        Some((_, Ok(Tree::List(list)))) => list.items.iter().collect(),
        Some((node, Ok(_))) => vec![node],
        Some((_, Err(_))) | None => return Err(failing()),
    };
    let operators: &[&str] = match kind {
        Kind::AexprOp if matches!(operator, "=" | "<>" | "<" | "<=" | ">" | ">=") => std::slice::from_ref(&operator),
        Kind::AexprDistinct | Kind::AexprNotDistinct => &["="],
        Kind::AexprIn => std::slice::from_ref(&operator),
        Kind::AexprBetween | Kind::AexprNotBetween | Kind::AexprBetweenSym | Kind::AexprNotBetweenSym => &["<=", ">="],
        Kind::AexprLike | Kind::AexprIlike => return like(reading, &left, e),
        Kind::AexprOpAny if operator == "=" && is_parameter(&right) => &["="],
        Kind::AexprOp
        | Kind::AexprOpAny
        | Kind::AexprOpAll
        | Kind::AexprNullif
        | Kind::AexprSimilar
        | Kind::Undefined => return Err(failing()),
    };
    for node in right {
        let right = operand(reading, from, Some(node))?;
        if !operators.iter().all(|operator| total(reading, operator, &left, &right)) {
            return Err(failing());
        }
    }
    Ok(())
}

fn is_parameter(right: &[&pb::Node]) -> bool {
    matches!(right, [one] if matches!(Tree::of(one), Ok(Tree::ParamRef(_))))
}

/// A constant pattern without an escape cannot fail.
fn like(reading: &Reading<'_, '_>, left: &Operand, e: &pb::AExpr) -> Result<(), Refused> {
    let text = matches!(left, Operand::Column(Some(t)) if TEXTS.contains(t));
    let pattern = e.rexpr.as_deref().and_then(constant_text);
    match pattern {
        Some(pattern) if text && !pattern.contains('\\') => Ok(()),
        _ => Err(may_fail(reading, Some(e.location))),
    }
}

fn operand(reading: &Reading<'_, '_>, from: &From<'_>, node: Option<&pb::Node>) -> Result<Operand, Refused> {
    let Some(node) = node else {
        return Err(may_fail(reading, None));
    };
    if is_constant(reading, node) {
        return Ok(Operand::Constant);
    }
    if is_clock(reading, node) {
        return Ok(Operand::Clock);
    }
    match Tree::of(node) {
        Ok(Tree::ColumnRef(reference)) => match from.column(reading, reference)? {
            Some(found) => Ok(Operand::Column(found.type_oid)),
            None => Err(may_fail(reading, Some(reference.location))),
        },
        Ok(Tree::SubLink(link)) => sublink::value(reading, from, link).map(|()| Operand::Constant),
        _ => Err(may_fail(reading, None)),
    }
}

/// A constant or parameter, cast to a built-in type at most.
fn is_constant(reading: &Reading<'_, '_>, node: &pb::Node) -> bool {
    match Tree::of(node) {
        Ok(Tree::AConst(_) | Tree::ParamRef(_)) => true,
        Ok(Tree::TypeCast(cast)) => {
            let plain = matches!(
                cast.arg.as_deref().map(Tree::of),
                Some(Ok(Tree::AConst(_) | Tree::ParamRef(_)))
            );
            plain && cast.type_name.as_ref().is_some_and(|name| is_builtin(reading, name))
        }
        _ => false,
    }
}

fn is_builtin(reading: &Reading<'_, '_>, name: &pb::TypeName) -> bool {
    let names: Vec<&str> = name.names.iter().filter_map(string_of).collect();
    let elsewhere = reading.resolved.qualifications.iter().any(|q| {
        q.kind == QualifiedKind::Type && i32::try_from(q.location) == Ok(name.location) && q.schema != "pg_catalog"
    });
    let listed = match names.as_slice() {
        [name] | ["pg_catalog", name] => TYPES.contains(name),
        _ => false,
    };
    listed && !elsewhere && name.array_bounds.is_empty()
}

/// `now()`, `current_date` and the like, moved by a constant number of days or a short interval at most.
fn is_clock(reading: &Reading<'_, '_>, node: &pb::Node) -> bool {
    use pb::SqlValueFunctionOp as Op;
    match Tree::of(node) {
        Ok(Tree::SqlvalueFunction(f)) => matches!(
            Op::try_from(f.op),
            Ok(Op::SvfopCurrentDate | Op::SvfopCurrentTimestamp | Op::SvfopLocaltimestamp)
        ),
        Ok(Tree::FuncCall(call)) => is_clock_call(reading, call),
        Ok(Tree::AExpr(e)) => {
            let names: Vec<&str> = e.name.iter().filter_map(string_of).collect();
            e.kind == pb::AExprKind::AexprOp as i32
                && matches!(names.as_slice(), ["+" | "-"])
                && e.lexpr.as_deref().is_some_and(|left| is_clock(reading, left))
                && e.rexpr.as_deref().is_some_and(|right| is_step(reading, right))
        }
        Ok(Tree::TypeCast(cast)) => {
            let date = cast
                .type_name
                .as_ref()
                .is_some_and(|name| is_builtin(reading, name) && name.names.last().and_then(string_of) == Some("date"));
            date && cast.arg.as_deref().is_some_and(|arg| is_clock(reading, arg))
        }
        _ => false,
    }
}

fn is_clock_call(reading: &Reading<'_, '_>, call: &pb::FuncCall) -> bool {
    let plain = call.agg_order.is_empty() && call.agg_filter.is_none() && call.over.is_none() && !call.func_variadic;
    match (super::output::builtin_name(reading, call), call.args.as_slice()) {
        (Some("now" | "statement_timestamp" | "transaction_timestamp"), []) => plain,
        (Some("date_trunc"), [unit, clock]) => {
            plain && unit_text(unit).is_some_and(|unit| is_unit(&unit)) && is_clock(reading, clock)
        }
        _ => false,
    }
}

/// The text of a constant, which views cast to text.
pub(super) fn unit_text(node: &pb::Node) -> Option<String> {
    match Tree::of(node) {
        Ok(Tree::TypeCast(cast)) => constant_text(cast.arg.as_deref()?),
        _ => constant_text(node),
    }
}

pub(super) fn is_unit(unit: &str) -> bool {
    UNITS.contains(&unit) || unit == "quarter"
}

/// A number of days below 100,000, or an interval such as `'3 months'`.
fn is_step(reading: &Reading<'_, '_>, node: &pb::Node) -> bool {
    match Tree::of(node) {
        Ok(Tree::AConst(pb::AConst {
            val: Some(pb::a_const::Val::Ival(days)),
            ..
        })) => days.ival.abs() < 100_000,
        Ok(Tree::TypeCast(cast)) => {
            let interval = cast.type_name.as_ref().is_some_and(|name| {
                is_builtin(reading, name)
                    && name.names.last().and_then(string_of) == Some("interval")
                    && name.typmods.is_empty()
            });
            interval
                && cast
                    .arg
                    .as_deref()
                    .and_then(constant_text)
                    .is_some_and(|text| is_short_interval(&text))
        }
        _ => false,
    }
}

fn is_short_interval(text: &str) -> bool {
    let Some((number, unit)) = text.split_once(' ') else {
        return false;
    };
    let digits = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    digits && UNITS.contains(&unit.strip_suffix('s').unwrap_or(unit))
}

/// Whether an operator cannot fail between these.
fn total(reading: &Reading<'_, '_>, operator: &str, left: &Operand, right: &Operand) -> bool {
    match (left, right) {
        (Operand::Column(a), Operand::Column(b)) => comparable(reading, operator, *a, *b),
        (Operand::Column(a), Operand::Constant) | (Operand::Constant, Operand::Column(a)) => {
            comparable(reading, operator, *a, *a)
        }
        (Operand::Column(a), Operand::Clock) | (Operand::Clock, Operand::Column(a)) => {
            a.is_some_and(|a| TIMES.contains(&a))
        }
        (Operand::Constant | Operand::Clock, Operand::Constant | Operand::Clock) => true,
    }
}

/// Whether an operator cannot fail between the values of two columns.
pub(super) fn comparable(reading: &Reading<'_, '_>, operator: &str, a: Option<Oid>, b: Option<Oid>) -> bool {
    let type_of = |oid: Option<Oid>| reading.planner.env.catalog.type_by_oid(oid?);
    let (Some(left), Some(right)) = (type_of(a), type_of(b)) else {
        return false;
    };
    if left.kind == TypeKind::Enum {
        return left.oid == right.oid && matches!(operator, "=" | "<>");
    }
    left.name.schema == "pg_catalog"
        && right.name.schema == "pg_catalog"
        && lists::operator_total(operator, &left.name.name, &right.name.name)
}
