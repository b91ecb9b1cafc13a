//! SELECT in all its forms: scopes from WITH and FROM, outputs, and the clauses that use them.

use pg_query::protobuf as pb;

use crate::pipeline::Position;
use crate::policy::Code;
use crate::sql::grammar::Tree;
use crate::sql::parsed::{is_plain_distinct, output_call, set_config_call, string_of};

use super::figure::column_name;
use super::group::Met;
use super::scope::{Item, Scope};
use super::value::{Place, Returning, Value};
use super::{OutputColumn, Problem, Resolver, Result};

/// The deepest nesting of queries that is examined.
const MAX_DEPTH: usize = 64;

/// The most queries that are looked at in one statement: WITH RECURSIVE inside WITH RECURSIVE is
/// looked at again and again.
const MAX_STEPS: usize = 100_000;

/// The most columns of a query (`MaxTupleAttributeNumber`). PostgreSQL refuses more as well, but not before we would
/// have doubled them over and over: `WITH a AS (…), b AS (SELECT * FROM a, a AS x), c AS (SELECT * FROM b, b AS x) …`
const MAX_COLUMNS: usize = 1664;

impl Resolver<'_> {
    /// The outermost SELECT.
    pub(super) fn top_select(&mut self, select: &pb::SelectStmt) -> Result<()> {
        let root = Scope::default();
        let columns = self.select(select, &root, Some(Position::Output))?;
        self.out.outputs = columns;
        Ok(())
    }

    /// A SELECT one level down; its own outputs may run before filters above it.
    pub(super) fn nested(
        &mut self,
        select: &pb::SelectStmt,
        parent: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        if self.depth >= MAX_DEPTH {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "queries are nested too deeply",
                None,
            ));
        }
        self.depth += 1;
        let columns = self.select(select, parent, position);
        self.depth -= 1;
        columns
    }

    /// A SELECT, VALUES, TABLE or set operation; gives its output columns.
    pub(super) fn select(
        &mut self,
        select: &pb::SelectStmt,
        parent: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "the statement takes too long to examine",
                None,
            ));
        }
        if select.into_clause.is_some() && !std::mem::take(&mut self.into_allowed) {
            let message = "SELECT INTO cannot stand here";
            return Err(Problem::refuse(Code::StatementNotAllowed, message, None));
        }
        let mut outer = Scope::below(parent);
        if let Some(with) = &select.with_clause {
            self.with_clause(with, &mut outer)?;
        }
        if let (Some(left), Some(right)) = (&select.larg, &select.rarg) {
            return self.set_operation(select, left, right, &outer, position);
        }
        if !select.values_lists.is_empty() {
            return self.values(select, &outer, position);
        }
        self.plain_select(select, &outer, position)
    }

    fn set_operation(
        &mut self,
        select: &pb::SelectStmt,
        left: &pb::SelectStmt,
        right: &pb::SelectStmt,
        outer: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut columns = self.select(left, outer, position)?;
        let others = self.select(right, outer, position)?;
        for (column, other) in columns.iter_mut().zip(others) {
            column.sources.extend(other.sources);
            if column.type_oid != other.type_oid {
                column.type_oid = None;
            }
        }
        // UNION and its kin compare values before anything above them runs.
        let mut scope = Scope::below(outer);
        scope.items.push(Item::new("", columns.clone()));
        self.sort(&select.sort_clause, &scope, &columns, position)?;
        self.limit(select, &scope, position)?;
        Ok(columns)
    }

    fn values(
        &mut self,
        select: &pb::SelectStmt,
        outer: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut columns: Vec<OutputColumn> = Vec::new();
        for row in &select.values_lists {
            let Tree::List(row) = Tree::of(row)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this VALUES is not understood",
                    None,
                ));
            };
            for (i, node) in row.items.iter().enumerate() {
                let value = self.expr(Tree::of(node)?, Place::new(outer, position))?;
                self.partial_output(&value);
                match columns.get_mut(i) {
                    Some(column) => column.sources.extend(value.sources),
                    None => columns.push(OutputColumn {
                        name: format!("column{}", i + 1),
                        sources: value.sources,
                        type_oid: value.type_oid,
                    }),
                }
            }
        }
        let mut scope = Scope::below(outer);
        scope.items.push(Item::new("", columns.clone()));
        self.sort(&select.sort_clause, &scope, &columns, position)?;
        self.limit(select, &scope, position)?;
        Ok(columns)
    }

    fn plain_select(
        &mut self,
        select: &pb::SelectStmt,
        outer: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut scope = Scope::below(outer);
        let above = std::mem::take(&mut self.met);
        for item in &select.from_clause {
            self.add_from(Tree::of(item)?, &mut scope)?;
        }
        let filter = self.expr_opt(
            select.where_clause.as_deref(),
            Place::new(&scope, Some(Position::Filter)),
        )?;
        self.out.partial |= !filter.total;
        self.conjuncts(select.where_clause.as_deref(), &scope);
        self.forget_own(&Met::new(), &scope);
        let columns = self.target_list(&select.target_list, &scope, position)?;
        self.group(&select.group_clause, &scope, &columns)?;
        let having = self.expr_opt(
            select.having_clause.as_deref(),
            Place::new(&scope, Some(Position::Filter)),
        )?;
        self.out.partial |= !having.total;
        for window in &select.window_clause {
            if let Tree::WindowDef(window) = Tree::of(window)? {
                self.window(window, &scope, Place::new(&scope, Some(Position::Group)))?;
            }
        }
        if !is_plain_distinct(&select.distinct_clause) {
            self.by_name_or_expression(&select.distinct_clause, &scope, &columns, Position::Group)?;
        }
        self.sort(&select.sort_clause, &scope, &columns, position)?;
        self.limit(select, &scope, position)?;
        self.group_additions(select, &scope);
        self.met.extend(above);
        Ok(columns)
    }

    /// Output columns; a star gives those of the items it means.
    pub(super) fn target_list(
        &mut self,
        targets: &[pb::Node],
        scope: &Scope<'_>,
        position: Option<Position>,
    ) -> Result<Vec<OutputColumn>> {
        let mut columns = Vec::with_capacity(targets.len());
        for node in targets {
            if columns.len() > MAX_COLUMNS {
                break;
            }
            let Tree::ResTarget(target) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this output is not understood",
                    None,
                ));
            };
            if let Some(Ok(Tree::ColumnRef(reference))) = target.val.as_deref().map(Tree::of)
                && let Some(Ok(Tree::AStar(_))) = reference.fields.last().map(Tree::of)
            {
                for column in self.expand_star(reference, scope)? {
                    self.use_columns(&column.sources, position);
                    columns.push(column);
                }
                continue;
            }
            if let Some(call) = output_call(node)
                && self.sets
                && self.depth == 0
                && set_config_call(call).is_some()
            {
                self.set_config_output(call)?;
                columns.push(OutputColumn {
                    name: "set_config".into(),
                    ..OutputColumn::default()
                });
                continue;
            }
            let place = Place {
                scope,
                position,
                returning: Returning::of(target),
            };
            let value = self.expr_opt(target.val.as_deref(), place)?;
            self.partial_output(&value);
            let name = if target.name.is_empty() {
                column_name(target.val.as_deref())
            } else {
                target.name.clone()
            };
            columns.push(OutputColumn {
                name,
                sources: value.sources,
                type_oid: value.type_oid,
            });
        }
        if columns.len() > MAX_COLUMNS {
            let message = format!("target lists can have at most {MAX_COLUMNS} entries");
            return Err(Problem {
                stale_catalog: false,
                ..Problem::postgres("54011", message, None)
            });
        }
        Ok(columns)
    }

    /// An output of a nested query may be used by a filter above it.
    fn partial_output(&mut self, value: &Value) {
        self.out.partial |= self.depth > 0 && !value.total;
    }

    /// `*` and `name.*`, in PostgreSQL's order: merged columns first (`expandNSItemAttrs`).
    fn expand_star(&mut self, reference: &pb::ColumnRef, scope: &Scope<'_>) -> Result<Vec<OutputColumn>> {
        let items = self.star_items(reference, scope)?;
        for item in &items {
            self.meet(item.use_index, item.columns.iter().map(|c| c.name.as_str()));
        }
        if items.iter().any(|i| i.target.is_some()) {
            let message = "the columns of a written table must be named in a sub-query";
            return Err(Problem::refuse(
                Code::NotUnderstood,
                message,
                usize::try_from(reference.location).ok(),
            ));
        }
        if let Some(open) = items.iter().find(|i| i.open) {
            let message = format!("the columns of \"{}\" cannot be told", open.name);
            // A star over them gives no names that we could follow, but nothing unseen either.
            if self.depth > 0 {
                return Err(
                    Problem::refuse(Code::NotUnderstood, message, usize::try_from(reference.location).ok())
                        .hint("name the columns, or give the function a column list"),
                );
            }
        }
        if reference.fields.len() > 1 {
            return Ok(items.iter().flat_map(|i| i.columns.iter().cloned()).collect());
        }
        let mut columns: Vec<OutputColumn> = Vec::new();
        let mut done = 0;
        while done < scope.items.len() {
            // The largest join that starts here, if any of its columns are merged.
            let join = scope
                .merged
                .iter()
                .filter(|m| m.hides.start == done)
                .map(|m| m.hides.end)
                .max();
            let end = join.unwrap_or(done + 1);
            columns.extend(join_columns(scope, done..end));
            done = end;
        }
        Ok(columns)
    }

    fn group(&mut self, clause: &[pb::Node], scope: &Scope<'_>, columns: &[OutputColumn]) -> Result<()> {
        for node in clause {
            match Tree::of(node)? {
                Tree::GroupingSet(set) => {
                    // Before 18 PostgreSQL drops an ORDER BY of a column that it knows to be one value, though sets
                    // that leave it out make it NULL: it must not know what a row filter says.
                    self.out.partial = true;
                    self.group(&set.content, scope, columns)?;
                }
                Tree::RowExpr(row) => self.group(&row.args, scope, columns)?,
                tree => {
                    // An input column of that name speaks before an output column (SQL-92 rule).
                    if let Some(name) = bare_name(tree)
                        && !scope.items.iter().any(|i| i.columns.iter().any(|c| c.name == name))
                        && let Some(column) = columns.iter().find(|c| c.name == name)
                    {
                        self.use_columns(&column.sources, Some(Position::Group));
                    } else {
                        self.ordinal_or_expression(tree, scope, columns, Position::Group)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn sort(
        &mut self,
        clause: &[pb::Node],
        scope: &Scope<'_>,
        columns: &[OutputColumn],
        position: Option<Position>,
    ) -> Result<()> {
        for node in clause {
            let Tree::SortBy(sort) = Tree::of(node)? else {
                return Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this ORDER BY is not understood",
                    None,
                ));
            };
            if !sort.use_op.is_empty() {
                self.operator(&sort.use_op, usize::try_from(sort.location).ok())?;
            }
            if let Some(node) = sort.node.as_deref() {
                let at = position.map_or(Position::Order, |_| Position::Order);
                self.by_name_or_expression(std::slice::from_ref(node), scope, columns, at)?;
            }
        }
        Ok(())
    }

    /// ORDER BY and DISTINCT ON: an output column's name or number, else an expression.
    fn by_name_or_expression(
        &mut self,
        nodes: &[pb::Node],
        scope: &Scope<'_>,
        columns: &[OutputColumn],
        position: Position,
    ) -> Result<()> {
        for node in nodes {
            let tree = Tree::of(node)?;
            match bare_name(tree).and_then(|name| columns.iter().find(|c| c.name == name)) {
                Some(column) => self.use_columns(&column.sources, Some(position)),
                None => self.ordinal_or_expression(tree, scope, columns, position)?,
            }
        }
        Ok(())
    }

    fn ordinal_or_expression(
        &mut self,
        tree: Tree<'_>,
        scope: &Scope<'_>,
        columns: &[OutputColumn],
        position: Position,
    ) -> Result<()> {
        if let Tree::AConst(constant) = tree
            && let Some(pb::a_const::Val::Ival(ordinal)) = &constant.val
        {
            let column = usize::try_from(ordinal.ival)
                .ok()
                .and_then(|n| columns.get(n.checked_sub(1)?));
            if let Some(column) = column {
                self.use_columns(&column.sources, Some(position));
            }
            return Ok(());
        }
        self.expr(tree, Place::new(scope, Some(position)))?;
        Ok(())
    }

    fn limit(&mut self, select: &pb::SelectStmt, scope: &Scope<'_>, position: Option<Position>) -> Result<()> {
        let place = Place::new(scope, position.map(|_| Position::Filter));
        self.expr_opt(select.limit_count.as_deref(), place)?;
        self.expr_opt(select.limit_offset.as_deref(), place)?;
        Ok(())
    }
}

/// The columns of a join in the order of `SELECT *`: those merged at the outermost join first, then
/// the rest of the left and of the right side.
pub(super) fn join_columns(scope: &Scope<'_>, range: std::ops::Range<usize>) -> Vec<OutputColumn> {
    let mut merged: Vec<(&str, &OutputColumn, std::ops::Range<usize>)> = Vec::new();
    for m in scope.merged.iter().rev() {
        if m.hides.start >= range.start && m.hides.end <= range.end && !merged.iter().any(|x| x.0 == m.column.name) {
            merged.push((&m.column.name, &m.column, m.hides.clone()));
        }
    }
    merged.reverse();
    let mut columns: Vec<OutputColumn> = merged.iter().map(|(_, c, _)| (*c).clone()).collect();
    for (i, item) in scope.items.iter().enumerate() {
        if !range.contains(&i) || item.qualified_only {
            continue;
        }
        let hidden = |c: &&OutputColumn| {
            merged
                .iter()
                .any(|(name, _, hides)| *name == c.name && hides.contains(&i))
        };
        columns.extend(item.columns.iter().filter(|c| !hidden(c)).cloned());
    }
    columns
}

/// An unqualified name standing alone.
fn bare_name(tree: Tree<'_>) -> Option<&str> {
    let Tree::ColumnRef(reference) = tree else { return None };
    let [only] = reference.fields.as_slice() else {
        return None;
    };
    string_of(only)
}

/// Gives columns the names of an alias list, from the first on.
pub(super) fn rename(columns: &mut Vec<OutputColumn>, names: &[pb::Node]) {
    for (i, name) in names.iter().filter_map(string_of).enumerate() {
        match columns.get_mut(i) {
            Some(column) => name.clone_into(&mut column.name),
            None => columns.push(OutputColumn {
                name: name.to_owned(),
                ..OutputColumn::default()
            }),
        }
    }
}
