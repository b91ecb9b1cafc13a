//! Statements for a purpose to which only statistics go: what it may ask, and some of what it may not.

use super::{COPIES, CURSORS, Grammar, Kind, Mode, Relation, Scope, Statement};
use crate::node;
use crate::tree::{Node, Sort};
use crate::types::Type;

const GROUPS: [&str; 6] = ["t.region", "t.mood", "t.birth", "t.active", "t.code", "t.id % 2"];
const SUMS: [&str; 12] = [
    "count(*)",
    "count(t.id)",
    "count(DISTINCT t.id)",
    "avg(t.weight)",
    "sum(t.score)",
    "bool_or(t.active)",
    "stddev(t.weight)",
    "corr(t.weight, t.weight)",
    "avg(o.amount)",
    "count(o.id)",
    "max(t.score)",
    "array_agg(t.code ORDER BY t.code)",
];

impl Grammar<'_> {
    pub(super) fn statistics(mut self) -> Statement {
        let joined = self.random.percent(40);
        let mut relations = vec![self.relation("people", "t")];
        let from = match joined {
            true => {
                relations.push(self.relation("orders", "o"));
                " FROM people t JOIN orders o ON o.person = t.id"
            }
            false => " FROM people t",
        };
        self.budget = self.random.below(2);
        let scope = Scope::of(&relations, None);
        let condition = match self.random.percent(60) {
            true => {
                let condition = match self.random.percent(80) {
                    true => self.comparison(&scope),
                    false => self.expression(Type::Bool, &scope, 2),
                };
                node!(Sort::Optional; " WHERE ", condition)
            }
            false => Node::empty(),
        };
        let count = self.random.below(3);
        let known = if self.random.percent(90) { 5 } else { GROUPS.len() };
        let groups: Vec<&'static str> = (0..count).map(|_| *self.random.of_slice(&GROUPS[..known])).collect();
        let mut list: Vec<Node> = groups.iter().map(|g| node!(Sort::Fixed; *g)).collect();
        let count = 1 + self.random.below(2);
        for _ in 0..count {
            let at = match (joined, self.random.percent(4)) {
                (_, true) => 10 + self.random.below(2),
                (true, _) => self.random.below(10),
                (false, _) => self.random.below(8),
            };
            let item = match self.random.below(20) {
                0 => {
                    let filter = self.expression(Type::Bool, &scope, 1);
                    node!(Sort::Fixed; SUMS[at], node!(Sort::Optional; " FILTER (WHERE ", filter, ")"))
                }
                1 => node!(Sort::Fixed; "coalesce(", SUMS[at], ", NULL)"),
                _ => node!(Sort::Fixed; SUMS[at]),
            };
            list.push(item);
        }
        let clause = match groups.is_empty() {
            true => Node::empty(),
            false => node!(Sort::Fixed; format!(" GROUP BY {}", groups.join(", "))),
        };
        let having = match if groups.is_empty() {
            1 + self.random.below(60)
        } else {
            self.random.below(6)
        } {
            0 => node!(Sort::Optional; " HAVING count(*) > 2"),
            1 => node!(Sort::Optional; " HAVING sum(t.score) > 100 AND count(*) > 1"),
            _ => Node::empty(),
        };
        let mode = match self.random.percent(60) {
            true if self.random.percent(30) => Mode::Again,
            true if self.random.percent(15) => Mode::Copy(self.random.below(COPIES.len() - 1)),
            true if self.random.percent(15) => Mode::Cursor(CURSORS.len() - 1),
            true => Mode::Simple,
            false => Mode::Extended {
                parameters: self.random.percent(50),
                binary: false,
            },
        };
        Statement {
            tree: node!(Sort::Fixed; "SELECT ", Node::list(", ", list), from, condition, clause, having),
            mode,
            is_ordered: false,
            writes: None,
        }
    }

    /// A column with a constant.
    fn comparison(&mut self, scope: &Scope<'_>) -> Node {
        let sort = Sort::Expression(Type::Bool);
        let of = self.ordered_type();
        let (Some(column), value) = (self.column(of, scope), self.constant(of)) else {
            return node!(sort; "t.active");
        };
        match self.random.below(5) {
            0 => node!(sort; column, " IS NOT NULL"),
            1 => node!(sort; column, " IN (", value, ")"),
            _ => {
                let operator = *self.random.of_slice(&[" = ", " < ", " >= ", " <> "]);
                node!(sort; column, operator, value)
            }
        }
    }

    fn relation(&self, name: &str, alias: &str) -> Relation {
        let table = self.tables.iter().find(|t| t.name == name);
        Relation {
            alias: alias.to_owned(),
            columns: table.map(|t| t.columns.clone()).unwrap_or_default(),
            kind: Kind::Keyed,
            is_renamed: false,
        }
    }
}
