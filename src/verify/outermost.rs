//! Edits of whole queries and writes, made to their trees: the SELECT around one, the condition on the size
//! of its groups, outputs that it gets, the checks on what a write stores.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use crate::rewrite::edit::{CheckPlace, Edit, EditKind, Wrapper};
use crate::sql::grammar::{Edit as _, Editor, TreeMut};
use crate::sql::parsed::{first_output, string_of};

use super::apply::{Applier, output_list, put_into_case, same, select, where_node};
use super::{Result, differs};

/// Stands in a generated text where a node of the client's goes.
const HERE: &str = "pgpurpose here";

impl Applier<'_> {
    /// What bounds the rows of the outermost SELECT goes around it.
    pub(super) fn outermost(&mut self, node: &mut pb::Node) {
        let bound = self.edits.edits.iter().find_map(|edit| match edit.kind {
            EditKind::WrapOpen(wrapper @ Wrapper::Rows(_)) => Some(wrapper),
            _ => None,
        });
        if let Some(wrapper) = bound {
            self.wrap(wrapper, node);
        }
    }

    /// A SELECT as its edits change it: what is its own first, then what goes around it.
    pub(super) fn select(&mut self, own: &mut pb::SelectStmt) {
        let Some(at) = first_output(own).filter(|at| *at > 0) else {
            return;
        };
        let fenced = self.take_once(|k| matches!(k, EditKind::Fence { select } if *select == at));
        if own.larg.is_none() {
            self.part(at, own);
        }
        if fenced.is_some() {
            self.fence(own);
        }
    }

    /// A SELECT that unites no others.
    fn part(&mut self, at: usize, own: &mut pb::SelectStmt) {
        self.having(at, own);
        if let Some(EditKind::Outputs { list, .. }) =
            self.take_once(|k| matches!(k, EditKind::Outputs { select, .. } if *select == at))
            && let Some(list) = self.keep(output_list(list))
        {
            own.target_list.extend(list);
        }
        let whole = Wrapper::Whole(at);
        let planned = |e: &Edit, done: &usize| matches!(e.kind, EditKind::WrapOpen(w) if w == whole) && *done == 0;
        if self
            .edits
            .edits
            .iter()
            .zip(&self.done)
            .any(|(e, done)| planned(e, done))
        {
            let mut node = pb::Node {
                node: Some(NodeEnum::SelectStmt(Box::new(std::mem::take(own)))),
            };
            self.wrap(whole, &mut node);
            if let Some(NodeEnum::SelectStmt(wrapped)) = node.node {
                *own = *wrapped;
            }
        }
    }

    fn wrap(&mut self, wrapper: Wrapper, node: &mut pb::Node) {
        let opened = self
            .take(|k| matches!(k, EditKind::WrapOpen(w) if *w == wrapper))
            .is_some();
        let closed = self
            .take(|k| matches!(k, EditKind::WrapClose(w) if *w == wrapper))
            .is_some();
        let (before, after) = wrapper.texts();
        let text = format!("{before}SELECT \"{HERE}\"{after}");
        let whole = select(&text).and_then(|whole| put(whole, std::mem::take(node), is_select_here));
        if let (Some(whole), true) = (self.keep(whole), opened && closed) {
            *node = whole;
        }
    }

    fn fence(&mut self, own: &mut pb::SelectStmt) {
        let bounded = own.limit_count.is_some() || own.limit_offset.is_some();
        match self.keep(select("SELECT OFFSET 0")).and_then(|n| n.node) {
            Some(NodeEnum::SelectStmt(fence)) if !bounded => {
                own.limit_offset = fence.limit_offset;
                own.limit_option = fence.limit_option;
            }
            _ => {
                self.keep(differs::<()>("a fence is planned where there is one"));
            }
        }
    }

    fn having(&mut self, at: usize, select: &mut pb::SelectStmt) {
        let own = |of: &usize| *of == at;
        if let Some(EditKind::Having { size, .. }) =
            self.take_once(|k| matches!(k, EditKind::Having { select, .. } if own(select)))
        {
            if select.having_clause.is_some() {
                self.keep(differs::<()>("a condition on groups is planned where there is one"));
            }
            select.having_clause = self.keep(where_node(size)).map(Box::new);
            return;
        }
        let open = self.take_once(|k| matches!(k, EditKind::HavingOpen { select, .. } if own(select)));
        let close = self.take_once(|k| matches!(k, EditKind::HavingClose { select, .. } if own(select)));
        match (open, close, select.having_clause.take()) {
            (None, None, own) => select.having_clause = own,
            (Some(EditKind::HavingOpen { size, .. }), Some(EditKind::HavingClose { otherwise, .. }), Some(own)) => {
                let otherwise = otherwise.as_ref().map(|o| format!(" ELSE {o}")).unwrap_or_default();
                let text = format!("CASE WHEN {size} THEN (true){otherwise} END");
                let all = where_node(&text).and_then(|node| put_into_case(node, *own));
                select.having_clause = self.keep(all).map(Box::new);
            }
            _ => {
                self.keep(differs::<()>("a HAVING's edits do not belong together"));
            }
        }
    }

    /// The checks on what an INSERT stores.
    pub(super) fn checks_of_insert(&mut self, insert: &mut pb::InsertStmt) {
        if let Some(conflict) = &mut insert.on_conflict_clause {
            self.checks_of_set(insert.relation.as_ref(), &mut conflict.target_list);
        }
        let relation = insert.relation.clone();
        let relation = relation.as_ref();
        let Some(Some(NodeEnum::SelectStmt(source))) = insert.select_stmt.as_mut().map(|n| n.node.as_mut()) else {
            return;
        };
        for (r, row) in source.values_lists.iter_mut().enumerate() {
            let Some(NodeEnum::List(list)) = &mut row.node else {
                continue;
            };
            for (i, value) in list.items.iter_mut().enumerate() {
                self.check(relation, value, &CheckPlace::Value { row: r, item: i });
            }
        }
        for (i, target) in source.target_list.iter_mut().enumerate() {
            if let Some(NodeEnum::ResTarget(target)) = &mut target.node
                && let Some(value) = &mut target.val
            {
                self.check(relation, value, &CheckPlace::Output { item: i });
            }
        }
    }

    /// The checks on what a SET stores.
    pub(super) fn checks_of_set(&mut self, relation: Option<&pb::RangeVar>, targets: &mut [pb::Node]) {
        for target in targets {
            if let Some(NodeEnum::ResTarget(target)) = &mut target.node
                && target.indirection.is_empty()
                && let Some(value) = &mut target.val
            {
                let column = target.name.clone();
                self.check(relation, value, &CheckPlace::Set { column });
            }
        }
    }

    fn check(&mut self, relation: Option<&pb::RangeVar>, value: &mut pb::Node, at: &CheckPlace) {
        let own = |target: &usize| relation.is_some_and(|r| same(*target, r.location));
        let edit = self.take(|k| matches!(k, EditKind::CheckOpen { target, place, .. } if place == at && own(target)));
        let Some(EditKind::CheckOpen { before, after, .. }) = edit else {
            return;
        };
        let checked = around(before, after, std::mem::take(value));
        if let Some(checked) = self.keep(checked) {
            *value = checked;
        }
        if self
            .take(|k| matches!(k, EditKind::CheckClose { target, place } if place == at && own(target)))
            .is_none()
        {
            self.keep(differs::<()>("a check's edits do not belong together"));
        }
    }
}

