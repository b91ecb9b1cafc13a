//! The plan's edits, made to a tree. Shares no code with the splicer of bytes.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use crate::rewrite::edit::{EditKind, Edits};
use crate::sql::grammar::{Edit as _, Editor, Tree, TreeMut};
use crate::sql::parsed::{MarkEmpty, raw_parse};

use super::outermost::around;
use super::{Difference, Result, differs};

/// Makes all edits; each must find its place. (Where the grammar repeats a sub-tree, as in
/// `(a, b) = (SELECT …)`, one place stands in it more than once.)
pub(super) fn edits(node: &mut pb::Node, edits: &Edits) -> Result<()> {
    let mut applier = Applier {
        edits,
        done: vec![0; edits.edits.len()],
        outermost_done: false,
        problem: None,
    };
    node.edit(&mut applier)?;
    if let Some(problem) = applier.problem {
        return Err(problem);
    }
    if applier.done.contains(&0) {
        return differs("an edit has no place in the tree");
    }
    Ok(())
}

pub(super) struct Applier<'e> {
    pub(super) edits: &'e Edits,
    pub(super) done: Vec<usize>,
    /// The outermost SELECT was met, or there is none.
    outermost_done: bool,
    problem: Option<Difference>,
}

impl<'e> Applier<'e> {
    /// The edit that `wanted` accepts; it counts as made.
    pub(super) fn take(&mut self, wanted: impl Fn(&EditKind) -> bool) -> Option<&'e EditKind> {
        let index = self.edits.edits.iter().position(|e| wanted(&e.kind))?;
        if let Some(count) = self.done.get_mut(index) {
            *count += 1;
        }
        self.edits.edits.get(index).map(|e| &e.kind)
    }

    pub(super) fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problem.get_or_insert(problem);
                None
            }
        }
    }

    fn range_var(&mut self, range: &pb::RangeVar) -> Option<NodeEnum> {
        let at = range.location;
        let edit = self.take(|k| matches!(k, EditKind::Relation { location, .. } if same(*location, at)))?;
        let EditKind::Relation { fragment, alias, .. } = edit else {
            return None;
        };
        let select = self.keep(select(&fragment.text))?;
        let alias = match (&range.alias, alias) {
            (Some(own), None) => own.clone(),
            (None, Some(name)) => pb::Alias {
                aliasname: name.clone(),
                colnames: Vec::new(),
            },
            _ => {
                self.problem
                    .get_or_insert(Difference("an alias is planned where there is one".into()));
                return None;
            }
        };
        let subquery = Some(Box::new(select));
        Some(NodeEnum::RangeSubselect(Box::new(pb::RangeSubselect {
            lateral: false,
            subquery,
            alias: Some(alias),
        })))
    }

    fn column_ref(&mut self, reference: &mut pb::ColumnRef) -> Option<NodeEnum> {
        let at = reference.location;
        if let Some(EditKind::Shorten { drop, .. }) =
            self.take(|k| matches!(k, EditKind::Shorten { location, .. } if same(*location, at)))
        {
            reference.fields.drain(..(*drop).min(reference.fields.len()));
        }
        let edit = self.take(|k| matches!(k, EditKind::Column { location, .. } if same(*location, at)))?;
        let EditKind::Column { expression, .. } = edit else {
            return None;
        };
        self.keep(expression_node(expression)).and_then(|n| n.node)
    }

    /// An output column that becomes an expression keeps its name.
    fn output_name(&self, target: &mut pb::ResTarget) {
        let Some(Ok(Tree::ColumnRef(reference))) = target.val.as_deref().map(Tree::of) else {
            return;
        };
        let named = self.edits.edits.iter().find_map(|e| match &e.kind {
            EditKind::Column { location, name, .. } if same(*location, reference.location) => name.clone(),
            _ => None,
        });
        if let (Some(name), true) = (named, target.name.is_empty()) {
            target.name = name;
        }
    }

    /// Columns that are added to GROUP BY before one of its elements.
    fn group_by(&mut self, select: &mut pb::SelectStmt) {
        let mut clause = Vec::with_capacity(select.group_clause.len());
        for node in std::mem::take(&mut select.group_clause) {
            let at = match &node.node {
                Some(NodeEnum::ColumnRef(c)) => c.location,
                Some(NodeEnum::AConst(c)) => c.location,
                _ => -1,
            };
            // One for each table whose key is grouped by.
            let added = self
                .edits
                .edits
                .iter()
                .zip(&mut self.done)
                .filter_map(|(edit, done)| match &edit.kind {
                    EditKind::GroupBy { location, columns } if at > 0 && same(*location, at) => {
                        *done += 1;
                        Some(columns)
                    }
                    _ => None,
                });
            clause.extend(added.flatten().map(|(table, column)| column_node(table, column)));
            clause.push(node);
        }
        select.group_clause = clause;
    }

    fn returning(&mut self, clause: &mut pb::ReturningClause) {
        let mut exprs = Vec::with_capacity(clause.exprs.len());
        for node in std::mem::take(&mut clause.exprs) {
            let at = star_location(&node);
            let edit =
                at.and_then(|at| self.take(|k| matches!(k, EditKind::Star { location, .. } if same(*location, at))));
            match edit {
                Some(EditKind::Star { list, .. }) => {
                    if let Some(list) = self.keep(output_list(list)) {
                        exprs.extend(list);
                    }
                }
                _ => exprs.push(node),
            }
        }
        clause.exprs = exprs;
    }

    /// The row filter of a write: alone, or in a CASE around the client's condition.
    fn condition(&mut self, target: Option<&pb::RangeVar>, condition: &mut Option<Box<pb::Node>>) {
        let Some(at) = target.map(|t| t.location) else { return };
        let own = |k: &EditKind| match k {
            EditKind::Where { target, .. } => same(*target, at),
            _ => false,
        };
        if let Some(EditKind::Where { filter, .. }) = self.take(own) {
            if condition.is_some() {
                self.problem
                    .get_or_insert(Difference("a condition is planned where there is one".into()));
            }
            *condition = self.keep(where_node(filter)).map(Box::new);
            return;
        }
        let open = self.take(|k| matches!(k, EditKind::CaseOpen { target, .. } if same(*target, at)));
        let close = self.take(|k| matches!(k, EditKind::CaseClose { target, .. } if same(*target, at)));
        match (open, close, condition.take()) {
            (None, None, own) => *condition = own,
            (Some(EditKind::CaseOpen { filter, .. }), Some(EditKind::CaseClose { copied, .. }), Some(own)) => {
                let text = match copied {
                    Some(copied) => format!("CASE WHEN {filter} THEN (true) END AND {copied}"),
                    None => format!("CASE WHEN {filter} THEN (true) END"),
                };
                *condition = self
                    .keep(where_node(&text).and_then(|node| put_into_case(node, *own)))
                    .map(Box::new);
            }
            _ => {
                self.problem
                    .get_or_insert(Difference("a condition's edits do not belong together".into()));
            }
        }
    }
}

