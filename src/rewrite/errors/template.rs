//! The known messages, as templates, and how a message is held against them.

use std::collections::HashMap;
use std::sync::OnceLock;

const TEMPLATES: &str = include_str!("templates.txt");

/// Longer messages hold a long value, and are not worth the search.
const LONGEST: usize = 1_000;

/// What stands between the fixed parts of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// `%q`: in double quotes, which are not part of it.
    Quoted,
    /// `%w`: words.
    Words,
    /// `%n`: digits, always shown.
    Count,
}

/// A text beside the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    /// `H`
    Hint,
    /// `D`
    Detail,
}

#[derive(Debug)]
enum Part {
    Fixed(&'static str),
    Open(Placeholder),
}

#[derive(Debug, Default)]
struct Known {
    messages: Vec<Vec<Part>>,
    hints: Vec<Vec<Part>>,
    details: Vec<Vec<Part>>,
}

/// The message by its template, each placeholder by `show`, what that leaves out as `…`. `None`:
/// no template of this SQLSTATE.
pub(super) fn fill(
    sqlstate: &str,
    message: &str,
    show: &dyn Fn(Placeholder, &str) -> Option<String>,
) -> Option<String> {
    let (parts, contents) = find(&table().get(sqlstate)?.messages, message)?;
    joined(parts, &contents, &|placeholder, content| {
        Some(show(placeholder, content).unwrap_or_else(|| "…".into()))
    })
}

/// The same for a hint or a detail, which is left out where any placeholder is.
pub(super) fn fill_aside(
    sqlstate: &str,
    aside: Aside,
    text: &str,
    show: &dyn Fn(Placeholder, &str) -> Option<String>,
) -> Option<String> {
    let known = table().get(sqlstate)?;
    let templates = match aside {
        Aside::Hint => &known.hints,
        Aside::Detail => &known.details,
    };
    let (parts, contents) = find(templates, text)?;
    joined(parts, &contents, show)
}

fn find<'t, 'm>(templates: &'t [Vec<Part>], message: &'m str) -> Option<(&'t [Part], Vec<&'m str>)> {
    if message.len() > LONGEST {
        return None;
    }
    templates.iter().find_map(|parts| {
        let mut contents = Vec::new();
        matches(parts, message, &mut contents).then_some((parts.as_slice(), contents))
    })
}

/// Whether `text` is these parts from end to end; what stood open goes to `contents`.
fn matches<'m>(parts: &[Part], text: &'m str, contents: &mut Vec<&'m str>) -> bool {
    let Some((first, rest)) = parts.split_first() else {
        return text.is_empty();
    };
    let (text, closing) = match first {
        Part::Fixed(fixed) => {
            return text
                .strip_prefix(fixed)
                .is_some_and(|after| matches(rest, after, contents));
        }
        Part::Open(Placeholder::Quoted) => match text.strip_prefix('"') {
            Some(inside) => (inside, "\""),
            None => return false,
        },
        Part::Open(Placeholder::Words | Placeholder::Count) => (text, ""),
    };
    let ends = text.char_indices().map(|(i, _)| i).chain([text.len()]);
    for end in ends {
        let Some((content, after)) = text.split_at_checked(end) else {
            continue;
        };
        let Some(after) = after.strip_prefix(closing) else {
            continue;
        };
        let is_count = matches!(first, Part::Open(Placeholder::Count));
        if is_count && (content.is_empty() || !content.bytes().all(|b| b.is_ascii_digit())) {
            continue;
        }
        contents.push(content);
        if matches(rest, after, contents) {
            return true;
        }
        contents.pop();
    }
    false
}

fn joined(parts: &[Part], contents: &[&str], show: &dyn Fn(Placeholder, &str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut contents = contents.iter();
    for part in parts {
        match part {
            Part::Fixed(fixed) => out.push_str(fixed),
            Part::Open(placeholder) => {
                let content = contents.next()?;
                match placeholder {
                    Placeholder::Quoted => out.push_str(&format!("\"{}\"", show(*placeholder, content)?)),
                    Placeholder::Words => out.push_str(&show(*placeholder, content)?),
                    Placeholder::Count => out.push_str(content),
                }
            }
        }
    }
    Some(out)
}

fn table() -> &'static HashMap<&'static str, Known> {
    static TABLE: OnceLock<HashMap<&'static str, Known>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table: HashMap<&'static str, Known> = HashMap::new();
        for line in TEMPLATES.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let Some((sqlstate, text)) = line.split_once(' ') else {
                continue;
            };
            let known = table.entry(sqlstate).or_default();
            if let Some(hint) = text.strip_prefix("hint ") {
                known.hints.push(parts(hint));
            } else if let Some(detail) = text.strip_prefix("detail ") {
                known.details.push(parts(detail));
            } else {
                known.messages.push(parts(text));
            }
        }
        table
    })
}

fn parts(text: &'static str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (i, piece) in text.split('%').enumerate() {
        let placeholder = match piece.chars().next() {
            _ if i == 0 => None,
            Some('q') => Some(Placeholder::Quoted),
            Some('w') => Some(Placeholder::Words),
            Some('n') => Some(Placeholder::Count),
            Some(_) | None => None,
        };
        let fixed = match placeholder {
            Some(placeholder) => {
                parts.push(Part::Open(placeholder));
                piece.get(1..).unwrap_or_default()
            }
            None => piece,
        };
        if !fixed.is_empty() {
            parts.push(Part::Fixed(fixed));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_a_template_that_fits_itself() {
        let mut count = 0;
        for line in TEMPLATES.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (sqlstate, text) = line.split_once(' ').unwrap();
            assert!(sqlstate.len() == 5, "{line}");
            assert!(
                text.split('%').skip(1).all(|p| p.starts_with(['q', 'w', 'n'])),
                "unknown placeholder: {line}"
            );
            let message = text.replace("%q", "\"x\"").replace("%w", "y").replace("%n", "3");
            let shown: &dyn Fn(Placeholder, &str) -> Option<String> = &|_, content| Some(content.into());
            let found = if let Some(hint) = message.strip_prefix("hint ") {
                fill_aside(sqlstate, Aside::Hint, hint, shown).map(|found| format!("hint {found}"))
            } else if let Some(detail) = message.strip_prefix("detail ") {
                fill_aside(sqlstate, Aside::Detail, detail, shown).map(|found| format!("detail {found}"))
            } else {
                fill(sqlstate, &message, shown)
            };
            assert_eq!(found.as_deref(), Some(message.as_str()), "{line}");
            count += 1;
        }
        assert!(count > 300);
    }

    #[test]
    fn a_quoted_value_with_quotes_in_it_is_taken_whole() {
        let message = r#"invalid input syntax for type integer: "a" b": "c""#;
        let hidden = fill("22P02", message, &|_, _| None).unwrap();
        assert_eq!(hidden, "invalid input syntax for type …: \"…\"");
    }
}
