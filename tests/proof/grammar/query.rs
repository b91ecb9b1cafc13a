//! Whole queries: WITH, set operations, VALUES, order and limits; and queries within expressions.

use super::{Grammar, Kind, Relation, Scope};
use crate::node;
use crate::tree::{Node, Sort};
use crate::types::Type;

/// A query, without parentheses around it.
pub(super) struct Query {
    pub node: Node,
    pub columns: Vec<(String, Type)>,
    /// Rows come in an order that is total.
    pub is_ordered: bool,
}

impl Query {
    pub fn types(&self) -> Vec<Type> {
        self.columns.iter().map(|(_, t)| *t).collect()
    }
}

impl Grammar<'_> {
    /// Of the wanted types, or of any.
    pub(super) fn query(
        &mut self,
        wanted: Option<Vec<Type>>,
        outer: Option<&Scope<'_>>,
        depth: usize,
        ordered: bool,
    ) -> Query {
        let before = self.with.len();
        let with = match depth > 0 && self.random.percent(14) {
            true => self.with_clause(outer, depth - 1),
            false => Node::empty(),
        };
        let mut query = match self.random.below(100) {
            0..=11 if depth > 0 => self.set_operation(wanted, outer, depth, ordered),
            12..=15 => self.values(wanted, outer),
            16 if wanted.is_none() && !self.free && !self.tables_left().is_empty() => self.whole_table(),
            _ => self.select(wanted, outer, depth, ordered),
        };
        self.with.truncate(before);
        let tail = self.order_and_limit(&mut query, ordered);
        Query {
            node: node!(Sort::Query(query.types()); with, query.node, tail),
            ..query
        }
    }

    /// LIMIT only where equal rows alone can tie.
    fn order_and_limit(&mut self, query: &mut Query, ordered: bool) -> Node {
        if !ordered || !query.types().iter().all(|t| t.is_ordered()) || query.columns.is_empty() {
            return Node::empty();
        }
        query.is_ordered = true;
        let directions = ["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"];
        let by: Vec<String> = (1..=query.columns.len())
            .map(|i| format!("{i}{}", self.random.of_slice(&directions)))
            .collect();
        let (limit, offset) = (self.random.below(12), self.random.below(4));
        let limit = match self.random.below(12) {
            0..=3 => format!(" LIMIT {limit}"),
            4 => format!(" LIMIT {limit} OFFSET {offset}"),
            5 => format!(" OFFSET {offset} ROWS FETCH FIRST {} ROWS ONLY", limit + 1),
            6 => format!(" FETCH FIRST {} ROWS WITH TIES", limit + 1),
            _ => String::new(),
        };
        let by = node!(Sort::Fixed; format!(" ORDER BY {}", by.join(", ")));
        node!(Sort::Fixed; by, node!(Sort::Optional; limit))
    }

    fn set_operation(
        &mut self,
        wanted: Option<Vec<Type>>,
        outer: Option<&Scope<'_>>,
        depth: usize,
        ordered: bool,
    ) -> Query {
        let operation = *self.random.of_slice(&[
            " UNION ALL ",
            " UNION ",
            " INTERSECT ",
            " EXCEPT ",
            " EXCEPT ALL ",
            " INTERSECT ALL ",
        ]);
        let wanted = wanted.unwrap_or_else(|| {
            let count = 1 + self.random.below(3);
            (0..count).map(|_| self.ordered_type()).collect()
        });
        if !wanted.iter().all(|t| t.is_ordered()) || wanted.is_empty() {
            return self.select(Some(wanted), outer, depth, ordered);
        }
        let own = self.random.percent(25);
        let left = self.query(Some(wanted.clone()), outer, depth - 1, own);
        let right = self.query(Some(wanted), outer, depth - 1, false);
        Query {
            node: node!(Sort::Query(left.types()); "(", left.node, ")", operation, "(", right.node, ")"),
            columns: left.columns,
            is_ordered: false,
        }
    }

    fn values(&mut self, wanted: Option<Vec<Type>>, outer: Option<&Scope<'_>>) -> Query {
        let wanted = wanted.unwrap_or_else(|| vec![self.ordered_type(), self.ordered_type()]);
        if wanted.is_empty() {
            return self.select(Some(wanted), outer, 0, false);
        }
        let scope = Scope::of(&[], outer);
        let count = 1 + self.random.below(3);
        let rows = (0..count).map(|_| {
            let cells = wanted.iter().map(|t| self.expression(*t, &scope, 1)).collect();
            node!(Sort::Fixed; "(", Node::list(", ", cells), ")")
        });
        let rows: Vec<Node> = rows.collect();
        Query {
            node: node!(Sort::Fixed; "VALUES ", Node::list(", ", rows)),
            columns: wanted
                .iter()
                .enumerate()
                .map(|(i, t)| (format!("column{}", i + 1), *t))
                .collect(),
            is_ordered: false,
        }
    }

    fn whole_table(&mut self) -> Query {
        let table = self.table();
        Query {
            node: node!(Sort::Fixed; format!("TABLE {}", table.name)),
            columns: table.columns,
            is_ordered: false,
        }
    }

    /// `WITH …`, whose relations can be read from then on.
    pub(super) fn with_clause(&mut self, outer: Option<&Scope<'_>>, depth: usize) -> Node {
        if self.random.percent(25) {
            return self.recursive_with();
        }
        let query = self.query(None, outer, depth, false);
        let named_as_table = self.random.percent(12);
        let name = match named_as_table {
            true => (*self.random.of_slice(&["people", "orders", "notes"])).to_owned(),
            false => self.name("w"),
        };
        let columns: Vec<(String, Type)> = query.types().into_iter().map(|t| (self.name("k"), t)).collect();
        if columns.is_empty() {
            return Node::empty();
        }
        let list: Vec<&str> = columns.iter().map(|(n, _)| n.as_str()).collect();
        let how = *self.random.of_slice(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
        let head = format!("WITH {name} ({}) AS {how}(", list.join(", "));
        self.with.push(Relation {
            alias: name,
            columns,
            kind: Kind::Rows,
            is_renamed: false,
        });
        node!(Sort::Fixed; head, query.node, ") ")
    }

    /// Ends since its first column grows and is bounded.
    fn recursive_with(&mut self) -> Node {
        let (name, n, v) = (self.name("r"), self.name("k"), self.name("k"));
        let of = self.ordered_type();
        let base = self.query(Some(vec![Type::Int, of]), None, 1, false);
        let relation = Relation {
            alias: name.clone(),
            columns: vec![(n.clone(), Type::Int), (v.clone(), of)],
            kind: Kind::Rows,
            is_renamed: false,
        };
        let mut relations = vec![relation.clone()];
        let join = match self.random.percent(50) {
            true => {
                let table = *self.random.of_slice(&["people", "orders", "products"]);
                let found = self.tables.iter().find(|t| t.name == table).cloned();
                let alias = self.name("t");
                let text = format!(" JOIN {table} {alias} ON {alias}.id = {name}.{n}");
                relations.push(Relation {
                    alias,
                    columns: found.map(|t| t.columns).unwrap_or_default(),
                    kind: Kind::Rows,
                    is_renamed: false,
                });
                text
            }
            false => String::new(),
        };
        let value = self.expression(of, &Scope::of(&relations, None), 2);
        let union = *self.random.of_slice(&[" UNION ALL ", " UNION "]);
        let extra = match self.random.below(6) {
            0 => format!(" SEARCH DEPTH FIRST BY {n} SET o{}", self.names),
            1 => format!(" CYCLE {n} SET c{0} USING p{0}", self.names),
            _ => String::new(),
        };
        self.with.push(relation);
        // Of the very type, without a length, which the recursive part lacks.
        let typed = format!(") AS b (x, y)){union}SELECT {name}.{n} + 4, ");
        let base = node!(Sort::Fixed; format!("(SELECT b.x, b.y::{} FROM (", of.sql()), base.node);
        node!(Sort::Fixed; format!("WITH RECURSIVE {name} ({n}, {v}) AS ("), base, typed,
            value, format!(" FROM {name}{join} WHERE {name}.{n} BETWEEN 0 AND 20)"),
            node!(Sort::Optional; extra), " ")
    }

    /// A query in an expression; none where no more tables may be read.
    pub(super) fn subquery(&mut self, wanted: Vec<Type>, scope: &Scope<'_>, ordered: bool) -> Option<Node> {
        if self.budget == 0 {
            return None;
        }
        // Of a grouped query only what it groups by could be used.
        let outer = scope.groups.is_none().then_some(scope);
        let depth = self.random.below(2);
        let query = self.query(Some(wanted), outer.map(|s| s.plain()).as_ref(), depth, ordered);
        Some(query.node)
    }

    pub(super) fn scalar_query(&mut self, wanted: Type, scope: &Scope<'_>) -> Node {
        let sort = Sort::Expression(wanted);
        if self.budget == 0 {
            return self.leaf(wanted, scope);
        }
        let outer = scope.groups.is_none().then(|| scope.plain());
        let (from, relations) = self.sources(outer.as_ref(), 0);
        let inner = Scope::of(&relations, outer.as_ref());
        let condition = self.where_clause(&inner, 2);
        if self.random.percent(65)
            && let Some(aggregate) = self.aggregate(wanted, &inner, 1)
        {
            return node!(sort; "(SELECT ", aggregate, from, condition, ")");
        }
        let value = self.expression(wanted, &inner, 1);
        // More than one row is an error, of the data as others.
        match wanted.is_ordered() && !(self.partial && self.random.percent(30)) {
            true => node!(sort; "(SELECT ", value, from, condition, " ORDER BY 1 LIMIT 1)"),
            false if wanted.is_ordered() => node!(sort; "(SELECT ", value, from, condition, ")"),
            false => node!(sort; "(SELECT ", value, from, condition, " ORDER BY 1::text LIMIT 0)"),
        }
    }

    pub(super) fn query_condition(&mut self, scope: &Scope<'_>, depth: usize) -> Node {
        let sort = Sort::Expression(Type::Bool);
        let of = self.ordered_type();
        let kind = self.random.below(6);
        let wanted = match kind {
            0 | 1 => Vec::new(),
            2 => vec![of, Type::Int],
            _ => vec![of],
        };
        let Some(query) = self.subquery(wanted, scope, false) else {
            return self.leaf(Type::Bool, scope);
        };
        let value = self.expression(of, scope, depth - 1);
        let not = *self.random.of_slice(&["", "", "NOT "]);
        match kind {
            0 | 1 => node!(sort; not, "EXISTS (", query, ")"),
            2 => {
                let second = self.expression(Type::Int, scope, depth - 1);
                node!(sort; "((", value, ", ", second, ") ", not, "IN (", query, "))")
            }
            3 => {
                let how = *self
                    .random
                    .of_slice(&[" = ANY (", " < ANY (", " >= ALL (", " <> ALL ("]);
                node!(sort; "(", value, how, query, "))")
            }
            _ => node!(sort; "(", value, " ", not, "IN (", query, "))"),
        }
    }

    /// A row as a value.
    pub(super) fn whole_row(&mut self, wanted: Type, scope: &Scope<'_>) -> Node {
        let sort = Sort::Expression(wanted);
        let rows: Vec<&Relation> = scope
            .relations
            .iter()
            .filter(|r| r.kind != Kind::Scalar && !r.is_renamed)
            .collect();
        if rows.is_empty() || scope.groups.is_some() || self.free {
            return self.leaf(wanted, scope);
        }
        let alias = self.random.of_slice(&rows).alias.clone();
        let text = match (wanted, self.random.below(4)) {
            (Type::Bool, 0) => format!("({alias} IS NULL)"),
            (Type::Bool, 1) => format!("({alias}.* IS NOT NULL)"),
            (Type::Bool, _) => format!("({alias} IS DISTINCT FROM NULL)"),
            (_, 0) => format!("{alias}::text"),
            (_, 1) => format!("row_to_json({alias})::text"),
            (_, 2) => format!("(SELECT to_jsonb({alias})::text)"),
            (_, _) => format!("ROW({alias}.*)::text"),
        };
        node!(sort; text)
    }
}
