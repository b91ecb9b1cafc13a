//! The name that PostgreSQL gives to an output column without one (`FigureColname`,
//! `parse_target.c`). Derived tables are known by these names, so they must be exact.

use pg_query::protobuf as pb;

use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

/// The name of an output column that is this expression.
pub(super) fn column_name(expression: Option<&pb::Node>) -> String {
    match expression.and_then(figure) {
        Some((name, _)) => name,
        None => "?column?".to_owned(),
    }
}

/// How sure PostgreSQL is of a name: a weak one (`case`, a type's name) gives way to an inner one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Weak,
    Strong,
}

fn strong(name: &str) -> Option<(String, Strength)> {
    Some((name.to_owned(), Strength::Strong))
}

fn figure_opt(node: Option<&pb::Node>) -> Option<(String, Strength)> {
    node.and_then(figure)
}

fn figure(node: &pb::Node) -> Option<(String, Strength)> {
    match Tree::of(node).ok()? {
        Tree::ColumnRef(c) => strong(c.fields.iter().rev().find_map(string_of)?),
        Tree::AIndirection(i) => match i.indirection.iter().rev().find_map(string_of) {
            Some(field) => strong(field),
            None => figure_opt(i.arg.as_deref()),
        },
        Tree::FuncCall(f) => strong(f.funcname.last().and_then(string_of)?),
        Tree::AExpr(e) if e.kind == pb::AExprKind::AexprNullif as i32 => strong("nullif"),
        Tree::TypeCast(c) => match figure_opt(c.arg.as_deref()) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            weak => match c.type_name.as_ref().and_then(|t| t.names.last()).and_then(string_of) {
                Some(name) => Some((name.to_owned(), Strength::Weak)),
                None => weak,
            },
        },
        Tree::CollateClause(c) => figure_opt(c.arg.as_deref()),
        Tree::GroupingFunc(_) => strong("grouping"),
        Tree::MergeSupportFunc(_) => strong("merge_action"),
        Tree::SubLink(s) => sub_link(s),
        Tree::CaseExpr(c) => match figure_opt(c.defresult.as_deref()) {
            Some((name, Strength::Strong)) => Some((name, Strength::Strong)),
            Some(_) | None => Some(("case".to_owned(), Strength::Weak)),
        },
        Tree::AArrayExpr(_) => strong("array"),
        Tree::RowExpr(_) => strong("row"),
        Tree::CoalesceExpr(_) => strong("coalesce"),
        Tree::MinMaxExpr(m) => strong(if m.op == pb::MinMaxOp::IsGreatest as i32 {
            "greatest"
        } else {
            "least"
        }),
        Tree::SqlvalueFunction(f) => strong(value_function(f.op)?),
        Tree::XmlExpr(x) => strong(xml(x.op)?),
        Tree::XmlSerialize(_) => strong("xmlserialize"),
        Tree::JsonParseExpr(_) => strong("json"),
        Tree::JsonScalarExpr(_) => strong("json_scalar"),
        Tree::JsonSerializeExpr(_) => strong("json_serialize"),
        Tree::JsonObjectConstructor(_) => strong("json_object"),
        Tree::JsonArrayConstructor(_) | Tree::JsonArrayQueryConstructor(_) => strong("json_array"),
        Tree::JsonObjectAgg(_) => strong("json_objectagg"),
        Tree::JsonArrayAgg(_) => strong("json_arrayagg"),
        Tree::JsonFuncExpr(j) => match pb::JsonExprOp::try_from(j.op) {
            Ok(pb::JsonExprOp::JsonExistsOp) => strong("json_exists"),
            Ok(pb::JsonExprOp::JsonQueryOp) => strong("json_query"),
            Ok(pb::JsonExprOp::JsonValueOp) => strong("json_value"),
            Ok(pb::JsonExprOp::JsonTableOp | pb::JsonExprOp::Undefined) | Err(_) => None,
        },
        _ => None, // naming only: everything else is `?column?`, as in PostgreSQL
    }
}

fn sub_link(link: &pb::SubLink) -> Option<(String, Strength)> {
    match pb::SubLinkType::try_from(link.sub_link_type) {
        Ok(pb::SubLinkType::ExistsSublink) => strong("exists"),
        Ok(pb::SubLinkType::ArraySublink) => strong("array"),
        Ok(pb::SubLinkType::ExprSublink) => {
            let Tree::SelectStmt(mut select) = Tree::of(link.subselect.as_deref()?).ok()? else {
                return None;
            };
            while let Some(left) = &select.larg {
                select = left;
            }
            let Tree::ResTarget(first) = Tree::of(select.target_list.first()?).ok()? else {
                return None;
            };
            if first.name.is_empty() {
                figure_opt(first.val.as_deref())
            } else {
                strong(&first.name)
            }
        }
        _ => None, // ANY, ALL and the rest have no name of their own
    }
}

fn value_function(op: i32) -> Option<&'static str> {
    use pb::SqlValueFunctionOp as Op;
    Some(match Op::try_from(op).ok()? {
        Op::SvfopCurrentDate => "current_date",
        Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => "current_time",
        Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => "current_timestamp",
        Op::SvfopLocaltime | Op::SvfopLocaltimeN => "localtime",
        Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => "localtimestamp",
        Op::SvfopCurrentRole => "current_role",
        Op::SvfopCurrentUser => "current_user",
        Op::SvfopUser => "user",
        Op::SvfopSessionUser => "session_user",
        Op::SvfopCurrentCatalog => "current_catalog",
        Op::SvfopCurrentSchema => "current_schema",
        Op::SqlvalueFunctionOpUndefined => return None,
    })
}

fn xml(op: i32) -> Option<&'static str> {
    use pb::XmlExprOp as Op;
    Some(match Op::try_from(op).ok()? {
        Op::IsXmlconcat => "xmlconcat",
        Op::IsXmlelement => "xmlelement",
        Op::IsXmlforest => "xmlforest",
        Op::IsXmlparse => "xmlparse",
        Op::IsXmlpi => "xmlpi",
        Op::IsXmlroot => "xmlroot",
        Op::IsXmlserialize => "xmlserialize",
        Op::IsDocument | Op::Undefined => return None,
    })
}
