//! `expressions.txt`, read once: what an expression of a type can be.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::types::Type;

/// A hole of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    Of(Type),
    /// Of any type.
    Any,
    /// Of one type within the template.
    Same,
}

/// Texts and holes in turn: one text more than holes.
#[derive(Debug, Clone)]
pub struct Template {
    pub texts: Vec<&'static str>,
    pub holes: Vec<Hole>,
}

#[derive(Debug, Default)]
pub struct Templates {
    pub total: HashMap<Type, Vec<Template>>,
    pub partial: HashMap<Type, Vec<Template>>,
    pub aggregate: HashMap<Type, Vec<Template>>,
}

pub static TEMPLATES: LazyLock<Templates> = LazyLock::new(read);

fn read() -> Templates {
    let mut templates = Templates::default();
    let mut section = "";
    for line in include_str!("../expressions.txt").lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let (result, text) = line.split_once(": ").unwrap_or_else(|| panic!("{line}"));
        let result = Type::named(result).unwrap_or_else(|| panic!("{line}"));
        let list = match section {
            "[total]" => &mut templates.total,
            "[partial]" => &mut templates.partial,
            "[aggregate]" => &mut templates.aggregate,
            other => panic!("{other}"),
        };
        list.entry(result).or_default().push(parse(text));
    }
    templates
}

fn parse(text: &'static str) -> Template {
    let mut template = Template {
        texts: Vec::new(),
        holes: Vec::new(),
    };
    let (mut rest, mut from) = (text, 0);
    // Braces that hold no type are text: '{3,7}' is an array.
    while let Some(open) = rest[from..].find('{').map(|i| i + from) {
        let close = rest[open..].find('}').map_or(rest.len(), |i| i + open);
        let hole = match &rest[open + 1..close] {
            "any" => Some(Hole::Any),
            "same" => Some(Hole::Same),
            name => Type::named(name).map(Hole::Of),
        };
        match hole {
            Some(hole) => {
                template.texts.push(&rest[..open]);
                template.holes.push(hole);
                (rest, from) = (&rest[close + 1..], 0);
            }
            None => from = open + 1,
        }
    }
    template.texts.push(rest);
    template
}
