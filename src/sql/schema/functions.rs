//! CREATE FUNCTION and CREATE PROCEDURE: names, parameters and results. Bodies are not looked at.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use super::{Builder, Outcome, dotted, qualified};
use crate::catalog::{Function, FunctionResult, Oid, QualifiedName};

/// `void`
const VOID: Oid = 2278;
/// `record`
const RECORD: Oid = 2249;

impl Builder {
    pub(super) fn create_function(&mut self, statement: &pb::CreateFunctionStmt) -> Outcome {
        let (schema, name) = dotted(&statement.funcname)?;
        if schema == "pg_temp" || self.is_temporary(&schema, &name) {
            return Ok(());
        }
        let name = QualifiedName::new(self.schema_for_new(&schema)?, name);
        let mut arguments = Vec::new();
        let mut shown = Vec::new();
        let mut outputs: Vec<(String, Oid)> = Vec::new();
        let (mut defaults, mut variadic) = (0, false);
        for node in &statement.parameters {
            let Some(NodeEnum::FunctionParameter(parameter)) = &node.node else {
                return Err("a parameter that is not understood".to_owned());
            };
            let of = parameter.arg_type.as_ref().ok_or("a parameter without a type")?;
            let typed = self.typed(of)?;
            use pb::FunctionParameterMode as Mode;
            let (input, output) = match Mode::try_from(parameter.mode) {
                Ok(Mode::FuncParamIn | Mode::FuncParamDefault | Mode::FuncParamVariadic) => (true, false),
                Ok(Mode::FuncParamOut | Mode::FuncParamTable) => (false, true),
                Ok(Mode::FuncParamInout) => (true, true),
                Ok(Mode::Undefined) | Err(_) => return Err("a parameter's mode is not understood".to_owned()),
            };
            if input {
                variadic |= parameter.mode == Mode::FuncParamVariadic as i32;
                defaults += usize::from(parameter.defexpr.is_some());
                arguments.push(typed.oid);
                shown.push(self.type_sql(typed.oid, &[]));
            }
            if output {
                let name = match parameter.name.is_empty() {
                    true => format!("column{}", outputs.len() + 1),
                    false => parameter.name.clone(),
                };
                outputs.push((name, typed.oid));
            }
        }
        let returns_set = statement.return_type.as_ref().is_some_and(|t| t.setof)
            || statement.parameters.iter().any(is_table_parameter);
        let result = match (outputs.is_empty(), &statement.return_type) {
            (false, _) => FunctionResult::Columns(outputs),
            (true, Some(of)) => FunctionResult::Type(self.typed(of)?.oid),
            (true, None) if statement.is_procedure => FunctionResult::Type(VOID),
            (true, None) => FunctionResult::Type(RECORD),
        };
        let function = Function {
            oid: self.oid(),
            signature: format!("{}({})", qualified(&name), shown.join(",")),
            kind: if statement.is_procedure { 'p' } else { 'f' },
            name,
            arguments,
            defaults,
            variadic,
            result,
            returns_set,
            extension: None,
        };
        let known = self.catalog.functions.iter_mut();
        match known.into_iter().find(|f| f.signature == function.signature) {
            Some(known) if statement.replace => *known = function,
            Some(_) => return Err(format!("function {} already exists", function.signature)),
            None => self.catalog.functions.push(function),
        }
        self.dirty = true;
        Ok(())
    }

    /// DROP FUNCTION: all of that name where no parameters are said, or those with as many.
    pub(super) fn drop_function(&mut self, node: &pb::Node) -> Outcome {
        let Some(NodeEnum::ObjectWithArgs(object)) = &node.node else {
            return Err("this DROP is not understood".to_owned());
        };
        let (schema, name) = dotted(&object.objname)?;
        let count = object.objargs.len();
        let any = object.args_unspecified;
        self.catalog.functions.retain(|f| {
            let named = f.name.name == name && (schema.is_empty() || f.name.schema == schema);
            f.name.schema == "pg_catalog" || !(named && (any || f.arguments.len() == count))
        });
        self.dirty = true;
        Ok(())
    }
}

fn is_table_parameter(node: &pb::Node) -> bool {
    matches!(&node.node, Some(NodeEnum::FunctionParameter(p))
        if p.mode == pb::FunctionParameterMode::FuncParamTable as i32)
}
