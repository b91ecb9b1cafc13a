//! Generated fragments, read alone and held against what was decided: which relation, which columns in which
//! form, which conditions on its rows, each read by itself and all of them joined.

use pg_query::NodeEnum;
use pg_query::protobuf as pb;

use crate::catalog::QualifiedName;
use crate::rewrite::edit::{ColumnShape, Edits, Fragment, FragmentCheck, SUBJECT_COLUMN};
use crate::sql::grammar::Tree;
use crate::sql::parsed::{parse, string_of};
use crate::sql::relations;

use super::apply::{expression_node, select, where_node};
use super::{Result, differs, equal_after_edits};

pub(super) fn check(fragment: &Fragment) -> Result<()> {
    match &fragment.check {
        FragmentCheck::Table {
            relation,
            only,
            columns,
            conditions,
            fenced,
        } => {
            let node = select(&fragment.text)?;
            let Some(NodeEnum::SelectStmt(select)) = &node.node else {
                return differs("a released relation is no SELECT");
            };
            table(select, relation, *only)?;
            rows(select, conditions, *fenced)?;
            all_columns(select, relation, columns)
        }
        FragmentCheck::View { source, plan, fenced } => view(&fragment.text, source, plan, *fenced),
    }
}

fn table(s: &pb::SelectStmt, relation: &QualifiedName, only: bool) -> Result<()> {
    let plain = s.with_clause.is_none()
        && s.distinct_clause.is_empty()
        && s.into_clause.is_none()
        && s.group_clause.is_empty()
        && s.having_clause.is_none()
        && s.window_clause.is_empty()
        && s.values_lists.is_empty()
        && s.sort_clause.is_empty()
        && s.limit_count.is_none()
        && s.locking_clause.is_empty()
        && s.larg.is_none();
    if !plain {
        return differs("a released relation has a clause that none has");
    }
    match s.from_clause.as_slice() {
        [
            pb::Node {
                node: Some(NodeEnum::RangeVar(range)),
            },
        ] if range.schemaname == relation.schema
            && range.relname == relation.name
            && range.catalogname.is_empty()
            && range.inh != only
            && range.alias.is_none() =>
        {
            Ok(())
        }
        _ => differs("a released relation reads another relation"),
    }
}

/// Each condition is one, and all of them must hold.
fn rows(s: &pb::SelectStmt, conditions: &[String], fenced: bool) -> Result<()> {
    conditions.iter().try_for_each(|one| where_node(one).map(drop))?;
    let all: Vec<String> = conditions.iter().map(|one| format!("({one})")).collect();
    let expected = match all.as_slice() {
        [] => None,
        all => Some(where_node(&all.join(" AND "))?),
    };
    if s.where_clause.as_deref() != expected.as_ref() {
        return differs("a released relation has not its filters");
    }
    if s.limit_offset.is_some() != fenced {
        return differs("a released relation has not its fence");
    }
    Ok(())
}

fn all_columns(s: &pb::SelectStmt, relation: &QualifiedName, columns: &[(String, ColumnShape, String)]) -> Result<()> {
    if s.target_list.len() != columns.len() {
        return differs("a released relation has other columns");
    }
    let mut pairs = s.target_list.iter().zip(columns);
    pairs.try_for_each(|(target, (name, shape, decided))| column(target, &relation.name, (name, *shape, decided)))
}

fn column(target: &pb::Node, table: &str, (name, shape, decided): (&str, ColumnShape, &str)) -> Result<()> {
    let Ok(Tree::ResTarget(target)) = Tree::of(target) else {
        return differs("an output column is none");
    };
    let value = match target.val.as_deref().map(Tree::of) {
        Some(Ok(value)) => value,
        Some(Err(_)) | None => return differs("an output column is empty"),
    };
    let own = |c: &pb::ColumnRef| {
        let fields: Vec<&str> = c.fields.iter().filter_map(string_of).collect();
        fields == [table, name]
    };
    let fits = match (shape, value) {
        (ColumnShape::Raw, Tree::ColumnRef(reference)) => target.name.is_empty() && own(reference),
        (ColumnShape::Null, Tree::TypeCast(cast)) => {
            let null = matches!(cast.arg.as_deref().map(Tree::of), Some(Ok(Tree::AConst(c))) if c.isnull);
            null && target.name == name
        }
        (ColumnShape::Subject, Tree::ColumnRef(reference)) => target.name == SUBJECT_COLUMN && own(reference),
        (ColumnShape::Expression, Tree::ColumnRef(_))
        | (ColumnShape::Raw | ColumnShape::Null | ColumnShape::Subject, _) => false,
        (ColumnShape::Expression, _) => {
            target.name == name && target.val.as_deref() == Some(&expression_node(decided)?)
        }
    };
    if fits {
        Ok(())
    } else {
        differs(format!("column {name} is not released as decided"))
    }
}

