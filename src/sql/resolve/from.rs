//! FROM: relations, derived tables, functions, joins, and the names they bring into scope.

use pg_query::protobuf as pb;

use crate::catalog::lists::{self, FunctionStatus};
use crate::catalog::{Relation, RelationKind, SearchPath};
use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;

use super::column::base_columns;
use super::expr::Place;
use super::names::CallResult;
use super::query::rename;
use super::scope::{Item, Merged, Scope, Sources};
use super::{OutputColumn, Problem, RelationUse, Resolver, Result, Use, ViewUse};

/// Views are read through at most so deep.
const MAX_VIEW_DEPTH: usize = 16;

impl Resolver<'_> {
    /// One item of FROM: adds what it brings to the scope.
    pub(super) fn add_from(&mut self, tree: Tree<'_>, scope: &mut Scope<'_>) -> Result<()> {
        match tree {
            Tree::RangeVar(range) => {
                let item = self.range_var(range, scope, false)?;
                scope.items.push(item);
                Ok(())
            }
            Tree::RangeTableSample(sample) => self.sample(sample, scope),
            Tree::RangeSubselect(derived) => self.derived(derived, scope),
            Tree::RangeFunction(function) => self.function(function, scope),
            Tree::RangeTableFunc(table) => self.xml_table(table, scope),
            Tree::JsonTable(table) => self.json_table(table, scope),
            Tree::JoinExpr(join) => self.join(join, scope),
            _ => Err(Problem::refuse(
                Code::NotUnderstood,
                "this item of FROM is not understood",
                None,
            )),
        }
    }

    fn range_var(&mut self, range: &pb::RangeVar, scope: &Scope<'_>, sampled: bool) -> Result<Item> {
        if range.schemaname.is_empty()
            && let Some(cte) = scope.cte(&range.relname)
        {
            let mut columns = cte.columns.as_ref().clone();
            let open = cte.open;
            let name = alias_or(&range.alias, &range.relname, &mut columns);
            return Ok(Item {
                open,
                ..Item::new(name, columns)
            });
        }
        let relation = self.relation(range)?;
        let index = self.note_relation(&relation, range, Use::Read, sampled)?;
        let mut columns = self.columns_of(&relation)?;
        let name = alias_or(&range.alias, &range.relname, &mut columns);
        Ok(Item {
            schema: range.alias.is_none().then(|| relation.name.schema.clone()),
            relation: is_stored(relation.kind).then_some(relation.oid),
            named: Some(relation.oid),
            use_index: Some(index),
            ..Item::new(name, columns)
        })
    }

    /// Notes a relation at its place.
    pub(super) fn note_relation(
        &mut self,
        relation: &Relation,
        range: &pb::RangeVar,
        usage: Use,
        sampled: bool,
    ) -> Result<usize> {
        let Ok(location) = usize::try_from(range.location) else {
            return Err(Problem::refuse(Code::NotUnderstood, "a relation without a place", None));
        };
        if let Some(known) = self
            .out
            .relations
            .iter()
            .position(|r| r.location == location && r.oid == relation.oid)
        {
            return Ok(known);
        }
        self.out.relations.push(RelationUse {
            oid: relation.oid,
            name: relation.name.clone(),
            location,
            written: [
                range.catalogname.clone(),
                range.schemaname.clone(),
                range.relname.clone(),
            ],
            only: !range.inh,
            aliased: range.alias.is_some(),
            alias: range.alias.as_ref().map(|a| a.aliasname.clone()),
            sampled,
            usage,
            conjuncts: Vec::new(),
            joins: Vec::new(),
        });
        Ok(self.out.relations.len() - 1)
    }

    /// A relation's columns and what flows into them; a view is read through.
    fn columns_of(&mut self, relation: &Relation) -> Result<Vec<OutputColumn>> {
        match relation.kind {
            RelationKind::View if !is_system(relation) => self.view_columns(relation),
            RelationKind::Table
            | RelationKind::PartitionedTable
            | RelationKind::View
            | RelationKind::MaterializedView
            | RelationKind::ForeignTable
            | RelationKind::Sequence => Ok(base_columns(relation)),
            RelationKind::CompositeType | RelationKind::Other => Err(Problem::postgres(
                "42809",
                format!("cannot open relation \"{}\"", relation.name.name),
                None,
            )),
        }
    }

    fn view_columns(&mut self, relation: &Relation) -> Result<Vec<OutputColumn>> {
        if !self.out.views.contains_key(&relation.oid) {
            let view = self.read_view(relation)?;
            self.out.views.insert(relation.oid, view);
        }
        let Some(view) = self.out.views.get(&relation.oid) else {
            return Ok(Vec::new());
        };
        let mut columns = view.resolved.outputs.clone();
        for (column, name) in columns.iter_mut().zip(&view.columns) {
            column.name.clone_from(name);
        }
        Ok(columns)
    }

    fn read_view(&mut self, relation: &Relation) -> Result<ViewUse> {
        let cannot = |why: &str| {
            let message = format!("view {} cannot be read through: {why}", relation.name);
            Problem::refuse(Code::TableUnclassified, message, None).gap()
        };
        if self.view_depth >= MAX_VIEW_DEPTH {
            return Err(cannot("views are nested too deeply"));
        }
        let Some(text) = relation.definition.clone() else {
            return Err(cannot("its definition is not known"));
        };
        let parsed = crate::sql::parsed::parse(&text).map_err(|_| cannot("its definition cannot be parsed"))?;
        let [statement] = parsed.as_slice() else {
            return Err(cannot("its definition is not one statement"));
        };
        let Ok(Tree::SelectStmt(select)) = Tree::of(&statement.node) else {
            return Err(cannot("its definition is no SELECT"));
        };
        let search_path = SearchPath::new(&[], "", self.env.catalog);
        let env = super::Env {
            search_path: &search_path,
            ..self.env
        };
        let mut resolver = Resolver {
            env,
            out: super::Resolved::default(),
            depth: 1,
            view_depth: self.view_depth + 1,
            steps: self.steps,
            met: super::group::Met::new(),
            into_allowed: false,
            sets: false,
            parameters: super::parameter::Parameters::default(),
        };
        let outputs = resolver.select(select, &Scope::default(), None).map_err(|p| Problem {
            message: format!("view {}: {}", relation.name, p.message),
            position: None,
            ..p
        })?;
        let columns: Vec<String> = relation.columns.iter().map(|c| c.name.clone()).collect();
        if outputs.len() != columns.len() {
            return Err(cannot("its columns are not those of its definition"));
        }
        self.steps = resolver.steps;
        let mut resolved = resolver.out;
        // Its plain operators are pg_catalog's; here they stand under the client's search_path.
        for operator in &resolved.operators {
            self.implied_operators(&[operator], None)?;
        }
        self.out.columns.extend(resolved.columns.iter().copied());
        self.out.partial |= resolved.partial;
        resolved.outputs = outputs;
        Ok(ViewUse {
            text,
            resolved: Box::new(resolved),
            columns,
            barrier: relation.security_barrier,
        })
    }

    fn sample(&mut self, sample: &pb::RangeTableSample, scope: &mut Scope<'_>) -> Result<()> {
        let Some(Ok(Tree::RangeVar(range))) = sample.relation.as_deref().map(Tree::of) else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this TABLESAMPLE is not understood",
                None,
            ));
        };
        let place = Place::new(scope, Some(Position::Filter));
        self.expr_list(&sample.args, place)?;
        self.expr_opt(sample.repeatable.as_deref(), place)?;
        let method: Vec<&str> = sample.method.iter().filter_map(string_of).collect();
        if !matches!(
            method.as_slice(),
            ["system" | "bernoulli"] | ["pg_catalog", "system" | "bernoulli"]
        ) {
            let position = usize::try_from(sample.location).ok();
            return Err(Problem::refuse(
                Code::FunctionNotAllowed,
                "this sampling method is not allowed",
                position,
            ));
        }
        let item = self.range_var(range, scope, true)?;
        scope.items.push(item);
        Ok(())
    }

    fn derived(&mut self, derived: &pb::RangeSubselect, scope: &mut Scope<'_>) -> Result<()> {
        let Some(Ok(Tree::SelectStmt(select))) = derived.subquery.as_deref().map(Tree::of) else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this sub-query is not understood",
                None,
            ));
        };
        let mut columns = if derived.lateral {
            self.nested(select, scope, None)?
        } else {
            let hidden = Scope {
                parent: scope.parent,
                ..Scope::default()
            };
            self.nested(select, &hidden, None)?
        };
        let name = alias_or(&derived.alias, "", &mut columns);
        scope.items.push(Item::new(name, columns));
        Ok(())
    }

    /// A function in FROM, or several in ROWS FROM; always lateral.
    fn function(&mut self, function: &pb::RangeFunction, scope: &mut Scope<'_>) -> Result<()> {
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

    fn xml_table(&mut self, table: &pb::RangeTableFunc, scope: &mut Scope<'_>) -> Result<()> {
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

    fn json_table(&mut self, table: &pb::JsonTable, scope: &mut Scope<'_>) -> Result<()> {
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

    /// A join: both sides' items, its merged columns, its condition over these alone.
    fn join(&mut self, join: &pb::JoinExpr, scope: &mut Scope<'_>) -> Result<()> {
        let start = scope.items.len();
        let merged_before = scope.merged.len();
        if let Some(left) = join.larg.as_deref() {
            self.add_from(Tree::of(left)?, scope)?;
        }
        let middle = scope.items.len();
        if let Some(right) = join.rarg.as_deref() {
            self.add_from(Tree::of(right)?, scope)?;
        }
        let end = scope.items.len();
        let names = self.merged_names(join, scope, start..middle, middle..end)?;
        if !names.is_empty() {
            self.implied_operators(&["="], None)?;
        }
        for name in names {
            let left = side_column(scope, start..middle, &name);
            let right = side_column(scope, middle..end, &name);
            let mut column = left.clone().unwrap_or_default();
            column.name.clone_from(&name);
            column
                .sources
                .extend(right.iter().flat_map(|c| c.sources.iter().copied()));
            if left.as_ref().map(|c| c.type_oid) != right.as_ref().map(|c| c.type_oid) {
                column.type_oid = None;
            }
            self.out.partial |= !self.total_join(left.as_ref(), right.as_ref());
            self.use_columns(&column.sources.clone(), Some(Position::Join));
            self.out.named.extend(column.sources.iter().copied());
            scope.merged.push(Merged {
                column,
                hides: start..end,
            });
        }
        let sees = scope.only(start..end);
        let condition = self.expr_opt(join.quals.as_deref(), Place::new(&sees, Some(Position::Join)))?;
        self.out.partial |= !condition.total;
        if let Some(alias) = &join.join_using_alias {
            let columns = scope
                .merged
                .iter()
                .skip(merged_before)
                .map(|m| m.column.clone())
                .collect();
            scope.items.push(Item {
                qualified_only: true,
                ..Item::new(alias.aliasname.clone(), columns)
            });
        }
        if let Some(alias) = &join.alias {
            let mut columns = super::query::join_columns(scope, start..end);
            let open = scope.items.iter().skip(start).any(|i| i.open);
            rename(&mut columns, &alias.colnames);
            scope.items.truncate(start);
            scope.merged.truncate(merged_before);
            scope.items.push(Item {
                open,
                ..Item::new(alias.aliasname.clone(), columns)
            });
        }
        Ok(())
    }

    fn merged_names(
        &self,
        join: &pb::JoinExpr,
        scope: &Scope<'_>,
        left: std::ops::Range<usize>,
        right: std::ops::Range<usize>,
    ) -> Result<Vec<String>> {
        if !join.is_natural {
            return Ok(join
                .using_clause
                .iter()
                .filter_map(string_of)
                .map(str::to_owned)
                .collect());
        }
        let open = scope
            .items
            .iter()
            .enumerate()
            .any(|(i, item)| item.open && (left.contains(&i) || right.contains(&i)));
        if open {
            let message = "the columns of a side of NATURAL JOIN cannot be told";
            return Err(Problem::refuse(Code::NotUnderstood, message, None).hint("use JOIN … USING or ON"));
        }
        let right_columns = super::query::join_columns(scope, right);
        let mut names: Vec<String> = Vec::new();
        for column in super::query::join_columns(scope, left) {
            if right_columns.iter().any(|c| c.name == column.name) && !names.contains(&column.name) {
                names.push(column.name);
            }
        }
        Ok(names)
    }
}

/// The column of that name on one side of a join.
fn side_column(scope: &Scope<'_>, side: std::ops::Range<usize>, name: &str) -> Option<OutputColumn> {
    super::query::join_columns(scope, side)
        .into_iter()
        .find(|c| c.name == name)
}

/// The alias's name, its column list applied; else the given name.
fn alias_or(alias: &Option<pb::Alias>, name: &str, columns: &mut Vec<OutputColumn>) -> String {
    match alias {
        Some(alias) => {
            rename(columns, &alias.colnames);
            alias.aliasname.clone()
        }
        None => name.to_owned(),
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

/// Rows with system columns.
fn is_stored(kind: RelationKind) -> bool {
    match kind {
        RelationKind::Table
        | RelationKind::PartitionedTable
        | RelationKind::MaterializedView
        | RelationKind::ForeignTable
        | RelationKind::Sequence => true,
        RelationKind::View | RelationKind::CompositeType | RelationKind::Other => false,
    }
}

/// Relations of PostgreSQL itself: an allow-list of columns speaks for them.
pub fn is_system(relation: &Relation) -> bool {
    matches!(relation.name.schema.as_str(), "pg_catalog" | "information_schema")
}
