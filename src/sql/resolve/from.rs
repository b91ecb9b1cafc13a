//! FROM: relations, derived tables, functions, joins, and the names they bring into scope.

use crate::catalog::{Relation, RelationKind, SearchPath};
use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::parsed::string_of;
use pg_query::protobuf as pb;

use super::column::base_columns;
use super::query::rename;
use super::scope::{Item, Merged, Scope};
use super::value::Place;
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
pub(super) fn alias_or(alias: &Option<pb::Alias>, name: &str, columns: &mut Vec<OutputColumn>) -> String {
    match alias {
        Some(alias) => {
            rename(columns, &alias.colnames);
            alias.aliasname.clone()
        }
        None => name.to_owned(),
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