/// What stands in place of a call that prints a definition: it reads the names and types of columns and nothing
/// else, and prints a view only where a condition says so.
pub(super) fn printer(before: &str, after: &str) -> Result<()> {
    let node = select(&format!("SELECT {before}NULL{after}"))?;
    for named in relations::named(&node)? {
        if named.parts != ["", "pg_catalog", "pg_attribute"] {
            return differs("what stands for a definition reads another relation");
        }
    }
    prints(Tree::of(&node)?, false)
}

fn prints(tree: Tree<'_>, conditional: bool) -> Result<()> {
    if let Tree::FuncCall(call) = tree {
        let name: Vec<&str> = call.funcname.iter().filter_map(string_of).collect();
        let fits = match name.as_slice() {
            ["pg_catalog", "format" | "format_type" | "string_agg"] => true,
            ["pg_catalog", "pg_get_viewdef"] => conditional,
            _ => false,
        };
        if !fits {
            return differs("what stands for a definition calls another function");
        }
    }
    let conditional = conditional || matches!(tree, Tree::CaseWhen(_));
    let mut found = Ok(());
    tree.each_child(&mut |child| {
        if found.is_ok() {
            found = prints(child, conditional);
        }
        Ok(())
    })?;
    found
}

fn view(text: &str, source: &str, plan: &Edits, fenced: bool) -> Result<()> {
    let statements = match parse(source) {
        Ok(statements) => statements,
        Err(_) => return differs("a view's definition cannot be read"),
    };
    let [definition] = statements.as_slice() else {
        return differs("a view's definition is not one statement");
    };
    let mut out = select(text)?;
    if fenced {
        out = behind_fence(out)?;
    }
    equal_after_edits(&definition.node, plan, out)
}

/// `SELECT * FROM (…) AS barrier OFFSET 0`
fn behind_fence(node: pb::Node) -> Result<pb::Node> {
    let Some(NodeEnum::SelectStmt(mut s)) = node.node else {
        return differs("a fence is no SELECT");
    };
    if s.limit_offset.is_none() || s.from_clause.len() != 1 {
        return differs("a fence is not as planned");
    }
    match s.from_clause.pop().and_then(|n| n.node) {
        Some(NodeEnum::RangeSubselect(inner)) => match inner.subquery {
            Some(inner) => Ok(*inner),
            None => differs("a fence is empty"),
        },
        _ => differs("a fence is not as planned"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &str = "t.id, pg_catalog.left(t.name, 1) AS name, NULL::text AS note";

    fn holds(text: &str) -> bool {
        let column = |name: &str, shape, sql: &str| (name.to_owned(), shape, sql.to_owned());
        let fragment = Fragment {
            text: text.to_owned(),
            check: FragmentCheck::Table {
                relation: QualifiedName::new("s", "t"),
                only: false,
                columns: vec![
                    column("id", ColumnShape::Raw, "t.id"),
                    column("name", ColumnShape::Expression, "pg_catalog.left(t.name, 1)"),
                    column("note", ColumnShape::Null, "NULL::text"),
                ],
                conditions: vec!["(t.a OR t.b)".to_owned(), "t.c".to_owned()],
                fenced: true,
            },
        };
        check(&fragment).is_ok()
    }

    #[test]
    fn a_released_relation_is_what_was_decided() {
        assert!(holds(&format!(
            "SELECT {COLUMNS} FROM s.t WHERE (t.a OR t.b) AND t.c OFFSET 0"
        )));
        for behind in [
            "FROM s.t WHERE t.a OR t.b AND t.c OFFSET 0",
            "FROM s.t WHERE (t.a OR t.b) OFFSET 0",
            "FROM s.t WHERE (t.a OR t.b) AND t.d OFFSET 0",
            "FROM s.t WHERE ((t.a OR t.b) AND t.c) OR true OFFSET 0",
            "FROM s.t WHERE (t.a OR t.b) AND t.c",
            "FROM s.t OFFSET 0",
            "FROM ONLY s.t WHERE (t.a OR t.b) AND t.c OFFSET 0",
            "FROM s.u WHERE (t.a OR t.b) AND t.c OFFSET 0",
            "FROM s.t, s.u WHERE (t.a OR t.b) AND t.c OFFSET 0",
        ] {
            assert!(!holds(&format!("SELECT {COLUMNS} {behind}")), "{behind}");
        }
        for columns in [
            "t.id, pg_catalog.left(t.name, 2) AS name, NULL::text AS note",
            "t.id, t.name AS name, NULL::text AS note",
            "t.id, pg_catalog.left(t.name, 1) AS name, t.note",
            "t.id, NULL::text AS note, pg_catalog.left(t.name, 1) AS name",
            "t.id, pg_catalog.left(t.name, 1) AS name",
        ] {
            let text = format!("SELECT {columns} FROM s.t WHERE (t.a OR t.b) AND t.c OFFSET 0");
            assert!(!holds(&text), "{columns}");
        }
    }
}
