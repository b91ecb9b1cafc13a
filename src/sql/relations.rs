//! Every relation that a tree names, found by walking every node: the gate's own list, which shares
//! no code with name resolution.

use pg_query::protobuf as pb;

use super::grammar::{Tree, Unknown};

/// A relation's name at one place of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `RangeVar.location`
    pub location: i32,
    /// Database, schema, name; empty where not given.
    pub parts: [String; 3],
    /// It refers to a WITH query in scope.
    pub cte: bool,
}

/// All names of relations in a statement, WITH references among them; not those of FOR UPDATE OF,
/// which are aliases.
///
/// # Errors
/// A node that is not understood.
pub fn named(node: &pb::Node) -> Result<Vec<Named>, Unknown> {
    let mut walk = Walk { found: Vec::new() };
    walk.tree(Tree::of(node)?, &[])?;
    Ok(walk.found)
}

struct Walk {
    found: Vec<Named>,
}

impl Walk {
    fn tree(&mut self, tree: Tree<'_>, ctes: &[String]) -> Result<(), Unknown> {
        match tree {
            Tree::SelectStmt(s) => self.with(tree, s.with_clause.as_ref(), ctes),
            Tree::InsertStmt(s) => self.write(tree, s.with_clause.as_ref(), s.relation.as_ref(), ctes),
            Tree::UpdateStmt(s) => self.write(tree, s.with_clause.as_ref(), s.relation.as_ref(), ctes),
            Tree::DeleteStmt(s) => self.write(tree, s.with_clause.as_ref(), s.relation.as_ref(), ctes),
            Tree::MergeStmt(s) => self.write(tree, s.with_clause.as_ref(), s.relation.as_ref(), ctes),
            Tree::CopyStmt(s) => self.write(tree, None, s.relation.as_ref(), ctes),
            Tree::LockingClause(_) => Ok(()),
            Tree::LockStmt(_) => self.below(tree, &[], None),
            // A new relation, whatever WITH queries are called.
            Tree::IntoClause(into) => self.write(tree, None, into.rel.as_ref(), ctes),
            Tree::RangeVar(range) => {
                let cte = range.schemaname.is_empty() && ctes.contains(&range.relname);
                self.note(range, cte);
                Ok(())
            }
            other => self.below(other, ctes, None),
        }
    }

    fn note(&mut self, range: &pb::RangeVar, cte: bool) {
        let parts = [
            range.catalogname.clone(),
            range.schemaname.clone(),
            range.relname.clone(),
        ];
        self.found.push(Named {
            location: range.location,
            parts,
            cte,
        });
    }

    /// A target is a table, whatever WITH queries are called.
    fn write(
        &mut self,
        tree: Tree<'_>,
        with: Option<&pb::WithClause>,
        target: Option<&pb::RangeVar>,
        ctes: &[String],
    ) -> Result<(), Unknown> {
        if let Some(target) = target {
            self.note(target, false);
        }
        let visible = self.ctes(with, ctes)?;
        self.below(tree, &visible, target)
    }

    fn with(&mut self, tree: Tree<'_>, with: Option<&pb::WithClause>, ctes: &[String]) -> Result<(), Unknown> {
        let visible = self.ctes(with, ctes)?;
        self.below(tree, &visible, None)
    }

    /// The WITH queries themselves; gives the names visible behind them.
    fn ctes(&mut self, with: Option<&pb::WithClause>, outer: &[String]) -> Result<Vec<String>, Unknown> {
        let mut visible = outer.to_vec();
        let Some(with) = with else { return Ok(visible) };
        let names = |node: &pb::Node| match Tree::of(node)? {
            Tree::CommonTableExpr(cte) => Ok(cte.ctename.clone()),
            _ => Err(Unknown("an item of WITH")),
        };
        if with.recursive {
            for node in &with.ctes {
                visible.push(names(node)?);
            }
        }
        for node in &with.ctes {
            self.tree(Tree::of(node)?, &visible)?;
            if !with.recursive {
                visible.push(names(node)?);
            }
        }
        Ok(visible)
    }

    /// All children but the WITH clause and the target, which are done.
    fn below(&mut self, tree: Tree<'_>, ctes: &[String], target: Option<&pb::RangeVar>) -> Result<(), Unknown> {
        tree.each_child(&mut |child| match child {
            Tree::WithClause(_) => Ok(()),
            Tree::RangeVar(range) if target.is_some_and(|t| std::ptr::eq(t, range)) => Ok(()),
            other => self.tree(other, ctes),
        })
    }
}
