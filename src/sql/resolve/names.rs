//! Names of relations, types, functions and operators: what they mean under the search_path, and
//! whether a client may use them at all.

use pg_query::protobuf as pb;

use crate::catalog::lists::{self, FunctionStatus, Unless};
use crate::catalog::{Function, FunctionResult, Oid, Operator, QualifiedName, Relation, RelationKind, TypeKind};
use crate::policy::Code;
use crate::sql::parsed::string_of;

use super::{Problem, Qualification, QualifiedKind, Resolver, Result};

/// What a call gives, as far as names and types are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallResult {
    /// One column of this type.
    Scalar(Oid),
    /// These columns.
    Columns(Vec<(String, Oid)>),
    /// Cannot be told from the call alone.
    Unknown,
}

/// A function call that may be made.
#[derive(Debug, Clone)]
pub(super) struct Callee {
    pub result: CallResult,
    /// It cannot fail and has no effect, whatever its arguments.
    pub total: bool,
}

/// The parts of a dotted name.
pub(super) fn parts(names: &[pb::Node]) -> Vec<&str> {
    names.iter().filter_map(string_of).collect()
}

impl Resolver<'_> {
    /// The relation that a RangeVar names.
    pub(super) fn relation(&self, range: &pb::RangeVar) -> Result<std::sync::Arc<Relation>> {
        let catalog = self.env.catalog;
        let position = usize::try_from(range.location).ok();
        if !range.catalogname.is_empty() && range.catalogname != catalog.database {
            let message = "cross-database references are not implemented";
            return Err(Problem::postgres("0A000", message, position));
        }
        let found = if range.schemaname.is_empty() {
            self.env.search_path.relation(&range.relname, catalog)
        } else {
            let schema = match (range.schemaname.as_str(), &catalog.temp_schema) {
                ("pg_temp", Some(temp)) => temp.clone(),
                (schema, _) => schema.to_owned(),
            };
            catalog.relation(&QualifiedName::new(schema, &range.relname))
        };
        found.cloned().ok_or_else(|| {
            let written = if range.schemaname.is_empty() {
                range.relname.clone()
            } else {
                format!("{}.{}", range.schemaname, range.relname)
            };
            Problem::postgres("42P01", format!("relation \"{written}\" does not exist"), position)
        })
    }

    /// The type that a TypeName names; notes how to print it. Types whose rows are protected tables'
    /// are left to the caller, who sees the oid.
    pub(super) fn type_name(&mut self, name: &pb::TypeName) -> Result<Option<Oid>> {
        let position = usize::try_from(name.location).ok();
        if name.pct_type {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "%TYPE is not served here",
                position,
            ));
        }
        let catalog = self.env.catalog;
        let unknown =
            |written: &str| Problem::postgres("42704", format!("type \"{written}\" does not exist"), position);
        let found = match parts(&name.names).as_slice() {
            [one] => {
                let found = self
                    .env
                    .search_path
                    .type_named(one, catalog)
                    .ok_or_else(|| unknown(one))?;
                let first = self.env.search_path.schemas().first().map(String::as_str);
                if let Some(location) = position
                    && (found.name.schema != "pg_catalog" || first != Some("pg_catalog"))
                {
                    self.qualify(location, &found.name.schema.clone(), QualifiedKind::Type);
                }
                found
            }
            [schema, one] => catalog
                .type_by_name(&QualifiedName::new(*schema, *one))
                .ok_or_else(|| unknown(&format!("{schema}.{one}")))?,
            _ => {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this type's name is not understood",
                    position,
                ));
            }
        };
        if let TypeKind::Composite(relation) = found.kind
            && let Some(relation) = catalog.relation_by_oid(relation)
            && relation.kind != RelationKind::CompositeType
            && !self.env.bare
        {
            let message = format!("the row type of {} cannot be used here", found.name);
            return Err(Problem::refuse(Code::FunctionNotAllowed, message, position).hint(
                "write out the columns: a table's rows are seen through its rules, as records without that type",
            ));
        }
        let oid = found.oid;
        if name.array_bounds.is_empty() {
            Ok(Some(oid))
        } else {
            Ok(self.array_of(oid))
        }
    }

    fn array_of(&self, element: Oid) -> Option<Oid> {
        self.env
            .catalog
            .types
            .iter()
            .find(|t| t.element == element && t.category == 'A')
            .map(|t| t.oid)
    }

    pub(super) fn qualify(&mut self, location: usize, schema: &str, kind: QualifiedKind) {
        // The grammar repeats `(a, b) = (SELECT …)` for each column: one place, one edit.
        let new = Qualification {
            location,
            schema: schema.to_owned(),
            kind,
        };
        if !self.out.qualifications.contains(&new) {
            self.out.qualifications.push(new);
        }
    }

    /// Whether a function may be called, with so many arguments; notes its schema where the text has
    /// none, so that what was checked is what runs.
    pub(super) fn callee(&mut self, call: &pb::FuncCall) -> Result<Callee> {
        let position = usize::try_from(call.location).ok();
        // The ORDER BY of WITHIN GROUP is arguments too (`ParseFuncOrColumn`).
        let ordered = if call.agg_within_group { call.agg_order.len() } else { 0 };
        let arguments = call.args.len() + ordered;
        match parts(&call.funcname).as_slice() {
            [name] => {
                let callee = self.unqualified_callee(name, arguments, call.func_variadic, position)?;
                Ok(callee)
            }
            ["pg_catalog", name] => self.builtin_callee(name, arguments, call.func_variadic, position),
            [schema, name] => {
                let found: Vec<&Function> = self
                    .env
                    .catalog
                    .functions_named(name)
                    .filter(|f| f.name.schema == *schema)
                    .collect();
                self.allowed_callee(&format!("{schema}.{name}"), &found, arguments, position)
            }
            _ => Err(Problem::refuse(
                Code::NotUnderstood,
                "this function's name is not understood",
                position,
            )),
        }
    }

    fn unqualified_callee(
        &mut self,
        name: &str,
        arguments: usize,
        variadic: bool,
        position: Option<usize>,
    ) -> Result<Callee> {
        let path = self.env.search_path.schemas();
        let (builtin, others): (Vec<&Function>, Vec<&Function>) = self
            .env
            .catalog
            .functions_named(name)
            .filter(|f| path.contains(&f.name.schema) && takes(f, arguments))
            .partition(|f| f.name.schema == "pg_catalog");
        if builtin.is_empty() && others.is_empty() {
            let known = lists::function(name, arguments, variadic);
            return match known {
                // A name of another server version, or an aggregate's special syntax: PostgreSQL says.
                FunctionStatus::Allowed { .. } | FunctionStatus::Unknown => Err(Problem::postgres(
                    "42883",
                    format!("function {name} with {arguments} arguments does not exist"),
                    position,
                )),
                FunctionStatus::Denied { reason, .. } => Err(denied(name, reason, position)),
            };
        }
        if !others.is_empty() && (builtin.is_empty() || others.iter().all(|f| self.may_call(f))) {
            // Overloads in several schemas: PostgreSQL picks the best by type, and all may be called.
            let callee = self.allowed_callee(name, &others, arguments, position)?;
            if builtin.is_empty() {
                let schema = others.first().map(|f| f.name.schema.clone()).unwrap_or_default();
                if let Some(location) = position
                    && others.iter().all(|f| f.name.schema == schema)
                {
                    self.qualify(location, &schema, QualifiedKind::Function);
                }
                return Ok(callee);
            }
            self.builtin_callee(name, arguments, variadic, position)?;
            return Ok(Callee {
                result: CallResult::Unknown,
                total: false,
            });
        }
        let callee = self.builtin_callee(name, arguments, variadic, position)?;
        if let Some(location) = position {
            self.qualify(location, "pg_catalog", QualifiedKind::Function);
        }
        Ok(callee)
    }

    fn builtin_callee(&self, name: &str, arguments: usize, variadic: bool, position: Option<usize>) -> Result<Callee> {
        let named = self.env.catalog.functions_named(name);
        let found: Vec<&Function> = named
            .filter(|f| f.name.schema == "pg_catalog" && takes(f, arguments))
            .collect();
        let (reason, unless) = match lists::function(name, arguments, variadic) {
            FunctionStatus::Allowed { total } => {
                let result = self.common_result(&found);
                return Ok(Callee { result, total });
            }
            FunctionStatus::Denied { reason, unless } => (reason, unless),
            FunctionStatus::Unknown => ("it is not on the list of harmless functions", Unless::Never),
        };
        let refused = found.iter().find(|f| !self.may_call(f));
        let served = match unless {
            Unless::Never => false,
            Unless::Named => !found.is_empty() && refused.is_none(),
            Unless::Bare => !found.is_empty() && (refused.is_none() || self.env.bare),
        };
        if served {
            let result = self.common_result(&found);
            return Ok(Callee { result, total: false });
        }
        let problem = denied(name, reason, position);
        Err(match (unless, refused) {
            (Unless::Named | Unless::Bare, Some(f)) => {
                let signature = &f.signature;
                problem.hint(format!(
                    "the rules may allow it: functions: {{allow: [\"pg_catalog.{signature}\"]}}"
                ))
            }
            (Unless::Never, _) | (_, None) => problem,
        })
    }

    fn allowed_callee(
        &self,
        name: &str,
        found: &[&Function],
        arguments: usize,
        position: Option<usize>,
    ) -> Result<Callee> {
        let found: Vec<&Function> = found.iter().copied().filter(|f| takes(f, arguments)).collect();
        if found.is_empty() {
            let message = format!("function {name} with {arguments} arguments does not exist");
            return Err(Problem::postgres("42883", message, position));
        }
        match found.iter().find(|f| !self.may_call(f)) {
            None => Ok(Callee {
                result: self.common_result(&found),
                total: false,
            }),
            Some(f) => {
                let message = format!("function {} is not allowed", f.signature);
                let hint = format!(
                    "if it is harmless, add to the rules: functions: {{allow: [\"{}\"]}}",
                    f.signature
                );
                Err(Problem::refuse(Code::FunctionNotAllowed, message, position)
                    .hint(hint)
                    .gap())
            }
        }
    }

    fn may_call(&self, function: &Function) -> bool {
        (self.env.allowed)(function)
    }

    /// What all candidates give alike.
    fn common_result(&self, found: &[&Function]) -> CallResult {
        let mut results = found.iter().map(|f| self.result_of(f));
        let Some(first) = results.next() else {
            return CallResult::Unknown;
        };
        if results.all(|r| r == first) {
            first
        } else {
            CallResult::Unknown
        }
    }

    /// What a domain is of: in FROM, one over a row type gives that row's columns.
    fn base_type(&self, mut oid: Oid) -> Oid {
        while let Some(TypeKind::Domain(base)) = self.env.catalog.type_by_oid(oid).map(|t| t.kind)
            && base != oid
        {
            oid = base;
        }
        oid
    }

    fn result_of(&self, function: &Function) -> CallResult {
        match &function.result {
            FunctionResult::Columns(columns) => CallResult::Columns(columns.clone()),
            FunctionResult::Type(oid) => match self.env.catalog.type_by_oid(self.base_type(*oid)).map(|t| t.kind) {
                Some(TypeKind::Composite(relation)) => match self.env.catalog.relation_by_oid(relation) {
                    Some(r) => CallResult::Columns(r.columns.iter().map(|c| (c.name.clone(), c.type_oid)).collect()),
                    None => CallResult::Unknown,
                },
                Some(TypeKind::Pseudo) | None => CallResult::Unknown,
                Some(
                    TypeKind::Base | TypeKind::Domain(_) | TypeKind::Enum | TypeKind::Range | TypeKind::Multirange,
                ) => CallResult::Scalar(*oid),
            },
        }
    }

    /// Whether an operator may be used; its name may carry a schema.
    pub(super) fn operator(&mut self, names: &[pb::Node], position: Option<usize>) -> Result<()> {
        match parts(names).as_slice() {
            [name] => self.operator_named(None, name, position),
            [schema, name] => self.operator_named(Some(schema), name, position),
            _ => Err(Problem::refuse(
                Code::NotUnderstood,
                "this operator's name is not understood",
                position,
            )),
        }
    }

    /// Operators that a construct means without naming them, such as `=` of CASE, IN and USING.
    pub(super) fn implied_operators(&mut self, names: &[&str], position: Option<usize>) -> Result<()> {
        names
            .iter()
            .try_for_each(|name| self.operator_named(None, name, position))
    }

    fn operator_named(&mut self, schema: Option<&str>, name: &str, position: Option<usize>) -> Result<()> {
        if schema.is_none() {
            self.out.operators.insert(name.to_owned());
        }
        let visible = |o: &&Operator| match schema {
            Some(schema) => o.name.schema == schema,
            None => self.env.search_path.schemas().contains(&o.name.schema),
        };
        let found: Vec<&Operator> = self.env.catalog.operators_named(name).filter(visible).collect();
        let builtin_allowed = lists::operator_allowed(name);
        match found.iter().find(|o| !self.may_use(o, builtin_allowed)) {
            Some(o) => {
                let function = self
                    .env
                    .catalog
                    .function_by_oid(o.function)
                    .map(|f| f.signature.clone());
                let hint = function
                    .map(|f| format!("if its function is harmless, add to the rules: functions: {{allow: [\"{f}\"]}}"));
                let message = format!("operator {} is not allowed", o.name);
                let problem = Problem::refuse(Code::FunctionNotAllowed, message, position).gap();
                Err(match hint {
                    Some(hint) => problem.hint(hint),
                    None => problem,
                })
            }
            None if found.is_empty() && !builtin_allowed => Err(Problem::postgres(
                "42883",
                format!("operator does not exist: {name}"),
                position,
            )),
            None => Ok(()),
        }
    }

    fn may_use(&self, operator: &Operator, builtin_allowed: bool) -> bool {
        if operator.name.schema == "pg_catalog" {
            return builtin_allowed;
        }
        operator.extension.as_deref().is_some_and(lists::trusted_extension)
            || self
                .env
                .catalog
                .function_by_oid(operator.function)
                .is_some_and(|f| self.may_call(f))
    }

    /// `c.name` or `(expression).name` where `name` is no known column: PostgreSQL would call a
    /// function of that name, so none may exist that a client may not call.
    pub(super) fn field_selection(&self, name: &str, position: Option<usize>) -> Result<()> {
        let function = self
            .env
            .catalog
            .functions_named(name)
            .find(|f| match f.name.schema.as_str() {
                "pg_catalog" => !matches!(lists::function(name, 1, false), FunctionStatus::Allowed { .. }),
                _ => !self.may_call(f),
            });
        match function {
            None => Ok(()),
            Some(_) => Err(denied(
                name,
                "selected as a field it would be a call of that function",
                position,
            )),
        }
    }
}

/// Whether a call with so many arguments can mean this function.
fn takes(function: &Function, arguments: usize) -> bool {
    let most = function.arguments.len();
    if function.variadic {
        return arguments + 1 >= most.saturating_sub(function.defaults);
    }
    arguments <= most && arguments + function.defaults >= most
}

fn denied(name: &str, reason: &str, position: Option<usize>) -> Problem {
    Problem::refuse(
        Code::FunctionNotAllowed,
        format!("function {name} is not allowed: {reason}"),
        position,
    )
}
