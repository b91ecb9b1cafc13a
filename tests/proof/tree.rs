//! The tree of a generated statement: what it prints as, and the smaller trees that a failing one is shrunk to.
//!
//! Knows no SQL beyond which nodes may stand for which others.

use std::borrow::Cow;

use super::types::Type;

/// What a node is, that is, what may stand in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sort {
    /// Nothing else may.
    Fixed,
    /// Nothing at all may.
    Optional,
    /// Its parts are items, parted by this text; fewer may do.
    List(&'static str),
    /// An expression of this type.
    Expression(Type),
    /// A query of these output types.
    Query(Vec<Type>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(Cow<'static, str>),
    /// A value that may go as a parameter: its type and text.
    Constant(Type, String),
    Node(Node),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub sort: Sort,
    pub parts: Vec<Part>,
}

/// How constants are written: into the text, or as parameters, which this collects.
pub enum Constants<'a> {
    Inline,
    Parameters(&'a mut Vec<String>),
}

impl From<&'static str> for Part {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Node> for Part {
    fn from(node: Node) -> Self {
        Self::Node(node)
    }
}

/// A node of texts and nodes in turn.
#[macro_export]
macro_rules! node {
    ($sort:expr; $($part:expr),* $(,)?) => {
        $crate::tree::Node { sort: $sort, parts: vec![$($crate::tree::Part::from($part)),*] }
    };
}

impl Node {
    pub fn empty() -> Self {
        node!(Sort::Fixed;)
    }

    pub fn list(separator: &'static str, items: Vec<Node>) -> Self {
        Self {
            sort: Sort::List(separator),
            parts: items.into_iter().map(Part::Node).collect(),
        }
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        self.print(&mut out, &mut Constants::Inline);
        out
    }

    /// With `$n` for constants, and their values.
    pub fn parameterized(&self) -> (String, Vec<String>) {
        let (mut out, mut values) = (String::new(), Vec::new());
        self.print(&mut out, &mut Constants::Parameters(&mut values));
        (out, values)
    }

    fn print(&self, out: &mut String, constants: &mut Constants<'_>) {
        for (i, part) in self.parts.iter().enumerate() {
            if let (Sort::List(separator), true) = (&self.sort, i > 0) {
                out.push_str(separator);
            }
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Node(node) => node.print(out, constants),
                Part::Constant(r#type, value) => match constants {
                    Constants::Inline => out.push_str(&r#type.literal(value)),
                    Constants::Parameters(values) => {
                        values.push(value.clone());
                        out.push_str(&format!("${}::{}", values.len(), r#type.sql()));
                    }
                },
            }
        }
    }

    /// The same with other constants.
    pub fn varied(&self) -> Node {
        let parts = self.parts.iter().map(|part| match part {
            Part::Constant(of, value) => {
                let samples = of.samples();
                let at = samples.iter().position(|s| s == value).map_or(0, |at| at + 1);
                Part::Constant(*of, samples[at % samples.len()].to_owned())
            }
            Part::Node(node) => Part::Node(node.varied()),
            Part::Text(text) => Part::Text(text.clone()),
        });
        Node {
            sort: self.sort.clone(),
            parts: parts.collect(),
        }
    }

    /// How many nodes.
    pub fn size(&self) -> usize {
        1 + self.children().map(|(_, child)| child.size()).sum::<usize>()
    }

    fn children(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.parts.iter().enumerate().filter_map(|(i, part)| match part {
            Part::Node(node) => Some((i, node)),
            Part::Text(_) | Part::Constant(..) => None,
        })
    }

    /// All places of the tree, the larger ones first.
    fn paths(&self) -> Vec<Vec<usize>> {
        let mut found = vec![Vec::new()];
        let mut at = 0;
        while at < found.len() {
            let path = found[at].clone();
            for (i, _) in self.at(&path).children() {
                found.push([path.as_slice(), &[i]].concat());
            }
            at += 1;
        }
        found
    }

    fn at(&self, path: &[usize]) -> &Node {
        path.iter().fold(self, |node, i| match &node.parts[*i] {
            Part::Node(child) => child,
            Part::Text(_) | Part::Constant(..) => unreachable!("a path leads to nodes"),
        })
    }

    fn with(&self, path: &[usize], replacement: Node) -> Node {
        let Some((first, rest)) = path.split_first() else {
            return replacement;
        };
        let mut changed = self.clone();
        if let Part::Node(child) = &mut changed.parts[*first] {
            *child = child.with(rest, replacement);
        }
        changed
    }

    fn collect_like<'n>(&'n self, sort: &Sort, any_query: bool, into: &mut Vec<&'n Node>) {
        for (_, child) in self.children() {
            let is_query = any_query && matches!(child.sort, Sort::Query(_));
            if child.sort == *sort || is_query {
                into.push(child);
            }
            child.collect_like(sort, any_query, into);
        }
    }

    /// Trees that are smaller by one step, the much smaller ones first.
    pub fn smaller(&self) -> Vec<Node> {
        let mut all = Vec::new();
        for path in self.paths() {
            let node = self.at(&path);
            for replacement in node.replacements(path.is_empty()) {
                all.push(self.with(&path, replacement));
            }
        }
        let size = self.size();
        all.retain(|tree| tree.size() < size || tree.text().len() < self.text().len());
        all.sort_by_key(Node::size);
        all
    }

    fn replacements(&self, is_whole: bool) -> Vec<Node> {
        let mut like = Vec::new();
        match &self.sort {
            Sort::Fixed => Vec::new(),
            Sort::Optional => vec![Node::empty()],
            Sort::List(separator) => {
                let without = |i: usize| Node {
                    sort: Sort::List(separator),
                    parts: self
                        .parts
                        .iter()
                        .enumerate()
                        .filter(|(j, _)| *j != i)
                        .map(|(_, p)| p.clone())
                        .collect(),
                };
                (0..self.parts.len())
                    .filter(|_| self.parts.len() > 1)
                    .map(without)
                    .collect()
            }
            Sort::Expression(r#type) => {
                let constant = |value: &str| Node {
                    sort: self.sort.clone(),
                    parts: vec![Part::Constant(*r#type, value.to_owned())],
                };
                self.collect_like(&self.sort, false, &mut like);
                let simple = r#type.samples().iter().take(1).map(|value| constant(value));
                simple.chain(like.into_iter().cloned()).collect()
            }
            Sort::Query(_) => {
                self.collect_like(&self.sort, is_whole, &mut like);
                like.into_iter().cloned().collect()
            }
        }
    }
}
