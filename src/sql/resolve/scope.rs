//! Scopes: which names mean what at one place of a query.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::catalog::Oid;

use super::{BaseColumn, OutputColumn};

/// Stored columns whose values may flow into a value.
pub type Sources = BTreeSet<BaseColumn>;

/// What stands behind a name in FROM.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The name by which it is known; empty where it has none.
    pub name: String,
    /// Its schema, where it is a relation without an alias: `schema.table.column` may refer to it.
    pub schema: Option<String>,
    /// Its columns, in order.
    pub columns: Rc<Vec<OutputColumn>>,
    /// It may have columns that are not listed.
    pub open: bool,
    /// The stored relation that it is, for system columns.
    pub relation: Option<Oid>,
    /// The relation or view whose name it bears, for long references.
    pub named: Option<Oid>,
    /// Its index among the relations used.
    pub use_index: Option<usize>,
    /// A target of a write, by its place among the relations: its references are replaced.
    pub target: Option<usize>,
    /// Only qualified references reach it (`JOIN … USING (…) AS name`, a join's merged columns).
    pub qualified_only: bool,
}

impl Item {
    pub fn new(name: impl Into<String>, columns: Vec<OutputColumn>) -> Self {
        Self {
            name: name.into(),
            schema: None,
            columns: Rc::new(columns),
            open: false,
            relation: None,
            named: None,
            use_index: None,
            target: None,
            qualified_only: false,
        }
    }

    /// All that may flow out of it.
    pub fn all_sources(&self) -> Sources {
        self.columns.iter().flat_map(|c| c.sources.iter().copied()).collect()
    }
}

/// A column merged by USING or NATURAL: one name for the columns of both sides.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub column: OutputColumn,
    /// The items whose columns of that name it hides from unqualified references.
    pub hides: std::ops::Range<usize>,
}

/// A common table expression.
#[derive(Debug, Clone)]
pub(super) struct Cte {
    pub name: String,
    pub columns: Rc<Vec<OutputColumn>>,
    /// Its columns are not known yet: it is being defined, and refers to itself.
    pub open: bool,
}

/// One level of names; the innermost first.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope<'p> {
    pub parent: Option<&'p Scope<'p>>,
    pub items: Vec<Item>,
    pub merged: Vec<Merged>,
    pub ctes: Vec<Cte>,
}

impl<'p> Scope<'p> {
    pub fn below(parent: &'p Scope<'p>) -> Self {
        Self {
            parent: Some(parent),
            ..Self::default()
        }
    }

    /// This level and all above, the innermost first.
    pub fn levels(&'p self) -> impl Iterator<Item = &'p Scope<'p>> {
        std::iter::successors(Some(self), |s| s.parent)
    }

    /// The CTE of that name that is nearest.
    pub fn cte(&'p self, name: &str) -> Option<&'p Cte> {
        self.levels().find_map(|s| s.ctes.iter().rev().find(|c| c.name == name))
    }

    /// A level with only the items of `range`: what an ON clause sees.
    pub fn only(&self, range: std::ops::Range<usize>) -> Scope<'p> {
        Scope {
            parent: self.parent,
            items: self.items.get(range.clone()).unwrap_or_default().to_vec(),
            merged: self
                .merged
                .iter()
                .filter(|m| m.hides.start >= range.start && m.hides.end <= range.end)
                .map(|m| Merged {
                    column: m.column.clone(),
                    hides: m.hides.start - range.start..m.hides.end - range.start,
                })
                .collect(),
            ctes: Vec::new(),
        }
    }
}
