//! FROM: tables, views, sub-queries, functions, VALUES, and joins of all kinds.

use super::write::is_personal;
use super::{Grammar, Kind, Relation, Scope};
use crate::node;
use crate::tree::{Node, Sort};
use crate::types::Type;
use crate::world::Table;

/// A FROM item and what it gives.
type Item = (Node, Vec<Relation>);

impl Grammar<'_> {
    /// `FROM …` with what its items give; nothing now and then.
    pub(super) fn sources(&mut self, outer: Option<&Scope<'_>>, depth: usize) -> Item {
        if self.budget == 0 || self.random.percent(3) {
            return (Node::empty(), Vec::new());
        }
        let (mut node, mut relations) = self.item(outer, depth);
        while self.budget > 0 && relations.len() < 4 && self.random.percent(36) {
            (node, relations) = self.join(node, relations, outer, depth);
        }
        // Commas last: a JOIN binds closer.
        while self.budget > 0 && relations.len() < 4 && self.random.percent(10) {
            (node, relations) = self.comma(node, relations, outer, depth);
        }
        (node!(Sort::Fixed; " FROM ", node), relations)
    }

    /// One table or two joined.
    pub(super) fn plain_tables(&mut self) -> Item {
        let all: Vec<Table> = self.tables_left().into_iter().filter(|t| !t.is_view).cloned().collect();
        let one = |grammar: &mut Self| {
            let table = grammar.random.of_slice(&all).clone();
            let alias = grammar.name("t");
            let node = node!(Sort::Fixed; format!("{} AS {alias}", table.name));
            (
                node,
                vec![Relation {
                    alias,
                    columns: table.columns,
                    kind: Kind::Rows,
                    is_renamed: false,
                }],
            )
        };
        let (left, mut relations) = one(self);
        if self.random.percent(60) {
            return (node!(Sort::Fixed; " FROM ", left), relations);
        }
        let (right, more) = one(self);
        let condition = self.equality(&relations, &more).unwrap_or_else(|| "true".into());
        relations.extend(more);
        (
            node!(Sort::Fixed; " FROM ", left, " JOIN ", right, " ON ", condition),
            relations,
        )
    }

    fn comma(&mut self, left: Node, mut relations: Vec<Relation>, outer: Option<&Scope<'_>>, depth: usize) -> Item {
        let (right, more) = self.lateral_or_item(&relations, outer, depth);
        relations.extend(more);
        (node!(Sort::Fixed; left, ", ", right), relations)
    }

    fn lateral_or_item(&mut self, relations: &[Relation], outer: Option<&Scope<'_>>, depth: usize) -> Item {
        match self.random.percent(45) {
            true => self.lateral(&Scope::of(relations, outer), depth),
            false => self.item(outer, depth),
        }
    }

    fn join(&mut self, left: Node, mut relations: Vec<Relation>, outer: Option<&Scope<'_>>, depth: usize) -> Item {
        if self.random.percent(18) {
            let (right, more) = self.lateral_or_item(&relations, outer, depth);
            relations.extend(more);
            let joined = match self.random.percent(60) {
                true => node!(Sort::Fixed; left, " CROSS JOIN ", right),
                false => node!(Sort::Fixed; left, " LEFT JOIN ", right, " ON true"),
            };
            return (joined, relations);
        }
        let (right, more) = match self.random.percent(15) && self.budget > 1 {
            true => {
                let (a, b) = self.item(outer, depth);
                let (node, relations) = self.join(a, b, outer, depth);
                (node!(Sort::Fixed; "(", node, ")"), relations)
            }
            false => self.item(outer, depth),
        };
        let kinds = [" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "];
        let kind = *self.random.of_slice(&kinds);
        let common = common_columns(&relations, &more);
        if let (Some(common), true) = (&common, self.random.percent(25)) {
            let natural = self.random.percent(30);
            let column = match common.is_empty() {
                true => None,
                false => Some(self.random.of_slice(common).clone()),
            };
            relations.extend(more);
            return match (natural, column) {
                (false, Some(column)) => (
                    node!(Sort::Fixed; left, kind, right, format!(" USING ({column})")),
                    relations,
                ),
                (true, _) | (_, None) => (node!(Sort::Fixed; left, " NATURAL", kind, right), relations),
            };
        }
        let equality = self.equality(&relations, &more);
        relations.extend(more);
        let condition = match equality {
            Some(text) if kind == " FULL JOIN " || self.random.percent(70) => {
                let scope = Scope::of(&relations, outer);
                let more = self.expression(Type::Bool, &scope, 1);
                match kind != " FULL JOIN " && self.random.percent(30) {
                    true => node!(Sort::Fixed; text, node!(Sort::Optional; " AND ", more)),
                    false => node!(Sort::Fixed; text),
                }
            }
            _ if kind == " FULL JOIN " => node!(Sort::Fixed; "true"),
            _ => self.expression(Type::Bool, &Scope::of(&relations, outer), 2),
        };
        (node!(Sort::Fixed; left, kind, right, " ON ", condition), relations)
    }

    /// `a.x = b.y` of columns of one type, by keys where there are some.
    fn equality(&mut self, left: &[Relation], right: &[Relation]) -> Option<String> {
        let columns = |relations: &[Relation]| -> Vec<(String, String, Type)> {
            let all = relations.iter().flat_map(|r| r.columns.iter().map(move |c| (r, c)));
            all.map(|(r, (name, t))| (r.alias.clone(), name.clone(), *t)).collect()
        };
        let (left, right) = (columns(left), columns(right));
        let mut pairs = Vec::new();
        for (a, x, t) in &left {
            for (b, y, u) in &right {
                if t == u && t.is_ordered() {
                    let likely = [x, y]
                        .iter()
                        .any(|n| ["id", "person", "product", "staff"].contains(&n.as_str()));
                    let weight = if likely && *t == Type::Int { 6 } else { 1 };
                    pairs.extend(std::iter::repeat_n(format!("{a}.{x} = {b}.{y}"), weight));
                }
            }
        }
        (!pairs.is_empty()).then(|| self.random.of_slice(&pairs).clone())
    }

    pub(super) fn tables_left(&self) -> Vec<&Table> {
        let is_refused = |t: &&Table| self.role == "partner" && matches!(t.name.as_str(), "hr.staff" | "v_busy");
        self.tables.iter().filter(|t| !is_refused(t)).collect()
    }

    pub(super) fn table(&mut self) -> Table {
        self.budget = self.budget.saturating_sub(1);
        let all: Vec<Table> = self.tables_left().into_iter().cloned().collect();
        let mut table = self.random.of_slice(&all).clone();
        if self.free {
            table.columns.retain(|(name, _)| !is_personal(name));
        }
        table
    }

    fn item(&mut self, outer: Option<&Scope<'_>>, depth: usize) -> Item {
        match self.random.below(100) {
            0..=13 if depth > 0 => {
                self.budget = self.budget.saturating_sub(1);
                self.derived("", outer, depth)
            }
            14..=30 if !self.with.is_empty() => {
                let with = self.with.clone();
                let found = self.random.of_slice(&with).clone();
                let alias = self.name("t");
                let node = node!(Sort::Fixed; format!("{} AS {alias}", found.alias));
                (node, vec![Relation { alias, ..found }])
            }
            31..=34 => self.series(),
            _ => self.named(),
        }
    }

    /// A table or view.
    fn named(&mut self) -> Item {
        let mut table = self.table();
        let is_shadowed = self.with.iter().any(|w| w.alias == table.name);
        let schema = if table.name.contains('.') { "" } else { "public." };
        let name = match is_shadowed || self.random.percent(15) {
            true => format!("{schema}{}", table.name),
            false => table.name.clone(),
        };
        let only = match self.random.percent(5) && table.name.starts_with("papers") {
            true => "ONLY ",
            false => "",
        };
        let is_keyed = !table.is_view && !table.name.starts_with("visits") && !table.name.starts_with("papers");
        let kind = if is_keyed { Kind::Keyed } else { Kind::Rows };
        if self.random.percent(8) && !table.name.contains('.') && self.names < 3 && outer_free(&self.with) {
            // Under its own name.
            self.names += 3;
            let relation = Relation {
                alias: table.name.clone(),
                columns: table.columns,
                kind,
                is_renamed: false,
            };
            return (node!(Sort::Fixed; format!("{only}{name}")), vec![relation]);
        }
        let alias = self.name("t");
        // Served where no rule speaks of the table's rows, and refused elsewhere.
        let samples = matches!(table.name.as_str(), "products" | "notes") || self.random.percent(5);
        if samples && self.random.percent(12) {
            let method = *self.random.of_slice(&["BERNOULLI", "SYSTEM"]);
            let (share, seed) = (20 + self.random.below(60), self.random.below(100));
            let sample = format!("TABLESAMPLE {method} ({share}) REPEATABLE ({seed})");
            let relation = Relation {
                alias: alias.clone(),
                columns: table.columns,
                kind,
                is_renamed: false,
            };
            return (
                node!(Sort::Fixed; format!("{only}{name} AS {alias} {sample}")),
                vec![relation],
            );
        }
        if self.random.percent(6) {
            let renamed: Vec<String> = (0..table.columns.len().min(3)).map(|_| self.name("x")).collect();
            for (column, name) in table.columns.iter_mut().zip(&renamed) {
                column.0.clone_from(name);
            }
            let node = node!(Sort::Fixed; format!("{only}{name} AS {alias} ({})", renamed.join(", ")));
            let relation = Relation {
                alias,
                columns: table.columns,
                kind: Kind::Rows,
                is_renamed: true,
            };
            return (node, vec![relation]);
        }
        let relation = Relation {
            alias: alias.clone(),
            columns: table.columns,
            kind,
            is_renamed: false,
        };
        (node!(Sort::Fixed; format!("{only}{name} AS {alias}")), vec![relation])
    }

    /// `(SELECT …) AS s`
    fn derived(&mut self, lateral: &'static str, outer: Option<&Scope<'_>>, depth: usize) -> Item {
        let ordered = self.random.percent(25);
        let query = self.query(None, outer, depth.saturating_sub(1), ordered);
        let alias = self.name("s");
        if query.columns.is_empty() {
            let relation = Relation {
                alias: alias.clone(),
                columns: Vec::new(),
                kind: Kind::Rows,
                is_renamed: false,
            };
            return (
                node!(Sort::Fixed; lateral, "(", query.node, format!(") AS {alias}")),
                vec![relation],
            );
        }
        let columns: Vec<(String, Type)> = query.types().into_iter().map(|t| (self.name("x"), t)).collect();
        let list: Vec<&str> = columns.iter().map(|(n, _)| n.as_str()).collect();
        let tail = format!(") AS {alias} ({})", list.join(", "));
        let relation = Relation {
            alias,
            columns,
            kind: Kind::Rows,
            is_renamed: false,
        };
        (node!(Sort::Fixed; lateral, "(", query.node, tail), vec![relation])
    }

    fn series(&mut self) -> Item {
        let alias = self.name("g");
        let column = self.name("x");
        if self.random.percent(40) {
            let (a, b) = (self.constant(Type::Int), self.constant(Type::Text));
            let text = format!(") AS {alias} ({column}, y{})", self.names);
            let columns = vec![(column, Type::Int), (format!("y{}", self.names), Type::Text)];
            let node = node!(Sort::Fixed; "(VALUES (", a, ", ", b, "), (3, 'eu'::text)", text);
            return (
                node,
                vec![Relation {
                    alias,
                    columns,
                    kind: Kind::Rows,
                    is_renamed: false,
                }],
            );
        }
        let end = 1 + self.random.below(6);
        let node = node!(Sort::Fixed; format!("generate_series(1, {end}) AS {alias} ({column})"));
        let columns = vec![(column, Type::Int)];
        (
            node,
            vec![Relation {
                alias,
                columns,
                kind: Kind::Scalar,
                is_renamed: false,
            }],
        )
    }

    /// What can refer to the items before it.
    fn lateral(&mut self, scope: &Scope<'_>, depth: usize) -> Item {
        self.budget = self.budget.saturating_sub(1);
        let alias = self.name("l");
        let x = self.name("x");
        let one = |alias: String, x: String, t: Type| {
            vec![Relation {
                alias,
                columns: vec![(x, t)],
                kind: Kind::Scalar,
                is_renamed: false,
            }]
        };
        match self.random.below(7) {
            0 => {
                let value = self.expression(Type::Texts, scope, 1);
                (
                    node!(Sort::Fixed; "unnest(", value, format!(") AS {alias} ({x})")),
                    one(alias, x, Type::Text),
                )
            }
            1 => {
                let value = self.expression(Type::Ints, scope, 1);
                let o = self.name("o");
                let node =
                    node!(Sort::Fixed; "LATERAL unnest(", value, format!(") WITH ORDINALITY AS {alias} ({x}, {o})"));
                let columns = vec![(x, Type::Int), (o, Type::Bigint)];
                (
                    node,
                    vec![Relation {
                        alias,
                        columns,
                        kind: Kind::Rows,
                        is_renamed: false,
                    }],
                )
            }
            2 => {
                let value = self
                    .column(Type::Text, scope)
                    .unwrap_or_else(|| self.constant(Type::Text));
                let node = node!(Sort::Fixed; "regexp_split_to_table(", value, format!(", '[ @]') AS {alias} ({x})"));
                (node, one(alias, x, Type::Text))
            }
            3 => {
                let value = self
                    .column(Type::Jsonb, scope)
                    .unwrap_or_else(|| self.constant(Type::Jsonb));
                let text = format!("AS {alias} (n int, open jsonb)");
                let columns = vec![("n".to_owned(), Type::Int), ("open".to_owned(), Type::Jsonb)];
                let condition = node!(Sort::Expression(Type::Jsonb); "CASE jsonb_typeof(", value.clone(), ") WHEN 'object' THEN ", value, " END");
                let node = node!(Sort::Fixed; "jsonb_to_record(", condition, ") ", text);
                (
                    node,
                    vec![Relation {
                        alias,
                        columns,
                        kind: Kind::Rows,
                        is_renamed: false,
                    }],
                )
            }
            4 => {
                let value = self
                    .column(Type::Int, scope)
                    .unwrap_or_else(|| self.constant(Type::Int));
                let y = self.name("y");
                let text = format!(", generate_series(1, 2)) AS {alias} ({x}, {y})");
                let node = node!(Sort::Fixed; "ROWS FROM (generate_series(1, least(abs(", value, "), 4))", text);
                let columns = vec![(x, Type::Int), (y, Type::Int)];
                (
                    node,
                    vec![Relation {
                        alias,
                        columns,
                        kind: Kind::Rows,
                        is_renamed: false,
                    }],
                )
            }
            _ => self.derived("LATERAL ", Some(scope), depth),
        }
    }
}

fn outer_free(with: &[Relation]) -> bool {
    with.is_empty()
}

/// Names that both sides have once, each of one type that has an equality; none where a name cannot be joined by.
fn common_columns(left: &[Relation], right: &[Relation]) -> Option<Vec<String>> {
    let all = |relations: &[Relation]| -> Vec<(String, Type)> {
        relations.iter().flat_map(|r| r.columns.iter().cloned()).collect()
    };
    let (left, right) = (all(left), all(right));
    let mut common = Vec::new();
    for (name, r#type) in &left {
        let others: Vec<&(String, Type)> = right.iter().filter(|(n, _)| n == name).collect();
        if others.is_empty() {
            continue;
        }
        let twice = left.iter().filter(|(n, _)| n == name).count() > 1 || others.len() > 1;
        if twice || others[0].1 != *r#type || !r#type.is_ordered() {
            return None;
        }
        common.push(name.clone());
    }
    Some(common)
}