impl Editor for Applier<'_> {
    fn node(&mut self, node: &mut pb::Node) -> bool {
        if let (Some(NodeEnum::SelectStmt(_)), false) = (&node.node, self.outermost_done) {
            self.outermost_done = true;
            self.outermost(node);
            return true;
        }
        let new = match &mut node.node {
            Some(NodeEnum::RangeVar(range)) => self.range_var(range),
            Some(NodeEnum::ColumnRef(reference)) => self.column_ref(reference),
            Some(NodeEnum::FuncCall(call)) => {
                let at = call.location;
                let edit = self.take(|k| matches!(k, EditKind::PrinterOpen { location, .. } if same(*location, at)));
                let closed = |k: &EditKind| matches!(k, EditKind::PrinterClose { location } if same(*location, at));
                if let Some(EditKind::PrinterOpen { before, after, .. }) = edit {
                    let first = call.args.first_mut().map(std::mem::take);
                    let shown = self
                        .take(closed)
                        .map(|_| around(before, after, first.unwrap_or_default()));
                    let shown = shown.unwrap_or_else(|| differs("a call's edits do not belong together"));
                    if let Some(shown) = self.keep(shown) {
                        *node = shown;
                    }
                }
                // What was written as the argument has edits of its own.
                return true;
            }
            Some(NodeEnum::VariableShowStmt(_)) => match self.take(|k| matches!(k, EditKind::Show { .. })) {
                Some(EditKind::Show { select: text }) => self.keep(select(text)).and_then(|n| n.node),
                _ => None,
            },
            _ => None,
        };
        match new {
            Some(new) => {
                node.node = Some(new);
                false
            }
            None => true,
        }
    }

    fn tree(&mut self, tree: TreeMut<'_>) {
        match tree {
            TreeMut::RangeVar(range) => {
                let at = range.location;
                if let Some(EditKind::QualifyRelation { schema, .. }) =
                    self.take(|k| matches!(k, EditKind::QualifyRelation { location, .. } if same(*location, at)))
                {
                    range.schemaname.clone_from(schema);
                }
            }
            TreeMut::FuncCall(call) => {
                let at = call.location;
                if let Some(EditKind::QualifyFunction { schema, .. }) =
                    self.take(|k| matches!(k, EditKind::QualifyFunction { location, .. } if same(*location, at)))
                {
                    call.funcname.insert(0, string(schema));
                }
            }
            TreeMut::TypeName(name) => {
                let at = name.location;
                if let Some(EditKind::QualifyType { schema, .. }) =
                    self.take(|k| matches!(k, EditKind::QualifyType { location, .. } if same(*location, at)))
                {
                    name.names.insert(0, string(schema));
                }
            }
            TreeMut::SelectStmt(select) => self.group_by(select),
            TreeMut::ResTarget(target) => self.output_name(target),
            TreeMut::ReturningClause(clause) => self.returning(clause),
            TreeMut::InsertStmt(insert) => {
                self.outermost_done = true;
                self.checks_of_insert(insert);
            }
            TreeMut::UpdateStmt(update) => {
                self.outermost_done = true;
                self.checks_of_set(update.relation.as_ref(), &mut update.target_list);
                self.condition(update.relation.as_ref(), &mut update.where_clause);
            }
            TreeMut::DeleteStmt(delete) => {
                self.outermost_done = true;
                self.condition(delete.relation.as_ref(), &mut delete.where_clause);
            }
            TreeMut::MergeStmt(merge) => {
                self.outermost_done = true;
                self.condition(merge.relation.as_ref(), &mut merge.join_condition);
            }
            TreeMut::ExecuteStmt(execute) => {
                if let Some(EditKind::PreparedName { name }) = self.take(|k| matches!(k, EditKind::PreparedName { .. }))
                {
                    execute.name.clone_from(name);
                }
            }
            TreeMut::CopyStmt(copy) => {
                if let Some(EditKind::CopyQuery { query, .. }) = self.take(|k| matches!(k, EditKind::CopyQuery { .. }))
                {
                    copy.relation = None;
                    copy.attlist.clear();
                    copy.query = self.keep(select(query)).map(Box::new);
                }
            }
            _ => {} // no edit concerns any other kind of node
        }
    }
}

