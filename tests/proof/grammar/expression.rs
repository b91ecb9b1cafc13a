//! Expressions of a type: columns, constants, templates, CASE, sub-queries, aggregates, windows.

use super::templates::{Hole, TEMPLATES, Template};
use super::{Grammar, Kind, Scope};
use crate::node;
use crate::tree::{Node, Part, Sort};
use crate::types::Type;

impl Grammar<'_> {
    pub(super) fn expression(&mut self, wanted: Type, scope: &Scope<'_>, depth: usize) -> Node {
        if depth == 0 || self.random.percent(25) {
            return self.leaf(wanted, scope);
        }
        if scope.aggregates
            && self.random.percent(40)
            && let Some(node) = self.aggregate(wanted, scope, depth)
        {
            return node;
        }
        if scope.windows
            && self.random.percent(40)
            && let Some(node) = self.window(wanted, scope, depth)
        {
            return node;
        }
        let inner = |grammar: &mut Self| grammar.expression(wanted, scope, depth - 1);
        let sort = Sort::Expression(wanted);
        match self.random.below(100) {
            0..=4 => {
                let (a, b) = (inner(self), inner(self));
                node!(sort; "COALESCE(", a, ", ", b, ")")
            }
            5..=7 if wanted.is_ordered() => {
                let (a, b) = (inner(self), inner(self));
                node!(sort; "NULLIF(", a, ", ", b, ")")
            }
            8..=9 if wanted.is_ordered() => {
                let (a, b) = (inner(self), inner(self));
                let function = *self.random.of_slice(&["GREATEST(", "LEAST("]);
                node!(sort; function, a, ", ", b, ")")
            }
            10..=15 => self.case(wanted, scope, depth),
            16..=20 => self.scalar_query(wanted, scope),
            21..=26 if wanted == Type::Bool => self.query_condition(scope, depth),
            27 if matches!(wanted, Type::Ints | Type::Texts) => {
                let element = if wanted == Type::Ints { Type::Int } else { Type::Text };
                match self.subquery(vec![element], scope, true) {
                    Some(query) => node!(sort; "ARRAY(", query, ")"),
                    None => self.leaf(wanted, scope),
                }
            }
            28..=30 if wanted == Type::Text || wanted == Type::Bool => self.whole_row(wanted, scope),
            _ => self.template(wanted, scope, depth),
        }
    }

    fn case(&mut self, wanted: Type, scope: &Scope<'_>, depth: usize) -> Node {
        let sort = Sort::Expression(wanted);
        let (a, b) = (
            self.expression(wanted, scope, depth - 1),
            self.expression(wanted, scope, depth - 1),
        );
        if self.random.percent(70) {
            let condition = self.expression(Type::Bool, scope, depth - 1);
            return node!(sort; "CASE WHEN ", condition, " THEN ", a, " ELSE ", b, " END");
        }
        let of = self.ordered_type();
        let value = self.expression(of, scope, depth - 1);
        let other = self.expression(of, scope, depth - 1);
        node!(sort; "CASE ", value, " WHEN ", other, " THEN ", a, " ELSE ", b, " END")
    }

    pub(super) fn leaf(&mut self, wanted: Type, scope: &Scope<'_>) -> Node {
        if let Some(groups) = scope.groups {
            let fitting: Vec<&Node> = groups.iter().filter(|(t, _)| *t == wanted).map(|(_, n)| n).collect();
            if !fitting.is_empty() && self.random.percent(80) {
                return (*self.random.of_slice(&fitting)).clone();
            }
            if scope.aggregates
                && self.random.percent(70)
                && let Some(node) = self.aggregate(wanted, scope, 1)
            {
                return node;
            }
            return self.constant(wanted);
        }
        match self.random.percent(85).then(|| self.column(wanted, scope)).flatten() {
            Some(node) => node,
            None => self.constant(wanted),
        }
    }

    pub(super) fn constant(&mut self, wanted: Type) -> Node {
        if self.random.percent(6) {
            return node!(Sort::Expression(wanted); format!("NULL::{}", wanted.sql()));
        }
        let value = (*self.random.of_slice(wanted.samples())).to_owned();
        Node {
            sort: Sort::Expression(wanted),
            parts: vec![Part::Constant(wanted, value)],
        }
    }

    /// A column of this scope, or now and then of one around it.
    pub(super) fn column(&mut self, wanted: Type, scope: &Scope<'_>) -> Option<Node> {
        let mut at = scope;
        while let (true, Some(outer)) = (at.relations.is_empty() || self.random.percent(15), at.outer) {
            if outer.groups.is_some() {
                break;
            }
            at = outer;
        }
        let fitting: Vec<(usize, &str)> = at
            .relations
            .iter()
            .enumerate()
            .flat_map(|(i, r)| r.columns.iter().map(move |c| (i, c)))
            .filter(|(_, (_, t))| *t == wanted)
            .map(|(i, (name, _))| (i, name.as_str()))
            .collect();
        if fitting.is_empty() {
            return None;
        }
        let (of, name) = *self.random.of_slice(&fitting);
        let has = |r: &super::Relation| r.columns.iter().any(|(n, _)| n == name);
        let is_sole = std::ptr::eq(at, scope) && at.relations.iter().filter(|r| has(r)).count() == 1;
        let text = match is_sole && self.random.percent(30) {
            true => name.to_owned(),
            false => format!("{}.{name}", at.relations[of].alias),
        };
        Some(node!(Sort::Expression(wanted); text))
    }

    pub(super) fn template(&mut self, wanted: Type, scope: &Scope<'_>, depth: usize) -> Node {
        if self.traps
            && wanted == Type::Int
            && self.random.percent(60)
            && let Some(node) = self.trap(scope)
        {
            return node;
        }
        if self.partial
            && self.random.percent(25)
            && let Some(node) = TEMPLATES
                .partial
                .get(&wanted)
                .and_then(|list| self.failing(list, wanted, scope, depth))
        {
            return node;
        }
        let template = TEMPLATES.total.get(&wanted).map(|list| self.random.of_slice(list));
        match template {
            Some(template) => self.fill(Sort::Expression(wanted), template, scope, depth),
            None => self.leaf(wanted, scope),
        }
    }

    /// One that fails in rows that the role may not see, and mostly in no other.
    fn trap(&mut self, scope: &Scope<'_>) -> Option<Node> {
        if scope.groups.is_some() {
            return None;
        }
        let columns = scope
            .relations
            .iter()
            .flat_map(|r| r.columns.iter().map(move |(name, t)| (r, name, *t)));
        let texts = ["code", "word"];
        let keys = ["person", "id"];
        let is_trap = |name: &str, t: Type| match t {
            Type::Text => texts.contains(&name),
            Type::Int => keys.contains(&name),
            _ => false,
        };
        let found: Vec<(String, Type)> = columns
            .filter(|(_, name, t)| is_trap(name, *t))
            .map(|(r, name, t)| (format!("{}.{name}", r.alias), t))
            .collect();
        let (x, of) = found.get(self.random.below(found.len()))?;
        let text = match (of, self.role) {
            (Type::Text, _) => match self.random.below(3) {
                0 => format!("{x}::int"),
                1 => format!("CAST({x} AS integer)"),
                _ => format!("to_number({x}, '99')::int"),
            },
            (_, "partner") => format!("(12 / (({x} % 5) * ({x} % 5 - 1) * ({x} % 5 - 4)))"),
            (_, "access") => format!("sqrt(({x} = 5)::int - 1)::int"),
            (_, "marketing" | "research") if self.random.percent(50) => format!("(12 / ({x} % 8 - 4))"),
            _ => format!("(12 / ({x} % 4))"),
        };
        Some(node!(Sort::Expression(Type::Int); text))
    }

    /// One that can fail, of a column: what is constant PostgreSQL may evaluate beforehand, or never.
    fn failing(&mut self, list: &'static [Template], wanted: Type, scope: &Scope<'_>, depth: usize) -> Option<Node> {
        let template = self.random.of_slice(list);
        let mut node = self.fill(Sort::Expression(wanted), template, scope, depth);
        let at = node.parts.iter().position(|part| matches!(part, Part::Node(_)))?;
        let Part::Node(first) = &node.parts[at] else {
            return None;
        };
        let Sort::Expression(of) = first.sort else {
            return None;
        };
        let column = match scope.groups {
            Some(_) => None,
            None => self.column(of, scope),
        };
        node.parts[at] = column?.into();
        Some(node)
    }

    pub(super) fn fill(&mut self, sort: Sort, template: &Template, scope: &Scope<'_>, depth: usize) -> Node {
        let same = self.ordered_type();
        let mut parts: Vec<Part> = Vec::new();
        for (i, text) in template.texts.iter().enumerate() {
            parts.push((*text).into());
            if let Some(hole) = template.holes.get(i) {
                let of = match hole {
                    Hole::Of(of) => *of,
                    Hole::Any => self.type_of(),
                    Hole::Same => same,
                };
                // What stands in an ORDER BY of its own is the argument again.
                let again = text.contains("ORDER BY").then(|| {
                    parts.iter().find_map(|part| match part {
                        Part::Node(node) if node.sort == Sort::Expression(of) => Some(node.clone()),
                        _ => None,
                    })
                });
                let node = match again.flatten() {
                    Some(node) => node,
                    None => self.expression(of, scope, depth.saturating_sub(1)),
                };
                parts.push(node.into());
            }
        }
        let node = Node { sort, parts };
        // To be shrunk as one, or what is sorted by would not be the argument any more.
        match template.texts.iter().any(|t| t.contains("ORDER BY")) {
            true => node!(node.sort.clone(); node.text()),
            false => node,
        }
    }

    pub(super) fn aggregate(&mut self, wanted: Type, scope: &Scope<'_>, depth: usize) -> Option<Node> {
        let template = self.random.of_slice(TEMPLATES.aggregate.get(&wanted)?);
        // Of outer columns alone it would be an aggregate of the outer query.
        let below = Scope {
            outer: None,
            ..scope.plain()
        };
        let sort = Sort::Expression(wanted);
        let call = self.fill(Sort::Fixed, template, &below, depth.min(2));
        if self.random.percent(15) {
            let condition = self.expression(Type::Bool, &below, 1);
            return Some(node!(sort; call, node!(Sort::Optional; " FILTER (WHERE ", condition, ")")));
        }
        Some(node!(sort; call))
    }

    /// Columns that tell the rows of this scope apart; none where there may be none.
    fn keys(&self, scope: &Scope<'_>) -> Option<String> {
        let keys: Option<Vec<String>> = scope
            .relations
            .iter()
            .map(|r| (r.kind == Kind::Keyed).then(|| format!("{}.id", r.alias)))
            .collect();
        keys.filter(|k| !k.is_empty()).map(|k| k.join(", "))
    }

    fn window(&mut self, wanted: Type, scope: &Scope<'_>, depth: usize) -> Option<Node> {
        let below = scope.plain();
        let sort = Sort::Expression(wanted);
        let partition = match self.random.percent(50) {
            true => {
                let of = self.ordered_type();
                let by = self.expression(of, &below, 1);
                node!(Sort::Optional; "PARTITION BY ", by, " ")
            }
            false => Node::empty(),
        };
        let of = self.ordered_type();
        let by = self.expression(of, &below, 1);
        let direction = *self.random.of_slice(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        // Those that see the order of peers need one that is whole.
        let keys = self.keys(scope);
        let argument = self.expression(wanted, &below, 1);
        if let (Some(keys), true) = (keys, self.random.percent(60)) {
            let call = match self.random.below(6) {
                0 if wanted == Type::Bigint => node!(Sort::Fixed; "row_number()"),
                1 if wanted == Type::Int => node!(Sort::Fixed; "ntile(3)"),
                2 => node!(Sort::Fixed; "lag(", argument, ")"),
                3 => node!(Sort::Fixed; "lead(", argument, ", 2)"),
                4 => node!(Sort::Fixed; "last_value(", argument, ")"),
                5 => node!(Sort::Fixed; "nth_value(", argument, ", 2)"),
                _ => node!(Sort::Fixed; "first_value(", argument, ")"),
            };
            let frame = *self.random.of_slice(&[
                "",
                " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
                " ROWS UNBOUNDED PRECEDING",
                " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                " ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW",
            ]);
            return Some(node!(sort; call, " OVER (", partition, "ORDER BY ", by, direction, ", ", keys, frame, ")"));
        }
        let call = match (wanted, self.random.below(3)) {
            (Type::Bigint, 0) => node!(Sort::Fixed; "rank()"),
            (Type::Bigint, 1) => node!(Sort::Fixed; "dense_rank()"),
            (Type::Float, 0) => node!(Sort::Fixed; "percent_rank()"),
            (Type::Float, 1) => node!(Sort::Fixed; "cume_dist()"),
            _ => {
                let list: Vec<&Template> = TEMPLATES
                    .aggregate
                    .get(&wanted)?
                    .iter()
                    .filter(|t| may_window(t))
                    .collect();
                let template = list.get(self.random.below(list.len()))?;
                self.fill(Sort::Fixed, template, &below, depth.min(2))
            }
        };
        let frame = *self.random.of_slice(&[
            "",
            " RANGE UNBOUNDED PRECEDING",
            " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
        ]);
        Some(node!(sort; call, " OVER (", partition, "ORDER BY ", by, direction, frame, ")"))
    }
}

/// DISTINCT, ORDER BY and WITHIN GROUP are not for windows.
fn may_window(template: &Template) -> bool {
    !template
        .texts
        .iter()
        .any(|t| ["DISTINCT", "ORDER", "WITHIN"].iter().any(|word| t.contains(word)))
}
