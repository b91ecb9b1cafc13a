//! Function calls and windows: whether a call may be made, and what flows through it.

use pg_query::protobuf as pb;

use crate::catalog::lists;
use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::parsed::set_config_call;

use super::group::Met;
use super::names::{Callee, parts};
use super::scope::Scope;
use super::value::{Place, TEXT, Value};
use super::{Problem, Resolver, Result};

/// `varchar` of `pg_type.dat`
const VARCHAR: crate::catalog::Oid = 1043;

impl Resolver<'_> {
    pub(super) fn call(&mut self, call: &pb::FuncCall, place: Place<'_>) -> Result<Value> {
        let callee = match self.printer(call) {
            Some(callee) => callee,
            None => self.check_call(call, place)?,
        };
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
        // What goes where any session sees it, whatever its purpose.
        if let [.., "setval" | "pg_notify"] = parts(&call.funcname).as_slice() {
            self.out.outflows.extend(all.sources.iter().copied());
        }
        let type_oid = match callee.result {
            super::names::CallResult::Scalar(oid) => oid,
            super::names::CallResult::Columns(_) | super::names::CallResult::Unknown => None,
        };
        Ok(Value {
            type_oid,
            total: callee.total && all.total,
            constant: false,
            sources: all.sources,
        })
    }

    pub(super) fn is_aggregate(&self, call: &pb::FuncCall) -> bool {
        let name = parts(&call.funcname).last().copied().unwrap_or_default();
        self.env.catalog.functions_named(name).any(|f| f.kind == 'a')
    }

    /// Whether a call is allowed: settings only by constant, listed names; everything else by its list.
    pub(super) fn check_call(&mut self, call: &pb::FuncCall, _place: Place<'_>) -> Result<Callee> {
        let position = usize::try_from(call.location).ok();
        let name = match parts(&call.funcname).as_slice() {
            [name] | ["pg_catalog", name] => (*name).to_owned(),
            _ => String::new(),
        };
        match name.as_str() {
            "set_config" => Err(Problem::refuse(
                Code::FunctionNotAllowed,
                "set_config is allowed only as an output of a SELECT without FROM, WITH, WHERE and the like, with a \
                 constant name and scope",
                position,
            )),
            "current_setting" => {
                let setting = call.args.first().and_then(crate::sql::parsed::constant_text);
                let listed = setting.is_some_and(|name| lists::may_show(&name.to_ascii_lowercase()).is_ok());
                let parameter = match call.args.first() {
                    Some(name) if !listed => self.text_parameter(name)?,
                    Some(_) | None => None,
                };
                if !listed && parameter.is_none() {
                    return Err(Problem::refuse(Code::FunctionNotAllowed, lists::ONLY_LISTED, position));
                }
                self.out.setting_names.extend(parameter);
                if let (1, Some(location)) = (call.funcname.len(), position) {
                    self.qualify(location, "pg_catalog", super::QualifiedKind::Function);
                }
                Ok(Callee {
                    result: super::names::CallResult::Scalar(Some(TEXT)),
                    total: false,
                })
            }
            _ => self.callee(call),
        }
    }

    /// The parameter that an argument is, if its value is the text that the client sends.
    fn text_parameter(&mut self, argument: &pb::Node) -> Result<Option<u16>> {
        let (parameter, is_text) = match Tree::of(argument)? {
            Tree::ParamRef(parameter) => {
                let declared = self.parameters.declared(parameter.number);
                (parameter, declared.is_none_or(|of| of == TEXT))
            }
            Tree::TypeCast(cast) => {
                let inner = cast.arg.as_deref().map(Tree::of);
                let (Some(Ok(Tree::ParamRef(parameter))), Some(name)) = (inner, &cast.type_name) else {
                    return Ok(None);
                };
                let of = self.type_name(name)?.filter(|of| matches!(*of, TEXT | VARCHAR));
                let whole = name.typmods.is_empty() && name.array_bounds.is_empty();
                let is_text = of.is_some_and(|of| self.parameters.takes_type_of_cast(parameter.number, of));
                (parameter, whole && is_text)
            }
            _ => return Ok(None),
        };
        Ok(u16::try_from(parameter.number).ok().filter(|_| is_text))
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

    /// A statement that sets settings reads nothing: its rows would be those of the subject that it sets, and its
    /// record would name the one before.
    pub(super) fn sets_alone(&self) -> Result<()> {
        match self.out.relations.first() {
            Some(read) if self.sets => Err(Problem::refuse(
                Code::FunctionNotAllowed,
                "a statement with set_config cannot read a table",
                Some(read.location),
            )
            .hint("send them one after the other")),
            Some(_) | None => Ok(()),
        }
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
}
