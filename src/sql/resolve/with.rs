//! WITH and WITH RECURSIVE: what each query in it gives, and which of them see which.

use std::rc::Rc;

use pg_query::protobuf as pb;

use crate::policy::Code;
use crate::sql::grammar::Tree;

use super::query::rename;
use super::scope::{Cte, Scope, Sources};
use super::{OutputColumn, Problem, Resolver, Result};

impl Resolver<'_> {
    /// WITH: each query sees the ones before it; under RECURSIVE also itself and the ones after it.
    pub(super) fn with_clause(&mut self, with: &pb::WithClause, scope: &mut Scope<'_>) -> Result<()> {
        let ctes: Vec<&pb::CommonTableExpr> = with
            .ctes
            .iter()
            .map(|node| match Tree::of(node)? {
                Tree::CommonTableExpr(cte) => Ok(cte),
                _ => Err(Problem::refuse(
                    Code::NotUnderstood,
                    "this WITH is not understood",
                    None,
                )),
            })
            .collect::<Result<_>>()?;
        if with.recursive {
            return self.recursive_ctes(&ctes, scope);
        }
        for cte in &ctes {
            let columns = self.cte_columns(cte, scope)?;
            scope.ctes.push(Cte {
                name: cte.ctename.clone(),
                columns: Rc::new(columns),
                open: false,
            });
        }
        Ok(())
    }

    fn cte_columns(&mut self, cte: &pb::CommonTableExpr, scope: &Scope<'_>) -> Result<Vec<OutputColumn>> {
        let mut columns = self.cte_query(cte, scope)?;
        rename(&mut columns, &cte.aliascolnames);
        add_search_and_cycle(cte, &mut columns);
        Ok(columns)
    }

    /// Each refers to itself and to the others, before and behind it: names come from first arms, and
    /// the rounds go on until no more values flow.
    fn recursive_ctes(&mut self, ctes: &[&pb::CommonTableExpr], scope: &mut Scope<'_>) -> Result<()> {
        let first = scope.ctes.len();
        for cte in ctes {
            let (columns, open) = self.first_arm_columns(cte, scope)?;
            scope.ctes.push(Cte {
                name: cte.ctename.clone(),
                columns: Rc::new(columns),
                open,
            });
        }
        loop {
            let mut grown = false;
            for (i, cte) in ctes.iter().enumerate() {
                let mut columns = self.cte_columns(cte, scope)?;
                let Some(slot) = scope.ctes.get_mut(first + i) else {
                    continue;
                };
                // Values may move between columns from one round to the next.
                let mut all: Sources = columns.iter().flat_map(|c| c.sources.iter().copied()).collect();
                all.extend(slot.columns.iter().flat_map(|c| c.sources.iter().copied()));
                columns.iter_mut().for_each(|c| c.sources.clone_from(&all));
                grown |= slot.open || *slot.columns != columns;
                *slot = Cte {
                    name: cte.ctename.clone(),
                    columns: Rc::new(columns),
                    open: false,
                };
            }
            if !grown {
                return Ok(());
            }
        }
    }

    /// The columns of a recursive query by its first arm alone, with nothing noted: names only.
    /// True where it needs a later one: until its turn its columns are unknown.
    fn first_arm_columns(&mut self, cte: &pb::CommonTableExpr, scope: &Scope<'_>) -> Result<(Vec<OutputColumn>, bool)> {
        let Some(query) = cte.ctequery.as_deref() else {
            return Ok((Vec::new(), true));
        };
        let Tree::SelectStmt(mut select) = Tree::of(query)? else {
            return Ok((Vec::new(), true));
        };
        let whole = select;
        while let Some(left) = &select.larg {
            select = left;
        }
        let before = self.out.clone();
        let mut inner = Scope::below(scope);
        // Where the query is its own first arm, its WITH is read with it.
        let columns = match &whole.with_clause {
            Some(with) if whole.larg.is_some() => self
                .with_clause(with, &mut inner)
                .and_then(|()| self.nested(select, &inner, None)),
            Some(_) | None => self.nested(select, &inner, None),
        };
        self.out = before;
        let open = columns.is_err();
        let mut columns = columns.unwrap_or_default();
        rename(&mut columns, &cte.aliascolnames);
        add_search_and_cycle(cte, &mut columns);
        Ok((columns, open))
    }

    fn cte_query(&mut self, cte: &pb::CommonTableExpr, scope: &Scope<'_>) -> Result<Vec<OutputColumn>> {
        let Some(query) = cte.ctequery.as_deref() else {
            return Err(Problem::refuse(
                Code::NotUnderstood,
                "this WITH is not understood",
                None,
            ));
        };
        match Tree::of(query)? {
            Tree::SelectStmt(select) => self.nested(select, scope, None),
            write @ (Tree::InsertStmt(_) | Tree::UpdateStmt(_) | Tree::DeleteStmt(_) | Tree::MergeStmt(_)) => {
                self.write_in_with(write, scope)
            }
            _ => Err(Problem::refuse(
                Code::NotUnderstood,
                "this WITH is not understood",
                None,
            )),
        }
    }
}

/// SEARCH and CYCLE add columns of their own.
fn add_search_and_cycle(cte: &pb::CommonTableExpr, columns: &mut Vec<OutputColumn>) {
    let sources: Sources = columns.iter().flat_map(|c| c.sources.iter().copied()).collect();
    let mut add = |name: &str| {
        if !name.is_empty() {
            columns.push(OutputColumn {
                name: name.to_owned(),
                sources: sources.clone(),
                type_oid: None,
            });
        }
    };
    if let Some(search) = &cte.search_clause {
        add(&search.search_seq_column);
    }
    if let Some(cycle) = &cte.cycle_clause {
        add(&cycle.cycle_mark_column);
        add(&cycle.cycle_path_column);
    }
}