pub(super) fn same(planned: usize, location: i32) -> bool {
    usize::try_from(location) == Ok(planned) && location > 0 || (planned == 0 && location == 0)
}

fn string(text: &str) -> pb::Node {
    pb::Node {
        node: Some(NodeEnum::String(pb::String { sval: text.to_owned() })),
    }
}

fn column_node(table: &str, column: &str) -> pb::Node {
    let fields = vec![string(table), string(column)];
    pb::Node {
        node: Some(NodeEnum::ColumnRef(pb::ColumnRef { fields, location: -1 })),
    }
}

fn star_location(node: &pb::Node) -> Option<i32> {
    let Ok(Tree::ResTarget(target)) = Tree::of(node) else {
        return None;
    };
    match target.val.as_deref().map(Tree::of) {
        Some(Ok(Tree::ColumnRef(reference))) => Some(reference.location),
        _ => None,
    }
}

/// A generated text as one statement, positions erased so that no edit finds a place in it.
pub(super) fn select(text: &str) -> Result<pb::Node> {
    let mut statements =
        raw_parse(text).map_err(|e| Difference(format!("a fragment cannot be read: {}", e.message)))?;
    let (Some(only), true) = (statements.pop(), statements.is_empty()) else {
        return differs("a fragment is not one statement");
    };
    let Some(node) = only.stmt else {
        return differs("a fragment is empty");
    };
    let mut node = *node;
    node.edit(&mut MarkEmpty)?;
    node.erase_positions();
    Ok(node)
}

fn select_stmt(text: &str) -> Result<pb::SelectStmt> {
    match select(text)?.node {
        Some(NodeEnum::SelectStmt(select)) => Ok(*select),
        _ => differs("a fragment is no SELECT"),
    }
}

fn output_list(list: &str) -> Result<Vec<pb::Node>> {
    Ok(select_stmt(&format!("SELECT {list}"))?.target_list)
}

fn expression_node(expression: &str) -> Result<pb::Node> {
    let mut list = output_list(expression)?;
    match (list.pop(), list.is_empty()) {
        (
            Some(pb::Node {
                node: Some(NodeEnum::ResTarget(target)),
            }),
            true,
        ) if target.name.is_empty() => target.val.map_or_else(|| differs("an expression is empty"), |v| Ok(*v)),
        _ => differs("an expression is not one"),
    }
}

pub(super) fn where_node(condition: &str) -> Result<pb::Node> {
    let select = select_stmt(&format!("SELECT WHERE {condition}"))?;
    match select.where_clause {
        Some(node) if select.target_list.is_empty() && select.group_clause.is_empty() => Ok(*node),
        _ => differs("a condition is not one"),
    }
}

/// The client's condition as the result of the CASE that stands first.
pub(super) fn put_into_case(mut node: pb::Node, own: pb::Node) -> Result<pb::Node> {
    let case = match &mut node.node {
        Some(NodeEnum::BoolExpr(and)) => and.args.first_mut().and_then(|n| n.node.as_mut()),
        other => other.as_mut(),
    };
    let Some(NodeEnum::CaseExpr(case)) = case else {
        return differs("a condition has no CASE");
    };
    let Some(NodeEnum::CaseWhen(when)) = case.args.first_mut().and_then(|n| n.node.as_mut()) else {
        return differs("a CASE has no branch");
    };
    when.result = Some(Box::new(own));
    Ok(node)
}
