//! The gate: the outgoing text as PostgreSQL's own grammar reads it, held against the plan.
//!
//! The only maker of [`Verified`]. Knows no purpose and no byte positions of the splicer: it applies
//! the plan's edits to the *tree* of the client's text and asks that it equal the tree of what goes
//! out (translation validation). Each generated fragment is parsed alone and held against what was
//! decided; each relation that the client names must be in the plan.

mod apply;
mod fragment;
mod outermost;
mod template;

use pg_query::protobuf as pb;

use crate::rewrite::edit::{Edit, EditKind, Edits};
use crate::sql::ParsedStatement;
use crate::sql::grammar::{Edit as _, Tree, Unknown};
use crate::sql::parsed::{MarkEmpty, raw_parse, span_of};
use crate::sql::relations;

pub use template::{Filled, Template};

/// A text that the gate let pass. Not `Clone`, no public constructor: what holds one holds proof.
#[derive(Debug)]
pub struct Verified {
    text: Box<str>,
}

impl Verified {
    /// The text as PostgreSQL gets it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A statement that is sure to fail at its place, sent where a statement was refused: it parses,
    /// so an aborted transaction answers first, and then names a relation that cannot exist.
    pub fn refusal() -> Self {
        Self {
            text: "SELECT FROM pg_catalog.\"pgpurpose: refused\"".into(),
        }
    }
}

/// What the gate found. A bug of ours, if it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference(pub String);

impl From<Unknown> for Difference {
    fn from(unknown: Unknown) -> Self {
        Self(format!("{} is not understood", unknown.0))
    }
}

type Result<T> = std::result::Result<T, Difference>;

fn differs<T>(what: impl Into<String>) -> Result<T> {
    Err(Difference(what.into()))
}

/// Holds the outgoing text of a message against the client's statements and their edits.
///
/// # Errors
/// A difference.
pub fn verify(text: &str, statements: &[(&ParsedStatement, &Edits)], outgoing: String) -> Result<Verified> {
    let read =
        raw_parse(&outgoing).map_err(|e| Difference(format!("what would go out cannot be read: {}", e.message)))?;
    if read.len() != statements.len() {
        return differs("what would go out has another number of statements");
    }
    for ((statement, edits), raw) in statements.iter().zip(read) {
        let span = span_of(&raw, outgoing.len());
        let Some(out) = raw.stmt else {
            return differs("a statement is empty");
        };
        if matches!(statement.command, crate::sql::Command::Ddl) {
            ddl_unchanged(text.get(statement.span.clone()), outgoing.get(span), edits)?;
        } else if edits.unchanged {
            unchanged(&statement.node, edits, *out)?;
        } else if matches!(statement.command, crate::sql::Command::Explanation) {
            explanation_only(edits, *out)?;
        } else {
            equal_after_edits(&statement.node, edits, *out)?;
        }
    }
    Ok(Verified {
        text: outgoing.into_boxed_str(),
    })
}

/// What is served as it is, tree unread, must go out as it came.
fn ddl_unchanged(source: Option<&str>, out: Option<&str>, edits: &Edits) -> Result<()> {
    if edits.edits.is_empty() && source.is_some() && source == out {
        Ok(())
    } else {
        differs("a statement served as it is was changed")
    }
}

/// What is only observed goes out as it came, whatever it names. Its place in the message may be another.
fn unchanged(source: &pb::Node, edits: &Edits, mut out: pb::Node) -> Result<()> {
    let mut expected = source.clone();
    out.edit(&mut MarkEmpty)?;
    expected.erase_positions();
    out.erase_positions();
    if edits.edits.is_empty() && expected == out {
        Ok(())
    } else {
        differs("a statement that is only observed was changed")
    }
}

/// An explanation goes out instead of the statement that it explains: constants and nothing else.
fn explanation_only(edits: &Edits, mut out: pb::Node) -> Result<()> {
    let [
        Edit {
            kind: EditKind::Show { select },
            ..
        },
    ] = edits.edits.as_slice()
    else {
        return differs("an explanation is planned as something else");
    };
    let planned = raw_parse(select).map_err(|e| Difference(e.message))?;
    let [only] = planned.as_slice() else {
        return differs("an explanation is not one statement");
    };
    let mut expected = only.stmt.as_deref().cloned().unwrap_or_default();
    expected.erase_positions();
    out.erase_positions();
    if expected != out {
        return differs("what would go out is not the explanation");
    }
    constants_only(Tree::of(&out)?)
}

fn constants_only(tree: Tree<'_>) -> Result<()> {
    match tree {
        Tree::SelectStmt(_)
        | Tree::RangeSubselect(_)
        | Tree::Alias(_)
        | Tree::ResTarget(_)
        | Tree::ColumnRef(_)
        | Tree::AConst(_)
        | Tree::ParamRef(_)
        | Tree::TypeCast(_)
        | Tree::TypeName(_)
        | Tree::NullTest(_)
        | Tree::BoolExpr(_)
        | Tree::List(_)
        | Tree::String(_)
        | Tree::Integer(_)
        | Tree::Boolean(_) => {}
        _ => return differs("an explanation reads something"),
    }
    let mut found = Ok(());
    tree.each_child(&mut |child| {
        if found.is_ok() {
            found = constants_only(child);
        }
        Ok(())
    })?;
    found
}

/// The client's tree with the edits made must be the tree that goes out; every relation in it must be
/// in the plan, every fragment what was decided.
fn equal_after_edits(source: &pb::Node, edits: &Edits, mut out: pb::Node) -> Result<()> {
    every_relation_planned(source, edits)?;
    for edit in &edits.edits {
        if let EditKind::Relation { fragment, .. } | EditKind::CopyQuery { fragment, .. } = &edit.kind {
            fragment::check(fragment)?;
        }
        if let EditKind::PrinterOpen { before, after, .. } = &edit.kind {
            fragment::printer(before, after)?;
        }
    }
    let mut expected = source.clone();
    apply::edits(&mut expected, edits)?;
    out.edit(&mut MarkEmpty)?;
    expected.erase_positions();
    out.erase_positions();
    if expected == out {
        Ok(())
    } else {
        differs("what would go out is not the statement with its edits")
    }
}

fn every_relation_planned(source: &pb::Node, edits: &Edits) -> Result<()> {
    for named in relations::named(source)? {
        let at = usize::try_from(named.location).map_err(|_| Difference("a relation has no place".into()))?;
        let replaced = edits.edits.iter().any(|e| match &e.kind {
            EditKind::Relation { location, .. } => *location == at,
            EditKind::CopyQuery { .. } => e.range.contains(&at),
            _ => false,
        });
        let kept = edits.as_is.iter().any(|(location, name)| {
            *location == at
                && named.parts[2] == name.name
                && (named.parts[1] == name.schema
                    || named.parts[1] == "pg_temp"
                    || edits.edits.iter().any(|e| {
                        matches!(&e.kind, EditKind::QualifyRelation { location, schema } if *location == at && *schema == name.schema)
                    }))
        });
        match (named.cte, replaced, kept) {
            (true, false, false) | (false, true, false) | (false, false, true) => {}
            _ => return differs(format!("relation {} is not in the plan", named.parts[2])),
        }
    }
    Ok(())
}

#[cfg(test)]
impl Verified {
    /// A text that nobody looked at.
    pub fn for_tests(text: &str) -> Self {
        Self { text: text.into() }
    }
}
