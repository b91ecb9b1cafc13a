//! What stands in FROM and is computed: functions, ROWS FROM, XMLTABLE, JSON_TABLE, and the columns that they give.

use pg_query::protobuf as pb;

use crate::catalog::lists::{self, FunctionStatus};
use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

use super::from::alias_or;
use super::names::CallResult;
use super::scope::{Item, Scope, Sources};
use super::value::Place;
use super::{OutputColumn, Problem, Resolver, Result};

impl Resolver<'_> {
    /// A function in FROM, or several in ROWS FROM; always lateral.
    pub(super) fn function(&mut self, function: &pb::RangeFunction, scope: &mut Scope<'_>) -> Result<()> {
        let mut columns: Vec<OutputColumn> = Vec::new();
        let mut open = false;
        let mut flows = Sources::new();
        let alias = function.alias.as_ref().map(|a| a.aliasname.as_str());
        for node in &function.functions {
            let Tree::List(pair) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this function in FROM is not understood",
                    None,
                ));
            };
            let Some(call) = pair.items.first() else {
                continue;
            };
            let defined = !function.coldeflist.is_empty()
                || matches!(pair.items.get(1).map(Tree::of), Some(Ok(Tree::List(l))) if !l.items.is_empty());
            if let (Some(arrays), false) = (unnested_arrays(call)?, defined) {
                open |= self.unnest(arrays, scope, &mut columns)?;
                flows.extend(columns.iter().flat_map(|c| c.sources.iter().copied()));
                continue;
            }
            let value = self.expr(Tree::of(call)?, Place::new(scope, Some(Position::Filter)))?;
            self.out.partial |= !value.total;
            flows.extend(value.sources.iter().copied());
            let definitions = match pair.items.get(1).map(Tree::of) {
                Some(Ok(Tree::List(list))) if !list.items.is_empty() => list.items.as_slice(),
                _ => function.coldeflist.as_slice(),
            };
            if definitions.is_empty() {
                let single = function.functions.len() == 1;
                open |= self.call_columns(call, if single { alias } else { None }, &value.sources, &mut columns)?;
            } else {
                self.defined_columns(definitions, &value.sources, &mut columns)?;
            }
        }
        if function.ordinality {
            columns.push(OutputColumn {
                name: "ordinality".into(),
                ..OutputColumn::default()
            });
        }
        let fallback = function.functions.first().map(function_name).unwrap_or_default();
        let name = alias_or(&function.alias, &fallback, &mut columns);
        if open {
            columns.iter_mut().for_each(|c| c.sources.clone_from(&flows));
        }
        scope.items.push(Item {
            open,
            ..Item::new(name, columns)
        });
        Ok(())
    }

    /// `unnest(a, b)` in FROM is read by the grammar's analysis as ROWS FROM (unnest(a), unnest(b)),
    /// of pg_catalog, as long as its name has no schema (`transformRangeFunction`).
    fn unnest(&mut self, arrays: &[pb::Node], scope: &Scope<'_>, columns: &mut Vec<OutputColumn>) -> Result<bool> {
        if !matches!(lists::function("unnest", 1, false), FunctionStatus::Allowed { .. }) {
            return Err(Problem::refuse(
                Code::FunctionNotAllowed,
                "function unnest is not allowed",
                None,
            ));
        }
        for array in arrays {
            let value = self.expr(Tree::of(array)?, Place::new(scope, Some(Position::Filter)))?;
            columns.push(OutputColumn {
                name: "unnest".into(),
                sources: value.sources,
                type_oid: None,
            });
        }
        self.out.partial = true;
        // An array of rows gives a column for each of theirs.
        Ok(true)
    }

    /// Adds the columns that a call gives; true where there may be others.
    fn call_columns(
        &mut self,
        call: &pb::Node,
        alias: Option<&str>,
        sources: &Sources,
        columns: &mut Vec<OutputColumn>,
    ) -> Result<bool> {
        let mut add = |name: &str, type_oid| {
            columns.push(OutputColumn {
                name: name.to_owned(),
                sources: sources.clone(),
                type_oid,
            });
        };
        match Tree::of(call)? {
            Tree::FuncCall(f) => {
                let name = f.funcname.last().and_then(string_of).unwrap_or_default().to_owned();
                let named = f.funcname.len();
                let result = if named == 1 && matches!(name.as_str(), "current_setting" | "set_config") {
                    CallResult::Unknown
                } else {
                    self.callee(f)?.result
                };
                match result {
                    CallResult::Scalar(oid) => add(alias.unwrap_or(&name), oid),
                    CallResult::Columns(list) => list.iter().for_each(|(n, oid)| add(n, Some(*oid))),
                    CallResult::Unknown => {
                        // A scalar of an unknown type, or a record: its first column, and perhaps more.
                        add(alias.unwrap_or(&name), None);
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            // CURRENT_DATE and the like.
            _ => {
                add(alias.unwrap_or(&super::figure::column_name(Some(call))), None);
                Ok(false)
            }
        }
    }

    fn defined_columns(
        &mut self,
        definitions: &[pb::Node],
        sources: &Sources,
        columns: &mut Vec<OutputColumn>,
    ) -> Result<()> {
        for node in definitions {
            let Tree::ColumnDef(definition) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this column list is not understood",
                    None,
                ));
            };
            let type_oid = match &definition.type_name {
                Some(name) => self.type_name(name)?,
                None => None,
            };
            let sources = sources.clone();
            columns.push(OutputColumn {
                name: definition.colname.clone(),
                sources,
                type_oid,
            });
        }
        Ok(())
    }

    pub(super) fn xml_table(&mut self, table: &pb::RangeTableFunc, scope: &mut Scope<'_>) -> Result<()> {
        let place = Place::new(scope, Some(Position::Filter));
        let mut flows = self.expr_opt(table.docexpr.as_deref(), place)?.sources;
        flows.extend(self.expr_opt(table.rowexpr.as_deref(), place)?.sources);
        for namespace in &table.namespaces {
            flows.extend(self.expr(Tree::of(namespace)?, place)?.sources);
        }
        self.out.partial = true;
        let mut columns = Vec::new();
        for node in &table.columns {
            let Tree::RangeTableFuncCol(column) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this XMLTABLE is not understood",
                    None,
                ));
            };
            let type_oid = match &column.type_name {
                Some(name) => self.type_name(name)?,
                None => None,
            };
            flows.extend(self.expr_opt(column.colexpr.as_deref(), place)?.sources);
            flows.extend(self.expr_opt(column.coldefexpr.as_deref(), place)?.sources);
            columns.push(OutputColumn {
                name: column.colname.clone(),
                sources: Sources::new(),
                type_oid,
            });
        }
        columns.iter_mut().for_each(|c| c.sources.clone_from(&flows));
        let name = alias_or(&table.alias, "xmltable", &mut columns);
        scope.items.push(Item::new(name, columns));
        Ok(())
    }

    pub(super) fn json_table(&mut self, table: &pb::JsonTable, scope: &mut Scope<'_>) -> Result<()> {
        self.since(170_000, "JSON_TABLE", usize::try_from(table.location).ok())?;
        let place = Place::new(scope, Some(Position::Filter));
        let mut flows = Sources::new();
        if let Some(context) = &table.context_item {
            flows.extend(self.expr(Tree::JsonValueExpr(context), place)?.sources);
        }
        flows.extend(self.expr_list(&table.passing, place)?.sources);
        self.out.partial = true;
        let mut columns = Vec::new();
        self.json_columns(&table.columns, place, &mut columns)?;
        columns.iter_mut().for_each(|c| c.sources.clone_from(&flows));
        let name = alias_or(&table.alias, "json_table", &mut columns);
        scope.items.push(Item::new(name, columns));
        Ok(())
    }

    fn json_columns(&mut self, nodes: &[pb::Node], place: Place<'_>, columns: &mut Vec<OutputColumn>) -> Result<()> {
        for node in nodes {
            let Tree::JsonTableColumn(column) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this JSON_TABLE is not understood",
                    None,
                ));
            };
            let type_oid = match &column.type_name {
                Some(name) => self.type_name(name)?,
                None => None,
            };
            for behavior in [&column.on_empty, &column.on_error].into_iter().flatten() {
                self.expr(Tree::JsonBehavior(behavior), place)?;
            }
            if column.columns.is_empty() {
                columns.push(OutputColumn {
                    name: column.name.clone(),
                    sources: Sources::new(),
                    type_oid,
                });
            } else {
                self.json_columns(&column.columns, place, columns)?;
            }
        }
        Ok(())
    }
}

/// The arguments of an `unnest` of several arrays.
fn unnested_arrays(call: &pb::Node) -> Result<Option<&[pb::Node]>> {
    let Tree::FuncCall(f) = Tree::of(call)? else {
        return Ok(None);
    };
    let plain = f.agg_order.is_empty()
        && f.agg_filter.is_none()
        && f.over.is_none()
        && !f.agg_star
        && !f.agg_distinct
        && !f.func_variadic;
    let several = matches!(f.funcname.as_slice(), [name] if string_of(name) == Some("unnest")) && f.args.len() > 1;
    Ok((plain && several).then_some(f.args.as_slice()))
}

fn function_name(pair: &pb::Node) -> String {
    match Tree::of(pair) {
        Ok(Tree::List(list)) => super::figure::column_name(list.items.first()),
        _ => String::new(),
    }
}
