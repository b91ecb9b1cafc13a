//! INSERT, UPDATE, DELETE with RETURNING, MERGE, of columns that every purpose that may write sees raw: the released relation
//! after a write is then that of the rows written.

use super::{Grammar, Kind, Mode, Relation, Scope, Statement};
use crate::node;
use crate::tree::{Node, Sort};
use crate::types::Type;

/// Tables with columns that may be set.
const TARGETS: [(&str, &[&str]); 6] = [
    ("notes", &["product", "body", "made", "flags", "score", "done"]),
    (
        "products",
        &["name", "price", "weight", "tags", "since", "spec", "mood"],
    ),
    ("orders", &["placed", "paid", "rate", "code"]),
    ("visits", &["channel", "code"]),
    (
        "people",
        &["weight", "mood", "tags", "marks", "active", "wake", "seen", "code"],
    ),
    ("papers", &["size"]),
];

impl Grammar<'_> {
    pub(super) fn write(mut self) -> Statement {
        let (table, settable) = *self.random.of_slice(&TARGETS);
        let relation = Relation {
            alias: table.to_owned(),
            columns: self
                .tables
                .iter()
                .find(|t| t.name == table)
                .map(|t| t.columns.clone())
                .unwrap_or_default(),
            kind: Kind::Rows,
            is_renamed: false,
        };
        self.budget = 1 + self.random.below(3);
        let tree = match self.random.below(12) {
            0..=2 => self.insert(table, settable, &relation),
            3..=6 => self.update(table, settable, relation),
            7..=8 => self.delete(table, relation),
            _ => self.merge(table, settable, relation),
        };
        // Whether the purpose may see a row that it inserts is another matter.
        let looks = !tree.text().contains("INSERT ") || matches!(table, "notes" | "products");
        let tree = match self.random.percent(12) && tree.text().contains(" RETURNING ") {
            true => node!(Sort::Fixed; "WITH d AS (", tree, ") SELECT count(*) FROM d"),
            false => tree,
        };
        let mode = match self.random.percent(50) {
            true => Mode::Simple,
            false => Mode::Extended {
                parameters: self.random.percent(60),
                binary: false,
            },
        };
        Statement {
            tree,
            mode,
            is_ordered: false,
            writes: Some(if looks { table } else { "" }.to_owned()),
        }
    }

    fn settable(&mut self, settable: &[&str], relation: &Relation) -> Vec<(String, Type)> {
        let columns = relation.columns.iter().filter(|(n, _)| settable.contains(&n.as_str()));
        let mut chosen: Vec<(String, Type)> = columns.filter(|_| self.random.percent(40)).cloned().collect();
        if chosen.is_empty() {
            chosen.extend(relation.columns.iter().find(|(n, _)| n == settable[0]).cloned());
        }
        chosen
    }

    fn insert(&mut self, table: &str, settable: &[&str], relation: &Relation) -> Node {
        let columns = self.settable(settable, relation);
        let names: Vec<&str> = columns.iter().map(|(n, _)| n.as_str()).collect();
        let day = if table == "visits" { ", day" } else { "" };
        let day_value = if table == "visits" { ", '2025-06-07'" } else { "" };
        let head = format!("INSERT INTO {table} (id{day}, {}) ", names.join(", "));
        let none = Scope::of(&[], None);
        let source = match self.random.percent(60) {
            true => {
                let count = 1 + self.random.below(3);
                let rows = (0..count).map(|i| {
                    let cells = columns.iter().map(|(_, t)| self.expression(*t, &none, 2)).collect();
                    node!(Sort::Fixed; format!("({}{day_value}, ", 200_000 + i), Node::list(", ", cells), ")")
                });
                let rows = rows.collect();
                node!(Sort::Fixed; "VALUES ", Node::list(", ", rows))
            }
            false => {
                let (from, relations) = self.sources(None, 1);
                let scope = Scope::of(&relations, None);
                let condition = self.where_clause(&scope, 2);
                let raw: Vec<Relation> = relations.iter().map(raw_columns).collect();
                let scope = match self.random.percent(90) {
                    true => Scope::of(&raw, None),
                    false => scope,
                };
                let cells = columns.iter().map(|(_, t)| self.expression(*t, &scope, 1)).collect();
                let cells = node!(Sort::Fixed; "SELECT ", Node::list(", ", cells), from, condition);
                let alias = self.name("s");
                let list = (0..columns.len())
                    .map(|i| format!("{alias}.v{i}"))
                    .collect::<Vec<_>>()
                    .join(", ");
                let names = (0..columns.len())
                    .map(|i| format!("v{i}"))
                    .collect::<Vec<_>>()
                    .join(", ");
                let id =
                    format!("SELECT 200000 + row_number() OVER (ORDER BY {alias}::text){day_value}, {list} FROM (");
                node!(Sort::Fixed; id, cells, format!(") AS {alias} ({names})"))
            }
        };
        let conflict = match (matches!(table, "notes" | "products"), self.random.below(4)) {
            (true, 0) => node!(Sort::Optional; " ON CONFLICT DO NOTHING"),
            (true, 1) => {
                let text = format!(" ON CONFLICT (id) DO UPDATE SET {0} = excluded.{0}", names[0]);
                node!(Sort::Optional; text)
            }
            _ => Node::empty(),
        };
        let returning = match table {
            "notes" | "products" => " RETURNING *".to_owned(),
            _ => format!(" RETURNING {}", names.join(", ")),
        };
        node!(Sort::Fixed; head, source, conflict, node!(Sort::Optional; returning))
    }

    fn update(&mut self, table: &str, settable: &[&str], mut relation: Relation) -> Node {
        let columns = self.settable(settable, &relation);
        let alias = match self.random.percent(40) {
            true => {
                relation.alias = self.name("u");
                format!(" AS {}", relation.alias)
            }
            false => String::new(),
        };
        let (from, relations, joined) = self.more_relations(" FROM ", relation);
        let scope = Scope::of(&relations, None);
        let raw: Vec<Relation> = relations.iter().map(raw_columns).collect();
        let stored = match self.random.percent(90) {
            true => Scope::of(&raw, None),
            false => scope,
        };
        if self.random.percent(70) {
            self.budget = 0;
        }
        let sets: Vec<Node> = columns
            .iter()
            .map(|(name, t)| {
                let value = match self.random.percent(10) {
                    true => self.scalar_query(*t, &stored),
                    false => self.expression(*t, &stored, 2),
                };
                node!(Sort::Fixed; format!("{name} = "), value)
            })
            .collect();
        let condition = self.condition(joined, &scope);
        let returning = self.returning(&relations);
        let head = format!("UPDATE {table}{alias} SET ");
        node!(Sort::Fixed; head, Node::list(", ", sets), from, condition, returning)
    }

    fn delete(&mut self, table: &str, mut relation: Relation) -> Node {
        let alias = match self.random.percent(40) {
            true => {
                relation.alias = self.name("u");
                format!(" AS {}", relation.alias)
            }
            false => String::new(),
        };
        let (using, relations, joined) = self.more_relations(" USING ", relation);
        let scope = Scope::of(&relations, None);
        let condition = self.condition(joined, &scope);
        let returning = self.returning(&relations);
        node!(Sort::Fixed; format!("DELETE FROM {table}{alias}"), using, condition, returning)
    }

    fn merge(&mut self, table: &str, settable: &[&str], relation: Relation) -> Node {
        let target = relation.alias.clone();
        let raw_target = raw_columns(&relation);
        let (source, relations, joined) = self.joined(" USING ", relation);
        let both = Scope::of(&relations, None);
        let raw = [raw_target, raw_columns(&relations[1])];
        let stored = Scope::of(&raw, None);
        let row = Scope::of(&raw[1..], None);
        let on = match self.random.percent(30) {
            true => {
                let more = self.expression(Type::Bool, &both, 2);
                node!(Sort::Fixed; " ON ", joined, node!(Sort::Optional; " AND ", more))
            }
            false => node!(Sort::Fixed; " ON ", joined),
        };
        let count = 1 + self.random.below(3);
        let whens = (0..count).map(|_| {
            let matched = self.random.percent(65);
            let of = if matched {
                both
            } else {
                Scope::of(&relations[1..], None)
            };
            let condition = self.expression(Type::Bool, &of, 2);
            let action = match (matched, self.random.below(6)) {
                (_, 0) => node!(Sort::Fixed; "DO NOTHING"),
                (true, 1) => node!(Sort::Fixed; "DELETE"),
                (true, _) => {
                    let columns = self.settable(settable, &relations[0]);
                    let sets = columns.iter().map(|(name, of)| {
                        let value = self.expression(*of, &stored, 2);
                        node!(Sort::Fixed; format!("{name} = "), value)
                    });
                    let sets = sets.collect();
                    node!(Sort::Fixed; "UPDATE SET ", Node::list(", ", sets))
                }
                (false, _) => {
                    let columns = self.settable(settable, &relations[0]);
                    let names: Vec<&str> = columns.iter().map(|(n, _)| n.as_str()).collect();
                    let cells = columns.iter().map(|(_, of)| self.expression(*of, &row, 2)).collect();
                    let (day, at) = if table == "visits" {
                        (", day", ", '2025-06-07'")
                    } else {
                        ("", "")
                    };
                    let head = format!(
                        "INSERT (id{day}, {}) VALUES (200000 + {}.id{at}, ",
                        names.join(", "),
                        row.relations[0].alias
                    );
                    node!(Sort::Fixed; head, Node::list(", ", cells), ")")
                }
            };
            let head = if matched {
                " WHEN MATCHED AND "
            } else {
                " WHEN NOT MATCHED AND "
            };
            node!(Sort::Fixed; head, condition, " THEN ", action)
        });
        let whens = whens.collect();
        node!(Sort::Fixed; format!("MERGE INTO {table} AS {target}"), source, on, Node::list("", whens))
    }

    /// A second table now and then, each row of the target with at most one of it.
    fn more_relations(&mut self, word: &'static str, relation: Relation) -> (Node, Vec<Relation>, Option<String>) {
        if !self.random.percent(30) {
            return (Node::empty(), vec![relation], None);
        }
        let (node, relations, joined) = self.joined(word, relation);
        (node, relations, Some(joined))
    }

    fn joined(&mut self, word: &'static str, relation: Relation) -> (Node, Vec<Relation>, String) {
        let ints: Vec<&str> = relation
            .columns
            .iter()
            .filter(|(_, t)| *t == Type::Int)
            .map(|(n, _)| n.as_str())
            .collect();
        let other = *self.random.of_slice(&["people", "products", "orders"]);
        let alias = self.name("t");
        let column = *self.random.of_slice(&ints);
        let joined = format!("{alias}.id = {}.{column}", relation.alias);
        let found = self.tables.iter().find(|t| t.name == other);
        let second = Relation {
            alias: alias.clone(),
            columns: found.map(|t| t.columns.clone()).unwrap_or_default(),
            kind: Kind::Rows,
            is_renamed: false,
        };
        let node = node!(Sort::Fixed; word, format!("{other} AS {alias}"));
        (node, vec![relation, second], joined)
    }

    fn condition(&mut self, joined: Option<String>, scope: &Scope<'_>) -> Node {
        let more = self.expression(Type::Bool, scope, 3);
        match joined {
            Some(text) => node!(Sort::Fixed; " WHERE ", text, node!(Sort::Optional; " AND ", more)),
            None if self.random.percent(80) => node!(Sort::Optional; " WHERE ", more),
            None => Node::empty(),
        }
    }

    fn returning(&mut self, relations: &[Relation]) -> Node {
        match self.random.below(4) {
            0 => Node::empty(),
            1 => node!(Sort::Optional; format!(" RETURNING {}.*", relations[0].alias)),
            _ => {
                let scope = Scope::of(relations, None);
                let of = self.type_of();
                let value = self.expression(of, &scope, 2);
                node!(Sort::Optional; format!(" RETURNING {}.id, ", relations[0].alias), value)
            }
        }
    }
}

/// The columns that may be stored anywhere: those of no sensitivity.
fn raw_columns(relation: &Relation) -> Relation {
    let mut raw = relation.clone();
    raw.columns.retain(|(name, _)| !is_personal(name));
    raw
}

/// Columns of this name are above sensitivity none, in a table or another.
pub(super) fn is_personal(name: &str) -> bool {
    const PERSONAL: [&str; 27] = [
        "name", "email", "phone", "birth", "health", "device", "address", "score", "props", "doc", "photo", "points",
        "person", "product", "amount", "quantity", "memo", "seconds", "note", "ip", "title", "who", "total", "staff",
        "boss", "purpose", "status",
    ];
    PERSONAL.contains(&name)
}
