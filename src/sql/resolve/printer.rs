//! Calls of functions that print the text of a view, a rule, a function or a partition's bound: where the rules
//! protect anything they are left to the planner, which puts in their place what may be shown.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use super::names::{CallResult, Callee, parts};
use super::value::TEXT;
use super::{Printer, PrinterKind, Resolver};

impl Resolver<'_> {
    /// Notes such a call, if it is one that the planner can replace.
    pub(super) fn printer(&mut self, call: &pb::FuncCall) -> Option<Callee> {
        let names = parts(&call.funcname);
        let name = match names.as_slice() {
            [name] | ["pg_catalog", name] => *name,
            _ => return None,
        };
        let kind = match name {
            "pg_get_viewdef" => PrinterKind::View,
            "pg_get_ruledef" | "pg_get_function_sqlbody" | "pg_get_partition_constraintdef" => PrinterKind::Other,
            _ => return None,
        };
        let plain = call.agg_order.is_empty()
            && call.agg_filter.is_none()
            && call.over.is_none()
            && !call.agg_within_group
            && !call.agg_star
            && !call.agg_distinct
            && !call.func_variadic;
        let pretty = match call.args.as_slice() {
            [first] if is_positional(first) => None,
            [first, second] if is_positional(first) => Some(constant_bool(second)?),
            _ => return None,
        };
        let path = self.env.search_path.schemas();
        let mut found = self.env.catalog.functions_named(name);
        let named = |f: &crate::catalog::Function| f.name.schema == "pg_catalog" && (self.env.allowed)(f);
        let elsewhere = |f: &crate::catalog::Function| f.name.schema != "pg_catalog" && path.contains(&f.name.schema);
        if !plain || self.env.bare || found.any(|f| named(f) || (names.len() == 1 && elsewhere(f))) {
            return None;
        }
        self.out.printers.push(Printer {
            location: usize::try_from(call.location).ok()?,
            parts: names.len(),
            kind,
            pretty,
        });
        Some(Callee {
            result: CallResult::Scalar(Some(TEXT)),
            total: false,
        })
    }
}

fn is_positional(argument: &pb::Node) -> bool {
    !matches!(argument.node, Some(NodeEnum::NamedArgExpr(_)) | None)
}

fn constant_bool(node: &pb::Node) -> Option<bool> {
    match &node.node {
        Some(NodeEnum::AConst(c)) => match c.val {
            Some(pb::a_const::Val::Boolval(b)) => Some(b.boolval),
            _ => None, // PostgreSQL would cast it; nobody writes it so
        },
        _ => None, // anything else is known when the statement runs
    }
}