/// A generated expression with the client's own in its place.
pub(super) fn around(before: &str, after: &str, own: pb::Node) -> Result<pb::Node> {
    let whole = expression(&format!("SELECT {before}\"{HERE}\"{after}"))?;
    put(whole, own, is_column_here)
}

/// The only output of a generated SELECT.
fn expression(text: &str) -> Result<pb::Node> {
    let Some(NodeEnum::SelectStmt(mut one)) = select(text)?.node else {
        return differs("a check is no expression");
    };
    match (one.target_list.pop().and_then(|n| n.node), one.target_list.is_empty()) {
        (Some(NodeEnum::ResTarget(target)), true) if target.name.is_empty() && one.from_clause.is_empty() => {
            target.val.map_or_else(|| differs("a check is empty"), |v| Ok(*v))
        }
        _ => differs("a check is not one expression"),
    }
}

/// Puts `own` where the generated tree says, which must be at one place.
fn put(mut whole: pb::Node, own: pb::Node, here: fn(&pb::Node) -> bool) -> Result<pb::Node> {
    let mut putter = Put {
        own: Some(own),
        here,
        places: 0,
    };
    whole.edit(&mut putter)?;
    if putter.places == 1 {
        Ok(whole)
    } else {
        differs("a generated text has not one place for the client's")
    }
}

struct Put {
    own: Option<pb::Node>,
    here: fn(&pb::Node) -> bool,
    places: usize,
}

impl Editor for Put {
    fn node(&mut self, node: &mut pb::Node) -> bool {
        if !(self.here)(node) {
            return true;
        }
        self.places += 1;
        if let Some(own) = self.own.take() {
            *node = own;
        }
        false
    }

    fn tree(&mut self, _: TreeMut<'_>) {}
}

fn is_column_here(node: &pb::Node) -> bool {
    match &node.node {
        Some(NodeEnum::ColumnRef(reference)) => match reference.fields.as_slice() {
            [only] => string_of(only) == Some(HERE),
            _ => false,
        },
        _ => false,
    }
}

fn is_select_here(node: &pb::Node) -> bool {
    let Some(NodeEnum::SelectStmt(select)) = &node.node else {
        return false;
    };
    match select.target_list.as_slice() {
        [
            pb::Node {
                node: Some(NodeEnum::ResTarget(target)),
            },
        ] => target.val.as_deref().is_some_and(is_column_here) && select.from_clause.is_empty(),
        _ => false,
    }
}
