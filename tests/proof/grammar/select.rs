//! One SELECT: its list, WHERE, GROUP BY, HAVING, DISTINCT, windows.

use super::query::Query;
use super::{Grammar, Kind, Relation, Scope};
use crate::node;
use crate::tree::{Node, Sort};
use crate::types::Type;

impl Grammar<'_> {
    pub(super) fn select(
        &mut self,
        wanted: Option<Vec<Type>>,
        outer: Option<&Scope<'_>>,
        depth: usize,
        ordered: bool,
    ) -> Query {
        let (from, relations) = self.sources(outer, depth);
        let scope = Scope::of(&relations, outer);
        let condition = match relations.is_empty() {
            true => Node::empty(),
            false => self.where_clause(&scope, 3),
        };
        if !relations.is_empty() && self.random.percent(28) {
            return self.grouped(wanted, &scope, from, condition, ordered);
        }
        let scope = Scope {
            windows: !relations.is_empty() && self.random.percent(25),
            ..scope
        };
        let (list, columns) = self.output(wanted, &scope, ordered);
        let distinct = self.distinct(&columns, ordered);
        Query {
            node: node!(Sort::Query(types(&columns)); "SELECT ", distinct, list, from, condition),
            columns,
            is_ordered: false,
        }
    }

    pub(super) fn where_clause(&mut self, scope: &Scope<'_>, depth: usize) -> Node {
        if self.random.percent(30) {
            return Node::empty();
        }
        let count = 1 + self.random.below(3);
        let conjuncts = (0..count).map(|_| self.expression(Type::Bool, scope, depth)).collect();
        node!(Sort::Optional; " WHERE ", Node::list(" AND ", conjuncts))
    }

    fn distinct(&mut self, columns: &[(String, Type)], ordered: bool) -> Node {
        if columns.is_empty() || !columns.iter().all(|(_, t)| t.is_ordered()) {
            return Node::empty();
        }
        match self.random.below(12) {
            0 => node!(Sort::Optional; "DISTINCT "),
            1 if ordered => node!(Sort::Optional; "DISTINCT ON (1) "),
            _ => Node::empty(),
        }
    }

    /// The SELECT list.
    fn output(&mut self, wanted: Option<Vec<Type>>, scope: &Scope<'_>, ordered: bool) -> (Node, Vec<(String, Type)>) {
        let Some(wanted) = wanted else {
            if !scope.relations.is_empty() && !self.free && self.random.percent(15) {
                return self.stars(scope.relations);
            }
            let count = 1 + self.random.below(4);
            let wanted: Vec<Type> = (0..count)
                .map(|_| if ordered { self.ordered_type() } else { self.type_of() })
                .collect();
            return self.items(&wanted, scope);
        };
        self.items(&wanted, scope)
    }

    fn items(&mut self, wanted: &[Type], scope: &Scope<'_>) -> (Node, Vec<(String, Type)>) {
        let mut columns = Vec::new();
        let items = wanted.iter().map(|t| {
            let expression = self.expression(*t, scope, 3);
            let name = self.name("c");
            columns.push((name.clone(), *t));
            // What a column is called without a name is PostgreSQL's to say.
            match self.random.percent(25) {
                true => expression,
                false => node!(Sort::Fixed; expression, format!(" AS {name}")),
            }
        });
        let items = items.collect();
        (Node::list(", ", items), columns)
    }

    /// `*`, `t.*` and a table's own name.
    fn stars(&mut self, relations: &[Relation]) -> (Node, Vec<(String, Type)>) {
        let one = self.random.of_slice(relations).clone();
        if relations.len() == 1 && self.random.percent(60) {
            return (node!(Sort::Fixed; "*"), one.columns);
        }
        (node!(Sort::Fixed; format!("{}.*", one.alias)), one.columns)
    }

    fn grouped(
        &mut self,
        wanted: Option<Vec<Type>>,
        scope: &Scope<'_>,
        from: Node,
        condition: Node,
        ordered: bool,
    ) -> Query {
        let wanted = wanted.unwrap_or_else(|| {
            let count = 1 + self.random.below(4);
            (0..count)
                .map(|_| if ordered { self.ordered_type() } else { self.type_of() })
                .collect()
        });
        let (groups, clause) = self.group_by(&wanted, scope);
        let inner = Scope {
            groups: Some(&groups),
            aggregates: true,
            windows: false,
            ..*scope
        };
        let having = match self.random.percent(25) {
            true => {
                let condition = self.expression(Type::Bool, &inner, 2);
                node!(Sort::Optional; " HAVING ", condition)
            }
            false => Node::empty(),
        };
        let (list, columns) = self.items(&wanted, &inner);
        let distinct = self.distinct(&columns, ordered);
        Query {
            node: node!(Sort::Query(types(&columns)); "SELECT ", distinct, list, from, condition, clause, having),
            columns,
            is_ordered: false,
        }
    }

    /// What is grouped by, and the clause.
    fn group_by(&mut self, wanted: &[Type], scope: &Scope<'_>) -> (Vec<(Type, Node)>, Node) {
        let keyed: Vec<&Relation> = scope.relations.iter().filter(|r| r.kind == Kind::Keyed).collect();
        if !keyed.is_empty() && self.random.percent(15) {
            // The key carries the whole row.
            let of = (*self.random.of_slice(&keyed)).clone();
            // What has no equality cannot be added to GROUP BY.
            let columns = of.columns.iter().filter(|(_, t)| t.is_ordered()).map(|(name, t)| {
                let text = format!("{}.{name}", of.alias);
                (*t, node!(Sort::Expression(*t); text))
            });
            let clause = node!(Sort::Fixed; format!(" GROUP BY {}.id", of.alias));
            return (columns.collect(), clause);
        }
        let count = self.random.below(3);
        let mut groups: Vec<(Type, Node)> = Vec::new();
        for i in 0..count {
            let of = match wanted.get(i).filter(|t| t.is_ordered() && self.random.percent(70)) {
                Some(t) => *t,
                None => self.ordered_type(),
            };
            let column = match self.random.percent(80) {
                true => self.column(of, scope),
                false => Some(self.expression(of, scope, 2)),
            };
            // A constant would be taken for a position, or for nothing to group by.
            if let Some(node) = column.filter(|n| n.text().contains('.') || n.text().contains('(')) {
                groups.push((of, node!(Sort::Fixed; node.clone())));
                groups.last_mut().expect("one was pushed").1.sort = Sort::Expression(of);
            }
        }
        if groups.is_empty() {
            return (groups, Node::empty());
        }
        let list: Vec<Node> = groups.iter().map(|(_, n)| node!(Sort::Fixed; n.clone())).collect();
        let list = Node::list(", ", list);
        let clause = match self.random.below(8) {
            0 => node!(Sort::Fixed; " GROUP BY ROLLUP (", list, ")"),
            1 => node!(Sort::Fixed; " GROUP BY CUBE (", list, ")"),
            2 => node!(Sort::Fixed; " GROUP BY GROUPING SETS ((", list, "), ())"),
            _ => node!(Sort::Fixed; " GROUP BY ", list),
        };
        (groups, clause)
    }
}

fn types(columns: &[(String, Type)]) -> Vec<Type> {
    columns.iter().map(|(_, t)| *t).collect()
}
